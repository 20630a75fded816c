/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks and partitions as files: /dev/vda, /dev/vda1 ...
 *
 * Every read and write goes to the device, in pieces of PIECE bytes, by way
 * of pages of ours; nothing of it is cached, so what is read is what the
 * device has.  Bytes of a sector that a write does not change are read
 * first; write_lock keeps two such writes apart.  fsync is a flush.
 *
 * A device with a mounted file system, or a part of it, cannot be opened for
 * writing (EBUSY): the file system's own cache would not see what changes.
 */
#include "fs_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <base/atomic.h>
#include <base/math.h>
#include <core/log.h>
#include <dev/blk.h>
#include <file/file.h>
#include <fs/bdev.h>
#include <fs/pseudo.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/mutex.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define PIECE	    (128u << 10)
#define PIECE_PAGES (PIECE / PAGE_SIZE)
#define MAJOR	    254u

static struct mutex write_mutex = { .rank = RANK_INODE,
				    .wq = WAITQ_INIT(write_mutex.wq) };

/* ---- a piece ---- */

struct piece {
	struct blk_device *dev;
	uint64_t start; /* bytes on the device, of whole sectors */
	uint32_t len;	/* the same */
	struct page *pages[PIECE_PAGES];
};

static void
drop_pages(struct piece *p)
{
	for (unsigned k = 0; k * PAGE_SIZE < p->len && p->pages[k]; k++)
		page_put(p->pages[k]);
}

/* Pages for the sectors that hold len bytes at pos. */
static int
take_pages(struct piece *p, struct blk_device *dev, uint64_t pos, size_t len)
{
	uint32_t unit = dev->block_size;

	p->dev = dev;
	p->start = pos - pos % unit;
	p->len = (uint32_t)(align_up(pos + len, unit) - p->start);
	for (unsigned k = 0; k * PAGE_SIZE < p->len; k++) {
		p->pages[k] = page_alloc(0, ALLOC_KERNEL);
		if (!p->pages[k]) {
			drop_pages(p);
			return -ENOMEM;
		}
	}
	return 0;
}

/* Moves the bytes [from, to) of the piece, whole sectors. */
static int
device_io(struct piece *p, enum bio_op op, uint32_t from, uint32_t to)
{
	unsigned max = p->dev->max_vecs;
	int err = 0;

	while (from < to && !err) {
		struct bio *b = bio_alloc(PIECE_PAGES, ALLOC_NOFS);

		b->dev = p->dev;
		b->op = op;
		b->sector = (p->start + from) >> BLK_SECTOR_SHIFT;
		while (from < to && b->nvecs < max) {
			uint32_t off = from & PAGE_MASK;
			uint32_t n =
				(uint32_t)min_u64(PAGE_SIZE - off, to - from);

			if (bio_add(b, p->pages[from >> PAGE_SHIFT], off, n))
				break;
			from += n;
		}
		err = bio_submit_wait(b);
		bio_free(b);
	}
	return err;
}

/* Between the program's memory and the piece, len bytes at pos. */
static ssize_t
copy_piece(struct piece *p, struct uio *u, uint64_t pos, size_t len, bool write)
{
	uint64_t at = pos - p->start, end = at + len;
	ssize_t total = 0, r;

	while (at < end) {
		char *mem = (char *)page_addr(p->pages[at >> PAGE_SHIFT]) +
			    (at & PAGE_MASK);
		size_t n =
			(size_t)min_u64(PAGE_SIZE - (at & PAGE_MASK), end - at);

		r = write ? uio_read(u, mem, n) : uio_write(u, mem, n);
		if (r <= 0)
			return total ? total : r;
		total += r;
		at += (uint64_t)r;
		if ((size_t)r < n)
			break;
	}
	return total;
}

