/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of local sockets: names, pairs, messages with control data.
 */
#pragma once

#include "proc_common.h"
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static inline const char *
ok(long r)
{
	return r < 0 ? strerrorname_np(errno) : "ok";
}

/* name "@x": in the abstract space; length without padding. */
static inline socklen_t
un_addr(struct sockaddr_un *a, const char *name)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, name);
	if (*name == '@')
		a->sun_path[0] = 0;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			   strlen(name) + (*name != '@'));
}

static inline int
un_bind(int fd, const char *name)
{
	struct sockaddr_un a;
	socklen_t len = un_addr(&a, name);

	return bind(fd, (struct sockaddr *)&a, len);
}

static inline int
un_connect(int fd, const char *name)
{
	struct sockaddr_un a;
	socklen_t len = un_addr(&a, name);

	return connect(fd, (struct sockaddr *)&a, len);
}

static inline void
show_addr(const char *what, int r, const struct sockaddr_un *a, socklen_t len)
{
	if (r < 0) {
		printf("%s: %s\n", what, strerrorname_np(errno));
		return;
	}
	printf("%s: length %u", what, len);
	if (len >= 2)
		printf(" family %d", a->sun_family);
	for (unsigned i = 2; i < len && i < sizeof(*a); i++) {
		char c = ((const char *)a)[i];

		if (i == 2)
			printf(" \"");
		printf(c < 32 ? "\\%d" : "%c", c);
	}
	printf(len > 2 ? "\"\n" : "\n");
}

static inline void
show_names(const char *what, int fd)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	int r;

	printf("%s ", what);
	r = getsockname(fd, (struct sockaddr *)&a, &len);
	show_addr("name", r, &a, len);
	len = sizeof(a);
	printf("%s ", what);
	r = getpeername(fd, (struct sockaddr *)&a, &len);
	show_addr("peer", r, &a, len);
}

static inline int
ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

static inline void
pair(int type, int fd[2])
{
	if (socketpair(AF_UNIX, type, 0, fd)) {
		printf("no pair\n");
		exit(1);
	}
}
