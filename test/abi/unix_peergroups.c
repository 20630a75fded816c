/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SO_PEERGROUPS: the groups of who made the pair, listened or connected, as
 * they were then; buffers that are too small; sockets without.
 * CALLS: getsockopt
 * NEEDS: root
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

static void
show(const char *what, int fd, socklen_t room)
{
	gid_t g[100] = { 0 };
	socklen_t len = room;
	int r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, g, &len);

	printf("%s: %s, %u bytes:", what, r ? strerrorname_np(errno) : "0",
	       len);
	for (unsigned i = 0; !r && i < len / sizeof(*g); i++)
		printf(" %u", g[i]);
	printf("\n");
}

int
main(void)
{
	static const gid_t five[] = { 7, 3, 3, 100, 5 }, one[] = { 1 },
			   two[] = { 42, 41 };
	struct sockaddr_un sa = { .sun_family = AF_UNIX,
				  .sun_path = "\0peergroups" };
	int s[2], l, c, u;

	setgroups(5, five);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	show("pair", s[0], 400);
	show("the other end", s[1], 400);
	show("two bytes short", s[0], 18);
	show("exact", s[0], 20);
	show("no room", s[0], 0);
	setgroups(1, one);
	show("after", s[0], 400);
	setgroups(0, NULL);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	show("none", s[0], 400);
	show("none, no room", s[0], 0);
	u = socket(AF_UNIX, SOCK_STREAM, 0);
	show("not connected", u, 400);
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(l, (struct sockaddr *)&sa, sizeof(sa));
	show("bound", l, 400);
	setgroups(2, two);
	listen(l, 1);
	show("listener", l, 400);
	setgroups(1, one);
	connect(u, (struct sockaddr *)&sa, sizeof(sa));
	show("client", u, 400);
	c = accept(l, NULL, NULL);
	show("accepted", c, 400);
	show("IPv4", socket(AF_INET, SOCK_STREAM, 0), 400);
	show("datagrams", socket(AF_UNIX, SOCK_DGRAM, 0), 400);
	l = setsockopt(u, SOL_SOCKET, SO_PEERGROUPS, one, sizeof(one));
	printf("set: %d %s\n", l, strerrorname_np(errno));
	return 0;
}