static ssize_t
read_piece(struct blk_device *dev, struct uio *u, uint64_t pos, size_t len)
{
	struct piece p = { 0 };
	ssize_t r = take_pages(&p, dev, pos, len);

	if (r)
		return r;
	r = device_io(&p, BIO_READ, 0, p.len);
	if (!r)
		r = copy_piece(&p, u, pos, len, false);
	drop_pages(&p);
	return r;
}

static ssize_t
write_piece(struct blk_device *dev, struct uio *u, uint64_t pos, size_t len)
{
	uint32_t unit = dev->block_size;
	struct piece p = { 0 };
	ssize_t r = take_pages(&p, dev, pos, len);
	int err;

	if (r)
		return r;
	if (len < p.len) /* what is not written of the first and last sector */
		r = device_io(&p, BIO_READ, 0, p.len);
	if (!r)
		r = copy_piece(&p, u, pos, len, true);
	/* The program's memory ended too soon: whole sectors. */
	if (r > 0 && (size_t)r < len) {
		r -= (ssize_t)((pos + (uint64_t)r) % unit);
		if (r <= 0)
			r = -EFAULT;
	}
	if (r > 0) {
		err = device_io(&p, BIO_WRITE, 0,
				(uint32_t)(align_up(pos + (uint64_t)r, unit) -
					   p.start));
		if (err)
			r = err;
	}
	drop_pages(&p);
	return r;
}

/* ---- the file ---- */

static uint64_t
size_of(const struct blk_device *d)
{
	return atomic_load_relaxed(&d->sectors) << BLK_SECTOR_SHIFT;
}

static ssize_t
transfer(struct file *f, struct uio *u, int64_t *pos, bool write)
{
	struct blk_device *d = f->priv;
	uint64_t size = size_of(d);
	ssize_t total = 0, r = 0;

	if (*pos < 0)
		return -EINVAL;
	if (u->nowait)
		return -EAGAIN;
	if (write && u->resid && (uint64_t)*pos >= size)
		return -ENOSPC;
	while (u->resid && (uint64_t)*pos < size) {
		uint64_t at = (uint64_t)*pos;
		size_t n = (size_t)min_u64(PIECE - (at & PAGE_MASK), u->resid);

		n = (size_t)min_u64(n, size - at);
		r = write ? write_piece(d, u, at, n) : read_piece(d, u, at, n);
		if (r <= 0)
			break;
		*pos += r;
		total += r;
		if ((size_t)r < n)
			break;
	}
	return total ? total : r;
}

static ssize_t
bdev_file_read(struct file *f, struct uio *u, int64_t *pos)
{
	return transfer(f, u, pos, false);
}

static ssize_t
bdev_file_write(struct file *f, struct uio *u, int64_t *pos)
{
	ssize_t r;

	mutex_lock(&write_mutex);
	r = transfer(f, u, pos, true);
	mutex_unlock(&write_mutex);
	if (r > 0 && (f->flags & O_DSYNC)) {
		int err = bdev_flush(f->priv);

		if (err)
			r = err;
	}
	return r;
}

static int64_t
bdev_file_seek(struct file *f, int64_t off, int whence)
{
	int64_t size = (int64_t)size_of(f->priv), pos = off;

	if (whence == SEEK_CUR || whence == SEEK_END) {
		if (__builtin_add_overflow(whence == SEEK_CUR ? f->pos : size,
					   off, &pos))
			return -EINVAL;
	} else if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		if (off < 0 || off >= size)
			return -ENXIO;
		pos = whence == SEEK_DATA ? off : size;
	} else if (whence != SEEK_SET) {
		return -EINVAL;
	}
	if (pos < 0 || pos > size)
		return -EINVAL;
	f->pos = pos;
	return pos;
}

static int
bdev_file_stat(struct file *f, struct kstat *st)
{
	inode_stat(f->inode, st);
	return 0;
}

static int
bdev_file_fsync(struct file *f, int64_t start, int64_t end, bool datasync)
{
	struct blk_device *d = f->priv;

	(void)start, (void)end, (void)datasync;
	return bdev_flush(d);
}

