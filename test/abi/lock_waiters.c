/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: who waits for a lock, in /proc/locks: lines with "->" below it,
 * further in for one that waits behind another; gone when it has the lock,
 * or a signal ended its wait.
 * CALLS: fcntl flock
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>

#include "wait_common.h"

#define FILES 6

static int fd[FILES];
static char text[4096];

/* The lines about our file, without number, process and device. */
static int
read_locks(void)
{
	FILE *f = fopen("/proc/locks", "r");
	static char whole[65536];
	char line[256], key[32];
	struct stat st;
	int n = 0;

	/* In one read: other programs' locks come and go meanwhile. */
	if (f)
		setvbuf(f, whole, _IOFBF, sizeof(whole));

	fstat(fd[0], &st);
	sprintf(key, ":%lu ", (unsigned long)st.st_ino);
	text[0] = 0;
	while (f && fgets(line, sizeof(line), f)) {
		char *at = strstr(line, key), *kind = strchr(line, ':');
		char *mode = strstr(line, "READ");

		if (!at || !kind)
			continue;
		if (!mode)
			mode = strstr(line, "WRITE");
		mode[5] = 0;
		sprintf(text + strlen(text), " %s %s", kind + 1,
			at + strlen(key));
		n++;
	}
	if (f)
		fclose(f);
	return n;
}

/* Waits for that many lines. */
static void
show(const char *what, int lines)
{
	UNTIL(read_locks() == lines);
	printf("%s:\n%s", what, text);
}

static int
record(int i, int cmd, short type, long start, long len)
{
	struct flock l = { .l_type = type, .l_start = start, .l_len = len };

	return fcntl(fd[i], cmd, &l);
}

static void *
wait_record(void *arg)
{
	long i = (long)arg;
	int r = record((int)i, F_OFD_SETLKW, i == 3 ? F_RDLCK : F_WRLCK, 2 * i,
		       20);

	if (r)
		return (void *)strerrorname_np(errno);
	record((int)i, F_OFD_SETLK, F_UNLCK, 0, 0);
	return "had it";
}

static void *
wait_process(void *arg)
{
	if (record(0, F_SETLKW, F_WRLCK, 0, 1))
		return (void *)strerrorname_np(errno);
	record(0, F_SETLK, F_UNLCK, 0, 1);
	return arg;
}

static void *
wait_flock(void *arg)
{
	int i = (int)(long)arg;

	if (flock(fd[i], i == 1 ? LOCK_EX : LOCK_SH))
		return (void *)strerrorname_np(errno);
	flock(fd[i], LOCK_UN);
	return "had it";
}

static void
nothing(int sig)
{
	(void)sig;
}

int
main(void)
{
	struct sigaction sa = { .sa_handler = nothing };
	pthread_t t[FILES];
	void *said;

	fs_setup();
	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < FILES; i++)
		fd[i] = open("f", O_RDWR | O_CREAT, 0600);
	SHOW(record(0, F_OFD_SETLK, F_WRLCK, 0, 10));
	show("held", 1);
	for (long i = 1; i < 4; i++) {
		pthread_create(&t[i], NULL, wait_record, (void *)i);
		show("waiting", (int)i + 1);
	}
	pthread_create(&t[4], NULL, wait_process, "had it");
	show("the process too", 5);
	pthread_kill(t[3], SIGUSR1);
	pthread_join(t[3], &said);
	printf("signal: %s\n", (char *)said);
	show("one gave up", 4);
	SHOW(record(0, F_OFD_SETLK, F_UNLCK, 0, 10));
	for (int i = 1; i < 5; i++) {
		if (i == 3)
			continue;
		pthread_join(t[i], &said);
		printf("%d %s\n", i, (char *)said);
	}
	show("none", 0);

	SHOW(flock(fd[0], LOCK_EX));
	for (long i = 1; i < 4; i++) {
		pthread_create(&t[i], NULL, wait_flock, (void *)i);
		show("flock", (int)i + 1);
	}
	SHOW(flock(fd[0], LOCK_UN));
	for (int i = 1; i < 4; i++) {
		pthread_join(t[i], &said);
		printf("%d %s\n", i, (char *)said);
	}
	show("none", 0);
	return 0;
}
