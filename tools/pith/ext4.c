/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a fileset as an ext4 file system with libext2fs.
 *
 * The library makes the file system's frame, bitmaps, journal and extended
 * attributes.  Three things are done here, because its way is slow:
 *  - Directories are written as whole blocks from the sorted list of
 *    entries; ext2fs_link reads the directory from its start for each name.
 *  - A file's blocks are taken as long runs from the bitmap, and its extents
 *    written into the inode; only a file of more than four runs goes through
 *    the library's extent tree.
 *  - Data is copied from the host file to the image by copy_file_range.
 *
 * The same fileset gives the same bytes: inode numbers follow the sorted
 * tree, every time comes from the host's mtime or from `when`, and UUID and
 * hash seed are the caller's.
 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BLOCK	       4096u
#define JOURNAL_BLOCKS 1024u /* the least that jbd2 takes */
#define INODE_SIZE     256u
#define EXTENT_MAX     32768u /* blocks in one extent */
#define TAIL	       12u    /* checksum entry at a directory block's end */
#define FAST_LINK      60u    /* shorter targets lie in the inode */

struct writer {
	ext2_filsys fs;
	struct fileset *set;
	int fd;
	uint64_t offset;
	int64_t when;
	blk64_t cursor;
	uint32_t next_ino;
	struct node **by_inode; /* host inodes with several names */
	size_t nhard;
	struct node *failed; /* for the message */
	int err;
};

static uint64_t
blocks_of(uint64_t bytes)
{
	return (bytes + BLOCK - 1) / BLOCK;
}

static size_t
entry_len(size_t name)
{
	return (8 + name + 3) & ~(size_t)3;
}

/* An entry does not cross a block's end; put_dir fills in the same way. */
static uint64_t
dir_blocks(const struct node *dir)
{
	size_t used = entry_len(1) + entry_len(2);
	uint64_t n = 1;

	for (unsigned i = 0; i < dir->nkids; i++) {
		size_t len = entry_len(strlen(dir->kids[i]->name));

		if (used + len > BLOCK - TAIL) {
			n++;
			used = 0;
		}
		used += len;
	}
	return n;
}

struct need {
	uint64_t blocks, inodes;
};

static void
count_node(struct node *n, void *arg)
{
	struct need *need = arg;

	need->inodes++;
	if (S_ISDIR(n->st.st_mode))
		need->blocks += dir_blocks(n);
	else if (S_ISREG(n->st.st_mode))
		need->blocks += blocks_of(n->st.st_size);
	else if (S_ISLNK(n->st.st_mode))
		need->blocks += n->st.st_size >= FAST_LINK;
}

static struct need
count(struct fileset *set)
{
	struct need need = { 0 };

	fileset_each(set, count_node, &need);
	/* A quarter of the inodes stays free for what the program makes. */
	need.inodes = need.inodes * 5 / 4 + 512;
	return need;
}

uint64_t
ext4_size(struct fileset *set, uint64_t free_bytes)
{
	struct need n = count(set);
	uint64_t blocks = n.blocks + n.blocks / 128 + JOURNAL_BLOCKS +
			  n.inodes / (BLOCK / INODE_SIZE) + 512 +
			  blocks_of(free_bytes);

	/* Bitmaps, superblock copies and descriptors of each group. */
	blocks += (blocks / 32768 + 1) * 8;
	return (blocks * BLOCK + MIB - 1) / MIB * MIB;
}

static int
errno_of(errcode_t e)
{
	if (!e)
		return 0;
	if (e == EXT2_ET_BLOCK_ALLOC_FAIL || e == EXT2_ET_INODE_ALLOC_FAIL)
		return -ENOSPC;
	/* The library passes the system's errors on as they are. */
	return e > 0 && e < 4096 ? -(int)e : -EIO;
}

