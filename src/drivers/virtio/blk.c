/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-blk (virtio 1.2, 5.2).
 *
 * Each queue has request slots: a slot holds header, status byte and an
 * indirect descriptor table.  Some are allocated at attach, so that submitting
 * needs no memory; while bios find none free, more are made, up to the ring's
 * size.  Bios without a slot wait in the queue's backlog, in order;
 * completions take them from there, and those that follow each other on the
 * disk as one request.
 *
 * A CPU submits to the queue of its number, modulo the number of queues.
 * q->lock guards a queue's slots and backlog; bios complete without it.
 */
#include <drivers/virtio/blk.h>

#include <abi/errno.h>
#include <arch/smp.h>
#include <base/math.h>
#include <base/string.h>
#include <core/log.h>
#include <core/percpu.h>
#include <dev/blk.h>
#include <drivers/virtio/virtio.h>
#include <mem/heap.h>
#include <mem/page.h>

#define F_SIZE_MAX (1ull << 1)
#define F_SEG_MAX  (1ull << 2)
#define F_RO	   (1ull << 5)
#define F_BLK_SIZE (1ull << 6)
#define F_FLUSH	   (1ull << 9)
#define F_MQ	   (1ull << 12)
#define F_DISCARD  (1ull << 13)
#define F_ZEROES   (1ull << 14)

#define C_CAPACITY    0
#define C_SIZE_MAX    8
#define C_SEG_MAX     12
#define C_BLK_SIZE    20
#define C_NUM_QUEUES  34
#define C_DISCARD_MAX 36 /* sectors */
#define C_ZEROES_MAX  48 /* sectors */

#define T_IN	  0u
#define T_OUT	  1u
#define T_FLUSH	  4u
#define T_GET_ID  8u
#define T_DISCARD 11u
#define T_ZEROES  13u

#define S_OK	 0
#define S_IOERR	 1
#define S_UNSUPP 2
#define S_NONE	 0xff /* ours: the device has not written it */

#define SEGS	    34u /* data pieces of a request */
#define SLOTS	    32u /* from the start */
#define SLOTS_SMALL 6u	/* on a machine below SMALL_PAGES */
#define SMALL_PAGES 4096u
#define LARGE_PAGES 16384u /* from here on a ring of the device's size */
#define MAX_QUEUES  8u
#define SECTORS_MAX 0x10000u

struct header {
	uint32_t type, reserved;
	uint64_t sector;
};

struct range { /* of a discard or write-zeroes request */
	uint64_t sector;
	uint32_t nsectors, flags;
};

/* What the device reads and writes; does not cross into another slot's
 * page. */
struct slot {
	struct virtq_desc table[SEGS + 2];
	struct header header;
	struct range range;
	uint8_t status;
	struct bio *bio;
	struct slot *next; /* free list */
};

struct vblk_queue {
	struct virtq *q;
	struct slot *free;   /* [q->lock] */
	struct list backlog; /* [q->lock] bios */
	unsigned nslots;     /* [q->lock] in all */
	unsigned max_slots;  /* [I] */
	unsigned cpu;	     /* [q->lock w, a] that submitted last */
	struct vblk *d;	     /* [I] */
};

struct vblk {
	struct blk_device blk;
	struct virtio_device *v;
	unsigned nqueues; /* [I] */
	struct vblk_queue queues[MAX_QUEUES];
};

/* ---- requests ---- */

/* Pieces that follow each other in memory become one. */
static unsigned
add_data(struct virtq_sg *sg, unsigned n, const struct bio *b)
{
	unsigned first = n, i;

	for (i = 0; i < b->nvecs; i++) {
		const struct bio_vec *v = &b->vecs[i];
		paddr_t pa = page_phys(v->page) + v->offset;

		if (n > first && sg[n - 1].addr + sg[n - 1].len == pa)
			sg[n - 1].len += v->len;
		else
			sg[n++] = (struct virtq_sg){ pa, v->len };
	}
	return n;
}

