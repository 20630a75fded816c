/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's part of /proc: what proc(5) says of CPUs, memory, time,
 * file systems, and the settings below /proc/sys that programs and libraries
 * read.  The process's own entries are registered by proc.
 *
 * A number under /proc/sys is what this kernel does, not a wish: it is
 * read-only, as nothing here can be tuned.
 */
#include <abi/errno.h>
#include <base/fmt.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/string.h>
#include <core/bootinfo.h>
#include <core/clock.h>
#include <core/irq.h>
#include <core/percpu.h>
#include <core/spinlock.h>
#include <dev/blk.h>
#include <dev/pty.h>
#include <dev/random.h>
#include <file/file.h>
#include <fs/attr.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>
#include <vm/space.h>

#include "pseudo_priv.h"

#define USER_HZ	    100u
#define NS_PER_TICK (NSEC_PER_SEC / USER_HZ)
#define CPUINFO_MAX 8192u
#define VECTORS	    256

static unsigned
ncpus(void)
{
	return READ_ONCE(cpu_online_count);
}

/* ---- CPUs and time ---- */

static int
show_cpuinfo(struct seq_buf *s, void *arg)
{
	char *buf = kmalloc(CPUINFO_MAX, ALLOC_KERNEL);
	unsigned i;

	(void)arg;
	if (!buf)
		return -ENOMEM;
	for (i = 0; i < ncpus(); i++) {
		size_t n = cpu_describe(i, buf, CPUINFO_MAX);

		seq_write(s, buf, min_size(n, CPUINFO_MAX - 1));
	}
	kfree(buf);
	return 0;
}

static int
show_uptime(struct seq_buf *s, void *arg)
{
	uint64_t up = clock_mono_ns() / (NSEC_PER_SEC / 100), idle = 0;
	unsigned i;

	(void)arg;
	for (i = 0; i < ncpus(); i++)
		idle += sched_idle_ns(i);
	idle /= NSEC_PER_SEC / 100;
	seq_printf(s, "%lu.%02lu %lu.%02lu\n", (unsigned long)(up / 100),
		   (unsigned long)(up % 100), (unsigned long)(idle / 100),
		   (unsigned long)(idle % 100));
	return 0;
}

/* Averages of how many CPUs were busy, in Linux's fixed point: decayed by
 * five-second steps since the last look, with the mean of that time. */
#define LOAD_SHIFT 11
#define LOAD_ONE   (1ull << LOAD_SHIFT)
#define LOAD_STEPS 400u /* more change nothing */

static struct spinlock load_lock = SPINLOCK_INIT(RANK_EVENT);
static uint64_t load[3];		    /* [load_lock] */
static uint64_t load_time_ns, load_busy_ns; /* [load_lock] */

static uint64_t
busy_ns(uint64_t now)
{
	uint64_t busy = 0, idle;
	unsigned i;

	for (i = 0; i < ncpus(); i++) {
		idle = sched_idle_ns(i);
		busy += now > idle ? now - idle : 0;
	}
	return busy;
}

void
load_averages(uint64_t out[3])
{
	static const uint64_t decay[3] = { 1884, 2014, 2037 };
	uint64_t now = clock_mono_ns(), busy = busy_ns(now), mean, steps, k;
	unsigned i;

	spin_lock(&load_lock);
	steps = (now - load_time_ns) / (5 * NSEC_PER_SEC);
	if (steps) {
		mean = busy > load_busy_ns ? busy - load_busy_ns : 0;
		mean = (mean << LOAD_SHIFT) / (now - load_time_ns);
		for (k = 0; k < min_u64(steps, LOAD_STEPS); k++)
			for (i = 0; i < 3; i++)
				load[i] = (load[i] * decay[i] +
					   mean * (LOAD_ONE - decay[i])) >>
					  LOAD_SHIFT;
		load_time_ns = now;
		load_busy_ns = busy;
	}
	memcpy(out, load, sizeof(load));
	spin_unlock(&load_lock);
}

