/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll(2): events and the structure.
 */
#pragma once

#include <stdint.h>

#define POLLIN	   0x0001u
#define POLLPRI	   0x0002u
#define POLLOUT	   0x0004u
#define POLLERR	   0x0008u
#define POLLHUP	   0x0010u
#define POLLNVAL   0x0020u
#define POLLRDNORM 0x0040u
#define POLLRDBAND 0x0080u
#define POLLWRNORM 0x0100u
#define POLLWRBAND 0x0200u
#define POLLMSG	   0x0400u
#define POLLRDHUP  0x2000u

struct pollfd {
	int32_t fd;
	int16_t events;
	int16_t revents;
};

_Static_assert(sizeof(struct pollfd) == 8, "pollfd");
