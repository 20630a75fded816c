/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lwIP as a program of the host: what it asks of its platform, for the tests
 * that drive it by hand.  Time stands still but for now_ms, chance comes from
 * one seed, and what is held is counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <lwip/pbuf.h>
#include <lwip/tcp.h>

#include "../unit.h"

#define MTU 1500

extern uint32_t now_ms;
extern uint64_t seed;
extern long allocated;		 /* blocks */
extern unsigned fail_one_in;	 /* allocations, but for connections; 0 */
extern long refs;		 /* of segments sent by reference */
extern struct tcp_pcb *listener; /* the only one; may be NULL */
extern unsigned cookies, cookies_good;

uint32_t rnd(uint32_t below);

/* Under way: what arrives first is first; [at] is in milliseconds. */
struct packet {
	struct packet *next;
	uint32_t at;
	int to;
	uint16_t len;
	uint8_t data[];
};
/* Puts a copy where it belongs by its time. */
void packet_put(struct packet **wire, uint32_t at, int to, const void *data,
		uint16_t len);

/* Gives what is due now to the interface that it is for. */
void packets_arrive(struct packet **wire, struct netif nif[2]);

/* A connection of which only lwIP knows is let go, as the kernel does; where
 * its argument is the one pointer to it. */
void forget_closed(struct tcp_pcb *pcb);
/* The same of one that has ended otherwise: for tcp_err(). */
void forget_ended(void *arg, err_t err);

/* A segment that a device would cut; made only where offload is set. */
struct gso {
	struct pbuf_custom pc;
	uint16_t size;
	struct pbuf *held[64];
	unsigned n, room;
	uint16_t off[64];
	uint8_t head[200];
};
extern bool offload;
extern bool whole; /* the other device takes it as it is: large receive */
/* Of an IP packet of TCP; 0 where its checksum is right. */
uint16_t tcp_sum(const uint8_t *pkt, uint16_t len);
/* What a device does with it: one() gets each packet. */
void gso_cut(struct pbuf *p, int to,
	     void (*one)(int to, const void *data, uint16_t len));
