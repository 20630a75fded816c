/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: by descriptor and by directory. Method: the test executes itself by a
 * descriptor.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <fcntl.h>

int
main(int argc, char **argv)
{
	char *args[] = { "execveat", "again", NULL };
	char *env[] = { NULL };
	int fd;

	if (argc > 1) {
		printf("%s\n", argv[1]);
		return 0;
	}
	show("flags", execveat(AT_FDCWD, "x", args, env, 1));
	show("empty", execveat(AT_FDCWD, "", args, env, 0));
	show("fd", execveat(77, "x", args, env, 0));
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	fflush(stdout);
	show("exec", execveat(fd, "", args, env, AT_EMPTY_PATH));
	return 1;
}
