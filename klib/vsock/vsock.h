/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_VSOCK inside: docs/design/vsock.md.
 *
 * sock.c	sockets as a program sees them: names, connecting, the end
 * data.c	sending and receiving
 * option.c	options, ioctls, readiness, /dev/vsock
 * conn.c	connections: what a packet does to one, and what one sends
 * table.c	who is bound to which port, who is connected to whom
 * queue.c	queues of bytes
 * virtio.c	the device
 *
 * Locks: vsock_lock (spin, interrupts off) guards every socket's state and
 * queues, the tables, and what is on its way within the machine.  It is let
 * go by vsock_unlock() only, which first delivers what was sent to sockets of
 * the machine and then, without the lock, hands to the device what is for it.
 * A queue's lock of the device is never held together with it.  The reader
 * and sender mutexes are outside of it: the program's memory is copied with
 * them.
 *
 * Life: a socket has a reference of its file (or of the listener's queue that
 * it waits in), one of the table of connections, and one of each packet of
 * its own that is on its way.  It outlives its file until the peer has
 * answered the end (RST) or CLOSE_NS have passed.
 *
 * Memory: a socket promises its peer room (buf_alloc); what all sockets have
 * promised and hold is limited to a share of the machine's memory, beyond
 * which each is left PROMISE_LEAST.  Who sends more than was promised loses
 * the connection.  Control packets are a part of the socket, so that none can
 * fail for lack of memory; answers to strangers are limited in number.
 */
#pragma once

#include <abi/socket.h>
#include <abi/vsock.h>
#include <base/hlist.h>
#include <base/list.h>
#include <base/refcount.h>
#include <core/spinlock.h>
#include <net/socket.h>
#include <sched/mutex.h>

struct poll_table;
struct uio;

/* A packet, and a piece of a queue of bytes. */
struct vsock_pkt {
	struct list link;
	struct vsock_sock *owner; /* who sends it, referenced; NULL: nobody */
	uint32_t off, len, room;  /* of data: begin, end, size */
	struct virtio_vsock_hdr hdr;
	uint8_t data[];
};

struct vsock_queue {
	struct list pieces;
	uint32_t bytes;
};

enum vsock_state {
	VSOCK_FRESH,	  /* may be connected, or listen */
	VSOCK_CONNECTING, /* a request was sent */
	VSOCK_CONNECTED,
	VSOCK_ENDED, /* was connected; the peer is gone */
	VSOCK_LISTENING,
};

/* As the peer is told: VIRTIO_VSOCK_SHUTDOWN_*. */
#define NO_RECV VIRTIO_VSOCK_SHUTDOWN_RECEIVE
#define NO_SEND VIRTIO_VSOCK_SHUTDOWN_SEND
#define NO_BOTH VIRTIO_VSOCK_SHUTDOWN_BOTH

/* The time-out of connect() is counted in ticks, as Linux's answers show. */
#define VSOCK_TICK_NS	    4000000u
#define VSOCK_TIMEOUT_TICKS 500u

/* Lengths in a queue of messages. */
#define MESSAGE_EOR 0x80000000u

/* Control packets that wait their turn, in the order in which they go. */
#define WANT_RESET    (1u << 0)
#define WANT_REQUEST  (1u << 1)
#define WANT_RESPONSE (1u << 2)
#define WANT_UPDATE   (1u << 3)
#define WANT_CREDIT   (1u << 4)
#define WANT_SHUTDOWN (1u << 5)

/* [g]: vsock_lock; [g, a]: written with it, read without */
struct vsock_sock {
	struct socket sock; /* first */
	struct refcount refs;
	uint8_t state; /* [g, a] enum vsock_state */
	bool near;     /* [g] the peer is in this machine */
	bool parting;  /* [g] shutdown() was called: the peer has no name */
	bool bound;    /* [g] in the table of ports */
	bool closed;   /* [g] its file is gone */
	uint8_t shut;  /* [g, a] what we said that we do no more */
	uint8_t peer_shut;
	uint32_t cid, port, peer_cid, peer_port; /* [g, a] */
	struct hlist_node port_link;		 /* [g] */
	struct hlist_node peer_link;		 /* [g] */
	struct waitq wq;			 /* everything */

	struct mutex reader;	     /* RANK_FILEPOS: takes from rx */
	struct vsock_queue rx;	     /* [g] */
	struct vsock_queue messages; /* [g] lengths of those that are whole */
	uint32_t nmessages;	     /* [g, a] */
	uint32_t message_len;	     /* [g] of the one that is under way */
	uint64_t rx_total;	     /* [g] bytes that came */
	uint64_t forwarded;	     /* [g] bytes that left rx */
	uint64_t told;	   /* [g] as much may come, by our last word */
	uint64_t promised; /* [g] the most that told ever was */

	struct mutex sender; /* RANK_FILEPOS: one message at a time */
	uint32_t tx_count;   /* [g] bytes sent, modulo 2^32 */
	uint32_t peer_fwd;   /* [g] */
	uint32_t peer_alloc; /* [g] */
	uint32_t tx_queued;  /* [g] bytes that the device has not taken */
	bool credit_awaited; /* [g] the peer was asked */

	uint64_t size, size_min, size_max; /* [a] SO_VM_SOCKETS_BUFFER_* */
	uint64_t timeout_ticks;		   /* [a] of connect() */

	uint64_t deadline_ns;	  /* [g] of connecting or closing */
	struct list timed;	  /* [g] */
	struct list queue;	  /* [g] to be accepted */
	struct list queue_link;	  /* [g] in the listener's */
	unsigned nqueue, backlog; /* [g] */

