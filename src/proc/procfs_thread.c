/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads in /proc/self and /proc/self/task: status, stat, comm, schedstat;
 * and of the process its limits and oom_score_adj.
 */
#include "procfs_priv.h"

#include <abi/errno.h>
#include <abi/resource.h>
#include <abi/time.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <dev/tty.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <vm/space.h>

static char
state_of(const struct thread *t)
{
	if (t->proc->stopped)
		return 'T';
	if (atomic_load_relaxed(&t->state) != THREAD_SLEEPING)
		return 'R';
	return t->sleep_intr ? 'S' : 'D';
}

static const char *
state_name(char c)
{
	switch (c) {
	case 'T':
		return "T (stopped)";
	case 'R':
		return "R (running)";
	case 'D':
		return "D (disk sleep)";
	default:
		return "S (sleeping)";
	}
}

static void
status_ids(struct seq_buf *s, const struct cred *c)
{
	unsigned i;

	seq_printf(s,
		   "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n"
		   "FDSize:\t64\nGroups:\t",
		   c->uid, c->euid, c->suid, c->fsuid, c->gid, c->egid, c->sgid,
		   c->fsgid);
	for (i = 0; i < c->ngroups; i++)
		seq_printf(s, "%u ", c->groups[i]);
	seq_printf(s, "%s\n", c->ngroups ? "" : " ");
}

static void
status_memory(struct seq_buf *s, const struct vm_space *sp)
{
	struct mem_usage m;

	if (!sp)
		return;
	procfs_mem_usage(&m);
	seq_printf(
		s,
		"VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\n"
		"VmPin:\t       0 kB\nVmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n"
		"RssAnon:\t%8lu kB\nRssFile:\t%8lu kB\n"
		"RssShmem:\t       0 kB\nVmData:\t%8lu kB\n"
		"VmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\n"
		"VmPTE:\t       0 kB\nVmSwap:\t       0 kB\n",
		(unsigned long)max_u64(sp->hiwater_pages, sp->total_pages) * 4,
		(unsigned long)sp->total_pages * 4, (unsigned long)m.locked * 4,
		(unsigned long)process_max_rss(procfs_self()) * 4,
		(unsigned long)procfs_rss_pages(sp) * 4,
		(unsigned long)sp->rss_anon * 4,
		(unsigned long)sp->rss_file * 4, (unsigned long)m.data * 4,
		(unsigned long)m.stack * 4, (unsigned long)m.exe * 4,
		(unsigned long)m.lib * 4);
}

static void
status_signals(struct seq_buf *s, const struct thread *t)
{
	const struct process *p = t->proc;
	uint64_t ignored = 0, caught = 0;
	int i;

	for (i = 0; i < NSIG; i++) {
		if (p->sig.action[i].handler == SIG_IGN)
			ignored |= 1ull << i;
		else if (p->sig.action[i].handler != SIG_DFL)
			caught |= 1ull << i;
	}
	seq_printf(s,
		   "Threads:\t%u\nSigQ:\t%u/%lu\nSigPnd:\t%016lx\n"
		   "ShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\n"
		   "SigCgt:\t%016lx\n",
		   p->nthreads, p->sig.queued,
		   (unsigned long)p->limits.soft[RLIMIT_SIGPENDING],
		   (unsigned long)t->sig->pending.set,
		   (unsigned long)p->sig.pending.set,
		   (unsigned long)t->sig->mask, (unsigned long)ignored,
		   (unsigned long)caught);
}

static void
status_cpus(struct seq_buf *s, const struct thread *t)
{
	uint64_t all = cpu_online_count >= 64 ? UINT64_MAX :
						(1ull << cpu_online_count) - 1;
	uint64_t mask = t->affinity & all;
	unsigned i, end;
	const char *sep = "";

	seq_printf(s, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t",
		   (unsigned long)mask);
	for (i = 0; i < 64; i = end + 1) {
		end = i;
		if (!(mask >> i & 1))
			continue;
		while (end + 1 < 64 && mask >> (end + 1) & 1)
			end++;
		if (end > i)
			seq_printf(s, "%s%u-%u", sep, i, end);
		else
			seq_printf(s, "%s%u", sep, i);
		sep = ",";
	}
	seq_printf(s,
		   "\nMems_allowed:\t1\nMems_allowed_list:\t0\n"
		   "voluntary_ctxt_switches:\t%lu\n"
		   "nonvoluntary_ctxt_switches:\t%lu\n",
		   (unsigned long)t->nvcsw, (unsigned long)t->nivcsw);
}

