/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-serial: the console device with several ports (virtio 1.2, 5.3).
 *
 * Ports are streams, found by the name that the host gives them.  The host
 * announces ports over the control queue once we say that we are ready;
 * start() waits for that conversation, as everything else at boot wants the
 * control port, and each step is answered at once.
 *
 * Output: a port has a few buffers, made at the first write; write() copies
 * into those that are free.  A buffer comes back when the host's end has
 * taken its bytes, so back-pressure is exact and drain() means what it says.
 * Input: pages that lie with the device; read() empties them in order and
 * hands them back.  A port gets input pages when somebody first reads, polls
 * or waits, so that output ports cost none.
 *
 * The host's end going away: input ends after what has arrived, output
 * answers EPIPE.
 *
 * Locks: a queue's own lock guards its buffers; port->state bits are atomic.
 */
#include <drivers/virtio/serial.h>

#include <abi/errno.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <dev/stream.h>
#include <drivers/virtio/virtio.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>

#define F_MULTIPORT (1ull << 1)
#define C_MAX_PORTS 4

#define CTL_DEVICE_READY 0
#define CTL_PORT_ADD	 1
#define CTL_PORT_REMOVE	 2
#define CTL_PORT_READY	 3
#define CTL_CONSOLE_PORT 4
#define CTL_RESIZE	 5
#define CTL_PORT_OPEN	 6
#define CTL_PORT_NAME	 7

#define MAX_PORTS     16u
#define CTL_BUFS      32u
#define CTL_BUF_SIZE  64u
#define PORT_RING     16u
#define TX_BUFS	      4u
#define TX_BUFS_SMALL 2u
#define TX_ORDER      3u /* 32 KiB */
#define RX_BUFS	      16u
#define RX_BUFS_SMALL 4u
#define SMALL_PAGES   4096u

#define HANDSHAKE_NS 50000000ull
#define OPEN_NS	     5000000ull /* for an end that may never be opened */

struct control {
	uint32_t id;
	uint16_t event, value;
};
static_assert(sizeof(struct control) == 8, "virtio_console_control");

struct txbuf {
	char *data;
	uint32_t size;
	struct txbuf *next; /* free list */
};

struct vserial;

#define P_ADDED	    1u
#define P_NAMED	    2u
#define P_HOST_OPEN 4u /* the host's end is there */
#define P_WAS_OPEN  8u

struct port {
	struct stream stream;
	struct vserial *d;     /* [I] */
	unsigned id;	       /* [I] */
	uint32_t state;	       /* [a] P_* */
	struct virtq *rx, *tx; /* [I] */
	/* [tx->lock] */
	struct txbuf *tx_free;
	unsigned tx_made, tx_busy;
	/* [rx->lock] */
	unsigned rx_made;
	char *cur; /* the page being read */
	uint32_t cur_at, cur_len;
};

struct vserial {
	struct virtio_device *v;
	bool multiport, small; /* [I] */
	unsigned max_ports;    /* [I] */
	struct virtq *ctl_rx, *ctl_tx;
	char *ctl_page;	       /* CTL_BUFS input, then output slots */
	uint64_t ctl_out_busy; /* [ctl_tx->lock] */
	bool ctl_busy;	       /* [a] messages are being handled */
	struct port *ports[MAX_PORTS];
};

/* ---- output ---- */

static void
tx_reap(struct port *p)
{
	struct txbuf *b;

	while ((b = virtq_get(p->tx, NULL))) {
		b->next = p->tx_free;
		p->tx_free = b;
		p->tx_busy--;
	}
}

/* A free buffer; makes one while there may be more.  NULL: none. */
static struct txbuf *
tx_take(struct port *p, size_t want)
{
	unsigned max = p->d->small ? TX_BUFS_SMALL : TX_BUFS;
	unsigned order = p->d->small || want <= PAGE_SIZE ? 0 : TX_ORDER;
	struct txbuf *b = p->tx_free;
	struct page *page;

	if (b) {
		p->tx_free = b->next;
		return b;
	}
	if (p->tx_made == max)
		return NULL;
	b = kmalloc(sizeof(*b), ALLOC_ATOMIC);
	page = page_alloc(order, ALLOC_ATOMIC);
	if (!page && order)
		page = page_alloc(order = 0, ALLOC_ATOMIC);
	if (!b || !page) {
		kfree(b);
		if (page)
			page_put(page);
		return NULL;
	}
	b->data = page_addr(page);
	b->size = (uint32_t)(PAGE_SIZE << order);
	p->tx_made++;
	return b;
}

