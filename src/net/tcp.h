/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP sockets.
 *
 * A connection whose two ends are in this machine is `near`: its ends are
 * two sockets that know each other, and data moves from the sender's copy
 * into the receiver's queue without protocol, checksums or the core lock
 * (tcp.c, tcp_near.c).  Every other one is `far`: an lwIP connection does
 * the protocol (lwip/far_tcp.c).  What the program sees is the same code.
 */
#pragma once

#include <abi/inet.h>
#include <core/timer.h>
#include <net/inet.h>
#include <net/lwip/port.h>

#define NBUF_REF 64 /* bytes of what refers to a piece for lwIP */

/*
 * A piece of a stream.  Data follows in the same allocation, or belongs to
 * whatever free() gives back.  It has one owner at a time; references count
 * the segments of lwIP that point into it.
 */
struct nbuf {
	struct nbuf *next;
	uint8_t *data;
	uint32_t len;		      /* bytes left at data */
	uint32_t truesize;	      /* bytes of memory */
	struct refcount refs;	      /* its owner's and lwIP's segments' */
	void (*free)(struct nbuf *b); /* NULL: kfree */
	void *priv;
	bool shares;		    /* small ones behind it may join it */
	bool referred;		    /* [core] `ref` is in use */
	uint64_t ref[NBUF_REF / 8]; /* [core] txref.c: its first reference */
};

struct nbuf_queue {
	struct nbuf *head, **tail;
	uint32_t bytes;
};

void nbuf_free(struct nbuf *b);			       /* drops one reference */
struct nbuf *nbuf_alloc(uint32_t len, unsigned alloc); /* NULL: no memory */
/* For len bytes of what may share memory with its neighbours: where they are
 * few it has room for more. */
struct nbuf *nbuf_alloc_shared(uint32_t len, unsigned alloc,
			       void (*free)(struct nbuf *b));
/* nbuf_append(), which consumes b; small pieces that share do. */
void nbuf_join(struct nbuf_queue *q, struct nbuf *b);
static inline void
nbuf_queue_init(struct nbuf_queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
	q->bytes = 0;
}
void nbuf_append(struct nbuf_queue *q, struct nbuf *b);
struct nbuf *nbuf_take_all(struct nbuf_queue *q);

enum tcp_urg { URG_NONE, URG_COMING, URG_HERE, URG_READ };

struct tcp_sock {
	struct inet_sock in;	 /* first; in.lock guards [l] */
	uint8_t state;		 /* [l] enum tcp_linux_state, [a] read */
	bool connecting;	 /* [l] connect() under way or not yet told */
	bool owned;		 /* [a] a thread begins or ends one: tcp.c */
	bool rcv_shut, snd_shut; /* [l, a] as Linux's sk_shutdown */
	bool done;		 /* [l, a] a FIN has come: recv says 0 */
	bool closed;		 /* [l, a] the descriptor is gone */
	bool nospace;		 /* [a] a writer waits for room */
	struct nbuf_queue rx;	 /* [l] */
	uint8_t urg;		 /* [l] enum tcp_urg: of the mark, tcp_urg.c */
	uint64_t urg_at;	 /* [l] where in the stream */
	uint64_t rx_total;	 /* [l] bytes that ever came */
	uint64_t tx_total;	 /* [l] bytes that were ever sent */
	struct tcp_sock *peer;	 /* [l, a] near; stays, and referenced, until
				  * the descriptor goes */
	bool near_over;		 /* [a] and told that it is over */

	/* listening */
	struct list queue;	   /* [l] of accepted: queue_link */
	struct list waiting;	   /* [l] near ones that found it full */
	struct list queue_link;	   /* [the listener's l] */
	struct tcp_sock *listener; /* [a] whose `waiting` this is in; ref */
	unsigned nqueue, backlog;  /* [l] places of queue that are taken */

	/* far */
	void *pcb; /* [core] lwIP's; NULL: none */
	struct net_work work;
	uint32_t todo;		 /* [a] FAR_* */
	struct nbuf_queue tx;	 /* [l] not yet given to lwIP */
	uint64_t tx_urg;	 /* [l] far: tx_total behind the last byte that
				 * is urgent; 0: lwIP knows it, or none is */
	uint32_t tx_unacked;	 /* [l, a] bytes given and not acknowledged */
	uint32_t rx_read;	 /* [l] bytes read that lwIP was not told of */
	uint32_t rx_window;	 /* [core] bytes lwIP may have in our queue */
	uint32_t rx_out;	 /* [core] bytes that lwIP waits to hear of */
	bool fin_wanted;	 /* [core] when all data is with lwIP */
	bool close_wanted;	 /* [core] the same */
	bool deferred;		 /* [core] TCP_DEFER_ACCEPT: in no queue yet */
	uint64_t rx_epoch_ns;	 /* [l] autotuning: since when */
	uint32_t rx_epoch_bytes; /* [l] bytes read since */
	struct timer timer;	 /* keep-alive, user time-out, cork */
	uint64_t cork_ns;	 /* [l] when corked data must go; 0 */
	uint64_t last_rx_ns;	 /* [core] something came */
	uint64_t last_tx_ns;
	uint64_t tx_wait_ns; /* [core] since when what is sent waits; 0: now */
	uint8_t probes;	     /* [core] keep-alive probes without answer */
	int soft_error;	     /* [core] ICMP: told when it times out */
	uint32_t tx_unsent;  /* [a] with notsent_lowat: at lwIP, not sent */

