/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both machines for tests have, host and host_smp: a panic of the kernel's
 * code ends the program, with its words; ranks of locks are not checked here.
 */
#include <core/panic.h>
#include <core/spinlock.h>

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

#ifdef PITH_DEBUG
void
lock_debug_acquire(struct spinlock *l)
{
	(void)l;
}
void
lock_debug_release(struct spinlock *l)
{
	(void)l;
}
void
lock_debug_may_sleep(void)
{
}
#endif
