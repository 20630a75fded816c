/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk image around the root file system: GPT (UEFI 2.10, 5.3), a BIOS
 * boot partition (empty until the boot code for firmware exists), an EFI
 * system partition (an empty FAT16), the manifest, the root.
 *
 * Partitions begin at whole mebibytes.  GUIDs come from a hash of what goes
 * in, so the same input gives the same bytes.
 */
#include "image.h"

#include "block.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GPT_MAGIC	  0x5452415020494645ull /* "EFI PART" */
#define GPT_ENTRIES	  128u
#define GPT_TABLE_SECTORS 32u
#define BIOS_BYTES	  MIB
#define ESP_BYTES	  (16 * MIB)

struct gpt_header {
	uint64_t magic;
	uint32_t revision, size, crc, zero;
	uint64_t self, other, first, last;
	unsigned char guid[16];
	uint64_t table;
	uint32_t entries, entry_size, table_crc, pad;
};

struct gpt_entry {
	unsigned char type[16], guid[16];
	uint64_t first, last, flags;
	uint16_t name[36];
};

_Static_assert(sizeof(struct gpt_header) == 96, "GPT header and padding");
_Static_assert(sizeof(struct gpt_entry) == 128, "GPT entry");

#define GPT_HEADER_BYTES 92u

/* The mixed-endian bytes of a GUID's text (UEFI 2.10, appendix A). */
static void
guid_bytes(const char *text, unsigned char out[16])
{
	static const unsigned char place[16] = { 3, 2, 1,  0,  5,  4,  7,  6,
						 8, 9, 10, 11, 12, 13, 14, 15 };

	for (int i = 0; i < 16; i++) {
		unsigned v;

		text += *text == '-';
		sscanf(text, "%2x", &v);
		out[place[i]] = v;
		text += 2;
	}
}

/* Content is represented by size and mtime: hashing it all would cost more
 * than writing it.  Only identifiers come from this. */
static void
hash_node(struct node *n, void *arg)
{
	struct sha256 *h = arg;
	char *path = node_path(n);
	bool own = n->host && (!S_ISDIR(n->st.st_mode) || n->listed);
	uint64_t facts[] = {
		n->st.st_mode,
		n->st.st_uid,
		n->st.st_gid,
		S_ISDIR(n->st.st_mode) ? 0 : n->st.st_size,
		own ? n->st.st_mtim.tv_sec : 0,
		own ? n->st.st_mtim.tv_nsec : 0,
		n->st.st_rdev,
	};

	sha256_add_str(h, path);
	sha256_add(h, facts, sizeof(facts));
	if (n->data)
		sha256_add(h, n->data, n->st.st_size);
	free(path);
}

/* A GUID for one thing of the image (RFC 4122 version 8 layout). */
static void
derive_guid(const unsigned char seed[32], const char *what,
	    unsigned char out[16])
{
	unsigned char full[32];
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, seed, 32);
	sha256_add_str(&h, what);
	sha256_end(&h, full);
	memcpy(out, full, 16);
	out[6] = (out[6] & 0x0f) | 0x80;
	out[8] = (out[8] & 0x3f) | 0x80;
}

static void
fill_entry(struct gpt_entry *e, const char *type, const struct partition *p,
	   const char *name, const unsigned char seed[32])
{
	guid_bytes(type, e->type);
	derive_guid(seed, name, e->guid);
	e->first = p->start / SECTOR;
	e->last = (p->start + p->len) / SECTOR - 1;
	for (int i = 0; name[i]; i++)
		e->name[i] = name[i];
}

