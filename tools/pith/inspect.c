/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `pith inspect`, `pith ls` and `pith cp`: what an image holds, read with
 * libext2fs straight from the partition.
 */
#include "run.h"

#include "block.h"
#include "image.h"
#include "klib.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MAX 40

struct opened {
	int fd;
	struct image_layout l;
	struct buf manifest;
	ext2_filsys fs;
};

static void
open_manifest(const char *path, struct opened *i)
{
	const char *why = "";
	int err;

	*i = (struct opened){ .fd = open(path, O_RDONLY | O_CLOEXEC) };
	if (i->fd < 0)
		die(STATUS_FAILED, "%s: %s", printable(path), strerror(errno));
	err = image_read_layout(i->fd, &i->l, &why);
	if (err == -ENOEXEC)
		die(STATUS_FAILED, "%s: it is no image of pith",
		    printable(path));
	if (!err)
		err = image_read_manifest(i->fd, &i->l, &i->manifest, &why);
	if (err)
		die(STATUS_FAILED, "%s: the image is damaged: %s",
		    printable(path), why);
}

static void
open_root(const char *path, struct opened *i)
{
	char name[40], option[40];
	errcode_t e;

	open_manifest(path, i);
	initialize_ext2_error_table();
	snprintf(name, sizeof(name), "/proc/self/fd/%d", i->fd);
	snprintf(option, sizeof(option), "offset=%llu",
		 (unsigned long long)i->l.root.start);
	e = ext2fs_open2(name, option,
			 EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES, 0, 0,
			 unix_io_manager, &i->fs);
	if (e)
		die(STATUS_FAILED, "%s: its root file system is damaged: %s",
		    printable(path), error_message(e));
}

static void
print_strings(const char *title, const struct block_item *item)
{
	char *s = xstrndup(item->value, item->len);

	for (uint32_t i = 0; i < item->len; i++)
		if (!item->value[i])
			s[i] = ' ';
	printf("%-11s%s\n", title, printable(s));
	free(s);
}

/* Whether it goes with the kernel that `pith run` would start. */
static void
print_klib(const struct block_item *item)
{
	char *id = klib_id(item->value, item->len);

	printf("%-11s%u KB, for kernels of the interface %.12s\n", "",
	       (item->len + 1023) / 1024, id ? id : "?");
	free(id);
}

/* One record of the manifest as a line; what is unknown or of a wrong length
 * prints nothing. */
static void
print_item(const struct block_item *item)
{
	static const char *const modes[] = { "overlay", "ro", "rw" };
	static const struct {
		uint16_t tag;
		const char *title;
	} texts[] = {
		{ PITH_REC_PROGRAM, "program" },
		{ PITH_REC_ARG, "argument" },
		{ PITH_REC_ENV, "env" },
		{ PITH_REC_CWD, "workdir" },
		{ PITH_REC_HOSTNAME, "hostname" },
		{ PITH_REC_MOUNT, "mount" },
		{ PITH_REC_KLIB, "klib" },
		{ PITH_REC_VOLUME, "volume" },
	};
	const char *title, *text = net_record_text(item->tag, item->value,
						   item->len, &title);
	uint32_t v[3] = { 0 };
	uint64_t memory;

	if (text)
		printf("%-11s%s\n", title, printable(text));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].tag == item->tag)
			print_strings(texts[i].title, item);
	memcpy(v, item->value, item->len < sizeof(v) ? item->len : sizeof(v));
	if (item->tag == PITH_REC_CRED)
		printf("%-11s%u:%u\n", "user", v[0], v[1]);
	else if (item->tag == PITH_REC_ROOT_MODE)
		printf("%-11s%s\n", "root", v[0] < 3 ? modes[v[0]] : "?");
	else if (item->tag == PITH_REC_UMASK)
		printf("%-11s%03o\n", "umask", v[0]);
	else if (item->tag == PITH_REC_FLAGS && v[0] & PITH_FLAG_NO_ASLR)
		printf("%-11s%s\n", "aslr", "false");
	else if (item->tag == PITH_REC_KLIB_FILE)
		print_klib(item);
	if (item->tag != PITH_REC_MACHINE || item->len != 12)
		return;
	memcpy(&memory, v, 8);
	if (memory)
		printf("%-11s%llu KB\n", "memory",
		       (unsigned long long)(memory >> 10));
	if (v[2])
		printf("%-11s%u\n", "cpus", v[2]);
}