static bool
count_running(struct thread *t, void *arg)
{
	unsigned *n = arg;

	if (t->state == THREAD_RUNNING && !t->kernel)
		++*n;
	return true;
}

static unsigned
running(void)
{
	unsigned n = 0;

	thread_for_each(count_running, &n);
	return n;
}

static int
show_loadavg(struct seq_buf *s, void *arg)
{
	uint64_t l[3];
	unsigned i;

	(void)arg;
	load_averages(l);
	for (i = 0; i < 3; i++) {
		uint64_t v = l[i] + LOAD_ONE / 200;

		seq_printf(s, "%lu.%02lu ", (unsigned long)(v >> LOAD_SHIFT),
			   (unsigned long)((v & (LOAD_ONE - 1)) * 100 >>
					   LOAD_SHIFT));
	}
	seq_printf(s, "%u/%u %d\n", running(), thread_count(),
		   thread_current()->tid);
	return 0;
}

static uint64_t
all_interrupts(void)
{
	uint64_t n = 0;
	int v;

	for (v = 0; v < VECTORS; v++)
		n += irq_count(v);
	return n;
}

static void
stat_line(struct seq_buf *s, const char *name, uint64_t busy, uint64_t idle)
{
	/* Kernel and user time are not told apart for the machine. */
	seq_printf(s, "%s %lu 0 0 %lu 0 0 0 0 0 0\n", name,
		   (unsigned long)(busy / NS_PER_TICK),
		   (unsigned long)(idle / NS_PER_TICK));
}

static int
show_stat(struct seq_buf *s, void *arg)
{
	uint64_t now = clock_mono_ns(), idle = 0, one;
	char name[16];
	unsigned i;

	(void)arg;
	for (i = 0; i < ncpus(); i++)
		idle += sched_idle_ns(i);
	stat_line(s, "cpu ", busy_ns(now), idle);
	for (i = 0; i < ncpus(); i++) {
		one = sched_idle_ns(i);
		ksnprintf(name, sizeof(name), "cpu%u", i);
		stat_line(s, name, now > one ? now - one : 0, one);
	}
	seq_printf(s,
		   "intr %lu\nctxt %lu\nbtime %lu\nprocesses %u\n"
		   "procs_running %u\nprocs_blocked 0\n"
		   /* All of them, and the ten kinds that there are. */
		   "softirq 0 0 0 0 0 0 0 0 0 0 0\n",
		   (unsigned long)all_interrupts(),
		   (unsigned long)sched_switches(),
		   (unsigned long)((clock_real_ns() - now) / NSEC_PER_SEC),
		   thread_count(), running());
	return 0;
}

static int
show_interrupts(struct seq_buf *s, void *arg)
{
	int v;

	(void)arg;
	seq_printf(s, "           CPU0       \n");
	for (v = 0; v < VECTORS; v++) {
		uint64_t n = irq_count(v);

		if (n)
			seq_printf(s, "%3d: %10lu   vector\n", v,
				   (unsigned long)n);
	}
	return 0;
}

/* ---- memory ---- */

static void
kb(struct seq_buf *s, const char *name, uint64_t pages)
{
	seq_printf(s, "%-15s %8lu kB\n", name,
		   (unsigned long)(pages * (PAGE_SIZE / 1024)));
}

