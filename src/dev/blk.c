/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The block class: registered disks and their partitions, bios, and what
 * lies between a submitter and a driver: range checks, the shift of a
 * partition, splitting to the device's limits, statistics.
 *
 * The reserve: RESERVE_BIOS bios that only a caller that may sleep gets, when
 * the heap has nothing.  Each is freed by the completion of I/O that is
 * already under way, so waiting for one makes progress.
 *
 * The list of devices grows at boot only and is read without a lock.
 */
#include <dev/blk.h>

#include <abi/errno.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/fmt.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/string.h>
#include <core/idle.h>
#include <core/log.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/mutex.h>
#include <sched/thread.h>

#include "blk_priv.h"

#define RESERVE_BIOS 4
#define RESERVE_VECS 8
#define BIO_MAX_VECS 256

static struct list disks = LIST_INIT(disks);
static unsigned ndisks; /* whole disks, for their letters */

static struct spinlock pool_lock = SPINLOCK_INIT(RANK_EVENT);
static struct bio *pool[RESERVE_BIOS]; /* [pool_lock] */
static unsigned pool_n;		       /* [pool_lock] */
static bool pool_made;
static struct waitq pool_wq = WAITQ_INIT(pool_wq);

/* ---- bios ---- */

static struct bio *
bio_make(unsigned nvecs, unsigned alloc)
{
	struct bio *b = kzalloc(sizeof(*b) + nvecs * sizeof(b->vecs[0]),
				alloc & ~ALLOC_SLEEP);

	if (b) {
		b->max_vecs = nvecs;
		list_init(&b->link);
	}
	return b;
}

static struct bio *
pool_take(void)
{
	irqflags_t f = spin_lock_irq(&pool_lock);
	struct bio *b = pool_n ? pool[--pool_n] : NULL;

	spin_unlock_irq(&pool_lock, f);
	if (b) {
		memset(b, 0, sizeof(*b));
		b->max_vecs = RESERVE_VECS;
		b->from_reserve = true;
		list_init(&b->link);
	}
	return b;
}

struct bio *
bio_alloc(unsigned nvecs, unsigned alloc)
{
	struct wait_entry e;
	struct bio *b;

	nvecs = (unsigned)min_u64(nvecs, BIO_MAX_VECS);
	b = bio_make(nvecs, alloc);
	if (b || !(alloc & ALLOC_SLEEP))
		return b;
	wait_start(&pool_wq, &e, false);
	while (!(b = pool_take()) && !(b = bio_make(nvecs, alloc)))
		ignore(wait_sleep(&e, TIME_NEVER)); /* can't be interrupted */
	wait_end(&pool_wq, &e);
	return b;
}

void
bio_free(struct bio *b)
{
	irqflags_t f;

	if (!b)
		return;
	if (!b->from_reserve) {
		kfree(b);
		return;
	}
	f = spin_lock_irq(&pool_lock);
	assert(pool_n < RESERVE_BIOS);
	pool[pool_n++] = b;
	spin_unlock_irq(&pool_lock, f);
	wait_wake(&pool_wq, 1, 0);
}

int
bio_add(struct bio *b, struct page *p, uint32_t offset, uint32_t len)
{
	if (b->nvecs == b->max_vecs)
		return -ENOSPC;
	b->vecs[b->nvecs++] = (struct bio_vec){ p, offset, len };
	return 0;
}

static uint64_t
bio_bytes(const struct bio *b)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < b->nvecs; i++)
		n += b->vecs[i].len;
	return n;
}

/* ---- submitting ---- */

static void
bio_fail(struct bio *b, int err)
{
	b->status = err;
	b->done(b);
}

static bool
has_data(const struct bio *b)
{
	return b->op == BIO_READ || b->op == BIO_WRITE;
}

static bool
supported(const struct blk_device *d, const struct bio *b)
{
	switch (b->op) {
	case BIO_READ:
		return true;
	case BIO_WRITE:
		return !d->read_only;
	case BIO_FLUSH:
		return true; /* without a cache, done when it is asked for */
	case BIO_DISCARD:
		return !d->read_only && d->has_discard;
	case BIO_ZEROES:
		return !d->read_only && d->has_zeroes;
	case BIO_IDENTIFY:
		return d->has_identify;
	}
	return false;
}

/* ---- holding back ---- */

