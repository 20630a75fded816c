/* SPDX-License-Identifier: Apache-2.0 */
/* Linux: vectors of readv, writev and their relatives. */
#pragma once

#include <base/compiler.h>
#include <stdint.h>

struct iovec {
	uint64_t base; /* a program's address */
	uint64_t len;
};
static_assert(sizeof(struct iovec) == 16, "iovec");

#define IOV_MAX 1024

/* preadv2, pwritev2 */
#define RWF_HIPRI  0x00000001
#define RWF_DSYNC  0x00000002
#define RWF_SYNC   0x00000004
#define RWF_NOWAIT 0x00000008
#define RWF_APPEND 0x00000010
