/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system of a volume, by libext2fs: making it, and copying files in
 * and out.  No root and no mount is needed.
 *
 * What is made has the features of `mke2fs -t ext4` with its defaults.  The
 * file is sparse and reads as zero, so inode tables and journal need no
 * writing, and making a volume of any size takes a moment.
 */
#include "volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK		4096u
#define INODE_SIZE	256u
#define BYTES_PER_INODE 16384u
#define DEPTH_MAX	200
#define SUPER_OFFSET	1024

static int
errno_of(errcode_t e)
{
	if (!e)
		return 0;
	if (e == EXT2_ET_BLOCK_ALLOC_FAIL || e == EXT2_ET_INODE_ALLOC_FAIL ||
	    e == EXT2_ET_TOOSMALL)
		return -ENOSPC;
	return e > 0 && e < 4096 ? -(int)e : -EIO;
}

/* The library reads a file by its name. */
static const char *
fd_name(int fd)
{
	static char name[40];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return name;
}

/* ---- making ---- */

static void
set_features(struct ext2_super_block *p)
{
	p->s_feature_compat = EXT2_FEATURE_COMPAT_EXT_ATTR |
			      EXT2_FEATURE_COMPAT_RESIZE_INODE |
			      EXT2_FEATURE_COMPAT_DIR_INDEX;
	p->s_feature_incompat =
		EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS |
		EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG;
	p->s_feature_ro_compat = EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER |
				 EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
				 EXT4_FEATURE_RO_COMPAT_HUGE_FILE |
				 EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
				 EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE |
				 EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
}

static errcode_t
make_dirs(ext2_filsys fs)
{
	errcode_t e = ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL);

	/* e2fsck wants one, and looks for it under this number. */
	if (!e)
		e = ext2fs_mkdir(fs, EXT2_ROOT_INO, 0, "lost+found");
	return e;
}

static errcode_t
make_tables(ext2_filsys fs)
{
	errcode_t e = ext2fs_allocate_tables(fs);

	for (dgrp_t g = 0; !e && g < fs->group_desc_count; g++) {
		ext2fs_bg_flags_set(fs, g, EXT2_BG_INODE_ZEROED);
		ext2fs_group_desc_csum_set(fs, g);
	}
	return e;
}

int
volfs_create(int fd, const char *label)
{
	struct ext2_super_block p = { 0 }, *s;
	uint64_t size = (uint64_t)lseek(fd, 0, SEEK_END);
	ext2_filsys fs;
	errcode_t e;

	initialize_ext2_error_table();
	p.s_rev_level = EXT2_DYNAMIC_REV;
	p.s_log_block_size = p.s_log_cluster_size = 2;
	p.s_inode_size = INODE_SIZE;
	p.s_desc_size = 64;
	p.s_log_groups_per_flex = 4;
	ext2fs_blocks_count_set(&p, size / BLOCK);
	ext2fs_r_blocks_count_set(&p, size / BLOCK / 20);
	p.s_inodes_count = size / BYTES_PER_INODE > UINT32_MAX ?
				   UINT32_MAX :
				   size / BYTES_PER_INODE;
	set_features(&p);
	e = ext2fs_initialize(fd_name(fd), EXT2_FLAG_64BITS, &p,
			      unix_io_manager, &fs);
	if (e)
		return errno_of(e);
	s = fs->super;
	if (getrandom(s->s_uuid, 16, 0) != 16 ||
	    getrandom(s->s_hash_seed, 16, 0) != 16)
		e = EIO;
	s->s_uuid[6] = (s->s_uuid[6] & 0x0f) | 0x40; /* RFC 4122, 4.4 */
	s->s_uuid[8] = (s->s_uuid[8] & 0x3f) | 0x80;
	s->s_def_hash_version = EXT2_HASH_HALF_MD4;
	s->s_flags |= EXT2_FLAGS_SIGNED_HASH;
	s->s_checksum_type = EXT2_CRC32C_CHKSUM;
	s->s_max_mnt_count = (uint16_t)-1;
	s->s_min_extra_isize = s->s_want_extra_isize = 32;
	s->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	strncpy((char *)s->s_volume_name, label, sizeof(s->s_volume_name));
	ext2fs_init_csum_seed(fs);
	if (!e)
		e = make_tables(fs);
	if (!e)
		e = make_dirs(fs);
	for (ext2_ino_t i = EXT2_ROOT_INO + 1; !e && i < EXT2_FIRST_INODE(s);
	     i++)
		ext2fs_inode_alloc_stats2(fs, i, +1, 0);
	ext2fs_inode_alloc_stats2(fs, EXT2_BAD_INO, +1, 0);
	if (!e)
		e = ext2fs_update_bb_inode(fs, NULL);
	if (!e)
		e = ext2fs_create_resize_inode(fs);
	if (!e)
		e = ext2fs_add_journal_inode2(
			fs, ext2fs_default_journal_size(ext2fs_blocks_count(s)),
			~0ull, EXT2_MKJOURNAL_LAZYINIT);
	if (e) {
		ext2fs_free(fs);
		return errno_of(e);
	}
	return errno_of(ext2fs_close_free(&fs));
}

