/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process in /proc: /proc/self, /proc/thread-self, and /proc/1 with what
 * Linux has there, as far as programs read it.  Formats are proc(5)'s,
 * checked against Linux's own output.
 *
 * There is one process, so the directory has a fixed name; each entry finds
 * its process by the reading thread.  The argument of an entry is a thread's
 * number, 0: the process as a whole.
 *
 * Absent on purpose: pagemap, mem (no other process to look), clear_refs,
 * io (not counted), ns.
 */
#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/resource.h>
#include <abi/time.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <dev/tty.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <fs/pseudo.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <proc/uts.h>
#include <vm/space.h>

#define FDINFO_MAX (1u << 20)

#define DIR_MODE	 (0040000u | 0555u)
#define FILE_MODE	 (0100000u | 0444u)
#define PRIV_MODE	 (0100000u | 0400u)
#define RW_MODE		 (0100000u | 0644u)
#define LINK_MODE	 (0120000u | 0777u)
#define MAPS_NAME_COLUMN 73

static struct process *
self(void)
{
	return thread_current()->proc;
}

/* The thread that an entry speaks of, with a reference; NULL: gone. */
static struct thread *
thread_of(void *arg)
{
	struct process *p = self();
	int tid = (int)(intptr_t)arg;
	struct thread *t;

	if (!p)
		return NULL;
	t = thread_find(tid ? tid : p->pid);
	if (!t && !tid) { /* the first thread has ended */
		t = thread_current();
		thread_get(t);
	}
	if (t && t->proc != p) {
		thread_put(t);
		t = NULL;
	}
	return t;
}

/* ---- memory ---- */

struct mem_usage {
	uint64_t data, stack, exe, lib, locked; /* pages */
	struct seq_buf *out;
	char *path;
};

static void
map_line(struct seq_buf *s, struct vma *v, char *path)
{
	const struct inode *i = v->file ? v->file->inode : NULL;
	uint64_t dev = i ? i->sb->dev : 0;
	const char *name = v->name;
	size_t start = s->len;

	seq_printf(s, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ",
		   (unsigned long)v->start, (unsigned long)v->end,
		   v->flags & VMA_READ ? 'r' : '-',
		   v->flags & VMA_WRITE ? 'w' : '-',
		   v->flags & VMA_EXEC ? 'x' : '-',
		   v->flags & VMA_SHARED ? 's' : 'p',
		   v->file ? (unsigned long)(v->pgoff << PAGE_SHIFT) : 0ul,
		   (unsigned)(dev >> 8 & 0xfff), (unsigned)(dev & 0xff),
		   i ? (unsigned long)i->ino : 0ul);
	if (v->file && v->file->dentry)
		name = dentry_path(v->file->dentry, NULL, path, PATH_MAX_BYTES);
	if (!name) {
		seq_printf(s, "\n");
		return;
	}
	while (!s->err && s->len - start < MAPS_NAME_COLUMN)
		seq_write(s, " ", 1);
	seq_printf(s, "%s\n", name);
}

static bool
maps_one(struct vma *v, void *arg)
{
	struct mem_usage *m = arg;

	map_line(m->out, v, m->path);
	return !m->out->err;
}

/* A file of lines about each vma, with names. */
static int
show_vmas(struct seq_buf *s, bool (*one)(struct vma *v, void *m))
{
	struct process *p = self();
	struct mem_usage m = { .out = s };

	if (!p || !p->space)
		return 0;
	m.path = kmalloc(PATH_MAX_BYTES, ALLOC_KERNEL);
	if (!m.path)
		return -ENOMEM;
	vm_for_each(p->space, one, &m);
	kfree(m.path);
	return 0;
}

static int
show_maps(struct seq_buf *s, void *arg)
{
	(void)arg;
	return show_vmas(s, maps_one);
}

