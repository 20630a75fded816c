/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the counter adds, is taken whole or by one, blocks at both ends.
 * Method: reads and writes of all sizes, poll, a thread on the other side.
 * CALLS: eventfd2
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include "wait_common.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#define EVENTFD(n)     syscall(SYS_eventfd, n)
#define EVENTFD2(n, f) syscall(SYS_eventfd2, n, f)
#define SHOW(x)	       (errno = 0, show(#x, (long)(x)))

static void
give(int fd, uint64_t v)
{
	char what[64];

	snprintf(what, sizeof(what), "write %#lx", (unsigned long)v);
	errno = 0;
	show(what, write(fd, &v, 8));
}

static void
take(int fd)
{
	uint64_t v = 77;

	errno = 0;
	show("read", read(fd, &v, 8));
	printf("value %#lx\n", (unsigned long)v);
}

static void
ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI, 0 };

	show("poll", poll(&p, 1, 0));
	printf("revents %#x\n", p.revents);
}

static void *
add_later(void *arg)
{
	uint64_t v = 5;

	until_asleep(getpid());
	return (void *)write(*(int *)arg, &v, 8);
}

static void *
take_later(void *arg)
{
	uint64_t v;

	until_asleep(getpid());
	return (void *)read(*(int *)arg, &v, 8);
}

int
main(void)
{
	char buf[32] = { 1 };
	pthread_t t;
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	SHOW(EVENTFD2(0, 2));
	SHOW(EVENTFD2(0, O_APPEND));
	SHOW(EVENTFD(~0u) >= 0);
	SHOW(fcntl(EVENTFD2(0, EFD_CLOEXEC), F_GETFD));
	SHOW(fcntl(EVENTFD2(0, EFD_NONBLOCK), F_GETFL));
	SHOW(fcntl(EVENTFD2(0, 0), F_GETFL));

	fd = eventfd(3, EFD_NONBLOCK);
	ready(fd);
	take(fd);
	take(fd);
	ready(fd);
	give(fd, 4);
	give(fd, 5);
	SHOW(read(fd, buf, 7));
	SHOW(read(fd, buf, 0));
	SHOW(syscall(SYS_read, fd, BAD, 8));
	take(fd);
	give(fd, 1);
	SHOW(read(fd, buf, 32));
	SHOW(write(fd, buf, 7));
	SHOW(syscall(SYS_write, fd, BAD, 8));
	take(fd);
	give(fd, -1ul);
	give(fd, -2ul);
	ready(fd);
	give(fd, 1);
	give(fd, 0);
	take(fd);
	give(fd, 0);
	ready(fd);
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(pread(fd, buf, 8, 0));
	SHOW(pwrite(fd, buf, 8, 0));
	SHOW(ftruncate(fd, 8));
	close(fd);

	fd = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
	take(fd);
	take(fd);
	take(fd);
	take(fd);
	close(fd);

	fd = eventfd(0, 0);
	start_thread(&t, add_later, &fd);
	take(fd);
	pthread_join(t, NULL);
	give(fd, -2ul);
	start_thread(&t, take_later, &fd);
	give(fd, 9);
	pthread_join(t, NULL);
	take(fd);
	return 0;
}
