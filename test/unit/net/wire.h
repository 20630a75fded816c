/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two interfaces of one stack (stack.h) and what is between them: a wire that
 * loses, delays, reorders and repeats, devices that cut large segments and keep
 * packets, a client that writes bytes known beforehand and a server that checks
 * them.  step() is a millisecond; it also checks the queues of both ends.
 */
#pragma once

#include "stack.h"

#include <lwip/netif.h>

#define KEEP 256

/* The wire: in percent, and milliseconds. */
extern unsigned loss, reorder, twice, delay, path_mtu;
/* Its narrowest place on the way to the server: packets a millisecond, 0 for as
 * many as come, and how many wait there. */
extern unsigned rate, queue;
/* The device: keeps packets for so many milliseconds; so many percent are
 * turned away. */
extern unsigned slow, full;
/* Is this packet lost?  NULL: `loss` says. */
extern bool (*loses)(int to, const void *data, uint16_t len);
extern unsigned sent, lost, large; /* packets; large segments */
extern unsigned sent_there;	   /* those to the server */
extern struct packet *wire;
extern struct packet *kept[KEEP]; /* samples for damage */
extern unsigned nkept;
extern struct netif nif[2]; /* the client's, the server's */

/* NULL: there is none. */
extern struct tcp_pcb *client, *server;
extern uint32_t to_send, written, got;
extern uint32_t first_seq, told; /* the client's; bytes it was told of */
extern uint32_t urgent_at;
extern bool fin_seen;
/* The server's window; in percent, how likely a step reads of what is there. */
extern uint32_t unread, window;
extern unsigned reading;
extern unsigned scarce; /* one allocation in so many fails; 0 */
extern bool hurry;	/* the client closes as soon as all is written */
extern bool over6;	/* by IPv6 */
extern bool made_up;	/* packets with data of nobody's come, too */

uint8_t byte_at(uint32_t i);
void open_stack(void); /* with a listener; once */
void step(void);
void check_queues(const struct tcp_pcb *pcb);
void open_both(void);
void close_both(void);
void fill(void); /* writes */
void feed(void); /* and sends */
void reader(void);
/* A segment with so many bytes of data for a connection, as its other end
 * might send it. */
void give_tcp(const struct tcp_pcb *to, uint32_t seq, uint32_t ack,
	      const uint8_t *opts, unsigned optlen, unsigned len);
/* Simulated milliseconds that so many bytes took. */
uint32_t transfer(const char *what, uint32_t bytes);
void settle(void); /* until every connection is forgotten */
