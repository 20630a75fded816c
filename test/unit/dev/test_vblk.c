/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every bio ends once, with its own data and status, however many wait
 * and whichever are merged into one request; a request never has more pieces
 * or sectors than the device allows; a device that breaks fails what is under
 * way; sizes that change are seen; as many requests are under way as the ring
 * holds; what a thread holds back goes at once, and at the latest when it
 * sleeps; an idle CPU that waits awake finds what has come.
 * Method: the driver and the class over queues that the test plays, with a
 * disk in memory; random batches of neighbours, gaps and all operations.
 * SOURCES: src/drivers/virtio/blk.c src/dev/blk.c src/dev/partition.c
 * SOURCES: src/mem/page.c src/mem/heap.c src/mem/kmap.c
 * SOURCES: src/base/hash.c src/base/fmt.c test/unit/host/host.c
 * SOURCES: test/unit/host/core.c test/unit/host/panic.c
 * INCLUDE: test/unit/host
 */
#include "../host/host.h"
#include "../unit.h"

#include <abi/errno.h>
#include <arch/mmu.h>
#include <core/idle.h>
#include <dev/blk.h>
#include <drivers/virtio/blk.h>
#include <drivers/virtio/virtio.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/mutex.h>
#include <sched/thread.h>

#define SECTORS 8192u
#define SEG_MAX 20u
#define RING	64u /* requests that the "device" can take */
#define FEW	12u /* and does, where it is to be full */

static uint8_t disk[SECTORS * 512];
static uint64_t capacity = SECTORS;
static struct virtio_device dev;
static struct virtq queue;
static uint64_t seed = 1;
static unsigned nrequests, nfailing, room = FEW, kicks;
static bool quiet; /* no interrupts are asked for */

/* ---- the queue ---- */

static struct request {
	struct virtq_sg sg[64];
	unsigned n, nout;
	void *token;
} ring[RING], finished[RING];
static unsigned nring, nfinished;

static unsigned
rnd(unsigned n)
{
	return (unsigned)(unit_random(&seed) >> 16) % n;
}

int
virtq_setup(struct virtio_device *v, unsigned index, unsigned max,
	    void (*done)(struct virtq *q), struct virtq **out)
{
	(void)index, (void)max;
	queue.v = v;
	queue.num = 64;
	queue.done = done;
	spin_init(&queue.lock, RANK_DEVICE);
	*out = &queue;
	return 0;
}

int
virtq_add(struct virtq *q, const struct virtq_sg *sg, unsigned nout,
	  unsigned nin, void *token, struct virtq_desc *table)
{
	struct request *r = &ring[nring];

	CHECK(q == &queue && token && table);
	if (q->v->broken)
		return -EIO;
	if (nring == room)
		return -ENOSPC;
	CHECK(nout + nin <= SEG_MAX + 2);
	memcpy(r->sg, sg, (nout + nin) * sizeof(*sg));
	r->n = nout + nin;
	r->nout = nout;
	r->token = token;
	nring++;
	return 0;
}

void *
virtq_get(struct virtq *q, uint32_t *len)
{
	(void)len;
	q->last_used += nfinished > 0;
	return nfinished ? finished[--nfinished].token : NULL;
}

void *
virtq_take_back(struct virtq *q)
{
	(void)q;
	return nring ? ring[--nring].token : NULL;
}