static long
give_out(struct file *f, uint64_t arg, bool zeroes)
{
	struct blk_device *d = f->priv;
	uint64_t range[2], end;

	if (!(f->mode & FILE_WRITE))
		return -EBADF;
	if (copy_from_user(range, (void __user *)arg, sizeof(range)))
		return -EFAULT;
	if ((range[0] | range[1]) & (d->block_size - 1) ||
	    __builtin_add_overflow(range[0], range[1], &end) ||
	    end > size_of(d))
		return -EINVAL;
	return blk_discard(d, range[0] >> BLK_SECTOR_SHIFT,
			   range[1] >> BLK_SECTOR_SHIFT, zeroes);
}

static long
put_int(uint64_t arg, uint32_t n)
{
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

static long
put_long(uint64_t arg, uint64_t n)
{
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

static long
bdev_file_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct blk_device *d = f->priv;
	uint16_t no = 0;

	switch (cmd) {
	case BLKGETSIZE64:
		return put_long(arg, size_of(d));
	case BLKGETSIZE:
		return put_long(arg, atomic_load_relaxed(&d->sectors));
	case BLKSSZGET:
	case BLKPBSZGET:
	case BLKIOMIN:
		return put_int(arg, d->block_size);
	case BLKBSZGET:
		return put_int(arg, PAGE_SIZE);
	case BLKIOOPT:
	case BLKALIGNOFF:
	case BLKDISCARDZEROES:
		return put_int(arg, 0);
	case BLKROGET:
		return put_int(arg, d->read_only);
	case BLKROTATIONAL:
		return copy_to_user((void __user *)arg, &no, sizeof(no));
	case BLKFLSBUF:
		return bdev_flush(d);
	case BLKDISCARD:
		return give_out(f, arg, false);
	case BLKZEROOUT:
		return give_out(f, arg, true);
	default:
		return -ENOTTY;
	}
}

static const struct file_ops bdev_file_ops = {
	.read = bdev_file_read,
	.write = bdev_file_write,
	.seek = bdev_file_seek,
	.stat = bdev_file_stat,
	.fsync = bdev_file_fsync,
	.ioctl = bdev_file_ioctl,
};

/* ---- nodes ---- */

static bool
not_mounted(const struct mount_info *m, void *arg)
{
	const struct blk_device **d = arg, *on;

	if (DEV_MAJOR(m->sb->dev) != MAJOR)
		return true;
	on = blk_get((unsigned)DEV_MINOR(m->sb->dev));
	/* The same, a part of it, or the disk that it is a part of. */
	if (on && (on == *d || on->parent == *d || (*d)->parent == on)) {
		*d = NULL;
		return false;
	}
	return true;
}

static int
bdev_file_open(struct inode *i, unsigned flags, struct file **out, void *arg)
{
	struct blk_device *d = arg;
	const struct blk_device *found = d;

	(void)i;
	if ((flags & O_ACCMODE) != O_RDONLY) {
		if (d->read_only || (d->parent && d->parent->read_only))
			return -EACCES;
		vfs_for_each_mount(not_mounted, &found);
		if (!found)
			return -EBUSY;
	}
	return file_create(&bdev_file_ops, flags, d, out);
}

void
bdev_nodes_init(void)
{
	struct pseudo_entry *e;
	struct blk_device *d;
	unsigned n = 0;
	int err = 0;

	while (blk_get(n))
		n++;
	e = n ? kcalloc(n, sizeof(*e), ALLOC_KERNEL) : NULL;
	for (unsigned k = 0; e && k < n && !err; k++) {
		d = blk_get(k);
		e[k] = (struct pseudo_entry){
			.path = d->name,
			.mode = S_IFBLK | 0660,
			.open = bdev_file_open,
			.arg = d,
			.rdev = DEV_MAKE(MAJOR, k),
		};
		err = dev_register(&e[k]);
	}
	if (n && (!e || err))
		log_err("disks in /dev: no memory");
}
