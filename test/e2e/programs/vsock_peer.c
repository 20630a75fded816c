/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ends of AF_VSOCK: "host" on a Linux with vhost_vsock, "guest CID" in its
 * machine, which is reached at CID.  Data goes both ways at once over a
 * connection that the guest makes, then over one that the host makes; a
 * message too, where both can; and a refusal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/vm_sockets.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BULK (1u << 20)
#define CID  42

static struct sockaddr_vm
addr(unsigned cid, unsigned port)
{
	struct sockaddr_vm a = { .svm_family = AF_VSOCK,
				 .svm_port = port,
				 .svm_cid = cid };

	return a;
}

static int
listener(int type, unsigned port)
{
	struct sockaddr_vm a = addr(VMADDR_CID_ANY, port);
	int l = socket(AF_VSOCK, type, 0);

	if (l < 0 || bind(l, (void *)&a, sizeof(a)) || listen(l, 4))
		perror("listener");
	return l;
}

/* The other one may not listen yet. */
static int
to(int type, unsigned cid, unsigned port)
{
	static const struct timespec nap = { 0, 20000000 };
	struct sockaddr_vm a = addr(cid, port);
	int s = -1;

	for (int i = 0; i < 500; i++) {
		s = socket(AF_VSOCK, type, 0);
		if (!connect(s, (void *)&a, sizeof(a)))
			return s;
		close(s);
		nanosleep(&nap, NULL);
	}
	perror("connect");
	return -1;
}

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

static void *
pour(void *arg)
{
	static uint8_t b[40000];
	int fd = *(int *)arg;

	for (size_t at = 0; at < BULK;) {
		size_t n = BULK - at < sizeof(b) ? BULK - at : sizeof(b);

		for (size_t i = 0; i < n; i++)
			b[i] = byte_at(at + i);
		if (send(fd, b, n, 0) != (ssize_t)n) {
			perror("pour");
			break;
		}
		at += n;
	}
	shutdown(fd, SHUT_WR);
	return NULL;
}

static void
both_ways(const char *who, const char *what, int fd)
{
	static uint8_t b[50000];
	size_t at = 0, wrong = 0;
	pthread_t t;
	ssize_t n;

	pthread_create(&t, NULL, pour, &fd);
	while ((n = recv(fd, b, sizeof(b), 0)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			wrong += b[i] != byte_at(at + (size_t)i);
		at += (size_t)n;
	}
	pthread_join(t, NULL);
	printf("%s: %s: %zu bytes, %zu wrong, end %zd\n", who, what, at, wrong,
	       n);
	close(fd);
}

static void
host(void)
{
	int l = listener(SOCK_STREAM, 1000), q = listener(SOCK_SEQPACKET, 1001);
	int fd = accept(l, NULL, NULL);
	char b[100];
	ssize_t n;

	both_ways("host", "accepted", fd);
	both_ways("host", "connected", to(SOCK_STREAM, CID, 2000));
	fd = accept(q, NULL, NULL);
	n = recv(fd, b, sizeof(b), 0);
	send(fd, b, (size_t)n, 0);
	printf("host: message of %zd\n", n);
	recv(fd, b, 1, 0);
	close(fd);
}

static void
guest(void)
{
	struct sockaddr_vm a = addr(VMADDR_CID_HOST, 1999);
	int l = listener(SOCK_STREAM, 2000), fd;
	char b[100];

	both_ways("guest", "connected", to(SOCK_STREAM, VMADDR_CID_HOST, 1000));
	both_ways("guest", "accepted", accept(l, NULL, NULL));
	fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (connect(fd, (void *)&a, sizeof(a)))
		printf("guest: nobody: %s\n", strerrorname_np(errno));
	fd = to(SOCK_SEQPACKET, VMADDR_CID_HOST, 1001);
	send(fd, "a message", 9, 0);
	printf("guest: message back: %zd\n", recv(fd, b, sizeof(b), 0));
	close(fd);
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "host"))
		host();
	else
		guest();
	return 0;
}
