/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See fs.h.
 */
#include "fs.h"

#include "host.h"

#include "../../src/fs/fs_priv.h"

#include <abi/dirent.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <base/hash.h>
#include <dev/blk.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <fs/attr.h>
#include <fs/namei.h>
#include <fs/pagecache.h>
#include <fs/vfs.h>
#include <sched/thread.h>
#include <vm/uio.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct super *sb;

int
fs_mount(const char *name)
{
	struct fs_context *c = thread_current()->fsctx;
	int err = ext4_type.mount(&ext4_type, name, 0, "", &sb);

	if (err)
		return err;
	if (sb->flags & MS_RDONLY)
		return -EROFS;
	err = vfs_mount_root(sb);
	if (err)
		return err;
	dentry_get(vfs_root);
	dentry_get(vfs_root);
	c->root = c->cwd = vfs_root;
	return 0;
}

int
fs_unmount(void)
{
	int err;

	dcache_drop_super(sb); /* as vfs_shutdown() */
	err = super_sync(sb);
	return err ? err : sb->ops->remount(sb, MS_RDONLY);
}

int
fs_sync(void)
{
	return super_sync(sb);
}

void
fs_forget(void)
{
	struct inode *i;

	while ((i = inode_next_dirty(sb, UINT64_MAX))) {
		if (i->cache)
			page_cache_write_range(i->cache, 0, UINT64_MAX, true);
		ignore(inode_write(i, false)); /* it stays dirty, then */
		inode_requeue(i);
		inode_put(i);
	}
	dcache_drop_super(sb);
	(void)inode_shrink(1000);
}

static int
open_file(const char *path, unsigned flags, struct file **f)
{
	return path_open(AT_FDCWD, path, flags, 0644, 0, f);
}

int
fs_write_buf(const char *path, uint64_t pos, void *buf, size_t len)
{
	int64_t at = (int64_t)pos;
	struct file *f;
	struct uio u;
	ssize_t r;
	int err = open_file(path, O_RDWR | O_CREAT, &f);

	if (err)
		return err;
	uio_init_kernel(&u, buf, len);
	r = f->ops->write(f, &u, &at);
	file_put(f);
	host_check_unlocked();
	return r < 0 ? (int)r : 0;
}

int
fs_write(const char *path, uint64_t pos, size_t len, unsigned fill)
{
	char *buf = malloc(len);
	int err;

	for (size_t k = 0; k < len; k++)
		buf[k] = (char)(fill * 31 + k / 7 + 1);
	err = fs_write_buf(path, pos, buf, len);
	free(buf);
	return err;
}

int
fs_read(const char *path, uint64_t pos, void *buf, size_t len)
{
	int64_t at = (int64_t)pos;
	struct file *f;
	struct uio u;
	ssize_t r;
	int err = open_file(path, O_RDONLY, &f);

	if (err)
		return err;
	uio_init_kernel(&u, buf, len);
	r = f->ops->read(f, &u, &at);
	file_put(f);
	return (int)r;
}

int
fs_fsync(const char *path, bool datasync)
{
	struct file *f;
	int err = open_file(path, O_RDWR, &f);

	if (err)
		return err;
	err = file_sync(f, 0, INT64_MAX, datasync);
	file_put(f);
	host_check_unlocked();
	return err;
}

int
fs_fallocate(const char *path, int mode, uint64_t off, uint64_t len)
{
	struct file *f;
	int err = open_file(path, O_RDWR | O_CREAT, &f);

	if (err)
		return err;
	err = f->ops->fallocate(f, mode, (int64_t)off, (int64_t)len);
	file_put(f);
	host_check_unlocked();
	return err;
}

void
fs_hold_unlinked(const char *path)
{
	struct file *f;

	if (!open_file(path, O_RDWR, &f))
		ignore(path_unlink(AT_FDCWD, path, false)); /* or stays */
}

static int
hash_inode(struct inode *i, uint64_t *hash)
{
	static char buf[65536];
	uint64_t pos = 0;

	*hash = 0;
	while (pos < i->size) {
		ssize_t r =
			page_cache_read_kernel(i->cache, buf, sizeof(buf), pos);

		if (r <= 0)
			return r ? (int)r : -EIO;
		*hash = hash_bytes(*hash, buf, (size_t)r);
		pos += (uint64_t)r;
	}
	return 0;
}