/* Resident pages are counted by looking at the page table. */
static bool
smaps_one(struct vma *v, void *arg)
{
	struct mem_usage *m = arg;
	uint64_t rss = 0, dirty = 0, kb = (v->end - v->start) >> 10;
	vaddr_t at;
	paddr_t pa;

	map_line(m->out, v, m->path);
	for (at = v->start; at < v->end; at += PAGE_SIZE) {
		unsigned prot = pt_query(at, &pa);

		if (!prot)
			continue;
		rss += PAGE_SIZE >> 10;
		if (prot & PTE_DIRTY)
			dirty += PAGE_SIZE >> 10;
	}
	seq_printf(m->out,
		   "Size:           %8lu kB\n"
		   "KernelPageSize:        4 kB\n"
		   "MMUPageSize:           4 kB\n"
		   "Rss:            %8lu kB\n"
		   "Pss:            %8lu kB\n"
		   "Shared_Clean:          0 kB\n"
		   "Shared_Dirty:          0 kB\n"
		   "Private_Clean:  %8lu kB\n"
		   "Private_Dirty:  %8lu kB\n"
		   "Referenced:     %8lu kB\n"
		   "Anonymous:      %8lu kB\n"
		   "Swap:                  0 kB\n"
		   "SwapPss:               0 kB\n"
		   "Locked:         %8lu kB\n",
		   (unsigned long)kb, (unsigned long)rss, (unsigned long)rss,
		   (unsigned long)(rss - dirty), (unsigned long)dirty,
		   (unsigned long)rss, (unsigned long)(v->object ? dirty : rss),
		   (unsigned long)(v->flags & VMA_LOCKED ? kb : 0));
	return !m->out->err;
}

static int
show_smaps(struct seq_buf *s, void *arg)
{
	(void)arg;
	return show_vmas(s, smaps_one);
}

static bool
usage_one(struct vma *v, void *arg)
{
	struct mem_usage *m = arg;
	uint64_t n = (v->end - v->start) >> PAGE_SHIFT;

	if (v->flags & VMA_STACK)
		m->stack += n;
	else if (v->flags & VMA_WRITE && !(v->flags & VMA_SHARED))
		m->data += n;
	if (v->flags & VMA_EXEC && v->file)
		*(v->file == self()->exe ? &m->exe : &m->lib) += n;
	if (v->flags & VMA_LOCKED)
		m->locked += n;
	return true;
}

static void
usage(struct mem_usage *m)
{
	struct process *p = self();

	memset(m, 0, sizeof(*m));
	if (p->space)
		vm_for_each(p->space, usage_one, m);
}

static uint64_t
rss_pages(const struct vm_space *s)
{
	return s ? s->rss_anon + s->rss_file : 0;
}

static int
show_statm(struct seq_buf *s, void *arg)
{
	struct vm_space *sp = self()->space;
	struct mem_usage m;

	(void)arg;
	usage(&m);
	seq_printf(s, "%lu %lu %lu %lu 0 %lu 0\n",
		   sp ? (unsigned long)sp->total_pages : 0ul,
		   (unsigned long)rss_pages(sp),
		   sp ? (unsigned long)sp->rss_file : 0ul, (unsigned long)m.exe,
		   (unsigned long)(m.data + m.stack));
	return 0;
}

/* ---- memory of the program: arguments, environment ---- */

static int
show_range(struct seq_buf *s, vaddr_t start, vaddr_t end)
{
	struct process *p = self();
	char *buf = kmalloc(PAGE_SIZE, ALLOC_KERNEL);
	size_t n;

	if (!buf)
		return -ENOMEM;
	while (start < end) {
		n = vm_peek(p->space, start, buf,
			    min_size(end - start, PAGE_SIZE));
		if (!n)
			break;
		seq_write(s, buf, n);
		start += n;
	}
	kfree(buf);
	return 0;
}

static int
show_cmdline(struct seq_buf *s, void *arg)
{
	struct vm_space *sp = self()->space;

	(void)arg;
	return sp ? show_range(s, sp->arg_start, sp->arg_end) : 0;
}

static int
show_environ(struct seq_buf *s, void *arg)
{
	struct vm_space *sp = self()->space;

	(void)arg;
	return sp ? show_range(s, sp->env_start, sp->env_end) : 0;
}

