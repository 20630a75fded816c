/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disk images: writing one (image.c, ext4.c) and opening one.
 * docs/design/image.md describes the layout.
 */
#pragma once

#include "fileset.h"

#include <ext2fs/ext2fs.h>

#define SECTOR 512u
#define MIB    (1ull << 20)

struct partition {
	uint64_t start, len; /* bytes; len 0: not there */
};

/* What the GPT of an image says. */
struct image_layout {
	struct partition bios, esp, manifest, root;
	uint64_t size;
};

/* Writes a whole image to the empty file fd.  `manifest` is the compiled
 * block; `when` the time of whatever has none of its own.  0 or -errno. */
int image_write(int fd, struct fileset *fs, const struct buf *manifest,
		uint64_t free_bytes, int64_t when);

/* Reads and checks the partition table; *why says what is wrong when the
 * answer is -EINVAL.  -ENOEXEC: no image of ours at all. */
int image_read_layout(int fd, struct image_layout *l, const char **why);
/* Reads and checks the manifest; the records follow the header in `out`. */
int image_read_manifest(int fd, const struct image_layout *l, struct buf *out,
			const char **why);

/* ext4.c */
uint64_t ext4_size(struct fileset *fs, uint64_t free_bytes);
int ext4_write(int fd, uint64_t offset, uint64_t size, struct fileset *fs,
	       const unsigned char uuid[16], int64_t when);