static int
make_frame(struct writer *w, const char *path, uint64_t size,
	   const unsigned char uuid[16])
{
	struct ext2_super_block p = { 0 }, *s;
	char option[40];
	errcode_t e;

	p.s_rev_level = EXT2_DYNAMIC_REV;
	p.s_log_block_size = 2;
	p.s_log_cluster_size = 2;
	p.s_inode_size = INODE_SIZE;
	p.s_desc_size = 64;
	p.s_log_groups_per_flex = 4;
	ext2fs_blocks_count_set(&p, size / BLOCK);
	p.s_inodes_count = count(w->set).inodes;
	p.s_feature_compat =
		EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_DIR_INDEX;
	p.s_feature_incompat =
		EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS |
		EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG;
	p.s_feature_ro_compat = EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER |
				EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
				EXT4_FEATURE_RO_COMPAT_HUGE_FILE |
				EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
				EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE |
				EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
	e = ext2fs_initialize(path, EXT2_FLAG_64BITS, &p, unix_io_manager,
			      &w->fs);
	if (e)
		return errno_of(e);
	snprintf(option, sizeof(option), "offset=%llu",
		 (unsigned long long)w->offset);
	e = io_channel_set_options(w->fs->io, option);
	s = w->fs->super;
	memcpy(s->s_uuid, uuid, 16);
	memcpy(s->s_hash_seed, uuid, 16);
	s->s_def_hash_version = EXT2_HASH_HALF_MD4;
	s->s_checksum_type = EXT2_CRC32C_CHKSUM;
	s->s_max_mnt_count = (uint16_t)-1;
	s->s_mkfs_time = s->s_lastcheck = s->s_wtime = w->when;
	s->s_min_extra_isize = s->s_want_extra_isize = 32;
	s->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	memcpy(s->s_volume_name, "pith-root", 9);
	w->fs->now = w->when;
	ext2fs_init_csum_seed(w->fs);
	if (!e)
		e = ext2fs_allocate_tables(w->fs);
	for (dgrp_t g = 0; !e && g < w->fs->group_desc_count; g++) {
		/* The file is sparse: the tables read as zero already. */
		ext2fs_bg_flags_set(w->fs, g, EXT2_BG_INODE_ZEROED);
		ext2fs_group_desc_csum_set(w->fs, g);
	}
	for (ext2_ino_t i = 1; !e && i < EXT2_FIRST_INODE(s); i++)
		ext2fs_inode_alloc_stats2(w->fs, i, +1, 0);
	if (!e)
		e = ext2fs_update_bb_inode(w->fs, NULL);
	return errno_of(e);
}

/* The longest free run from the cursor on, of at most `want` blocks. */
static int
take_run(struct writer *w, uint64_t want, blk64_t *start, uint64_t *len)
{
	blk64_t last = ext2fs_blocks_count(w->fs->super) - 1, end;

	if (ext2fs_find_first_zero_block_bitmap2(w->fs->block_map, w->cursor,
						 last, start))
		return -ENOSPC;
	end = *start + want - 1 < last ? *start + want - 1 : last;
	if (!ext2fs_find_first_set_block_bitmap2(w->fs->block_map, *start, end,
						 &end))
		end--;
	*len = end - *start + 1;
	ext2fs_block_alloc_stats_range(w->fs, *start, *len, +1);
	w->cursor = end + 1;
	return 0;
}

struct run {
	blk64_t start;
	uint64_t len;
};

/* Takes n blocks as runs of at most one extent each. */
static int
take_blocks(struct writer *w, uint64_t n, struct run **runs, size_t *nruns)
{
	int err = 0;

	*runs = NULL;
	*nruns = 0;
	while (n && !err) {
		struct run r;

		err = take_run(w, n < EXTENT_MAX ? n : EXTENT_MAX, &r.start,
			       &r.len);
		if (err)
			break;
		*runs = xrealloc(*runs, (*nruns + 1) * sizeof(r));
		(*runs)[(*nruns)++] = r;
		n -= r.len;
	}
	return err;
}

static void
set_times(struct writer *w, struct ext2_inode_large *i, const struct node *n)
{
	/* A directory that was only passed through changes its mtime with
	 * things that are not in the image. */
	bool own = n->host && (!S_ISDIR(n->st.st_mode) || n->listed);
	int64_t sec = own ? n->st.st_mtim.tv_sec : w->when;
	uint32_t ns = own ? n->st.st_mtim.tv_nsec : 0;
	/* 34-bit seconds: two bits more in the extra field. */
	uint32_t extra = ns << 2 | (((sec - (int32_t)sec) >> 32) & 3);

	i->i_atime = i->i_ctime = i->i_mtime = i->i_crtime = sec;
	i->i_atime_extra = i->i_ctime_extra = extra;
	i->i_mtime_extra = i->i_crtime_extra = extra;
}