#define PLUG_MAX 32u

static void
submit_list(struct blk_device *d, struct list *bios)
{
	if (d->ops->submit_list) {
		d->ops->submit_list(d, bios);
		return;
	}
	while (!list_empty(bios)) {
		struct bio *b = list_first_entry(bios, struct bio, link);

		list_del(&b->link);
		d->ops->submit(d, b);
	}
}

/* What is completed at once may submit more: that is gathered anew. */
static void
plug_flush(struct blk_plug *p)
{
	while (!list_empty(&p->bios)) {
		struct bio *b = list_first_entry(&p->bios, struct bio, link);
		struct blk_device *d = b->dev;
		struct list some = LIST_INIT(some);

		do {
			list_move_tail(&some, &b->link);
			b = list_first_entry(&p->bios, struct bio, link);
		} while (!list_empty(&p->bios) && b->dev == d);
		submit_list(d, &some);
	}
	p->n = 0;
}

static void
plug_before_sleep(void)
{
	plug_flush(thread_current()->plug);
}

void
blk_plug(struct blk_plug *p)
{
	struct thread *t = thread_current();

	list_init(&p->bios);
	p->n = 0;
	if (t->plug)
		return;
	t->plug = p;
	t->before_sleep = plug_before_sleep;
}

void
blk_unplug(struct blk_plug *p)
{
	struct thread *t = thread_current();

	if (t->plug != p)
		return;
	plug_flush(p);
	t->plug = NULL;
	t->before_sleep = NULL;
}

/* An interrupt's requests are not the thread's. */
static void
submit_or_hold(struct blk_device *d, struct bio *b)
{
	struct blk_plug *p = irq_enabled() ? thread_current()->plug : NULL;

	if (!p) {
		d->ops->submit(d, b);
		return;
	}
	list_add_tail(&p->bios, &b->link);
	if (++p->n >= PLUG_MAX)
		plug_flush(p);
}

/* One part of a request that is too large for the device is under way at a
 * time: such requests are rare, and one child serves all of its parts. */
struct split {
	struct bio *whole;
	unsigned vec;	 /* next piece of the whole */
	uint32_t offset; /* consumed of that piece */
	uint64_t sector;
	struct bio *part;
};

static void split_done(struct bio *part);

static void
split_next(struct split *s)
{
	struct blk_device *d = s->whole->dev;
	uint32_t room = d->max_sectors * BLK_SECTOR_SIZE, n;
	struct bio *p = s->part;

	p->nvecs = 0;
	p->sector = s->sector;
	while (s->vec < s->whole->nvecs && room &&
	       p->nvecs < min_u64(p->max_vecs, d->max_vecs)) {
		struct bio_vec *v = &s->whole->vecs[s->vec];

		n = (uint32_t)min_u64(v->len - s->offset, room);
		p->vecs[p->nvecs++] =
			(struct bio_vec){ v->page, v->offset + s->offset, n };
		room -= n;
		s->sector += n >> BLK_SECTOR_SHIFT;
		s->offset += n;
		if (s->offset == v->len) {
			s->vec++;
			s->offset = 0;
		}
	}
	d->ops->submit(d, p);
}

static void
split_done(struct bio *part)
{
	struct split *s = part->arg;
	struct bio *whole = s->whole;
	int err = part->status;

	if (!err && s->vec < whole->nvecs) {
		split_next(s);
		return;
	}
	bio_free(part);
	kfree(s);
	whole->status = err;
	whole->done(whole);
}

static void
split_start(struct bio *b)
{
	struct split *s = kzalloc(sizeof(*s), ALLOC_RESERVE);
	unsigned n = (unsigned)min_u64(b->dev->max_vecs, BIO_MAX_VECS);
	struct bio *part = bio_make(n, ALLOC_RESERVE);

	if (!part)
		part = pool_take();
	if (!s || !part) {
		kfree(s);
		bio_free(part);
		bio_fail(b, -ENOMEM);
		return;
	}
	part->dev = b->dev;
	part->op = b->op;
	part->done = split_done;
	part->arg = s;
	*s = (struct split){ .whole = b, .sector = b->sector, .part = part };
	split_next(s);
}

