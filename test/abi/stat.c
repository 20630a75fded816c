/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the stat family agrees with itself, on every kind of path.
 * CALLS: stat lstat fstat newfstatat statx
 */
#define _GNU_SOURCE
#include "path_common.h"

static void
say(const struct stat *st)
{
	printf("  mode %o", st->st_mode);
	if (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode))
		printf(" size %ld", (long)st->st_size);
	if (S_ISCHR(st->st_mode))
		printf(" rdev %u:%u", major(st->st_rdev), minor(st->st_rdev));
	printf("\n");
}

static void
sayx(const struct statx *x)
{
	printf("  mask %x mode %o nlink %u %s times %d%d%d\n",
	       x->stx_mask & STATX_BASIC_STATS, x->stx_mode,
	       S_ISDIR(x->stx_mode) ? 0 : x->stx_nlink,
	       x->stx_blksize ? "blksize" : "", x->stx_atime.tv_sec > 0,
	       x->stx_mtime.tv_nsec<1000000000, x->stx_ctime.tv_sec> 0);
}

int
main(void)
{
	struct stat a, b;
	struct statx x;
	int fd, p2[2];

	path_setup();
	PATHS("stat", syscall(SYS_stat, p, &a),
	      strcmp(p, "/") && *p != '/' ? say(&a) : (void)0);
	PATHS("lstat", syscall(SYS_lstat, p, &a),
	      strcmp(p, "/") && *p != '/' ? say(&a) : (void)0);
	PATHS("newfstatat 0", syscall(SYS_newfstatat, AT_FDCWD, p, &a, 0),
	      (void)0);
	PATHS("newfstatat NOFOLLOW",
	      syscall(SYS_newfstatat, AT_FDCWD, p, &a, AT_SYMLINK_NOFOLLOW),
	      (void)0);
	PATHS("statx",
	      syscall(SYS_statx, AT_FDCWD, p, 0, STATX_BASIC_STATS, &x),
	      *p != '/' ? sayx(&x) : (void)0);

	SHOW(syscall(SYS_stat, "f", BAD));
	SHOW(syscall(SYS_stat, "no", BAD));
	SHOW(syscall(SYS_lstat, "f", BAD));
	SHOW(syscall(SYS_fstat, 0, BAD));
	SHOW(syscall(SYS_fstat, 99, &a));
	SHOW(syscall(SYS_fstat, -1, BAD));
	SHOW(syscall(SYS_newfstatat, 99, "f", &a, 0));
	SHOW(syscall(SYS_newfstatat, AT_FDCWD, "f", &a, 0x8000000));
	SHOW(syscall(SYS_newfstatat, AT_FDCWD, "", &a, AT_EMPTY_PATH));
	SHOW(syscall(SYS_newfstatat, 99, "", &a, AT_EMPTY_PATH));
	SHOW(syscall(SYS_newfstatat, AT_FDCWD, "f", &a, AT_NO_AUTOMOUNT));
	SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0, 0, &x));
	SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX__RESERVED, &x));
	SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0x6000, 0, &x));
	SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0x2000, 0, &x));
	SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_ALL, BAD));
	SHOW(syscall(SYS_statx, 99, "f", 0, STATX_ALL, &x));

	/* One inode, five ways. */
	fd = open("f", O_RDONLY);
	fstat(fd, &a);
	stat("lf", &b);
	printf("same: %d %d\n", a.st_ino == b.st_ino, a.st_dev == b.st_dev);
	SHOW(syscall(SYS_newfstatat, fd, "", &b, AT_EMPTY_PATH));
	printf("same: %d\n", a.st_ino == b.st_ino);
	SHOW(syscall(SYS_newfstatat, fd, "", &b, 0));
	SHOW(syscall(SYS_newfstatat, fd, "x", &b, 0));
	SHOW(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x));
	printf("same: %d %d size %lld\n", a.st_ino == x.stx_ino,
	       makedev(x.stx_dev_major, x.stx_dev_minor) == a.st_dev,
	       (long long)x.stx_size);
	printf("times: %d %d %d\n", x.stx_mtime.tv_sec == a.st_mtim.tv_sec,
	       x.stx_mtime.tv_nsec == a.st_mtim.tv_nsec,
	       x.stx_ctime.tv_nsec == a.st_ctim.tv_nsec);
	close(fd);

	/* nlink and blocks. */
	stat("d", &a);
	link("f", "f2");
	show_stat("f");
	unlink("f");
	show_stat("f2");
	fd = open("f2", O_RDONLY);
	unlink("f2");
	fstat(fd, &a);
	printf("unlinked: nlink %ld size %ld\n", (long)a.st_nlink,
	       (long)a.st_size);
	close(fd);

	/* What has no name. */
	if (pipe(p2))
		return 1;
	fstat(p2[0], &a);
	printf("pipe: mode %o size %ld nlink %ld\n", a.st_mode, (long)a.st_size,
	       (long)a.st_nlink);
	fd = (int)syscall(SYS_eventfd2, 0, 0);
	fstat(fd, &a);
	printf("eventfd: type %o\n", a.st_mode & S_IFMT);
	fd = memfd_create("m", 0);
	fstat(fd, &a);
	printf("memfd: mode %o nlink %ld\n", a.st_mode, (long)a.st_nlink);
	fd = (int)syscall(SYS_socket, 1, 1, 0);
	fstat(fd, &a);
	printf("socket: mode %o\n", a.st_mode);
	stat("/dev/null", &a);
	say(&a);
	stat("/dev/zero", &a);
	say(&a);
	return 0;
}
