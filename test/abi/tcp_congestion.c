/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP_CONGESTION: names that there are and are not, what a connection has from
 * its listener, how much of a name is told.  The default is each system's own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
set(int s, const char *name, socklen_t len)
{
	int r = setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, len);

	printf("set %s, %u: %s\n", name, (unsigned)len,
	       r ? strerror(errno) : "done");
}

static void
get(const char *what, int s, socklen_t len)
{
	char name[32] = "";
	int r = getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &len);

	printf("%s: %d, %u bytes, %s\n", what, r, (unsigned)len, name);
}

int
main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), c, s;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	set(l, "no such", 7);
	set(l, "reno", 0);
	set(l, "reno", 4);
	get("whole", l, 32);
	get("exact", l, 16);
	get("short", l, 3);
	set(l, "renoxx", 4);
	set(l, "reno1", 5);
	bind(l, (struct sockaddr *)&a, sizeof(a));
	listen(l, 1);
	getsockname(l, (struct sockaddr *)&a, &len);
	c = socket(AF_INET, SOCK_STREAM, 0);
	printf("connect: %d\n", connect(c, (struct sockaddr *)&a, sizeof(a)));
	s = accept(l, NULL, NULL);
	get("accepted", s, 32);
	set(s, "reno", 5);
	close(s);
	close(c);
	close(l);
	return 0;
}
