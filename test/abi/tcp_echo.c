/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP over loopback between two threads: bytes there and back, in order, of
 * small and large writes; the end of the stream; names of both ends.
 * CALLS: accept, accept4, connect, listen, recvfrom, sendto, shutdown
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BULK (3 << 20)

static void *
echo(void *arg)
{
	int l = *(int *)arg, c = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	static char buf[70000];
	ssize_t n;

	while ((n = recv(c, buf, sizeof(buf), 0)) > 0) {
		for (ssize_t at = 0; at < n;) {
			ssize_t w = send(c, buf + at, n - at, 0);

			if (w < 0)
				perror("echo: send");
			at += w;
		}
	}
	close(c);
	return (void *)n;
}

static void *
writer(void *arg)
{
	int s = *(int *)arg;
	unsigned x = 1;
	static unsigned char buf[50000];

	for (size_t left = BULK; left;) {
		size_t n = left < sizeof(buf) ? left : sizeof(buf);

		for (size_t i = 0; i < n; i++)
			buf[i] = (unsigned char)((x = x * 1103515245 + 12345) >>
						 16);
		for (size_t at = 0; at < n;) {
			ssize_t w = send(s, buf + at, n - at, 0);

			if (w <= 0) {
				perror("writer");
				return NULL;
			}
			at += (size_t)w;
		}
		left -= n;
	}
	return (void *)(long)shutdown(s, SHUT_WR);
}

int
main(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET }, me, peer;
	socklen_t len = sizeof(sa);
	int l = socket(AF_INET, SOCK_STREAM, 0), s;
	static unsigned char buf[40000];
	size_t total = 0, bad = 0;
	unsigned x = 1;
	pthread_t t, w;
	ssize_t n;
	void *r;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	printf("bind %d\n", bind(l, (struct sockaddr *)&sa, sizeof(sa)));
	printf("listen %d\n", listen(l, 5));
	getsockname(l, (struct sockaddr *)&sa, &len);
	printf("port chosen: %d\n", ntohs(sa.sin_port) > 1023);
	pthread_create(&t, NULL, echo, &l);
	s = socket(AF_INET, SOCK_STREAM, 0);
	printf("connect %d\n", connect(s, (struct sockaddr *)&sa, len));
	len = sizeof(me);
	getsockname(s, (struct sockaddr *)&me, &len);
	len = sizeof(peer);
	getpeername(s, (struct sockaddr *)&peer, &len);
	printf("me %s, peer %s, same port %d, len %d\n", inet_ntoa(me.sin_addr),
	       inet_ntoa(peer.sin_addr), peer.sin_port == sa.sin_port,
	       (int)len);
	for (int i = 0; i < 1000; i++) {
		char c = (char)i, d = 0;

		if (send(s, &c, 1, 0) != 1 || recv(s, &d, 1, 0) != 1 || c != d)
			printf("byte %d: %d\n", i, d);
	}
	pthread_create(&w, NULL, writer, &s);
	while ((n = recv(s, buf, sizeof(buf), 0)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			bad += buf[i] !=
			       (unsigned char)((x = x * 1103515245 + 12345) >>
					       16);
		total += (size_t)n;
	}
	pthread_join(w, &r);
	printf("shutdown %ld\n", (long)r);
	pthread_join(t, &r);
	printf("echo's last recv %ld\n", (long)r);
	printf("total %zu, wrong %zu, then %zd\n", total, bad, n);
	n = send(s, "x", 1, MSG_NOSIGNAL);
	printf("send after shutdown: %zd %s\n", n, strerror(errno));
	close(s);
	close(l);
	return 0;
}
