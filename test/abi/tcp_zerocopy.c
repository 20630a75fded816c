/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSG_ZEROCOPY over loopback, where Linux copies: the notifications of the
 * error queue, one for neighbours, none without SO_ZEROCOPY or without data,
 * POLLERR until they are read.
 * CALLS: sendto, recvmsg
 */
#define _GNU_SOURCE
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "wait_common.h"
#include "zerocopy.h"

static char big[100000];

static void
pair(int family)
{
	struct sockaddr_storage ss;
	struct sockaddr *sa = (void *)&ss;
	socklen_t l = loopback(family, &ss);
	int s = socket(family, SOCK_STREAM, 0);

	bind(s, sa, l);
	listen(s, 1);
	getsockname(s, sa, &l);
	a = socket(family, SOCK_STREAM, 0);
	connect(a, sa, l);
	b = accept(s, NULL, NULL);
	close(s);
}

static void
put(size_t len, int flags)
{
	size_t got = 0;

	printf("send %zu: %zd\n", len, send(a, big, len, flags));
	while (got < len) {
		ssize_t n = read(b, big, sizeof(big));

		if (n <= 0)
			break;
		got += (size_t)n;
	}
}

/* Bytes that were not acknowledged. */
static int
unsent(void)
{
	int n = -1;

	ioctl(a, SIOCOUTQ, &n);
	return n;
}

static void
option(int v)
{
	socklen_t l = sizeof(v);
	int r = setsockopt(a, SOL_SOCKET, SO_ZEROCOPY, &v, sizeof(v));

	printf("set %d: %s, ", v, r ? strerrorname_np(errno) : "0");
	v = -1;
	r = getsockopt(a, SOL_SOCKET, SO_ZEROCOPY, &v, &l);
	printf("get: %d %d\n", r, v);
}

int
main(void)
{
	socklen_t l = sizeof(int);
	int v = -1;

	setvbuf(stdout, NULL, _IONBF, 0);
	for (int i = 0; i < 2; i++) {
		pair(i ? AF_INET6 : AF_INET);
		put(3, MSG_ZEROCOPY);
		note(0);
		option(2);
		option(-1);
		option(1);
		put(3, MSG_ZEROCOPY);
		note(200000);
		note(0);
		put(3, 0);
		put(0, MSG_ZEROCOPY);
		note(0);
		put(sizeof(big), MSG_ZEROCOPY);
		note(200000);
		getsockopt(a, SOL_SOCKET, SO_ERROR, &v, &l);
		printf("error: %d\n", v);
		put(3, MSG_ZEROCOPY);
		put(3, MSG_ZEROCOPY);
		put(3, MSG_ZEROCOPY);
		UNTIL(unsent() == 0); /* all three are done */
		note(200000);
		note(0);
		close(a);
		close(b);
	}
	return 0;
}
