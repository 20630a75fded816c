/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels to servers of the protocol 9P, as virtio-9p offers them: requests
 * go out, answers come in, in any order.  Found by the mount tag that the
 * host gave the device.  What the messages say is client.c's matter.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>

#define P9_TAG_MAX 64
#define P9_SEGS	   40 /* pieces of one request, both ways */

struct virtio_driver;

struct p9_seg {
	void *data; /* direct map */
	uint32_t len;
};

struct p9_request {
	const struct p9_seg
		*segs;	    /* nout to be sent, then nin for the answer */
	unsigned nout, nin; /* alive until done() */
	uint32_t got;	    /* bytes of the answer, at most of nin */
	int status;	    /* 0, -EIO: the channel is broken */
	void (*done)(struct p9_request *r); /* interrupt context */
	void *arg;			    /* the submitter's */
	struct list link; /* the driver's, from submit to done */
};

struct p9_channel {
	char tag[P9_TAG_MAX + 1]; /* set by the driver */
	/* Queues it; a full device holds it.  Errors come through done(). */
	void (*submit)(struct p9_channel *c, struct p9_request *r);
	void *priv;  /* the driver's */
	bool in_use; /* [p9's lock] mounted */
	struct list link;
};

void p9_channel_add(struct p9_channel *c);
/* The channel of that tag, for one user: -ENXIO, -EBUSY. */
MUST_CHECK int p9_channel_claim(const char *tag, struct p9_channel **out);
void p9_channel_release(struct p9_channel *c);

extern const struct virtio_driver virtio_9p; /* virtio.c */
