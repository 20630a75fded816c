/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A panic of the kernel's code ends the test program, with its words.
 */
#include <core/panic.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	abort();
}

void
assert_fail(const char *file, int line, const char *expr)
{
	panic("%s:%d: assertion %s", file, line, expr);
}