void
bio_submit(struct bio *b)
{
	struct blk_device *d = b->dev;
	unsigned kind = b->op <= BIO_WRITE ? b->op : 2;
	uint64_t n, end;

	n = has_data(b) ? bio_bytes(b) >> BLK_SECTOR_SHIFT : b->nsectors;
	b->status = 0;
	if (add_overflow_u64(b->sector, n, &end) ||
	    end > atomic_load_relaxed(&d->sectors) || n > UINT32_MAX) {
		bio_fail(b, -EIO);
		return;
	}
	if (d->parent) {
		b->sector += d->start;
		b->dev = d = d->parent;
	}
	if (!supported(d, b)) {
		bio_fail(b, d->read_only ? -EROFS : -EOPNOTSUPP);
		return;
	}
	__atomic_fetch_add(&d->stats.ios[kind], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&d->stats.sectors[kind], n, __ATOMIC_RELAXED);
	if ((has_data(b) && !n) || (b->op == BIO_FLUSH && !d->has_flush)) {
		b->done(b);
		return;
	}
	if (has_data(b) && (b->nvecs > d->max_vecs || n > d->max_sectors))
		split_start(b);
	else
		submit_or_hold(d, b);
}

static void
wait_done(struct bio *b)
{
	completion_done(b->arg);
}

int
bio_submit_wait(struct bio *b)
{
	struct completion c;

	completion_init(&c);
	b->done = wait_done;
	b->arg = &c;
	bio_submit(b);
	if (irq_enabled()) {
		completion_wait(&c);
		return b->status;
	}
	while (!READ_ONCE(c.done)) {
		b->dev->ops->poll(b->dev);
		cpu_relax();
	}
	return b->status;
}

int
blk_discard(struct blk_device *dev, uint64_t sector, uint64_t n, bool zeroes)
{
	const struct blk_device *disk = dev->parent ? dev->parent : dev;
	uint64_t max = zeroes ? disk->max_zeroes : disk->max_discard;
	int err = 0;

	if (!max)
		return -EOPNOTSUPP;
	while (n && !err) {
		struct bio *b = bio_alloc(0, ALLOC_NOIO);

		b->dev = dev;
		b->op = zeroes ? BIO_ZEROES : BIO_DISCARD;
		b->sector = sector;
		b->nsectors = min_u64(n, max);
		sector += b->nsectors;
		n -= b->nsectors;
		err = bio_submit_wait(b);
		bio_free(b);
	}
	return err;
}

/* ---- waiting awake ---- */

void
blk_idle_begin(struct idle_due *due)
{
	struct blk_device *d;

	list_for_each_entry(d, &disks, link) {
		if (d->parent || !d->ops->due || due->n == IDLE_DUE_MAX ||
		    !d->ops->due(d, &due->mark[due->n]))
			continue;
		due->who[due->n++] = d;
		if (due->awake)
			d->ops->quiet(d, true);
	}
}

bool
blk_idle_look(struct idle_due *due)
{
	bool came = false;

	for (unsigned i = 0; i < due->n; i++) {
		struct blk_device *d = due->who[i];

		came = d->ops->look(d) || came;
	}
	return came;
}

bool
blk_idle_end(struct idle_due *due)
{
	bool came = false;

	for (unsigned i = 0; i < due->n; i++) {
		struct blk_device *d = due->who[i];
		uint32_t taken;

		if (due->awake)
			d->ops->quiet(d, false);
		d->ops->due(d, &taken);
		came = came || taken != due->mark[i];
	}
	return came;
}

/* ---- small reads ---- */

int
blk_read(struct blk_device *dev, uint64_t offset, void *buf, size_t len)
{
	char *out = buf;
	struct page *p;
	struct bio *b;
	int err = 0;

	p = page_alloc(0, ALLOC_KERNEL);
	if (!p)
		return -ENOMEM;
	while (len && !err) {
		uint32_t skip = (uint32_t)(offset % BLK_SECTOR_SIZE);
		uint32_t n = (uint32_t)min_u64(len, PAGE_SIZE - skip);

		b = bio_alloc(1, ALLOC_KERNEL);
		b->dev = dev;
		b->op = BIO_READ;
		b->sector = offset >> BLK_SECTOR_SHIFT;
		err = bio_add(b, p, 0,
			      (uint32_t)align_up(skip + n, BLK_SECTOR_SIZE));
		if (!err)
			err = bio_submit_wait(b);
		bio_free(b);
		if (!err)
			memcpy(out, (char *)page_addr(p) + skip, n);
		out += n;
		offset += n;
		len -= n;
	}
	page_put(p);
	return err;
}

