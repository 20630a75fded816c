/* SPDX-License-Identifier: Apache-2.0 */
/* What a DHCP server says beside what lwIP reads itself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LEASE_ROUTES	 16
#define LEASE_SEARCH_MAX 256 /* bytes, with the 0 */

struct lease_route {
	uint8_t dst[4], via[4]; /* via 0.0.0.0: on the link */
	uint8_t prefix;
};

struct lease {
	uint16_t mtu;	/* 0: not said */
	bool classless; /* it gave routes: its router is not one */
	unsigned nroutes;
	struct lease_route routes[LEASE_ROUTES];
	char search[LEASE_SEARCH_MAX]; /* names, a space between two */
	bool list;		       /* search is of option 119 */
};

/* Takes an option of `len` bytes into l; one that makes no sense is left. */
void lease_option(struct lease *l, uint8_t option, const uint8_t *v,
		  unsigned len);
