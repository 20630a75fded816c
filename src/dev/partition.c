/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partition tables: GPT (UEFI 2.10, 5.3), and MBR where there is no GPT.
 *
 * The disk is not trusted: header and table are checked by size, range and
 * checksum, an entry that lies outside of the disk is dropped with a word in
 * the log.  When the primary GPT is damaged the backup in the last sector is
 * used.  Our own images have a small table in front, so one read of the
 * first 34 sectors has all of it.
 */
#include <abi/errno.h>
#include <base/hash.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/string.h>
#include <core/log.h>
#include <mem/page.h>

#include "blk_priv.h"

#define GPT_MAGIC	   0x5452415020494645ull /* "EFI PART" */
#define GPT_HEADER_MIN	   92
#define GPT_ENTRY_MAX	   4096
#define GPT_TABLE_MAX	   (128u * 1024)
#define MBR_SIGNATURE	   0xaa55
#define MBR_TYPE_GPT	   0xee
#define MBR_TYPE_EXTENDED  0x05
#define MBR_TYPE_EXTENDED2 0x0f
#define MBR_TABLE	   446

struct gpt_header {
	uint64_t magic;
	uint32_t revision, size, crc, reserved;
	uint64_t self, backup, first, last;
	uint8_t uuid[16];
	uint64_t table;
	uint32_t entries, entry_size, table_crc;
} PACKED;
static_assert(sizeof(struct gpt_header) == GPT_HEADER_MIN, "GPT header");

struct gpt_entry {
	uint8_t type[16], uuid[16];
	uint64_t first, last, flags;
	uint8_t name[72];
};
static_assert(sizeof(struct gpt_entry) == 128, "GPT entry");

struct mbr_entry {
	uint8_t flags, chs_first[3], type, chs_last[3];
	uint32_t first, sectors;
} PACKED;
static_assert(sizeof(struct mbr_entry) == 16, "MBR entry");

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
guid_parse(const char *s, uint8_t out[16])
{
	/* Where the bytes of the text go: the first three fields are
	 * little-endian. */
	static const uint8_t at[16] = { 3, 2, 1,  0,  5,  4,  7,  6,
					8, 9, 10, 11, 12, 13, 14, 15 };
	unsigned i;

	for (i = 0; i < 16; i++) {
		int hi, lo;

		if (*s == '-')
			s++;
		hi = hex_digit(s[0]);
		lo = hi < 0 ? -1 : hex_digit(s[1]);
		if (lo < 0)
			return false;
		out[at[i]] = (uint8_t)(hi << 4 | lo);
		s += 2;
	}
	return *s == '\0';
}

/* ---- CRC-32 of a table that is mostly zeroes ---- */

static uint32_t
gf2_mul(uint32_t a, uint32_t b)
{
	uint32_t r = 0;

	/* Bit 31 is x^0: the reflected form that the CRC uses. */
	for (; a; a <<= 1) {
		if (a & 0x80000000u)
			r ^= b;
		b = b & 1 ? b >> 1 ^ 0xedb88320u : b >> 1;
	}
	return r;
}

/* crc over n further bytes of zero: times x^(8n). */
static uint32_t
crc32_zeroes(uint32_t crc, uint64_t n)
{
	uint32_t p = 0x00800000u; /* x^8 */

	for (; n; n >>= 1, p = gf2_mul(p, p))
		if (n & 1)
			crc = gf2_mul(crc, p);
	return crc;
}

static uint32_t
table_crc(const uint8_t *t, size_t len)
{
	size_t used = len;

	while (used >= 8 && !*(const uint64_t *)(const void *)(t + used - 8))
		used -= 8;
	return ~crc32_zeroes(crc32(~0u, t, used), len - used);
}

/* ---- GPT ---- */

static bool
header_valid(const struct blk_device *d, struct gpt_header *h, uint64_t lba)
{
	uint32_t crc = h->crc;
	bool good;

	if (h->magic != GPT_MAGIC || h->size < GPT_HEADER_MIN ||
	    h->size > BLK_SECTOR_SIZE)
		return false;
	h->crc = 0;
	good = ~crc32(~0u, h, h->size) == crc;
	h->crc = crc;
	return good && h->self == lba && h->first <= h->last &&
	       h->last < d->sectors && h->table < d->sectors &&
	       h->entry_size >= sizeof(struct gpt_entry) &&
	       h->entry_size <= GPT_ENTRY_MAX && h->entry_size % 8 == 0 &&
	       h->entries &&
	       (uint64_t)h->entries * h->entry_size <= GPT_TABLE_MAX;
}

