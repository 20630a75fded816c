/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: POSIX message queues: names, attributes and limits, order by
 * priority, full and empty queues, time limits, poll, notification.
 * CALLS: mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr
 * NEEDS: root
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <time.h>

#include "wait_common.h"

static char name[64];
static volatile sig_atomic_t signals, code, value;

static void
attr_of(const char *what, mqd_t q)
{
	struct mq_attr a;

	if (mq_getattr(q, &a))
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: flags %#lx max %ld size %ld now %ld\n", what,
		       a.mq_flags, a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs);
}

static void
opening(void)
{
	struct mq_attr a = { .mq_maxmsg = 3, .mq_msgsize = 20 };
	struct stat st;
	mqd_t q, r;

	SHOW(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL));
	SHOW(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL));
	SHOW(syscall(SYS_mq_open, ".", O_RDWR | O_CREAT, 0600, NULL));
	SHOW(syscall(SYS_mq_open, BAD, O_RDWR, 0600, NULL));
	SHOW(mq_open(name, O_RDWR));
	SHOW_OK(q = mq_open(name, O_RDWR | O_CREAT, 0666, NULL));
	attr_of("default", q);
	SHOW(fcntl(q, F_GETFD));
	SHOW(fcntl(q, F_GETFL));
	SHOW(fstat(q, &st));
	printf("mode %o size %ld nlink %ld\n", st.st_mode, (long)st.st_size,
	       (long)st.st_nlink);
	SHOW(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL));
	SHOW_OK(r = mq_open(name, O_RDONLY | O_NONBLOCK));
	attr_of("read", r);
	SHOW(mq_send(r, "x", 1, 0));
	SHOW(close(r));
	SHOW_OK(r = mq_open(name, O_WRONLY));
	SHOW(mq_receive(r, (char[8192]){ 0 }, 8192, NULL));
	SHOW(mq_close(r));
	SHOW(mq_unlink(name));
	SHOW(mq_unlink(name));
	SHOW(mq_send(q, "still", 5, 0));
	attr_of("unlinked", q);
	SHOW(mq_close(q));
	a.mq_maxmsg = 0;
	SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &a));
	a.mq_maxmsg = -1;
	SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &a));
	a.mq_maxmsg = 3, a.mq_msgsize = 0;
	SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &a));
	a.mq_maxmsg = 65537, a.mq_msgsize = 1;
	SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &a));
	SHOW(mq_getattr(0, &a));
	SHOW(mq_getattr(-1, &a));
	SHOW(mq_unlink("/none"));
}

static void
get(mqd_t q)
{
	char buf[64];
	unsigned prio = 99;
	long r = mq_receive(q, buf, sizeof(buf), &prio);

	if (r < 0)
		printf("receive: %s\n", strerrorname_np(errno));
	else
		printf("receive: \"%.*s\" %u\n", (int)r, buf, prio);
}

static void
text_of(mqd_t q)
{
	char buf[128];
	long n = pread(q, buf, sizeof(buf), 0);

	char *pid = n > 0 ? memmem(buf, n, "NOTIFY_PID", 10) : NULL;

	printf("text: %.*s\n", pid ? (int)(pid - buf) : 0, buf);
}