static int
show_auxv(struct seq_buf *s, void *arg)
{
	struct process *p = self();

	(void)arg;
	seq_write(s, p->auxv, p->auxv_len);
	return 0;
}

/* ---- threads: status, stat, comm ---- */

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
status_ids(struct seq_buf *s, const struct thread *t)
{
	const struct cred *c = t->cred;
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
	usage(&m);
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
		(unsigned long)process_max_rss(self()) * 4,
		(unsigned long)rss_pages(sp) * 4,
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

static int
show_status(struct seq_buf *s, void *arg)
{
	struct thread *t = thread_of(arg);
	struct process *p;
	const struct cred *c;

	if (!t)
		return -ESRCH;
	p = t->proc;
	c = t->cred;
	seq_printf(s,
		   "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\n"
		   "Ngid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
		   t->name, t->fsctx ? t->fsctx->umask : 022,
		   state_name(state_of(t)), p->pid, t->tid, p->ppid);
	status_ids(s, t);
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

static int
show_stat(struct seq_buf *s, void *arg)
{
	int tty_nr, tpgid;
	struct thread *t = thread_of(arg);
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
		   (unsigned long)rss_pages(sp),
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

static int
show_comm(struct seq_buf *s, void *arg)
{
	struct thread *t = thread_of(arg);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%s\n", t->name);
	thread_put(t);
	return 0;
}

static int
store_comm(const char *buf, size_t len, void *arg)
{
	struct thread *t = thread_of(arg);
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

static int
show_schedstat(struct seq_buf *s, void *arg)
{
	struct thread *t = thread_of(arg);

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

static int
show_limits(struct seq_buf *s, void *arg)
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
	struct rlimits *l = &self()->limits;
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

static int
show_text(struct seq_buf *s, void *arg)
{
	seq_printf(s, "%s", (const char *)arg);
	return 0;
}

/* One process: nothing to choose between, but the value is kept. */
static int oom_score_adj;

static int
show_oom_adj(struct seq_buf *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%d\n", oom_score_adj);
	return 0;
}

static int
store_oom_adj(const char *buf, size_t len, void *arg)
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

/* ---- mounts ---- */

static bool
mount_line(const struct mount_info *m, void *arg)
{
	seq_printf(arg, "%s %s %s %s 0 0\n",
		   m->source && *m->source ? m->source : "none", m->target,
		   m->type, m->options && *m->options ? m->options : "rw");
	return true;
}

static int
show_mounts(struct seq_buf *s, void *arg)
{
	(void)arg;
	vfs_for_each_mount(mount_line, s);
	return 0;
}

static bool
mountinfo_line(const struct mount_info *m, void *arg)
{
	uint64_t dev = m->sb->dev;
	const char *opt = m->options && *m->options ? m->options : "rw";

	seq_printf(arg, "%u %u %u:%u / %s %s - %s %s %s\n", m->id, m->parent_id,
		   (unsigned)(dev >> 8 & 0xfff), (unsigned)(dev & 0xff),
		   m->target, opt, m->type,
		   m->source && *m->source ? m->source : "none", opt);
	return true;
}

static int
show_mountinfo(struct seq_buf *s, void *arg)
{
	(void)arg;
	vfs_for_each_mount(mountinfo_line, s);
	return 0;
}

/* ---- links: exe, cwd, root, fd ---- */

enum link_what { LINK_EXE, LINK_CWD, LINK_ROOT };

/* The dentry with a reference, or NULL. */
static struct dentry *
link_dentry(void *arg)
{
	struct thread *t = thread_current();
	struct fs_context *c = t->fsctx;
	struct dentry *d = NULL;

	if ((enum link_what)(intptr_t)arg == LINK_EXE) {
		mutex_lock(&t->proc->lock);
		if (t->proc->exe)
			d = t->proc->exe->dentry;
		if (d)
			dentry_get(d);
		mutex_unlock(&t->proc->lock);
		return d;
	}
	spin_lock(&c->lock);
	d = (enum link_what)(intptr_t)arg == LINK_CWD ? c->cwd : c->root;
	dentry_get(d);
	spin_unlock(&c->lock);
	return d;
}

static ssize_t
path_into(struct dentry *d, char *buf, size_t size)
{
	char *tmp = kmalloc(PATH_MAX_BYTES, ALLOC_KERNEL), *path;
	ssize_t n = -ENAMETOOLONG;

	if (!tmp)
		return -ENOMEM;
	path = dentry_path(d, NULL, tmp, PATH_MAX_BYTES);
	if (path) {
		n = (ssize_t)min_size(strlen(path), size);
		memcpy(buf, path, (size_t)n);
	}
	kfree(tmp);
	return n;
}

static ssize_t
link_readlink(char *buf, size_t size, void *arg)
{
	struct dentry *d = link_dentry(arg);
	ssize_t n;

	if (!d)
		return -ENOENT;
	n = path_into(d, buf, size);
	dentry_put(d);
	return n;
}

static int
link_follow(struct dentry **out, void *arg)
{
	*out = link_dentry(arg);
	return *out ? 0 : -ENOENT;
}

static ssize_t
fd_readlink(char *buf, size_t size, void *arg)
{
	struct file *f;
	ssize_t n;
	int err = fd_get_any(thread_current()->fds, (int)(intptr_t)arg, &f);

	if (err)
		return -ENOENT;
	if (f->ops->link_name) {
		char name[64];

		n = f->ops->link_name(f, name, sizeof(name));
		if (n >= 0) {
			n = (ssize_t)min_size((size_t)n, size);
			memcpy(buf, name, (size_t)n);
		}
	} else if (f->dentry) {
		n = path_into(f->dentry, buf, size);
	} else {
		n = -ENOENT;
	}
	file_put(f);
	return n;
}

/* Files without a name (pipes, sockets) are opened by the fs layer's own
 * means; here only those that have a directory entry. */
static int
fd_follow(struct dentry **out, void *arg)
{
	struct file *f;
	int err = fd_get_any(thread_current()->fds, (int)(intptr_t)arg, &f);

	if (err)
		return -ENOENT;
	*out = f->dentry;
	if (f->dentry)
		dentry_get(f->dentry);
	file_put(f);
	return *out ? 0 : -ENXIO;
}

/* What the file itself says, whole where there is memory for it. */
static void
fdinfo_extra(struct seq_buf *s, struct file *f)
{
	char small[512], *buf = small, *more;
	size_t size = sizeof(small);
	int n = f->ops->fdinfo(f, buf, size);

	while (n >= (int)size && size < FDINFO_MAX) {
		more = kmalloc(4 * size, ALLOC_KERNEL);
		if (!more)
			break;
		if (buf != small)
			kfree(buf);
		buf = more;
		size *= 4;
		n = f->ops->fdinfo(f, buf, size);
	}
	if (n > 0)
		seq_write(s, buf, min_size((size_t)n, size - 1));
	if (buf != small)
		kfree(buf);
}

static int
show_fdinfo(struct seq_buf *s, void *arg)
{
	struct file *f;
	int fd = (int)(intptr_t)arg;
	int err = fd_get_any(thread_current()->fds, fd, &f);

	if (err)
		return -ENOENT;
	seq_printf(s, "pos:\t%ld\nflags:\t0%o\nmnt_id:\t1\nino:\t%lu\n",
		   (long)f->pos,
		   f->flags | (fd_get_cloexec(thread_current()->fds, fd) > 0 ?
				       02000000u :
				       0u),
		   f->inode ? (unsigned long)f->inode->ino : 0ul);
	if (f->ops->fdinfo)
		fdinfo_extra(s, f);
	file_put(f);
	return 0;
}

static int
fd_number(const char *name, int *fd)
{
	uint64_t v;
	struct file *f;

	if (parse_u64(name, strlen(name), 10, &v) || v > INT32_MAX)
		return -ENOENT;
	*fd = (int)v;
	if (fd_get_any(thread_current()->fds, *fd, &f))
		return -ENOENT;
	file_put(f);
	return 0;
}

static int
fd_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	int fd, err = fd_number(name, &fd);

	(void)arg;
	if (err)
		return err;
	*e = (struct pseudo_entry){
		.path = name,
		.mode = 0120000u | 0700u,
		.readlink = fd_readlink,
		.follow = fd_follow,
		.arg = (void *)(intptr_t)fd,
	};
	return 0;
}

static int
fdinfo_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	int fd, err = fd_number(name, &fd);

	(void)arg;
	if (err)
		return err;
	*e = (struct pseudo_entry){
		.path = name,
		.mode = FILE_MODE,
		.show = show_fdinfo,
		.arg = (void *)(intptr_t)fd,
	};
	return 0;
}

static int
iterate_fds(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
	    uint32_t type)
{
	struct file *f;
	int fd;

	if (*cursor > INT32_MAX)
		return -ENOENT;
	fd = fd_next(thread_current()->fds, (int)*cursor, &f);
	if (fd < 0)
		return -ENOENT;
	file_put(f);
	ksnprintf(name, size, "%d", fd);
	*mode = type;
	*cursor = (uint64_t)fd + 1;
	return 0;
}

static int
fd_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode, void *arg)
{
	(void)arg;
	return iterate_fds(cursor, name, size, mode, 0120000u | 0700u);
}

static int
fdinfo_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
	       void *arg)
{
	(void)arg;
	return iterate_fds(cursor, name, size, mode, FILE_MODE);
}

/* ---- the table ---- */

#define TEXT(s) ((void *)(uintptr_t)(s))

/* Of the process and of each thread; .arg of those that speak of a thread
 * is filled in at lookup. */
static const struct pseudo_entry common[] = {
	{ .path = "auxv", .mode = PRIV_MODE, .show = show_auxv },
	{ .path = "cgroup",
	  .mode = FILE_MODE,
	  .show = show_text,
	  .arg = TEXT("0::/\n") },
	{ .path = "cmdline", .mode = FILE_MODE, .show = show_cmdline },
	{ .path = "comm",
	  .mode = RW_MODE,
	  .show = show_comm,
	  .store = store_comm },
	{ .path = "cwd",
	  .mode = LINK_MODE,
	  .readlink = link_readlink,
	  .follow = link_follow,
	  .arg = (void *)LINK_CWD },
	{ .path = "environ", .mode = PRIV_MODE, .show = show_environ },
	{ .path = "exe",
	  .mode = LINK_MODE,
	  .readlink = link_readlink,
	  .follow = link_follow,
	  .arg = (void *)LINK_EXE },
	{ .path = "fd",
	  .mode = 0040000u | 0500u,
	  .lookup = fd_lookup,
	  .iterate = fd_iterate },
	{ .path = "fdinfo",
	  .mode = DIR_MODE,
	  .lookup = fdinfo_lookup,
	  .iterate = fdinfo_iterate },
	{ .path = "limits", .mode = FILE_MODE, .show = show_limits },
	{ .path = "maps", .mode = FILE_MODE, .show = show_maps },
	{ .path = "mountinfo", .mode = FILE_MODE, .show = show_mountinfo },
	{ .path = "mounts", .mode = FILE_MODE, .show = show_mounts },
	{ .path = "oom_score",
	  .mode = FILE_MODE,
	  .show = show_text,
	  .arg = TEXT("0\n") },
	{ .path = "oom_score_adj",
	  .mode = RW_MODE,
	  .show = show_oom_adj,
	  .store = store_oom_adj },
	{ .path = "personality",
	  .mode = PRIV_MODE,
	  .show = show_text,
	  .arg = TEXT("00000000\n") },
	{ .path = "root",
	  .mode = LINK_MODE,
	  .readlink = link_readlink,
	  .follow = link_follow,
	  .arg = (void *)LINK_ROOT },
	{ .path = "schedstat", .mode = FILE_MODE, .show = show_schedstat },
	{ .path = "smaps", .mode = FILE_MODE, .show = show_smaps },
	{ .path = "stat", .mode = FILE_MODE, .show = show_stat },
	{ .path = "statm", .mode = FILE_MODE, .show = show_statm },
	{ .path = "status", .mode = FILE_MODE, .show = show_status },
};

static bool
of_thread(const struct pseudo_entry *e)
{
	return e->show == show_comm || e->show == show_schedstat ||
	       e->show == show_stat || e->show == show_status;
}

static int
thread_dir_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(common); i++) {
		if (strcmp(name, common[i].path))
			continue;
		*e = common[i];
		if (of_thread(e))
			e->arg = arg;
		return 0;
	}
	return -ENOENT;
}

