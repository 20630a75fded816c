/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a virtqueue gives each request back once, with the right length,
 * whatever order an honest device answers in; and a hostile device, which
 * writes anything into the used ring, is marked broken, gets every request
 * taken back from it, and never makes one come twice or a wild access.  A
 * notification that was left out is made up for.
 * Method: the real queue over a device that the test plays, with indirect
 * descriptors and without, with and without event indexes.
 * SOURCES: src/drivers/virtio/virtq.c src/mem/page.c src/mem/heap.c
 * SOURCES: src/mem/kmap.c test/unit/host/host.c
 * SOURCES: test/unit/host/core.c test/unit/host/panic.c
 * INCLUDE: test/unit/host
 */
#include "../host/host.h"
#include "../unit.h"

#include <abi/errno.h>
#include <drivers/virtio/virtio.h>
#include <mem/heap.h>
#include <mem/page.h>

#define NUM    16
#define MAXREQ 4096

static struct virtio_device dev;
static struct virtq *q;
static unsigned notified;
static uint16_t dev_avail; /* the device's place in the available ring */
static uint16_t dev_used;
static char pending[MAXREQ + 1];
static uint64_t seed = 1;

void
virtio_fail(struct virtio_device *v, const char *why)
{
	(void)why;
	v->broken = true;
}

static uint16_t
queue_max(struct virtio_device *v, unsigned i)
{
	(void)v;
	return i == 0 ? 100 : 0; /* no power of two */
}

static int
queue_enable(struct virtio_device *v, struct virtq *vq)
{
	(void)v, (void)vq;
	return 0;
}

static void
notify(struct virtq *vq)
{
	(void)vq;
	notified++;
}

static const struct virtio_transport_ops ops = {
	.queue_max = queue_max,
	.queue_enable = queue_enable,
	.notify = notify,
};

static void
setup(uint64_t features)
{
	static bool once;

	if (!once)
		host_mem_init(32 << 20);
	once = true;
	memset(&dev, 0, sizeof(dev));
	memset(pending, 0, sizeof(pending));
	dev.ops = &ops;
	dev.features = features;
	dev_avail = dev_used = 0;
	CHECK_EQ(virtq_setup(&dev, 1, NUM, NULL, &q), -ENOENT);
	CHECK_EQ(virtq_setup(&dev, 1000, NUM, NULL, &q), -ENOENT);
	CHECK_EQ(virtq_setup(&dev, 0, NUM, NULL, &q), 0);
	CHECK_EQ(q->num, NUM);
}

static uint32_t
desc_bytes(const struct virtq_desc *t, uint16_t i, bool chain, unsigned n)
{
	uint32_t bytes = 0;

	for (unsigned k = 0; k < n; k++) {
		if (t[i].flags & 2)
			bytes += t[i].len;
		if (!(t[i].flags & 1))
			break;
		i = chain ? t[i].next : (uint16_t)(i + 1);
	}
	return bytes;
}

/* The device takes one head and says how much may be written. */
static bool
take(uint16_t *head, uint32_t *writable)
{
	const struct virtq_desc *d;

	if (dev_avail == q->avail[1])
		return false;
	*head = q->avail[2 + dev_avail++ % NUM];
	CHECK(*head < NUM);
	d = &q->desc[*head];
	if (d->flags & 4)
		*writable = desc_bytes(phys_to_virt(d->addr), 0, false,
				       d->len / 16);
	else
		*writable = desc_bytes(q->desc, *head, true, NUM);
	return true;
}

static void
give(uint32_t id, uint32_t len)
{
	volatile uint32_t *e =
		(void *)(uintptr_t)&q->used[2 + 4 * (dev_used % NUM)];

	e[0] = id;
	e[1] = len;
	q->used[1] = ++dev_used;
}

static bool
add(unsigned id, struct virtq_desc *table)
{
	struct virtq_sg sg[4];
	unsigned nout = unit_random(&seed) % 3, nin = unit_random(&seed) % 3;
	int err;

	if (nout + nin == 0)
		nin = 1;
	for (unsigned i = 0; i < nout + nin; i++)
		sg[i] = (struct virtq_sg){ 0x1000 * (i + 1), 100 + i };
	err = virtq_add(q, sg, nout, nin, &pending[id], table);
	if (err) {
		CHECK(err == -ENOSPC || (err == -EIO && dev.broken));
		return false;
	}
	pending[id] = 1;
	return true;
}

