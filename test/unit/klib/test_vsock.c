/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: AF_VSOCK holds against a hostile device.  By the rules a connection
 * carries its bytes; whatever a device sends, in any order, no byte outside
 * of a packet is read, no socket gets more than it promised, memory stays
 * within bounds, and all of it is freed at the end; a reset of the transport
 * ends the connections by the device and no other.
 * Method: the real klib over real queues and a device that the test plays,
 * by the book or at random, while sockets are opened, used and closed.
 * SOURCES: klib/vsock/queue.c klib/vsock/table.c klib/vsock/conn.c
 * SOURCES: klib/vsock/sock.c klib/vsock/data.c klib/vsock/option.c
 * SOURCES: klib/vsock/virtio.c src/drivers/virtio/virtq.c
 * SOURCES: src/mem/page.c src/mem/heap.c src/mem/kmap.c src/vm/uio.c
 * SOURCES: src/vm/uaccess.c test/unit/host/host.c
 * SOURCES: test/unit/host/core.c test/unit/host/panic.c
 * INCLUDE: test/unit/host
 */
#include "../host/host.h"
#include "../unit.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <core/clock.h>
#include <core/timer.h>
#include <dev/random.h>
#include <drivers/virtio/virtio.h>
#include <file/file.h>
#include <fs/pseudo.h>
#include <mem/page.h>
#include <vm/uio.h>

#include "../../../klib/vsock/vsock.h"

#define CID    52u
#define MEMORY (40ul << 20)
#define ROUNDS 60000u

static struct virtio_device dev;
static struct {
	uint16_t avail, used;
} side[3];
static uint64_t config_cid = CID, now, seed = 5;
static struct timer *timers[4];
static unsigned sockets;

/* ---- what the klib stands on ---- */

uint64_t
clock_mono_ns(void)
{
	return now += 1000;
}

void
timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn };
}

void
timer_set(struct timer *t, uint64_t deadline_ns)
{
	t->deadline_ns = deadline_ns;
	for (unsigned i = 0; i < 4; i++)
		if (!timers[i] || timers[i] == t) {
			timers[i] = t;
			return;
		}
	CHECK(!"timers");
}

static void
pass(uint64_t ns)
{
	now += ns;
	for (unsigned i = 0; i < 4; i++) {
		struct timer *t = timers[i];

		if (!t || t->deadline_ns > now)
			continue;
		timers[i] = NULL;
		t->fn(t);
	}
}

void
random_bytes(void *buf, size_t len)
{
	uint64_t x = unit_random(&seed);

	memcpy(buf, &x, len);
}

int
mutex_lock_intr(struct mutex *m)
{
	mutex_lock(m);
	return 0;
}

void
wait_start_exclusive(struct waitq *q, struct wait_entry *e, bool intr)
{
	(void)q, (void)e, (void)intr;
	CHECK(!"no call of the test waits");
}

void
socket_init(struct socket *s, const struct socket_ops *o, int family, int type,
	    int protocol)
{
	s->ops = o;
	s->family = (uint16_t)family;
	s->type = (uint16_t)type;
	s->protocol = (uint16_t)protocol;
	s->rcvlowat = 1;
	sockets++;
}

void
socket_fini(struct socket *s)
{
	(void)s;
	sockets--;
}

void
socket_inherit(struct socket *s, const struct socket *l)
{
	s->rcvlowat = l->rcvlowat;
}

uint64_t
sock_deadline(const struct socket *s, bool send, int flags)
{
	(void)s, (void)send, (void)flags;
	return 0;
}

int
sock_wait_error(const struct socket *s, bool send, int err)
{
	(void)s, (void)send;
	return err;
}

int
sock_take_error(struct socket *s)
{
	int err = s->error;

	s->error = 0;
	return -err;
}

void
sock_set_error(struct socket *s, int err)
{
	s->error = err < 0 ? -err : err;
}

bool
sock_capable(unsigned cap)
{
	(void)cap;
	return true;
}

