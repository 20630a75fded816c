/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP and raw sockets: a queue of datagrams, each with where it came from
 * and where it went.
 */
#pragma once

#include <net/inet.h>
#include <sched/mutex.h>

#define UDP_MAX4 65507u /* payload of the largest datagram */
#define UDP_MAX6 65527u

struct dgram_meta {
	struct inet_end src, dst;
	int ifindex;
	uint8_t ttl, tos;
	uint16_t gso;	   /* so long were those that it is made of; 0 */
	uint64_t stamp_ns; /* wall clock */
};

struct dgram {
	struct dgram *next;
	struct refcount refs;
	struct dgram_meta m;
	uint32_t len, truesize;
	uint8_t data[];
};

/* How a datagram leaves. */
struct dgram_out {
	struct inet_end src, dst; /* src.addr unspecified: by route */
	int ifindex;		  /* 0: by route */
	int ttl;		  /* -1: the default */
	uint8_t tos;
	bool udp;     /* not raw */
	uint16_t gso; /* cut into pieces so long; 0: not */
};

/* One that gathers of several sends. */
struct dgram_cork {
	struct dgram_out o;
	uint8_t *data;
	uint32_t len, size;
};

struct dgram_sock {
	struct inet_sock in;		 /* first; in.lock guards [l] */
	struct dgram *head, **tail;	 /* [l] */
	struct dgram *errs, **errs_tail; /* [l] the error queue: dgram_err.c */
	uint32_t bytes;		 /* [l, a read] truesize of both queues */
	uint32_t drops;		 /* [l, a] */
	bool rcv_shut, snd_shut; /* [a] */
	bool nospace;
	bool corked, gro;	  /* [a] UDP_CORK, UDP_GRO */
	uint16_t gso;		  /* [a] UDP_SEGMENT */
	struct mutex cork_lock;	  /* RANK_SOCKET */
	struct dgram_cork *cork;  /* [cork_lock; a: is there one?] */
	void *pcb;		  /* [core] raw: lwIP's */
	uint32_t icmp_filter;	  /* [a] raw ICMP: types kept out */
	uint32_t icmp6_filter[8]; /* [a] */
	int csum_at;		  /* [a] IPV6_CHECKSUM; below 0: none */
};

static inline struct dgram_sock *
dgram_of(struct inet_sock *in)
{
	return container_of(in, struct dgram_sock, in);
}

extern const struct socket_ops dgram_ops;

struct dgram *dgram_alloc(uint32_t len, unsigned alloc); /* NULL */
void dgram_put(struct dgram *d);
/* Puts d, with its meta filled, into sk's queue; consumes it. */
void dgram_deliver(struct inet_sock *sk, struct dgram *d);
/* Memory that a socket's queues take, for d. */
#define DGRAM_OVERHEAD 576u /* what Linux counts beside the bytes, about */

/* recvmsg: what the program asked for beside a datagram or an error: TTL,
 * interface, ... */
void dgram_tell_control(struct inet_sock *sk, struct sock_msg *m,
			const struct dgram_meta *d);

/* ---- dgram_err.c ---- */

/* An error that came of a datagram. */
struct dgram_error {
	int err;		    /* positive errno */
	bool hard;		    /* told to connected sockets in any case */
	uint8_t origin, type, code; /* SO_EE_ORIGIN_*, as in ICMP */
	uint32_t info;		    /* an MTU */
	struct inet_end from, to;   /* the datagram's */
	struct dgram_meta m;	    /* of what told it: m.src is the offender */
	/* What it quotes of the datagram's data. */
	uint32_t len;
	void (*copy)(const struct dgram_error *e, void *dst, uint32_t len);
	const void *arg; /* copy()'s */
	uint32_t off;
};

/* The socket that sent it learns of it; any context. */
void udp_error(const struct dgram_error *e);
void raw_error(const struct dgram_error *e, int protocol);
void dgram_error(struct inet_sock *sk, const struct dgram_error *e);
/* -EMSGSIZE of this machine's own: no more than mtu fits.  Returns it. */
int dgram_too_large(struct inet_sock *sk, const struct inet_end *dst,
		    uint32_t mtu);
/* recvmsg with MSG_ERRQUEUE. */
ssize_t dgram_err_recv(struct inet_sock *sk, struct uio *u, struct sock_msg *m);
void dgram_err_purge(struct inet_sock *sk);

/* ---- lwip/far_dgram.c ---- */

/* IP_PMTUDISC_DO, PROBE, INTERFACE; the numbers of IPv6 are the same. */
static inline bool
dgram_may_not_cut(const struct inet_sock *sk, bool v4)
{
	uint8_t discover = v4 ? sk->mtu_discover : sk->mtu_discover6;

	return (discover >= 2 && discover <= 4) || (!v4 && sk->whole6);
}

/* A buffer for len bytes and what goes before them.  NULL: no memory. */
void *far_buf_alloc(uint32_t len, void **data);
void far_buf_free(void *buf);
/* Sends and consumes buf.  -ENETUNREACH, -EMSGSIZE, -ENOBUFS, -EACCES. */
int udp_far_send(struct inet_sock *sk, void *buf, const struct dgram_out *o);
int raw_far_send(struct inet_sock *sk, void *buf, const struct dgram_out *o);
int raw_far_open(struct dgram_sock *d);
void raw_far_close(struct dgram_sock *d);
bool inet_is_broadcast(const struct inet_addr *a);
/* The MTU of the way to dst, which is not this machine. */
uint32_t far_mtu(const struct dgram_out *o);
/* Joins or leaves a group on an interface, 0: by route.  *ifindex becomes
 * which it was. */
int inet_far_group(const struct inet_addr *a, int *ifindex, bool join);
/* Whom those who are in it want to hear, together. */
void inet_far_filter(const struct inet_addr *a, int ifindex, bool include,
		     const struct inet_addr *src, unsigned n);