static bool
host_open(const struct port *p)
{
	return atomic_load_acquire(&p->state) & P_HOST_OPEN && !p->d->v->broken;
}

/* With tx->lock. */
static ssize_t
write_locked(struct port *p, const char *buf, size_t len)
{
	struct txbuf *b;
	size_t done = 0;

	tx_reap(p);
	while (done < len && (b = tx_take(p, len - done))) {
		struct virtq_sg sg = { virt_to_phys(b->data), 0 };

		sg.len = (uint32_t)min_u64(len - done, b->size);
		memcpy(b->data, buf + done, sg.len);
		if (virtq_add(p->tx, &sg, 1, 0, b, NULL)) {
			b->next = p->tx_free;
			p->tx_free = b;
			break;
		}
		p->tx_busy++;
		done += sg.len;
	}
	virtq_kick(p->tx);
	tx_reap(p);
	return (ssize_t)done;
}

static ssize_t
port_write(struct stream *s, const void *buf, size_t len)
{
	struct port *p = s->priv;
	ssize_t done;
	irqflags_t f;

	if (!host_open(p))
		return -EPIPE;
	f = spin_lock_irq(&p->tx->lock);
	done = write_locked(p, buf, len);
	/* Nothing fits: the caller will wait for the interrupt.  Without a
	 * buffer at all there is none to come: say that it failed. */
	if (!done && len) {
		if (!p->tx_busy && !p->tx_free)
			done = -ENOMEM;
		else if (virtq_irq_enable(p->tx))
			done = write_locked(p, buf, len);
	}
	spin_unlock_irq(&p->tx->lock, f);
	if (!done && !host_open(p))
		return -EPIPE;
	return done;
}

static void
tx_done(struct virtq *q)
{
	struct port *p = q->priv;
	irqflags_t f = spin_lock_irq(&q->lock);

	virtq_irq_disable(q);
	tx_reap(p);
	spin_unlock_irq(&q->lock, f);
	wait_wake_all(&p->stream.wq, POLLOUT | POLLWRNORM);
}

/* Bytes that are not with the host yet?  Asks for an interrupt then. */
static bool
tx_pending(struct port *p)
{
	irqflags_t f = spin_lock_irq(&p->tx->lock);
	bool busy;

	tx_reap(p);
	if (p->tx_busy && virtq_irq_enable(p->tx))
		tx_reap(p);
	busy = p->tx_busy && host_open(p);
	spin_unlock_irq(&p->tx->lock, f);
	return busy;
}

static int
port_drain(struct stream *s, uint64_t deadline_ns)
{
	struct port *p = s->priv;
	struct wait_entry e;
	int err = 0;

	if (!irq_enabled()) {
		while (tx_pending(p)) {
			if (clock_mono_ns() >= deadline_ns)
				return -ETIMEDOUT;
			cpu_relax();
		}
		return 0;
	}
	wait_start(&s->wq, &e, false);
	while (!err && tx_pending(p))
		err = wait_sleep(&e, deadline_ns);
	wait_end(&s->wq, &e);
	return err;
}

/* The other CPUs have stopped, perhaps with the lock held. */
static void
port_panic_write(struct stream *s, const void *buf, size_t len)
{
	struct port *p = s->priv;
	uint64_t deadline = clock_mono_ns() + NSEC_PER_SEC;
	size_t done = 0;

	while (host_open(p) && clock_mono_ns() < deadline) {
		if (done < len)
			done += (size_t)write_locked(
				p, (const char *)buf + done, len - done);
		else
			tx_reap(p);
		if (done == len && !p->tx_busy)
			return;
		cpu_relax();
	}
}

/* ---- input ---- */

static void
rx_give(struct port *p, char *page)
{
	struct virtq_sg sg = { virt_to_phys(page), PAGE_SIZE };

	/* Fails only on a broken device, which never gives it back. */
	ignore(virtq_add(p->rx, &sg, 0, 1, page, NULL));
}