int
file_create(const struct file_ops *ops, unsigned flags, void *priv,
	    struct file **out)
{
	(void)ops, (void)flags, (void)priv, (void)out;
	return -ENOMEM;
}

int
dev_register(const struct pseudo_entry *e)
{
	(void)e;
	return 0;
}

void
inode_stat(struct inode *i, struct kstat *st)
{
	(void)i, (void)st;
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

uint64_t
virtio_config64(struct virtio_device *v, unsigned off)
{
	(void)v;
	CHECK_EQ(off, 0);
	return config_cid;
}

/* ---- the device ---- */

static uint16_t
queue_max(struct virtio_device *v, unsigned i)
{
	(void)v;
	return i < 3 ? 256 : 0;
}

static int
queue_enable(struct virtio_device *v, struct virtq *q)
{
	(void)v, (void)q;
	return 0;
}

static void
notify(struct virtq *q)
{
	(void)q;
}

static const struct virtio_transport_ops ops = {
	.queue_max = queue_max,
	.queue_enable = queue_enable,
	.notify = notify,
};

static bool
take(struct virtq *q, uint16_t *head)
{
	if (side[q->index].avail == q->avail[1])
		return false;
	*head = q->avail[2 + side[q->index].avail++ % q->num];
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
	q->used[1] = side[q->index].used;
}

/* What the machine sent last, and the bytes of its data. */
static struct virtio_vsock_hdr last;
static uint32_t sent_bytes, sent_packets;

static void
drain(void)
{
	struct virtq *q = dev.queues[1];
	uint16_t head;

	do {
		while (take(q, &head)) {
			struct virtq_desc *d = &q->desc[head];

			CHECK_EQ(d->len, 44);
			memcpy(&last, phys_to_virt(d->addr), 44);
			sent_packets++;
			CHECK(last.src_cid == CID || dev.broken);
			if (last.len) {
				CHECK(d->flags & 1);
				d = &q->desc[d->next];
				CHECK_EQ(d->len, last.len);
				CHECK_EQ(last.op, VIRTIO_VSOCK_OP_RW);
				sent_bytes += d->len;
			} else {
				CHECK(!(d->flags & 1));
			}
			put(q, head, 0);
		}
		if (virtq_pending(q))
			q->done(q);
	} while (side[1].avail != q->avail[1]);
}

/* One packet to the machine: claimed is what the header says of the length,
 * extra what the ring says of it beyond.  false: no buffer is there. */
static bool
inject(const struct virtio_vsock_hdr *h, uint32_t len, int32_t ring)
{
	struct virtq *q = dev.queues[0];
	struct virtq_desc *d;
	uint16_t head;
	uint8_t *p;

	if (!take(q, &head))
		return false;
	d = &q->desc[head];
	CHECK_EQ(d->len, 44);
	memcpy(phys_to_virt(d->addr), h, 44);
	d = &q->desc[d->next];
	p = phys_to_virt(d->addr);
	for (uint32_t i = 0; i < len && i < d->len; i++)
		p[i] = (uint8_t)(i * 7);
	put(q, head, ring < 0 ? 44 + len : (uint32_t)ring);
	if (virtq_pending(q))
		q->done(q);
	host_check_unlocked();
	return true;
}

static struct virtio_vsock_hdr
packet(uint32_t src_port, uint32_t dst_port, uint16_t op, uint32_t len)
{
	return (struct virtio_vsock_hdr){
		.src_cid = VMADDR_CID_HOST,
		.dst_cid = CID,
		.src_port = src_port,
		.dst_port = dst_port,
		.len = len,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = 65536,
	};
}

static void
bring_up(void)
{
	static bool once;

	if (!once) {
		host_mem_init(MEMORY);
		memset(&dev, 0, sizeof(dev));
		dev.ops = &ops;
		dev.features = virtio_vsock.features | VIRTIO_F_VERSION_1 |
			       VIRTIO_F_EVENT_IDX;
		vsock_init();
		config_cid = 2;
		CHECK_EQ(virtio_vsock.attach(&dev), -EINVAL);
		config_cid = CID | 1ull << 32;
		CHECK_EQ(virtio_vsock.attach(&dev), -EINVAL);
		config_cid = CID;
		CHECK_EQ(virtio_vsock.attach(&dev), 0);
		CHECK_EQ(virtio_vsock.start(&dev), 0);
	}
	once = true;
}

/* ---- sockets ---- */

static struct socket *
new_socket(int type)
{
	struct socket *s;

	CHECK_EQ(vsock_create(type, 0, &s), 0);
	return s;
}

static struct sockaddr_vm
address(uint32_t cid, uint32_t port)
{
	return (struct sockaddr_vm){ .family = AF_VSOCK,
				     .cid = cid,
				     .port = port };
}

static struct socket *
listener(int type, uint32_t port, int backlog)
{
	struct sockaddr_vm a = address(VMADDR_CID_ANY, port);
	struct socket *s = new_socket(type);

	CHECK_EQ(s->ops->bind(s, &a, sizeof(a)), 0);
	CHECK_EQ(s->ops->listen(s, backlog), 0);
	return s;
}

static ssize_t
do_send(struct socket *s, size_t n)
{
	static uint8_t b[70000];
	struct sock_msg m = { 0 };
	struct uio u;

	uio_init_kernel(&u, b, n);
	return s->ops->send(s, &u, &m);
}

static ssize_t
do_recv(struct socket *s, uint8_t *b, size_t n, int flags)
{
	struct sock_msg m = { .flags = flags };
	struct uio u;

	uio_init_kernel(&u, b, n);
	return s->ops->recv(s, &u, &m);
}

/* ---- tests ---- */

static void
test_by_the_book(void)
{
	struct socket *l, *s;
	struct virtio_vsock_hdr h;
	uint8_t b[9000];
	uint32_t read = 0;

	bring_up();
	l = listener(SOCK_STREAM, 2000, 2);
	h = packet(9, 2000, VIRTIO_VSOCK_OP_REQUEST, 0);
	CHECK(inject(&h, 0, -1));
	drain();
	CHECK_EQ(last.op, VIRTIO_VSOCK_OP_RESPONSE);
	CHECK(last.buf_alloc >= 4096 && last.buf_alloc <= 262144);
	CHECK_EQ(l->ops->accept(l, true, &s), 0);
	CHECK_EQ(do_recv(s, b, 10, 0), -EAGAIN);
	for (uint32_t total = 0; total < 500000; total += 3000) {
		ssize_t n;

		h = packet(9, 2000, VIRTIO_VSOCK_OP_RW, 3000);
		CHECK(inject(&h, 3000, -1));
		drain();
		n = do_recv(s, b, sizeof(b), 0);
		CHECK_EQ(n, 3000);
		for (unsigned i = 0; i < 3000; i++)
			CHECK_EQ(b[i], (uint8_t)(i * 7));
		read += (uint32_t)n;
	}
	h = packet(9, 2000, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0);
	CHECK(inject(&h, 0, -1));
	drain();
	CHECK_EQ(last.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	CHECK_EQ(last.fwd_cnt, read);
	/* As much as the peer has room for. */
	sent_bytes = 0;
	CHECK_EQ(do_send(s, 70000), 65536);
	CHECK_EQ(do_send(s, 1), -EAGAIN);
	drain();
	CHECK_EQ(sent_bytes, 65536);
	CHECK(!(s->ops->poll(s, NULL) & POLLOUT));
	h = packet(9, 2000, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
	h.fwd_cnt = 100;
	CHECK(inject(&h, 0, -1));
	CHECK(s->ops->poll(s, NULL) & POLLOUT);
	CHECK_EQ(do_send(s, 70000), 100);
	/* The end: in order, then by the clock. */
	s->ops->release(s);
	drain();
	CHECK_EQ(last.op, VIRTIO_VSOCK_OP_SHUTDOWN);
	CHECK_EQ(last.flags, 3);
	CHECK_EQ(sockets, 2);
	pass(9 * NSEC_PER_SEC);
	drain();
	CHECK_EQ(last.op, VIRTIO_VSOCK_OP_RST);
	CHECK_EQ(sockets, 1);
	l->ops->release(l);
	CHECK_EQ(sockets, 0);
}

static void
test_connect(void)
{
	struct sockaddr_vm a = address(VMADDR_CID_HOST, 77);
	struct socket *s = new_socket(SOCK_STREAM);
	struct virtio_vsock_hdr h;

	bring_up();
	CHECK_EQ(s->ops->connect(s, &a, sizeof(a), true), -EINPROGRESS);
	CHECK_EQ(s->ops->connect(s, &a, sizeof(a), true), -EALREADY);
	drain();
	CHECK_EQ(last.op, VIRTIO_VSOCK_OP_REQUEST);
	pass(3 * NSEC_PER_SEC);
	CHECK_EQ(s->error, ETIMEDOUT);
	drain();
	CHECK_EQ(s->ops->connect(s, &a, sizeof(a), true), -EINPROGRESS);
	drain();
	h = packet(77, last.src_port, VIRTIO_VSOCK_OP_RST, 0);
	CHECK(inject(&h, 0, -1));
	CHECK_EQ(s->error, ECONNRESET);
	CHECK_EQ(s->ops->connect(s, &a, sizeof(a), true), -EINPROGRESS);
	drain();
	h = packet(77, last.src_port, VIRTIO_VSOCK_OP_RESPONSE, 0);
	CHECK(inject(&h, 0, -1));
	CHECK_EQ(s->ops->connect(s, &a, sizeof(a), true), -EISCONN);
	/* It was not promised so much. */
	for (unsigned i = 0; i < 100; i++) {
		h = packet(77, last.src_port, VIRTIO_VSOCK_OP_RW, 4000);
		CHECK(inject(&h, 4000, -1));
	}
	drain();
	CHECK_EQ(last.op, VIRTIO_VSOCK_OP_RST);
	CHECK(s->ops->poll(s, NULL) & POLLERR);
	s->ops->release(s);
	CHECK_EQ(sockets, 0);
}

static void
test_lengths(void)
{
	static const int32_t ring[] = { 0, 1, 43, 44, 100, 4059, 4060 };
	struct virtio_vsock_hdr h;

	bring_up();
	for (unsigned i = 0; i < 7; i++)
		for (uint32_t len = 0; len < 5000; len += 17) {
			h = packet(1, 1, VIRTIO_VSOCK_OP_RW, len);
			CHECK(inject(&h, len, ring[i]));
			drain();
		}
	h.len = UINT32_MAX;
	CHECK(inject(&h, 0, 4060));
	drain();
	CHECK(!dev.broken);
}

static void
test_near(void)
{
	struct socket *l = listener(SOCK_SEQPACKET, 3000, 0), *s, *t, *c;
	struct sockaddr_vm a = address(VMADDR_CID_LOCAL, 3000);
	uint8_t b[70000];

	bring_up();
	sent_packets = 0;
	s = new_socket(SOCK_SEQPACKET);
	t = new_socket(SOCK_SEQPACKET);
	CHECK_EQ(s->ops->connect(s, &a, sizeof(a), true), -EINPROGRESS);
	CHECK_EQ(s->ops->connect(s, &a, sizeof(a), true), -EISCONN);
	CHECK_EQ(t->ops->connect(t, &a, sizeof(a), true), -EINPROGRESS);
	CHECK_EQ(t->error, ECONNRESET); /* the queue is full */
	CHECK_EQ(l->ops->accept(l, true, &c), 0);
	CHECK_EQ(do_send(s, 70000), 70000);
	CHECK_EQ(do_send(s, 3), 3);
	CHECK_EQ(do_recv(c, b, 70000, MSG_PEEK), 70000);
	CHECK_EQ(do_recv(c, b, 70000, 0), 70000);
	CHECK_EQ(do_recv(c, b, 1, MSG_TRUNC), 3);
	CHECK_EQ(do_recv(c, b, 1, 0), -EAGAIN);
	s->ops->release(s);
	CHECK_EQ(do_recv(c, b, 1, 0), 0);
	CHECK_EQ(do_send(c, 1), -EPIPE);
	c->ops->release(c);
	t->ops->release(t);
	l->ops->release(l);
	CHECK_EQ(sockets, 0);
	drain();
	CHECK_EQ(sent_packets, 0);
}

/* ---- at random ---- */

#define SOCKETS 24u

static struct socket *open_ones[SOCKETS];

static uint32_t
rnd(uint32_t n)
{
	return (uint32_t)(unit_random(&seed) % n);
}

static uint32_t
some_port(void)
{
	uint32_t k = rnd(SOCKETS);

	switch (rnd(3)) {
	case 0:
		return 5000 + rnd(8);
	case 1:
		if (open_ones[k])
			return vsock_of(open_ones[k])->port;
		return 77;
	default:
		return rnd(90);
	}
}

static uint32_t
peer_port(void)
{
	uint32_t k = rnd(SOCKETS);

	return rnd(4) && open_ones[k] ? vsock_of(open_ones[k])->peer_port :
					rnd(20);
}

static void
random_packet(void)
{
	uint32_t len = rnd(3) ? rnd(600) : rnd(4017);
	struct virtio_vsock_hdr h =
		packet(peer_port(), some_port(), (uint16_t)rnd(9), len);

	h.type = (uint16_t)(1 + rnd(2));
	h.buf_alloc = rnd(4) ? rnd(200000) : (uint32_t)unit_random(&seed);
	h.fwd_cnt = rnd(4) ? last.fwd_cnt : (uint32_t)unit_random(&seed);
	h.flags = rnd(4);
	if (h.op != VIRTIO_VSOCK_OP_RW && rnd(2))
		h.len = len = 0;
	if (!rnd(20))
		h.len = (uint32_t)unit_random(&seed);
	if (!rnd(50))
		h.dst_cid = unit_random(&seed);
	if (!rnd(50))
		h.src_cid = rnd(2) ? CID : VMADDR_CID_LOCAL;
	inject(&h, len, rnd(20) ? -1 : (int32_t)rnd(4061));
}

static void
random_call(void)
{
	static uint8_t b[70000];
	uint32_t k = rnd(SOCKETS);
	struct socket *s = open_ones[k], *n;
	struct sockaddr_vm a =
		address(rnd(2) ? VMADDR_CID_LOCAL : VMADDR_CID_HOST,
			rnd(2) ? 5000 + rnd(8) : rnd(20));
	uint64_t size = rnd(100000);

	if (!s) {
		open_ones[k] =
			new_socket(rnd(2) ? SOCK_STREAM : SOCK_SEQPACKET);
		return;
	}
	switch (rnd(10)) {
	case 0:
		a.cid = VMADDR_CID_ANY;
		ignore(s->ops->bind(s, &a, sizeof(a)));
		ignore(s->ops->listen(s, (int)rnd(4)));
		break;
	case 1:
		ignore(s->ops->connect(s, &a, sizeof(a), true));
		break;
	case 2:
		if (!s->ops->accept(s, true, &n)) {
			uint32_t to = rnd(SOCKETS);

			if (open_ones[to])
				n->ops->release(n);
			else
				open_ones[to] = n;
		}
		break;
	case 3:
		ignore(s->ops->shutdown(s, (int)rnd(3)));
		break;
	case 4:
		s->ops->release(s);
		open_ones[k] = NULL;
		break;
	case 5:
		ignore(s->ops->setopt(s, AF_VSOCK, (int)rnd(3), &size, 8));
		break;
	case 6:
		ignore(do_send(s, 1 + rnd(70000)));
		break;
	default:
		ignore(do_recv(s, b, 1 + rnd(sizeof(b)),
			       rnd(4) ? 0 : MSG_PEEK));
		break;
	}
	host_check_unlocked();
}

static void
test_random(void)
{
	struct mem_stats before, m;

	bring_up();
	mem_stats_get(&before);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (rnd(2))
			random_packet();
		else
			random_call();
		if (!rnd(4))
			drain();
		if (!rnd(100))
			pass(rnd(2000000000));
		/* A quarter of the memory is promised, the least for each
		 * socket is little, and pieces are half full. */
		mem_stats_get(&m);
		CHECK(before.free - m.free < MEMORY / PAGE_SIZE * 3 / 4);
		CHECK(sockets < 2000);
	}
	CHECK(!dev.broken);
	for (unsigned k = 0; k < SOCKETS; k++) {
		if (open_ones[k])
			open_ones[k]->ops->release(open_ones[k]);
		open_ones[k] = NULL;
	}
	drain();
	pass(9 * NSEC_PER_SEC);
	drain();
	CHECK_EQ(sockets, 0);
}

/* The transport is reset: near connections stay, far ones end, who listens
 * goes on under the new address; a device that breaks takes all with it. */
static void
test_reset(void)
{
	struct socket *l, *near, *near2, *far, *s;
	struct sockaddr_vm a = address(VMADDR_CID_LOCAL, 4000);
	struct virtq *q = dev.queues[2];
	struct virtio_vsock_hdr h;
	uint16_t head;
	uint8_t b[4];

	bring_up();
	l = listener(SOCK_STREAM, 4000, 4);
	near = new_socket(SOCK_STREAM);
	CHECK_EQ(near->ops->connect(near, &a, sizeof(a), false), 0);
	CHECK_EQ(l->ops->accept(l, true, &near2), 0);
	h = packet(9, 4000, VIRTIO_VSOCK_OP_REQUEST, 0);
	CHECK(inject(&h, 0, -1));
	CHECK_EQ(l->ops->accept(l, true, &far), 0);
	drain();
	for (uint32_t id = 1; id < 5; id--) { /* one that is not known first */
		CHECK(take(q, &head));
		memcpy(phys_to_virt(q->desc[head].addr), &id, 4);
		config_cid = id ? CID : 60;
		put(q, head, 4);
		q->done(q);
		CHECK_EQ(far->error, id ? 0 : ECONNRESET);
	}
	CHECK_EQ(vsock_device_cid(), 60);
	CHECK_EQ(do_send(far, 1), -EPIPE);
	CHECK_EQ(do_send(near, 1), 1);
	CHECK_EQ(do_recv(near2, b, 4, 0), 1);
	CHECK(inject(&h, 0, -1)); /* to the address of before */
	CHECK_EQ(l->ops->accept(l, true, &s), -EAGAIN);
	h.dst_cid = 60;
	CHECK(inject(&h, 0, -1));
	CHECK_EQ(l->ops->accept(l, true, &s), 0);
	CHECK_EQ(do_send(s, 70000), 65536);
	virtio_fail(&dev, "the test says so");
	virtio_vsock.broken(&dev);
	CHECK_EQ(do_send(s, 1), -EPIPE);
	CHECK_EQ(do_send(near, 1), 1);
	CHECK_EQ(dev.queues[0]->in_flight, 0);
	CHECK_EQ(dev.queues[1]->in_flight, 0);
	far->ops->release(far);
	far = new_socket(SOCK_STREAM);
	a.cid = 99;
	CHECK_EQ(far->ops->connect(far, &a, sizeof(a), true), -ENODEV);
	far->ops->release(far);
	near->ops->release(near);
	near2->ops->release(near2);
	s->ops->release(s);
	l->ops->release(l);
	CHECK_EQ(sockets, 0);
}

static const struct unit_test tests[] = {
	{ "by the book", test_by_the_book },
	{ "connect", test_connect },
	{ "lengths", test_lengths },
	{ "near", test_near },
	{ "random", test_random },
	{ "reset", test_reset }, /* last: the device is gone after it */
	{ NULL, NULL },
};

UNIT_MAIN(tests)