/* ---- opening ---- */

bool
volfs_needs_recovery(int fd)
{
	struct ext2_super_block s;

	return pread(fd, &s, sizeof(s), SUPER_OFFSET) == sizeof(s) &&
	       s.s_magic == EXT2_SUPER_MAGIC &&
	       (s.s_feature_incompat & EXT3_FEATURE_INCOMPAT_RECOVER);
}

ext2_filsys
volfs_open(int fd, const char *name, bool writable)
{
	ext2_filsys fs;
	errcode_t e;

	initialize_ext2_error_table();
	e = ext2fs_open2(fd_name(fd), NULL,
			 EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES |
				 (writable ? EXT2_FLAG_RW : 0),
			 0, 0, unix_io_manager, &fs);
	if (!e && writable)
		e = ext2fs_read_bitmaps(fs);
	if (e)
		die(STATUS_FAILED,
		    "volume %s: its file system is damaged: "
		    "%s; pith volume check %s",
		    name, error_message(e), name);
	return fs;
}

_Noreturn static void
failed(const char *path, errcode_t e)
{
	if (errno_of(e) == -ENOSPC)
		die(STATUS_FAILED, "%s: no space left on the volume",
		    printable(path));
	die(STATUS_FAILED, "%s: %s", printable(path), error_message(e));
}

static void
check(const char *path, errcode_t e)
{
	if (e)
		failed(path, e);
}

_Noreturn static void
host_failed(const char *path)
{
	die(STATUS_FAILED, "%s: %s", printable(path), strerror(errno));
}

/* ---- out ---- */

struct names {
	struct strv v;
};

/* Names first: a callback must not read other blocks. */
static int
take_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *e, int offset,
	  int blocksize, char *b, void *arg)
{
	struct names *n = arg;
	char *name = xstrndup(e->name, ext2fs_dirent_name_len(e));

	(void)dir, (void)entry, (void)offset, (void)blocksize, (void)b;
	/* A name with a '/' comes from a damaged or hostile image. */
	if (strcmp(name, ".") && strcmp(name, "..") && *name &&
	    !strchr(name, '/'))
		strv_add(&n->v, name);
	free(name);
	return 0;
}

static void
get_data(ext2_filsys fs, ext2_ino_t ino, int fd, const char *to)
{
	static char chunk[1 << 16];
	unsigned got = 1;
	ext2_file_t f;

	check(to, ext2fs_file_open(fs, ino, 0, &f));
	while (got) {
		int err;

		check(to, ext2fs_file_read(f, chunk, sizeof(chunk), &got));
		err = write_all(fd, chunk, got);
		if (err)
			die(STATUS_FAILED, "%s: %s", printable(to),
			    strerror(-err));
	}
	ext2fs_file_close(f);
}

static char *
get_link(ext2_filsys fs, ext2_ino_t ino, struct ext2_inode *in)
{
	char *to = xcalloc(1, BLOCK + 1);
	ext2_file_t f;
	unsigned got;

	if (ext2fs_is_fast_symlink(in)) {
		memcpy(to, in->i_block, in->i_size < 60 ? in->i_size : 60);
		return to;
	}
	if (!ext2fs_file_open(fs, ino, 0, &f)) {
		if (ext2fs_file_read(f, to, BLOCK, &got))
			*to = '\0';
		ext2fs_file_close(f);
	}
	return to;
}

static void get_node(ext2_filsys fs, ext2_ino_t ino, const char *to,
		     unsigned depth);