static uint32_t
type_of(enum bio_op op)
{
	static const uint8_t types[] = {
		[BIO_READ] = T_IN,	 [BIO_WRITE] = T_OUT,
		[BIO_FLUSH] = T_FLUSH,	 [BIO_DISCARD] = T_DISCARD,
		[BIO_ZEROES] = T_ZEROES, [BIO_IDENTIFY] = T_GET_ID,
	};
	return types[op];
}

/* The descriptors of a request of b and those that were merged with it;
 * *nout of them are read by the device. */
static unsigned
describe(struct slot *s, const struct bio *b, struct virtq_sg *sg,
	 unsigned *nout)
{
	unsigned n = 1;

	sg[0] = (struct virtq_sg){ virt_to_phys(&s->header),
				   sizeof(s->header) };
	*nout = 1;
	switch (b->op) {
	case BIO_READ:
	case BIO_IDENTIFY:
		s->header.sector = b->sector;
		n = add_data(sg, n, b);
		break;
	case BIO_WRITE:
		s->header.sector = b->sector;
		n = add_data(sg, n, b);
		*nout = n;
		break;
	case BIO_DISCARD:
	case BIO_ZEROES:
		s->range = (struct range){
			.sector = b->sector,
			.nsectors = (uint32_t)b->nsectors,
		};
		sg[n++] = (struct virtq_sg){ virt_to_phys(&s->range),
					     sizeof(s->range) };
		*nout = n;
		break;
	case BIO_FLUSH:
		break;
	}
	return n;
}

/* With q->lock.  -ENOSPC: the ring is full; -EIO: the device is broken. */
static int
issue(struct vblk_queue *vq, struct bio *b)
{
	struct virtq_sg sg[SEGS + 2];
	struct slot *s = vq->free;
	unsigned n, nout;
	int err;

	if (!s)
		return -ENOSPC;
	s->header = (struct header){ .type = type_of(b->op) };
	s->status = S_NONE;
	n = describe(s, b, sg, &nout);
	for (struct bio *m = b->merged; m; m = m->merged) {
		n = add_data(sg, n, m);
		if (b->op == BIO_WRITE)
			nout = n;
	}
	sg[n++] = (struct virtq_sg){ virt_to_phys(&s->status), 1 };
	err = virtq_add(vq->q, sg, nout, n - nout, s, s->table);
	if (err)
		return err;
	vq->free = s->next;
	s->bio = b;
	return 0;
}

static uint64_t
sectors_of(const struct bio *b)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < b->nvecs; i++)
		bytes += b->vecs[i].len;
	return bytes >> BLK_SECTOR_SHIFT;
}

/* Of what waits behind b in the backlog: requests that go on where it ends
 * are taken out and become a part of it. */
static void
merge(struct vblk_queue *vq, struct bio *b)
{
	struct bio *last = b, *m, *next;
	unsigned vecs = b->nvecs;
	uint64_t n = sectors_of(b);

	if ((b->op != BIO_READ && b->op != BIO_WRITE) || b->alone)
		return;
	while (last->merged) { /* of an attempt that found the ring full */
		last = last->merged;
		vecs += last->nvecs;
		n += sectors_of(last);
	}
	m = list_entry(b->link.next, struct bio, link);
	while (&m->link != &vq->backlog && m->op == b->op && !m->alone &&
	       m->sector == b->sector + n &&
	       vecs + m->nvecs <= vq->d->blk.max_vecs &&
	       n + sectors_of(m) <= vq->d->blk.max_sectors) {
		next = list_entry(m->link.next, struct bio, link);
		list_del(&m->link);
		last->merged = m;
		last = m;
		vecs += m->nvecs;
		n += sectors_of(m);
		m = next;
	}
}

static struct vblk_queue *
my_queue(struct vblk *d)
{
	return &d->queues[this_cpu()->id % d->nqueues];
}

/* Issues what waits, as far as there is room.  With q->lock. */
static void
pump(struct vblk_queue *vq)
{
	while (!list_empty(&vq->backlog)) {
		struct bio *b =
			list_first_entry(&vq->backlog, struct bio, link);

		merge(vq, b);
		if (issue(vq, b))
			break;
		list_del(&b->link);
	}
	virtq_kick(vq->q);
}

