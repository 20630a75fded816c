/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation contexts: what an allocation may do to get memory.  Each call
 * says so, and the allocator never does more.
 */
#pragma once

#define ALLOC_SLEEP   (1u << 0) /* may wait for memory */
#define ALLOC_IO      (1u << 1) /* may start block I/O */
#define ALLOC_FS      (1u << 2) /* may enter a file system */
#define ALLOC_ZERO    (1u << 3) /* contents are zero */
#define ALLOC_RESERVE (1u << 4) /* may use the reserve: I/O completion */

#define ALLOC_KERNEL (ALLOC_SLEEP | ALLOC_IO | ALLOC_FS)
#define ALLOC_NOFS   (ALLOC_SLEEP | ALLOC_IO)
#define ALLOC_NOIO   (ALLOC_SLEEP)
#define ALLOC_ATOMIC 0u
#define ALLOC_USER   (ALLOC_KERNEL | ALLOC_ZERO)
