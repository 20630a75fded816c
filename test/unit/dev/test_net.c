/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: virtio-net hands over what an honest device delivers, byte for byte,
 * and calls done() once for each packet sent; keeps its receive ring alive
 * when there is no memory; and a hostile device gets no number past it: no
 * piece is longer than its buffer, no checksum lies outside of its packet,
 * each buffer and each packet comes back once.
 * Method: the real driver over real queues and a device that the test plays.
 * SOURCES: src/drivers/virtio/net.c src/drivers/virtio/net_ctrl.c
 * SOURCES: src/drivers/virtio/virtq.c src/dev/nic.c src/mem/page.c
 * SOURCES: src/mem/heap.c src/mem/kmap.c src/base/fmt.c
 * SOURCES: test/unit/host/host.c
 * SOURCES: test/unit/host/core.c test/unit/host/panic.c
 * INCLUDE: test/unit/host
 */
#include "../host/host.h"
#include "../unit.h"

#include <abi/errno.h>
#include <core/clock.h>
#include <dev/nic.h>
#include <dev/random.h>
#include <drivers/virtio/net.h>
#include <mem/heap.h>
#include <mem/page.h>

#define NQ	8
#define RING	256
#define HDR	12
#define MAXHELD 64
#define MAXTX	4096

static const uint64_t ALL =
	(1ull << 0) | (1ull << 1) | (1ull << 3) | (1ull << 5) | (1ull << 7) |
	(1ull << 8) | (1ull << 11) | (1ull << 12) | (1ull << 15) |
	(1ull << 16) | (1ull << 17) | (1ull << 18) | VIRTIO_F_VERSION_1 |
	VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC;
#define MQ (1ull << 22)

static struct virtio_device dev;
static struct nic *nic;
static uint8_t config[64];
static unsigned ring_max, ctrl_index;
static uint64_t seed = 1;
static struct {
	uint16_t avail, used;
} side[NQ]; /* the device's places */
static unsigned rx_notified, tx_readied, link_calls;
static unsigned tx_done_count;
static uint64_t now;

/* ---- what the driver stands on ---- */

unsigned
smp_count(void)
{
	return 2;
}

void
random_bytes(void *buf, size_t len)
{
	memset(buf, 0x5b, len);
}

uint64_t
clock_mono_ns(void)
{
	return now += 1000000;
}

void
virtio_fail(struct virtio_device *v, const char *why)
{
	(void)why;
	v->broken = true;
}

bool
virtio_match(const struct device *d)
{
	(void)d;
	return true;
}

int
virtio_attach(struct device *d)
{
	(void)d;
	return 0;
}

void
virtq_interrupt(struct virtq *q)
{
	if (q->done && virtq_pending(q))
		q->done(q);
}

void
virtio_config(struct virtio_device *v, unsigned off, void *buf, unsigned len)
{
	(void)v;
	CHECK(off + len <= sizeof(config));
	memcpy(buf, config + off, len);
}

uint16_t
virtio_config16(struct virtio_device *v, unsigned off)
{
	uint16_t x;

	virtio_config(v, off, &x, sizeof(x));
	return x;
}

uint32_t
virtio_config32(struct virtio_device *v, unsigned off)
{
	uint32_t x;

	virtio_config(v, off, &x, sizeof(x));
	return x;
}

/* ---- the device ---- */

static uint16_t
queue_max(struct virtio_device *v, unsigned i)
{
	(void)v;
	return i < NQ ? (uint16_t)ring_max : 0;
}

static int
queue_enable(struct virtio_device *v, struct virtq *q)
{
	(void)v, (void)q;
	return 0;
}

static struct virtq_desc *
chain(struct virtq *q, uint16_t head, unsigned *indirect)
{
	*indirect = q->desc[head].flags & 4;
	return *indirect ? phys_to_virt(q->desc[head].addr) : q->desc;
}

static bool
take(struct virtq *q, uint16_t *head)
{
	if (side[q->index].avail == q->avail[1])
		return false;
	*head = q->avail[2 + side[q->index].avail++ % q->num];
	CHECK(*head < q->num);
	return true;
}

static void
put(struct virtq *q, uint32_t id, uint32_t len)
{
	volatile uint32_t *e =
		(void *)(uintptr_t)&q
			->used[2 + 4 * (side[q->index].used++ % q->num)];

	e[0] = id;
	e[1] = len;
}

