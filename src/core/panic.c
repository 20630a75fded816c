/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the kernel: stop the others, write the report, power off.
 *
 * No lock is taken and nothing is allocated.  The report is built in one
 * buffer: message, registers and backtrace by frame pointers of each CPU (as
 * addresses in the linked image, or offsets in a klib, which `pith` turns
 * into names), then the last log lines.  It goes to the serial line, which
 * may be nowhere, and to the control port.
 */
#include <arch/cpu.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/fmt.h>
#include <core/backtrace.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/percpu.h>

#define REPORT_SIZE 16384
#define LOG_TAIL    2048
#define DEPTH_MAX   24

static char report[REPORT_SIZE];
static char log_tail[LOG_TAIL];
static size_t report_len;
static void (*sink)(const char *, size_t, bool);
static uint32_t panicking; /* [a] */

void
panic_set_sink(void (*fn)(const char *report_text, size_t len, bool hang))
{
	sink = fn;
}

static void
vadd(const char *fmt, va_list ap)
{
	if (report_len < REPORT_SIZE)
		report_len += (size_t)kvsnprintf(
			report + report_len, REPORT_SIZE - report_len, fmt, ap);
	if (report_len > REPORT_SIZE - 1)
		report_len = REPORT_SIZE - 1;
}

PRINTF_LIKE(1, 2)
static void
add(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vadd(fmt, ap);
	va_end(ap);
}

void
backtrace_walk(uint64_t fp, void (*fn)(uint64_t pc))
{
	for (unsigned i = 0; i < DEPTH_MAX; i++) {
		const uint64_t *f = (const uint64_t *)fp;

		/* Kernel stacks lie in the upper half, and grow down. */
		if (fp < 0xffff800000000000ull || fp & 7 || !f[1])
			return;
		fn(f[1]);
		if (f[0] <= fp || f[0] - fp > 65536)
			return;
		fp = f[0];
	}
}

bool (*backtrace_module)(uint64_t pc, const char **name, uint64_t *offset);

static void
add_frame(uint64_t pc)
{
	const char *name;
	uint64_t off;

	if (backtrace_module && backtrace_module(pc, &name, &off))
		add("  klib %s+%#lx\n", name, (unsigned long)off);
	else
		add("  %#lx\n", (unsigned long)backtrace_linked(pc));
}

static void
add_cpu(const struct regs *r)
{
	const char *name;
	uint64_t v;

	for (unsigned i = 0; regs_item(r, i, &name, &v); i++)
		add("  %-6s %016lx%s", name, (unsigned long)v,
		    i % 3 == 2 ? "\n" : "");
	if (regs_user(r)) {
		add("  in the program\n");
		return;
	}
	add("backtrace (addresses of the linked image):\n");
	add_frame(regs_pc(r));
	backtrace_walk(regs_fp(r), add_frame);
}

static void
add_log(void)
{
	size_t n = log_copy(log_tail, sizeof(log_tail));
	bool start = true; /* each line begins with its level */

	add("last lines of the log:\n");
	for (size_t i = 0; i < n && report_len < REPORT_SIZE - 1; i++) {
		if (!start)
			report[report_len++] = log_tail[i];
		start = log_tail[i] == '\n';
	}
}

static NORETURN void
finish(const struct regs *r, bool hang, const char *fmt, va_list ap)
{
	uint32_t me = this_cpu()->id + 1, first = 0;

	irq_disable();
	if (!atomic_cas(&panicking, &first, me)) {
		/* A panic within the panic: nothing is left to try.  Another
		 * CPU's waits here for the first one's NMI. */
		if (first == me)
			machine_power_off(125);
		for (;;)
			cpu_relax();
	}
	smp_stop_others();
	add("kernel panic on CPU %u: ", this_cpu()->id);
	vadd(fmt, ap);
	add("\n");
	if (r) {
		add_cpu(r);
	} else {
		add("backtrace (addresses of the linked image):\n");
		backtrace_walk((uint64_t)__builtin_frame_address(0), add_frame);
	}
	for (unsigned i = 0; i < ARCH_MAX_CPUS && cpus[i]; i++) {
		if (cpus[i] == this_cpu() || !cpus[i]->online)
			continue;
		if (smp_stopped_regs(i)) {
			add("CPU %u:\n", i);
			add_cpu(smp_stopped_regs(i));
		} else {
			add("CPU %u did not stop\n", i);
		}
	}
	add_log();
	machine_console_write(report, report_len);
	if (sink)
		sink(report, report_len, hang);
	machine_power_off(125);
}

void
panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	finish(NULL, false, fmt, ap);
}

void
panic_regs(const struct regs *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	finish(r, false, fmt, ap);
}

void
panic_hang(const struct regs *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	finish(r, true, fmt, ap);
}

void
assert_fail(const char *file, int line, const char *expr)
{
	panic("assertion failed at %s:%d: %s", file, line, expr);
}

/* The stack protector's alarm and its canary (set by boot). */
extern uintptr_t __stack_chk_guard;
uintptr_t __stack_chk_guard = 0x595e9fbd94fda766ull;
NORETURN void __stack_chk_fail(void);
void
__stack_chk_fail(void)
{
	panic("stack smashed in %#lx",
	      (unsigned long)backtrace_linked(
		      (uint64_t)__builtin_return_address(0)));
}
