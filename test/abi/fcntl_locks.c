/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: locks of files as /proc/locks tells them, and waits between threads:
 * records of an open file, whole files, what a close ends.
 * CALLS: fcntl flock
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <pthread.h>
#include <sys/file.h>

#include "wait_common.h"

static ino_t ino;

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The lines about our file, without number, process and device, sorted. */
static void
locks(const char *what)
{
	FILE *f = fopen("/proc/locks", "r");
	static char whole[65536];
	char line[256], key[32], out[16][128];
	int n = 0;

	printf("%s:\n", what);
	/* In one read: other programs' locks come and go meanwhile. */
	if (f)
		setvbuf(f, whole, _IOFBF, sizeof(whole));
	sprintf(key, ":%lu ", (unsigned long)ino);
	while (f && n < 16 && fgets(line, sizeof(line), f)) {
		char *at = strstr(line, key), *kind = strchr(line, ' ');
		int pid = 0;

		if (!at || !kind || strstr(line, "->"))
			continue;
		sscanf(kind + 1, "%*s %*s %*s %d", &pid);
		snprintf(out[n++], sizeof(out[0]), "  %.22s pid %s %s",
			 kind + 1,
			 pid == getpid() ? "ours" :
			 pid == -1	 ? "-1" :
					   "other",
			 at + strlen(key));
	}
	if (f)
		fclose(f);
	qsort(out, n, sizeof(out[0]), by_text);
	for (int i = 0; i < n; i++)
		printf("%s", out[i]);
}

static long
set(int fd, int cmd, int type, long start, long len)
{
	struct flock l = { .l_type = type,
			   .l_whence = SEEK_SET,
			   .l_start = start,
			   .l_len = len };

	return fcntl(fd, cmd, &l);
}

static void *
wait_lock(void *arg)
{
	long r = set(*(int *)arg, F_OFD_SETLKW, F_WRLCK, 0, 10);

	return r ? "refused" : "locked";
}

static void *
wait_flock(void *arg)
{
	return flock(*(int *)arg, LOCK_EX) ? "refused" : "locked";
}

int
main(void)
{
	struct stat st;
	pthread_t t;
	void *said;
	int a, b;

	fs_setup();
	make_file("f", "text");
	a = open("f", O_RDWR), b = open("f", O_RDWR);
	fstat(a, &st);
	ino = st.st_ino;
	locks("none");
	SHOW(set(a, F_SETLK, F_WRLCK, 0, 10));
	locks("one");
	SHOW(set(b, F_SETLK, F_RDLCK, 5, 0));
	locks("changed in part");
	SHOW(set(a, F_SETLK, F_UNLCK, 0, 0));
	SHOW(set(a, F_OFD_SETLK, F_WRLCK, 0, 100));
	SHOW(set(b, F_OFD_SETLK, F_RDLCK, 200, 100));
	SHOW(set(b, F_SETLK, F_RDLCK, 50, 1));
	locks("of open files");
	pthread_create(&t, NULL, wait_lock, &b);
	until_others_asleep(1);
	SHOW(set(a, F_OFD_SETLK, F_UNLCK, 0, 100));
	pthread_join(t, &said);
	printf("the other %s\n", (char *)said);
	locks("handed over");
	SHOW(close(b));
	locks("closed");
	b = open("f", O_RDWR);
	SHOW(flock(a, LOCK_SH));
	locks("shared");
	pthread_create(&t, NULL, wait_flock, &b);
	until_others_asleep(1);
	SHOW(flock(a, LOCK_UN));
	pthread_join(t, &said);
	printf("the other %s\n", (char *)said);
	locks("exclusive");
	return 0;
}
