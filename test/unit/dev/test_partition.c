/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: partitions are found in GPT (primary, then backup) and MBR; those
 * outside of the disk are dropped; damaged or hostile tables add nothing and
 * do not read beyond their memory.  Requests of a partition stay in it, and
 * large ones are split.  Method: the block class over a disk that is an
 * array, with tables made here and then damaged at random.
 * SOURCES: src/dev/blk.c src/dev/partition.c src/mem/page.c src/mem/heap.c
 * SOURCES: src/mem/kmap.c test/unit/host/host.c
 * SOURCES: src/base/hash.c src/base/fmt.c
 * SOURCES: test/unit/host/core.c test/unit/host/panic.c
 * INCLUDE: test/unit/host
 */
#include "../host/host.h"
#include "../unit.h"

#include <abi/errno.h>
#include <abi/pith.h>
#include <base/hash.h>
#include <dev/blk.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/mutex.h>

#define SECTORS 4096u

static uint8_t disk[SECTORS * 512];
static unsigned requests;

static void
submit(struct blk_device *d, struct bio *b)
{
	uint8_t *at = disk + b->sector * 512;

	requests++;
	CHECK(b->nvecs <= d->max_vecs);
	for (unsigned i = 0; i < b->nvecs; i++) {
		uint8_t *p = (uint8_t *)page_addr(b->vecs[i].page) +
			     b->vecs[i].offset;

		CHECK(at + b->vecs[i].len <= disk + sizeof(disk));
		if (b->op == BIO_READ)
			memcpy(p, at, b->vecs[i].len);
		else
			memcpy(at, p, b->vecs[i].len);
		at += b->vecs[i].len;
	}
	b->status = 0;
	b->done(b);
}

static void
poll(struct blk_device *d)
{
	(void)d;
}

static const struct blk_ops ops = { .submit = submit, .poll = poll };

/* The submitter's wait: everything here completes at once. */
void
completion_wait(struct completion *c)
{
	CHECK(c->done);
}

static struct blk_device *
make_disk(uint32_t max_vecs)
{
	static bool once;
	struct blk_device *d;

	if (!once)
		host_mem_init(64 << 20);
	once = true;
	d = kzalloc(sizeof(*d), ALLOC_KERNEL);
	d->sectors = SECTORS;
	d->max_vecs = max_vecs;
	d->max_sectors = 64;
	d->ops = &ops;
	CHECK_EQ(blk_register(d), 0);
	return d;
}

static unsigned
count_parts(struct blk_device *disk_dev)
{
	struct blk_device *d;
	unsigned n = 0;

	for (unsigned i = 0; (d = blk_get(i)); i++) {
		if (d->parent != disk_dev)
			continue;
		CHECK(d->start > 0 && d->sectors > 0);
		CHECK(d->start + d->sectors <= SECTORS);
		n++;
	}
	return n;
}

static void
put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

static void
put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static void
seal(uint64_t lba, uint64_t table)
{
	uint8_t *h = disk + lba * 512;

	put32(h + 88, ~crc32(~0u, disk + table * 512, 128 * 128));
	put32(h + 16, 0);
	put32(h + 16, ~crc32(~0u, h, 92));
}

static void
make_header(uint64_t lba, uint64_t other, uint64_t table)
{
	uint8_t *h = disk + lba * 512;

	memcpy(h, "EFI PART", 8);
	put32(h + 8, 0x10000);
	put32(h + 12, 92);
	put64(h + 24, lba);
	put64(h + 32, other);
	put64(h + 40, 34);
	put64(h + 48, SECTORS - 34);
	put64(h + 72, table);
	put32(h + 80, 128);
	put32(h + 84, 128);
	seal(lba, table);
}

static void
make_gpt(void)
{
	/* PITH_GPT_ROOT as on disk */
	static const uint8_t root[16] = { 0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84,
					  0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69,
					  0xd8, 0x47, 0x7d, 0xe4 };

	memset(disk, 0, sizeof(disk));
	disk[510] = 0x55;
	disk[511] = 0xaa;
	disk[450] = 0xee;
	for (unsigned i = 0; i < 3; i++) {
		uint8_t *e = disk + 1024 + 128 * i;

		memset(e, 0x11, 32);
		put64(e + 32, 100 + 100 * i);
		put64(e + 40, 199 + 100 * i);
	}
	memcpy(disk + 1024 + 256, root, 16);
	memcpy(disk + (SECTORS - 33) * 512, disk + 1024, 128 * 128);
	make_header(1, SECTORS - 1, 2);
	make_header(SECTORS - 1, 1, SECTORS - 33);
}

