/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crash report of the program, docs/design/crash.md: the kernel's facts
 * in, a backtrace with symbols out.
 *
 * libdw does the work: each executable mapping is reported as a module at its
 * place, and its unwinder is given the registers and the piece of stack that
 * the kernel sent.  Everything comes from the guest and is checked; a report
 * that makes no sense is printed with less in it.
 */
#include "control.h"

#include "modules.h"
#include "tty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX   (1u << 20)
#define FRAMES_MAX 64

/* DWARF's numbers of the x86-64 registers (psABI 1.0, 3.6.2). */
static const char *const dwarf_regs[17] = {
	"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
	"r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip",
};

struct crash {
	const struct options *options;
	unsigned signal, thread;
	int code;
	char name[32];
	uint64_t address;
	Dwarf_Word regs[17];
	struct modules modules;
	struct buf stack;
	uint64_t stack_at;
	uint64_t frames[FRAMES_MAX];
	unsigned nframes;
	unsigned printed;
	uint64_t last_pc;
	struct buf out;
};

/* Lines must follow each other without a gap; what does not is dropped. */
static void
take_stack(struct crash *c, const char *line)
{
	uint64_t at;
	int skip = 0;
	unsigned byte;

	if (sscanf(line, "%lx %n", &at, &skip) < 1 || !skip)
		return;
	if (!c->stack.len)
		c->stack_at = at;
	else if (at != c->stack_at + c->stack.len)
		return;
	for (line += skip; sscanf(line, "%2x", &byte) == 1 && line[1];
	     line += 2) {
		char b = byte;

		buf_add(&c->stack, &b, 1);
	}
}

static void
take_reg(struct crash *c, const char *line)
{
	char name[8];
	uint64_t v;

	if (sscanf(line, "%7s %lx", name, &v) != 2)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(dwarf_regs); i++)
		if (!strcmp(dwarf_regs[i], name))
			c->regs[i] = v;
}

static void
take_line(struct crash *c, char *line)
{
	char *value = strchr(line, ' ');

	if (!value)
		return;
	*value++ = '\0';
	if (!strcmp(line, "signal"))
		c->signal = strtoul(value, NULL, 10);
	else if (!strcmp(line, "code"))
		c->code = strtol(value, NULL, 10);
	else if (!strcmp(line, "thread"))
		sscanf(value, "%u %31[^\n]", &c->thread, c->name);
	else if (!strcmp(line, "address"))
		c->address = strtoul(value, NULL, 16);
	else if (!strcmp(line, "reg"))
		take_reg(c, value);
	else if (!strcmp(line, "map"))
		modules_add(&c->modules, c->options, value);
	else if (!strcmp(line, "stack"))
		take_stack(c, value);
	else if (!strcmp(line, "frame") && c->nframes < FRAMES_MAX)
		c->frames[c->nframes++] = strtoul(value, NULL, 16);
}

/* One line of the backtrace.  The symbol of a caller is looked up one byte
 * before the return address, which may already be the next function. */
static void
print_frame(struct crash *c, Dwfl *dwfl, uint64_t pc, bool activation)
{
	uint64_t at = pc - (activation ? 0 : 1);
	Dwfl_Module *m = dwfl ? dwfl_addrmodule(dwfl, at) : NULL;
	const char *name = NULL, *file = NULL, *path = NULL;
	GElf_Off off = 0;
	GElf_Sym sym;
	int line = 0;

	if (m) {
		Dwfl_Line *l = dwfl_module_getsrc(m, at);

		name = dwfl_module_addrinfo(m, at, &off, &sym, NULL, NULL,
					    NULL);
		path = dwfl_module_info(m, NULL, NULL, NULL, NULL, NULL, NULL,
					NULL);
		if (l)
			file = dwfl_lineinfo(l, NULL, &line, NULL, NULL, NULL);
	}
	buf_addf(&c->out, "  #%u 0x%lx", c->printed++, pc);
	if (name)
		buf_addf(&c->out, " %s+0x%lx", name,
			 (unsigned long)off + (activation ? 0 : 1));
	if (file)
		buf_addf(&c->out, " (%s:%d)",
			 strrchr(file, '/') ? strrchr(file, '/') + 1 : file,
			 line);
	if (path)
		buf_addf(&c->out, " %s", path);
	buf_addf(&c->out, "\n");
	c->last_pc = pc;
}

