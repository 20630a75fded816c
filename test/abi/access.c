/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: permission: who may do what to whose file, by which ids.
 * CALLS: access faccessat faccessat2 chmod fchmod fchmodat chown fchown
 * CALLS: lchown fchownat
 * NEEDS: root
 */
#define _GNU_SOURCE
#include "path_common.h"
#include <grp.h>

static void
battery(const char *who)
{
	static const int modes[] = { 0,	   0400, 0040, 0004, 0200,
				     0100, 0640, 0750, 0777, 0107 };
	char name[16];

	printf("%s\n", who);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		snprintf(name, sizeof(name), "m%03o", modes[i]);
		printf(" %s:", name);
		for (int a = 0; a < 8; a++)
			printf(" %d", access(name, a) ? errno : 0);
		printf(" |");
		for (int a = 0; a < 8; a++)
			printf(" %ld", syscall(SYS_faccessat2, AT_FDCWD, name,
					       a, AT_EACCESS) ?
					       errno :
					       0l);
		for (int a = 0; a < 3; a++) {
			int fd = open(name, a);

			printf(" %s", fd < 0 ? strerrorname_np(errno) : "ok");
			if (fd >= 0)
				close(fd);
		}
		printf("\n");
	}
	SHOW(chmod("m777", 0777));
	SHOW(chown("m777", (uid_t)-1, (gid_t)-1));
	SHOW(chown("m777", 1001, (gid_t)-1));
	SHOW(chown("m777", (uid_t)-1, 1000));
	SHOW(chown("m777", 1000, 1000));
	SHOW(unlink("sticky/x"));
	SHOW(rename("sticky/x", "sticky/x"));
	SHOW(open("dir600/in", O_RDONLY));
	SHOW(open("dir100/in", O_WRONLY));
	SHOW(open("dir100", O_RDONLY));
	SHOW(open("dir500/new", O_WRONLY | O_CREAT, 0600));
	SHOW(mkdir("dir500/new", 0600));
	SHOW(rmdir("dir500"));
	SHOW(access("dir600/in", F_OK));
	SHOW(utimensat(AT_FDCWD, "m004", NULL, 0));
	SHOW(truncate("m004", 0));
}

int
main(void)
{
	static const int modes[] = { 0,	   0400, 0040, 0004, 0200,
				     0100, 0640, 0750, 0777, 0107 };
	char name[16];
	int fd;

	path_setup();
	PATHS("access", syscall(SYS_access, p, R_OK), (void)0);
	PATHS("faccessat", syscall(SYS_faccessat, AT_FDCWD, p, R_OK), (void)0);
	PATHS("faccessat2 NOFOLLOW",
	      syscall(SYS_faccessat2, AT_FDCWD, p, F_OK, AT_SYMLINK_NOFOLLOW),
	      (void)0);
	/* Not of the root directory, which is the machine's. */
	PATHS("chmod", outside(p) ? 0 : syscall(SYS_chmod, p, 0711),
	      show_stat("f"));
	PATHS("fchmodat",
	      outside(p) ? 0 : syscall(SYS_fchmodat, AT_FDCWD, p, 0700),
	      show_stat("f"));
	PATHS("chown", outside(p) ? 0 : syscall(SYS_chown, p, 5, 6),
	      show_stat("f"));
	PATHS("lchown", outside(p) ? 0 : syscall(SYS_lchown, p, 5, 6),
	      (show_stat("f"), show_stat("lf")));
	PATHS("fchownat",
	      outside(p) ? 0 :
			   syscall(SYS_fchownat, AT_FDCWD, p, 5, 6,
				   AT_SYMLINK_NOFOLLOW),
	      show_stat("lf"));
	SHOW(chown(".", 0, 0));
	SHOW(chmod(".", 0777));

	SHOW(syscall(SYS_access, "f", 8));
	SHOW(syscall(SYS_access, "f", -1));
	SHOW(syscall(SYS_faccessat2, AT_FDCWD, "f", 0, 1));
	SHOW(syscall(SYS_faccessat2, 99, "f", 0, 0));
	SHOW(syscall(SYS_faccessat2, AT_FDCWD, "", 0, AT_EMPTY_PATH));
	SHOW(syscall(SYS_fchmodat, 99, "f", 0));
	SHOW(syscall(SYS_fchmod, 99, 0));
	SHOW(syscall(SYS_fchown, 99, 0, 0));
	SHOW(syscall(SYS_fchownat, AT_FDCWD, "f", 0, 0, 1));
	SHOW(syscall(SYS_fchownat, 99, "f", 0, 0, 0));
	fd = open("f", O_RDONLY);
	SHOW(syscall(SYS_fchownat, fd, "", 7, 8, AT_EMPTY_PATH));
	show_stat("f");
	SHOW(fchown(fd, (uid_t)-1, 9));
	show_stat("f");
	SHOW(fchmod(fd, 0177777));
	show_stat("f");
	/* A change of owner takes the set-id bits away. */
	SHOW(fchmod(fd, 06755));
	SHOW(fchown(fd, 10, 10));
	show_stat("f");
	SHOW(fchmod(fd, 02644));
	SHOW(fchown(fd, 11, 11));
	show_stat("f");
	SHOW(chmod("f", 06777));
	close(fd);

	/* A directory with the set-gid bit hands its group on. */
	mkdir("sg", 0755);
	SHOW(chown("sg", 0, 77));
	SHOW(chmod("sg", 02777));
	make_file("sg/in", "");
	show_stat("sg/in");
	mkdir("sg/d", 0700);
	{
		struct stat st;

		stat("sg/d", &st);
		printf("sg/d: mode %o gid %u\n", st.st_mode, st.st_gid);
	}

	mkdir("sticky", 01777);
	chmod("sticky", 01777);
	make_file("sticky/x", "");
	mkdir("dir600", 0700);
	make_file("dir600/in", "");
	mkdir("dir100", 0700);
	make_file("dir100/in", "");
	mkdir("dir500", 0700);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		snprintf(name, sizeof(name), "m%03o", modes[i]);
		make_file(name, "x");
		if (chown(name, 1000, 2000) || chmod(name, (mode_t)modes[i]))
			return 1;
	}
	chown("dir600", 1000, 2000), chmod("dir600", 0600);
	chown("dir100", 1000, 2000), chmod("dir100", 0100);
	chown("dir500", 1000, 2000), chmod("dir500", 0500);

	battery("root");
	make_file("sticky/x", "");
	if (chown("m777", 1000, 2000) || setgroups(0, NULL))
		return 1;
	unlink("dir500/new"), rmdir("dir500/new");
	mkdir("dir500", 0500);
	chown("dir500", 1000, 2000), chmod("dir500", 0500);
	for (int i = 3; i < 64; i++)
		close(i);

	/* The real ids say what access answers, the effective what open. */
	SHOW(setresgid(3000, 3000, 0));
	SHOW(setresuid(0, 1000, 0));
	battery("effective 1000");
	SHOW(setresuid(1000, 0, 0));
	battery("real 1000");
	SHOW(setresuid(1001, 1001, 0));
	battery("other 1001:3000");
	SHOW(setresuid(0, 0, 0));
	SHOW(setresgid(2000, 2000, 0));
	SHOW(setresuid(1001, 1001, 0));
	battery("group 1001:2000");
	SHOW(setresuid(0, 0, 0));
	SHOW(setresgid(3000, 3000, 0));
	gid_t extra = 2000;
	SHOW(setgroups(1, &extra));
	SHOW(setresuid(1001, 1001, 0));
	battery("extra group");
	SHOW(setresuid(0, 0, 0));
	return 0;
}
