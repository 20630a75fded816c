/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw access to program memory: the only instructions in the kernel that
 * touch user addresses, between STAC and CLAC, with fault fix-ups.
 *
 * vm/uaccess.h wraps them with the range check and the prefault rules; use
 * that, not this.  All return the number of bytes NOT copied, 0 when whole.
 */
#pragma once

#include <base/types.h>

size_t arch_copy_from_user(void *dst, uint64_t src, size_t len);
size_t arch_copy_to_user(uint64_t dst, const void *src, size_t len);
size_t arch_clear_user(uint64_t dst, size_t len);
/* Length of the string at src without NUL, at most max; -EFAULT. */
ssize_t arch_strncpy_from_user(char *dst, uint64_t src, size_t max);

/* Atomic 32-bit read and compare-exchange for futexes: 0 or -EFAULT. */
int arch_user_load32(uint64_t addr, uint32_t *val);
int arch_user_cas32(uint64_t addr, uint32_t old, uint32_t new, uint32_t *found);