static int
thread_dir_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
		   void *arg)
{
	(void)arg;
	if (*cursor >= ARRAY_SIZE(common))
		return -ENOENT;
	strlcpy(name, common[*cursor].path, size);
	*mode = common[*cursor].mode;
	++*cursor;
	return 0;
}

static int
task_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	struct thread *t;
	uint64_t v;

	(void)arg;
	if (parse_u64(name, strlen(name), 10, &v) || !v || v >= TID_MAX)
		return -ENOENT;
	t = thread_of((void *)(intptr_t)v);
	if (!t)
		return -ENOENT;
	thread_put(t);
	*e = (struct pseudo_entry){
		.path = name,
		.mode = DIR_MODE,
		.lookup = thread_dir_lookup,
		.iterate = thread_dir_iterate,
		.arg = (void *)(intptr_t)v,
	};
	return 0;
}

/* In the order of numbers: the lowest at or above the cursor. */
static int
task_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
	     void *arg)
{
	struct process *p = self();
	irqflags_t f = spin_lock_irq(&p->sig.lock);
	struct thread *t;
	uint64_t best = UINT64_MAX;

	(void)arg;
	list_for_each_entry(t, &p->threads, proc_link)
		if ((uint64_t)t->tid >= *cursor && (uint64_t)t->tid < best)
			best = (uint64_t)t->tid;
	spin_unlock_irq(&p->sig.lock, f);
	if (best == UINT64_MAX)
		return -ENOENT;
	ksnprintf(name, size, "%lu", (unsigned long)best);
	*mode = DIR_MODE;
	*cursor = best + 1;
	return 0;
}

