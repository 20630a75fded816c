/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the kernel: panic stops all CPUs, writes a report with registers
 * and backtraces to every console sink, and powers off with status 125's
 * frame.  It writes nothing to a disk.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct regs;

NORETURN void panic(const char *fmt, ...) PRINTF_LIKE(1, 2);
NORETURN void panic_regs(const struct regs *r, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
/* The watchdog's: the same, told apart in the exit status's message. */
NORETURN void panic_hang(const struct regs *r, const char *fmt, ...)
	PRINTF_LIKE(2, 3);

/* Set by the control port: called once, late in a panic, with the report. */
void panic_set_sink(void (*fn)(const char *report, size_t len, bool hang));