static int
usage(const char *text, int argc, char **argv)
{
	bool asked =
		argc && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"));

	fputs(text, asked ? stdout : stderr);
	return asked ? 0 : STATUS_FAILED;
}

int
command_inspect(int argc, char **argv)
{
	struct block_item item;
	struct opened i;
	size_t at = 0;

	if (argc != 1 || argv[0][0] == '-')
		return usage("Usage: pith inspect IMAGE\nSay what an image "
			     "holds and runs.\n",
			     argc, argv);
	open_root(argv[0], &i);
	while (block_next(&i.manifest, &at, &item))
		print_item(&item);
	printf("%-11s%llu KB\n", "size", (unsigned long long)i.l.size >> 10);
	printf("%-11s%llu KB, %llu KB free, %u inodes of %u used\n", "root fs",
	       (unsigned long long)i.l.root.len >> 10,
	       (unsigned long long)ext2fs_free_blocks_count(i.fs->super) * 4,
	       i.fs->super->s_inodes_count - i.fs->super->s_free_inodes_count,
	       i.fs->super->s_inodes_count);
	ext2fs_close_free(&i.fs);
	return 0;
}

struct listing {
	struct {
		char *name;
		ext2_ino_t ino;
	} * entries;
	size_t n, max;
};

/* Names are collected first: a callback of the iteration must not read
 * other blocks through the same buffer. */
static int
take_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *e, int offset,
	  int blocksize, char *b, void *arg)
{
	struct listing *l = arg;
	char *name = xstrndup(e->name, ext2fs_dirent_name_len(e));

	(void)dir, (void)entry, (void)offset, (void)blocksize, (void)b;
	if (!strcmp(name, ".") || !strcmp(name, "..")) {
		free(name);
		return 0;
	}
	if (l->n == l->max) {
		l->max = l->max ? 2 * l->max : 64;
		l->entries = xrealloc(l->entries, l->max * sizeof(*l->entries));
	}
	l->entries[l->n].name = name;
	l->entries[l->n++].ino = e->inode;
	return 0;
}

/* Short targets lie in the inode, others in a block. */
static char *
link_target(struct opened *i, ext2_ino_t ino, struct ext2_inode *in)
{
	struct buf b = { 0 };
	ext2_file_t f;
	unsigned got;
	char chunk[4096];

	if (ext2fs_is_fast_symlink(in))
		return xstrndup((char *)in->i_block,
				in->i_size < 60 ? in->i_size : 60);
	if (ext2fs_file_open(i->fs, ino, 0, &f))
		return xstrdup("?");
	if (!ext2fs_file_read(f, chunk, sizeof(chunk), &got))
		buf_add(&b, chunk, got);
	ext2fs_file_close(f);
	buf_add(&b, "", 0);
	return b.p;
}

static void
print_mode(unsigned mode, char out[11])
{
	static const char types[] = "?pc?d?b?-?l?s???";

	out[0] = types[mode >> 12 & 15];
	for (int k = 0; k < 9; k++)
		out[1 + k] = mode >> (8 - k) & 1 ? "rwx"[k % 3] : '-';
	if (mode & S_ISUID)
		out[3] = mode & 0100 ? 's' : 'S';
	if (mode & S_ISGID)
		out[6] = mode & 010 ? 's' : 'S';
	if (mode & S_ISVTX)
		out[9] = mode & 1 ? 't' : 'T';
	out[10] = '\0';
}

static void list_dir(struct opened *i, ext2_ino_t ino, const char *path,
		     unsigned depth);

static void
list_one(struct opened *i, ext2_ino_t ino, const char *path, unsigned depth)
{
	struct ext2_inode in;
	char mode[11], when[32];
	struct tm tm;
	time_t t;

	if (ext2fs_read_inode(i->fs, ino, &in))
		die(STATUS_FAILED, "%s: its inode is damaged", printable(path));
	t = in.i_mtime;
	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	print_mode(in.i_mode, mode);
	printf("%s %5u %5u %10llu %s %s", mode, inode_uid(in), inode_gid(in),
	       (unsigned long long)EXT2_I_SIZE(&in), when, printable(path));
	if (LINUX_S_ISLNK(in.i_mode)) {
		char *to = link_target(i, ino, &in);

		printf(" -> %s", printable(to));
		free(to);
	}
	putchar('\n');
	if (LINUX_S_ISDIR(in.i_mode) && depth < 200)
		list_dir(i, ino, path, depth + 1);
}