static void
get_dir(ext2_filsys fs, ext2_ino_t ino, const char *to, unsigned mode,
	unsigned depth)
{
	struct names n = { 0 };
	ext2_ino_t kid;

	if (depth > DEPTH_MAX)
		die(STATUS_FAILED, "%s: directories are too deep",
		    printable(to));
	if (mkdir(to, 0700) < 0 && errno != EEXIST)
		host_failed(to);
	check(to, ext2fs_dir_iterate2(fs, ino, 0, NULL, take_name, &n));
	for (size_t k = 0; k < n.v.n; k++) {
		char *full = path_join(to, n.v.v[k]);

		check(full, ext2fs_lookup(fs, ino, n.v.v[k], strlen(n.v.v[k]),
					  NULL, &kid));
		get_node(fs, kid, full, depth + 1);
		free(full);
	}
	if (chmod(to, mode) < 0)
		host_failed(to);
}

static void
get_node(ext2_filsys fs, ext2_ino_t ino, const char *to, unsigned depth)
{
	struct ext2_inode in;
	struct timespec t[2];
	char *target;
	int fd;

	check(to, ext2fs_read_inode(fs, ino, &in));
	if (volattr_link(ino, &in, to))
		return;
	switch (in.i_mode & S_IFMT) {
	case S_IFDIR:
		get_dir(fs, ino, to, in.i_mode & 07777, depth);
		break;
	case S_IFREG:
		fd = open(to,
			  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			  0600);
		if (fd < 0)
			host_failed(to);
		get_data(fs, ino, fd, to);
		if (fchmod(fd, in.i_mode & 0777) < 0 || close(fd) < 0)
			host_failed(to);
		break;
	case S_IFLNK:
		target = get_link(fs, ino, &in);
		if (symlink(target, to) < 0 &&
		    (errno != EEXIST || unlink(to) < 0 ||
		     symlink(target, to) < 0))
			host_failed(to);
		free(target);
		break;
	default:
		warn("%s: it is neither file, directory nor link: left out",
		     printable(to));
		return;
	}
	if (!geteuid() && lchown(to, inode_uid(in), inode_gid(in)) < 0)
		host_failed(to);
	volattr_get(fs, ino, to); /* after the owner: that takes some away */
	t[0] = (struct timespec){ .tv_sec = (int32_t)in.i_atime };
	t[1] = (struct timespec){ .tv_sec = (int32_t)in.i_mtime };
	if (utimensat(AT_FDCWD, to, t, AT_SYMLINK_NOFOLLOW) < 0)
		host_failed(to);
}

static const char *
last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Without the slashes at its end. */
static char *
trimmed(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return xstrndup(path, len);
}

void
volfs_get(ext2_filsys fs, const char *path, const char *to)
{
	char *from = trimmed(path), *full = xstrdup(to);
	struct ext2_inode in;
	struct stat st;
	ext2_ino_t ino;
	errcode_t e;

	e = ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, from, &ino);
	if (e == EXT2_ET_FILE_NOT_FOUND)
		die(STATUS_FAILED, "%s: not on the volume", printable(path));
	check(path, e);
	check(path, ext2fs_read_inode(fs, ino, &in));
	if (!strcmp(to, "-")) {
		if (!LINUX_S_ISREG(in.i_mode))
			die(STATUS_FAILED, "%s: it is not a regular file",
			    printable(path));
		get_data(fs, ino, 1, "standard output");
	} else {
		if (!stat(to, &st) && S_ISDIR(st.st_mode) && *last_name(from)) {
			free(full);
			full = path_join(to, last_name(from));
		}
		get_node(fs, ino, full, 0);
	}
	free(full);
	free(from);
}

/* ---- in ---- */

/* Adds a name; a directory that is full gets another block. */
static errcode_t
add_name(ext2_filsys fs, ext2_ino_t dir, const char *name, ext2_ino_t ino,
	 int type)
{
	errcode_t e = ext2fs_link(fs, dir, name, ino, type);

	if (e != EXT2_ET_DIR_NO_SPACE)
		return e;
	e = ext2fs_expand_dir(fs, dir);
	return e ? e : ext2fs_link(fs, dir, name, ino, type);
}

static void
set_attr(ext2_filsys fs, ext2_ino_t ino, const struct stat *st,
	 const char *path)
{
	struct ext2_inode_large i;

	check(path, ext2fs_read_inode_full(fs, ino, (void *)&i, sizeof(i)));
	i.i_mode = st->st_mode;
	i.i_uid = st->st_uid;
	i.i_gid = st->st_gid;
	i.osd2.linux2.l_i_uid_high = st->st_uid >> 16;
	i.osd2.linux2.l_i_gid_high = st->st_gid >> 16;
	i.i_atime = i.i_mtime = i.i_ctime = st->st_mtim.tv_sec;
	i.i_extra_isize = 32;
	i.i_atime_extra = i.i_mtime_extra = i.i_ctime_extra =
		st->st_mtim.tv_nsec << 2 |
		(((st->st_mtim.tv_sec - (int32_t)st->st_mtim.tv_sec) >> 32) &
		 3);
	i.i_crtime = i.i_mtime;
	i.i_crtime_extra = i.i_mtime_extra;
	check(path, ext2fs_write_inode_full(fs, ino, (void *)&i, sizeof(i)));
}