	uint32_t want;	      /* [g] WANT_* */
	bool busy;	      /* [g] ctl is on its way */
	struct vsock_pkt ctl; /* last: it has no data */
};

static inline struct vsock_sock *
vsock_of(struct socket *s)
{
	return container_of(s, struct vsock_sock, sock);
}

static inline bool
vsock_is_stream(const struct vsock_sock *s)
{
	return s->sock.type == SOCK_STREAM;
}

/* ---- sock.c ---- */

MUST_CHECK int vsock_create(int type, int protocol, struct socket **out);
struct vsock_sock *vsock_new(int type, unsigned alloc); /* NULL: no memory */
void vsock_get(struct vsock_sock *s);
void vsock_put(struct vsock_sock *s);
/* Until ready(s), the deadline or a signal.  0, or what the call answers. */
MUST_CHECK int vsock_wait(struct vsock_sock *s,
			  bool (*ready)(struct vsock_sock *), bool send,
			  uint64_t deadline);

/* ---- data.c ---- */

ssize_t vsock_send(struct socket *s, struct uio *u, struct sock_msg *m);
ssize_t vsock_recv(struct socket *s, struct uio *u, struct sock_msg *m);

/* ---- option.c ---- */

int vsock_getopt(struct socket *s, int level, int name, void *val,
		 uint32_t *len);
int vsock_setopt(struct socket *s, int level, int name, const void *val,
		 uint32_t len);
uint32_t vsock_poll(struct socket *s, struct poll_table *pt);
MUST_CHECK int vsock_node(void); /* /dev/vsock */

/* ---- conn.c ---- */

extern struct spinlock vsock_lock;

void vsock_init(void);
irqflags_t vsock_lock_all(void);
void vsock_unlock(irqflags_t f);
void vsock_wake(struct vsock_sock *s, uint32_t events);
/* With the lock, these: */
/* Asks for control packets to be sent. */
void vsock_ctl(struct vsock_sock *s, uint32_t want);
/* How many of want bytes may be sent now; they are taken from the peer's
 * room, and given back by vsock_unsend() if they are not. */
uint32_t vsock_may_send(struct vsock_sock *s, uint32_t want);
void vsock_unsend(struct vsock_sock *s, uint32_t n);
uint32_t vsock_room(const struct vsock_sock *s);
void vsock_send_data(struct vsock_sock *s, struct vsock_pkt *p, uint32_t flags);
/* The program has read n bytes; waits: it wants more than there is. */
void vsock_forwarded(struct vsock_sock *s, uint32_t n, bool waits);
/* The connection is over: no packet will come or go any more; err: of one
 * that was being made. */
void vsock_end(struct vsock_sock *s, int err);
/* Says it to the peer, as the last thing. */
void vsock_reset(struct vsock_sock *s, int err);
/* Its deadline, of which something follows. */
void vsock_set_timer(struct vsock_sock *s, uint64_t ns);
/* A connected socket's file is gone: waits for the peer's reset, or resets
 * the connection where too many wait. */
void vsock_close(struct vsock_sock *s);
/* The socket is about to be freed. */
void vsock_forget_unread(struct vsock_sock *s);

/* Our address in the world outside; VMADDR_CID_ANY: there is no device. */
uint32_t vsock_device_cid(void);
bool vsock_device_packets(void); /* it can do SOCK_SEQPACKET */

/* The device's side; no lock is held. */
void vsock_device_up(uint32_t cid, bool packets);
/* All connections by the device are over.  VMADDR_CID_ANY: it is gone. */
void vsock_device_reset(uint32_t cid);
void vsock_received(struct list *packets); /* takes them over */
void vsock_sent(struct list *packets);	   /* the device is done with them */
/* So many answers wait for the device that no more should come in. */
bool vsock_answers_wait(void);
/* The next packet for the device; with the lock of its queue. */
struct vsock_pkt *vsock_next_out(void);
void vsock_unget_out(struct vsock_pkt *p);

/* ---- table.c, with the lock ---- */

/* -EADDRINUSE, -EADDRNOTAVAIL, -EACCES. */
MUST_CHECK int vsock_bind_port(struct vsock_sock *s, uint32_t cid,
			       uint32_t port);
void vsock_unbind_port(struct vsock_sock *s);
struct vsock_sock *vsock_find_listener(uint32_t cid, uint32_t port);
/* With a reference of the table. */
void vsock_add_peer(struct vsock_sock *s);
void vsock_del_peer(struct vsock_sock *s);
struct vsock_sock *vsock_find_peer(bool near, const struct virtio_vsock_hdr *h);
/* Calls fn for each that has a peer; fn may take it out. */
void vsock_each_peer(void (*fn)(struct vsock_sock *s));

/* ---- queue.c ---- */

void vsock_queue_init(struct vsock_queue *q);
struct vsock_pkt *vsock_pkt_alloc(uint32_t room, unsigned alloc);
/* Takes p over. */
void vsock_queue_packet(struct vsock_queue *q, struct vsock_pkt *p);
MUST_CHECK int vsock_queue_bytes(struct vsock_queue *q, const void *from,
				 uint32_t n);
/* Takes n bytes, which are there, off the front; to: where they go, or
 * NULL. */
void vsock_queue_take(struct vsock_queue *q, void *to, uint32_t n);
void vsock_queue_peek(const struct vsock_queue *q, void *to, uint32_t n);
void vsock_queue_clear(struct vsock_queue *q);

/* ---- virtio.c ---- */

extern const struct virtio_driver virtio_vsock;
void vsock_device_push(void); /* what is for the device; no lock is held */
