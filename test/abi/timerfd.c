/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a timer's expiries are counted and read; setting, asking and
 * stopping it; what is wrong is refused.
 * Method: short timers, relative and absolute; long ones that do not expire.
 * CALLS: timerfd_create timerfd_settime timerfd_gettime
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/timerfd.h>

#define CREATE(c, f)	     syscall(SYS_timerfd_create, c, f)
#define SETTIME(fd, f, n, o) syscall(SYS_timerfd_settime, fd, f, n, o)
#define GETTIME(fd, c)	     syscall(SYS_timerfd_gettime, fd, c)
#define SHOW(x)		     (errno = 0, show(#x, (long)(x)))

static struct itimerspec
in(long sec, long nsec, long isec, long insec)
{
	return (struct itimerspec){ { isec, insec }, { sec, nsec } };
}

static void
arguments(void)
{
	static const int clocks[] = { 0, 1, 2, 3, 4, 5, 6, 7, 11, 12, -1, 99 };
	struct itimerspec t = in(100, 0, 0, 0), bad[] = {
		in(-1, 0, 0, 0), in(0, -1, 0, 0), in(0, 1000000000, 0, 0),
		in(1, 0, -1, 0), in(1, 0, 0, -1), in(1, 0, 0, 1000000000),
	};
	int fd;

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		errno = 0;
		/* Alarm clocks need a capability and a real clock chip. */
		if (clocks[i] == 8 || clocks[i] == 9)
			continue;
		fd = (int)CREATE(clocks[i], 0);
		printf("clock %d: %s\n", clocks[i],
		       fd < 0 ? strerrorname_np(errno) : "ok");
		close(fd);
	}
	SHOW(CREATE(CLOCK_MONOTONIC, 1));
	SHOW(CREATE(CLOCK_MONOTONIC, O_APPEND));
	SHOW(fcntl(CREATE(CLOCK_REALTIME, TFD_CLOEXEC), F_GETFD));
	SHOW(fcntl(CREATE(CLOCK_REALTIME, TFD_NONBLOCK), F_GETFL));
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	SHOW(SETTIME(99, 0, &t, NULL));
	SHOW(SETTIME(1, 0, &t, NULL));
	SHOW(SETTIME(fd, 4, &t, NULL));
	SHOW(SETTIME(fd, 0, NULL, NULL));
	SHOW(SETTIME(fd, 0, BAD, NULL));
	for (int i = 0; i < 6; i++)
		SHOW(SETTIME(fd, 0, &bad[i], NULL));
	SHOW(SETTIME(fd, 0, &t, BAD));
	SHOW(GETTIME(99, &t));
	SHOW(GETTIME(1, &t));
	SHOW(GETTIME(fd, NULL));
	SHOW(GETTIME(fd, &t));
	printf("armed although the old value went nowhere: %d\n",
	       t.it_value.tv_sec > 0);
	close(fd);
}

static void
long_timer(int clock)
{
	struct itimerspec t = in(100, 5, 7, 8), old = in(1, 1, 1, 1);
	int fd = timerfd_create(clock, TFD_NONBLOCK);
	uint64_t n;

	SHOW(GETTIME(fd, &old));
	printf("%ld.%ld %ld.%ld\n", old.it_value.tv_sec, old.it_value.tv_nsec,
	       old.it_interval.tv_sec, old.it_interval.tv_nsec);
	SHOW(SETTIME(fd, 0, &t, &old));
	SHOW(GETTIME(fd, &old));
	printf("%d %ld.%ld\n", old.it_value.tv_sec > 50, old.it_interval.tv_sec,
	       old.it_interval.tv_nsec);
	SHOW(read(fd, &n, 8));
	SHOW(poll(&(struct pollfd){ fd, POLLIN | POLLOUT, 0 }, 1, 0));
	/* Disarmed: the interval goes with it. */
	t = in(0, 0, 7, 8);
	SHOW(SETTIME(fd, 0, &t, &old));
	printf("%d %ld.%ld\n", old.it_value.tv_sec > 50, old.it_interval.tv_sec,
	       old.it_interval.tv_nsec);
	SHOW(GETTIME(fd, &old));
	printf("value %ld.%ld\n", old.it_value.tv_sec, old.it_value.tv_nsec);
	/* Far beyond the end of time. */
	t = in(0x7fffffffffffffff, 999999999, 0, 0);
	SHOW(SETTIME(fd, 0, &t, NULL));
	SHOW(GETTIME(fd, &old));
	printf("far %d\n", old.it_value.tv_sec > 1000000);
	close(fd);
}

static void
expiries(int clock)
{
	struct itimerspec t = in(0, 1000000, 0, 0), cur;
	int fd = timerfd_create(clock, 0);
	uint64_t n = 0, t0 = now_ns();
	struct timespec now;
	char big[64];

	SHOW(SETTIME(fd, 0, &t, NULL));
	SHOW(read(fd, &n, 7));
	SHOW(read(fd, &n, 8));
	printf("count %lu, in time %d\n", (unsigned long)n,
	       now_ns() - t0 >= 1000000);
	SHOW(GETTIME(fd, &cur));
	printf("value %ld.%ld\n", cur.it_value.tv_sec, cur.it_value.tv_nsec);
	/* In the past: at once. */
	t = in(0, 1, 0, 0);
	SHOW(SETTIME(fd, TFD_TIMER_ABSTIME, &t, NULL));
	SHOW(read(fd, big, sizeof(big)));
	clock_gettime(clock, &now);
	t = in(now.tv_sec + (now.tv_nsec + 20000000) / 1000000000,
	       (now.tv_nsec + 20000000) % 1000000000, 0, 0);
	t0 = now_ns();
	SHOW(SETTIME(fd, TFD_TIMER_ABSTIME, &t, NULL));
	SHOW(read(fd, &n, 8));
	printf("count %lu, waited %d\n", (unsigned long)n,
	       now_ns() - t0 >= 10000000);
	/* Intervals that were missed are counted. */
	t = in(0, 1000000, 0, 1000000);
	SHOW(SETTIME(fd, 0, &t, NULL));
	usleep(20000);
	SHOW(read(fd, &n, 8));
	printf("at least 19: %d\n", n >= 19);
	SHOW(read(fd, &n, 8));
	printf("armed again: %d\n", n >= 1);
	SHOW(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 200000));
	/* Setting it forgets what it counted. */
	t = in(100, 0, 0, 0);
	SHOW(SETTIME(fd, 0, &t, NULL));
	SHOW(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0));
	SHOW(write(fd, &n, 8));
	SHOW(lseek(fd, 0, SEEK_SET));
	close(fd);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	arguments();
	long_timer(CLOCK_MONOTONIC);
	long_timer(CLOCK_REALTIME);
	long_timer(CLOCK_BOOTTIME);
	expiries(CLOCK_MONOTONIC);
	expiries(CLOCK_REALTIME);
	return 0;
}