/* Takes one name of a file away, and the file with its last. */
static void
remove_name(ext2_filsys fs, ext2_ino_t dir, const char *name, ext2_ino_t ino,
	    const char *path)
{
	struct ext2_inode in;

	check(path, ext2fs_unlink(fs, dir, name, ino, 0));
	check(path, ext2fs_read_inode(fs, ino, &in));
	if (--in.i_links_count == 0) {
		in.i_dtime = (uint32_t)time(NULL);
		volattr_free(fs, ino, &in);
		if (ext2fs_inode_has_valid_blocks2(fs, &in))
			check(path, ext2fs_punch(fs, ino, &in, NULL, 0, ~0ull));
		ext2fs_inode_alloc_stats2(fs, ino, -1, 0);
	}
	check(path, ext2fs_write_inode(fs, ino, &in));
}

static bool
all_zero(const char *p, size_t len)
{
	return !len || (!*p && !memcmp(p, p + 1, len - 1));
}

/* Pieces of zeroes stay holes. */
static void
put_data(ext2_filsys fs, ext2_ino_t ino, int fd, const char *path)
{
	static char chunk[1 << 16];
	uint64_t at = 0;
	ext2_file_t f;
	ssize_t n;

	check(path, ext2fs_file_open(fs, ino, EXT2_FILE_WRITE, &f));
	while ((n = pread(fd, chunk, sizeof(chunk), at)) > 0) {
		for (ssize_t off = 0; off < n;) {
			unsigned len = n - off < BLOCK ? n - off : BLOCK, got;

			if (!all_zero(chunk + off, len)) {
				check(path,
				      ext2fs_file_llseek(f, at + off,
							 EXT2_SEEK_SET, NULL));
				check(path, ext2fs_file_write(f, chunk + off,
							      len, &got));
			}
			off += len;
		}
		at += n;
	}
	if (n < 0)
		host_failed(path);
	check(path, ext2fs_file_set_size2(f, at));
	check(path, ext2fs_file_close(f));
}

static void
put_file(ext2_filsys fs, ext2_ino_t dir, const char *name, const char *from)
{
	struct ext2_inode_large i = {
		.i_mode = S_IFREG,
		.i_links_count = 1,
		.i_flags = EXT4_EXTENTS_FL,
		.i_extra_isize = 32,
	};
	ext2_extent_handle_t h;
	ext2_ino_t ino;
	int fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		host_failed(from);
	check(from, ext2fs_new_inode(fs, dir, S_IFREG, NULL, &ino));
	check(from, add_name(fs, dir, name, ino, EXT2_FT_REG_FILE));
	ext2fs_inode_alloc_stats2(fs, ino, +1, 0);
	check(from, ext2fs_write_inode_full(fs, ino, (void *)&i, sizeof(i)));
	/* Writes the header of an empty tree. */
	check(from, ext2fs_extent_open2(fs, ino, (void *)&i, &h));
	ext2fs_extent_free(h);
	check(from, ext2fs_write_inode_full(fs, ino, (void *)&i, sizeof(i)));
	put_data(fs, ino, fd, from);
	close(fd);
}

static errcode_t
make_dir(ext2_filsys fs, ext2_ino_t dir, const char *name)
{
	errcode_t e = ext2fs_mkdir(fs, dir, 0, name);

	if (e != EXT2_ET_DIR_NO_SPACE)
		return e;
	e = ext2fs_expand_dir(fs, dir);
	return e ? e : ext2fs_mkdir(fs, dir, 0, name);
}

static void
put_link(ext2_filsys fs, ext2_ino_t dir, const char *name, const char *from)
{
	char target[BLOCK];
	ssize_t n = readlink(from, target, sizeof(target) - 1);
	errcode_t e;

	if (n < 0)
		host_failed(from);
	target[n] = '\0';
	e = ext2fs_symlink(fs, dir, 0, name, target);
	if (e == EXT2_ET_DIR_NO_SPACE) {
		check(from, ext2fs_expand_dir(fs, dir));
		e = ext2fs_symlink(fs, dir, 0, name, target);
	}
	check(from, e);
}

static void put_node(ext2_filsys fs, ext2_ino_t dir, const char *name,
		     const char *from, unsigned depth);