static int
show_meminfo(struct seq_buf *s, void *arg)
{
	struct mem_stats m;
	uint64_t clean;

	(void)arg;
	mem_stats_get(&m);
	clean = m.cached > m.dirty + m.shmem ? m.cached - m.dirty - m.shmem : 0;
	kb(s, "MemTotal:", m.total);
	kb(s, "MemFree:", m.free);
	kb(s, "MemAvailable:", m.free + clean);
	kb(s, "Buffers:", 0);
	kb(s, "Cached:", m.cached);
	kb(s, "SwapCached:", 0);
	kb(s, "Active:", m.anon);
	kb(s, "Inactive:", m.cached);
	kb(s, "Active(anon):", m.anon);
	kb(s, "Inactive(anon):", m.shmem);
	kb(s, "Active(file):", 0);
	kb(s, "Inactive(file):", m.cached - min_u64(m.cached, m.shmem));
	kb(s, "Unevictable:", 0);
	kb(s, "Mlocked:", 0);
	kb(s, "SwapTotal:", 0);
	kb(s, "SwapFree:", 0);
	kb(s, "Dirty:", m.dirty);
	kb(s, "Writeback:", m.writeback);
	kb(s, "AnonPages:", m.anon);
	kb(s, "Mapped:", 0);
	kb(s, "Shmem:", m.shmem);
	kb(s, "KReclaimable:", 0);
	kb(s, "Slab:", m.slab);
	kb(s, "SReclaimable:", 0);
	kb(s, "SUnreclaim:", m.slab);
	kb(s, "KernelStack:", m.kernel_stack);
	kb(s, "PageTables:", m.page_tables);
	kb(s, "CommitLimit:", m.total);
	kb(s, "Committed_AS:", m.anon + m.shmem);
	seq_printf(s, "VmallocTotal:   %8lu kB\n", 34359738367ul);
	kb(s, "VmallocUsed:", 0);
	seq_printf(s,
		   "HugePages_Total: %7u\nHugePages_Free: %8u\n"
		   "HugePages_Rsvd: %8u\nHugePages_Surp: %8u\n"
		   "Hugepagesize:    %7u kB\n",
		   0, 0, 0, 0, 2048);
	return 0;
}

/* KiB that all disks read (0) or wrote (1). */
static unsigned long
disk_kib(unsigned way)
{
	struct blk_device *d;
	uint64_t sectors = 0;
	unsigned i;

	for (i = 0; (d = blk_get(i)); i++)
		sectors += d->stats.sectors[way];
	return sectors / 2;
}

static int
show_vmstat(struct seq_buf *s, void *arg)
{
	const struct vm_space *sp = thread_current()->space;
	struct mem_stats m;

	(void)arg;
	mem_stats_get(&m);
	seq_printf(s,
		   "nr_free_pages %lu\nnr_anon_pages %lu\n"
		   "nr_file_pages %lu\nnr_dirty %lu\nnr_writeback %lu\n"
		   "nr_shmem %lu\nnr_kernel_stack %lu\n"
		   "nr_page_table_pages %lu\n",
		   (unsigned long)m.free, (unsigned long)m.anon,
		   (unsigned long)m.cached, (unsigned long)m.dirty,
		   (unsigned long)m.writeback, (unsigned long)m.shmem,
		   (unsigned long)(m.kernel_stack * (PAGE_SIZE / 1024)),
		   (unsigned long)m.page_tables);
	seq_printf(s,
		   "pgpgin %lu\npgpgout %lu\npswpin 0\npswpout 0\n"
		   "pgfault %lu\npgmajfault %lu\noom_kill 0\n",
		   disk_kib(0), disk_kib(1),
		   sp ? (unsigned long)(sp->minflt + sp->majflt) : 0,
		   sp ? (unsigned long)sp->majflt : 0);
	return 0;
}

/* ---- file systems and disks ---- */

static int
show_filesystems(struct seq_buf *s, void *arg)
{
	const struct fs_type *t;
	unsigned i;

	(void)arg;
	for (i = 0; (t = fs_type_get(i)); i++)
		seq_printf(s, "%s\t%s\n", t->nodev ? "nodev" : "", t->name);
	return 0;
}

/* Block devices have major 254, as virtio disks on Linux; minors go by
 * registration. */
static int
show_partitions(struct seq_buf *s, void *arg)
{
	struct blk_device *d;
	unsigned i;

	(void)arg;
	seq_printf(s, "major minor  #blocks  name\n\n");
	for (i = 0; (d = blk_get(i)); i++)
		seq_printf(s, "%4u  %7u %10lu %s\n", 254, i,
			   (unsigned long)(d->sectors / 2), d->name);
	return 0;
}