static ssize_t
self_readlink(char *buf, size_t size, void *arg)
{
	struct thread *t = thread_current();
	char tmp[48];
	size_t n;

	if (!t->proc)
		return -ENOENT;
	if (arg)
		ksnprintf(tmp, sizeof(tmp), "%d/task/%d", t->proc->pid, t->tid);
	else
		ksnprintf(tmp, sizeof(tmp), "%d", t->proc->pid);
	n = min_size(strlen(tmp), size);
	memcpy(buf, tmp, n);
	return (ssize_t)n;
}

static const struct pseudo_entry top[] = {
	{ .path = "self", .mode = LINK_MODE, .readlink = self_readlink },
	{ .path = "thread-self",
	  .mode = LINK_MODE,
	  .readlink = self_readlink,
	  .arg = (void *)1 },
	{ .path = "1/task",
	  .mode = DIR_MODE,
	  .lookup = task_lookup,
	  .iterate = task_iterate },
};

static void
register_entry(const struct pseudo_entry *e)
{
	int err = proc_register(e);

	if (err)
		log_err("proc: %s is missing (%d)", e->path, err);
}

void
process_proc_init(void)
{
	static struct pseudo_entry entries[ARRAY_SIZE(common)];
	static char paths[ARRAY_SIZE(common)][24];
	size_t i;

	uts_proc_init();
	for (i = 0; i < ARRAY_SIZE(top); i++)
		register_entry(&top[i]);
	for (i = 0; i < ARRAY_SIZE(common); i++) {
		entries[i] = common[i];
		ksnprintf(paths[i], sizeof(paths[i]), "1/%s", common[i].path);
		entries[i].path = paths[i];
		register_entry(&entries[i]);
	}
}
