/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of the Network Time Protocol, version 4, as a simple client needs
 * them (RFC 5905, 7.3 and 14; RFC 4330 for what such a client must heed).
 *
 * An answer is input from outside: anybody may have sent it.  It counts only
 * with the 64 random bits of the question, and its numbers are bounded.
 */
#include "ntp.h"

#include <abi/errno.h>
#include <abi/socket.h>
#include <base/endian.h>
#include <base/string.h>

#define VERSION		4u
#define MODE_CLIENT	3u
#define MODE_SERVER	4u
#define LEAP_UNKNOWN	3u
#define STRATUM_MAX	15u
#define NTP_PORT	123u
#define UNIX_1970	2208988800ull /* seconds from 1900 (RFC 5905, 6) */
#define DISTANCE_MAX_NS 1500000000ull /* MAXDIST, RFC 5905, 11.1 */
#define NSEC		1000000000ull

/* Offsets of fields. */
enum {
	FLAGS = 0,
	STRATUM = 1,
	ROOT_DELAY = 4,
	ROOT_DISPERSION = 8,
	REFERENCE = 12,
	ORIGIN = 24,
	RECEIVED = 32,
	SENT = 40
};

static uint64_t
get(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/* A decimal number of at most max; NULL: it is none. */
static const char *
number(const char *s, uint32_t max, uint32_t *out)
{
	uint32_t v = 0;

	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (uint32_t)(*s - '0');
		if (v > max)
			return NULL;
	}
	*out = v;
	return s;
}

static const char *
parse_server(const char *s, struct sockaddr_in *out)
{
	uint32_t part, addr = 0, port = NTP_PORT;

	for (unsigned i = 0; s && i < 4; i++) {
		if (i && *s++ != '.')
			return NULL;
		s = number(s, 255, &part);
		addr = addr << 8 | part;
	}
	if (s && *s == ':')
		s = number(s + 1, UINT16_MAX, &port);
	if (!s || !port || !addr)
		return NULL;
	*out = (struct sockaddr_in){ .family = AF_INET,
				     .port = cpu_to_be16((uint16_t)port),
				     .addr = cpu_to_be32(addr) };
	return s;
}

int
ntp_parse_servers(const char *s, struct sockaddr_in out[NTP_SERVERS_MAX])
{
	unsigned n = 0;

	for (;;) {
		if (n == NTP_SERVERS_MAX)
			return -EINVAL;
		s = parse_server(s, &out[n++]);
		if (!s)
			return -EINVAL;
		if (!*s)
			return (int)n;
		if (*s++ != ',')
			return -EINVAL;
	}
}

/* Our own time is nobody's business: the field for it holds the nonce, which
 * the server sends back. */
void
ntp_ask(uint8_t packet[NTP_PACKET_BYTES], uint64_t nonce)
{
	memset(packet, 0, NTP_PACKET_BYTES);
	packet[FLAGS] = VERSION << 3 | MODE_CLIENT;
	for (unsigned i = 0; i < 8; i++)
		packet[SENT + i] = (uint8_t)(nonce >> (56 - 8 * i));
}

/* Seconds and fractions to ns since 1970; the first bit tells the era: clear
 * means one after 2036 (RFC 4330, 3). */
static uint64_t
time_at(const uint8_t *p)
{
	uint64_t sec = get(p, 4), fraction = get(p + 4, 4);

	if (!(sec & 0x80000000u))
		sec += 1ull << 32;
	/* The first bit being set, it is 1968 or later. */
	if (sec < UNIX_1970)
		return 0;
	return (sec - UNIX_1970) * NSEC + (fraction * NSEC >> 32);
}

/* 16 bits of seconds, 16 of fractions. */
static uint64_t
short_time(const uint8_t *p)
{
	return get(p, 4) * NSEC >> 16;
}

/* "Kiss codes" of a server that does not want to be asked (RFC 5905, 7.4). */
static int
refusal(const uint8_t *p)
{
	if (!memcmp(p, "DENY", 4) || !memcmp(p, "RSTR", 4))
		return -EPERM;
	return memcmp(p, "RATE", 4) ? -EPROTO : -EBUSY;
}

int
ntp_read(const uint8_t *p, size_t len, uint64_t nonce, struct ntp_answer *out)
{
	unsigned version;

	if (len < NTP_PACKET_BYTES || get(p + ORIGIN, 8) != nonce ||
	    (p[FLAGS] & 7) != MODE_SERVER)
		return -EAGAIN;
	version = p[FLAGS] >> 3 & 7;
	if (version < 3 || version > VERSION)
		return -EPROTO;
	if (!p[STRATUM])
		return refusal(p + REFERENCE);
	if (p[STRATUM] > STRATUM_MAX || p[FLAGS] >> 6 == LEAP_UNKNOWN)
		return -EPROTO;
	out->received_ns = time_at(p + RECEIVED);
	out->sent_ns = time_at(p + SENT);
	out->dispersion_ns = short_time(p + ROOT_DISPERSION) +
			     short_time(p + ROOT_DELAY) / 2;
	if (!out->received_ns || out->sent_ns < out->received_ns ||
	    out->dispersion_ns > DISTANCE_MAX_NS)
		return -EPROTO;
	return 0;
}

/* RFC 5905, 8: the server's stay is taken out of the way, and the two halves
 * of the rest are taken to be equal: the error is one of them at most. */
int
ntp_compare(const struct ntp_answer *a, uint64_t real_ns, uint64_t rtt_ns,
	    struct ntp_sample *out)
{
	uint64_t stay = a->sent_ns - a->received_ns, delay;

	if (stay > rtt_ns)
		return -EPROTO;
	delay = rtt_ns - stay;
	out->offset_ns = (int64_t)(a->sent_ns + delay / 2 - real_ns);
	out->error_ns = a->dispersion_ns + delay / 2;
	return 0;
}

const struct ntp_sample *
ntp_choose(struct ntp_sample *s, unsigned n)
{
	/* A few of them: in order by one pass for each. */
	for (unsigned i = 1; i < n; i++) {
		for (unsigned k = i; k && s[k - 1].offset_ns > s[k].offset_ns;
		     k--) {
			struct ntp_sample t = s[k];

			s[k] = s[k - 1];
			s[k - 1] = t;
		}
	}
	if (n == 2)
		return s[0].error_ns <= s[1].error_ns ? &s[0] : &s[1];
	return n ? &s[n / 2] : NULL;
}