static int
show_diskstats(struct seq_buf *s, void *arg)
{
	struct blk_device *d;
	unsigned i;

	(void)arg;
	for (i = 0; (d = blk_get(i)); i++)
		seq_printf(s,
			   "%4u %7u %s %lu 0 %lu 0 %lu 0 %lu 0 0 0 0 "
			   "0 0 0 0 0 0\n",
			   254, i, d->name, (unsigned long)d->stats.ios[0],
			   (unsigned long)d->stats.sectors[0],
			   (unsigned long)d->stats.ios[1],
			   (unsigned long)d->stats.sectors[1]);
	return 0;
}

/* ---- text and numbers ---- */

static ssize_t
mounts_link(char *buf, size_t size, void *arg)
{
	size_t n = min_size(strlen(arg), size);

	memcpy(buf, arg, n);
	return (ssize_t)n;
}

/* RFC 4122, version 4. */
static void
show_uuid_bytes(struct seq_buf *s, uint8_t u[16])
{
	u[6] = (uint8_t)((u[6] & 0x0f) | 0x40);
	u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
	seq_printf(s,
		   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		   "%02x%02x%02x%02x%02x%02x\n",
		   u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9],
		   u[10], u[11], u[12], u[13], u[14], u[15]);
}

static int
show_uuid(struct seq_buf *s, void *arg)
{
	uint8_t u[16];

	(void)arg;
	random_bytes(u, sizeof(u));
	show_uuid_bytes(s, u);
	return 0;
}

static int
show_boot_id(struct seq_buf *s, void *arg)
{
	static uint8_t id[16];
	static uint32_t state; /* 0 none, 1 being made, 2 there */
	uint32_t none = 0;

	(void)arg;
	if (atomic_cas(&state, &none, 1u)) {
		random_bytes(id, sizeof(id));
		atomic_store_release(&state, 2u);
	}
	while (atomic_load_acquire(&state) != 2)
		cpu_relax(); /* a few hundred cycles on another CPU */
	show_uuid_bytes(s, id);
	return 0;
}

static int
show_pty_nr(struct seq_buf *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%u\n", pty_count());
	return 0;
}

static int
show_file_nr(struct seq_buf *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%u\t0\t%u\n", file_count(), LIMIT_FDS);
	return 0;
}

