/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What blk.c and partition.c share.
 */
#pragma once

#include <dev/blk.h>

/* Reads the table of a disk and adds its partitions.  0 also when there is
 * no table; -EIO, -EINVAL (a damaged one), -ENOMEM. */
MUST_CHECK int partition_scan(struct blk_device *disk);

/* type and uuid: 16 bytes as on disk, or NULL. */
MUST_CHECK int blk_add_partition(struct blk_device *disk, unsigned number,
				 uint64_t start, uint64_t sectors,
				 const uint8_t *type, const uint8_t *uuid);

/* "C12A7328-F81F-..." into GPT's mixed-endian bytes. */
bool guid_parse(const char *text, uint8_t out[16]);
