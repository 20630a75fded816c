/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What several tests of sockets share: a result as a line, an option of one int.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static inline void
result(const char *what, long r)
{
	printf("%s: %ld %s\n", what, r, r < 0 ? strerrorname_np(errno) : "");
}

static inline int
option(int fd, int level, int name, int v)
{
	return setsockopt(fd, level, name, &v, sizeof(v));
}
