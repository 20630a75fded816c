/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this klib share.  docs/design/ntp.md says how it is
 * meant.
 */
#pragma once

#include <abi/inet.h>
#include <base/compiler.h>
#include <base/types.h>

#define NTP_SERVERS_MAX	 4u
#define NTP_PACKET_BYTES 48u /* without extensions (RFC 5905, 7.3) */

/* ---- packet.c: bytes and words, without any state ---- */

/* "ADDR[:PORT][,ADDR...]" with IPv4 addresses.  How many, or -EINVAL. */
MUST_CHECK int ntp_parse_servers(const char *s,
				 struct sockaddr_in out[NTP_SERVERS_MAX]);

/* A question; nonce comes back in the answer to it. */
void ntp_ask(uint8_t packet[NTP_PACKET_BYTES], uint64_t nonce);

/* What an answer says: ns since 1970. */
struct ntp_answer {
	uint64_t received_ns, sent_ns; /* by the server's clock */
	uint64_t dispersion_ns;	       /* its distance from the truth */
};

/* 0; -EAGAIN: not an answer to that question; -EPERM: the server wants not to
 * be asked, -EBUSY: less often; -EPROTO: its clock is not to be used. */
MUST_CHECK int ntp_read(const uint8_t *p, size_t len, uint64_t nonce,
			struct ntp_answer *out);

/* An answer, and the time that passed between question and answer. */
struct ntp_sample {
	int64_t offset_ns; /* the server's clock minus ours */
	uint64_t error_ns; /* at most so wrong */
};

/* real_ns: our wall clock when the answer came, rtt_ns after the question.
 * -EPROTO: the times contradict each other. */
MUST_CHECK int ntp_compare(const struct ntp_answer *a, uint64_t real_ns,
			   uint64_t rtt_ns, struct ntp_sample *out);

/* The one to go by: of three or more the middle one, so that one server
 * that is wrong does no harm; else that with the smaller error. */
const struct ntp_sample *ntp_choose(struct ntp_sample *s, unsigned n);