static void
publish(struct virtq *q)
{
	q->used[1] = side[q->index].used;
}

/* Control commands are answered in the notification, by this. */
static uint8_t ctrl_ack;
static struct {
	uint8_t class, command, data[16];
} ctrl_log[64];
static unsigned ctrl_n;

static void
ctrl_run(struct virtq *q)
{
	uint16_t head;

	while (take(q, &head)) {
		struct virtq_desc *d = &q->desc[head];
		uint8_t *p = phys_to_virt(d->addr);
		uint32_t len;

		CHECK_EQ(d->len, 2);
		ctrl_log[ctrl_n % 64].class = p[0];
		ctrl_log[ctrl_n % 64].command = p[1];
		d = &q->desc[d->next];
		len = d->len < 16 ? d->len : 16;
		memcpy(ctrl_log[ctrl_n++ % 64].data, phys_to_virt(d->addr),
		       len);
		d = &q->desc[d->next];
		CHECK_EQ(d->len, 1);
		*(uint8_t *)phys_to_virt(d->addr) = ctrl_ack;
		put(q, head, 1);
		publish(q);
		q->used[2 + 4 * q->num] = side[q->index].avail;
	}
}

static void
notify(struct virtq *q)
{
	if (q->index == ctrl_index)
		ctrl_run(q);
}

static const struct virtio_transport_ops ops = {
	.queue_max = queue_max,
	.queue_enable = queue_enable,
	.notify = notify,
};

/* ---- the stack ---- */

static void
stack_notify(struct nic *n, unsigned q)
{
	(void)n, (void)q;
	host_check_unlocked();
	rx_notified++;
}

static void
stack_ready(struct nic *n, unsigned q)
{
	(void)n, (void)q;
	host_check_unlocked();
	tx_readied++;
}

static void
stack_link(struct nic *n)
{
	(void)n;
	link_calls++;
}

static void
stack_attach(struct nic *n)
{
	nic = n;
	n->rx_notify = stack_notify;
	n->tx_ready = stack_ready;
	n->link_changed = stack_link;
}

static void
put16(unsigned off, uint16_t x)
{
	memcpy(config + off, &x, 2);
}