static void
base_inode(struct writer *w, struct ext2_inode_large *i, const struct node *n,
	   unsigned links)
{
	*i = (struct ext2_inode_large){
		.i_mode = n->st.st_mode,
		.i_uid = n->st.st_uid,
		.i_gid = n->st.st_gid,
		.i_links_count = links,
		.i_extra_isize = 32,
	};
	i->osd2.linux2.l_i_uid_high = n->st.st_uid >> 16;
	i->osd2.linux2.l_i_gid_high = n->st.st_gid >> 16;
	set_times(w, i, n);
}

static void
set_size(struct ext2_inode_large *i, uint64_t size)
{
	i->i_size = size;
	i->i_size_high = size >> 32;
}

static int
put_inode(struct writer *w, uint32_t ino, struct ext2_inode_large *i)
{
	return errno_of(ext2fs_write_inode_full(
		w->fs, ino, (struct ext2_inode *)i, sizeof(*i)));
}

static void
empty_extents(struct ext2_inode_large *i)
{
	struct ext3_extent_header *h = (void *)i->i_block;

	i->i_flags |= EXT4_EXTENTS_FL;
	h->eh_magic = EXT3_EXT_MAGIC;
	h->eh_max = 4;
}

/* More than four runs: the library builds the tree and counts its blocks. */
static int
put_tree(struct writer *w, uint32_t ino, const struct run *runs, size_t n,
	 uint64_t data_blocks)
{
	struct ext2fs_extent x = { 0 };
	struct ext2_inode_large i;
	ext2_extent_handle_t h;
	errcode_t e;

	e = ext2fs_extent_open(w->fs, ino, &h);
	if (e)
		return errno_of(e);
	for (size_t k = 0; !e && k < n; k++) {
		x.e_pblk = runs[k].start;
		x.e_len = runs[k].len;
		e = ext2fs_extent_insert(h, EXT2_EXTENT_INSERT_AFTER, &x);
		x.e_lblk += x.e_len;
	}
	if (!e)
		e = ext2fs_extent_fix_parents(h);
	ext2fs_extent_free(h);
	if (!e)
		e = ext2fs_read_inode_full(w->fs, ino, (void *)&i, sizeof(i));
	if (e)
		return errno_of(e);
	ext2fs_iblk_add_blocks(w->fs, (void *)&i, data_blocks);
	return put_inode(w, ino, &i);
}

/* Writes the inode with these runs as its data. */
static int
put_with_runs(struct writer *w, uint32_t ino, struct ext2_inode_large *i,
	      const struct run *runs, size_t n)
{
	struct ext3_extent_header *h = (void *)i->i_block;
	struct ext3_extent *x = (void *)(h + 1);
	uint64_t at = 0;
	int err;

	empty_extents(i);
	for (size_t k = 0; n <= 4 && k < n; k++) {
		x[k].ee_block = at;
		x[k].ee_len = runs[k].len;
		x[k].ee_start = runs[k].start;
		x[k].ee_start_hi = runs[k].start >> 32;
		at += runs[k].len;
	}
	if (n <= 4) {
		h->eh_entries = n;
		ext2fs_iblk_set(w->fs, (void *)i, at);
		return put_inode(w, ino, i);
	}
	for (size_t k = 0; k < n; k++)
		at += runs[k].len;
	err = put_inode(w, ino, i);
	return err ? err : put_tree(w, ino, runs, n, at);
}

static int
copy_range(int in, int out, uint64_t from, uint64_t to, uint64_t len)
{
	static bool no_kernel_copy;
	static char chunk[1 << 20];

	while (len) {
		loff_t a = from, b = to;
		ssize_t n = -1;
		int err;

		if (!no_kernel_copy) {
			n = copy_file_range(in, &a, out, &b, len, 0);
			if (n < 0 && (errno == ENOSPC || errno == EIO))
				return -errno;
			no_kernel_copy = n < 0;
		}
		if (n < 0) {
			n = pread(in, chunk,
				  len < sizeof(chunk) ? len : sizeof(chunk),
				  from);
			if (n < 0)
				return -errno;
			err = pwrite_all(out, chunk, n, to);
			if (err)
				return err;
		}
		if (!n)
			return -ESTALE; /* it shrank while we read */
		from += n;
		to += n;
		len -= n;
	}
	return 0;
}

