/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-net (virtio 1.2, 5.1): receiving and sending, one pair of queues
 * for each CPU where the device has them.
 *
 * Receive buffers are pieces of the heap of rxbuf_size bytes: struct nic_buf,
 * then what the device fills; of rxbuf_large, while the packets of the last
 * time were large: work is by the piece.  A ring begins with few and gets
 * more, up to `max`, when a poll finds half of them used.  It is never left
 * with fewer than `min`, enough for the largest packet that the device may
 * send: when there is no memory for new buffers, the packets that came last
 * are dropped and theirs go back.  So memory pressure costs packets, never
 * the queue.
 *
 * What is sent is reaped by the next tx(), a receive poll, an idle CPU or a
 * waiting tx_reap(); an interrupt is asked for only where many packets are
 * under way, the queue is full, or somebody waits.
 *
 * From the device come lengths (checked by virtq_get() against the buffer),
 * the header of a received packet and the configuration: each number is
 * checked before the stack sees it.
 *
 * Locks: q->lock for each queue; the stack is called without.
 */
#include <drivers/virtio/net.h>

#include <abi/errno.h>
#include <arch/smp.h>
#include <base/atomic.h>
#include <base/math.h>
#include <base/string.h>
#include <core/log.h>
#include <dev/random.h>
#include <mem/heap.h>
#include <mem/page.h>

#include "net_priv.h"

#define C_MAC	 0
#define C_STATUS 6
#define C_PAIRS	 8
#define C_MTU	 10
#define C_SPEED	 12

#define STATUS_LINK_UP 1u

#define HDR_NEEDS_CSUM 1u
#define HDR_DATA_VALID 2u

#define GSO_NONE  0
#define GSO_TCPV4 1
#define GSO_TCPV6 4

#define ETH_HLEN     14u
#define ETH_OVERHEAD 18u /* header with a VLAN tag */
#define MTU_MIN	     68u /* RFC 791 */
#define MTU_DEFAULT  1500u
#define RX_LARGE     (65535u + ETH_OVERHEAD) /* the largest with GUEST_TSO */

#define RING_MAX    256u
#define RXBUF_SIZE  2048u
#define RXBUF_LARGE 16384u
#define RX_LARGE_AT 8192u /* mean length of packets from which they are used */
#define RX_START    16u	  /* buffers of a ring at first, or its minimum */
#define RX_ROUNDS   4u	  /* of a poll without memory, before it yields */
#define TX_REAP_MAX 16u	  /* at a time, with the lock held */
#define TINY_PAGES  2048u /* below 8 MB: no large packets in */
#define SMALL_PAGES 4096u
#define TX_SMALL    32u /* packets under way on a small machine */

/* A receive buffer.  The header lies so that the IP header, 26 bytes on, is
 * aligned to 4. */
struct rxbuf {
	struct nic_buf b;
	uint8_t pad[2];
	uint8_t data[]; /* struct vnet_hdr, in a packet's first */
};
static_assert(offsetof(struct rxbuf, data) % 4 == 2, "IP header aligned");

/* Bytes for the device in a buffer of so much memory. */
static uint32_t
rxbuf_room(uint32_t size)
{
	return size - (uint32_t)offsetof(struct rxbuf, data);
}

