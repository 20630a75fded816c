/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says of a program that a signal kills with a core dump:
 * registers, mappings of code, a piece of stack, return addresses by frame
 * pointers (docs/design/crash.md).  The host has symbols and an unwinder.
 *
 * No memory is needed but one buffer; without it the report is left out, and
 * the exit status still tells the signal.
 */
#include "proc_priv.h"
#include "report.h"

#include <abi/pith.h>
#include <abi/signal.h>
#include <arch/trap.h>
#include <base/string.h>
#include <vm/space.h>

#define STACK_BYTES 16384u
#define STACK_BELOW 128u /* the red zone */
#define STACK_LINE  256u
#define FRAMES_MAX  64u

static void
report_stack(struct report *rep, struct vm_space *space, vaddr_t sp)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t data[STACK_LINE];
	char hex[2 * STACK_LINE + 1];
	vaddr_t at = (sp - STACK_BELOW) & ~7ull, end = at + STACK_BYTES;
	size_t n, i;

	for (; at < end; at += n) {
		n = vm_peek(space, at, data, sizeof(data));
		if (!n)
			break;
		for (i = 0; i < n; i++) {
			hex[2 * i] = digits[data[i] >> 4];
			hex[2 * i + 1] = digits[data[i] & 15];
		}
		hex[2 * n] = '\0';
		report_line(rep, "stack %lx %s", (unsigned long)at, hex);
		if (n < sizeof(data))
			break;
	}
}

static void
report_frames(struct report *rep, struct vm_space *space, vaddr_t fp)
{
	uint64_t pair[2];
	unsigned i;

	for (i = 0; i < FRAMES_MAX; i++) {
		if (fp & 7 ||
		    vm_peek(space, fp, pair, sizeof(pair)) != sizeof(pair))
			break;
		if (!pair[1])
			break;
		report_line(rep, "frame %lx", (unsigned long)pair[1]);
		if (pair[0] <= fp) /* stacks grow down: no loops */
			break;
		fp = pair[0];
	}
}

void
crash_report(struct thread *t, const struct regs *r, int sig,
	     const struct siginfo *info)
{
	struct report *rep = report_begin(PITH_FRAME_CRASH, t->space);
	const char *name;
	uint64_t value;
	unsigned i;

	if (!rep)
		return;
	report_line(rep, "signal %d", sig);
	report_line(rep, "code %d", info->si_code);
	if (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE)
		report_line(rep, "address %lx",
			    (unsigned long)info->u.fault.addr);
	report_line(rep, "thread %d %s", t->tid, t->name);
	for (i = 0; regs_item(r, i, &name, &value); i++)
		report_line(rep, "reg %s %lx", name, (unsigned long)value);
	report_maps(rep);
	report_stack(rep, t->space, regs_sp(r));
	report_frames(rep, t->space, regs_fp(r));
	report_end(rep);
}