/* There is one thread: the one that died. */
static pid_t
next_thread(Dwfl *dwfl, void *arg, void **thread)
{
	struct crash *c = arg;

	(void)dwfl;
	if (*thread)
		return 0;
	*thread = c;
	return 1;
}

/* The unwinder asks for words of the stack; beyond the piece that was sent it
 * is told no, and stops. */
static bool
read_memory(Dwfl *dwfl, Dwarf_Addr at, Dwarf_Word *out, void *arg)
{
	struct crash *c = arg;
	uint64_t off = at - c->stack_at;

	(void)dwfl;
	if (at < c->stack_at || c->stack.len < sizeof(*out) ||
	    off > c->stack.len - sizeof(*out))
		return false;
	memcpy(out, c->stack.p + off, sizeof(*out));
	return true;
}

static bool
set_registers(Dwfl_Thread *thread, void *arg)
{
	struct crash *c = arg;

	return dwfl_thread_state_registers(thread, 0, 17, c->regs);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.memory_read = read_memory,
	.set_initial_registers = set_registers,
};

static int
one_frame(Dwfl_Frame *f, void *arg)
{
	struct crash *c = arg;
	bool activation;
	Dwarf_Addr pc;

	if (c->printed >= FRAMES_MAX || !dwfl_frame_pc(f, &pc, &activation))
		return DWARF_CB_ABORT;
	print_frame(c, dwfl_thread_dwfl(dwfl_frame_thread(f)), pc, activation);
	return DWARF_CB_OK;
}

static void
print_report(struct crash *c)
{
	Elf *first;
	Dwfl *dwfl;

	buf_addf(&c->out, "crash: thread %u%s%s%s died of signal %u (SIG%s)",
		 c->thread, *c->name ? " (" : "", printable(c->name),
		 *c->name ? ")" : "", c->signal,
		 sigabbrev_np(c->signal) ? sigabbrev_np(c->signal) : "?");
	/* Only the CPU's own signals have one; not those that were sent. */
	if (c->code > 0 && c->code != SI_KERNEL)
		buf_addf(&c->out, " at address 0x%lx", c->address);
	buf_addf(&c->out, "\n");
	for (unsigned i = 0; i < 17; i++)
		buf_addf(&c->out, "  %-3s 0x%016lx%s",
			 dwarf_regs[(i + 16) % 17], c->regs[(i + 16) % 17],
			 i % 4 == 3 || i == 16 ? "\n" : "");
	dwfl = modules_open(&c->modules, &first);
	if (dwfl && first &&
	    !dwfl_attach_state(dwfl, first, 1, &thread_callbacks, c))
		say("no unwinding of the crash: %s", dwfl_errmsg(-1));
	if (dwfl)
		dwfl_getthread_frames(dwfl, 1, one_frame, c);
	if (!c->printed)
		print_frame(c, dwfl, c->regs[16], true);
	/* Where the unwinder stopped early, the kernel's own chain goes on. */
	for (unsigned i = 0; c->printed < 2 && i < c->nframes; i++)
		for (; i < c->nframes; i++)
			print_frame(c, dwfl, c->frames[i], false);
	if (dwfl)
		dwfl_end(dwfl);
	tty_say(c->out.p, c->out.len);
}

void
crash_print(const char *text, size_t len, const struct options *o)
{
	static struct buf whole;
	struct crash *c;
	char *line, *next;

	if (whole.len + len > TEXT_MAX)
		return;
	buf_add(&whole, text, len);
	if (len && text[len - 1] != '\n')
		buf_add(&whole, "\n", 1);
	if (whole.len < 4 || strcmp(whole.p + whole.len - 4, "end\n"))
		return;
	c = xcalloc(1, sizeof(*c));
	c->options = o;
	for (line = whole.p; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		take_line(c, line);
	}
	print_report(c);
	modules_free(&c->modules);
	buf_free(&c->stack);
	buf_free(&c->out);
	free(c);
	buf_free(&whole);
}
