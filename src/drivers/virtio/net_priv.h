/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of virtio-net share: net.c (attaching, both directions) and
 * net_ctrl.c (the control queue).
 */
#pragma once

#include <dev/nic.h>
#include <drivers/virtio/virtio.h>

/* Feature bits (virtio 1.2, 5.1.3). */
#define F_CSUM	     (1ull << 0)
#define F_GUEST_CSUM (1ull << 1)
#define F_MTU	     (1ull << 3)
#define F_MAC	     (1ull << 5)
#define F_GUEST_TSO4 (1ull << 7)
#define F_GUEST_TSO6 (1ull << 8)
#define F_HOST_TSO4  (1ull << 11)
#define F_HOST_TSO6  (1ull << 12)
#define F_MRG_RXBUF  (1ull << 15)
#define F_STATUS     (1ull << 16)
#define F_CTRL_VQ    (1ull << 17)
#define F_CTRL_RX    (1ull << 18)
#define F_MQ	     (1ull << 22)
#define F_SPEED	     (1ull << 63)

/* The header before each packet (virtio 1.2, 5.1.6), little-endian. */
struct vnet_hdr {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
static_assert(sizeof(struct vnet_hdr) == 12, "virtio 1.2, 5.1.6");

#define VNET_PAIRS  8u	/* queue pairs that are used at most */
#define VNET_MC_MAX 64u /* multicast addresses in the device's filter */

/* A packet that is being sent: its header, and room for the indirect form of
 * its descriptors.  Does not cross into another page. */
struct tx_slot {
	struct virtq_desc table[NIC_TX_SEGS + 1];
	struct vnet_hdr hdr;
	void (*done)(void *arg);
	void *arg;
	struct tx_slot *next; /* free list */
};

struct vnet;

struct vnet_rxq {
	struct virtq *q;
	struct vnet *d;		   /* [I] */
	unsigned index;		   /* [I] of the pair */
	bool polling;		   /* [q->lock] the stack was notified */
	uint16_t min, target, max; /* [q->lock] buffers in the ring */
	uint32_t mean;		   /* [q->lock] length of the last packets */
};

struct vnet_txq {
	struct virtq *q;
	struct vnet *d;		    /* [I] */
	unsigned index;		    /* [I] of the pair */
	bool stalled;		    /* [q->lock] tx_ready() is owed */
	unsigned nslots, max_slots; /* [q->lock] */
	struct tx_slot *free;	    /* [q->lock] */
};

/* The control queue: one command at a time, the rest is what is wanted. */
struct vnet_ctrl {
	struct virtq *q;	    /* NULL: the device has none */
	struct vctl_cmd *cmd;	    /* what the device reads and writes */
	unsigned busy;		    /* [q->lock] step under way, 0: none */
	unsigned dirty;		    /* [q->lock] steps to be done: bits */
	bool promisc, allmulti;	    /* [q->lock] wanted */
	uint16_t pairs;		    /* [q->lock] wanted */
	uint16_t pairs_set;	    /* [q->lock] what the device has taken */
	unsigned nmc;		    /* [q->lock] */
	uint8_t mc[VNET_MC_MAX][6]; /* [q->lock] */
};

struct vnet {
	struct nic nic;
	struct virtio_device *v;
	unsigned npairs; /* [I] */
	/* [I] bytes of memory of a buffer; of one while packets are large */
	uint32_t rxbuf_size, rxbuf_large;
	bool small; /* [I] a machine with little memory */
	struct vnet_rxq rx[VNET_PAIRS];
	struct vnet_txq tx[VNET_PAIRS];
	struct vnet_ctrl ctrl;
};

/* net_ctrl.c */
MUST_CHECK int vnet_ctrl_setup(struct vnet *d, unsigned index);
/* Asks for so many pairs and waits a moment; how many there are then. */
unsigned vnet_ctrl_set_pairs(struct vnet *d, unsigned pairs);
int vnet_set_filter(struct nic *n, const uint8_t (*mc)[6], unsigned nmc,
		    bool promisc);
