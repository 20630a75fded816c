/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For test_disk.py, in Pith and in the Linux guest: ACLs on a disk, and files
 * without a name that a power cut leaves there.
 *
 *	acls (make | show | leave) DIR
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

struct entry {
	uint16_t tag, perm;
	uint32_t id;
};
static const struct entry entries[] = {
	{ 1, 7, -1 }, { 2, 5, 1001 },  { 2, 6, 70000 }, { 4, 5, -1 },
	{ 8, 3, 7 },  { 8, 7, 90000 }, { 16, 7, -1 },	{ 32, 1, -1 },
};
static const char *const names[] = { "system.posix_acl_access",
				     "system.posix_acl_default" };

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
set(const char *path, int which)
{
	unsigned char v[4 + sizeof(entries)] = { 2 };

	memcpy(v + 4, entries, sizeof(entries));
	if (setxattr(path, names[which], v, sizeof(v), 0))
		die(path);
}

static void
make(void)
{
	char large[600];
	int fd;

	umask(077);
	if (mkdir("d", 0755))
		die("mkdir");
	set("d", 1);
	close(open("d/file", O_CREAT | O_RDWR, 0666));
	mkdir("d/sub", 0775);
	close(open("d/sub/file", O_CREAT | O_RDWR, 0640));
	mkfifo("d/fifo", 0606);
	close(open("plain", O_CREAT | O_RDWR, 0644));
	set("plain", 0);
	chmod("plain", 0705);
	/* No room beside it in the inode: a block of attributes. */
	memset(large, 'x', sizeof(large));
	close(open("large", O_CREAT | O_RDWR, 0644));
	if (setxattr("large", "user.large", large, sizeof(large), 0))
		die("large");
	set("large", 0);
	/* Owners that the quota files do not have yet. */
	for (unsigned k = 0; k < 40; k++) {
		snprintf(large, sizeof(large), "owner%u", k);
		fd = open(large, O_CREAT | O_RDWR, 0644);
		if (fd < 0 || write(fd, large, 600) != 600 ||
		    fchown(fd, k * k * k * 999, k * 70001))
			die(large);
		close(fd);
	}
	fd = open("d", O_TMPFILE | O_RDWR, 0660);
	if (fd < 0)
		die("O_TMPFILE");
}

static void
show(void)
{
	static const char *const paths[] = { "d",	   "d/file", "d/sub",
					     "d/sub/file", "d/fifo", "plain",
					     "large" };
	struct statvfs fs;
	struct stat st;

	for (unsigned k = 0; k < sizeof(paths) / sizeof(paths[0]); k++) {
		stat(paths[k], &st);
		printf("acl %s %o", paths[k], st.st_mode);
		for (int which = 0; which < 2; which++) {
			unsigned char v[300];
			ssize_t n =
				getxattr(paths[k], names[which], v, sizeof(v));

			printf(" %ld", n < 0 ? -errno : n);
			for (ssize_t at = 4; at < n; at += 8) {
				struct entry e;

				memcpy(&e, v + at, 8);
				printf(" %x:%o:%d", e.tag, e.perm, (int)e.id);
			}
		}
		printf("\n");
	}
	statvfs(".", &fs);
	printf("acl free %lu %lu\n", fs.f_bfree, fs.f_ffree);
}

static void
leave(void)
{
	static char data[100000];
	char name[30];

	for (int k = 0; k < 60; k++) {
		int fd;

		snprintf(name, sizeof(name), "gone%d", k);
		fd = open(name, O_CREAT | O_RDWR, 0600);
		if (fd < 0 || write(fd, data, sizeof(data)) != sizeof(data))
			die(name);
		if (k % 10 == 9 ? ftruncate(fd, 5) : unlink(name))
			die(name);
	}
	show();
	fflush(stdout);
	sync();
	printf("status 0\n");
	fflush(stdout);
	usleep(200000);
	reboot(RB_POWER_OFF);
}

int
main(int argc, char **argv)
{
	if (argc != 3 || chdir(argv[2]))
		return 2;
	if (!strcmp(argv[1], "make"))
		make();
	else if (!strcmp(argv[1], "leave"))
		leave();
	show();
	return 0;
}
