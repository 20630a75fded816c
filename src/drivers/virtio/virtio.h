/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio core (virtio 1.2): what drivers and transports share.
 *
 * A transport (MMIO, PCI) finds a device, fills the fields marked so and
 * calls virtio_add().  The core matches a driver by device id, runs the
 * status handshake and feature negotiation, calls the driver's attach() (to
 * set its queues up), says DRIVER_OK and calls start().
 *
 * A device is not trusted: what it writes into rings is checked, and one
 * that breaks the rules is reset, marked broken and its driver told once.
 *
 * Every virtq_ function but virtq_setup() and virtq_interrupt() wants q->lock
 * held with interrupts off; done() is called without it.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>
#include <core/spinlock.h>
#include <dev/device.h>

#define VIRTIO_ID_NET	  1
#define VIRTIO_ID_BLOCK	  2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_RNG	  4

#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

#define VIRTIO_S_ACKNOWLEDGE 1u
#define VIRTIO_S_DRIVER	     2u
#define VIRTIO_S_DRIVER_OK   4u
#define VIRTIO_S_FEATURES_OK 8u
#define VIRTIO_S_NEEDS_RESET 64u
#define VIRTIO_S_FAILED	     128u

#define VIRTQ_MAX	  1024u /* entries of the largest queue that we use */
#define VIRTIO_MAX_QUEUES 40u

struct virtio_device;
struct virtq;

struct virtio_transport_ops {
	uint8_t (*get_status)(struct virtio_device *v);
	void (*set_status)(struct virtio_device *v, uint8_t status);
	uint64_t (*get_features)(struct virtio_device *v);
	void (*set_features)(struct virtio_device *v, uint64_t f);
	/* Size that the device allows queue i; 0: it is not there. */
	uint16_t (*queue_max)(struct virtio_device *v, unsigned i);
	/* Tells the device of q's size and rings, sets its interrupt up. */
	int (*queue_enable)(struct virtio_device *v, struct virtq *q);
	void (*notify)(struct virtq *q);
	/* Device configuration; off + len is within what the spec has. */
	void (*config_read)(struct virtio_device *v, unsigned off, void *buf,
			    unsigned len);
	uint32_t (*config_generation)(struct virtio_device *v);
	/* Sets the configuration's interrupt up, before DRIVER_OK; NULL:
	 * there is nothing to do.  -errno: changes will not be told. */
	MUST_CHECK int (*config_irq)(struct virtio_device *v);
};

struct virtio_driver {
	struct driver drv;
	uint32_t device_id;
	uint64_t features; /* that the driver can use, beyond the core's */
	/* Where features depend on each other or on the machine: which of
	 * those that are offered it takes.  NULL: all. */
	uint64_t (*select)(struct virtio_device *v, uint64_t offered);
	/* Sets up queues and state; undoes all of it on failure. */
	MUST_CHECK int (*attach)(struct virtio_device *v);
	/* The device is live: fill rings, register with the class. */
	MUST_CHECK int (*start)(struct virtio_device *v);
	/* The device was reset for misbehaving: fail what is under way.
	 * Called with the lock of no queue held. */
	void (*broken)(struct virtio_device *v);
	/* The device's configuration has changed; interrupt context.  NULL:
	 * the driver does not care. */
	void (*config_changed)(struct virtio_device *v);
};

struct virtio_device {
	struct device dev;			/* set by the transport */
	uint32_t device_id;			/* set by the transport */
	const struct virtio_transport_ops *ops; /* set by the transport */
	void *transport;			/* set by the transport */
	uint64_t features;			/* negotiated */
	void *priv;				/* the driver's */
	bool per_queue_irq; /* set by the driver in attach */
	bool queue_pairs;   /* the same: two queues a CPU */
	struct virtq
		*queues[VIRTIO_MAX_QUEUES]; /* set up ones; [I] after attach */
	unsigned nqueues;		    /* highest index + 1 */
	bool broken;			    /* [a] */
	bool broken_told;		    /* [a] */
	void *ring_page;		    /* small rings are carved from it */
	size_t ring_used;
	struct device_poll poll;
};

struct virtq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

/* A piece of a request. */
struct virtq_sg {
	paddr_t addr;
	uint32_t len;
};