static const struct pseudo_entry entries[] = {
	SHOW("cpuinfo", show_cpuinfo),
	SHOW("diskstats", show_diskstats),
	SHOW("filesystems", show_filesystems),
	SHOW("interrupts", show_interrupts),
	SHOW("loadavg", show_loadavg),
	SHOW("locks", locks_show),
	SHOW("meminfo", show_meminfo),
	SHOW("partitions", show_partitions),
	SHOW("stat", show_stat),
	SHOW("uptime", show_uptime),
	SHOW("vmstat", show_vmstat),
	TEXT("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"),
	{ .path = "cmdline",
	  .mode = FILE_MODE,
	  .show = seq_show_line,
	  .arg = boot_info.cmdline },
	{ .path = "mounts",
	  .mode = S_IFLNK | 0777,
	  .readlink = mounts_link,
	  .arg = (void *)(uintptr_t) "self/mounts" },

	TEXT("sys/fs/inotify/max_queued_events", "16384"),
	TEXT("sys/fs/inotify/max_user_instances", "128"),
	TEXT("sys/fs/inotify/max_user_watches", "65536"),
	TEXT("sys/fs/mqueue/msg_default", "10"),
	TEXT("sys/fs/mqueue/msg_max", "10"),
	TEXT("sys/fs/mqueue/msgsize_default", "8192"),
	TEXT("sys/fs/mqueue/msgsize_max", "8192"),
	TEXT("sys/fs/mqueue/queues_max", "256"),
	TEXT("sys/kernel/cap_last_cap", "40"),
	TEXT("sys/kernel/core_pattern", "core"),
	TEXT("sys/kernel/core_uses_pid", "0"),
	TEXT("sys/kernel/dmesg_restrict", "1"),
	TEXT("sys/kernel/kptr_restrict", "2"),
	TEXT("sys/kernel/msgmax", "8192"),
	TEXT("sys/kernel/msgmnb", "16384"),
	TEXT("sys/kernel/msgmni", "32000"),
	TEXT("sys/kernel/ngroups_max", "65536"),
	TEXT("sys/kernel/numa_balancing", "0"),
	TEXT("sys/kernel/overflowgid", "65534"),
	TEXT("sys/kernel/overflowuid", "65534"),
	TEXT("sys/kernel/perf_event_paranoid", "3"),
	TEXT("sys/kernel/pid_max", "4194304"),
	TEXT("sys/kernel/pty/max", "4096"),
	SHOW("sys/kernel/pty/nr", show_pty_nr),
	TEXT("sys/kernel/pty/reserve", "1024"),
	TEXT("sys/kernel/random/entropy_avail", "256"),
	TEXT("sys/kernel/random/poolsize", "256"),
	SHOW("sys/kernel/random/boot_id", show_boot_id),
	SHOW("sys/kernel/random/uuid", show_uuid),
	TEXT("sys/kernel/sem", "32000\t1024000000\t500\t32000"),
	TEXT("sys/kernel/shmall", "18446744073692774399"),
	TEXT("sys/kernel/shmmax", "18446744073692774399"),
	TEXT("sys/kernel/shmmni", "4096"),
	TEXT("sys/kernel/randomize_va_space", "2"),
	TEXT("sys/kernel/sched_rt_period_us", "1000000"),
	TEXT("sys/kernel/sched_rt_runtime_us", "950000"),
	TEXT("sys/kernel/tainted", "0"),
	TEXT("sys/kernel/threads-max", "32768"),

	TEXT("sys/vm/dirty_background_ratio", "20"),
	TEXT("sys/vm/dirty_ratio", "40"),
	TEXT("sys/vm/max_map_count", "65530"),
	TEXT("sys/vm/mmap_min_addr", "65536"),
	TEXT("sys/vm/nr_hugepages", "0"),
	TEXT("sys/vm/nr_overcommit_hugepages", "0"),
	TEXT("sys/vm/overcommit_memory", "1"),
	TEXT("sys/vm/overcommit_ratio", "50"),
	TEXT("sys/vm/panic_on_oom", "0"),
	TEXT("sys/vm/swappiness", "0"),

	TEXT("sys/fs/file-max", "1048576"),
	SHOW("sys/fs/file-nr", show_file_nr),
	TEXT("sys/fs/nr_open", "1048576"),
	TEXT("sys/fs/pipe-max-size", "1048576"),
	TEXT("sys/fs/pipe-user-pages-hard", "0"),
	TEXT("sys/fs/pipe-user-pages-soft", "16384"),
	TEXT("sys/fs/protected_hardlinks", "1"),
	TEXT("sys/fs/protected_symlinks", "1"),
	TEXT("sys/fs/suid_dumpable", "0"),
	TEXT("sys/fs/epoll/max_user_watches", "1048576"),
};

static_assert(LIMIT_THREADS == 32768 && LIMIT_MAPS == 65530 &&
		      LIMIT_FDS == 1048576 && LIMIT_PIPE_BYTES == 1048576 &&
		      LIMIT_PIPE_PAGES == 16384,
	      "the texts above say so");
static_assert(USER_MIN == 65536, "sys/vm/mmap_min_addr says so");
static_assert(TID_MAX == 4194304, "sys/kernel/pid_max says so");

void
proc_machine_init(void)
{
	register_table(proc_register, entries, ARRAY_SIZE(entries));
}
