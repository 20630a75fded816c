/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: names in /proc are whole, and cannot end a field or a line.
 * Method: a long name of a message queue read as a link; mounts and a mapped
 * file whose names hold blanks, newlines and backslashes.
 * CALLS: mq_open readlink mount
 * NEEDS: root
 */
#define _GNU_SOURCE
#include "proc_common.h"

#include <fcntl.h>
#include <mqueue.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define MOUNT	  "/tmp/proc names\n\\c"
#define FILE_NAME "/tmp/proc_names\ny z"

static void
link_of(int fd)
{
	char path[64], text[1024];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, text, sizeof(text));
	printf("%zd: %.*s\n", n, (int)n, text);
}

/* The part of lines of a file that begins at `from`, up to `words` words. */
static void
lines(const char *path, const char *from, int words)
{
	FILE *f = fopen(path, "r");
	char line[4096], *at, *end;

	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, from);
		if (!at)
			continue;
		end = at;
		for (int i = 0; i < words; i++)
			end += strcspn(end, " \n") + (i + 1 < words);
		printf("%.*s\n", (int)(end - at), at);
	}
	fclose(f);
}

int
main(void)
{
	char name[256] = "/", fd_name[250];
	mqd_t q;
	int fd;

	memset(name + 1, 'a', 200);
	q = mq_open(name, O_CREAT | O_RDWR, 0600, NULL);
	link_of(q);
	mq_unlink(name);
	link_of(q);
	memset(fd_name, 'b', sizeof(fd_name));
	fd_name[249] = '\0';
	link_of(memfd_create(fd_name, 0));

	unshare(CLONE_NEWNS); /* on Linux nobody else shall see it */
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mkdir(MOUNT, 0755);
	show("mount", mount("a source#", MOUNT, "tmpfs", 0, ""));
	lines("/proc/mounts", "a\\040source", 3);
	lines("/proc/self/mountinfo", "/tmp/proc\\040names", 1);
	umount(MOUNT);
	rmdir(MOUNT);

	fd = open(FILE_NAME, O_CREAT | O_RDWR, 0600);
	ftruncate(fd, 4096);
	mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	lines("/proc/self/maps", "/tmp/proc_names", 2);
	unlink(FILE_NAME);
	lines("/proc/self/maps", "/tmp/proc_names", 3);
	return 0;
}
