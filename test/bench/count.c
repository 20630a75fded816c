/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A QEMU plugin that counts the guest's instructions, exactly, by the block
 * of code in which they lie.  bench.py takes the sum, profile.py names the
 * functions.
 *
 *	-plugin count.so,out=FILE[,start=ADDR][,stop=ADDR]
 *
 * Counting starts afresh when the instruction at `start` runs for the first
 * time (the kernel's entry: firmware does not count), and ends when the one
 * at `stop` does, or with the machine.  FILE gets a line "total N", lines
 * "#NAME N" for the instructions that make a virtual machine leave its CPU,
 * then a line "ADDR N" for each block.
 *
 * One CPU only: the counters are plain words.  A block that a fault leaves
 * in the middle counts whole.  The declarations are the ones of QEMU's
 * plugin interface, version 1, that are used here; Debian packages no
 * header.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum { FLAGS_NO_REGS = 0, INLINE_ADD_U64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(
	plugin_id id, void (*cb)(plugin_id id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op,
					      void *ptr, uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned cpu, void *arg),
					    int flags, void *arg);
void qemu_plugin_register_atexit_cb(plugin_id id,
				    void (*cb)(plugin_id id, void *arg),
				    void *arg);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn,
						int op, void *ptr,
						uint64_t imm);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;
int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

#define BUCKETS 65536

struct block {
	struct block *next;
	uint64_t va, insns, translated;
};
static struct block *blocks[BUCKETS];
static uint64_t start, stop;
static bool started, written;
static int fd = -1;

/* Instructions that a hypervisor may have to see. */
static struct kind {
	const char *name;
	uint64_t n;
} kinds[] = { { "hlt", 0 }, { "wrmsr", 0 }, { "rdmsr", 0 }, { "cpuid", 0 } };

#define NKINDS (sizeof(kinds) / sizeof(*kinds))

static struct kind *
kind_of(const struct qemu_plugin_insn *insn)
{
	const uint8_t *p = qemu_plugin_insn_data(insn);
	size_t n = qemu_plugin_insn_size(insn);

	if (n == 1 && p[0] == 0xf4)
		return &kinds[0];
	if (n != 2 || p[0] != 0x0f)
		return NULL;
	return p[1] == 0x30 ? &kinds[1] :
	       p[1] == 0x32 ? &kinds[2] :
	       p[1] == 0xa2 ? &kinds[3] :
			      NULL;
}

/* The same code may be translated many times: one counter for each address. */
static struct block *
block_of(uint64_t va)
{
	struct block **head = &blocks[(va >> 1 ^ va >> 17) % BUCKETS], *b;

	for (b = *head; b; b = b->next)
		if (b->va == va)
			return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->va = va;
	b->next = *head;
	*head = b;
	return b;
}

static void
write_out(void)
{
	uint64_t total = 0;

	if (written)
		return;
	written = true;
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct block *b = blocks[i]; b; b = b->next)
			total += b->insns;
	dprintf(fd, "total %lu\n", total);
	for (unsigned i = 0; i < NKINDS; i++)
		dprintf(fd, "#%s %lu\n", kinds[i].name, kinds[i].n);
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct block *b = blocks[i]; b; b = b->next)
			if (b->insns)
				dprintf(fd, "%lx %lu %lu\n", b->va, b->insns,
					b->translated);
}

static void
at_start(unsigned cpu, void *arg)
{
	(void)cpu, (void)arg;
	if (started)
		return;
	started = true;
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct block *b = blocks[i]; b; b = b->next)
			b->insns = b->translated = 0;
	for (unsigned i = 0; i < NKINDS; i++)
		kinds[i].n = 0;
}

static void
at_stop(unsigned cpu, void *arg)
{
	(void)cpu, (void)arg;
	if (started || !start)
		write_out();
}

static void
at_exit(plugin_id id, void *arg)
{
	(void)id, (void)arg;
	write_out();
}

static void
translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	struct block *b = block_of(qemu_plugin_tb_vaddr(tb));

	(void)id;
	b->translated += n;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &b->insns,
						 n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t va = qemu_plugin_insn_vaddr(insn);
		struct kind *k = kind_of(insn);

		if (k)
			qemu_plugin_register_vcpu_insn_exec_inline(
				insn, INLINE_ADD_U64, &k->n, 1);
		if (start && va == start && !started)
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, at_start, FLAGS_NO_REGS, NULL);
		if (stop && va == stop && !written)
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, at_stop, FLAGS_NO_REGS, NULL);
	}
}

__attribute__((visibility("default"))) int
qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			fd = open(argv[i] + 4,
				  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
				  0644);
		else if (!strncmp(argv[i], "start=", 6))
			start = strtoull(argv[i] + 6, NULL, 0);
		else if (!strncmp(argv[i], "stop=", 5))
			stop = strtoull(argv[i] + 5, NULL, 0);
		else
			return -1;
	}
	if (fd < 0)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