static uint32_t
umask_of(const struct thread *t)
{
	const struct fs_context *c = atomic_load_acquire(&t->fsctx);

	return c ? c->umask : 022; /* it ends */
}

/* With a reference: the thread may change it meanwhile. */
static struct cred *
cred_of(const struct thread *t)
{
	struct cred *c;

	do
		c = atomic_load_acquire(&t->cred);
	while (!refcount_get_unless_zero(&c->refs));
	return c;
}

int
procfs_show_status(struct seq_buf *s, void *arg)
{
	struct thread *t = procfs_thread(arg);
	struct process *p;
	struct cred *c;

	if (!t)
		return -ESRCH;
	p = t->proc;
	c = cred_of(t);
	seq_printf(s,
		   "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\n"
		   "Ngid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
		   t->name, umask_of(t), state_name(state_of(t)), p->pid,
		   t->tid, p->ppid);
	status_ids(s, c);
	seq_printf(s, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n",
		   p->pid, t->tid, p->pgid, p->sid);
	status_memory(s, p->space);
	seq_printf(s, "CoreDumping:\t0\nTHP_enabled:\t%d\n", !p->thp_disabled);
	status_signals(s, t);
	seq_printf(s,
		   "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n"
		   "CapBnd:\t%016lx\nCapAmb:\t%016lx\nNoNewPrivs:\t%d\n"
		   "Seccomp:\t0\nSeccomp_filters:\t0\n",
		   (unsigned long)c->cap_inheritable,
		   (unsigned long)c->cap_permitted,
		   (unsigned long)c->cap_effective,
		   (unsigned long)c->cap_bounding,
		   (unsigned long)c->cap_ambient, p->no_new_privs);
	status_cpus(s, t);
	cred_put(c);
	thread_put(t);
	return 0;
}

static unsigned long
ticks(uint64_t ns)
{
	return (unsigned long)(ns / (NSEC_PER_SEC / USER_HZ));
}

/* The controlling terminal's device number and foreground group. */
static int
tty_number(int sid, int *tpgid)
{
	uint64_t rdev = 0;

	*tpgid = -1;
	return tty_of_session(sid, &rdev, tpgid) ? (int)rdev : 0;
}

int
procfs_show_stat(struct seq_buf *s, void *arg)
{
	int tty_nr, tpgid;
	struct thread *t = procfs_thread(arg);
	struct process *p;
	struct vm_space *sp;
	struct cpu_times cpu;

	if (!t)
		return -ESRCH;
	p = t->proc;
	sp = p->space;
	cpu = arg ? thread_cpu_times(t) : process_cpu_times(p);
	tty_nr = tty_number(p->sid, &tpgid);
	seq_printf(s,
		   "%d (%s) %c %d %d %d %d %d 4194304 %lu 0 %lu 0 %lu %lu 0 0 "
		   "%d %d %u 0 %lu %lu %lu %lu ",
		   t->tid, t->name, state_of(t), p->ppid, p->pgid, p->sid,
		   tty_nr, tpgid, sp ? (unsigned long)sp->minflt : 0ul,
		   sp ? (unsigned long)sp->majflt : 0ul, ticks(cpu.user_ns),
		   ticks(cpu.system_ns), 20 + t->nice, t->nice, p->nthreads,
		   ticks(p->start_ns),
		   sp ? (unsigned long)(sp->total_pages << PAGE_SHIFT) : 0ul,
		   (unsigned long)procfs_rss_pages(sp),
		   (unsigned long)p->limits.soft[RLIMIT_RSS]);
	seq_printf(s,
		   "0 0 %lu 0 0 0 0 0 0 0 0 0 17 %u 0 0 0 0 0 0 0 %lu %lu "
		   "%lu %lu %lu 0\n",
		   sp ? (unsigned long)sp->stack_top : 0ul, t->cpu->id,
		   sp ? (unsigned long)sp->brk_start : 0ul,
		   sp ? (unsigned long)sp->arg_start : 0ul,
		   sp ? (unsigned long)sp->arg_end : 0ul,
		   sp ? (unsigned long)sp->env_start : 0ul,
		   sp ? (unsigned long)sp->env_end : 0ul);
	thread_put(t);
	return 0;
}