static void
test_gpt(void)
{
	struct blk_device *d;

	make_gpt();
	d = make_disk(8);
	CHECK_EQ(count_parts(d), 3);
	d = blk_find_type(PITH_GPT_ROOT);
	CHECK(d);
	CHECK_EQ(d->start, 300);
	CHECK_EQ(d->sectors, 100);
	CHECK(!blk_find_type("nonsense"));
	CHECK(!blk_find_type(PITH_GPT_ESP));
}

static void
test_backup(void)
{
	make_gpt();
	disk[512 + 60] ^= 1;
	CHECK_EQ(count_parts(make_disk(8)), 3);
	make_gpt();
	disk[1024 + 5] ^= 1; /* the table, not the header */
	CHECK_EQ(count_parts(make_disk(8)), 3);
	disk[sizeof(disk) - 512] ^= 1;
	CHECK_EQ(count_parts(make_disk(8)), 0);
}

static void
test_outside(void)
{
	make_gpt();
	put64(disk + 1024 + 40, SECTORS + 5);
	put64(disk + 1024 + 128 + 32, 5);
	seal(1, 2);
	CHECK_EQ(count_parts(make_disk(8)), 1);
	make_gpt();
	put64(disk + 1024 + 32, UINT64_MAX);
	put64(disk + 1024 + 40, UINT64_MAX);
	seal(1, 2);
	CHECK_EQ(count_parts(make_disk(8)), 2);
}

static void
test_mbr(void)
{
	memset(disk, 0, sizeof(disk));
	disk[510] = 0x55;
	disk[511] = 0xaa;
	for (unsigned i = 0; i < 4; i++) {
		uint8_t *e = disk + 446 + 16 * i;

		e[4] = 0x83;
		put32(e + 8, i == 2 ? UINT32_MAX : 64 + 100 * i);
		put32(e + 12, 100);
	}
	CHECK_EQ(count_parts(make_disk(8)), 3);
	disk[510] = 0;
	CHECK_EQ(count_parts(make_disk(8)), 0);
}

static void
test_damaged(void)
{
	uint64_t seed = 5;

	for (unsigned i = 0; i < 400; i++) {
		make_gpt();
		for (unsigned k = 0; k < 4; k++)
			disk[512 + unit_random(&seed) % 700] =
				(uint8_t)unit_random(&seed);
		if (i % 2) { /* with a checksum that is right */
			put32(disk + 528, 0);
			put32(disk + 528, ~crc32(~0u, disk + 512, 92));
		}
		if (i % 4 == 3)
			memset(disk + sizeof(disk) - 512, 0, 512);
		ignore(count_parts(make_disk(8)));
	}
}

static void
test_split(void)
{
	struct page *p = page_alloc(3, ALLOC_KERNEL);
	struct blk_device *d;
	struct bio *b;

	make_gpt();
	for (unsigned i = 0; i < 30000; i++)
		disk[300 * 512 + i] = (uint8_t)(i * 7 >> 3);
	make_disk(3);
	d = blk_find_type(PITH_GPT_ROOT);
	while (d && d->max_vecs != 3) { /* the newest disk's */
		struct blk_device *n = NULL, *x;

		for (unsigned i = 0; (x = blk_get(i)); i++)
			if (x->max_vecs == 3 && x->start == 300)
				n = x;
		d = n;
	}
	CHECK(d);
	b = bio_alloc(8, ALLOC_KERNEL);
	b->dev = d;
	b->op = BIO_READ;
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(bio_add(b, p, i * 4096, 3584), 0);
	CHECK_EQ(bio_add(b, p, 0, 512), -ENOSPC);
	requests = 0;
	CHECK_EQ(bio_submit_wait(b), 0);
	CHECK_EQ(requests, 3);
	for (unsigned i = 0; i < 8; i++)
		CHECK(!memcmp((char *)page_addr(p) + i * 4096,
			      disk + 300 * 512 + i * 3584, 3584));
	bio_free(b);
	b = bio_alloc(1, ALLOC_KERNEL); /* over the partition's end */
	b->dev = d;
	b->op = BIO_READ;
	b->sector = 96;
	CHECK_EQ(bio_add(b, p, 0, 4096), 0);
	CHECK_EQ(bio_submit_wait(b), -EIO);
	bio_free(b);
	char buf[700];

	CHECK_EQ(blk_read(d, 100, buf, sizeof(buf)), 0);
	CHECK(!memcmp(buf, disk + 300 * 512 + 100, sizeof(buf)));
	page_put(p);
	host_check_unlocked();
}

static const struct unit_test tests[] = {
	{ "gpt", test_gpt },
	{ "backup", test_backup },
	{ "outside", test_outside },
	{ "mbr", test_mbr },
	{ "damaged", test_damaged },
	{ "split", test_split },
	{ NULL, NULL },
};
UNIT_MAIN(tests)
