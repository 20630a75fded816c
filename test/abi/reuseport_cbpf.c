/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SO_ATTACH_REUSEPORT_CBPF: a program in classic BPF chooses among the sockets
 * of a port, by their order; over loopback.
 * CALLS: setsockopt
 */
#define _GNU_SOURCE
#include "sock_common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif
#ifndef SO_DETACH_REUSEPORT_BPF
#define SO_DETACH_REUSEPORT_BPF 68
#endif

#define N 3

/* The first byte of the data; the CPU, of which none is beyond 1000. */
static struct sock_filter by_byte[] = {
	{ BPF_LD | BPF_B | BPF_ABS, 0, 0, 0 },
	{ BPF_RET | BPF_A, 0, 0, 0 },
};
static struct sock_filter by_cpu[] = {
	{ BPF_LD | BPF_W | BPF_ABS, 0, 0, SKF_AD_OFF + SKF_AD_CPU },
	{ BPF_JMP | BPF_JGE | BPF_K, 0, 1, 1000 },
	{ BPF_RET | BPF_K, 0, 0, 0 },
	{ BPF_RET | BPF_K, 0, 0, 2 },
};
static struct sock_filter always_1[] = {
	{ BPF_RET | BPF_K, 0, 0, 1 },
};
static struct sock_filter bad[] = {
	{ BPF_LD | BPF_B | BPF_ABS, 0, 0, 0 },
};

static int fds[N];
static struct sockaddr_storage at;
static socklen_t len;

static int
one(int fd, int name)
{
	int v = 1;

	return setsockopt(fd, SOL_SOCKET, name, &v, sizeof(v));
}

static int
attach(int fd, struct sock_filter *f, size_t n)
{
	struct sock_fprog p = { (unsigned short)n, f };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &p,
			  sizeof(p));
}
#define ATTACH(fd, f) attach((fd), (f), sizeof(f) / sizeof((f)[0]))

static void
start(int family, int type)
{
	struct sockaddr_in *in = (void *)&at;
	struct sockaddr_in6 *in6 = (void *)&at;

	printf("-- family %d, type %d\n", family, type);
	memset(&at, 0, sizeof(at));
	at.ss_family = (sa_family_t)family;
	if (family == AF_INET)
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		in6->sin6_addr = in6addr_loopback;
	len = family == AF_INET ? sizeof(*in) : sizeof(*in6);
	for (int i = 0; i < N; i++) {
		fds[i] = socket(family, type, 0);
		one(fds[i], SO_REUSEPORT);
		if (bind(fds[i], (void *)&at, len))
			perror("bind");
		getsockname(fds[i], (void *)&at, &len);
		if (type == SOCK_STREAM)
			listen(fds[i], 5);
	}
}

/* Who gets it; with `any`, that somebody does. */
static void
ask(int type, const char *data, int any)
{
	struct pollfd p[N];
	int c = socket(at.ss_family, type, 0);
	char buf[10];

	connect(c, (void *)&at, len);
	if (type == SOCK_DGRAM)
		send(c, data, strlen(data), 0);
	for (int i = 0; i < N; i++)
		p[i] = (struct pollfd){ fds[i], POLLIN, 0 };
	printf("\"%d\": %d ready", data[0], poll(p, N, 200000));
	for (int i = 0; i < N; i++) {
		if (!(p[i].revents & POLLIN))
			continue;
		if (!any)
			printf(", %d", i);
		if (type == SOCK_DGRAM)
			recv(fds[i], buf, sizeof(buf), 0);
		else
			close(accept(fds[i], NULL, NULL));
	}
	printf("\n");
	close(c);
}

static void
end(void)
{
	for (int i = 0; i < N; i++)
		close(fds[i]);
}

static void
datagrams(int family)
{
	start(family, SOCK_DGRAM);
	result("bad", ATTACH(fds[0], bad));
	result("attach", ATTACH(fds[0], by_byte));
	ask(SOCK_DGRAM, "\1", 0);
	ask(SOCK_DGRAM, "\2", 0);
	ask(SOCK_DGRAM, "", 0); /* a load beyond the end: 0 */
	ask(SOCK_DGRAM, "\3", 1);
	result("another", ATTACH(fds[2], always_1));
	ask(SOCK_DGRAM, "\2", 0);
	result("by CPU", ATTACH(fds[1], by_cpu));
	ask(SOCK_DGRAM, "\1", 0);
	/* It is the group's. */
	close(fds[1]);
	fds[1] = socket(family, SOCK_DGRAM, 0);
	result("alone", one(fds[1], SO_DETACH_REUSEPORT_BPF));
	result("alone", ATTACH(fds[1], by_byte));
	result("detach", one(fds[0], SO_DETACH_REUSEPORT_BPF));
	result("detach", one(fds[0], SO_DETACH_REUSEPORT_BPF));
	end();
}

static void
connections(int family)
{
	start(family, SOCK_STREAM);
	result("attach", ATTACH(fds[0], always_1));
	ask(SOCK_STREAM, "\1", 0);
	ask(SOCK_STREAM, "\1", 0);
	result("attach", ATTACH(fds[0], by_cpu));
	ask(SOCK_STREAM, "\1", 0);
	end();
}

int
main(void)
{
	datagrams(AF_INET);
	datagrams(AF_INET6);
	connections(AF_INET);
	connections(AF_INET6);
	return 0;
}