/* As copy_range(), but what is a hole in the file becomes one in the image,
 * whose blocks are zero where nothing was written: a sparse file costs what
 * it holds. */
static int
copy_used(int in, int out, uint64_t from, uint64_t to, uint64_t len)
{
	const uint64_t delta = to - from, end = from + len;
	int err = 0;

	while (!err && from < end) {
		off_t data = lseek(in, from, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0) /* a file system that knows no holes */
			data = from;
		if ((uint64_t)data >= end)
			break;
		hole = lseek(in, data, SEEK_HOLE);
		if (hole <= data || (uint64_t)hole > end)
			hole = end;
		err = copy_range(in, out, data, data + delta, hole - data);
		from = hole;
	}
	return err;
}

/* O_NOFOLLOW: the host may have put a link in the file's place since. */
static int
copy_data(struct writer *w, const struct node *n, const struct run *runs,
	  size_t nruns)
{
	uint64_t at = 0, size = n->st.st_size, len;
	struct stat st;
	int in = -1, err = 0;

	if (!n->data) {
		in = open(n->host, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (in < 0)
			return -errno;
	}
	for (size_t k = 0; !err && k < nruns; k++, at += len) {
		uint64_t to = w->offset + runs[k].start * BLOCK;

		len = runs[k].len * BLOCK;
		if (len > size - at)
			len = size - at;
		if (in >= 0)
			err = copy_used(in, w->fd, at, to, len);
		else
			err = pwrite_all(w->fd, n->data + at, len, to);
	}
	if (!err && in >= 0 && (fstat(in, &st) || (uint64_t)st.st_size < size))
		err = -ESTALE; /* what is cut off looked like a hole */
	if (in >= 0)
		close(in);
	return err;
}

static int
put_xattrs(struct writer *w, const struct node *n)
{
	struct ext2_xattr_handle *h = NULL;
	char names[65536], value[65536];
	ssize_t len, vlen;
	errcode_t e = 0;

	if (!n->host)
		return 0;
	len = llistxattr(n->host, names, sizeof(names));
	if (len <= 0)
		return 0; /* none, or a file system that knows none */
	e = ext2fs_xattrs_open(w->fs, n->ino, &h);
	if (!e)
		e = ext2fs_xattrs_read(h);
	for (char *p = names; !e && p < names + len; p += strlen(p) + 1) {
		vlen = lgetxattr(n->host, p, value, sizeof(value));
		/* One that may not be read (trusted.*) stays out. */
		if (vlen >= 0)
			e = ext2fs_xattr_set(h, p, value, vlen);
	}
	if (!e)
		e = ext2fs_xattrs_write(h);
	if (h)
		ext2fs_xattrs_close(&h);
	return errno_of(e);
}

static int
put_file(struct writer *w, struct node *n, unsigned links)
{
	struct ext2_inode_large i;
	struct run *runs;
	size_t nruns;
	int err;

	err = take_blocks(w, blocks_of(n->st.st_size), &runs, &nruns);
	if (!err)
		err = copy_data(w, n, runs, nruns);
	if (!err) {
		base_inode(w, &i, n, links);
		set_size(&i, n->st.st_size);
		err = put_with_runs(w, n->ino, &i, runs, nruns);
	}
	free(runs);
	return err;
}

/* A short target lies where the extents would be. */
static int
put_link(struct writer *w, struct node *n)
{
	size_t len = n->st.st_size;
	struct ext2_inode_large i;
	struct run r = { 0, 1 };
	int err;

	base_inode(w, &i, n, 1);
	set_size(&i, len);
	if (len < FAST_LINK) {
		memcpy(i.i_block, n->data, len);
		return put_inode(w, n->ino, &i);
	}
	if (len >= BLOCK)
		return -ENAMETOOLONG;
	err = take_run(w, 1, &r.start, &r.len);
	if (!err)
		err = pwrite_all(w->fd, n->data, len,
				 w->offset + r.start * BLOCK);
	return err ? err : put_with_runs(w, n->ino, &i, &r, 1);
}

/* The two encodings of device numbers that Linux reads. */
static int
put_special(struct writer *w, struct node *n)
{
	unsigned ma = major(n->st.st_rdev), mi = minor(n->st.st_rdev);
	struct ext2_inode_large i;

	base_inode(w, &i, n, 1);
	if (ma < 256 && mi < 256)
		i.i_block[0] = ma << 8 | mi;
	else
		i.i_block[1] = (mi & 0xff) | ma << 8 | (mi & ~0xffu) << 12;
	return put_inode(w, n->ino, &i);
}

static unsigned
dirent_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EXT2_FT_REG_FILE;
	case S_IFDIR:
		return EXT2_FT_DIR;
	case S_IFLNK:
		return EXT2_FT_SYMLINK;
	case S_IFCHR:
		return EXT2_FT_CHRDEV;
	case S_IFBLK:
		return EXT2_FT_BLKDEV;
	case S_IFIFO:
		return EXT2_FT_FIFO;
	default:
		return EXT2_FT_UNKNOWN;
	}
}