	/* options, [a] */
	bool nodelay, cork, quickack;
	bool ack_now; /* quickack, asked for: nothing waits to be acknowledged */
	uint16_t maxseg;
	int keepidle_s, keepintvl_s, keepcnt, syncnt, linger2_s, defer_accept_s,
		user_timeout_ms;
	uint32_t notsent_lowat;
	bool inq;
	bool reno; /* NewReno in place of CUBIC */
};

static inline struct tcp_sock *
tcp_of(struct inet_sock *in)
{
	return container_of(in, struct tcp_sock, in);
}

static inline uint8_t
tcp_state(const struct tcp_sock *t)
{
	return READ_ONCE(t->state);
}

extern const struct socket_ops tcp_ops;

/* ---- tcp.c ---- */

/* A new socket of an accepted connection, not yet in any queue; ATOMIC. */
struct tcp_sock *tcp_new_child(struct tcp_sock *listener);
/* What happens to a connection; none of these is called with a lock of the
 * sockets held. */
void tcp_established(struct tcp_sock *t);
void tcp_got_data(struct tcp_sock *t, struct nbuf *list, uint32_t bytes);
void tcp_got_fin(struct tcp_sock *t);
/* err: positive errno for SO_ERROR, 0: as a reset. */
void tcp_got_reset(struct tcp_sock *t, int err);
void tcp_has_room(struct tcp_sock *t);
/* Our FIN was acknowledged. */
void tcp_fin_acked(struct tcp_sock *t);
/* Puts a connected child into its listener's queue, into the place that was
 * taken for it or a new one; false: that is closed. */
bool tcp_enqueue_child(struct tcp_sock *l, struct tcp_sock *child, bool placed);
/* One that nobody will accept is reset, and given back. */
void tcp_drop_child(struct tcp_sock *child);
/* The byte at this position of the stream is urgent; it may have come. */
void tcp_got_urgent(struct tcp_sock *t, uint64_t at);
/* TCP_NOTSENT_LOWAT: what was not sent, so many times, is less. */
bool tcp_unsent_fits(const struct tcp_sock *t, unsigned times);
/* Bytes that may be on their way from t. */
uint32_t tcp_send_limit(const struct tcp_sock *t);

/* ---- tcp_near.c ---- */

int tcp_near_connect(struct tcp_sock *t); /* 0, -EINPROGRESS, -ECONNREFUSED */
/* Sends b; consumes it.  urgent: its last byte is. */
int tcp_near_send(struct tcp_sock *t, struct nbuf *b, bool urgent);
void tcp_near_shutdown(struct tcp_sock *t);
void tcp_near_close(struct tcp_sock *t, bool reset);
uint32_t tcp_near_queued(const struct tcp_sock *t);
/* After accept: connections that waited for room. */
void tcp_near_admit(struct tcp_sock *l);
void tcp_near_give_up(struct tcp_sock *t); /* leaves `waiting` */

/* ---- tcp_opt.c ---- */

int tcp_setopt(struct socket *s, int level, int name, const void *val,
	       uint32_t len);
int tcp_getopt(struct socket *s, int level, int name, void *val, uint32_t *len);

void tcp_fill_info(struct tcp_sock *t, struct tcp_info *ti);

/* ---- lwip/far_tcp.c ---- */

#define FAR_PUSH  (1u << 0) /* there is data to send */
#define FAR_READ  (1u << 1) /* rx_read has grown */
#define FAR_FIN	  (1u << 2) /* shutdown for writing */
#define FAR_CLOSE (1u << 3) /* the socket goes */
#define FAR_ABORT (1u << 4) /* with a reset */
#define FAR_OPTS  (1u << 5) /* options changed */
#define FAR_TIMER (1u << 6)

/* Any context, no lock held. */
void tcp_far_do(struct tcp_sock *t, uint32_t what);
int tcp_far_connect(struct tcp_sock *t);
int tcp_far_listen(struct tcp_sock *t);
void tcp_far_unlisten(struct tcp_sock *t);
/* The source address for a destination; false: no way there. */
bool tcp_far_source(const struct inet_end *dst, struct inet_end *src);
void tcp_far_timer(struct timer *tm);

/* ---- lwip/info.c ---- */

void tcp_far_info(struct tcp_sock *t, struct tcp_info *ti);
uint32_t tcp_far_mss(struct tcp_sock *t);
/* Bytes that were not sent once. */
uint32_t tcp_far_unsent(struct tcp_sock *t);