static void
put_dir(ext2_filsys fs, ext2_ino_t ino, const char *from, unsigned depth)
{
	struct dirent **list;
	int n = scandir(from, &list, NULL, alphasort);

	if (n < 0)
		host_failed(from);
	if (depth > DEPTH_MAX)
		die(STATUS_FAILED, "%s: directories are too deep",
		    printable(from));
	for (int k = 0; k < n; k++) {
		const char *name = list[k]->d_name;

		if (strcmp(name, ".") && strcmp(name, "..")) {
			char *full = path_join(from, name);

			put_node(fs, ino, name, full, depth + 1);
			free(full);
		}
		free(list[k]);
	}
	free(list);
}

/* What is there under the name: a directory takes a directory's files, a
 * file or link is replaced. */
static bool
clear_way(ext2_filsys fs, ext2_ino_t dir, const char *name, const char *from,
	  const struct stat *st)
{
	struct ext2_inode in;
	ext2_ino_t ino;

	if (ext2fs_lookup(fs, dir, name, strlen(name), NULL, &ino))
		return true;
	check(from, ext2fs_read_inode(fs, ino, &in));
	if (LINUX_S_ISDIR(in.i_mode) != S_ISDIR(st->st_mode))
		die(STATUS_FAILED,
		    "%s: on the volume there is %s of this "
		    "name",
		    printable(from),
		    LINUX_S_ISDIR(in.i_mode) ? "a directory" : "a file");
	if (LINUX_S_ISDIR(in.i_mode))
		return false;
	remove_name(fs, dir, name, ino, from);
	return true;
}

static void
put_another_name(ext2_filsys fs, ext2_ino_t dir, const char *name,
		 ext2_ino_t ino, const char *from)
{
	struct ext2_inode in;

	check(from, ext2fs_read_inode(fs, ino, &in));
	check(from, add_name(fs, dir, name, ino,
			     LINUX_S_ISLNK(in.i_mode) ? EXT2_FT_SYMLINK :
							EXT2_FT_REG_FILE));
	in.i_links_count++;
	check(from, ext2fs_write_inode(fs, ino, &in));
}

static void
put_node(ext2_filsys fs, ext2_ino_t dir, const char *name, const char *from,
	 unsigned depth)
{
	struct stat st;
	ext2_ino_t ino, known;
	bool fresh;

	if (lstat(from, &st) < 0)
		host_failed(from);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) &&
	    !S_ISLNK(st.st_mode)) {
		warn("%s: it is neither file, directory nor link: left out",
		     printable(from));
		return;
	}
	fresh = clear_way(fs, dir, name, from, &st);
	known = volattr_known(&st);
	if (known) {
		put_another_name(fs, dir, name, known, from);
		return;
	}
	if (S_ISREG(st.st_mode))
		put_file(fs, dir, name, from);
	else if (S_ISLNK(st.st_mode))
		put_link(fs, dir, name, from);
	else if (fresh)
		check(from, make_dir(fs, dir, name));
	check(from, ext2fs_lookup(fs, dir, name, strlen(name), NULL, &ino));
	if (S_ISDIR(st.st_mode))
		put_dir(fs, ino, from, depth);
	if (fresh) {
		set_attr(fs, ino, &st, from);
		volattr_put(fs, ino, from);
	}
	volattr_remember(&st, ino);
}

void
volfs_put(ext2_filsys fs, const char *from, const char *path)
{
	char *to = trimmed(path), *host = trimmed(from), *name, *parent;
	struct ext2_inode in;
	ext2_ino_t dir;
	errcode_t e;

	e = ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, to, &dir);
	if (!e)
		check(path, ext2fs_read_inode(fs, dir, &in));
	name = xstrdup(last_name(host));
	if (e || !LINUX_S_ISDIR(in.i_mode)) { /* a new name, or a file's */
		free(name);
		name = xstrdup(last_name(to));
		parent = xstrndup(to, last_name(to) - to);
		e = ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO,
					*parent ? parent : "/", &dir);
		if (e == EXT2_ET_FILE_NOT_FOUND)
			die(STATUS_FAILED,
			    "%s: its directory is not on the "
			    "volume",
			    printable(path));
		check(path, e);
		check(path, ext2fs_check_directory(fs, dir));
		free(parent);
	}
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) {
		/* "." and "/": what it holds */
		put_dir(fs, dir, host, 0);
	} else {
		put_node(fs, dir, name, host, 0);
	}
	free(name);
	free(to);
	free(host);
	check(path, ext2fs_close_free(&fs));
}