/* The directory block being filled. */
struct dir_block {
	char bytes[BLOCK];
	size_t used, last;
};

static void
add_entry(struct dir_block *b, const char *name, uint32_t ino, unsigned type)
{
	size_t len = strlen(name);
	struct ext2_dir_entry *e = (void *)(b->bytes + b->used);

	e->inode = ino;
	e->rec_len = entry_len(len);
	e->name_len = len | type << 8;
	memcpy(e->name, name, len);
	b->last = b->used;
	b->used += e->rec_len;
}

/* The last entry's record takes the rest of the block, up to the tail that
 * holds the checksum. */
static int
end_block(struct writer *w, struct dir_block *b, uint32_t ino, blk64_t at)
{
	struct ext2_dir_entry *e = (void *)(b->bytes + b->last);
	errcode_t err;

	e->rec_len = BLOCK - TAIL - b->last;
	ext2fs_initialize_dirent_tail(w->fs, EXT2_DIRENT_TAIL(b->bytes, BLOCK));
	err = ext2fs_write_dir_block4(w->fs, at, b->bytes, 0, ino);
	memset(b, 0, sizeof(*b));
	return errno_of(err);
}

static blk64_t
nth_block(const struct run *runs, uint64_t n)
{
	for (; n >= runs->len; runs++)
		n -= runs->len;
	return runs->start + n;
}

static int
put_dir(struct writer *w, struct node *n)
{
	uint64_t nblocks = dir_blocks(n), k = 0;
	struct ext2_inode_large i;
	unsigned links = 2;
	static struct dir_block b;
	struct run *runs;
	size_t nruns;
	int err = take_blocks(w, nblocks, &runs, &nruns);

	memset(&b, 0, sizeof(b));
	add_entry(&b, ".", n->ino, EXT2_FT_DIR);
	add_entry(&b, "..", n->parent->ino, EXT2_FT_DIR);
	for (unsigned c = 0; !err && c < n->nkids; c++) {
		struct node *kid = n->kids[c];

		if (b.used + entry_len(strlen(kid->name)) > BLOCK - TAIL)
			err = end_block(w, &b, n->ino, nth_block(runs, k++));
		add_entry(&b, kid->name, kid->ino,
			  dirent_type(kid->st.st_mode));
		links += S_ISDIR(kid->st.st_mode);
	}
	if (!err)
		err = end_block(w, &b, n->ino, nth_block(runs, k));
	if (!err) {
		base_inode(w, &i, n, links > 65000 ? 1 : links);
		set_size(&i, nblocks * BLOCK);
		err = put_with_runs(w, n->ino, &i, runs, nruns);
	}
	free(runs);
	return err;
}

static int
same_file(const void *a, const void *b)
{
	const struct stat *x = &(*(struct node *const *)a)->st;
	const struct stat *y = &(*(struct node *const *)b)->st;

	if (x->st_dev != y->st_dev)
		return x->st_dev < y->st_dev ? -1 : 1;
	return x->st_ino < y->st_ino ? -1 : x->st_ino > y->st_ino;
}

static bool
may_share(const struct node *n)
{
	return n->host && n->st.st_nlink > 1 && S_ISREG(n->st.st_mode);
}

