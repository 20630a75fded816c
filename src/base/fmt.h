/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formatted text: the printf subset of the kernel.
 *
 * %d %i %u %x %X %o %c %s %p %% with flags '-', '0', '+', ' ', '#', width
 * and precision (numbers or '*'), and sizes hh h l ll z t j.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>
#include <stdarg.h>

/* As C's: at most size bytes with the NUL; returns the whole length. */
int ksnprintf(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap);

/* Parses all of s[0..len) as a number in base 8, 10 or 16 (0: by prefix).
 * 0; -EINVAL: not a number; -ERANGE. */
MUST_CHECK int parse_u64(const char *s, size_t len, unsigned base,
			 uint64_t *out);