void
virtq_kick(struct virtq *q)
{
	(void)q;
	kicks++;
}
bool
virtq_irq_enable(struct virtq *q)
{
	(void)q;
	quiet = false;
	return nfinished;
}
void
virtq_irq_disable(struct virtq *q)
{
	(void)q;
	quiet = true;
}
bool
virtq_pending(const struct virtq *q)
{
	(void)q;
	return nfinished;
}
void
virtq_interrupt(struct virtq *q)
{
	q->done(q);
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
unsigned
smp_count(void)
{
	return 1;
}

uint16_t
virtio_config16(struct virtio_device *v, unsigned off)
{
	(void)v, (void)off;
	return 1;
}

uint32_t
virtio_config32(struct virtio_device *v, unsigned off)
{
	(void)v;
	return off == 12 ? SEG_MAX : 1000; /* virtio 1.2, 5.2.4 */
}

uint64_t
virtio_config64(struct virtio_device *v, unsigned off)
{
	(void)v;
	CHECK_EQ(off, 0);
	return capacity;
}

static void *
at(const struct virtq_sg *sg)
{
	return phys_to_virt(sg->addr);
}

/* sched, as far as the class needs it. */
void
completion_wait(struct completion *c)
{
	while (!c->done)
		host_on_sleep();
}

/* What a device does with one request. */
static uint8_t
serve(const struct request *r)
{
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} h;
	uint64_t pos;

	CHECK_EQ(r->sg[0].len, 16);
	memcpy(&h, at(&r->sg[0]), 16);
	pos = h.sector * 512;
	if (h.type == 4)
		return 0;
	if (h.type == 8) {
		memcpy(at(&r->sg[1]), "serial-of-20-bytes!!", 20);
		return 0;
	}
	for (unsigned k = 1; k < r->n - 1; k++) {
		uint32_t len = r->sg[k].len;

		if (h.type == 11 || h.type == 13) {
			struct {
				uint64_t sector;
				uint32_t n, flags;
			} range;

			memcpy(&range, at(&r->sg[k]), 16);
			CHECK(range.n <= 1000);
			memset(disk + range.sector * 512, 0, range.n * 512ul);
			continue;
		}
		CHECK(pos + len <= sizeof(disk) && len % 512 == 0);
		CHECK_EQ(k < r->nout, h.type == 1);
		if (h.type == 1)
			memcpy(disk + pos, at(&r->sg[k]), len);
		else
			memcpy(at(&r->sg[k]), disk + pos, len);
		pos += len;
	}
	return 0;
}

static void
answer_some(void)
{
	while (nring && nfinished < room) {
		unsigned k = rnd(nring);
		struct request r = ring[k];
		uint8_t *status = at(&r.sg[r.n - 1]);

		ring[k] = ring[--nring];
		CHECK_EQ(r.sg[r.n - 1].len, 1);
		*status = nfailing ? (nfailing--, 1) : serve(&r);
		finished[nfinished++] = r;
		nrequests++;
		if (rnd(3) == 0)
			break;
	}
}

static void
serve_some(void)
{
	answer_some();
	queue.done(&queue);
}

/* ---- the disk ---- */

static struct blk_device *d;
static unsigned ended;

static void
start(void)
{
	memset(&dev, 0, sizeof(dev));
	dev.features = VIRTIO_F_INDIRECT_DESC | 1ull << 2 | 1ull << 9 |
		       1ull << 13 | 1ull << 14;
	nring = nfinished = 0;
	capacity = SECTORS;
	host_on_sleep = serve_some;
	CHECK_EQ(virtio_blk.attach(&dev), 0);
	CHECK_EQ(virtio_blk.start(&dev), 0);
	for (unsigned i = 0; blk_get(i); i++)
		d = blk_get(i); /* the newest */
}

static void
bio_ended(struct bio *b)
{
	CHECK(!b->arg);
	b->arg = b;
	ended++;
}

static struct bio *
new_bio(enum bio_op op, uint64_t sector, unsigned npages, uint8_t fill)
{
	struct bio *b = bio_alloc(npages, ALLOC_KERNEL);

	b->dev = d;
	b->op = op;
	b->sector = sector;
	b->done = bio_ended;
	for (unsigned k = 0; k < npages; k++) {
		struct page *p = page_alloc(0, ALLOC_KERNEL);

		memset(page_addr(p), fill + (int)k, PAGE_SIZE);
		CHECK_EQ(bio_add(b, p, 0, PAGE_SIZE), 0);
	}
	return b;
}

static void
free_bio(struct bio *b)
{
	for (unsigned k = 0; k < b->nvecs; k++)
		page_put(b->vecs[k].page);
	bio_free(b);
}

#define NBIOS 60u

