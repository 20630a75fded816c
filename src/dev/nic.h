/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network interface class: what a NIC driver and the stack say to each
 * other.  Neither knows the other's headers.
 *
 * Receiving.  The driver owns buffers in the device.  When packets are there
 * it disables that queue's interrupt and calls rx_notify() from interrupt
 * context (or from an idle CPU's look).  The stack then calls
 * ops->rx_poll() until it returns less than it asked for, which enables the
 * interrupt again; what arrives afterwards is notified.  A packet is a chain
 * of pieces; the stack gives each back with nic_buf_free(), from any
 * context, at any time: the driver refills the device as pieces come back
 * or from fresh memory.  What is held is bounded in bytes, by the stack.
 *
 * Sending.  The stack fills struct nic_tx and calls ops->tx(); the memory of
 * the segments stays untouched until done() was called, from interrupt
 * context, from a later tx() or from tx_reap().  -ENOSPC: the device's queue
 * is full; tx_ready() is called when it is not any more.  kick false: more
 * follows at once, the device need not be told yet; ops->tx_kick() ends a batch.
 *
 * Everything that the device writes has been checked by the driver: the
 * lengths of the pieces, checksum positions within the packet.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>

#define NIC_MAX	       8  /* interfaces */
#define NIC_TX_SEGS    20 /* pieces of one packet to be sent: 64 KB in pages */
#define NIC_STACK_PRIV 64 /* bytes of a piece that are the stack's */

enum nic_gso { NIC_GSO_NONE, NIC_GSO_TCP4, NIC_GSO_TCP6, NIC_GSO_UDP };

/* What is said of a packet beside its bytes; offsets from its first byte. */
struct nic_meta {
	bool csum_ok;	   /* rx: the device vouches for the checksum */
	bool csum_partial; /* the checksum at csum_start + csum_offset is of
			      * the pseudo header only; tx: the device ends
			      * it; rx: the data never left this machine or
			      * was merged: it counts as good */
	uint16_t csum_start, csum_offset;
	uint8_t gso;	   /* enum nic_gso: a large segment */
	uint16_t gso_size; /* payload bytes of each packet on the wire */
	uint16_t hdr_len;  /* tx with gso: link, IP and TCP headers */
};

/* A received piece. */
struct nic_buf {
	struct nic_buf *next; /* the packet's next piece, NULL: last */
	uint8_t *data;
	uint32_t len;
	uint32_t packet_len;  /* first piece: of all pieces */
	uint32_t truesize;    /* bytes of memory that this piece holds */
	struct nic_meta meta; /* first piece */
	struct nic *nic;
	void (*free)(struct nic_buf *b); /* the driver's */
	void *driver_priv;
	uint64_t stack_priv[NIC_STACK_PRIV / 8];
};

static inline void
nic_buf_free(struct nic_buf *b) /* one piece, not the chain */
{
	b->free(b);
}

struct nic_seg {
	const void *data; /* direct map: kmalloc or page memory */
	uint32_t len;
};

struct nic_tx {
	unsigned nsegs;
	const struct nic_seg *segs; /* read during tx() only */
	struct nic_meta meta;
	void (*done)(void *arg);
	void *arg;
};

struct nic_ops {
	/* At most budget packets of queue q into out[], first pieces. */
	unsigned (*rx_poll)(struct nic *n, unsigned q, struct nic_buf **out,
			    unsigned budget);
	/* Queue q, of this CPU by preference.  0, -ENOSPC, -EIO, -EMSGSIZE. */
	MUST_CHECK int (*tx)(struct nic *n, unsigned q, const struct nic_tx *tx,
			     bool kick);
	void (*tx_kick)(struct nic *n, unsigned q);
	/* Calls done() of what was sent; true: some was.  For who waits: an
	 * interrupt is asked for when more is. */
	bool (*tx_reap)(struct nic *n, unsigned q);
	/* Which multicast addresses to let in, NULL: all; promisc: everything.
	 * -EOPNOTSUPP: the device has no filter, and lets all in. */
	int (*set_filter)(struct nic *n, const uint8_t (*mc)[6], unsigned nmc,
			  bool promisc);
};

struct nic_stats { /* [a] relaxed */
	uint64_t rx_packets, rx_bytes, rx_errors, rx_dropped;
	uint64_t tx_packets, tx_bytes, tx_errors, tx_dropped;
};

struct nic {
	char name[16];	     /* set by the class: "eth0" */
	uint8_t mac[6];	     /* set by the driver */
	uint16_t mtu;	     /* set by the driver: of the IP packet */
	uint32_t speed_mbit; /* set by the driver; 0: not known */
	unsigned nrxq, ntxq; /* set by the driver; at least 1 each */
	bool tx_csum, tx_tso4, tx_tso6; /* set by the driver: can do */
	bool rx_csum;
	bool link_up;		   /* [a] set by the driver */
	const struct nic_ops *ops; /* set by the driver */
	void *priv;		   /* the driver's */
	struct nic_stats stats;
	/* Set by the stack in its attach callback, before it returns. */
	void *stack;
	void (*rx_notify)(struct nic *n, unsigned q); /* interrupt context */
	void (*tx_ready)(struct nic *n, unsigned q);  /* interrupt context */
	void (*link_changed)(struct nic *n);	      /* interrupt context */
	struct list link;
};

/* The driver's: names it and shows it to the stack, which sets the calls
 * above; without a stack, packets stay in the device.  -ENOSPC: NIC_MAX. */
MUST_CHECK int nic_register(struct nic *n);
/* In order of registration; NULL at the end. */
struct nic *nic_get(unsigned i);
/* The stack's: called for each NIC, those that are there already too, in a
 * context that may sleep. */
void nic_on_register(void (*fn)(struct nic *n));
