/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: mq_notify with SIGEV_THREAD: by the C library, whose thread is told,
 * and by hand, where a netlink socket gets the cookie back: once, when a
 * message comes or the registration goes.  Refusals.
 * LIBS: rt
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <linux/netlink.h>
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>

#define NOTIFY(q, e) syscall(SYS_mq_notify, q, e)

static sem_t told_sem;
static int nl, value;

static void
told(union sigval v)
{
	value = v.sival_int;
	sem_post(&told_sem);
}

/* What the socket has. */
static void
heard(void)
{
	unsigned char r[64];
	struct sockaddr_nl a;
	socklen_t len = sizeof(a);
	ssize_t n;

	memset(&a, 0xff, sizeof(a));
	n = recvfrom(nl, r, sizeof(r), 0, (void *)&a, &len);
	if (n < 0) {
		printf("heard %s\n", strerrorname_np(errno));
		return;
	}
	printf("heard %zd: %d %d .. %d from %d pid %u groups %x len %u\n", n,
	       r[0], r[1], r[31], a.nl_family, a.nl_pid, a.nl_groups, len);
}

static void
get(mqd_t q)
{
	char b[16];

	if (mq_receive(q, b, sizeof(b), NULL) < 0)
		printf("receive: %s\n", strerrorname_np(errno));
}

static void
status(mqd_t q)
{
	char text[200], *end;
	ssize_t n;

	lseek(q, 0, SEEK_SET);
	n = read(q, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	end = strstr(text, "NOTIFY_PID");
	if (end)
		*end = 0;
	printf("%s\n", text);
}

static void
by_library(mqd_t q)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD };

	ev.sigev_value.sival_int = 7;
	ev.sigev_notify_function = told;
	SHOW(mq_notify(q, &ev));
	SHOW(mq_notify(q, &ev));
	SHOW(mq_send(q, "a", 1, 0));
	sem_wait(&told_sem);
	printf("told %d\n", value);
	get(q);
	SHOW(mq_notify(q, &ev));
	SHOW(mq_notify(q, NULL));
	SHOW(mq_send(q, "a", 1, 0));
	get(q);
	ev.sigev_value.sival_int = 8;
	SHOW(mq_notify(q, &ev));
	SHOW(mq_send(q, "a", 1, 0));
	sem_wait(&told_sem);
	printf("told %d\n", value);
	get(q);
}

static void
by_hand(mqd_t q)
{
	unsigned char c[32];
	struct sigevent s = { .sigev_notify = SIGEV_THREAD };
	struct pollfd p = { .events = POLLIN };
	mqd_t q2;
	int other;

	nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	for (int i = 0; i < 32; i++)
		c[i] = (unsigned char)i;
	s.sigev_signo = nl;
	s.sigev_value.sival_ptr = c;
	SHOW(NOTIFY(q, &s));
	heard();
	SHOW(mq_send(q, "a", 1, 0));
	p.fd = nl;
	SHOW(poll(&p, 1, 0));
	heard();
	heard();
	get(q);
	SHOW(NOTIFY(q, &s));
	c[0] = 99;
	SHOW(NOTIFY(q, &s));
	heard();
	SHOW(NOTIFY(q, NULL));
	heard();
	SHOW(NOTIFY(q, NULL));
	heard();
	SHOW(NOTIFY(q, &s));
	status(q);
	q2 = mq_open("/abi-notify", O_RDWR | O_NONBLOCK);
	SHOW(NOTIFY(q2, &s));
	close(q2);
	heard();
	status(q);
	SHOW(NOTIFY(q, &s));
	other = dup(nl);
	close(nl);
	nl = other;
	SHOW(mq_send(q, "a", 1, 0));
	heard();
	get(q);
	/* The socket is closed before. */
	s.sigev_signo = socket(AF_NETLINK, SOCK_RAW, 0);
	SHOW(NOTIFY(q, &s));
	close(s.sigev_signo);
	SHOW(mq_send(q, "a", 1, 0));
	get(q);
	s.sigev_signo = nl;
	for (int i = 0; i < 3; i++) {
		SHOW(NOTIFY(q, &s));
		SHOW(mq_send(q, "a", 1, 0));
		get(q);
	}
	for (int i = 0; i < 4; i++)
		heard();
	s.sigev_signo = 99;
	SHOW(NOTIFY(q, &s));
	s.sigev_signo = q;
	SHOW(NOTIFY(q, &s));
	s.sigev_signo = socket(AF_UNIX, SOCK_DGRAM, 0);
	SHOW(NOTIFY(q, &s));
	s.sigev_signo = nl;
	SHOW(NOTIFY(0, &s));
	SHOW(NOTIFY(99, &s));
	s.sigev_value.sival_ptr = BAD;
	SHOW(NOTIFY(q, &s));
	s.sigev_value.sival_ptr = NULL;
	SHOW(NOTIFY(q, &s));
	s.sigev_notify = SIGEV_THREAD_ID;
	SHOW(NOTIFY(q, &s));
}

int
main(void)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 16 };
	mqd_t q;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sem_init(&told_sem, 0, 0);
	mq_unlink("/abi-notify");
	q = mq_open("/abi-notify", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &a);
	by_library(q);
	by_hand(q);
	mq_unlink("/abi-notify");
	return 0;
}
