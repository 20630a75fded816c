/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies between kernel and program.  The one place where user pointers are
 * checked: range below USER_END, no wrap, index masked under speculation.
 *
 * Faults inside are served like the program's own (they may sleep), so no
 * lock of rank RANK_VMSPACE or inner may be held.  The _nofault forms never
 * sleep: they fail where the page is not present, for callers that hold a
 * page lock or a spin lock; use user_prefault() before and retry.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

/* 0 or -EFAULT */
MUST_CHECK int copy_from_user(void *dst, const void __user *src, size_t len);
MUST_CHECK int copy_to_user(void __user *dst, const void *src, size_t len);
MUST_CHECK int clear_user(void __user *dst, size_t len);
/* Bytes NOT copied. */
MUST_CHECK size_t copy_from_user_nofault(void *dst, const void __user *src,
					 size_t len);
MUST_CHECK size_t copy_to_user_nofault(void __user *dst, const void *src,
				       size_t len);
/* The forms that may fault, with the bytes NOT copied, for uio. */
MUST_CHECK size_t copy_from_user_partial(void *dst, const void __user *src,
					 size_t len);
MUST_CHECK size_t copy_to_user_partial(void __user *dst, const void *src,
				       size_t len);
MUST_CHECK size_t clear_user_partial(void __user *dst, size_t len,
				     bool nofault);
/* Touches every page of the range for reading or writing: 0 or -EFAULT. */
MUST_CHECK int user_prefault(const void __user *p, size_t len, bool write);
/* Length without NUL; -EFAULT; -ENAMETOOLONG when no NUL in size bytes. */
MUST_CHECK ssize_t copy_string_from_user(char *dst, const char __user *src,
					 size_t size);
MUST_CHECK int user_load32(const uint32_t __user *p, uint32_t *val);
MUST_CHECK int user_cas32(uint32_t __user *p, uint32_t old, uint32_t new,
			  uint32_t *found);
bool user_range_ok(const void __user *p, size_t len);
