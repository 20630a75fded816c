/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of calls on files: a fresh directory to work in, which goes
 * at the end, and results by name.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BAD ((void *)16)

/* One line: the call as written, and its result or its error's name. */
#define SHOW(call)                                                         \
	do {                                                               \
		errno = 0;                                                 \
		long show_r = (long)(call);                                \
		if (show_r == -1)                                          \
			printf("%s: %s\n", #call, strerrorname_np(errno)); \
		else                                                       \
			printf("%s: %ld\n", #call, show_r);                \
	} while (0)
/* The same for a call whose value says nothing (a descriptor). */
#define SHOW_OK(call)                                                       \
	do {                                                                \
		errno = 0;                                                  \
		printf("%s: %s\n", #call,                                   \
		       (long)(call) == -1 ? strerrorname_np(errno) : "ok"); \
	} while (0)

static char fs_dir[] = "/tmp/abi.XXXXXX";

static int
fs_remove(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

static void
fs_clean(void)
{
	if (chdir("/") == 0)
		nftw(fs_dir, fs_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void
fs_setup(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	umask(022);
	if (!mkdtemp(fs_dir) || chdir(fs_dir)) {
		printf("no directory to work in: %s\n", strerror(errno));
		_exit(1);
	}
	atexit(fs_clean);
}

static inline void
make_file(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (long)strlen(text))
		printf("make_file %s: %s\n", name, strerror(errno));
	close(fd);
}

static inline void
show_file(const char *name)
{
	char buf[4096];
	int fd = open(name, O_RDONLY);
	long n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (n < 0) {
		printf("%s: %s\n", name, strerrorname_np(errno));
	} else {
		buf[n] = 0;
		printf("%s: \"%s\"\n", name, buf);
	}
	if (fd >= 0)
		close(fd);
}

/* What does not differ from one file system to the other. */
static inline void
show_stat(const char *name)
{
	struct stat st;

	if (lstat(name, &st)) {
		printf("%s: %s\n", name, strerrorname_np(errno));
		return;
	}
	printf("%s: mode %o", name, st.st_mode);
	if (!S_ISDIR(st.st_mode))
		printf(" size %ld", (long)st.st_size);
	printf(" nlink %ld uid %u gid %u\n", (long)st.st_nlink, st.st_uid,
	       st.st_gid);
}