/* Neighbours, in and out of order, with others between. */
static void
batch(unsigned round)
{
	struct bio *bios[NBIOS];
	uint64_t sector = 0;
	unsigned writes = 0;

	ended = 0;
	for (unsigned k = 0; k < NBIOS; k++) {
		unsigned n = 1 + rnd(4);
		enum bio_op op = rnd(8) ? BIO_WRITE : BIO_READ;

		if (rnd(10) == 0)
			sector += 8 * rnd(5);
		bios[k] = new_bio(op, sector, n, (uint8_t)(round + k));
		memset(disk + sector * 512, (int)k, n * PAGE_SIZE);
		sector += n * 8;
		writes += op == BIO_WRITE;
	}
	CHECK(sector <= SECTORS);
	for (unsigned k = 0; k < NBIOS; k++) {
		unsigned j = rnd(20) ? k : k + rnd(NBIOS - k);
		struct bio *b = bios[j];

		bios[j] = bios[k];
		bios[k] = b;
		bio_submit(b);
	}
	while (ended < NBIOS)
		serve_some();
	for (unsigned k = 0; k < NBIOS; k++) {
		struct bio *b = bios[k];

		CHECK_EQ(b->status, 0);
		for (unsigned v = 0; v < b->nvecs; v++) {
			uint8_t *on_disk =
				disk + b->sector * 512 + v * PAGE_SIZE;

			CHECK(!memcmp(on_disk, page_addr(b->vecs[v].page),
				      PAGE_SIZE));
		}
		free_bio(b);
	}
	CHECK(writes > 0);
}

static void
test_merge(void)
{
	start();
	nrequests = 0;
	for (unsigned round = 0; round < 200; round++)
		batch(round);
	/* What waits behind a full ring is merged. */
	CHECK(nrequests < 200 * NBIOS * 3 / 4);
}

/* An error of a request is one of each bio in it, and of no other. */
static void
test_errors(void)
{
	struct bio *bios[NBIOS];
	unsigned failed = 0;

	start();
	ended = 0;
	for (unsigned k = 0; k < NBIOS; k++) {
		bios[k] = new_bio(BIO_WRITE, k * 8, 1, 'e');
		bio_submit(bios[k]);
	}
	nfailing = 3;
	while (ended < NBIOS)
		serve_some();
	for (unsigned k = 0; k < NBIOS; k++) {
		CHECK(bios[k]->status == 0 || bios[k]->status == -EIO);
		CHECK(bios[k]->status || disk[k * PAGE_SIZE] == 'e');
		failed += bios[k]->status != 0;
		free_bio(bios[k]);
	}
	CHECK(failed >= 3 && failed <= 3 * SEG_MAX);
}

static void
test_broken(void)
{
	struct bio *bios[NBIOS];

	start();
	ended = 0;
	for (unsigned k = 0; k < NBIOS; k++) {
		bios[k] = new_bio(BIO_WRITE, k * 8, 1, 'b');
		bio_submit(bios[k]);
	}
	dev.broken = true;
	virtio_blk.broken(&dev);
	CHECK_EQ(ended, NBIOS);
	for (unsigned k = 0; k < NBIOS; k++) {
		CHECK_EQ(bios[k]->status, -EIO);
		free_bio(bios[k]);
	}
	ended = 0;
	bios[0] = new_bio(BIO_WRITE, 0, 1, 'b');
	bio_submit(bios[0]);
	CHECK_EQ(ended, 1);
	CHECK_EQ(bios[0]->status, -EIO);
	free_bio(bios[0]);
}

