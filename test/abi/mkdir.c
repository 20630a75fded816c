/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: names are made and unmade: mkdir, rmdir, unlink and mknod, on every
 * kind of path.
 * CALLS: mkdir mkdirat rmdir unlink unlinkat mknod mknodat
 */
#define _GNU_SOURCE
#include "path_common.h"

int
main(void)
{
	int fd;

	path_setup();
	PATHS("mkdir", syscall(SYS_mkdir, p, 0755), (void)0);
	PATHS("mkdirat", syscall(SYS_mkdirat, AT_FDCWD, p, 0755), (void)0);
	PATHS("rmdir", syscall(SYS_rmdir, p), (void)0);
	PATHS("unlink", syscall(SYS_unlink, p), (void)0);
	PATHS("unlinkat 0", syscall(SYS_unlinkat, AT_FDCWD, p, 0), (void)0);
	PATHS("unlinkat REMOVEDIR",
	      syscall(SYS_unlinkat, AT_FDCWD, p, AT_REMOVEDIR), (void)0);
	PATHS("mknod file", syscall(SYS_mknod, p, S_IFREG | 0644, 0), (void)0);
	PATHS("mknodat fifo",
	      syscall(SYS_mknodat, AT_FDCWD, p, S_IFIFO | 0644, 0), (void)0);

	path_remake();
	SHOW(syscall(SYS_mkdirat, 99, "x", 0755));
	SHOW(syscall(SYS_unlinkat, 99, "x", 0));
	SHOW(syscall(SYS_unlinkat, AT_FDCWD, "f", 1));
	SHOW(syscall(SYS_unlinkat, AT_FDCWD, "f", AT_SYMLINK_NOFOLLOW));
	SHOW(syscall(SYS_mknodat, 99, "x", S_IFIFO, 0));
	fd = open("f", O_RDONLY);
	SHOW(syscall(SYS_mkdirat, fd, "x", 0755));
	SHOW(syscall(SYS_unlinkat, fd, "x", 0));
	close(fd);
	fd = open("d", O_RDONLY);
	SHOW(syscall(SYS_mkdirat, fd, "x", 01777));
	show_stat("d/x");
	SHOW(syscall(SYS_rmdir, "d"));
	SHOW(syscall(SYS_unlinkat, fd, "x", 0));
	SHOW(syscall(SYS_unlinkat, fd, "x", AT_REMOVEDIR));
	SHOW(syscall(SYS_mknodat, fd, "p", S_IFIFO | 0666, 0));
	show_stat("d/p");
	SHOW(syscall(SYS_unlinkat, fd, "p", 0));

	/* A directory that is gone. */
	SHOW(syscall(SYS_rmdir, "d"));
	SHOW(syscall(SYS_mkdirat, fd, "x", 0755));
	SHOW(syscall(SYS_openat, fd, "x", O_CREAT | O_RDWR, 0644));
	SHOW(syscall(SYS_openat, fd, ".", O_RDONLY) > 0);
	close(fd);
	mkdir("cwd", 0755);
	SHOW(chdir("cwd"));
	SHOW(rmdir("../cwd"));
	SHOW(mkdir("x", 0755));
	SHOW(open("x", O_CREAT | O_RDWR, 0644));
	SHOW(chdir(fs_dir));

	/* Modes and the umask; kinds. */
	umask(077);
	SHOW(mkdir("m", 07777));
	show_stat("m");
	SHOW(mknod("s", S_IFSOCK | 0777, 0));
	show_stat("s");
	SHOW(mknod("z", 0644, 0));
	show_stat("z");
	SHOW(mknod("q", S_IFDIR | 0644, 0));
	SHOW(mknod("q", S_IFLNK | 0644, 0));
	SHOW(mknod("q", 0170000, 0));
	umask(022);

	/* A file stays until its last descriptor goes. */
	make_file("g", "still here");
	fd = open("g", O_RDWR);
	SHOW(unlink("g"));
	char buf[16];
	SHOW(read(fd, buf, sizeof(buf)));
	SHOW(write(fd, "!", 1));
	SHOW(access("g", F_OK));
	close(fd);
	return 0;
}
