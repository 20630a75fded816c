/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of TCP share: a listener on any port of the loopback.
 * Include it with _GNU_SOURCE.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct sockaddr_in addr; /* the listener's */
static int listener;

static void
listen_on(int backlog)
{
	socklen_t l = sizeof(addr);

	memset(&addr, 0, sizeof(addr));
	addr.sin_family = AF_INET;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, backlog))
		abort();
	getsockname(listener, (struct sockaddr *)&addr, &l);
}
