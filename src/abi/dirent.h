/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directory entries as getdents64 and getdents give them.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};
static_assert(offsetof(struct linux_dirent64, d_name) == 19, "dirent64");

/* The old form: the type is in the record's last byte. */
struct linux_dirent {
	uint64_t d_ino;
	uint64_t d_off;
	uint16_t d_reclen;
	char d_name[];
};
static_assert(offsetof(struct linux_dirent, d_name) == 18, "dirent");

#define DT_UNKNOWN 0
#define DT_FIFO	   1
#define DT_CHR	   2
#define DT_DIR	   4
#define DT_BLK	   6
#define DT_REG	   8
#define DT_LNK	   10
#define DT_SOCK	   12

/* From the type bits of a mode. */
#define DT_OF_MODE(m) ((uint8_t)(((m) >> 12) & 15))
