/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process: numbers, clone, execve, exit, waiting (there are no children),
 * limits and usage, names.
 */
#include <linux/syscalls_gen.h>

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/pith.h>
#include <abi/prctl.h>
#include <abi/resource.h>
#include <abi/sched.h>
#include <abi/time.h>
#include <abi/utsname.h>
#include <abi/wait.h>
#include <arch/context.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <dev/tty.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <fs/pseudo.h>
#include <fs/vfs.h>
#include <linux/cred_prctl.h>
#include <linux/usertime.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <proc/process.h>
#include <proc/timers.h>
#include <proc/uts.h>
#include <sched/thread.h>
#include <vm/space.h>
#include <vm/uaccess.h>

/* ---- numbers ---- */

long
sys_getpid(struct thread *t)
{
	return t->proc->pid;
}

long
sys_getppid(struct thread *t)
{
	return t->proc->ppid;
}

long
sys_gettid(struct thread *t)
{
	return t->tid;
}

long
sys_getpgrp(struct thread *t)
{
	return t->proc->pgid;
}

static bool
is_self(struct thread *t, int pid)
{
	return !pid || pid == t->proc->pid;
}

long
sys_getpgid(struct thread *t, int pid)
{
	return is_self(t, pid) ? t->proc->pgid : -ESRCH;
}

long
sys_getsid(struct thread *t, int pid)
{
	return is_self(t, pid) ? t->proc->sid : -ESRCH;
}

/* The program is the leader of its session and its group. */
long
sys_setpgid(struct thread *t, int pid, int pgid)
{
	if ((pgid ? pgid : pid) < 0)
		return -EINVAL;
	return is_self(t, pid) ? -EPERM : -ESRCH;
}

long
sys_setsid(struct thread *t)
{
	(void)t;
	return -EPERM;
}

long
sys_vhangup(struct thread *t)
{
	if (!cred_capable(t->cred, CAP_SYS_TTY_CONFIG))
		return -EPERM;
	tty_hangup_session(t->proc->sid);
	return 0;
}

long
sys_set_tid_address(struct thread *t, vaddr_t addr)
{
	t->clear_tid = addr;
	return t->tid;
}

/* ---- clone ---- */

long
sys_clone(struct thread *t, uint64_t flags, vaddr_t stack, vaddr_t parent_tid,
	  vaddr_t child_tid, uint64_t tls)
{
	struct clone_args a = {
		.flags = (uint32_t)flags & ~CSIGNAL,
		.exit_signal = flags & CSIGNAL,
		.stack = stack,
		.parent_tid = parent_tid,
		.pidfd = parent_tid,
		.child_tid = child_tid,
		.tls = tls,
	};

	return process_clone(t, &a);
}

long
sys_clone3(struct thread *t, const void __user *uargs, size_t size)
{
	struct clone_args a;
	uint8_t rest[64];
	size_t at, n, i;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	memset(&a, 0, sizeof(a));
	if (copy_from_user(&a, uargs, min_size(size, sizeof(a))))
		return -EFAULT;
	/* What a later Linux added must be zero. */
	for (at = sizeof(a); at < size; at += n) {
		n = min_size(size - at, sizeof(rest));
		if (copy_from_user(rest, (const char __user *)uargs + at, n))
			return -EFAULT;
		for (i = 0; i < n; i++)
			if (rest[i])
				return -E2BIG;
	}
	if (a.flags & (CLONE_DETACHED | CSIGNAL) || a.exit_signal > CSIGNAL)
		return -EINVAL;
	if ((a.flags & (CLONE_THREAD | CLONE_PARENT)) && a.exit_signal)
		return -EINVAL;
	if (!a.stack != !a.stack_size)
		return -EINVAL;
	return process_clone(t, &a);
}

long
sys_fork(struct thread *t)
{
	struct clone_args a = { 0 };

	return process_clone(t, &a);
}

long
sys_vfork(struct thread *t)
{
	struct clone_args a = { .flags = CLONE_VFORK | CLONE_VM };

	return process_clone(t, &a);
}