int
procfs_show_comm(struct seq_buf *s, void *arg)
{
	struct thread *t = procfs_thread(arg);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%s\n", t->name);
	thread_put(t);
	return 0;
}

int
procfs_store_comm(const char *buf, size_t len, void *arg)
{
	struct thread *t = procfs_thread(arg);
	size_t n = min_size(len, sizeof(t->name) - 1);

	if (!t)
		return -ESRCH;
	memcpy(t->name, buf, n);
	t->name[n] = '\0';
	if (n && t->name[n - 1] == '\n')
		t->name[n - 1] = '\0';
	thread_put(t);
	return 0;
}

int
procfs_show_schedstat(struct seq_buf *s, void *arg)
{
	struct thread *t = procfs_thread(arg);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%lu 0 %lu\n", (unsigned long)thread_cpu_ns(t),
		   (unsigned long)(t->nvcsw + t->nivcsw));
	thread_put(t);
	return 0;
}

/* ---- limits, constants ---- */

static void
limit_value(char *buf, size_t size, uint64_t v)
{
	if (v == RLIM_INFINITY)
		strlcpy(buf, "unlimited", size);
	else
		ksnprintf(buf, size, "%lu", (unsigned long)v);
}

int
procfs_show_limits(struct seq_buf *s, void *arg)
{
	static const struct {
		const char *name, *unit;
	} rows[RLIM_COUNT] = {
		{ "Max cpu time", "seconds" },
		{ "Max file size", "bytes" },
		{ "Max data size", "bytes" },
		{ "Max stack size", "bytes" },
		{ "Max core file size", "bytes" },
		{ "Max resident set", "bytes" },
		{ "Max processes", "processes" },
		{ "Max open files", "files" },
		{ "Max locked memory", "bytes" },
		{ "Max address space", "bytes" },
		{ "Max file locks", "locks" },
		{ "Max pending signals", "signals" },
		{ "Max msgqueue size", "bytes" },
		{ "Max nice priority", NULL },
		{ "Max realtime priority", NULL },
		{ "Max realtime timeout", "us" },
	};
	struct rlimits *l = &procfs_self()->limits;
	char soft[24], hard[24];
	unsigned i;

	(void)arg;
	seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit",
		   "Hard Limit", "Units");
	for (i = 0; i < RLIM_COUNT; i++) {
		limit_value(soft, sizeof(soft), l->soft[i]);
		limit_value(hard, sizeof(hard), l->hard[i]);
		seq_printf(s, "%-25s %-20s %-20s ", rows[i].name, soft, hard);
		if (rows[i].unit)
			seq_printf(s, "%-10s", rows[i].unit);
		seq_printf(s, "\n");
	}
	return 0;
}

/* One process: nothing to choose between, but the value is kept. */
static int oom_score_adj;

int
procfs_show_oom_adj(struct seq_buf *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%d\n", oom_score_adj);
	return 0;
}

int
procfs_store_oom_adj(const char *buf, size_t len, void *arg)
{
	bool neg = len && buf[0] == '-';
	uint64_t v;

	(void)arg;
	if (len && buf[len - 1] == '\n')
		len--;
	if (parse_u64(buf + neg, len - neg, 10, &v) || v > 1000)
		return -EINVAL;
	oom_score_adj = neg ? -(int)v : (int)v;
	return 0;
}
