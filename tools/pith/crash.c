/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash report of the program: lines of "key value" from the kernel.
 */
#include "control.h"

#include "tty.h"

void
crash_print(const char *text, size_t len, const struct options *o)
{
	(void)o;
	tty_print(2, text, len);
}