static void
test_others(void)
{
	struct bio *b;

	start();
	memset(disk, 'x', sizeof(disk));
	CHECK_EQ(blk_discard(d, 8, 2500, false), 0);
	CHECK(disk[8 * 512 - 1] == 'x' && !disk[8 * 512] &&
	      !disk[2508 * 512 - 1] && disk[2508 * 512] == 'x');
	CHECK_EQ(blk_discard(d, 4000, 8, true), 0);
	CHECK(!disk[4000 * 512] && disk[4008 * 512] == 'x');
	CHECK_EQ(blk_discard(d, SECTORS - 8, 16, true), -EIO);
	CHECK(blk_find_serial("serial-of-20-bytes!!") != NULL);
	CHECK(blk_find_serial("another") == NULL);
	b = bio_alloc(0, ALLOC_KERNEL);
	b->dev = d;
	b->op = BIO_FLUSH;
	CHECK_EQ(bio_submit_wait(b), 0);
	bio_free(b);
	/* The disk becomes smaller, then larger than it was. */
	ended = 0;
	capacity = 64;
	virtio_blk.config_changed(&dev);
	b = new_bio(BIO_READ, 64, 1, 0);
	bio_submit(b);
	CHECK_EQ(b->status, -EIO);
	free_bio(b);
	capacity = SECTORS * 2;
	virtio_blk.config_changed(&dev);
	CHECK_EQ(d->sectors, SECTORS * 2);
}

/* More slots are made than there were at first. */
static void
test_depth(void)
{
	struct bio *bios[RING];

	start();
	room = RING;
	ended = 0;
	for (unsigned k = 0; k < RING; k++) {
		bios[k] = new_bio(BIO_WRITE, k * 16, 1, 'd');
		bio_submit(bios[k]);
	}
	CHECK_EQ(nring, RING);
	while (ended < RING)
		serve_some();
	for (unsigned k = 0; k < RING; k++)
		free_bio(bios[k]);
	room = FEW;
}

static void
test_plug(void)
{
	struct blk_plug outer, inner;
	struct bio *b[6];

	start();
	ended = kicks = 0;
	for (unsigned k = 0; k < 6; k++)
		b[k] = new_bio(BIO_WRITE, (k < 4 ? k : 2 * k) * 8, 1,
			       (uint8_t)('p' + k));
	blk_plug(&outer);
	for (unsigned k = 0; k < 5; k++) {
		blk_plug(&inner);
		bio_submit(b[k]);
		blk_unplug(&inner);
	}
	CHECK_EQ(nring, 0);
	CHECK_EQ(kicks, 0);
	blk_unplug(&outer);
	CHECK_EQ(nring, 2); /* four as one */
	CHECK_EQ(kicks, 1);
	while (ended < 5)
		serve_some();
	for (unsigned k = 0; k < 4; k++)
		CHECK_EQ(disk[k * PAGE_SIZE], 'p' + k);
	blk_plug(&outer);
	bio_submit(b[5]);
	CHECK_EQ(nring, 0);
	thread_current()->before_sleep();
	CHECK_EQ(nring, 1);
	blk_unplug(&outer);
	CHECK(!thread_current()->before_sleep);
	while (ended < 6)
		serve_some();
	for (unsigned k = 0; k < 6; k++)
		free_bio(b[k]);
}

/* An idle CPU that waits awake hears of its requests without interrupts. */
static void
test_awake(void)
{
	struct idle_due due = { .awake = true };
	struct bio *b;

	start();
	b = new_bio(BIO_WRITE, 0, 1, 'w');
	ended = 0;
	blk_idle_begin(&due);
	CHECK_EQ(due.n, 0);
	bio_submit(b);
	queue.in_flight = 1;
	blk_idle_begin(&due);
	CHECK(due.n > 0 && due.n <= IDLE_DUE_MAX);
	CHECK(quiet);
	CHECK(!blk_idle_look(&due));
	CHECK_EQ(ended, 0);
	answer_some();
	CHECK(blk_idle_look(&due));
	CHECK_EQ(ended, 1);
	queue.in_flight = 0;
	CHECK(blk_idle_end(&due));
	CHECK(!quiet);
	free_bio(b);
}

static const struct unit_test tests[] = {
	{ "merge", test_merge },   { "depth", test_depth },
	{ "plug", test_plug },	   { "awake", test_awake },
	{ "errors", test_errors }, { "broken", test_broken },
	{ "others", test_others }, { NULL, NULL },
};

int
main(int argc, char **argv)
{
	host_mem_init(128ul << 20);
	return unit_main(argc, argv, tests);
}
