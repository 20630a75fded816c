/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a klib: its section ".klib" (docs/design/klib.md), which kernel
 * and `pith` read.
 */
#pragma once

#include <stdint.h>

#define KLIB_MAGIC    0x42494c4b48544950ull /* "PITHKLIB" */
#define KLIB_NAME_MAX 15
#define KLIB_ID_LEN   64 /* hexadecimal digits of a SHA-256 */
#define KLIB_SECTION  ".klib"

struct klib_head {
	uint64_t magic;
	char id[KLIB_ID_LEN];	      /* of the interface it was built for */
	char name[KLIB_NAME_MAX + 1]; /* ends with NUL */
	int (*init)(const char *args);
};

_Static_assert(sizeof(struct klib_head) == 96, "klib head");
