/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network of the test's own, where the host lets it have one: what it
 * changes is nobody else's, and no other program has its ports.  Include it
 * with _GNU_SOURCE.
 */
#pragma once

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* With lo up.  false: this system has networks for who may make them, and the
 * test may not. */
static bool
own_network(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int s;

	if (unshare(CLONE_NEWNET))
		return errno == ENOSYS; /* the machine is the test's */
	s = socket(AF_INET, SOCK_DGRAM, 0);
	ioctl(s, SIOCGIFFLAGS, &r);
	r.ifr_flags |= IFF_UP;
	ioctl(s, SIOCSIFFLAGS, &r);
	close(s);
	return true;
}