/* With rx->lock.  The first reader's. */
static void
rx_fill(struct port *p)
{
	unsigned want = p->d->small ? RX_BUFS_SMALL : RX_BUFS;

	while (p->rx_made < want) {
		struct page *page = page_alloc(0, ALLOC_ATOMIC);

		if (!page)
			break;
		p->rx_made++;
		rx_give(p, page_addr(page));
	}
	virtq_kick(p->rx);
}

/* With rx->lock: is there a byte to read?  Takes the next page. */
static bool
rx_next(struct port *p)
{
	while (!p->cur || p->cur_at == p->cur_len) {
		if (p->cur)
			rx_give(p, p->cur);
		p->cur_at = p->cur_len = 0;
		p->cur = virtq_get(p->rx, &p->cur_len);
		if (!p->cur)
			return false;
	}
	return true;
}

/* The same, and asks for an interrupt if there is none. */
static bool
rx_ready(struct port *p)
{
	if (!p->rx_made)
		rx_fill(p);
	if (rx_next(p))
		return true;
	return virtq_irq_enable(p->rx) && rx_next(p);
}

static ssize_t
port_read(struct stream *s, void *buf, size_t len)
{
	struct port *p = s->priv;
	/* Read before the ring: what arrived before the close is seen. */
	bool open = host_open(p);
	size_t done = 0;
	irqflags_t f;

	f = spin_lock_irq(&p->rx->lock);
	while (done < len && rx_ready(p)) {
		size_t n = min_u64(len - done, p->cur_len - p->cur_at);

		memcpy((char *)buf + done, p->cur + p->cur_at, n);
		p->cur_at += (uint32_t)n;
		done += n;
	}
	virtq_kick(p->rx);
	spin_unlock_irq(&p->rx->lock, f);
	if (done || !len)
		return (ssize_t)done;
	return open ? -EAGAIN : 0;
}

static void
rx_done(struct virtq *q)
{
	struct port *p = q->priv;
	irqflags_t f = spin_lock_irq(&q->lock);

	virtq_irq_disable(q); /* until somebody looks and finds nothing */
	spin_unlock_irq(&q->lock, f);
	wait_wake_all(&p->stream.wq, POLLIN | POLLRDNORM);
}

static uint32_t
port_poll(struct stream *s)
{
	struct port *p = s->priv;
	bool open = host_open(p);
	uint32_t r = 0;
	irqflags_t f;

	f = spin_lock_irq(&p->rx->lock);
	if (rx_ready(p))
		r |= POLLIN | POLLRDNORM;
	virtq_kick(p->rx);
	spin_unlock_irq(&p->rx->lock, f);
	f = spin_lock_irq(&p->tx->lock);
	tx_reap(p);
	if (!p->tx_busy || p->tx_free ||
	    p->tx_made < (p->d->small ? TX_BUFS_SMALL : TX_BUFS) ||
	    (virtq_irq_enable(p->tx) && (tx_reap(p), p->tx_free)))
		r |= POLLOUT | POLLWRNORM;
	spin_unlock_irq(&p->tx->lock, f);
	return open ? r : r | POLLHUP;
}

/* The page that is being read: there may be more behind it. */
static size_t
port_available(struct stream *s)
{
	struct port *p = s->priv;
	irqflags_t f = spin_lock_irq(&p->rx->lock);
	size_t n = rx_ready(p) ? p->cur_len - p->cur_at : 0;

	spin_unlock_irq(&p->rx->lock, f);
	return n;
}

static const struct stream_ops port_ops = {
	.available = port_available,
	.write = port_write,
	.read = port_read,
	.poll = port_poll,
	.drain = port_drain,
	.panic_write = port_panic_write,
};

/* ---- the control queue ---- */

static void
ctl_send(struct vserial *d, uint32_t id, uint16_t event, uint16_t value)
{
	char *base = d->ctl_page + CTL_BUFS * CTL_BUF_SIZE;
	irqflags_t f = spin_lock_irq(&d->ctl_tx->lock);
	struct control *c;
	struct virtq_sg sg;
	unsigned slot;

	while ((c = virtq_get(d->ctl_tx, NULL)))
		d->ctl_out_busy &=
			~(1ull << (((char *)c - base) / CTL_BUF_SIZE));
	slot = (unsigned)__builtin_ctzll(~d->ctl_out_busy | 1ull << 63);
	if (slot >= CTL_BUFS) {
		log_warn("%s: control queue is full", d->v->dev.name);
		goto out;
	}
	c = (void *)(base + slot * CTL_BUF_SIZE);
	*c = (struct control){ id, event, value };
	sg = (struct virtq_sg){ virt_to_phys(c), sizeof(*c) };
	if (!virtq_add(d->ctl_tx, &sg, 1, 0, c, NULL))
		d->ctl_out_busy |= 1ull << slot;
out:
	spin_unlock_irq(&d->ctl_tx->lock, f);
}