/* ---- execve ---- */

static void
free_vector(char **v)
{
	size_t i;

	for (i = 0; v && v[i]; i++)
		kfree(v[i]);
	kfree(v);
}

/* One string of at most 128 KB (MAX_ARG_STRLEN of Linux). */
static int
copy_string(uint64_t addr, uint64_t *budget, char **out)
{
	size_t size = 256, max = min_u64(131072, *budget);
	ssize_t n;
	char *s;

	for (;;) {
		s = kmalloc(size, ALLOC_KERNEL);
		if (!s)
			return -ENOMEM;
		n = copy_string_from_user(s, (const char __user *)addr, size);
		if (n >= 0)
			break;
		kfree(s);
		if (n != -ENAMETOOLONG)
			return (int)n;
		if (size >= max)
			return -E2BIG;
		size *= 8;
		if (size > 131072)
			size = 131072;
	}
	*budget -= min_u64((uint64_t)n + 1 + sizeof(char *), *budget);
	*out = s;
	return 0;
}

static int
grow_vector(char ***v, size_t n, size_t *cap)
{
	char **w;

	if (n + 1 < *cap)
		return 0;
	w = kcalloc(*cap * 2, sizeof(*w), ALLOC_KERNEL);
	if (!w)
		return -ENOMEM;
	if (*v)
		memcpy(w, *v, n * sizeof(*w));
	kfree(*v);
	*v = w;
	*cap *= 2;
	return 0;
}

/* A NULL-terminated vector of strings; NULL counts as empty, as on Linux. */
static int
copy_vector(const void __user *uv, uint64_t *budget, char ***out)
{
	size_t n = 0, cap = 16;
	char **v = NULL;
	uint64_t p;
	int err;

	for (;;) {
		err = v ? grow_vector(&v, n, &cap) : grow_vector(&v, 32, &cap);
		if (err)
			break;
		p = 0;
		if (uv && copy_from_user(&p, (const char __user *)uv + n * 8,
					 sizeof(p)))
			err = -EFAULT;
		if (err || !p)
			break;
		err = *budget ? copy_string(p, budget, &v[n]) : -E2BIG;
		if (err)
			break;
		n++;
	}
	if (err)
		free_vector(v);
	else
		*out = v;
	return err;
}

static long
do_exec(int dfd, const char __user *upath, const void __user *uargv,
	const void __user *uenvp, int flags)
{
	char *path = kmalloc(PATH_MAX_BYTES, ALLOC_KERNEL);
	char **argv = NULL, **envp = NULL;
	uint64_t budget = LIMIT_ARG_BYTES;
	ssize_t n;
	int err;

	if (!path)
		return -ENOMEM;
	n = copy_string_from_user(path, upath, PATH_MAX_BYTES);
	err = n < 0 ? (int)n : 0;
	if (!err && !*path && !(flags & AT_EMPTY_PATH))
		err = -ENOENT;
	if (!err)
		err = copy_vector(uargv, &budget, &argv);
	if (!err)
		err = copy_vector(uenvp, &budget, &envp);
	if (!err)
		err = process_exec(dfd, path, argv, envp, (unsigned)flags);
	free_vector(argv);
	free_vector(envp);
	kfree(path);
	return err;
}

long
sys_execve(struct thread *t, const char __user *path, const void __user *argv,
	   const void __user *envp)
{
	(void)t;
	return do_exec(AT_FDCWD, path, argv, envp, 0);
}

long
sys_execveat(struct thread *t, int dfd, const char __user *path,
	     const void __user *argv, const void __user *envp, int flags)
{
	(void)t;
	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	return do_exec(dfd, path, argv, envp, flags);
}

/* ---- the end, and waiting ---- */

long
sys_exit(struct thread *t, int status)
{
	(void)t;
	process_thread_exit(status);
}

long
sys_exit_group(struct thread *t, int status)
{
	(void)t;
	process_exit(PITH_EXIT_STATUS, (uint32_t)status & 0xff);
}

