/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: hard and symbolic links, reading them, and every kind of rename.
 * CALLS: link linkat symlink symlinkat readlink readlinkat rename renameat
 */
#define _GNU_SOURCE
#include "path_common.h"

int
main(void)
{
	char buf[64];
	int fd;

	path_setup();
	PATHS("link from", syscall(SYS_link, p, "to"), show_stat("to"));
	PATHS("link to", syscall(SYS_link, "f", p), show_stat("f"));
	PATHS("linkat FOLLOW",
	      syscall(SYS_linkat, AT_FDCWD, p, AT_FDCWD, "to",
		      AT_SYMLINK_FOLLOW),
	      show_stat("to"));
	PATHS("symlink to", syscall(SYS_symlink, "target", p), (void)0);
	PATHS("symlinkat from", syscall(SYS_symlinkat, p, AT_FDCWD, "to"),
	      show_stat("to"));
	PATHS("readlink", syscall(SYS_readlink, p, buf, sizeof(buf)),
	      printf("  %.*s\n", (int)r, buf));
	PATHS("rename file to", syscall(SYS_rename, "f", p), show_file("f"));
	PATHS("rename directory to", syscall(SYS_rename, "d", p),
	      show_stat("d"));
	PATHS("rename link to", syscall(SYS_rename, "lf", p), show_stat("f"));
	PATHS("rename from", syscall(SYS_rename, p, "to"), show_stat("to"));
	PATHS("renameat to full",
	      syscall(SYS_renameat, AT_FDCWD, p, AT_FDCWD, "full"), (void)0);
	PATHS("renameat into d",
	      syscall(SYS_renameat, AT_FDCWD, p, open("d", O_RDONLY), "in"),
	      (void)0);
	for (int i = 3; i < 1024; i++)
		close(i);

	path_remake();
	SHOW(syscall(SYS_rename, "d", "d/x"));
	SHOW(syscall(SYS_rename, "d", "d"));
	SHOW(syscall(SYS_rename, "full", "full/in"));
	SHOW(syscall(SYS_rename, "full/in", "full"));
	mkdir("d/e", 0755);
	SHOW(syscall(SYS_rename, "d", "d/e/g"));
	SHOW(syscall(SYS_rename, "d/e", "d"));
	SHOW(link("f", "f2"));
	SHOW(rename("f", "f2"));
	show_stat("f");
	show_stat("f2");
	SHOW(rename("f", "/proc/f"));
	SHOW(link("f", "/proc/f") == -1 && errno != 0);

	SHOW(syscall(SYS_linkat, 99, "f", AT_FDCWD, "x", 0));
	SHOW(syscall(SYS_linkat, AT_FDCWD, "f", 99, "x", 0));
	SHOW(syscall(SYS_linkat, AT_FDCWD, "f", AT_FDCWD, "x", 0x4));
	fd = open("f", O_RDONLY);
	SHOW(syscall(SYS_linkat, fd, "x", AT_FDCWD, "y", 0));
	SHOW(syscall(SYS_symlinkat, "t", fd, "y"));
	SHOW(syscall(SYS_symlinkat, "t", 99, "y"));
	SHOW(syscall(SYS_readlinkat, fd, "", buf, sizeof(buf)));
	SHOW(syscall(SYS_readlinkat, 99, "lf", buf, sizeof(buf)));
	close(fd);
	fd = open("lf", O_PATH | O_NOFOLLOW);
	SHOW(syscall(SYS_readlinkat, fd, "", buf, sizeof(buf)));
	close(fd);
	SHOW(syscall(SYS_readlink, "lf", buf, 0));
	SHOW(syscall(SYS_readlink, "lf", buf, -1));
	SHOW(syscall(SYS_readlink, "lf", BAD, 5));
	SHOW(syscall(SYS_symlink, "a longer target", "s"));
	memset(buf, '#', sizeof(buf));
	SHOW(syscall(SYS_readlink, "s", buf, 5));
	printf("%.8s\n", buf);
	SHOW(syscall(SYS_readlinkat, AT_FDCWD, "s", buf, 64));
	show_stat("s");

	/* A chain of links: forty are followed, more are a loop. */
	for (int i = 0; i < 45; i++) {
		char from[8], to[8];

		snprintf(to, sizeof(to), i ? "c%d" : "f", i - 1);
		snprintf(from, sizeof(from), "c%d", i);
		if (symlink(to, from))
			return 1;
	}
	for (int i = 36; i < 43; i++) {
		char name[8];

		snprintf(name, sizeof(name), "c%d", i);
		printf("%s: ", name);
		SHOW(access(name, F_OK));
	}

	/* Renamed while open, and over an open file. */
	make_file("one", "1");
	make_file("two", "22");
	fd = open("two", O_RDONLY);
	SHOW(rename("one", "two"));
	SHOW(read(fd, buf, 8));
	show_file("two");
	close(fd);
	return 0;
}
