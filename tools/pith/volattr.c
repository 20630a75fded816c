/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `pith volume cp` keeps beside contents: extended attributes (ACLs
 * among them, libext2fs knows their form on the disk), and that several names
 * are one file.
 */
#include "volume.h"

#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static void
check(const char *path, errcode_t e)
{
	if (e)
		die(STATUS_FAILED, "%s: its extended attributes: %s",
		    printable(path), error_message(e));
}

/* ---- attributes ---- */

void
volattr_put(ext2_filsys fs, ext2_ino_t ino, const char *from)
{
	static char names[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];
	struct ext2_xattr_handle *h;
	ssize_t len = llistxattr(from, names, sizeof(names)), n;

	if (len <= 0)
		return; /* none, or a file system that knows none */
	check(from, ext2fs_xattrs_open(fs, ino, &h));
	check(from, ext2fs_xattrs_read(h));
	for (char *p = names; p < names + len; p += strlen(p) + 1) {
		n = lgetxattr(from, p, value, sizeof(value));
		/* One that may not be read (trusted.*) stays out. */
		if (n >= 0)
			check(from, ext2fs_xattr_set(h, p, value, n));
	}
	check(from, ext2fs_xattrs_write(h));
	ext2fs_xattrs_close(&h);
}

static int
take_name(char *name, char *value, size_t len, void *arg)
{
	(void)value, (void)len;
	if (strcmp(name, "system.data")) /* contents of a small file */
		strv_add(arg, name);
	return 0;
}

/* Not everybody may set all of them: those are left out, and said. */
static void
set_on_host(const char *to, const char *name, const void *value, size_t len)
{
	if (!lsetxattr(to, name, value, len, 0))
		return;
	if (errno != EPERM && errno != EACCES && errno != EOPNOTSUPP)
		die(STATUS_FAILED, "%s: attribute %s: %s", printable(to),
		    printable(name), strerror(errno));
	warn("%s: attribute %s is left out: %s", printable(to), printable(name),
	     strerror(errno));
}

void
volattr_get(ext2_filsys fs, ext2_ino_t ino, const char *to)
{
	struct ext2_xattr_handle *h;
	struct strv names = { 0 };

	check(to, ext2fs_xattrs_open(fs, ino, &h));
	check(to, ext2fs_xattrs_read(h));
	check(to, ext2fs_xattrs_iterate(h, take_name, &names));
	for (size_t k = 0; k < names.n; k++) {
		void *value;
		size_t len;

		check(to, ext2fs_xattr_get(h, names.v[k], &value, &len));
		set_on_host(to, names.v[k], value, len);
		ext2fs_free_mem(&value);
		free(names.v[k]);
	}
	free(names.v);
	ext2fs_xattrs_close(&h);
}

void
volattr_free(ext2_filsys fs, ext2_ino_t ino, struct ext2_inode *in)
{
	struct ext2_inode_large all;

	if (!ext2fs_file_acl_block(fs, in))
		return;
	if (ext2fs_read_inode_full(fs, ino, (void *)&all, sizeof(all)) ||
	    ext2fs_free_ext_attr(fs, ino, &all))
		return; /* e2fsck frees it */
	ext2fs_file_acl_block_set(fs, in, 0);
	in->i_blocks = all.i_blocks;
}

/* ---- names of one file ---- */

/* From a file that has several names to the first of them here; few enough
 * to be looked through. */
static struct {
	uint64_t dev, ino;
	ext2_ino_t here;
	char *path;
} * seen;
static size_t nseen;

static void
remember(uint64_t dev, uint64_t ino, ext2_ino_t here, const char *path)
{
	seen = xrealloc(seen, (nseen + 1) * sizeof(*seen));
	seen[nseen].dev = dev;
	seen[nseen].ino = ino;
	seen[nseen].here = here;
	seen[nseen].path = path ? xstrdup(path) : NULL;
	nseen++;
}

static bool
find(uint64_t dev, uint64_t ino, size_t *at)
{
	for (*at = 0; *at < nseen; ++*at)
		if (seen[*at].dev == dev && seen[*at].ino == ino)
			return true;
	return false;
}

ext2_ino_t
volattr_known(const struct stat *st)
{
	size_t at;

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2 ||
	    !find(st->st_dev, st->st_ino, &at))
		return 0;
	return seen[at].here;
}

void
volattr_remember(const struct stat *st, ext2_ino_t ino)
{
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
		remember(st->st_dev, st->st_ino, ino, NULL);
}

bool
volattr_link(ext2_ino_t ino, const struct ext2_inode *in, const char *to)
{
	size_t at;

	if (LINUX_S_ISDIR(in->i_mode) || in->i_links_count < 2)
		return false;
	if (!find(0, ino, &at)) {
		remember(0, ino, ino, to);
		return false;
	}
	if (link(seen[at].path, to) < 0 &&
	    (errno != EEXIST || unlink(to) < 0 || link(seen[at].path, to) < 0))
		die(STATUS_FAILED, "%s: %s", printable(to), strerror(errno));
	return true;
}
