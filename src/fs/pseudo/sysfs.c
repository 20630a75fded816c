/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /sys, as far as programs read it: which CPUs there are and how they share
 * (C libraries, JVMs, Go, node, OpenMP), large pages (allocators), and one
 * memory node.  There is no /sys/fs/cgroup: nothing limits the program but
 * the machine.
 */
#include <abi/errno.h>
#include <base/fmt.h>
#include <base/string.h>
#include <core/percpu.h>

#include "pseudo_priv.h"

#define DIR_MODE (S_IFDIR | 0755)

/* "0" or "0-3" */
static int
show_cpus(struct seq_buf *s, void *arg)
{
	unsigned n = READ_ONCE(cpu_online_count);

	(void)arg;
	seq_printf(s, n > 1 ? "0-%u\n" : "%u\n", n - 1);
	return 0;
}

static int
show_cpu_mask(struct seq_buf *s, void *arg)
{
	unsigned n = READ_ONCE(cpu_online_count);
	uint64_t mask = n >= 64 ? UINT64_MAX : (1ull << n) - 1;

	(void)arg;
	if (mask >> 32)
		seq_printf(s, "%08x,", (unsigned)(mask >> 32));
	seq_printf(s, "%0*x\n", mask >> 32 ? 8 : 1, (unsigned)mask);
	return 0;
}

static int
show_number(struct seq_buf *s, void *arg)
{
	seq_printf(s, "%lu\n", (unsigned long)(uintptr_t)arg);
	return 0;
}

/* One core each, all in one package: what QEMU's default topology has. */
static int
show_own_mask(struct seq_buf *s, void *arg)
{
	uint64_t mask = 1ull << (uintptr_t)arg;

	if (mask >> 32)
		seq_printf(s, "%08x,", (unsigned)(mask >> 32));
	seq_printf(s, "%0*x\n", mask >> 32 ? 8 : 1, (unsigned)mask);
	return 0;
}

/* Below cpuN; arg is N. */
static const struct pseudo_entry topology[] = {
	{ .path = "core_cpus", .mode = FILE_MODE, .show = show_own_mask },
	{ .path = "core_cpus_list", .mode = FILE_MODE, .show = show_number },
	{ .path = "core_id", .mode = FILE_MODE, .show = show_number },
	{ .path = "core_siblings", .mode = FILE_MODE, .show = show_cpu_mask },
	{ .path = "core_siblings_list", .mode = FILE_MODE, .show = show_cpus },
	{ .path = "package_cpus_list", .mode = FILE_MODE, .show = show_cpus },
	{ .path = "physical_package_id",
	  .mode = FILE_MODE,
	  .show = seq_show_line,
	  .arg = (void *)(uintptr_t) "0" },
	{ .path = "thread_siblings", .mode = FILE_MODE, .show = show_own_mask },
	{ .path = "thread_siblings_list",
	  .mode = FILE_MODE,
	  .show = show_number },
};

static int
topology_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(topology); i++) {
		if (strcmp(name, topology[i].path))
			continue;
		*e = topology[i];
		if (!e->arg)
			e->arg = arg;
		return 0;
	}
	return -ENOENT;
}

static int
topology_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
		 void *arg)
{
	(void)arg;
	if (*cursor >= ARRAY_SIZE(topology))
		return -ENOENT;
	strlcpy(name, topology[*cursor].path, size);
	*mode = topology[(*cursor)++].mode;
	return 0;
}

static int
cpu_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	if (!strcmp(name, "topology")) {
		*e = (struct pseudo_entry){
			.mode = DIR_MODE,
			.lookup = topology_lookup,
			.iterate = topology_iterate,
			.arg = arg,
		};
		return 0;
	}
	if (!strcmp(name, "online") && arg) {
		*e = (struct pseudo_entry){
			.mode = FILE_MODE,
			.show = seq_show_line,
			.arg = (void *)(uintptr_t) "1",
		};
		return 0;
	}
	return -ENOENT;
}

static int
cpu_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
	    void *arg)
{
	/* CPU 0 can't be taken off line and has no such file. */
	if (*cursor == 0 && !arg)
		++*cursor;
	if (*cursor > 1)
		return -ENOENT;
	*mode = *cursor ? DIR_MODE : FILE_MODE;
	strlcpy(name, *cursor ? "topology" : "online", size);
	++*cursor;
	return 0;
}

static int
cpus_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	uint64_t n;

	(void)arg;
	if (strncmp(name, "cpu", 3) ||
	    parse_u64(name + 3, strlen(name + 3), 10, &n) ||
	    n >= READ_ONCE(cpu_online_count))
		return -ENOENT;
	*e = (struct pseudo_entry){
		.mode = DIR_MODE,
		.lookup = cpu_lookup,
		.iterate = cpu_iterate,
		.arg = (void *)(uintptr_t)n,
	};
	return 0;
}

static int
cpus_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
	     void *arg)
{
	(void)arg;
	if (*cursor >= READ_ONCE(cpu_online_count))
		return -ENOENT;
	ksnprintf(name, size, "cpu%u", (unsigned)*cursor);
	*mode = DIR_MODE;
	++*cursor;
	return 0;
}

#define CPU  "devices/system/cpu"
#define NODE "devices/system/node"
#define THP  "kernel/mm/transparent_hugepage"

static const struct pseudo_entry entries[] = {
	{ .path = CPU,
	  .mode = DIR_MODE,
	  .lookup = cpus_lookup,
	  .iterate = cpus_iterate },
	SHOW(CPU "/online", show_cpus),
	SHOW(CPU "/possible", show_cpus),
	SHOW(CPU "/present", show_cpus),
	TEXT(CPU "/offline", ""),
	TEXT(CPU "/isolated", ""),
	TEXT(CPU "/kernel_max", "63"),
	TEXT(CPU "/smt/active", "0"),
	TEXT(CPU "/smt/control", "notsupported"),
	TEXT(NODE "/online", "0"),
	TEXT(NODE "/possible", "0"),
	TEXT(NODE "/has_memory", "0"),
	SHOW(NODE "/node0/cpulist", show_cpus),
	SHOW(NODE "/node0/cpumap", show_cpu_mask),
	TEXT(THP "/enabled", "[always] madvise never"),
	TEXT(THP "/defrag", "always defer defer+madvise madvise [never]"),
	TEXT(THP "/hpage_pmd_size", "2097152"),
	TEXT(THP "/shmem_enabled",
	     "always within_size advise [never] deny force"),
	TEXT(THP "/use_zero_page", "0"),
	{ .path = "fs", .mode = DIR_MODE },
	{ .path = "class", .mode = DIR_MODE },
	{ .path = "block", .mode = DIR_MODE },
	{ .path = "bus", .mode = DIR_MODE },
};
static_assert(ARCH_MAX_CPUS == 64, "kernel_max says so");

void
sys_machine_init(void)
{
	register_table(sys_register, entries, ARRAY_SIZE(entries));
}