int
fs_hash(const char *path, uint64_t *hash, uint64_t *size)
{
	struct dentry *d;
	int err = path_lookup(AT_FDCWD, path, 0, &d);

	if (err)
		return err;
	*size = d->inode->size;
	err = d->inode->cache ? hash_inode(d->inode, hash) : -EINVAL;
	dentry_put(d);
	return err;
}

/* ---- the tree ---- */

static char *lines[65536];
static unsigned nlines;

struct names {
	struct dir_emit e; /* first */
	char *name[8192];
	unsigned n;
};

static bool
collect(struct dir_emit *e, const char *name, size_t len, uint64_t ino,
	int64_t next, uint8_t type)
{
	struct names *v = (struct names *)e;

	(void)ino, (void)next, (void)type;
	if (len <= 2 && name[0] == '.')
		return true;
	v->name[v->n++] = strndup(name, len);
	return true;
}

static void
walk(const char *path)
{
	struct names *v = calloc(1, sizeof(*v));
	char sub[4096], text[4096];
	struct dentry *d;
	int64_t pos = 0;

	v->e.fn = collect;
	if (path_lookup(AT_FDCWD, path, 0, &d) ||
	    d->inode->ops->iterate(d->inode, &pos, 0, &v->e)) {
		printf("cannot list %s\n", path);
		exit(1);
	}
	dentry_put(d);
	for (unsigned k = 0; k < v->n; k++) {
		uint64_t hash = 0;
		struct inode *i;
		ssize_t r = 0;

		snprintf(sub, sizeof(sub), "%s/%s",
			 strcmp(path, "/") ? path : "", v->name[k]);
		if (path_lookup(AT_FDCWD, sub, 0, &d)) {
			printf("cannot find %s\n", sub);
			exit(1);
		}
		i = d->inode;
		text[0] = '\0';
		if (i->cache && hash_inode(i, &hash)) {
			printf("cannot read %s\n", sub);
			exit(1);
		}
		if (S_ISLNK(i->mode)) {
			r = path_readlink(AT_FDCWD, sub, text,
					  sizeof(text) - 1);
			text[r > 0 ? r : 0] = '\0';
		}
		if (asprintf(&lines[nlines++],
			     "%s %o %u %u %u %lu %lx %lu.%u %s", sub, i->mode,
			     i->nlink, i->uid, i->gid,
			     (unsigned long)(S_ISDIR(i->mode) ? 0 : i->size),
			     (unsigned long)hash, (unsigned long)i->mtime.sec,
			     i->mtime.nsec, text) < 0)
			exit(1);
		if (S_ISDIR(i->mode) && strcmp(sub, "/lost+found"))
			walk(sub);
		dentry_put(d);
		free(v->name[k]);
	}
	free(v);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
fs_tree(const char *out)
{
	FILE *f = fopen(out, "w");

	nlines = 0;
	walk("/");
	qsort(lines, nlines, sizeof(lines[0]), compare);
	for (unsigned k = 0; f && k < nlines; k++) {
		fprintf(f, "%s\n", lines[k]);
		free(lines[k]);
	}
	if (!f || fclose(f))
		exit(1);
}

/* ---- attributes ---- */

int
fs_xattr(const char *path, const char *name, size_t len)
{
	char *value = malloc(len + 1);
	struct dentry *d;
	int err = path_lookup(AT_FDCWD, path, 0, &d);

	memset(value, 'v', len);
	if (!err) {
		err = inode_setxattr(d, name, value, len, 0);
		dentry_put(d);
	}
	free(value);
	host_check_unlocked();
	return err;
}

int
fs_xattrs(const char *path)
{
	static char list[65536], value[65536];
	struct dentry *d;
	ssize_t n;
	int err = path_lookup(AT_FDCWD, path, 0, &d);

	if (err)
		return err;
	n = inode_listxattr(d->inode, list, sizeof(list));
	for (char *p = list; n > 0 && p < list + n; p += strlen(p) + 1)
		ignore(inode_getxattr(d->inode, p, value, sizeof(value)));
	dentry_put(d);
	return n < 0 ? (int)n : 0;
}