static void
list_dir(struct opened *i, ext2_ino_t ino, const char *path, unsigned depth)
{
	struct listing l = { 0 };

	if (ext2fs_dir_iterate2(i->fs, ino, 0, NULL, take_name, &l))
		die(STATUS_FAILED, "%s: its directory is damaged",
		    printable(path));
	for (size_t k = 0; k < l.n; k++) {
		char *full = path_join(path, l.entries[k].name);

		list_one(i, l.entries[k].ino, full, depth);
		free(full);
		free(l.entries[k].name);
	}
	free(l.entries);
}

/* The inode at a path, links followed within the image. */
static ext2_ino_t
find_inode(struct opened *i, const char *image, const char *path)
{
	ext2_ino_t ino;
	errcode_t e = ext2fs_namei_follow(i->fs, EXT2_ROOT_INO, EXT2_ROOT_INO,
					  path, &ino);

	if (e)
		die(STATUS_FAILED, "%s: %s: %s", printable(image),
		    printable(path),
		    e == EXT2_ET_FILE_NOT_FOUND ? "not in the image" :
						  error_message(e));
	return ino;
}

int
command_ls(int argc, char **argv)
{
	const char *path = argc == 2 ? argv[1] : "/";
	struct ext2_inode in;
	struct opened i;
	ext2_ino_t ino;

	if (argc < 1 || argc > 2 || argv[0][0] == '-')
		return usage("Usage: pith ls IMAGE [PATH]\nList the files of "
			     "an image, all below PATH.\n",
			     argc, argv);
	open_root(argv[0], &i);
	ino = find_inode(&i, argv[0], path);
	if (ext2fs_read_inode(i.fs, ino, &in))
		die(STATUS_FAILED, "%s: its inode is damaged", printable(path));
	if (LINUX_S_ISDIR(in.i_mode))
		list_dir(&i, ino, path, 0);
	else
		list_one(&i, ino, path, 0);
	ext2fs_close_free(&i.fs);
	return 0;
}

/* libext2fs checks each block number against the file system's size. */
static void
copy_out(struct opened *i, ext2_ino_t ino, int fd, const char *to)
{
	static char chunk[1 << 16];
	unsigned got = 1;
	ext2_file_t f;
	errcode_t e = ext2fs_file_open(i->fs, ino, 0, &f);
	int err = 0;

	while (!e && !err && got) {
		e = ext2fs_file_read(f, chunk, sizeof(chunk), &got);
		if (!e)
			err = write_all(fd, chunk, got);
	}
	if (e)
		die(STATUS_FAILED, "the file is damaged: %s", error_message(e));
	if (err)
		die(STATUS_FAILED, "%s: %s", printable(to), strerror(-err));
	ext2fs_file_close(f);
}

int
command_cp(int argc, char **argv)
{
	struct ext2_inode in;
	struct opened i;
	ext2_ino_t ino;
	const char *to;
	struct stat st;
	char *full;
	int fd = 1;

	if (argc != 3 || argv[0][0] == '-')
		return usage("Usage: pith cp IMAGE PATH HOSTFILE\nCopy a file "
			     "out of an image; HOSTFILE - is the standard "
			     "output.\n",
			     argc, argv);
	open_root(argv[0], &i);
	ino = find_inode(&i, argv[0], argv[1]);
	if (ext2fs_read_inode(i.fs, ino, &in) || !LINUX_S_ISREG(in.i_mode))
		die(STATUS_FAILED, "%s: it is not a regular file",
		    printable(argv[1]));
	to = argv[2];
	full = xstrdup(to);
	if (!stat(to, &st) && S_ISDIR(st.st_mode)) {
		free(full);
		full = path_join(to, strrchr(argv[1], '/') ?
					     strrchr(argv[1], '/') + 1 :
					     argv[1]);
	}
	if (strcmp(to, "-"))
		fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			  in.i_mode & 0777);
	if (fd < 0)
		die(STATUS_FAILED, "%s: %s", printable(full), strerror(errno));
	copy_out(&i, ino, fd, full);
	if (fd != 1 && close(fd) < 0)
		die(STATUS_FAILED, "%s: %s", printable(full), strerror(errno));
	free(full);
	ext2fs_close_free(&i.fs);
	return 0;
}
