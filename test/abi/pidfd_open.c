/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: calls that reach into a process, on the caller's own: pidfds, memory
 * by address, and what threads share.
 * CALLS: pidfd_send_signal pidfd_getfd process_vm_readv process_vm_writev kcmp
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>

#define kcmp(a, b, t, i, j) syscall(SYS_kcmp, a, b, t, (long)(i), (long)(j))

static volatile sig_atomic_t got, code, value;
static void *volatile bad = BAD;

static void
on_signal(int sig, siginfo_t *i, void *ctx)
{
	(void)ctx;
	got = sig, code = i->si_code, value = i->si_value.sival_int;
}

static void
pidfds(void)
{
	int fd = syscall(SYS_pidfd_open, getpid(), 0), p[2], copy;
	struct sigaction sa = { .sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO };
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };
	char c;

	SHOW(fd >= 0);
	SHOW(fcntl(fd, F_GETFD));
	SHOW(syscall(SYS_pidfd_open, 0, 0));
	SHOW(syscall(SYS_pidfd_open, -1, 0));
	SHOW(syscall(SYS_pidfd_open, 4194303, 0));
	SHOW(syscall(SYS_pidfd_open, getpid(), 1));
	SHOW(poll(&pf, 1, 0));
	sigaction(SIGUSR1, &sa, NULL);
	SHOW(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	SHOW(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
	printf("signal %d code %d\n", got, code);
	info.si_value.sival_int = 5;
	SHOW(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &info, 0));
	printf("signal %d code %d value %d\n", got, code, value);
	SHOW(syscall(SYS_pidfd_send_signal, fd, SIGUSR2, &info, 0));
	SHOW(syscall(SYS_pidfd_send_signal, fd, 99, NULL, 0));
	SHOW(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, BAD, 0));
	SHOW(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0x1000));
	SHOW(syscall(SYS_pidfd_send_signal, 0, SIGUSR1, NULL, 0));
	SHOW(syscall(SYS_pidfd_send_signal, 99, SIGUSR1, NULL, 0));
	SHOW(pipe(p));
	copy = syscall(SYS_pidfd_getfd, fd, p[0], 0);
	SHOW(copy > p[1]);
	SHOW(write(p[1], "x", 1));
	SHOW(read(copy, &c, 1));
	SHOW(syscall(SYS_pidfd_getfd, fd, 99, 0));
	SHOW(syscall(SYS_pidfd_getfd, 0, p[0], 0));
	SHOW(syscall(SYS_pidfd_getfd, fd, p[0], 1));
	SHOW(kcmp(getpid(), getpid(), 0, p[0], copy));
	SHOW(kcmp(getpid(), getpid(), 0, p[0], p[1]) > 0);
	SHOW(kcmp(getpid(), getpid(), 0, p[0], 99));
	close(copy), close(p[0]), close(p[1]), close(fd);
}

static void *
other(void *arg)
{
	int tid = syscall(SYS_gettid);

	for (int t = 1; t < 7; t++)
		printf("kcmp %d: %ld\n", t, kcmp(getpid(), tid, t, 0, 0));
	return arg;
}

static void
memory(void)
{
	char a[16] = "hello, world", b[16] = "", c[16] = "";
	struct iovec l[2] = { { b, 4 }, { c, 15 } };
	struct iovec r[2] = { { a, 7 }, { a + 7, 5 } };
	struct iovec w[2] = { { a, 3 }, { bad, 3 } };
	int pid = getpid();

	SHOW(process_vm_readv(pid, l, 2, r, 2, 0));
	printf("%s|%s\n", b, c);
	SHOW(process_vm_writev(pid, l, 1, r, 1, 0));
	printf("%s\n", a);
	SHOW(process_vm_readv(pid, l, 2, w, 2, 0));
	w[0].iov_base = bad;
	SHOW(process_vm_readv(pid, l, 2, w, 1, 0));
	SHOW(process_vm_readv(pid, l, 0, r, 2, 0));
	SHOW(process_vm_readv(pid, l, 2, r, 0, 0));
	SHOW(process_vm_readv(pid, l, 2, r, 2, 1));
	SHOW(process_vm_readv(pid, l, 1025, r, 2, 0));
	SHOW(process_vm_readv(pid, bad, 2, r, 2, 0));
	SHOW(process_vm_readv(pid, l, 2, bad, 2, 0));
	SHOW(process_vm_readv(4194303, l, 2, r, 2, 0));
}

int
main(void)
{
	pthread_t t;

	setvbuf(stdout, NULL, _IOLBF, 0);
	pidfds();
	pthread_create(&t, NULL, other, NULL);
	pthread_join(t, NULL);
	SHOW(kcmp(getpid(), 4194303, 1, 0, 0));
	SHOW(kcmp(getpid(), getpid(), 99, 0, 0));
	memory();
	return 0;
}
