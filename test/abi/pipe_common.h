/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of pipes and of splicing share.
 */
#pragma once

#include "fs_common.h"
#include <poll.h>
#include <sys/ioctl.h>

#define SIZE 300000

static char buf[SIZE];

static int
avail(int fd)
{
	int n = -1;

	ioctl(fd, FIONREAD, &n);
	return n;
}

static int
ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

static void
drain(const int *p)
{
	while (avail(p[0]) > 0 && read(p[0], buf, sizeof(buf)) > 0)
		;
}

static void
writes(const int *p, int n, size_t len)
{
	for (int i = 0; i < n; i++)
		if (write(p[1], buf, len) != (ssize_t)len)
			printf("write %d of %zu: %s\n", i, len,
			       strerrorname_np(errno));
}