static unsigned
add_slots(struct vblk_queue *vq, struct page *p, unsigned n)
{
	unsigned per_page = PAGE_SIZE / sizeof(struct slot), i;
	struct slot *s = page_addr(p);

	n = n < per_page ? n : per_page;
	for (i = 0; i < n; i++, s++) {
		s->next = vq->free;
		vq->free = s;
	}
	vq->nslots += n;
	return n;
}

/* Makes slots for bios that wait. */
static void
grow(struct vblk_queue *vq)
{
	bool waits = true;

	while (waits && READ_ONCE(vq->nslots) < vq->max_slots) {
		struct page *p = page_alloc(0, ALLOC_ATOMIC | ALLOC_ZERO);
		irqflags_t f;

		if (!p)
			return;
		f = spin_lock_irq(&vq->q->lock);
		add_slots(vq, p, vq->max_slots);
		pump(vq);
		waits = !list_empty(&vq->backlog);
		spin_unlock_irq(&vq->q->lock, f);
	}
}

static void
submit(struct blk_device *dev, struct bio *b)
{
	struct vblk *d = dev->priv;
	struct vblk_queue *vq = my_queue(d);
	irqflags_t f = spin_lock_irq(&vq->q->lock);
	int err = list_empty(&vq->backlog) ? issue(vq, b) : -ENOSPC;
	bool waits;

	WRITE_ONCE(vq->cpu, this_cpu()->id);
	if (err == -ENOSPC && !d->v->broken) {
		list_add_tail(&vq->backlog, &b->link);
		err = 0;
	}
	virtq_kick(vq->q);
	waits = !list_empty(&vq->backlog);
	spin_unlock_irq(&vq->q->lock, f);
	if (err) {
		b->status = -EIO;
		b->done(b);
	} else if (waits) {
		grow(vq);
	}
}

static void
submit_list(struct blk_device *dev, struct list *bios)
{
	struct vblk *d = dev->priv;
	struct vblk_queue *vq = my_queue(d);
	irqflags_t f = spin_lock_irq(&vq->q->lock);
	bool broken = d->v->broken, waits = false;

	WRITE_ONCE(vq->cpu, this_cpu()->id);
	if (!broken) {
		list_splice_tail(&vq->backlog, bios);
		pump(vq);
		waits = !list_empty(&vq->backlog);
	}
	spin_unlock_irq(&vq->q->lock, f);
	if (waits)
		grow(vq);
	if (!broken)
		return;
	for (struct bio *b; !list_empty(bios);) {
		b = list_first_entry(bios, struct bio, link);
		list_del(&b->link);
		b->status = -EIO;
		b->done(b);
	}
}

