/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of DHCP that lwIP leaves to us: the MTU (26, RFC 2132 section 5.1),
 * where names are looked for (15, section 3.17; 119, RFC 3397), and routes
 * (121, RFC 3442).  All of it comes from the network, and nothing is believed
 * but what is whole.
 */
#include "dhcp_options.h"

#include <base/string.h>

#define OPTION_DOMAIN 15
#define OPTION_MTU    26
#define OPTION_SEARCH 119
#define OPTION_ROUTES 121

#define MTU_LEAST 576 /* what each host must take, RFC 791 section 3.1 */

/* The bytes of a name that a resolver would take. */
static bool
is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static void
take_domain(struct lease *l, const uint8_t *v, unsigned len)
{
	while (len && !v[len - 1])
		len--; /* some count the end of the string */
	if (l->list || !len || len >= LEASE_SEARCH_MAX)
		return;
	for (unsigned i = 0; i < len; i++)
		if (!is_name_byte(v[i]) && v[i] != '.' && v[i] != ' ')
			return;
	memcpy(l->search, v, len);
	l->search[len] = '\0';
}

/* A name of RFC 1035 section 4.1.4 at v + at, to `to` of `room` bytes: its
 * length, -1.  A pointer leads back only, so there is an end. */
static int
take_name(char *to, unsigned room, const uint8_t *v, unsigned len, unsigned at,
	  unsigned *next)
{
	unsigned n = 0, limit = at, here = at;
	bool jumped = false;

	while (here < len && v[here]) {
		unsigned size = v[here];

		if (size >= 0xc0) {
			unsigned to_at;

			if (here + 1 >= len)
				return -1;
			to_at = (size & 0x3f) << 8 | v[here + 1];
			if (!jumped)
				*next = here + 2;
			if (to_at >= limit)
				return -1;
			here = limit = to_at;
			jumped = true;
			continue;
		}
		if (size > 63 || here + 1 + size > len || n + size + 2 > room)
			return -1;
		if (n)
			to[n++] = '.';
		for (unsigned i = 0; i < size; i++) {
			if (!is_name_byte(v[here + 1 + i]))
				return -1;
			to[n++] = (char)v[here + 1 + i];
		}
		here += size + 1;
	}
	if (here >= len || !n)
		return -1;
	if (!jumped)
		*next = here + 1;
	return (int)n;
}

static void
take_search(struct lease *l, const uint8_t *v, unsigned len)
{
	char names[LEASE_SEARCH_MAX];
	unsigned used = 0, at = 0;

	while (at < len) {
		unsigned gap = used ? 1 : 0;
		int n = take_name(names + used + gap,
				  (unsigned)sizeof(names) - used - gap, v, len,
				  at, &at);

		if (n < 0)
			break;
		if (gap)
			names[used] = ' ';
		used += gap + (unsigned)n;
	}
	if (!used)
		return;
	names[used] = '\0';
	memcpy(l->search, names, used + 1);
	l->list = true;
}

static void
take_routes(struct lease *l, const uint8_t *v, unsigned len)
{
	struct lease_route *r;
	unsigned n = 0, bytes;

	for (; len && n < LEASE_ROUTES; n++) {
		r = &l->routes[n];
		memset(r, 0, sizeof(*r));
		r->prefix = v[0];
		bytes = (r->prefix + 7u) / 8;
		if (r->prefix > 32 || len < 1 + bytes + 4)
			return;
		memcpy(r->dst, v + 1, bytes);
		if (r->prefix % 8)
			r->dst[bytes - 1] &= (uint8_t)(0xff00 >> r->prefix % 8);
		memcpy(r->via, v + 1 + bytes, 4);
		v += 1 + bytes + 4;
		len -= 1 + bytes + 4;
	}
	l->nroutes = n;
	l->classless = n;
}

void
lease_option(struct lease *l, uint8_t option, const uint8_t *v, unsigned len)
{
	switch (option) {
	case OPTION_DOMAIN:
		take_domain(l, v, len);
		break;
	case OPTION_MTU:
		if (len == 2 && (v[0] << 8 | v[1]) >= MTU_LEAST)
			l->mtu = (uint16_t)(v[0] << 8 | v[1]);
		break;
	case OPTION_SEARCH:
		take_search(l, v, len);
		break;
	case OPTION_ROUTES:
		take_routes(l, v, len);
		break;
	default:
		break;
	}
}