long
sys_wait4(struct thread *t, int pid, void __user *status, int options,
	  void __user *usage)
{
	(void)t;
	(void)status;
	(void)usage;
	if ((uint32_t)options & ~((uint32_t)WNOHANG | WUNTRACED | WCONTINUED |
				  W__NOTHREAD | W__ALL | W__CLONE))
		return -EINVAL;
	return pid == INT32_MIN ? -ESRCH : -ECHILD;
}

long
sys_waitid(struct thread *t, int which, int pid, void __user *info, int options,
	   void __user *usage)
{
	(void)t;
	(void)info;
	(void)usage;
	if ((uint32_t)options &
		    ~((uint32_t)WNOHANG | WNOWAIT | WEXITED | WSTOPPED |
		      WCONTINUED | W__NOTHREAD | W__ALL | W__CLONE) ||
	    !(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	if (which < P_ALL || which > P_PIDFD || (which == P_PID && pid <= 0) ||
	    (which == P_PGID && pid < 0))
		return -EINVAL;
	return which == P_PIDFD ? -EBADF : -ECHILD;
}

/* ---- limits ---- */

static int
set_limit(struct thread *t, unsigned r, const struct rlimit64 *l)
{
	struct rlimits *ls = &t->proc->limits;
	int err = 0;

	if (l->rlim_cur > l->rlim_max)
		return -EINVAL;
	if (r == RLIMIT_NOFILE && l->rlim_max > LIMIT_FDS)
		return -EPERM;
	spin_lock(&ls->lock);
	if (l->rlim_max > ls->hard[r] &&
	    !cred_capable(t->cred, CAP_SYS_RESOURCE)) {
		err = -EPERM;
	} else {
		ls->soft[r] = l->rlim_cur;
		ls->hard[r] = l->rlim_max;
	}
	spin_unlock(&ls->lock);
	if (err)
		return err;
	if (r == RLIMIT_CPU)
		cpu_limit_changed(t->proc);
	if (r == RLIMIT_STACK) /* a fault looks there */
		t->space->stack_limit = l->rlim_cur;
	if (r == RLIMIT_NOFILE)
		fdtable_set_limit(t->fds, l->rlim_cur);
	return 0;
}

static void
get_limit(struct thread *t, unsigned r, struct rlimit64 *l)
{
	struct rlimits *ls = &t->proc->limits;

	spin_lock(&ls->lock);
	l->rlim_cur = ls->soft[r];
	l->rlim_max = ls->hard[r];
	spin_unlock(&ls->lock);
}

long
sys_prlimit64(struct thread *t, int pid, uint32_t resource,
	      const void __user *unew, void __user *uold)
{
	struct rlimit64 n, o;
	int err = 0;

	if (resource >= RLIMIT_NLIMITS)
		return -EINVAL;
	if (unew && copy_from_user(&n, unew, sizeof(n)))
		return -EFAULT;
	if (!is_self(t, pid))
		return -ESRCH;
	get_limit(t, resource, &o);
	if (unew)
		err = set_limit(t, resource, &n);
	if (!err && uold && copy_to_user(uold, &o, sizeof(o)))
		err = -EFAULT;
	return err;
}

long
sys_getrlimit(struct thread *t, uint32_t resource, void __user *old)
{
	struct rlimit64 o;

	if (resource >= RLIMIT_NLIMITS)
		return -EINVAL;
	get_limit(t, resource, &o);
	return copy_to_user(old, &o, sizeof(o));
}

long
sys_setrlimit(struct thread *t, uint32_t resource, const void __user *new)
{
	struct rlimit64 n;

	if (resource >= RLIMIT_NLIMITS)
		return -EINVAL;
	if (copy_from_user(&n, new, sizeof(n)))
		return -EFAULT;
	return set_limit(t, resource, &n);
}

/* ---- usage ---- */

static void
fill_usage(struct thread *t, struct rusage *u, bool thread_only)
{
	struct process *p = t->proc;
	struct cpu_times c =
		thread_only ? thread_cpu_times(t) : process_cpu_times(p);
	struct timeval tv = ns_timeval(c.user_ns);
	struct thread *o;
	irqflags_t f;

	u->utime_sec = tv.tv_sec;
	u->utime_usec = tv.tv_usec;
	tv = ns_timeval(c.system_ns);
	u->stime_sec = tv.tv_sec;
	u->stime_usec = tv.tv_usec;
	u->ru_maxrss = (int64_t)process_max_rss(p) * 4;
	u->ru_minflt = (int64_t)p->space->minflt;
	u->ru_majflt = (int64_t)p->space->majflt;
	if (thread_only) {
		u->ru_nvcsw = (int64_t)t->nvcsw;
		u->ru_nivcsw = (int64_t)t->nivcsw;
		return;
	}
	f = spin_lock_irq(&p->sig.lock);
	u->ru_nvcsw = (int64_t)p->dead_nvcsw;
	u->ru_nivcsw = (int64_t)p->dead_nivcsw;
	list_for_each_entry(o, &p->threads, proc_link) {
		u->ru_nvcsw += (int64_t)o->nvcsw;
		u->ru_nivcsw += (int64_t)o->nivcsw;
	}
	spin_unlock_irq(&p->sig.lock, f);
}

long
sys_getrusage(struct thread *t, int who, void __user *usage)
{
	struct rusage u;

	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN &&
	    who != RUSAGE_THREAD)
		return -EINVAL;
	memset(&u, 0, sizeof(u));
	if (who != RUSAGE_CHILDREN)
		fill_usage(t, &u, who == RUSAGE_THREAD);
	return copy_to_user(usage, &u, sizeof(u));
}

long
sys_times(struct thread *t, void __user *buf)
{
	const uint64_t tick = NSEC_PER_SEC / USER_HZ;
	struct cpu_times c = process_cpu_times(t->proc);
	struct tms v = { .tms_utime = (int64_t)(c.user_ns / tick),
			 .tms_stime = (int64_t)(c.system_ns / tick) };

	if (buf && copy_to_user(buf, &v, sizeof(v)))
		return -EFAULT;
	return (long)(clock_mono_ns() / tick);
}

long
sys_sysinfo(struct thread *t, void __user *info)
{
	struct mem_stats m;
	struct sysinfo s;
	uint64_t load[3];
	unsigned i;

	memset(&s, 0, sizeof(s));
	mem_stats_get(&m);
	load_averages(load);
	for (i = 0; i < 3; i++)
		s.loads[i] = load[i] << (SI_LOAD_SHIFT - 11);
	s.uptime = (int64_t)(clock_mono_ns() / NSEC_PER_SEC);
	s.totalram = m.total * PAGE_SIZE;
	s.freeram = m.free * PAGE_SIZE;
	s.sharedram = m.shmem * PAGE_SIZE;
	s.procs = (uint16_t)min_u64(t->proc->nthreads, UINT16_MAX);
	s.mem_unit = 1;
	return copy_to_user(info, &s, sizeof(s));
}

/* ---- names ---- */

long
sys_uname(struct thread *t, void __user *buf)
{
	struct utsname u;

	(void)t;
	uts_get(&u);
	return copy_to_user(buf, &u, sizeof(u));
}

static long
set_name(struct thread *t, const void __user *name, int len,
	 int (*set)(const char *, size_t))
{
	char buf[UTS_LEN];

	if (!cred_capable(t->cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > UTS_LEN)
		return -EINVAL;
	if (copy_from_user(buf, name, (size_t)len))
		return -EFAULT;
	return set(buf, (size_t)len);
}

long
sys_sethostname(struct thread *t, const void __user *name, int len)
{
	return set_name(t, name, len, uts_set_hostname);
}

long
sys_setdomainname(struct thread *t, const void __user *name, int len)
{
	return set_name(t, name, len, uts_set_domainname);
}

/* ---- personality, arch_prctl, prctl ---- */

long
sys_personality(struct thread *t, uint32_t persona)
{
	uint32_t old = t->proc->personality;

	if (persona == 0xffffffffu)
		return old;
	/* PER_LINUX, and no randomisation at the next exec. */
	if (persona & ~ADDR_NO_RANDOMIZE)
		return -EINVAL;
	t->proc->personality = persona;
	return old;
}

long
sys_arch_prctl(struct thread *t, int op, uint64_t addr)
{
	return arch_prctl(t, &t->arch, op, addr);
}

static long
prctl_name(struct thread *t, int option, uint64_t arg)
{
	char name[sizeof(t->name)];
	ssize_t n;

	if (option == PR_GET_NAME)
		return copy_to_user((void __user *)arg, t->name,
				    sizeof(t->name));
	memset(name, 0, sizeof(name));
	n = copy_string_from_user(name, (const char __user *)arg, sizeof(name));
	if (n < 0 && n != -ENAMETOOLONG)
		return n;
	name[sizeof(name) - 1] = '\0';
	memcpy(t->name, name, sizeof(name));
	return 0;
}

static long
prctl_flags(struct process *p, int option, const uint64_t a[4])
{
	int value;

	switch (option) {
	case PR_SET_PDEATHSIG:
		if (a[0] > NSIG)
			return -EINVAL;
		p->pdeath_sig = (int)a[0];
		return 0;
	case PR_GET_PDEATHSIG:
		value = p->pdeath_sig;
		return copy_to_user((void __user *)a[0], &value, sizeof(value));
	case PR_GET_DUMPABLE:
		return p->dumpable;
	case PR_SET_DUMPABLE:
		if (a[0] > 1)
			return -EINVAL;
		p->dumpable = a[0];
		return 0;
	case PR_SET_NO_NEW_PRIVS:
		if (a[0] != 1 || a[1] || a[2] || a[3])
			return -EINVAL;
		p->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return a[0] || a[1] || a[2] || a[3] ? -EINVAL : p->no_new_privs;
	case PR_SET_THP_DISABLE:
		if (a[1] || a[2] || a[3])
			return -EINVAL;
		p->thp_disabled = a[0];
		p->space->no_huge = a[0];
		return 0;
	case PR_GET_THP_DISABLE:
		return a[0] || a[1] || a[2] || a[3] ? -EINVAL : p->thp_disabled;
	case PR_SET_CHILD_SUBREAPER: /* there are no children to reap */
		p->subreaper = a[0];
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		value = p->subreaper;
		return copy_to_user((void __user *)a[0], &value, sizeof(value));
	default:
		return -EINVAL;
	}
}

long
sys_prctl(struct thread *t, int option, uint64_t a2, uint64_t a3, uint64_t a4,
	  uint64_t a5)
{
	const uint64_t a[4] = { a2, a3, a4, a5 };
	uint32_t one = 1;

	switch (option) {
	case PR_SET_NAME:
	case PR_GET_NAME:
		return prctl_name(t, option, a2);
	case PR_GET_KEEPCAPS:
	case PR_SET_KEEPCAPS:
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
	case PR_GET_SECUREBITS:
	case PR_SET_SECUREBITS:
	case PR_CAP_AMBIENT:
		return cred_prctl(t, option, a);
	case PR_GET_TIMING:
	case PR_GET_SECCOMP:
		return 0;
	case PR_SET_TIMING:
		return a2 ? -EINVAL : 0;
	case PR_GET_TSC:
		return copy_to_user((void __user *)a2, &one, sizeof(one));
	case PR_SET_TSC:
		return a2 == 1 ? 0 : -EINVAL;
	case PR_SET_TIMERSLACK:
		/* Timers are exact; the value is kept for PR_GET. */
		t->proc->timer_slack_ns = (int64_t)a2 > 0 ? a2 : 50000;
		return 0;
	case PR_GET_TIMERSLACK:
		return (long)t->proc->timer_slack_ns;
	case PR_GET_TID_ADDRESS:
		return copy_to_user((void __user *)a2, &t->clear_tid,
				    sizeof(t->clear_tid));
	default:
		return prctl_flags(t->proc, option, a);
	}
}
