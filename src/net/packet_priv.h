/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_PACKET inside: the socket (packet.c) and the ring that a program maps
 * (packet_ring.c).
 */
#pragma once

#include <abi/packet.h>
#include <core/spinlock.h>
#include <net/netif.h>
#include <net/socket.h>
#include <sched/mutex.h>
#include <sched/wait.h>

struct packet_ring;
struct file_mmap;

/* A frame as the tap gives it, cut as the socket wants it. */
struct packet_view {
	const struct net_frame *frame;
	uint32_t from; /* offset of its first byte in the frame */
	uint32_t len;  /* the whole length from there */
	uint32_t keep; /* what the filter left */
};

/* -EINVAL, -ENOMEM. */
MUST_CHECK int ring_create(const struct tpacket_req *req, uint32_t reserve,
			   struct packet_ring **out);
void ring_drop(struct packet_ring *r); /* NULL: nothing */
/* The next frame of the ring, if the program is done with it; the socket's
 * lock is held.  false: dropped. */
bool ring_put(struct packet_ring *r, const struct packet_view *v,
	      const struct sockaddr_ll *from, bool losing);
bool ring_readable(const struct packet_ring *r);
MUST_CHECK int ring_mmap(struct packet_ring *r, struct file_mmap *m);