static void
count(uint64_t *counter, uint64_t n)
{
	if (n)
		__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* ---- receiving ---- */

static void
rxbuf_free(struct nic_buf *b)
{
	kfree(container_of(b, struct rxbuf, b));
}

/* With q->lock; and so below.  Fails only where the device is broken: the
 * ring has room for `max`. */
static void
rx_post(struct vnet_rxq *rx, struct rxbuf *r)
{
	struct virtq_sg sg = { virt_to_phys(r->data),
			       rxbuf_room(r->b.truesize) };

	if (virtq_add(rx->q, &sg, 0, 1, r, NULL))
		kfree(r);
}

static void
rx_post_chain(struct vnet_rxq *rx, struct nic_buf *b)
{
	struct nic_buf *next;

	for (; b; b = next) {
		next = b->next;
		rx_post(rx, container_of(b, struct rxbuf, b));
	}
}

static void
rx_fill(struct vnet_rxq *rx, unsigned alloc)
{
	uint32_t size =
		rx->mean > RX_LARGE_AT ? rx->d->rxbuf_large : rx->d->rxbuf_size;

	while (rx->q->in_flight < rx->target && !rx->d->v->broken) {
		struct rxbuf *r = kmalloc(size, alloc);

		if (!r && size > rx->d->rxbuf_size) {
			size = rx->d->rxbuf_size;
			r = kmalloc(size, alloc);
		}
		if (!r)
			break;
		r->b.truesize = size;
		rx_post(rx, r);
	}
}

static void
buf_init(struct vnet_rxq *rx, struct rxbuf *r, uint32_t skip, uint32_t len)
{
	struct nic_buf *b = &r->b;

	b->next = NULL;
	b->data = r->data + skip;
	b->len = len;
	b->packet_len = len;
	b->meta = (struct nic_meta){ .csum_ok = false };
	b->nic = &rx->d->nic;
	b->free = rxbuf_free;
	b->driver_priv = NULL;
}

/* What the header says of the packet, checked (virtio 1.2, 5.1.6.4). */
static bool
rx_meta(const struct vnet *d, const struct vnet_hdr *h, struct nic_buf *b)
{
	struct nic_meta *m = &b->meta;

	if (h->gso_type != GSO_NONE) {
		if (h->gso_type == GSO_TCPV4 && virtio_has(d->v, F_GUEST_TSO4))
			m->gso = NIC_GSO_TCP4;
		else if (h->gso_type == GSO_TCPV6 &&
			 virtio_has(d->v, F_GUEST_TSO6))
			m->gso = NIC_GSO_TCP6;
		else
			return false;
		if (!h->gso_size)
			return false;
		m->gso_size = h->gso_size;
	}
	if (!virtio_has(d->v, F_GUEST_CSUM))
		return true;
	if (h->flags & HDR_NEEDS_CSUM) {
		/* The first piece is full or the only one, so it has the
		 * headers. */
		if ((uint32_t)h->csum_start + h->csum_offset + 2 > b->len)
			return false;
		m->csum_partial = true;
		m->csum_start = h->csum_start;
		m->csum_offset = h->csum_offset;
	}
	m->csum_ok = h->flags & (HDR_NEEDS_CSUM | HDR_DATA_VALID);
	return true;
}

/* The rest of a packet of n pieces, which the device hands over at once.
 * false: it did not, and is broken by that. */
static bool
rx_rest(struct vnet_rxq *rx, struct nic_buf *first, unsigned n)
{
	struct nic_buf **tail = &first->next;
	uint32_t len;
	struct rxbuf *r;

	while (--n) {
		r = virtq_get(rx->q, &len);
		if (!r) {
			virtio_fail(rx->d->v, "a packet's pieces are missing");
			return false;
		}
		buf_init(rx, r, 0, len);
		*tail = &r->b;
		tail = &r->b.next;
		first->packet_len += len;
		/* Each but the last is full: the stack finds the headers in
		 * the first. */
		if (len != rxbuf_room(r->b.truesize) && n > 1) {
			virtio_fail(rx->d->v, "a piece is not full");
			return false;
		}
	}
	return true;
}

/* The next packet; NULL: none.  *bad: there was one, and it was dropped. */
static struct nic_buf *
rx_take(struct vnet_rxq *rx, bool *bad)
{
	uint32_t len;
	struct rxbuf *r = virtq_get(rx->q, &len);
	struct vnet_hdr h;
	unsigned n = 1;

	*bad = false;
	if (!r)
		return NULL;
	*bad = true;
	memcpy(&h, r->data, sizeof(h));
	if (virtio_has(rx->d->v, F_MRG_RXBUF))
		n = h.num_buffers;
	if (len < sizeof(h) || !n || n > rx->max ||
	    (n > 1 && len != rxbuf_room(r->b.truesize))) {
		virtio_fail(rx->d->v, "a packet's header makes no sense");
		kfree(r);
		return NULL;
	}
	buf_init(rx, r, sizeof(h), len - (uint32_t)sizeof(h));
	if (!rx_rest(rx, &r->b, n) || r->b.len < ETH_HLEN ||
	    r->b.packet_len > RX_LARGE || !rx_meta(rx->d, &h, &r->b)) {
		rx_post_chain(rx, &r->b);
		return NULL;
	}
	*bad = false;
	rx->mean = (rx->mean * 15 + r->b.packet_len) / 16;
	return &r->b;
}

/* Takes packets until out[] is full, the ring empty, or many were bad. */
static unsigned
rx_take_all(struct vnet_rxq *rx, struct nic_buf **out, unsigned budget)
{
	unsigned n = 0, errors = 0;
	struct nic_buf *b;
	bool bad;

	/* Bad ones count: a device can send them without end. */
	while (n + errors < budget) {
		b = rx_take(rx, &bad);
		errors += bad;
		if (b)
			out[n++] = b;
		else if (!bad)
			break;
	}
	count(&rx->d->nic.stats.rx_errors, errors);
	return n;
}

/* Fills the ring up again; how many of the n packets are left then. */
static unsigned
rx_refill(struct vnet_rxq *rx, struct nic_buf **out, unsigned n)
{
	unsigned dropped = 0;

	if (rx->target < rx->max && rx->q->in_flight < rx->target / 2)
		rx->target = (uint16_t)min_u64(rx->target * 2u, rx->max);
	rx_fill(rx, ALLOC_ATOMIC);
	while (rx->q->in_flight < rx->min && n) {
		rx_post_chain(rx, out[--n]);
		dropped++;
	}
	count(&rx->d->nic.stats.rx_dropped, dropped);
	return n;
}

static void tx_reap_pass(struct vnet_txq *tx);

static unsigned
rx_poll(struct nic *nic, unsigned qi, struct nic_buf **out, unsigned budget)
{
	struct vnet *d = nic->priv;
	struct vnet_rxq *rx = &d->rx[qi];
	struct virtq *q = rx->q;
	unsigned n = 0, rounds = 0, i;
	bool again = false;
	uint64_t bytes = 0;
	irqflags_t f = spin_lock_irq(&q->lock);

	for (;;) {
		n += rx_take_all(rx, out + n, budget - n);
		n = rx_refill(rx, out, n);
		if (n == budget)
			break;
		if (!virtq_irq_enable(q) || d->v->broken) {
			rx->polling = false;
			break;
		}
		virtq_irq_disable(q);
		/* A device that sends faster than there is memory does not
		 * hold this CPU. */
		again = ++rounds == RX_ROUNDS;
		if (again)
			break;
	}
	virtq_kick(q);
	spin_unlock_irq(&q->lock, f);
	if (virtq_pending(d->tx[qi].q))
		tx_reap_pass(&d->tx[qi]);
	for (i = 0; i < n; i++)
		bytes += out[i]->packet_len;
	count(&nic->stats.rx_packets, n);
	count(&nic->stats.rx_bytes, bytes);
	if (again) {
		f = irq_save();
		nic->rx_notify(nic, qi);
		irq_restore(f);
	}
	return n;
}

static void
rx_done(struct virtq *q)
{
	struct vnet_rxq *rx = q->priv;
	struct nic *nic = &rx->d->nic;
	irqflags_t f = spin_lock_irq(&q->lock);
	bool notify = !rx->polling && nic->rx_notify;

	virtq_irq_disable(q);
	if (notify)
		rx->polling = true;
	spin_unlock_irq(&q->lock, f);
	if (notify)
		nic->rx_notify(nic, rx->index);
}

/* ---- sending ---- */

/* Slots come by the page, when they are needed; the first page is there
 * from the beginning. */
static bool
add_slots(struct vnet_txq *tx, unsigned alloc)
{
	unsigned n = PAGE_SIZE / sizeof(struct tx_slot);
	struct tx_slot *s;
	struct page *p;

	if (tx->nslots >= tx->max_slots)
		return false;
	p = page_alloc(0, alloc | ALLOC_ZERO);
	if (!p)
		return false;
	tx->nslots += n;
	for (s = page_addr(p); n--; s++) {
		s->next = tx->free;
		tx->free = s;
	}
	return true;
}

struct tx_reaped {
	unsigned n;
	bool ready; /* tx_ready() is due */
	struct {
		void (*fn)(void *arg);
		void *arg;
	} done[TX_REAP_MAX];
};

static void
slot_free(struct vnet_txq *tx, struct tx_slot *s, struct tx_reaped *r)
{
	r->done[r->n].fn = s->done;
	r->done[r->n++].arg = s->arg;
	s->next = tx->free;
	tx->free = s;
}

/* With q->lock. */
static void
tx_collect(struct vnet_txq *tx, struct tx_reaped *r)
{
	struct tx_slot *s;

	r->n = 0;
	r->ready = false;
	while (r->n < TX_REAP_MAX && (s = virtq_get(tx->q, NULL)))
		slot_free(tx, s, r);
	/* Half of the queue, so that not each packet is a call. */
	if (tx->stalled && tx->q->nfree >= tx->q->num / 2) {
		tx->stalled = false;
		r->ready = true;
	}
}

/* Without. */
static void
tx_tell(struct vnet_txq *tx, const struct tx_reaped *r)
{
	struct nic *nic = &tx->d->nic;
	irqflags_t f;
	unsigned i;

	for (i = 0; i < r->n; i++)
		r->done[i].fn(r->done[i].arg);
	if (r->ready && nic->tx_ready) {
		f = irq_save();
		nic->tx_ready(nic, tx->index);
		irq_restore(f);
	}
}

static void
tx_reap_pass(struct vnet_txq *tx)
{
	struct tx_reaped r;
	irqflags_t f;

	do {
		f = spin_lock_irq(&tx->q->lock);
		tx_collect(tx, &r);
		spin_unlock_irq(&tx->q->lock, f);
		tx_tell(tx, &r);
	} while (r.n == TX_REAP_MAX);
}

static void
tx_done(struct virtq *q)
{
	struct vnet_txq *tx = q->priv;
	irqflags_t f;

	tx_reap_pass(tx);
	f = spin_lock_irq(&q->lock);
	if (!tx->stalled)
		virtq_irq_disable(q);
	spin_unlock_irq(&q->lock, f);
}

/* For who waits: an interrupt comes when more is done. */
static bool
tx_reap(struct nic *nic, unsigned qi)
{
	struct vnet *d = nic->priv;
	struct vnet_txq *tx = &d->tx[qi];
	bool some = false, more;
	struct tx_reaped r;
	irqflags_t f;

	do {
		f = spin_lock_irq(&tx->q->lock);
		tx_collect(tx, &r);
		more = r.n == TX_REAP_MAX ||
		       (tx->q->in_flight && virtq_irq_enable(tx->q) &&
			!d->v->broken);
		spin_unlock_irq(&tx->q->lock, f);
		tx_tell(tx, &r);
		some |= r.n != 0;
	} while (more);
	return some;
}

static void
fill_hdr(struct vnet_hdr *h, const struct nic_meta *m)
{
	*h = (struct vnet_hdr){ .gso_type = GSO_NONE };
	if (m->csum_partial) {
		h->flags = HDR_NEEDS_CSUM;
		h->csum_start = m->csum_start;
		h->csum_offset = m->csum_offset;
	}
	if (m->gso != NIC_GSO_NONE) {
		h->gso_type = m->gso == NIC_GSO_TCP4 ? GSO_TCPV4 : GSO_TCPV6;
		h->gso_size = m->gso_size;
		h->hdr_len = m->hdr_len;
	}
}

static bool
can_send(const struct nic *n, const struct nic_tx *t)
{
	if (!t->nsegs || t->nsegs > NIC_TX_SEGS)
		return false;
	if (t->meta.csum_partial && !n->tx_csum)
		return false;
	switch (t->meta.gso) {
	case NIC_GSO_NONE:
		return true;
	case NIC_GSO_TCP4:
		return n->tx_tso4;
	case NIC_GSO_TCP6:
		return n->tx_tso6;
	default:
		return false;
	}
}

/* With q->lock: 0, -ENOSPC, -EIO. */
static int
tx_add(struct vnet_txq *tx, const struct nic_tx *t, uint64_t *bytes)
{
	struct virtq_sg sg[NIC_TX_SEGS + 1];
	struct tx_slot *s = tx->free;
	struct virtq *q = tx->q;
	unsigned n = t->nsegs, i;
	int err;

	if (!s && add_slots(tx, ALLOC_ATOMIC))
		s = tx->free;
	if (!s)
		return -ENOSPC;
	fill_hdr(&s->hdr, &t->meta);
	sg[0] = (struct virtq_sg){ virt_to_phys(&s->hdr), sizeof(s->hdr) };
	*bytes = 0;
	for (i = 0; i < n; i++) {
		/* The segments are the stack's own memory. */
		sg[i + 1].addr = virt_to_phys(t->segs[i].data);
		sg[i + 1].len = t->segs[i].len;
		*bytes += t->segs[i].len;
	}
	/* A table is one more thing for the device to map: two pieces go
	 * straight into the ring while there is room. */
	err = virtq_add(q, sg, n + 1, 0, s,
			n == 1 && q->nfree > q->num / 2 ? NULL : s->table);
	if (err)
		return err;
	tx->free = s->next;
	s->done = t->done;
	s->arg = t->arg;
	return 0;
}

static int
tx(struct nic *nic, unsigned qi, const struct nic_tx *t, bool kick)
{
	struct vnet *d = nic->priv;
	struct vnet_txq *txq = &d->tx[qi];
	struct virtq *q = txq->q;
	struct tx_reaped r;
	uint64_t bytes = 0;
	irqflags_t f;
	int err;

	if (!can_send(nic, t))
		return -EMSGSIZE;
	f = spin_lock_irq(&q->lock);
	tx_collect(txq, &r);
	err = tx_add(txq, t, &bytes);
	if (err == -ENOSPC) {
		/* Asked for before the queue is full once more: what is
		 * done by now comes with the interrupt. */
		virtq_kick(q);
		txq->stalled = true;
		if (virtq_irq_enable(q) && r.n < TX_REAP_MAX) {
			unsigned n = r.n;

			/* Finished just now.  What was reaped stays. */
			while (r.n < TX_REAP_MAX) {
				struct tx_slot *s = virtq_get(q, NULL);

				if (!s)
					break;
				slot_free(txq, s, &r);
			}
			if (r.n > n)
				err = tx_add(txq, t, &bytes);
			if (!err)
				txq->stalled = false;
		}
	} else if (!err && q->in_flight > q->num / 4) {
		virtq_irq_after(q, (uint16_t)(q->in_flight - q->num / 8));
	}
	if (kick)
		virtq_kick(q);
	spin_unlock_irq(&q->lock, f);
	tx_tell(txq, &r);
	if (!err) {
		count(&nic->stats.tx_packets, 1);
		count(&nic->stats.tx_bytes, bytes);
	} else if (err != -ENOSPC) {
		count(&nic->stats.tx_errors, 1);
	}
	return err;
}

static void
tx_kick(struct nic *nic, unsigned qi)
{
	struct vnet *d = nic->priv;
	struct virtq *q = d->tx[qi].q;
	irqflags_t f = spin_lock_irq(&q->lock);

	virtq_kick(q);
	spin_unlock_irq(&q->lock, f);
}

static const struct nic_ops vnet_ops = {
	.rx_poll = rx_poll,
	.tx = tx,
	.tx_kick = tx_kick,
	.tx_reap = tx_reap,
	.set_filter = vnet_set_filter,
};

/* ---- the device's state ---- */

static void
set_link(struct vnet *d, bool up)
{
	struct nic *n = &d->nic;

	if (n->link_up == up)
		return;
	atomic_store_relaxed(&n->link_up, up);
	if (n->link_changed)
		n->link_changed(n);
}

static void
config_changed(struct virtio_device *v)
{
	struct vnet *d = v->priv;

	if (virtio_has(v, F_STATUS))
		set_link(d, virtio_config16(v, C_STATUS) & STATUS_LINK_UP);
}

static void
broken(struct virtio_device *v)
{
	struct vnet *d = v->priv;
	struct tx_reaped r;
	struct rxbuf *b;
	struct tx_slot *s;
	irqflags_t f;
	unsigned i;

	for (i = 0; i < d->npairs; i++) {
		f = spin_lock_irq(&d->rx[i].q->lock);
		while ((b = virtq_take_back(d->rx[i].q)))
			kfree(b);
		spin_unlock_irq(&d->rx[i].q->lock, f);
		do {
			r.n = 0;
			r.ready = false;
			f = spin_lock_irq(&d->tx[i].q->lock);
			while (r.n < TX_REAP_MAX &&
			       (s = virtq_take_back(d->tx[i].q)))
				slot_free(&d->tx[i], s, &r);
			spin_unlock_irq(&d->tx[i].q->lock, f);
			tx_tell(&d->tx[i], &r);
		} while (r.n);
	}
	f = irq_save();
	set_link(d, false);
	irq_restore(f);
}

/* ---- attaching ---- */

/* Large packets in need buffers that join, and room for a whole one; the
 * control queue's number must be one that the core knows. */
static uint64_t
select(struct virtio_device *v, uint64_t offered)
{
	uint64_t no = 0;

	if (!(offered & F_CSUM))
		no |= F_HOST_TSO4 | F_HOST_TSO6;
	if (!(offered & F_MRG_RXBUF) || !(offered & F_GUEST_CSUM) ||
	    mem_total_pages() < TINY_PAGES)
		no |= F_GUEST_TSO4 | F_GUEST_TSO6;
	if (!(offered & F_CTRL_VQ))
		no |= F_CTRL_RX | F_MQ;
	if (offered & F_MQ) {
		uint32_t pairs = virtio_config16(v, C_PAIRS);

		/* virtio 1.2, 5.1.2: it comes after all pairs. */
		if (pairs < 2 || 2 * pairs >= VIRTIO_MAX_QUEUES)
			no |= F_MQ;
	}
	return ~no;
}

static int
read_config(struct vnet *d)
{
	struct virtio_device *v = d->v;
	struct nic *n = &d->nic;
	uint32_t speed;

	if (virtio_has(v, F_MAC)) {
		virtio_config(v, C_MAC, n->mac, 6);
		if (n->mac[0] & 1)
			return -EINVAL; /* a multicast address */
	} else {
		random_bytes(n->mac, 6);
		n->mac[0] = (uint8_t)((n->mac[0] & ~1u) | 2u);
	}
	n->mtu = MTU_DEFAULT;
	if (virtio_has(v, F_MTU)) {
		n->mtu = virtio_config16(v, C_MTU);
		if (n->mtu < MTU_MIN)
			return -EINVAL;
	}
	n->link_up = !virtio_has(v, F_STATUS) ||
		     (virtio_config16(v, C_STATUS) & STATUS_LINK_UP);
	if (virtio_has(v, F_SPEED)) {
		speed = virtio_config32(v, C_SPEED);
		n->speed_mbit = speed <= INT32_MAX ? speed : 0;
	}
	n->tx_csum = virtio_has(v, F_CSUM);
	n->tx_tso4 = virtio_has(v, F_HOST_TSO4);
	n->tx_tso6 = virtio_has(v, F_HOST_TSO6);
	n->rx_csum = virtio_has(v, F_GUEST_CSUM);
	return 0;
}

/* Bytes of the largest packet that may come, header included. */
static uint32_t
rx_largest(const struct vnet *d)
{
	uint32_t len = d->nic.mtu + ETH_OVERHEAD;

	if (virtio_has(d->v, F_GUEST_TSO4) || virtio_has(d->v, F_GUEST_TSO6))
		len = RX_LARGE;
	return len + (uint32_t)sizeof(struct vnet_hdr);
}

/* What may lie in all rings: one part in 64 of the machine's memory. */
static uint64_t
ring_memory(void)
{
	return mem_total_pages() * PAGE_SIZE / 64;
}

/* Buffers of a size of which the ring can hold a largest packet, and one
 * such buffer where they do not join. */
static void
size_buffers(struct vnet *d, uint16_t num)
{
	uint32_t pieces = virtio_has(d->v, F_MRG_RXBUF) ? num : 1;

	d->rxbuf_size = RXBUF_SIZE;
	while ((uint64_t)rxbuf_room(d->rxbuf_size) * pieces < rx_largest(d))
		d->rxbuf_size *= 2;
	d->rxbuf_large = d->rxbuf_size;
	if (pieces > 1 && rx_largest(d) > RXBUF_LARGE)
		while (d->rxbuf_large < RXBUF_LARGE &&
		       (uint64_t)d->rxbuf_large * 2 * pieces * d->npairs <=
			       ring_memory())
			d->rxbuf_large *= 2;
}

static void
size_ring(struct vnet *d, struct vnet_rxq *rx)
{
	uint64_t room = ring_memory() / d->npairs;
	uint32_t least = rx_largest(d) / rxbuf_room(d->rxbuf_size) + 2;

	rx->max = (uint16_t)max_u64(least,
				    min_u64(room / d->rxbuf_size, rx->q->num));
	rx->max = (uint16_t)min_u64(rx->max, rx->q->num);
	rx->min = (uint16_t)min_u64(least, rx->max);
	rx->target = (uint16_t)min_u64(max_u64(RX_START, rx->min), rx->max);
}

static int
setup_pair(struct vnet *d, unsigned i)
{
	struct vnet_rxq *rx = &d->rx[i];
	struct vnet_txq *tx = &d->tx[i];
	int err;

	rx->d = tx->d = d;
	rx->index = tx->index = i;
	err = virtq_setup(d->v, 2 * i, RING_MAX, rx_done, &rx->q);
	if (err)
		return err;
	rx->q->priv = rx;
	err = virtq_setup(d->v, 2 * i + 1, RING_MAX, tx_done, &tx->q);
	if (err)
		return err;
	tx->q->priv = tx;
	virtq_irq_disable(tx->q);
	if (tx->q->num < NIC_TX_SEGS + 1 &&
	    !virtio_has(d->v, VIRTIO_F_INDIRECT_DESC))
		return -EINVAL; /* a packet would not fit */
	tx->max_slots = d->small ? TX_SMALL : tx->q->num;
	return add_slots(tx, ALLOC_KERNEL) ? 0 : -ENOMEM;
}

static unsigned
want_pairs(const struct vnet *d)
{
	unsigned pairs = 1;

	if (virtio_has(d->v, F_MQ) && !d->small)
		pairs = (unsigned)min_u64(virtio_config16(d->v, C_PAIRS),
					  smp_count());
	return (unsigned)min_u64(pairs, VNET_PAIRS);
}

static int
setup_ctrl(struct vnet *d)
{
	unsigned index = 2;

	if (!virtio_has(d->v, F_CTRL_VQ))
		return 0;
	if (virtio_has(d->v, F_MQ))
		index = 2u * virtio_config16(d->v, C_PAIRS);
	return vnet_ctrl_setup(d, index);
}

static int
attach(struct virtio_device *v)
{
	struct vnet *d = kzalloc(sizeof(*d), ALLOC_KERNEL);
	unsigned i, pairs;
	int err;

	if (!d)
		return -ENOMEM;
	d->v = v;
	v->priv = d;
	v->per_queue_irq = true;
	v->queue_pairs = true;
	d->small = mem_total_pages() < SMALL_PAGES;
	err = read_config(d);
	if (err)
		goto failed;
	pairs = want_pairs(d);
	for (i = 0; i < pairs; i++) {
		err = setup_pair(d, i);
		if (err)
			goto failed;
		d->npairs = i + 1;
	}
	err = setup_ctrl(d);
	if (err)
		goto failed;
	size_buffers(d, d->rx[0].q->num);
	for (i = 0; i < d->npairs; i++)
		size_ring(d, &d->rx[i]);
	d->nic.ops = &vnet_ops;
	d->nic.priv = d;
	return 0;
failed:
	/* *d stays, as slots and rings do: the queues' interrupts lead to
	 * it, and this happens at boot only. */
	v->priv = NULL;
	return err;
}

static int
start(struct virtio_device *v)
{
	struct vnet *d = v->priv;
	unsigned i;

	if (d->npairs > 1)
		d->npairs = vnet_ctrl_set_pairs(d, d->npairs);
	for (i = 0; i < d->npairs; i++) {
		struct vnet_rxq *rx = &d->rx[i];
		irqflags_t f = spin_lock_irq(&rx->q->lock);

		rx_fill(rx, ALLOC_ATOMIC);
		virtq_kick(rx->q);
		spin_unlock_irq(&rx->q->lock, f);
		if (rx->q->in_flight < rx->min)
			return -ENOMEM;
	}
	d->nic.nrxq = d->nic.ntxq = d->npairs;
	return nic_register(&d->nic);
}

const struct virtio_driver virtio_net = {
	.drv = VIRTIO_DRV("virtio-net"),
	.device_id = VIRTIO_ID_NET,
	.features = F_CSUM | F_GUEST_CSUM | F_MTU | F_MAC | F_GUEST_TSO4 |
		    F_GUEST_TSO6 | F_HOST_TSO4 | F_HOST_TSO6 | F_MRG_RXBUF |
		    F_STATUS | F_CTRL_VQ | F_CTRL_RX | F_MQ | F_SPEED,
	.select = select,
	.attach = attach,
	.start = start,
	.broken = broken,
	.config_changed = config_changed,
};