/* ---- devices ---- */

struct blk_device *
blk_get(unsigned i)
{
	struct blk_device *d;

	list_for_each_entry(d, &disks, link)
		if (!i--)
			return d;
	return NULL;
}

struct blk_device *
blk_find(const char *name)
{
	struct blk_device *d;

	list_for_each_entry(d, &disks, link)
		if (!strcmp(d->name, name))
			return d;
	return NULL;
}

struct blk_device *
blk_find_type(const char *guid)
{
	struct blk_device *d;
	uint8_t want[16];

	if (!guid_parse(guid, want))
		return NULL;
	list_for_each_entry(d, &disks, link)
		if (d->parent && !memcmp(d->part_type, want, sizeof(want)))
			return d;
	return NULL;
}

static void
identify(struct blk_device *d)
{
	struct page *p = page_alloc(0, ALLOC_KERNEL | ALLOC_ZERO);
	struct bio *b = bio_alloc(1, ALLOC_KERNEL);

	b->dev = d;
	b->op = BIO_IDENTIFY;
	if (p && !bio_add(b, p, 0, BLK_SERIAL_BYTES) && !bio_submit_wait(b)) {
		memcpy(d->serial, page_addr(p), BLK_SERIAL_BYTES);
		d->serial[BLK_SERIAL_BYTES] = '\0';
	}
	d->serial_known = p != NULL;
	bio_free(b);
	if (p)
		page_put(p);
}

struct blk_device *
blk_find_serial(const char *serial)
{
	struct blk_device *d;

	list_for_each_entry(d, &disks, link) {
		if (d->parent)
			continue;
		if (!d->serial_known)
			identify(d);
		if (d->serial[0] && !strcmp(d->serial, serial))
			return d;
	}
	return NULL;
}

void
blk_resized(struct blk_device *d, uint64_t sectors)
{
	if (sectors > UINT64_MAX >> BLK_SECTOR_SHIFT)
		return;
	atomic_store_relaxed(&d->sectors, sectors);
	log_info("%s: %lu sectors now", d->name, (unsigned long)sectors);
}

static int
pool_fill(void)
{
	if (pool_made)
		return 0;
	while (pool_n < RESERVE_BIOS) {
		struct bio *b = bio_make(RESERVE_VECS, ALLOC_NOIO);

		if (!b)
			return -ENOMEM;
		pool[pool_n++] = b;
	}
	pool_made = true;
	return 0;
}

/* Whole disk's name: vda, vdb ... vdz; more have a number. */
static void
set_name(struct blk_device *d)
{
	unsigned n = ndisks++;

	if (n < 26)
		ksnprintf(d->name, sizeof(d->name), "vd%c", 'a' + (int)n);
	else
		ksnprintf(d->name, sizeof(d->name), "vd%u_", n);
}

int
blk_register(struct blk_device *d)
{
	int err = pool_fill();

	if (err)
		return err;
	if (!d->max_vecs || !d->max_sectors ||
	    d->sectors > UINT64_MAX >> BLK_SECTOR_SHIFT)
		return -EINVAL;
	set_name(d);
	list_add_tail(&disks, &d->link);
	err = partition_scan(d);
	if (err)
		log_warn("%s: partition table: error %d", d->name, -err);
	return 0;
}

int
blk_add_partition(struct blk_device *disk, unsigned number, uint64_t start,
		  uint64_t sectors, const uint8_t *type, const uint8_t *uuid)
{
	struct blk_device *d = kzalloc(sizeof(*d), ALLOC_KERNEL);

	if (!d)
		return -ENOMEM;
	*d = *disk;
	memset(&d->stats, 0, sizeof(d->stats));
	ksnprintf(d->name, sizeof(d->name), "%s%u", disk->name, number);
	d->serial[0] = '\0';
	d->parent = disk;
	d->start = start;
	d->sectors = sectors;
	if (type)
		memcpy(d->part_type, type, sizeof(d->part_type));
	if (uuid)
		memcpy(d->part_uuid, uuid, sizeof(d->part_uuid));
	list_add_tail(&disks, &d->link);
	return 0;
}