/* The header's CRC is over itself with the CRC field zero. */
static int
write_gpt(int fd, const struct image_layout *l, const unsigned char seed[32])
{
	static struct gpt_entry table[GPT_ENTRIES];
	uint64_t sectors = l->size / SECTOR;
	unsigned char mbr[SECTOR] = { 0 };
	struct gpt_header h = {
		.magic = GPT_MAGIC,
		.revision = 0x10000,
		.size = GPT_HEADER_BYTES,
		.first = 2 + GPT_TABLE_SECTORS,
		.last = sectors - 2 - GPT_TABLE_SECTORS,
		.entries = GPT_ENTRIES,
		.entry_size = sizeof(struct gpt_entry),
	};
	uint32_t mbr_len = sectors - 1 > UINT32_MAX ? UINT32_MAX : sectors - 1;
	int err;

	memset(table, 0, sizeof(table));
	fill_entry(&table[0], PITH_GPT_BIOS_BOOT, &l->bios, "bios boot", seed);
	fill_entry(&table[1], PITH_GPT_ESP, &l->esp, "EFI system", seed);
	fill_entry(&table[2], PITH_GPT_MANIFEST, &l->manifest, "pith manifest",
		   seed);
	fill_entry(&table[3], PITH_GPT_ROOT, &l->root, "pith root", seed);
	derive_guid(seed, "disk", h.guid);
	h.table_crc = crc32_ieee(table, sizeof(table));

	/* The protective MBR: one entry of type 0xee over everything. */
	mbr[446 + 2] = 2;
	mbr[446 + 4] = 0xee;
	memset(mbr + 446 + 5, 0xff, 3);
	mbr[446 + 8] = 1;
	memcpy(mbr + 446 + 12, &mbr_len, 4);
	mbr[510] = 0x55;
	mbr[511] = 0xaa;
	err = pwrite_all(fd, mbr, sizeof(mbr), 0);

	h.self = 1;
	h.other = sectors - 1;
	h.table = 2;
	h.crc = crc32_ieee(&h, GPT_HEADER_BYTES);
	if (!err)
		err = pwrite_all(fd, &h, GPT_HEADER_BYTES, SECTOR);
	if (!err)
		err = pwrite_all(fd, table, sizeof(table), 2 * SECTOR);
	h.self = sectors - 1;
	h.other = 1;
	h.table = sectors - 1 - GPT_TABLE_SECTORS;
	h.crc = 0;
	h.crc = crc32_ieee(&h, GPT_HEADER_BYTES);
	if (!err)
		err = pwrite_all(fd, table, sizeof(table), h.table * SECTOR);
	if (!err)
		err = pwrite_all(fd, &h, GPT_HEADER_BYTES, h.self * SECTOR);
	return err;
}

/* An empty FAT16 (Microsoft's FAT specification 1.03): boot sector, two
 * tables, an empty root directory. */
static int
write_esp(int fd, const struct partition *p, const unsigned char seed[32])
{
	uint32_t sectors = p->len / SECTOR;
	uint16_t fat_sectors = 32, reserved = 1;
	unsigned char b[SECTOR] = { 0xeb, 0x3c, 0x90 };
	static const unsigned char fat[4] = { 0xf8, 0xff, 0xff, 0xff };
	int err;

	memcpy(b + 3, "PITH    ", 8);
	b[12] = SECTOR >> 8;
	b[13] = 4; /* sectors in a cluster */
	memcpy(b + 14, &reserved, 2);
	b[16] = 2; /* tables */
	b[18] = 2; /* 512 root entries */
	memcpy(b + (sectors < 65536 ? 19 : 32), &sectors,
	       sectors < 65536 ? 2 : 4);
	b[21] = 0xf8;
	memcpy(b + 22, &fat_sectors, 2);
	b[24] = 63;
	b[26] = 255;
	b[36] = 0x80;
	b[38] = 0x29;
	memcpy(b + 39, seed, 4);
	memcpy(b + 43, "PITH ESP   FAT16   ", 19);
	b[510] = 0x55;
	b[511] = 0xaa;
	err = pwrite_all(fd, b, sizeof(b), p->start);
	for (unsigned i = 0; !err && i < 2; i++)
		err = pwrite_all(fd, fat, sizeof(fat),
				 p->start +
					 (reserved + i * fat_sectors) * SECTOR);
	return err;
}

int
image_write(int fd, struct fileset *fs, const struct buf *manifest,
	    uint64_t free_bytes, int64_t when)
{
	unsigned char seed[32], uuid[16];
	struct image_layout l = { 0 };
	struct sha256 h;
	int err;

	/* fsck wants one; it holds what a repair finds. */
	fileset_mkdir(fs, "/lost+found", 0700);
	fileset_sort(fs);
	sha256_init(&h);
	fileset_each(fs, hash_node, &h);
	sha256_add(&h, manifest->p, manifest->len);
	sha256_end(&h, seed);
	derive_guid(seed, "ext4", uuid);

	l.bios = (struct partition){ MIB, BIOS_BYTES };
	l.esp = (struct partition){ l.bios.start + l.bios.len, ESP_BYTES };
	l.manifest.start = l.esp.start + l.esp.len;
	l.manifest.len = (manifest->len + MIB - 1) / MIB * MIB;
	l.root.start = l.manifest.start + l.manifest.len;
	l.root.len = ext4_size(fs, free_bytes);
	l.size = l.root.start + l.root.len + MIB;
	if (ftruncate(fd, l.size) < 0)
		return -errno;
	err = ext4_write(fd, l.root.start, l.root.len, fs, uuid, when);
	if (!err)
		err = pwrite_all(fd, manifest->p, manifest->len,
				 l.manifest.start);
	if (!err)
		err = write_esp(fd, &l.esp, seed);
	if (!err)
		err = write_gpt(fd, &l, seed);
	/* A full disk may show only when delayed blocks get their places. */
	if (!err && ftruncate(fd, l.size) < 0)
		err = -errno;
	return err;
}