static void
messages(void)
{
	struct mq_attr a = { .mq_maxmsg = 3, .mq_msgsize = 20 };
	mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &a);
	struct pollfd p = { .fd = q, .events = POLLIN | POLLOUT };
	struct timespec past = { 1, 0 }, bad = { 1, -1 };
	char buf[20];

	attr_of("made", q);
	SHOW(poll(&p, 1, 0));
	printf("revents %#x\n", p.revents);
	get(q);
	SHOW(mq_send(q, "low", 3, 1));
	SHOW(mq_send(q, "high", 4, 9));
	SHOW(mq_send(q, "low again", 9, 1));
	SHOW(mq_send(q, "full", 4, 1));
	SHOW(poll(&p, 1, 0));
	printf("revents %#x\n", p.revents);
	text_of(q);
	attr_of("full", q);
	get(q);
	SHOW(poll(&p, 1, 0));
	printf("revents %#x\n", p.revents);
	get(q);
	get(q);
	get(q);
	SHOW(mq_send(q, "", 0, 0));
	get(q);
	SHOW(mq_send(q, "012345678901234567890", 21, 0));
	SHOW(mq_send(q, "x", 1, 32768));
	SHOW(mq_send(q, "x", 1, 32767));
	SHOW(mq_receive(q, buf, 19, NULL));
	SHOW(mq_send(q, BAD, 5, 0));
	SHOW(syscall(SYS_mq_timedreceive, q, BAD, 20, NULL, NULL));
	attr_of("lost", q);
	SHOW(syscall(SYS_mq_timedsend, 0, "x", 1, 0, NULL));
	SHOW(syscall(SYS_mq_timedsend, -1, "x", 1, 0, NULL));
	SHOW(syscall(SYS_mq_timedsend, -1, "x", 1, 0, &bad));
	SHOW(syscall(SYS_mq_timedsend, q, "x", 1, 0, BAD));
	SHOW(syscall(SYS_mq_timedsend, q, "x", 1, 0, &past));
	get(q);
	a.mq_flags = 0;
	SHOW(mq_setattr(q, &a, &a));
	printf("old flags %#lx\n", a.mq_flags);
	a.mq_flags = O_APPEND;
	SHOW(mq_setattr(q, &a, NULL));
	SHOW(mq_timedreceive(q, buf, 20, NULL, &past));
	SHOW(mq_timedreceive(q, buf, 20, NULL, &bad));
	clock_gettime(CLOCK_REALTIME, &past);
	past.tv_nsec += 20000000;
	if (past.tv_nsec >= 1000000000)
		past.tv_sec++, past.tv_nsec -= 1000000000;
	SHOW(mq_timedreceive(q, buf, 20, NULL, &past));
	SHOW(lseek(q, 0, SEEK_CUR));
	mq_close(q);
	mq_unlink(name);
}

static void
on_signal(int sig, siginfo_t *info, void *ctx)
{
	(void)sig, (void)ctx;
	code = info->si_code;
	value = info->si_value.sival_int;
	signals = signals + 1;
}

static char received[32];

/* Prints nothing: whose line comes first is nobody's to say. */
static void *
receive_one(void *arg)
{
	if (mq_receive(*(mqd_t *)arg, received, sizeof(received), NULL) < 0)
		strcpy(received, "nothing");
	return NULL;
}

static void *
send_one(void *arg)
{
	return mq_send(*(mqd_t *)arg, "later", 5, 3) ? arg : NULL;
}

static void
notification(void)
{
	struct mq_attr a = { .mq_maxmsg = 3, .mq_msgsize = 20 };
	mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, &a), q2;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGUSR1,
			       .sigev_value.sival_int = 77 };
	struct sigaction sa = { .sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO | SA_RESTART };
	pthread_t th;

	sigaction(SIGUSR1, &sa, NULL);
	SHOW(mq_notify(q, &ev));
	SHOW(mq_notify(q, &ev));
	text_of(q);
	SHOW(mq_send(q, "a", 1, 0));
	printf("signals %d code %d value %d\n", signals, code, value);
	SHOW(mq_send(q, "b", 1, 0));
	printf("signals %d\n", signals);
	SHOW(mq_notify(q, &ev));
	SHOW(mq_send(q, "c", 1, 0));
	printf("not empty: %d\n", signals);
	get(q), get(q), get(q);
	SHOW(mq_send(q, "d", 1, 0));
	printf("empty: %d\n", signals);
	get(q);
	SHOW(mq_notify(q, &ev));
	SHOW(mq_notify(q, NULL));
	SHOW(mq_send(q, "e", 1, 0));
	printf("taken back: %d\n", signals);
	get(q);
	/* A receiver that waits has the message; nobody is told. */
	SHOW(mq_notify(q, &ev));
	pthread_create(&th, NULL, receive_one, &q);
	until_others_asleep(1);
	SHOW(mq_send(q, "f", 1, 0));
	pthread_join(th, NULL);
	printf("received \"%s\": %d\n", received, signals);
	SHOW(mq_notify(q, NULL));
	ev.sigev_signo = 99;
	SHOW(mq_notify(q, &ev));
	ev.sigev_notify = 9;
	SHOW(mq_notify(q, &ev));
	ev.sigev_notify = SIGEV_NONE;
	SHOW(mq_notify(q, &ev));
	SHOW(mq_notify(q, &ev));
	q2 = dup(q);
	SHOW(close(q2));
	SHOW(mq_notify(q, &ev));
	SHOW(syscall(SYS_mq_notify, q, BAD));
	SHOW(syscall(SYS_mq_notify, 0, NULL));
	pthread_create(&th, NULL, send_one, &q);
	get(q);
	pthread_join(th, NULL);
	mq_close(q);
	mq_unlink(name);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	umask(022);
	sprintf(name, "/abi-%d", getpid());
	opening();
	messages();
	notification();
	return 0;
}