static void
honest(uint64_t features)
{
	struct virtq_desc *tables;
	uint16_t heads[NUM];
	uint32_t room[NUM], len;
	unsigned nheads = 0, next = 1, got = 0;
	char *p;

	setup(features);
	tables = page_addr(page_alloc(0, ALLOC_KERNEL));
	while (got < 2000) {
		if (next < MAXREQ && unit_random(&seed) % 2 &&
		    add(next, tables + 4 * (next % 32)))
			next++;
		virtq_kick(q);
		if (nheads < NUM && take(&heads[nheads], &room[nheads]))
			nheads++;
		if (nheads && unit_random(&seed) % 2) {
			unsigned k = unit_random(&seed) % nheads;

			give(heads[k], room[k]);
			heads[k] = heads[--nheads];
			room[k] = room[nheads];
		}
		while ((p = virtq_get(q, &len))) {
			CHECK_EQ(*p, 1);
			*p = 0;
			got++;
		}
		CHECK(!dev.broken);
		if (next > MAXREQ - 8)
			next = 1;
		while (next < MAXREQ && pending[next])
			next++;
	}
	CHECK(notified);
}

static void
test_direct(void)
{
	honest(0);
}

static void
test_event_idx(void)
{
	honest(VIRTIO_F_EVENT_IDX);
}

static void
test_indirect(void)
{
	honest(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX);
}

/* Whatever is written, requests come back once each. */
static void
hostile_round(void)
{
	unsigned n = 0, back = 0;
	uint32_t len;
	char *p;

	setup(unit_random(&seed) & (VIRTIO_F_EVENT_IDX));
	for (unsigned step = 0; step < 200 && !dev.broken; step++) {
		if (add(n + 1, NULL))
			n++;
		virtq_kick(q);
		switch (unit_random(&seed) % 8) {
		case 0:
			q->used[1] = (uint16_t)unit_random(&seed);
			break;
		case 1:
			give((uint32_t)unit_random(&seed), 0);
			break;
		case 2:
			give((uint32_t)unit_random(&seed) % NUM,
			     (uint32_t)unit_random(&seed));
			break;
		case 3:
			memset(q->desc, (int)unit_random(&seed),
			       sizeof(q->desc[0]) * NUM);
			break;
		case 4:
			q->used[0] = (uint16_t)unit_random(&seed);
			break;
		default:
			give((uint32_t)unit_random(&seed) % NUM, 0);
			break;
		}
		while ((p = virtq_get(q, &len))) {
			CHECK_EQ(*p, 1);
			CHECK(len <= 400);
			*p = 0;
			back++;
		}
	}
	while ((p = virtq_take_back(q))) {
		CHECK_EQ(*p, 1);
		*p = 0;
		back++;
	}
	CHECK_EQ(back, n);
	CHECK_EQ(q->in_flight, 0);
	CHECK_EQ(q->nfree, NUM);
}

static void
test_hostile(void)
{
	for (unsigned i = 0; i < 300; i++)
		hostile_round();
}

static void
test_full(void)
{
	unsigned n = 0;

	setup(0);
	while (add(n + 1, NULL))
		n++;
	CHECK(n >= NUM / 4 && n <= NUM);
	host_check_unlocked();
}

/* The idle CPU's second look tells the device again where telling it was left
 * out, once; not where it was told. */
static void
test_rekick(void)
{
	struct virtq_sg sg = { 4096, 512 };

	setup(VIRTIO_F_EVENT_IDX);
	notified = 0;
	CHECK_EQ(virtq_add(q, &sg, 1, 0, pending, NULL), 0);
	virtq_kick(q);
	CHECK_EQ(notified, 1);
	virtq_rekick(q);
	CHECK_EQ(notified, 1);
	/* The device has not said that it wants to hear of more. */
	CHECK_EQ(virtq_add(q, &sg, 1, 0, pending + 1, NULL), 0);
	virtq_kick(q);
	CHECK_EQ(notified, 1);
	virtq_rekick(q);
	virtq_rekick(q);
	CHECK_EQ(notified, 2);
}

static const struct unit_test tests[] = {
	{ "direct", test_direct },
	{ "event-idx", test_event_idx },
	{ "indirect", test_indirect },
	{ "hostile", test_hostile },
	{ "rekick", test_rekick },
	{ "full", test_full },
	{ NULL, NULL },
};
UNIT_MAIN(tests)
