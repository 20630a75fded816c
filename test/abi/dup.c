/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: descriptors: copies, flags, ranges, limits and locks.
 * CALLS: dup dup2 dup3 close close_range fcntl flock
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <pthread.h>
#include <sys/file.h>
#include <sys/resource.h>

static void
which_open(const char *what)
{
	printf("%s:", what);
	for (int i = 3; i < 40; i++)
		if (fcntl(i, F_GETFD) >= 0)
			printf(" %d%s", i, fcntl(i, F_GETFD) ? "c" : "");
	printf("\n");
}

static void *
close_apart(void *arg)
{
	/* With its own table from here on. */
	SHOW(syscall(SYS_close_range, 10, 20, 2));
	which_open("apart");
	return arg;
}

static void
locks(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int a = open("f", O_RDWR), b = open("f", O_RDWR), r;

	SHOW(flock(a, LOCK_EX));
	SHOW(flock(b, LOCK_EX | LOCK_NB));
	SHOW(flock(b, LOCK_SH | LOCK_NB));
	SHOW(flock(a, LOCK_SH));
	SHOW(flock(b, LOCK_SH | LOCK_NB));
	SHOW(flock(a, LOCK_EX | LOCK_NB));
	SHOW(flock(b, LOCK_UN));
	SHOW(flock(b, LOCK_UN));
	r = dup(a);
	SHOW(flock(r, LOCK_EX | LOCK_NB));
	SHOW(close(a));
	SHOW(flock(b, LOCK_EX | LOCK_NB));
	SHOW(close(r));
	SHOW(flock(b, LOCK_EX | LOCK_NB));
	SHOW(flock(b, 0));
	SHOW(flock(b, LOCK_NB));
	SHOW(flock(b, 77));
	SHOW(flock(99, LOCK_SH));
	close(b);

	/* Record locks: a process does not meet its own. */
	a = open("f", O_RDWR), b = open("f", O_RDONLY);
	SHOW(fcntl(a, F_SETLK, &l));
	SHOW(fcntl(a, F_GETLK, &l));
	printf("type %d\n", l.l_type);
	l.l_type = F_WRLCK;
	SHOW(fcntl(b, F_SETLK, &l));
	l.l_type = F_RDLCK;
	SHOW(fcntl(b, F_SETLK, &l));
	l.l_type = 99;
	SHOW(fcntl(a, F_SETLK, &l));
	l.l_type = F_RDLCK, l.l_whence = 9;
	SHOW(fcntl(a, F_SETLK, &l));
	l.l_whence = SEEK_SET, l.l_start = -1;
	SHOW(fcntl(a, F_SETLK, &l));
	SHOW(fcntl(a, F_SETLK, BAD));
	SHOW(fcntl(99, F_SETLK, &l));

	/* Those of an open file description do. */
	memset(&l, 0, sizeof(l));
	l.l_type = F_WRLCK, l.l_start = 10, l.l_len = 10;
	close(b), b = open("f", O_RDWR);
	SHOW(fcntl(a, F_OFD_SETLK, &l));
	SHOW(fcntl(b, F_OFD_SETLK, &l));
	l.l_start = 0;
	SHOW(fcntl(b, F_OFD_SETLK, &l));
	l.l_start = 15, l.l_len = 0;
	SHOW(fcntl(b, F_OFD_GETLK, &l));
	printf("type %d start %ld len %ld pid %d\n", l.l_type, (long)l.l_start,
	       (long)l.l_len, l.l_pid);
	l.l_pid = 1;
	SHOW(fcntl(b, F_OFD_SETLK, &l));
	close(a), close(b);
}

int
main(void)
{
	struct rlimit lim = { 30, 40 };
	pthread_t t;
	int fd;

	fs_setup();
	make_file("f", "0123456789");
	for (int i = 3; i < 1024; i++)
		close(i);
	fd = open("f", O_RDWR | O_CLOEXEC);
	SHOW(dup(fd));
	which_open("dup");
	SHOW(syscall(SYS_dup2, fd, 7));
	SHOW(syscall(SYS_dup2, fd, fd));
	which_open("dup2 of itself");
	SHOW(syscall(SYS_dup2, 99, 99));
	SHOW(syscall(SYS_dup2, fd, -1));
	SHOW(syscall(SYS_dup2, 99, 3));
	SHOW(syscall(SYS_dup3, fd, fd, 0));
	SHOW(syscall(SYS_dup3, 99, 99, 0));
	SHOW(syscall(SYS_dup3, fd, 8, O_CLOEXEC));
	SHOW(syscall(SYS_dup3, fd, 8, O_NONBLOCK));
	SHOW(syscall(SYS_dup3, fd, -1, 0));
	SHOW(dup(-1));
	SHOW(fcntl(fd, F_DUPFD, 10));
	SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 10));
	SHOW(fcntl(fd, F_DUPFD, -1));
	SHOW(fcntl(99, F_DUPFD, 0));
	which_open("all");
	SHOW(fcntl(fd, F_SETFD, 0));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(fcntl(fd, F_SETFD, 0xfe));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(fcntl(fd, F_SETFD, 0xff));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(fcntl(99, F_GETFD));
	SHOW(fcntl(fd, 12345));
	SHOW(fcntl(99, 12345));

	/* Flags of the open file, which copies share. */
	SHOW(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_RDONLY | O_TRUNC));
	printf("flags %#o\n", fcntl(7, F_GETFL) & ~0100000);
	SHOW(fcntl(fd, F_SETFL, O_NOATIME));
	printf("flags %#o\n", fcntl(7, F_GETFL) & ~0100000);
	SHOW(fcntl(fd, F_SETFL, 0));
	printf("flags %#o\n", fcntl(7, F_GETFL) & ~0100000);
	SHOW(fcntl(fd, F_GETOWN));
	SHOW(fcntl(fd, F_GETPIPE_SZ));
	SHOW(fcntl(fd, F_SETPIPE_SZ, 4096));
	SHOW(fcntl(fd, F_GET_SEALS));

	/* close and close_range. */
	SHOW(close(7));
	SHOW(close(7));
	SHOW(close(-1));
	SHOW(syscall(SYS_close, 0x100000003l));
	which_open("closed");
	fd = open("f", O_RDWR);
	for (int i = 12; i < 20; i++)
		dup2(fd, i);
	if (!pthread_create(&t, NULL, close_apart, NULL))
		pthread_join(t, NULL);
	which_open("here");
	SHOW(syscall(SYS_close_range, 14, 15, 0));
	which_open("14-15");
	SHOW(syscall(SYS_close_range, 16, 17, 4));
	which_open("16-17 cloexec");
	SHOW(syscall(SYS_close_range, 18, -1u, 0));
	which_open("18-");
	SHOW(syscall(SYS_close_range, 5, 4, 0));
	SHOW(syscall(SYS_close_range, 5, 5, 8));
	SHOW(syscall(SYS_close_range, 1000, 2000, 0));

	/* The limit on numbers. */
	SHOW(setrlimit(RLIMIT_NOFILE, &lim));
	SHOW(dup2(fd, 30));
	SHOW(dup2(fd, 29));
	SHOW(dup3(fd, 30, 0));
	SHOW(fcntl(fd, F_DUPFD, 30));
	SHOW(fcntl(fd, F_DUPFD, 29));
	while (dup(fd) >= 0)
		;
	SHOW(dup(fd));
	SHOW(open("f", O_RDONLY));
	int p[2];
	close(20);
	SHOW(pipe(p));
	SHOW(open("f", O_RDONLY));
	for (int i = 3; i < 40; i++)
		close(i);
	locks();
	return 0;
}