static void
ctl_kick(struct vserial *d)
{
	irqflags_t f = spin_lock_irq(&d->ctl_tx->lock);

	virtq_kick(d->ctl_tx);
	spin_unlock_irq(&d->ctl_tx->lock, f);
}

static void
ctl_give(struct vserial *d, void *buf)
{
	struct virtq_sg sg = { virt_to_phys(buf), CTL_BUF_SIZE };

	ignore(virtq_add(d->ctl_rx, &sg, 0, 1, buf, NULL)); /* broken only */
}

static void
port_named(struct port *p, const char *name, size_t len)
{
	int err;

	if (atomic_load_relaxed(&p->state) & P_NAMED)
		return; /* a name does not change */
	len = min_u64(strnlen(name, len), sizeof(p->stream.name) - 1);
	memcpy(p->stream.name, name, len);
	p->stream.name[len] = '\0';
	err = stream_register(&p->stream);
	if (err)
		log_warn("%s: port %u: \"%s\": error %d", p->d->v->dev.name,
			 p->id, p->stream.name, -err);
	else
		atomic_or(&p->state, P_NAMED);
}

static void
port_opened(struct port *p, bool open)
{
	if (open) {
		atomic_or(&p->state, P_HOST_OPEN | P_WAS_OPEN);
		wait_wake_all(&p->stream.wq, POLLOUT | POLLWRNORM);
	} else {
		atomic_and(&p->state, ~P_HOST_OPEN);
		wait_wake_all(&p->stream.wq, POLLIN | POLLRDNORM | POLLHUP);
	}
}

static void
ctl_message(struct vserial *d, const char *buf, uint32_t len)
{
	struct control c;
	struct port *p;

	if (len < sizeof(c))
		return;
	memcpy(&c, buf, sizeof(c));
	p = c.id < d->max_ports ? d->ports[c.id] : NULL;
	if (!p)
		return;
	switch (c.event) {
	case CTL_PORT_ADD:
		if (atomic_fetch_or(&p->state, P_ADDED) & P_ADDED)
			break;
		ctl_send(d, c.id, CTL_PORT_READY, 1);
		ctl_send(d, c.id, CTL_PORT_OPEN, 1);
		break;
	case CTL_PORT_REMOVE:
		port_opened(p, false);
		break;
	case CTL_PORT_NAME:
		port_named(p, buf + sizeof(c), len - sizeof(c));
		break;
	case CTL_PORT_OPEN:
		port_opened(p, c.value);
		break;
	default:
		break; /* console port, its size: not for streams */
	}
}

/* One message at a time: its handling sends, wakes and registers without
 * this queue's lock.  false: there was none, and the interrupt is on. */
static bool
ctl_next(struct vserial *d)
{
	struct virtq *q = d->ctl_rx;
	char copy[CTL_BUF_SIZE];
	irqflags_t f = spin_lock_irq(&q->lock);
	uint32_t len = 0;
	void *buf = virtq_get(q, &len);

	if (!buf && virtq_irq_enable(q))
		buf = virtq_get(q, &len);
	if (buf) {
		memcpy(copy, buf, sizeof(copy));
		ctl_give(d, buf);
	} else {
		virtq_kick(q);
	}
	spin_unlock_irq(&q->lock, f);
	if (buf)
		ctl_message(d, copy, len);
	return buf;
}

/* Who finds another context at it leaves it to that one, or an end could be
 * handled before its beginning. */
static void
ctl_done(struct virtq *q)
{
	struct vserial *d = q->priv;

	do {
		if (atomic_xchg(&d->ctl_busy, true))
			return;
		while (ctl_next(d))
			;
		ctl_kick(d);
		atomic_store(&d->ctl_busy, false);
	} while (virtq_pending(q) && !q->v->broken);
}

/* ---- attaching ---- */

