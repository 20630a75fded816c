/* SPDX-License-Identifier: Apache-2.0 */
/* Between the table of ports and what is left of connections in it. */
#pragma once

#include <net/inet.h>

#define PORTS_NHASH 512u

/* Who has a port, as far as a conflict goes. */
struct port_claim {
	const struct inet_addr *addr;
	uint32_t uid;
	int ifindex; /* bound to, or 0 */
	bool v6, v6only, reuse, reuseport, listens;
};

extern struct spinlock ports_lock; /* RANK_DEVICE */

/* The caller holds ports_lock. */
struct port_claim port_claim_of(const struct inet_sock *sk,
				const struct inet_addr *addr);
bool port_claims_meet(const struct port_claim *a, const struct port_claim *b);
bool ports_rest_meets(const struct port_claim *c, uint16_t port);
bool ports_rest_has(uint16_t port);
/* sk is connected: are these its ends, whichever port it has of its own? */
bool ports_same_ends(const struct inet_sock *sk, const struct inet_end *local,
		     const struct inet_end *remote);
/* What is left of a connection between the same ends is in the way. */
bool ports_rest_parts(const struct inet_sock *sk, uint16_t port);
/* sk has begun anew what was left within the machine. */
void ports_rest_replace(const struct inet_sock *sk);
void ports_unlist(struct inet_sock *sk);
/* Who may have port, of sk's kind. */
struct hlist_head *ports_chain(const struct inet_sock *sk, uint16_t port);
/* ports_steer.c: sk leaves its group.  And the place that its program chooses
 * among the n members, the oldest first; n or more: none. */
void ports_steer_leave(struct inet_sock *sk);
unsigned ports_steer(struct inet_sock *const *v, unsigned n,
		     const struct bpf_packet *p);