struct virtq {
	struct spinlock lock; /* RANK_DEVICE */
	struct virtio_device *v;
	unsigned index;
	uint16_t num;	/* entries, a power of two */
	uint16_t nfree; /* descriptors */
	uint16_t free_head;
	uint16_t avail_idx;    /* next to publish */
	uint16_t kicked_idx;   /* avail_idx at the last notification check */
	uint16_t rekicked_idx; /* the same, of the idle CPU's second look */
	uint16_t last_used;
	uint16_t in_flight; /* requests */
	bool irq_on;
	int vector;		    /* the transport's; -1: none of its own */
	uint16_t notify_off;	    /* the transport's */
	volatile void *notify_addr; /* the transport's */
	struct virtq_desc *desc;
	volatile uint16_t *avail; /* flags, idx, ring[num], used_event */
	volatile uint16_t *used; /* flags, idx, { id, len }[num], avail_event */
	struct virtq_token {
		void *token;	   /* NULL: not the head of a request */
		uint32_t writable; /* bytes that the device may write */
		uint16_t ndesc;
		uint16_t next; /* free list, or the rest of the chain */
	} * tokens;
	/* Interrupt context, or an idle CPU; NULL: never interrupts. */
	void (*done)(struct virtq *q);
	void *priv;
};

static inline struct virtio_device *
virtio_device_of(struct device *d)
{
	return container_of(d, struct virtio_device, dev);
}

static inline bool
virtio_has(const struct virtio_device *v, uint64_t feature)
{
	return v->features & feature;
}

/* ---- for transports ---- */
void virtio_add(struct virtio_device *v);
/* One interrupt for all queues of v. */
void virtio_interrupt(struct virtio_device *v);
void virtq_interrupt(struct virtq *q);
void virtio_config_interrupt(struct virtio_device *v);

/* ---- for the drivers' tables ---- */
bool virtio_match(const struct device *dev);
MUST_CHECK int virtio_attach(struct device *dev);

#define VIRTIO_DRV(n)                                                  \
	{                                                              \
		.name = (n), .bus = BUS_VIRTIO, .match = virtio_match, \
		.attach = virtio_attach                                \
	}

/* ---- for drivers ---- */
/* Sets queue index up with at most max_num entries.  -ENOENT: the device has
 * no such queue; -ENOMEM. */
MUST_CHECK int virtq_setup(struct virtio_device *v, unsigned index,
			   unsigned max_num, void (*done)(struct virtq *q),
			   struct virtq **out);
/* Queues a request of nout readable, then nin writable pieces.  table: room
 * for nout + nin descriptors in DMA-able memory, alive until the request is
 * done, for the indirect form; NULL: a chain in the ring.  -ENOSPC: full;
 * -EIO: the device is broken. */
MUST_CHECK int virtq_add(struct virtq *q, const struct virtq_sg *sg,
			 unsigned nout, unsigned nin, void *token,
			 struct virtq_desc *table);
/* Notifies the device of what was added, if it wants to know. */
void virtq_kick(struct virtq *q);
void virtq_rekick(struct virtq *q); /* an idle CPU's second look */
/* The next finished request, with the bytes written; NULL: none. */
void *virtq_get(struct virtq *q, uint32_t *len);
bool virtq_pending(const struct virtq *q);
/* Asks for an interrupt at the next completion; true: there is one already
 * that the caller must look at. */
bool virtq_irq_enable(struct virtq *q);
/* The same for one interrupt after n more completions, for who is in no
 * hurry; virtq_irq_disable() need not have ended it before it is said anew. */
void virtq_irq_after(struct virtq *q, uint16_t n);
void virtq_irq_disable(struct virtq *q);
/* After virtio_driver.broken: takes out requests one by one. */
void *virtq_take_back(struct virtq *q);
/* Marks v broken (says why) and resets it.  Any context; the driver's
 * broken() is called from the next interrupt, poll or virtio_check(). */
void virtio_fail(struct virtio_device *v, const char *why);

void virtio_config(struct virtio_device *v, unsigned off, void *buf,
		   unsigned len);
uint32_t virtio_config32(struct virtio_device *v, unsigned off);
uint16_t virtio_config16(struct virtio_device *v, unsigned off);
uint64_t virtio_config64(struct virtio_device *v, unsigned off);
