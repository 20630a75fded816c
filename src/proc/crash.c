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

#include <abi/pith.h>
#include <abi/signal.h>
#include <arch/trap.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <dev/control.h>
#include <file/file.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <vm/space.h>

#define BUF_SIZE    8192u
#define LINE_MAX    1200u /* what one line may need */
#define STACK_BYTES 16384u
#define STACK_BELOW 128u  /* the red zone */
#define STACK_LINE  256u
#define FRAMES_MAX  64u

struct report {
	char *buf;
	size_t len;
	struct vm_space *space;
	char path[1024];
};

static void
flush(struct report *rep)
{
	if (rep->len)
		control_send(PITH_FRAME_CRASH, rep->buf, rep->len);
	rep->len = 0;
}

PRINTF_LIKE(2, 3)
static void
line(struct report *rep, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (rep->len + LINE_MAX > BUF_SIZE)
		flush(rep);
	va_start(ap, fmt);
	n = kvsnprintf(rep->buf + rep->len, LINE_MAX - 1, fmt, ap);
	va_end(ap);
	if (n > (int)LINE_MAX - 2)
		n = LINE_MAX - 2;
	rep->len += (size_t)n;
	rep->buf[rep->len++] = '\n';
}

static bool
report_map(struct vma *v, void *arg)
{
	struct report *rep = arg;
	char *path;

	if (!(v->flags & VMA_EXEC) || !v->file || !v->file->dentry)
		return true;
	path = dentry_path(v->file->dentry, NULL, rep->path,
			   sizeof(rep->path));
	if (path)
		line(rep, "map %lx %lx %lx %s", (unsigned long)v->start,
		     (unsigned long)v->end,
		     (unsigned long)(v->pgoff << PAGE_SHIFT), path);
	return true;
}

static void
report_stack(struct report *rep, vaddr_t sp)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t data[STACK_LINE];
	char hex[2 * STACK_LINE + 1];
	vaddr_t at = (sp - STACK_BELOW) & ~7ull, end = at + STACK_BYTES;
	size_t n, i;

	for (; at < end; at += n) {
		n = vm_peek(rep->space, at, data, sizeof(data));
		if (!n)
			break;
		for (i = 0; i < n; i++) {
			hex[2 * i] = digits[data[i] >> 4];
			hex[2 * i + 1] = digits[data[i] & 15];
		}
		hex[2 * n] = '\0';
		line(rep, "stack %lx %s", (unsigned long)at, hex);
		if (n < sizeof(data))
			break;
	}
}

static void
report_frames(struct report *rep, vaddr_t fp)
{
	uint64_t pair[2];
	unsigned i;

	for (i = 0; i < FRAMES_MAX; i++) {
		if (fp & 7 ||
		    vm_peek(rep->space, fp, pair, sizeof(pair)) != sizeof(pair))
			break;
		if (!pair[1])
			break;
		line(rep, "frame %lx", (unsigned long)pair[1]);
		if (pair[0] <= fp) /* stacks grow down: no loops */
			break;
		fp = pair[0];
	}
}

void
crash_report(struct thread *t, const struct regs *r, int sig,
	     const struct siginfo *info)
{
	struct report *rep = kzalloc(sizeof(*rep), ALLOC_KERNEL);
	const char *name;
	uint64_t value;
	unsigned i;

	if (!rep)
		return;
	rep->buf = kmalloc(BUF_SIZE, ALLOC_KERNEL);
	rep->space = t->space;
	if (!rep->buf || !rep->space)
		goto out;
	line(rep, "signal %d", sig);
	line(rep, "code %d", info->si_code);
	if (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE)
		line(rep, "address %lx", (unsigned long)info->u.fault.addr);
	line(rep, "thread %d %s", t->tid, t->name);
	for (i = 0; regs_item(r, i, &name, &value); i++)
		line(rep, "reg %s %lx", name, (unsigned long)value);
	vm_for_each(rep->space, report_map, rep);
	report_stack(rep, regs_sp(r));
	report_frames(rep, regs_fp(r));
	line(rep, "end");
	flush(rep);
out:
	kfree(rep->buf);
	kfree(rep);
}