static int
add_entries(struct blk_device *d, const struct gpt_header *h,
	    const uint8_t *table)
{
	static const uint8_t unused[16];
	unsigned i, n = (unsigned)min_u64(h->entries, LIMIT_PARTITIONS);
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		const struct gpt_entry *e =
			(const void *)(table + (size_t)i * h->entry_size);

		if (!memcmp(e->type, unused, sizeof(unused)))
			continue;
		if (e->first < h->first || e->last > h->last ||
		    e->first > e->last) {
			log_warn("%s: partition %u lies outside", d->name,
				 i + 1);
			continue;
		}
		err = blk_add_partition(d, i + 1, e->first,
					e->last - e->first + 1, e->type,
					e->uuid);
	}
	return err;
}

/* head holds the first `have` bytes of the disk. */
static int
use_gpt(struct blk_device *d, const struct gpt_header *h, const uint8_t *head,
	size_t have)
{
	size_t len = (size_t)h->entries * h->entry_size;
	uint64_t at = h->table << BLK_SECTOR_SHIFT;
	struct page *own = NULL;
	unsigned order = 0;
	const uint8_t *table;
	int err;

	if (at + len <= have) {
		table = head + at;
	} else {
		while (PAGE_SIZE << order < len)
			order++;
		own = page_alloc(order, ALLOC_KERNEL);
		if (!own)
			return -ENOMEM;
		table = page_addr(own);
		err = blk_read(d, at, page_addr(own), len);
		if (err)
			goto out;
	}
	err = -EINVAL;
	if (table_crc(table, len) == h->table_crc)
		err = add_entries(d, h, table);
out:
	if (own)
		page_put(own);
	return err;
}

static int
use_backup(struct blk_device *d, uint8_t *sector)
{
	struct gpt_header *h = (void *)sector;
	int err = blk_read(d, (d->sectors - 1) << BLK_SECTOR_SHIFT, sector,
			   BLK_SECTOR_SIZE);

	if (err)
		return err;
	if (!header_valid(d, h, d->sectors - 1))
		return -EINVAL;
	log_warn("%s: using the backup partition table", d->name);
	return use_gpt(d, h, NULL, 0);
}

/* ---- MBR ---- */

static int
use_mbr(struct blk_device *d, const struct mbr_entry *e)
{
	unsigned i;
	int err = 0;

	for (i = 0; i < 4 && !err; i++) {
		uint64_t end = (uint64_t)e[i].first + e[i].sectors;

		if (!e[i].type || !e[i].sectors ||
		    e[i].type == MBR_TYPE_EXTENDED ||
		    e[i].type == MBR_TYPE_EXTENDED2)
			continue;
		if (!e[i].first || end > d->sectors) {
			log_warn("%s: partition %u lies outside", d->name,
				 i + 1);
			continue;
		}
		err = blk_add_partition(d, i + 1, e[i].first, e[i].sectors,
					NULL, NULL);
	}
	return err;
}

/* Boot sector, GPT header and a table of 128 entries; page 0 of the order-3
 * block is read with the rest by one request. */
#define HEAD_SECTORS 34u

static int
read_head(struct blk_device *d, struct page *p, uint32_t bytes)
{
	struct bio *b = bio_alloc(1, ALLOC_KERNEL);
	int err;

	b->dev = d;
	b->op = BIO_READ;
	err = bio_add(b, p, 0, bytes);
	if (!err)
		err = bio_submit_wait(b);
	bio_free(b);
	return err;
}

int
partition_scan(struct blk_device *d)
{
	uint32_t have =
		(uint32_t)min_u64(HEAD_SECTORS, d->sectors) * BLK_SECTOR_SIZE;
	struct page *p;
	struct gpt_header *h;
	uint8_t *head;
	int err = 0;

	if (have < 2 * BLK_SECTOR_SIZE)
		return 0;
	p = page_alloc(3, ALLOC_KERNEL);
	if (!p)
		return -ENOMEM;
	head = page_addr(p);
	h = (void *)(head + BLK_SECTOR_SIZE);
	err = read_head(d, p, have);
	if (err || *(uint16_t *)(void *)(head + 510) != MBR_SIGNATURE)
		goto out;
	if (head[MBR_TABLE + 4] != MBR_TYPE_GPT) {
		err = use_mbr(d, (const void *)(head + MBR_TABLE));
		goto out;
	}
	err = header_valid(d, h, 1) ? use_gpt(d, h, head, have) : -EINVAL;
	if (err == -EINVAL)
		err = use_backup(d, head);
out:
	page_put(p);
	return err;
}
