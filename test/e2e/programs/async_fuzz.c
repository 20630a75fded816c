/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nonsense for the calls of IPC, notification and asynchronous I/O: random
 * arguments, and rings full of random entries.  For a machine of its own: it
 * leaves objects behind.  Prints one line at the end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static uint64_t seed;
static char *area;

static uint64_t
rnd(void)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return seed;
}

/* Values that mean something now and then. */
static uint64_t
value(void)
{
	switch (rnd() % 10) {
	case 0:
		return rnd() % 16;
	case 1:
		return (uint64_t)(area + rnd() % 4096);
	case 2:
		return rnd();
	case 3:
		return (uint64_t) - (int64_t)(rnd() % 4096);
	case 4:
		return 8;
	case 5:
		return 1ull << rnd() % 64;
	case 6:
		return (uint64_t)area;
	case 7:
		return 0x7fffffffffffull - rnd() % 8192;
	case 8:
		return rnd() % 64;
	default:
		return 0;
	}
}

static void
on_alarm(int sig)
{
	(void)sig;
}

/* All but shmat, which may be told to map over us. */
static void
calls(int n)
{
	static const short nr[] = {
		SYS_shmget,
		SYS_shmctl,
		SYS_shmdt,
		SYS_semget,
		SYS_semop,
		SYS_semctl,
		SYS_semtimedop,
		SYS_msgget,
		SYS_msgsnd,
		SYS_msgrcv,
		SYS_msgctl,
		SYS_io_setup,
		SYS_io_destroy,
		SYS_io_getevents,
		SYS_io_submit,
		SYS_io_cancel,
		SYS_io_pgetevents,
		SYS_mq_open,
		SYS_mq_unlink,
		SYS_mq_timedsend,
		SYS_mq_timedreceive,
		SYS_mq_notify,
		SYS_mq_getsetattr,
		SYS_inotify_init1,
		SYS_inotify_add_watch,
		SYS_inotify_rm_watch,
		SYS_get_mempolicy,
		SYS_set_mempolicy,
		SYS_mbind,
		SYS_kcmp,
		SYS_pidfd_open,
		SYS_pidfd_getfd,
		SYS_io_uring_setup,
		SYS_io_uring_enter,
		SYS_io_uring_register,
	};

	while (n--) {
		syscall(nr[rnd() % (sizeof(nr) / sizeof(nr[0]))], value(),
			value(), value(), value(), value(), value());
		if (n % 64 == 0)
			close_range(32, ~0u, 0);
	}
}

static void
rings(int n)
{
	struct io_uring_cqe *c;
	struct io_uring r;
	int fds[6], sv[2], p[2];

	if (io_uring_queue_init(64, &r, 0) || pipe(p) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		exit(1);
	fds[0] = p[0], fds[1] = p[1], fds[2] = sv[0], fds[3] = sv[1];
	fds[4] = open("fuzz", O_RDWR | O_CREAT, 0644);
	fds[5] = eventfd(0, 0);
	io_uring_register_files(&r, fds, 6);
	while (n--) {
		struct io_uring_sqe *s = io_uring_get_sqe(&r);

		if (!s || rnd() % 8 == 0) {
			io_uring_submit(&r);
			while (!io_uring_peek_cqe(&r, &c))
				io_uring_cqe_seen(&r, c);
			if (!s)
				continue;
		}
		do {
			s->opcode = rnd() % 48;
		} while (s->opcode == IORING_OP_MADVISE);
		s->flags = rnd() % 3 ? 0 : rnd();
		s->ioprio = rnd() % 4 ? 0 : rnd();
		s->fd = rnd() % 4 ? fds[rnd() % 6] : (int)value();
		if (s->opcode == IORING_OP_CLOSE)
			s->fd = 20 + rnd() % 10;
		s->off = value();
		s->addr = value();
		s->len = value();
		s->rw_flags = rnd() % 2 ? 0 : value();
		s->user_data = rnd() % 32;
		s->buf_index = rnd() % 2 ? 0 : rnd() % 8;
		s->personality = rnd() % 8 ? 0 : 1;
		s->splice_fd_in = rnd() % 2 ? 0 : fds[rnd() % 6];
	}
	io_uring_submit(&r);
	if (rnd() % 2)
		memset(r.sq.ring_ptr, rnd(), 256);
	syscall(SYS_io_uring_enter, r.ring_fd, rnd(), 0, 0, NULL, 0);
	/* Some are left behind when the program ends, most are not. */
	if (rnd() % 4)
		close(r.ring_fd);
	for (int i = 0; i < 6; i++)
		close(fds[i]);
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval t = { { 0, 2000 }, { 0, 2000 } };

	seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	area = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strcpy(area, "name");
	strcpy(area + 64, "other");
	/* Nothing is waited for. */
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	for (int i = 0; i < 10; i++) {
		calls(2000);
		rings(1000);
	}
	printf("survived\n");
	fflush(stdout);
	_exit(0);
}