static int
make_port(struct vserial *d, unsigned id)
{
	unsigned index = id ? 2 * (id + 1) : 0;
	struct port *p = kzalloc(sizeof(*p), ALLOC_KERNEL);
	int err;

	if (!p)
		return -ENOMEM;
	p->d = d;
	p->id = id;
	waitq_init(&p->stream.wq);
	p->stream.ops = &port_ops;
	p->stream.priv = p;
	err = virtq_setup(d->v, index, PORT_RING, rx_done, &p->rx);
	if (!err)
		err = virtq_setup(d->v, index + 1, PORT_RING, tx_done, &p->tx);
	if (err) {
		kfree(p);
		return err;
	}
	p->rx->priv = p->tx->priv = p;
	/* Output completions are looked for by who needs a buffer. */
	virtq_irq_disable(p->tx);
	d->ports[id] = p;
	return 0;
}

static int
make_control(struct vserial *d)
{
	struct page *page = page_alloc(0, ALLOC_KERNEL | ALLOC_ZERO);
	int err;

	if (!page)
		return -ENOMEM;
	static_assert(2 * CTL_BUFS * CTL_BUF_SIZE <= PAGE_SIZE, "one page");
	d->ctl_page = page_addr(page);
	err = virtq_setup(d->v, 2, CTL_BUFS, ctl_done, &d->ctl_rx);
	if (!err)
		err = virtq_setup(d->v, 3, CTL_BUFS, NULL, &d->ctl_tx);
	if (!err)
		d->ctl_rx->priv = d;
	return err;
}

static int
attach(struct virtio_device *v)
{
	struct vserial *d = kzalloc(sizeof(*d), ALLOC_KERNEL);
	struct mem_stats mem;
	unsigned i;
	int err = 0;

	if (!d)
		return -ENOMEM;
	d->v = v;
	v->priv = d;
	mem_stats_get(&mem);
	d->small = mem.total < SMALL_PAGES;
	d->multiport = virtio_has(v, F_MULTIPORT);
	d->max_ports = 1;
	if (d->multiport) {
		d->max_ports = (unsigned)min_u64(
			virtio_config32(v, C_MAX_PORTS), MAX_PORTS);
		err = make_control(d);
	}
	for (i = 0; !err && i < d->max_ports; i++)
		err = make_port(d, i);
	return err; /* what was made stays with the failed device */
}

/* Every port that was announced has its name and end, and all of them were
 * announced: the host does so in one go. */
static bool
settled(const struct vserial *d, bool late)
{
	unsigned i, n = 0;

	for (i = 0; i < d->max_ports; i++) {
		uint32_t s = atomic_load_relaxed(&d->ports[i]->state);

		if (!(s & P_ADDED))
			continue;
		if (!(s & P_NAMED) || !(late || s & P_WAS_OPEN))
			return false;
		n++;
	}
	return n != 0;
}

static int
start(struct virtio_device *v)
{
	struct vserial *d = v->priv;
	uint64_t begin, past;
	irqflags_t f;
	unsigned i;

	if (!d->multiport) {
		port_named(d->ports[0], "vcon0", 6);
		port_opened(d->ports[0], true);
		return 0;
	}
	f = spin_lock_irq(&d->ctl_rx->lock);
	for (i = 0; i < CTL_BUFS && i < d->ctl_rx->num; i++)
		ctl_give(d, d->ctl_page + i * CTL_BUF_SIZE);
	virtq_kick(d->ctl_rx);
	spin_unlock_irq(&d->ctl_rx->lock, f);
	ctl_send(d, 0, CTL_DEVICE_READY, 1);
	ctl_kick(d);
	begin = clock_mono_ns();
	for (;;) {
		virtq_interrupt(d->ctl_rx);
		past = clock_mono_ns() - begin;
		if (settled(d, past > OPEN_NS) || past > HANDSHAKE_NS ||
		    v->broken)
			break;
		cpu_relax();
	}
	return 0;
}

static void
broken(struct virtio_device *v)
{
	struct vserial *d = v->priv;
	unsigned i;

	for (i = 0; i < d->max_ports; i++)
		if (d->ports[i])
			port_opened(d->ports[i], false);
}

const struct virtio_driver virtio_serial = {
	.drv = VIRTIO_DRV("virtio-serial"),
	.device_id = VIRTIO_ID_CONSOLE,
	.features = F_MULTIPORT,
	.attach = attach,
	.start = start,
	.broken = broken,
};