static int
setup(uint64_t features, unsigned ring)
{
	static bool once;
	int err;

	if (!once)
		host_mem_init(40 << 20);
	once = true;
	memset(&dev, 0, sizeof(dev));
	memset(side, 0, sizeof(side));
	ring_max = ring;
	ctrl_ack = 0;
	ctrl_n = 0;
	dev.ops = &ops;
	dev.features = features & (virtio_net.features | VIRTIO_F_VERSION_1 |
				   VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
	dev.features &=
		virtio_net.select(&dev, features) | ~virtio_net.features;
	ctrl_index = NQ;
	if (dev.features & (1ull << 17))
		ctrl_index = dev.features & MQ ? 4 : 2;
	err = virtio_net.attach(&dev);
	return err;
}

static void
honest_config(void)
{
	memset(config, 0, sizeof(config));
	memcpy(config, "\x52\x54\0\1\2\3", 6);
	put16(6, 1);
	put16(8, 2);
	put16(10, 1500);
}

/* The class names at most NIC_MAX: tests after that go round it. */
static void
start(void)
{
	int err = virtio_net.start(&dev);

	CHECK(err == 0 || err == -ENOSPC);
	nic = dev.priv; /* struct vnet begins with it */
	stack_attach(nic);
}

static void
bring_up(uint64_t features)
{
	honest_config();
	CHECK_EQ(setup(features, RING), 0);
	start();
	CHECK_EQ(nic->mtu, 1500);
	CHECK(nic->link_up);
}

static void
tear_down(void)
{
	virtio_fail(&dev, "end");
	virtio_net.broken(&dev);
	for (unsigned i = 0; i < dev.nqueues; i++)
		if (dev.queues[i] && i != ctrl_index)
			CHECK_EQ(dev.queues[i]->in_flight, 0);
	CHECK(!nic->link_up || !(dev.features & (1ull << 16)));
	host_check_unlocked();
}

static uint8_t
byte_of(unsigned id, unsigned i)
{
	return (uint8_t)(id * 7 + i * 13 + (i >> 8));
}

/* Delivers packet id of len bytes; false: no room (and nothing taken). */
static bool
deliver(unsigned id, unsigned len, struct virtq *q)
{
	uint16_t heads[RING], avail = side[q->index].avail;
	uint16_t used = side[q->index].used;
	unsigned at = 0, n = 0;
	uint8_t *first = NULL;

	do {
		struct virtq_desc *d;
		uint8_t *p;
		unsigned room, k = 0;

		if (!take(q, &heads[n])) {
			side[q->index].avail = avail;
			side[q->index].used = used;
			return false;
		}
		d = &q->desc[heads[n]];
		p = phys_to_virt(d->addr);
		room = d->len;
		if (!n) {
			first = p;
			memset(p, 0, HDR);
			k = HDR;
		}
		for (; k < room && at < len; k++)
			p[k] = byte_of(id, at++);
		put(q, heads[n++], k);
	} while (at < len);
	memcpy(first + 10, &(uint16_t){ (uint16_t)n }, 2);
	publish(q);
	return true;
}

static uint32_t largest_buf;

static void
check_packet(const struct nic_buf *b, unsigned id, unsigned len)
{
	unsigned at = 0;

	CHECK_EQ(b->packet_len, len);
	for (; b; b = b->next) {
		CHECK(b->truesize >= b->len);
		if (b->truesize > largest_buf)
			largest_buf = b->truesize;
		for (unsigned k = 0; k < b->len; k++)
			CHECK_EQ(b->data[k], byte_of(id, at++));
	}
	CHECK_EQ(at, len);
}

static void
free_packet(struct nic_buf *b)
{
	struct nic_buf *next;

	for (; b; b = next) {
		next = b->next;
		nic_buf_free(b);
	}
}

/* ---- receiving ---- */

static void
receive(uint64_t features, unsigned ring, unsigned maxlen)
{
	unsigned lens[1024], sent = 0, got = 0, nheld = 0;
	struct nic_buf *out[16], *held[MAXHELD];

	honest_config();
	CHECK_EQ(setup(features, ring), 0);
	start();
	rx_notified = 0;
	largest_buf = 0;
	while (got < 1000) {
		struct virtq *q = dev.queues[0];
		unsigned len =
			60 + (unsigned)unit_random(&seed) % (maxlen - 59);
		unsigned n, budget = 1 + (unsigned)unit_random(&seed) % 16;

		while (sent < 1000 && unit_random(&seed) % 4) {
			if (!deliver(sent, len, q))
				break;
			lens[sent++] = len;
		}
		if (unit_random(&seed) % 2)
			virtq_interrupt(q);
		CHECK(got == sent || rx_notified || virtq_pending(q));
		do {
			n = nic->ops->rx_poll(nic, 0, out, budget);
			host_check_unlocked();
			for (unsigned i = 0; i < n; i++, got++) {
				check_packet(out[i], got, lens[got]);
				if (nheld == MAXHELD)
					free_packet(held[--nheld]);
				held[nheld++] = out[i];
			}
		} while (n == budget);
		CHECK_EQ(got, sent);
		CHECK(!dev.broken);
	}
	CHECK_EQ(nic->stats.rx_packets, 1000);
	CHECK_EQ(nic->stats.rx_dropped, 0);
	while (nheld)
		free_packet(held[--nheld]);
	tear_down();
}

static void
test_receive(void)
{
	receive(ALL, RING, 65535);
	CHECK_EQ(largest_buf, 2048); /* the memory has no room for more */
	receive(ALL, 64, 65535);
	CHECK_EQ(largest_buf, 8192); /* while packets are large */
	receive(ALL, 64, 4000);
	CHECK_EQ(largest_buf, 2048);
}

static void
test_receive_plain(void)
{
	receive(VIRTIO_F_VERSION_1 | (1ull << 5), RING, 1514);
}

/* One notification for what comes between two polls, however often the
 * rings are looked at. */
static void
test_notify(void)
{
	struct nic_buf *out[4];
	struct virtq *q;

	bring_up(ALL);
	q = dev.queues[0];
	rx_notified = 0;
	CHECK(deliver(1, 100, q));
	for (unsigned i = 0; i < 10; i++)
		virtq_interrupt(q);
	CHECK_EQ(rx_notified, 1);
	CHECK_EQ(nic->ops->rx_poll(nic, 0, out, 4), 1);
	free_packet(out[0]);
	CHECK(deliver(2, 100, q));
	virtq_interrupt(q);
	CHECK_EQ(rx_notified, 2);
	CHECK_EQ(nic->ops->rx_poll(nic, 0, out, 1), 1);
	free_packet(out[0]);
	/* As many as asked for: nothing was enabled yet. */
	CHECK(deliver(3, 100, q));
	virtq_interrupt(q);
	CHECK_EQ(rx_notified, 2);
	CHECK_EQ(nic->ops->rx_poll(nic, 0, out, 4), 1);
	free_packet(out[0]);
	tear_down();
}

/* All memory is in use: packets are lost, the ring is not, and it grows
 * again when memory is there. */
static void
test_no_memory(void)
{
	struct nic_buf *out[16];
	struct list pages = LIST_INIT(pages);
	struct page *p, *next;
	void *small = NULL, *s;
	struct virtq *q;
	unsigned n, got = 0;

	bring_up(ALL);
	q = dev.queues[0];
	while ((p = page_alloc(0, ALLOC_ATOMIC)))
		list_add(&pages, &p->link);
	while ((s = kmalloc(2048, ALLOC_ATOMIC))) {
		*(void **)s = small;
		small = s;
	}
	for (unsigned i = 0; i < 500; i++) {
		CHECK(deliver(i, 60000, q)); /* always room for a large one */
		n = nic->ops->rx_poll(nic, 0, out, 16);
		for (unsigned k = 0; k < n; k++)
			check_packet(out[k], i, 60000);
		got += n;
		/* Held for a while, as by a slow program. */
		for (unsigned k = 0; k < n; k++)
			free_packet(out[k]);
		CHECK(q->in_flight >= 35);
	}
	CHECK(nic->stats.rx_dropped);
	CHECK_EQ(nic->stats.rx_dropped + got, 500);
	list_for_each_entry_safe(p, next, &pages, link) {
		list_del(&p->link);
		page_put(p);
	}
	while (small) {
		s = *(void **)small;
		kfree(small);
		small = s;
	}
	got = 0;
	for (unsigned i = 0; i < 10; i++) {
		CHECK(deliver(i, 1000, q));
		n = nic->ops->rx_poll(nic, 0, out, 16);
		got += n;
		while (n)
			free_packet(out[--n]);
	}
	CHECK_EQ(got, 10);
	tear_down();
}

/* ---- sending ---- */

static uint8_t sent_state[MAXTX]; /* 1: with the driver, 2: done */
static char *tx_data;

static void
sent_done(void *arg)
{
	uint8_t *s = arg;

	host_check_unlocked();
	CHECK_EQ(*s, 1);
	*s = 2;
	tx_done_count++;
}

static int
send_one(unsigned id, unsigned nsegs, bool kick)
{
	struct nic_seg segs[NIC_TX_SEGS + 1];
	struct nic_tx t = { .nsegs = nsegs,
			    .segs = segs,
			    .done = sent_done,
			    .arg = &sent_state[id] };
	int err;

	for (unsigned i = 0; i < nsegs && i <= NIC_TX_SEGS; i++)
		segs[i] = (struct nic_seg){ tx_data + id + i, 100 + i };
	if (nsegs > 3 && nic->tx_tso4) {
		t.meta.csum_partial = true;
		t.meta.csum_start = 34;
		t.meta.csum_offset = 16;
		t.meta.gso = NIC_GSO_TCP4;
		t.meta.gso_size = 1448;
		t.meta.hdr_len = 66;
	}
	sent_state[id] = 1;
	err = nic->ops->tx(nic, 0, &t, kick);
	if (err)
		sent_state[id] = 0;
	return err;
}

/* The device takes one packet and checks it against send_one(). */
static bool
take_sent(struct virtq *q, unsigned id, unsigned nsegs, uint16_t *head)
{
	struct virtq_desc *t, *d;
	unsigned indirect;
	uint8_t *h;

	if (!take(q, head))
		return false;
	t = chain(q, *head, &indirect);
	d = indirect ? t : &t[*head];
	CHECK_EQ(d->len, HDR);
	h = phys_to_virt(d->addr);
	CHECK_EQ(h[1], nsegs > 3 && nic->tx_tso4 ? 1 : 0);
	CHECK_EQ(h[0], nsegs > 3 && nic->tx_tso4 ? 1 : 0);
	for (unsigned i = 0; i < nsegs; i++) {
		CHECK(d->flags & 1);
		d = &t[d->next];
		CHECK_EQ(d->len, 100 + i);
		CHECK(phys_to_virt(d->addr) == tx_data + id + i);
		CHECK(!(d->flags & 2));
	}
	CHECK(!(d->flags & 1));
	return true;
}

static void
transmit(uint64_t features)
{
	unsigned segs[MAXTX], sent = 0, taken = 0, given = 0;
	uint16_t heads[RING];
	unsigned nheads = 0;
	struct virtq *q;
	bool full = false;

	bring_up(features);
	q = dev.queues[1];
	tx_data = page_addr(page_alloc(2, ALLOC_KERNEL));
	memset(sent_state, 0, sizeof(sent_state));
	tx_done_count = tx_readied = 0;
	while (given < 3000) {
		if (sent < 3000 && !full && unit_random(&seed) % 3) {
			unsigned n =
				1 + (unsigned)unit_random(&seed) % NIC_TX_SEGS;
			unsigned before = tx_readied;
			int err = send_one(sent, n, unit_random(&seed) % 2);

			host_check_unlocked();
			CHECK(err == 0 || err == -ENOSPC);
			full = err && tx_readied == before;
			if (!err)
				segs[sent++] = n;
		}
		if (nheads < RING && unit_random(&seed) % 2 &&
		    take_sent(q, taken, segs[taken], &heads[nheads])) {
			nheads++;
			taken++;
		}
		if (nheads && unit_random(&seed) % 4 == 0) {
			unsigned k = (unsigned)unit_random(&seed) % nheads;

			put(q, heads[k], 0);
			publish(q);
			heads[k] = heads[--nheads];
			given++;
			if (full) {
				virtq_interrupt(q);
				full = !tx_readied;
			}
			tx_readied = 0;
		}
		CHECK(!full || taken > given || sent > taken);
	}
	while (nic->ops->tx_reap(nic, 0))
		;
	CHECK_EQ(tx_done_count, 3000);
	for (unsigned i = 0; i < 3000; i++)
		CHECK_EQ(sent_state[i], 2);
	CHECK_EQ(nic->stats.tx_packets, 3000);
	CHECK_EQ(send_one(1, 0, true), -EMSGSIZE);
	CHECK_EQ(send_one(1, NIC_TX_SEGS + 1, true), -EMSGSIZE);
	/* What is under way when the device breaks is done, too. */
	CHECK_EQ(send_one(1, 2, true), 0);
	CHECK_EQ(send_one(2, 2, true), 0);
	tear_down();
	CHECK_EQ(sent_state[1], 2);
	CHECK_EQ(sent_state[2], 2);
	CHECK_EQ(send_one(3, 2, true), -EIO);
}

static void
test_transmit(void)
{
	transmit(ALL);
}

static void
test_transmit_direct(void)
{
	transmit(ALL & ~(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX));
}

/* A full queue says so, and tx_ready() comes when it has room. */
static void
test_full(void)
{
	unsigned n = 0, given = 0;
	struct virtq *q;
	uint16_t head;

	bring_up(ALL);
	q = dev.queues[1];
	tx_data = page_addr(page_alloc(2, ALLOC_KERNEL));
	while (!send_one(n, 2, false))
		n++;
	CHECK_EQ(n, RING);
	tx_readied = tx_done_count = 0;
	while (take(q, &head)) {
		put(q, head, 0);
		publish(q);
		given++;
		virtq_interrupt(q);
	}
	CHECK_EQ(given, n);
	CHECK_EQ(tx_readied, 1);
	CHECK_EQ(tx_done_count, n);
	tear_down();
}

/* ---- the control queue, configuration ---- */

static void
test_filter(void)
{
	static const uint8_t mc[2][6] = { "\x33\x33\0\0\0\1",
					  "\1\0\x5e\0\0\1" };

	bring_up(ALL);
	CHECK_EQ(nic->ops->set_filter(nic, mc, 2, false), 0);
	virtq_interrupt(dev.queues[2]);
	CHECK_EQ(ctrl_n, 3);
	CHECK_EQ(ctrl_log[0].class, 1);
	CHECK_EQ(ctrl_log[0].data[4], 2);
	CHECK(!memcmp(ctrl_log[0].data + 8, mc[0], 6));
	CHECK_EQ(ctrl_log[1].command, 1); /* allmulti */
	CHECK_EQ(ctrl_log[1].data[0], 0);
	CHECK_EQ(ctrl_log[2].command, 0); /* promisc */
	CHECK_EQ(ctrl_log[2].data[0], 0);
	/* A device that refuses is asked to let all in. */
	ctrl_ack = 1;
	ctrl_n = 0;
	CHECK_EQ(nic->ops->set_filter(nic, mc, 1, false), 0);
	virtq_interrupt(dev.queues[2]);
	CHECK_EQ(ctrl_log[ctrl_n - 1].command, 0);
	CHECK_EQ(ctrl_log[ctrl_n - 1].data[0], 1);
	tear_down();
	/* All, by saying none; far too many. */
	bring_up(ALL);
	ctrl_n = 0;
	CHECK_EQ(nic->ops->set_filter(nic, NULL, 0, false), 0);
	virtq_interrupt(dev.queues[2]);
	CHECK_EQ(ctrl_log[0].data[4], 0);
	CHECK_EQ(ctrl_log[1].data[0], 1);
	tear_down();
	bring_up(ALL);
	CHECK_EQ(nic->ops->set_filter(nic, mc, 1000, false), 0);
	virtq_interrupt(dev.queues[2]);
	CHECK_EQ(ctrl_log[0].data[4], 0);
	CHECK_EQ(ctrl_log[1].data[0], 1);
	tear_down();
	bring_up(ALL & ~(1ull << 17));
	CHECK_EQ(nic->ops->set_filter(nic, mc, 1, false), -EOPNOTSUPP);
	tear_down();
}

static void
test_multiqueue(void)
{
	bring_up(ALL | MQ);
	CHECK_EQ(nic->nrxq, 2);
	CHECK_EQ(ctrl_log[0].class, 4);
	CHECK_EQ(ctrl_log[0].data[0], 2);
	tear_down();
	honest_config();
	CHECK_EQ(setup(ALL | MQ, RING), 0);
	ctrl_ack = 1;
	start();
	CHECK_EQ(nic->nrxq, 1); /* it refused */
	tear_down();
}

static void
test_config(void)
{
	unsigned ring;

	honest_config();
	put16(10, 67);
	CHECK_EQ(setup(ALL, RING), -EINVAL); /* MTU */
	honest_config();
	config[0] = 1;
	CHECK_EQ(setup(ALL, RING), -EINVAL); /* a multicast address */
	for (unsigned pairs = 0; pairs <= 0xffff; pairs += 0x1111) {
		honest_config();
		put16(8, (uint16_t)pairs);
		CHECK_EQ(setup(ALL | MQ, RING), 0);
	}
	/* However small the ring, a large packet fits. */
	for (ring = 1; ring <= 64; ring *= 2) {
		honest_config();
		CHECK_EQ(setup(ALL & ~(1ull << 17), ring), 0);
		start();
		CHECK(deliver(1, 65535, dev.queues[0]));
		tear_down();
	}
	honest_config();
	CHECK_EQ(setup(VIRTIO_F_VERSION_1, 16), -EINVAL); /* tx does not fit */
	/* Large frames without mergeable buffers. */
	honest_config();
	put16(10, 9000);
	CHECK_EQ(setup(VIRTIO_F_VERSION_1 | (1ull << 3), RING), 0);
	start();
	CHECK_EQ(nic->mtu, 9000);
	CHECK(deliver(1, 9014, dev.queues[0]));
	tear_down();
	/* The link goes and comes. */
	bring_up(ALL);
	link_calls = 0;
	put16(6, 0);
	virtio_net.config_changed(&dev);
	CHECK(!nic->link_up);
	virtio_net.config_changed(&dev);
	put16(6, 1);
	virtio_net.config_changed(&dev);
	CHECK(nic->link_up);
	CHECK_EQ(link_calls, 2);
	tear_down();
}

/* ---- a hostile device ---- */

static void
check_hostile(const struct nic_buf *b)
{
	const struct nic_meta *m = &b->meta;
	unsigned at = 0, pieces = 0;

	CHECK(b->len >= 14);
	if (m->csum_partial)
		CHECK(m->csum_start + m->csum_offset + 2u <= b->len);
	if (m->gso)
		CHECK(m->gso_size);
	for (const struct nic_buf *p = b; p; p = p->next) {
		CHECK(p->len <= p->truesize);
		CHECK(p->data >= (const uint8_t *)p);
		CHECK(p->data + p->len <= (const uint8_t *)p + p->truesize);
		at += p->len;
		CHECK(++pieces <= RING);
	}
	CHECK_EQ(at, b->packet_len);
}

static void
hostile_step(struct virtq *q)
{
	uint16_t head;

	switch (unit_random(&seed) % 16) {
	case 0:
		q->used[1] = (uint16_t)unit_random(&seed);
		break;
	case 1:
		put(q, (uint32_t)unit_random(&seed) % q->num,
		    (uint32_t)unit_random(&seed) % 4096);
		publish(q);
		break;
	case 2:
		put(q, (uint32_t)unit_random(&seed), 5);
		publish(q);
		break;
	case 3:
		q->used[0] = (uint16_t)unit_random(&seed);
		break;
	default:
		if (!take(q, &head))
			break;
		if (q->index == 0) {
			struct virtq_desc *d = &q->desc[head];
			uint8_t *p = phys_to_virt(d->addr);

			for (unsigned i = 0; i < HDR; i++)
				p[i] = unit_random(&seed) % 3 ?
					       (uint8_t)(unit_random(&seed) %
							 6) :
					       0;
			p[11] = 0;
			p[10] = unit_random(&seed) % 3 ? 1 : 2;
			put(q, head,
			    unit_random(&seed) % 4 ?
				    d->len :
				    (uint32_t)unit_random(&seed) % 2048);
		} else {
			put(q, head, 0);
		}
		publish(q);
	}
}

static void
hostile_round(void)
{
	struct nic_buf *out[8], *held[256];
	unsigned n, nheld = 0, sent = 0;
	unsigned steps = (unsigned)unit_random(&seed) % 200;

	bring_up(unit_random(&seed) % 2 ? ALL : ALL & ~(1ull << 15));
	memset(sent_state, 0, sizeof(sent_state));
	for (unsigned i = 0; i < steps && !dev.broken; i++) {
		hostile_step(dev.queues[unit_random(&seed) % 2]);
		if (!send_one(sent, 1 + (unsigned)unit_random(&seed) % 8, true))
			sent++;
		virtq_interrupt(dev.queues[unit_random(&seed) % 2]);
		n = nic->ops->rx_poll(nic, 0, out, 8);
		while (n) {
			check_hostile(out[--n]);
			if (nheld < 256)
				held[nheld++] = out[n];
			else
				free_packet(out[n]);
		}
		if (nheld && unit_random(&seed) % 2)
			free_packet(held[--nheld]);
		host_check_unlocked();
	}
	tear_down();
	while (nheld)
		free_packet(held[--nheld]);
	for (unsigned i = 0; i < sent; i++)
		CHECK_EQ(sent_state[i], 2);
}

static void
test_hostile(void)
{
	tx_data = page_addr(page_alloc(2, ALLOC_KERNEL));
	for (unsigned i = 0; i < 400; i++)
		hostile_round();
}

static void
test_class(void)
{
	nic_on_register(stack_attach);
	CHECK(nic_get(0) != NULL);
	CHECK_STR(nic_get(0)->name, "eth0");
	CHECK(nic_get(NIC_MAX) == NULL);
}

static const struct unit_test tests[] = {
	{ "receive", test_receive },
	{ "receive-plain", test_receive_plain },
	{ "notify", test_notify },
	{ "no-memory", test_no_memory },
	{ "transmit", test_transmit },
	{ "transmit-direct", test_transmit_direct },
	{ "full", test_full },
	{ "filter", test_filter },
	{ "multiqueue", test_multiqueue },
	{ "config", test_config },
	{ "hostile", test_hostile },
	{ "class", test_class },
	{ NULL, NULL },
};
UNIT_MAIN(tests)