static int
refuse(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

static int
take_partition(const struct gpt_entry *e, const struct gpt_header *h,
	       struct image_layout *l, const char **why)
{
	static const struct {
		const char *type;
		size_t at;
	} known[] = {
		{ PITH_GPT_BIOS_BOOT, offsetof(struct image_layout, bios) },
		{ PITH_GPT_ESP, offsetof(struct image_layout, esp) },
		{ PITH_GPT_MANIFEST, offsetof(struct image_layout, manifest) },
		{ PITH_GPT_ROOT, offsetof(struct image_layout, root) },
	};

	/* Other types are none of ours and may be there. */
	for (size_t k = 0; k < ARRAY_LEN(known); k++) {
		struct partition *p = (void *)((char *)l + known[k].at);
		unsigned char guid[16];

		guid_bytes(known[k].type, guid);
		if (memcmp(guid, e->type, 16))
			continue;
		if (e->first < h->first || e->last > h->last ||
		    e->last < e->first)
			return refuse(why, "a partition lies outside the "
					   "disk");
		p->start = e->first * SECTOR;
		p->len = (e->last - e->first + 1) * SECTOR;
	}
	return 0;
}

int
image_read_layout(int fd, struct image_layout *l, const char **why)
{
	struct gpt_entry table[GPT_ENTRIES];
	struct gpt_header h = { 0 };
	uint32_t crc;
	off_t size = lseek(fd, 0, SEEK_END);
	int err = 0;

	*l = (struct image_layout){ .size = size };
	if (size < (off_t)(2 * MIB) ||
	    pread(fd, &h, GPT_HEADER_BYTES, SECTOR) != GPT_HEADER_BYTES ||
	    h.magic != GPT_MAGIC)
		return -ENOEXEC;
	crc = h.crc;
	h.crc = 0;
	if (h.size != GPT_HEADER_BYTES ||
	    crc32_ieee(&h, GPT_HEADER_BYTES) != crc)
		return refuse(why, "the partition table's checksum is wrong");
	if (h.other != (uint64_t)size / SECTOR - 1 || h.last >= h.other)
		return refuse(why, "it is cut off, or longer than it was "
				   "made");
	if (h.entries != GPT_ENTRIES || h.entry_size != sizeof(table[0]) ||
	    pread(fd, table, sizeof(table), h.table * SECTOR) !=
		    sizeof(table) ||
	    crc32_ieee(table, sizeof(table)) != h.table_crc)
		return refuse(why, "the partition table's checksum is wrong");
	for (unsigned i = 0; !err && i < GPT_ENTRIES; i++)
		err = take_partition(&table[i], &h, l, why);
	if (err)
		return err;
	if (!l->manifest.len)
		return -ENOEXEC; /* some other disk */
	if (!l->root.len)
		return refuse(why, "it has no root partition");
	return 0;
}

int
image_read_manifest(int fd, const struct image_layout *l, struct buf *out,
		    const char **why)
{
	struct pith_block_header h = { 0 };
	uint64_t len;

	if (pread(fd, &h, sizeof(h), l->manifest.start) != sizeof(h))
		return refuse(why, "the manifest can not be read");
	len = sizeof(h) + (uint64_t)h.len_bytes;
	if (len > PITH_BLOCK_MAX || len > l->manifest.len)
		len = sizeof(h); /* block_check says what is wrong */
	out->len = 0;
	out->p = xrealloc(out->p, len + 1);
	out->cap = len + 1;
	if (pread(fd, out->p, len, l->manifest.start) != (ssize_t)len)
		return refuse(why, "the manifest can not be read");
	out->len = len;
	return block_check(out, why);
}