static void
collect_hard(struct node *n, void *arg)
{
	struct writer *w = arg;

	if (!may_share(n))
		return;
	w->by_inode =
		xrealloc(w->by_inode, (w->nhard + 1) * sizeof(*w->by_inode));
	w->by_inode[w->nhard++] = n;
}

/* All names of n's host file in the set: the first index and how many. */
static size_t
hard_names(struct writer *w, struct node *n, size_t *first)
{
	struct node **hit =
		bsearch(&n, w->by_inode, w->nhard, sizeof(n), same_file);
	struct node **end = w->by_inode + w->nhard, **h = hit;

	while (h > w->by_inode && !same_file(&h[-1], &n))
		h--;
	for (hit = h; hit < end && !same_file(hit, &n);)
		hit++;
	*first = h - w->by_inode;
	return hit - h;
}

/* All names of one host file get one number, when the first is met. */
static void
assign_ino(struct node *n, void *arg)
{
	struct writer *w = arg;
	size_t first = 0, names = 1;

	if (n->ino)
		return;
	n->ino = w->next_ino++;
	if (may_share(n))
		names = hard_names(w, n, &first);
	for (size_t i = 0; names > 1 && i < names; i++)
		w->by_inode[first + i]->ino = n->ino;
}

static void
put_node(struct node *n, void *arg)
{
	struct writer *w = arg;
	size_t first = 0, links = 1;

	if (w->err)
		return;
	/* Inodes are written in ascending order, so one that lies below
	 * the mark is another name of a file already written. */
	if (n->ino < w->next_ino && n->ino > EXT2_ROOT_INO)
		return;
	if (n->ino >= w->next_ino)
		w->next_ino = n->ino + 1;
	if (n->ino != EXT2_ROOT_INO)
		ext2fs_inode_alloc_stats2(w->fs, n->ino, +1,
					  S_ISDIR(n->st.st_mode));
	if (may_share(n))
		links = hard_names(w, n, &first);
	/* links counts the names in the image, not those on the host. */
	if (S_ISREG(n->st.st_mode))
		w->err = put_file(w, n, links);
	else if (S_ISDIR(n->st.st_mode))
		w->err = put_dir(w, n);
	else if (S_ISLNK(n->st.st_mode))
		w->err = put_link(w, n);
	else
		w->err = put_special(w, n);
	if (!w->err)
		w->err = put_xattrs(w, n);
	if (w->err)
		w->failed = n;
}

static void
forget_ino(struct node *n, void *arg)
{
	(void)arg;
	n->ino = 0;
}

int
ext4_write(int fd, uint64_t offset, uint64_t size, struct fileset *set,
	   const unsigned char uuid[16], int64_t when)
{
	struct writer w = {
		.set = set, .fd = fd, .offset = offset, .when = when
	};
	char path[40], *name;
	errcode_t e;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	w.err = make_frame(&w, path, size, uuid);
	if (w.err)
		goto out;
	fileset_each(set, forget_ino, NULL);
	fileset_each(set, collect_hard, &w);
	if (w.nhard)
		qsort(w.by_inode, w.nhard, sizeof(*w.by_inode), same_file);
	set->root->ino = EXT2_ROOT_INO;
	w.next_ino = EXT2_FIRST_INODE(w.fs->super);
	fileset_each(set, assign_ino, &w);
	/* The root was counted as a file with the reserved inodes. */
	ext2fs_inode_alloc_stats2(w.fs, EXT2_ROOT_INO, -1, 0);
	ext2fs_inode_alloc_stats2(w.fs, EXT2_ROOT_INO, +1, 1);
	w.next_ino = EXT2_FIRST_INODE(w.fs->super);
	fileset_each(set, put_node, &w);
	if (w.err)
		goto out;
	e = ext2fs_add_journal_inode2(w.fs, JOURNAL_BLOCKS, ~0ull,
				      EXT2_MKJOURNAL_LAZYINIT);
	w.err = errno_of(e);
out:
	free(w.by_inode);
	if (w.failed) {
		name = node_path(w.failed);
		warn("%s: %s", printable(name),
		     w.err == -ESTALE ? "it changed while it was read" :
					strerror(-w.err));
		free(name);
	}
	if (!w.fs)
		return w.err;
	if (w.err) {
		ext2fs_free(w.fs);
		return w.err;
	}
	return errno_of(ext2fs_close_free(&w.fs));
}