static int
status_of(const struct slot *s)
{
	switch (s->status) {
	case S_OK:
		return 0;
	case S_UNSUPP:
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
}

/* A finished request's bio, its slot free again; NULL: none. */
static struct bio *
take(struct vblk_queue *vq, bool back)
{
	struct slot *s = back ? virtq_take_back(vq->q) : virtq_get(vq->q, NULL);
	struct bio *b;

	if (!s)
		return NULL;
	b = s->bio;
	b->status = back ? -EIO : status_of(s);
	s->bio = NULL;
	s->next = vq->free;
	vq->free = s;
	return b;
}

/* Of requests that went as one, which the device refused: each by itself.  What
 * is wrong with one is not the others' fault, who may be the journal. */
static void
submit_apart(struct vblk *d, struct bio *b)
{
	while (b) {
		struct bio *next = b->merged;

		b->merged = NULL;
		b->alone = true;
		submit(&d->blk, b);
		b = next;
	}
}

/* Tells the submitters, of merged requests each. */
static void
finish(struct vblk *d, struct list *done, bool again)
{
	while (!list_empty(done)) {
		struct bio *b = list_first_entry(done, struct bio, link);
		int status = b->status;

		list_del(&b->link);
		if (status)
			d->blk.stats.errors++;
		if (unlikely(status) && b->merged && again) {
			submit_apart(d, b);
			continue;
		}
		while (b) {
			struct bio *next = b->merged;

			b->merged = NULL;
			b->alone = false;
			b->status = status;
			b->done(b);
			b = next;
		}
	}
}

static void
complete(struct virtq *q)
{
	struct vblk_queue *vq = q->priv;
	struct list done = LIST_INIT(done);
	struct bio *b;
	irqflags_t f = spin_lock_irq(&q->lock);

	do {
		while ((b = take(vq, false)))
			list_add_tail(&done, &b->link);
	} while (virtq_irq_enable(q) && !q->v->broken);
	pump(vq);
	spin_unlock_irq(&q->lock, f);
	finish(vq->d, &done, true);
}

static void
poll(struct blk_device *dev)
{
	struct vblk *d = dev->priv;
	unsigned i;

	for (i = 0; i < d->nqueues; i++)
		virtq_interrupt(d->queues[i].q);
}

/* As an interrupt would. */
static void
take_all(struct virtq *q)
{
	irqflags_t f = irq_save();

	virtq_interrupt(q);
	irq_restore(f);
}

static bool
due(struct blk_device *dev, uint32_t *taken)
{
	struct vblk_queue *vq = my_queue(dev->priv);

	*taken = READ_ONCE(vq->q->last_used);
	return READ_ONCE(vq->q->in_flight) &&
	       READ_ONCE(vq->cpu) == this_cpu()->id;
}

static void
quiet(struct blk_device *dev, bool on)
{
	struct virtq *q = my_queue(dev->priv)->q;
	irqflags_t f = spin_lock_irq(&q->lock);
	bool came = false;

	if (on)
		virtq_irq_disable(q);
	else
		came = virtq_irq_enable(q);
	spin_unlock_irq(&q->lock, f);
	if (came)
		take_all(q);
}

static bool
vblk_look(struct blk_device *dev)
{
	struct virtq *q = my_queue(dev->priv)->q;

	if (!virtq_pending(q))
		return false;
	take_all(q);
	return true;
}

static void
broken(struct virtio_device *v)
{
	struct vblk *d = v->priv;
	struct list done = LIST_INIT(done);
	struct bio *b;
	unsigned i;

	for (i = 0; i < d->nqueues; i++) {
		struct vblk_queue *vq = &d->queues[i];
		irqflags_t f = spin_lock_irq(&vq->q->lock);

		while ((b = take(vq, true)))
			list_add_tail(&done, &b->link);
		list_for_each_entry(b, &vq->backlog, link)
			b->status = -EIO;
		list_splice_tail(&done, &vq->backlog);
		spin_unlock_irq(&vq->q->lock, f);
	}
	finish(d, &done, false);
}

static void
config_changed(struct virtio_device *v)
{
	struct vblk *d = v->priv;

	if (d)
		blk_resized(&d->blk, virtio_config64(v, C_CAPACITY));
}

static const struct blk_ops vblk_ops = {
	.submit = submit,
	.submit_list = submit_list,
	.poll = poll,
	.due = due,
	.quiet = quiet,
	.look = vblk_look,
};

/* ---- attaching ---- */

static int
make_slots(struct vblk_queue *vq, unsigned n)
{
	while (n) {
		struct page *p = page_alloc(0, ALLOC_KERNEL | ALLOC_ZERO);

		if (!p)
			return -ENOMEM;
		n -= add_slots(vq, p, n);
	}
	return 0;
}

static int
read_config(struct vblk *d)
{
	struct virtio_device *v = d->v;
	struct blk_device *b = &d->blk;
	uint32_t x;

	b->sectors = virtio_config64(v, C_CAPACITY);
	b->max_vecs = SEGS;
	b->max_sectors = SECTORS_MAX;
	b->block_size = BLK_SECTOR_SIZE;
	if (virtio_has(v, F_SEG_MAX)) {
		x = virtio_config32(v, C_SEG_MAX);
		b->max_vecs = (uint32_t)min_u64(SEGS, x ? x : 1);
	}
	if (virtio_has(v, F_SIZE_MAX)) {
		x = virtio_config32(v, C_SIZE_MAX);
		if (x < PAGE_SIZE)
			return -EINVAL;
		b->max_sectors =
			(uint32_t)min_u64(SECTORS_MAX, x / BLK_SECTOR_SIZE);
	}
	if (virtio_has(v, F_BLK_SIZE)) {
		b->block_size = virtio_config32(v, C_BLK_SIZE);
		if (!is_pow2(b->block_size) || b->block_size > PAGE_SIZE ||
		    b->block_size < BLK_SECTOR_SIZE)
			return -EINVAL;
	}
	if (b->sectors > UINT64_MAX >> BLK_SECTOR_SHIFT)
		return -EINVAL;
	b->read_only = virtio_has(v, F_RO);
	b->has_flush = virtio_has(v, F_FLUSH);
	b->has_discard = virtio_has(v, F_DISCARD);
	b->has_zeroes = virtio_has(v, F_ZEROES);
	b->has_identify = true;
	if (b->has_discard)
		b->max_discard = virtio_config32(v, C_DISCARD_MAX);
	if (b->has_zeroes)
		b->max_zeroes = virtio_config32(v, C_ZEROES_MAX);
	return 0;
}

static int
setup_queue(struct vblk *d, unsigned i, uint64_t mem_pages)
{
	struct vblk_queue *vq = &d->queues[i];
	unsigned slots = mem_pages < SMALL_PAGES ? SLOTS_SMALL : SLOTS;
	unsigned num = mem_pages < LARGE_PAGES ? SLOTS : VIRTQ_MAX;
	int err;

	vq->d = d;
	list_init(&vq->backlog);
	/* Without indirect descriptors a request takes many. */
	if (!virtio_has(d->v, VIRTIO_F_INDIRECT_DESC))
		num = VIRTQ_MAX;
	err = virtq_setup(d->v, i, num, complete, &vq->q);
	if (err)
		return err;
	vq->q->priv = vq;
	/* Header, data, status. */
	if (!virtio_has(d->v, VIRTIO_F_INDIRECT_DESC) && vq->q->num < 3)
		return -EINVAL;
	d->blk.max_vecs = (uint32_t)min_u64(
		d->blk.max_vecs, virtio_has(d->v, VIRTIO_F_INDIRECT_DESC) ?
					 SEGS :
					 vq->q->num - 2u);
	vq->max_slots = mem_pages < LARGE_PAGES ? slots : vq->q->num;
	return make_slots(vq, slots);
}

static int
attach(struct virtio_device *v)
{
	struct vblk *d = kzalloc(sizeof(*d), ALLOC_KERNEL);
	struct mem_stats mem;
	unsigned want = 1, i;
	int err;

	if (!d)
		return -ENOMEM;
	d->v = v;
	v->priv = d;
	v->per_queue_irq = true;
	err = read_config(d);
	if (err)
		goto failed;
	if (virtio_has(v, F_MQ))
		want = virtio_config16(v, C_NUM_QUEUES);
	want = (unsigned)min_u64(min_u64(want, MAX_QUEUES), smp_count());
	mem_stats_get(&mem);
	if (!want || mem.total < SMALL_PAGES)
		want = 1;
	for (i = 0; i < want; i++) {
		err = setup_queue(d, i, mem.total);
		if (err)
			goto failed;
		d->nqueues = i + 1;
	}
	d->blk.ops = &vblk_ops;
	d->blk.priv = d;
	return 0;
failed:
	/* Slots and rings are the device's for good: it is not attached to
	 * anything else, and this happens at boot only. */
	v->priv = NULL;
	kfree(d);
	return err;
}

static int
start(struct virtio_device *v)
{
	struct vblk *d = v->priv;

	return blk_register(&d->blk);
}

const struct virtio_driver virtio_blk = {
	.drv = VIRTIO_DRV("virtio-blk"),
	.device_id = VIRTIO_ID_BLOCK,
	.features = F_SIZE_MAX | F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH |
		    F_MQ | F_DISCARD | F_ZEROES,
	.attach = attach,
	.start = start,
	.broken = broken,
	.config_changed = config_changed,
};
