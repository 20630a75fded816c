/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: leases: who may have one, what they are told when somebody opens or
 * truncates the file, and that this one waits until they have answered.
 * CALLS: fcntl
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <pthread.h>
#include <signal.h>

static volatile int nsignals, signal_fd, signal_code, signal_band;

static void
on_signal(int sig, siginfo_t *info, void *ctx)
{
	(void)ctx;
	signal_fd = sig == SIGIO ? 0 : info->si_fd;
	signal_code = sig == SIGIO ? 0 : info->si_code;
	signal_band = sig == SIGIO ? 0 : (int)info->si_band;
	nsignals++;
}

static long
get(int fd)
{
	return fcntl(fd, F_GETLEASE);
}

static long
set(int fd, int type)
{
	return fcntl(fd, F_SETLEASE, type);
}

static long
try_open(int flags)
{
	int fd = open("lease", flags | O_NONBLOCK);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : -1;
}

static void
who(void)
{
	int w = open("lease", O_RDWR | O_CREAT, 0600), r, p[2], d;

	SHOW(get(w));
	SHOW(set(w, F_RDLCK));
	SHOW(set(w, F_WRLCK));
	SHOW(get(w));
	SHOW(set(w, F_UNLCK));
	SHOW(set(w, F_UNLCK));
	SHOW(set(w, 77));
	r = open("lease", O_RDONLY);
	SHOW(set(w, F_WRLCK));
	SHOW(set(r, F_RDLCK));
	close(w);
	SHOW(set(r, F_RDLCK));
	w = dup(r);
	SHOW(get(w));
	SHOW(set(w, F_WRLCK));
	SHOW(get(r));
	close(w);
	SHOW(get(r));
	close(r);
	r = open("lease", O_RDONLY);
	SHOW(get(r));
	close(r);
	if (pipe(p))
		return;
	d = open(".", O_RDONLY);
	SHOW(set(p[0], F_RDLCK));
	SHOW(set(d, F_RDLCK));
	SHOW(get(p[0]));
	SHOW(get(d));
	close(p[0]), close(p[1]), close(d);
}

static void
told(void)
{
	int r = open("lease", O_RDONLY), r2;

	SHOW(set(r, F_RDLCK));
	SHOW(try_open(O_RDONLY));
	r2 = open("lease", O_RDONLY);
	SHOW(set(r2, F_RDLCK));
	SHOW(set(r, F_WRLCK));
	printf("signals %d\n", nsignals);
	SHOW(try_open(O_RDWR));
	printf("signals %d\n", nsignals);
	SHOW(get(r));
	SHOW(get(r2));
	SHOW(set(r, F_RDLCK));
	SHOW(set(r, F_UNLCK));
	SHOW(try_open(O_WRONLY));
	printf("signals %d\n", nsignals);
	close(r2);
	SHOW(try_open(O_WRONLY));
	SHOW(set(r, F_WRLCK));
	SHOW(try_open(O_RDONLY));
	printf("signals %d\n", nsignals);
	SHOW(get(r));
	SHOW(set(r, F_WRLCK));
	SHOW(set(r, F_RDLCK));
	SHOW(get(r));
	SHOW(try_open(O_RDONLY));
	close(r);
}

static void *
opener(void *arg)
{
	int fd = open("lease", (int)(long)arg);

	close(fd);
	return (void *)(long)(fd >= 0);
}

static void *
cutter(void *arg)
{
	(void)arg;
	return (void *)(long)(truncate("lease", 0) == 0);
}

/* The other thread waits until the lease is given up. */
static void
waited(void *(*fn)(void *), long arg, int give_up_by_close)
{
	int r = open("lease", O_RDONLY), before = nsignals;
	pthread_t t;
	void *ok;

	SHOW(fcntl(r, F_SETSIG, SIGUSR1));
	SHOW(set(r, F_RDLCK));
	pthread_create(&t, NULL, fn, (void *)arg);
	while (nsignals == before)
		usleep(1000);
	printf("told of %d %d %x\n", signal_fd == r, signal_code, signal_band);
	if (give_up_by_close)
		close(r);
	else
		SHOW(set(r, F_UNLCK));
	pthread_join(t, &ok);
	printf("went on %ld\n", (long)ok);
	if (!give_up_by_close)
		close(r);
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO | SA_RESTART };
	char dir[] = "/tmp/lease-XXXXXX";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!mkdtemp(dir) || chdir(dir))
		return 1;
	sigaction(SIGIO, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	who();
	told();
	waited(opener, O_RDWR, 0);
	waited(opener, O_WRONLY | O_TRUNC, 1);
	waited(cutter, 0, 1);
	unlink("lease");
	rmdir(dir);
	return 0;
}
