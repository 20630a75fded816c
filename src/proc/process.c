/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process: its start, its threads coming and going, its end.
 *
 * Life of a thread: process_add_thread() links it and sets its ->proc, before
 * which nobody who finds it by its number may look at it; thread_start() runs
 * it,
 * process_thread_exit() unlinks it and drops what it holds; its signal state
 * goes with the last reference (someone may be sending to it).
 *
 * The end: the first to call process_exit() decides the status; it tells the
 * others to go (PENDING_KILL, seen on the way to user mode or in an
 * interruptible sleep), waits for them, closes the files, and ends the
 * machine by control_exit().  A thread that hangs in the kernel doesn't hold
 * that up for more than EXIT_WAIT_NS.
 *
 * Lock: process->lock; the list of threads is changed under sig.lock too, so
 * that a sender may walk it.
 */
#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/pith.h>
#include <abi/prctl.h>
#include <abi/resource.h>
#include <base/limits.h>
#include <base/string.h>
#include <core/clock.h>
#include <dev/control.h>
#include <dev/tty.h>
#include <file/async.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <fs/namei.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <proc/futex.h>
#include <proc/profile.h>
#include <proc/timers.h>
#include <vm/space.h>
#include <vm/uaccess.h>

#define EXIT_WAIT_NS (2 * NSEC_PER_SEC)

/* The program of the run block: signals from the host go to it. */
static struct process *first_process;
static bool program_over; /* [a] no thread of it runs any more */
static void (*end_hook)(void);
static void (*unmap_hook)(void);

/* What the run block says of limits; [I] once the program runs. */
static struct {
	bool given;
	uint64_t soft, hard;
} initial_limits[RLIM_COUNT];

struct start_args {
	const char *program, *cwd;
	char *const *argv, *const *envp;
	struct completion done;
	int err;
};

/* ---- limits ---- */

static void
limits_init(struct rlimits *l)
{
	uint64_t nproc = LIMIT_THREADS / 2;
	unsigned i;

	spin_init(&l->lock, RANK_FUTEX);
	for (i = 0; i < RLIM_COUNT; i++)
		l->soft[i] = l->hard[i] = RLIM_INFINITY;
	l->soft[RLIMIT_STACK] = 8u << 20;
	l->soft[RLIMIT_CORE] = 0;
	l->soft[RLIMIT_NPROC] = l->hard[RLIMIT_NPROC] = nproc;
	l->soft[RLIMIT_NOFILE] = 1024;
	l->hard[RLIMIT_NOFILE] = LIMIT_FDS;
	l->soft[RLIMIT_SIGPENDING] = l->hard[RLIMIT_SIGPENDING] = nproc;
	l->soft[RLIMIT_MSGQUEUE] = l->hard[RLIMIT_MSGQUEUE] = 819200;
	l->soft[RLIMIT_MEMLOCK] = l->hard[RLIMIT_MEMLOCK] = 8u << 20;
	l->soft[RLIMIT_NICE] = l->hard[RLIMIT_NICE] = 0;
	l->soft[RLIMIT_RTPRIO] = l->hard[RLIMIT_RTPRIO] = 0;
	for (i = 0; i < RLIM_COUNT; i++) {
		if (!initial_limits[i].given)
			continue;
		l->soft[i] = initial_limits[i].soft;
		l->hard[i] = initial_limits[i].hard;
	}
	/* The descriptor table has a ceiling of its own. */
	if (l->hard[RLIMIT_NOFILE] > LIMIT_FDS)
		l->hard[RLIMIT_NOFILE] = LIMIT_FDS;
	if (l->soft[RLIMIT_NOFILE] > l->hard[RLIMIT_NOFILE])
		l->soft[RLIMIT_NOFILE] = l->hard[RLIMIT_NOFILE];
}

int
process_initial_limit(uint32_t resource, uint64_t soft, uint64_t hard)
{
	if (resource >= RLIM_COUNT || soft > hard)
		return -EINVAL;
	initial_limits[resource].given = true;
	initial_limits[resource].soft = soft;
	initial_limits[resource].hard = hard;
	return 0;
}

/* ---- threads ---- */

/* RLIMIT_NPROC doesn't bind root. */
static bool
too_many(const struct process *p, const struct cred *c)
{
	return p->nthreads >= p->limits.soft[RLIMIT_NPROC] && c->uid != 0 &&
	       !cred_capable(c, CAP_SYS_RESOURCE) &&
	       !cred_capable(c, CAP_SYS_ADMIN);
}

int
process_add_thread(struct process *p, struct thread *t)
{
	irqflags_t f;
	int err = 0;

	mutex_lock(&p->lock);
	if (p->exiting || p->execer || too_many(p, t->cred)) {
		err = -EAGAIN;
	} else {
		f = spin_lock_irq(&p->sig.lock);
		list_add_tail(&p->threads, &t->proc_link);
		atomic_store_relaxed(&p->nthreads, p->nthreads + 1);
		if (p->stopped)
			atomic_or(&t->pending, PENDING_STOP);
		atomic_store_release(&t->proc, p);
		spin_unlock_irq(&p->sig.lock, f);
		if (!p->leader) {
			thread_get(t);
			p->leader = t;
		}
	}
	mutex_unlock(&p->lock);
	return err;
}

static void
interrupt_others(struct process *p, struct thread *t, uint32_t pending)
{
	struct thread *o;

	list_for_each_entry(o, &p->threads, proc_link)
		if (o != t)
			thread_interrupt(o, pending);
	wait_wake_all(&p->stop_wq, 0);
}

/* Until the caller is alone: 0, -EINTR (it is to execute a program, but the
 * process ends), -ETIMEDOUT.  Signals don't end it. */
static int
wait_alone(struct process *p, bool exec, uint64_t deadline_ns)
{
	struct wait_entry e;
	int err = 0;

	wait_start(&p->exec_wq, &e, false);
	while (atomic_load_acquire(&p->nthreads) > 1 && !err) {
		if (exec && atomic_load_acquire(&p->exiting))
			err = -EINTR;
		else
			err = wait_sleep(&e, deadline_ns);
	}
	wait_end(&p->exec_wq, &e);
	return atomic_load_acquire(&p->nthreads) > 1 ? err : 0;
}

int
process_kill_others(struct thread *t)
{
	struct process *p = t->proc;
	struct thread *old = NULL;
	irqflags_t f;
	int err = 0;

	mutex_lock(&p->lock);
	if (p->exiting || p->execer)
		err = -EAGAIN;
	else
		p->execer = t;
	if (!err)
		interrupt_others(p, t, PENDING_KILL);
	mutex_unlock(&p->lock);
	if (err)
		return err;
	/* Uninterruptible: a signal that comes meanwhile finds the new
	 * program, as on Linux; the others do end. */
	err = wait_alone(p, true, TIME_NEVER);
	mutex_lock(&p->lock);
	p->execer = NULL;
	if (!err && p->leader != t) {
		thread_get(t);
		f = spin_lock_irq(&p->sig.lock);
		old = p->leader;
		p->leader = t;
		spin_unlock_irq(&p->sig.lock, f);
		thread_take_tid(t, p->pid);
	}
	mutex_unlock(&p->lock);
	if (old)
		thread_put(old);
	return err;
}

/* What a thread owes the program's memory when it ends. */
static void
exit_memory(struct thread *t)
{
	vaddr_t tid_addr = t->clear_tid;
	uint32_t zero = 0;

	if (t->robust_list)
		futex_exit_robust(t);
	t->clear_tid = 0;
	/* The last thread has nobody to tell. */
	if (!tid_addr || atomic_load_relaxed(&t->proc->nthreads) == 1)
		return;
	if (!copy_to_user((void __user *)tid_addr, &zero, sizeof(zero)))
		ignore(futex_wake(t, (uint32_t __user *)tid_addr, true, 1,
				  ~0u)); /* nobody waits: nothing to do */
}

static void
drop_resources(struct thread *t)
{
	struct fs_context *fs = t->fsctx;

	if (t->fds)
		fdtable_put(t->fds);
	t->fds = NULL;
	/* /proc of another thread may look at it. */
	atomic_store_release(&t->fsctx, NULL);
	fs_context_put(fs);
}

void
process_on_end(void (*fn)(void))
{
	end_hook = fn;
}

void
process_before_unmap(void (*fn)(void))
{
	unmap_hook = fn;
}

void
process_stop_io(void)
{
	if (unmap_hook)
		unmap_hook();
}

NORETURN static void
end_machine(struct process *p, struct thread *t)
{
	profile_end(t->space);
	process_stop_io();
	drop_resources(t);
	/* A file that has lost its last name goes with its last mapping. */
	if (t->space && vfs_any_writer())
		vm_unmap_all(t->space);
	atomic_store_release(&program_over, true);
	if (end_hook)
		end_hook();
	control_exit(p->exit_kind, p->exit_code);
}

/* Unlinks t; true: it was the last. */
static bool
unlink_thread(struct process *p, struct thread *t, int status)
{
	irqflags_t f;
	bool last;

	mutex_lock(&p->lock);
	if (t == p->leader)
		p->leader_status = status;
	p->dead_nvcsw += t->nvcsw;
	p->dead_nivcsw += t->nivcsw;
	last = p->nthreads == 1;
	if (!last) {
		f = spin_lock_irq(&p->sig.lock);
		process_keep_cpu_times(p, t);
		list_del(&t->proc_link);
		/* At once: a timer whose signal is in t's queue looks for it
		 * in the threads that are linked. */
		signal_thread_exit_locked(t);
		atomic_store_release(&p->nthreads, p->nthreads - 1);
		spin_unlock_irq(&p->sig.lock, f);
		wait_wake_all(&p->exec_wq, 0);
	} else if (!p->exiting) {
		p->exiting = true;
		p->exit_kind = PITH_EXIT_STATUS;
		p->exit_code = (uint32_t)p->leader_status & 0xff;
	}
	mutex_unlock(&p->lock);
	return last;
}

NORETURN void
process_thread_exit(int status)
{
	struct thread *t = thread_current();
	struct process *p = t->proc;

	exit_memory(t);
	if (atomic_load_acquire(&p->nthreads) > 1)
		drop_resources(t);
	if (unlink_thread(p, t, status))
		end_machine(p, t);
	thread_exit();
}

NORETURN void
process_exit(uint32_t kind, uint32_t code)
{
	struct thread *t = thread_current();
	struct process *p = t->proc;
	bool mine;

	mutex_lock(&p->lock);
	/* A thread that executes a program has told this one to end already;
	 * only a signal's death is the whole process's all the same. */
	mine = !p->exiting && (!p->execer || kind == PITH_EXIT_SIGNAL);
	if (mine) {
		atomic_store_release(&p->exiting, true);
		p->exit_kind = kind;
		p->exit_code = code;
		interrupt_others(p, t, PENDING_KILL);
		wait_wake_all(&p->exec_wq, 0);
	}
	mutex_unlock(&p->lock);
	if (!mine)
		process_thread_exit(0);
	/* One that hangs in the kernel is left behind: the machine ends. */
	ignore(wait_alone(p, false, clock_mono_ns() + EXIT_WAIT_NS));
	end_machine(p, t);
}

/* Under sched's last reference: may be anywhere, must not sleep. */
static void
release_thread(struct thread *t)
{
	kfree(t->sig);
	if (t->cred)
		cred_put(t->cred);
}

/* Looked at only when somebody asks: a peak in between is not seen. */
uint64_t
process_max_rss(struct process *p)
{
	uint64_t rss = p->space ? p->space->rss_anon + p->space->rss_file : 0;

	if (rss > p->max_rss)
		p->max_rss = rss;
	return p->max_rss;
}

/* ---- the way to user mode ---- */

/* Stopped by SIGSTOP: until SIGCONT or the end. */
static void
wait_continued(struct process *p, struct thread *t)
{
	struct wait_entry e;

	wait_start(&p->stop_wq, &e, false);
	while (atomic_load_acquire(&p->stopped) &&
	       !(atomic_load_relaxed(&t->pending) & PENDING_KILL))
		ignore(wait_sleep(&e, TIME_NEVER)); /* not interruptible */
	wait_end(&p->stop_wq, &e);
}

static void
user_work(struct thread *t, struct regs *r)
{
	uint32_t pending = atomic_load_acquire(&t->pending);

	if (pending & PENDING_STOP) {
		atomic_and(&t->pending, ~PENDING_STOP);
		wait_continued(t->proc, t);
		/* An interrupted call may have to be restarted. */
		pending = atomic_load_acquire(&t->pending) | PENDING_SIGNAL;
	}
	if (pending & PENDING_KILL)
		process_thread_exit(0);
	if (pending & PENDING_RSEQ) {
		atomic_and(&t->pending, ~PENDING_RSEQ);
		rseq_update(t, r);
	}
	if (pending & PENDING_SIGNAL)
		signal_deliver(t, r);
	/* Not ours to look at: the tracer reads it elsewhere. */
	if (pending & PENDING_TRACE)
		atomic_and(&t->pending, ~PENDING_TRACE);
}

/* ---- the first process ---- */

static void
host_signal(const void *payload, size_t len)
{
	uint32_t sig;

	if (len != sizeof(sig))
		return;
	memcpy(&sig, payload, sizeof(sig));
	if (sig >= 1 && sig <= NSIG && first_process)
		/* A full queue: the host sends again. */
		ignore(signal_send_process(first_process, (int)sig, NULL));
}

void
process_kill(uint64_t wait_ns)
{
	uint64_t until = clock_mono_ns() + wait_ns;

	if (!first_process || signal_send_process(first_process, SIGKILL, NULL))
		return;
	while (!atomic_load_acquire(&program_over) && clock_mono_ns() < until)
		thread_delay(NSEC_PER_SEC / 1000);
}

/* ---- what the terminals ask ---- */

static int
job_session(bool *leader)
{
	struct process *p = thread_current()->proc;

	*leader = p && p->sid == p->pid;
	return p ? p->sid : 0;
}

static int
job_session_of(int pgrp)
{
	struct process *p = first_process;

	return p && p->pgid == pgrp ? p->sid : -ESRCH;
}

static void
job_signal(int pgrp, int sig)
{
	struct process *p = first_process;

	if (p && p->pgid == pgrp)
		ignore(signal_send_process(p, sig, NULL)); /* it is dying */
}

static const struct tty_jobs tty_jobs = {
	.session = job_session,
	.session_of = job_session_of,
	.signal = job_signal,
};

/* ---- what owned files ask ---- */

static bool
owner_exists(int type, int id)
{
	struct process *p = first_process;
	struct thread *t;

	if (type == F_OWNER_TID) {
		t = thread_find(id);
		if (t)
			thread_put(t);
		return t;
	}
	return p && id == (type == F_OWNER_PID ? p->pid : p->pgid);
}

static void
owner_send(int type, int id, int sig, const struct siginfo *info)
{
	struct process *p = first_process;
	struct thread *t;
	int err = 0;

	if (type == F_OWNER_TID) {
		t = thread_find(id);
		if (!t)
			return;
		err = t->proc ? signal_send_thread(t, sig, info) : 0;
		thread_put(t);
	} else if (owner_exists(type, id)) {
		err = signal_send_process(p, sig, info);
	}
	if (err && info)
		owner_send(type, id, SIGIO, NULL); /* the queue is full */
}

static void
owner_signal(int type, int id, int sig, int code, uint32_t band, int fd)
{
	struct siginfo info = { .si_signo = sig, .si_code = code };

	info.u.poll.band = band;
	info.u.poll.fd = fd;
	owner_send(type, id, sig ? sig : SIGIO, sig ? &info : NULL);
}

static const struct file_owner_ops owner_ops = {
	.exists = owner_exists,
	.signal = owner_signal,
};

void
process_urgent(int owner)
{
	struct process *p = first_process;

	if (p && (owner == p->pid || owner == -p->pgid))
		ignore(signal_send_process(p, SIGURG, NULL)); /* same */
}

static struct process *
process_create(bool aslr)
{
	struct process *p = kzalloc(sizeof(*p), ALLOC_KERNEL);

	if (!p)
		return NULL;
	mutex_init(&p->lock, RANK_PROCESS);
	list_init(&p->threads);
	waitq_init(&p->exec_wq);
	waitq_init(&p->stop_wq);
	signal_process_init(p);
	limits_init(&p->limits);
	p->start_ns = clock_mono_ns();
	p->aslr = aslr;
	p->dumpable = true;
	p->timer_slack_ns = 50000;
	if (timers_init(p)) {
		kfree(p);
		return NULL;
	}
	return p;
}

static int
install_stdio(struct fdtable *fds, struct file *const stdio[3])
{
	int i, fd;

	for (i = 0; i < 3; i++) {
		if (!stdio[i])
			continue;
		fd = fd_reserve(fds, i, false);
		if (fd < 0)
			return fd;
		file_get(stdio[i]);
		fd_install(fds, fd, stdio[i]);
	}
	return 0;
}

/* The first thread: executes the program, or says why not. */
static void
first_thread(void *arg)
{
	struct start_args *a = arg;
	int err = path_chdir(a->cwd);

	if (!err)
		err = process_exec(-100, a->program, a->argv, a->envp, 0);
	a->err = err;
	completion_done(&a->done);
	if (!err)
		thread_enter_user();
}

static int
first_thread_setup(struct process *p, struct thread *t,
		   struct file *const stdio[3], uint32_t uid, uint32_t gid,
		   const uint32_t *groups, unsigned ngroups, uint32_t mask)
{
	int err;

	t->proc = p;
	t->tgid = t->tid;
	err = signal_thread_init(t, NULL);
	if (err)
		return err;
	err = cred_create(uid, gid, groups, ngroups, &t->cred);
	if (err)
		return err;
	err = fdtable_create(&t->fds);
	if (err)
		return err;
	fdtable_set_limit(t->fds, p->limits.soft[RLIMIT_NOFILE]);
	err = install_stdio(t->fds, stdio);
	if (err)
		return err;
	err = fs_context_create(&t->fsctx);
	if (err)
		return err;
	t->fsctx->umask = mask & 0777;
	p->pid = p->pgid = p->sid = t->tid;
	cpu_limit_changed(p);
	return process_add_thread(p, t);
}

/* What fails here is memory: the kernel ends next, nothing is taken back. */
int
process_start(const char *program, char *const argv[], char *const envp[],
	      struct file *const stdio[3], uint32_t uid, uint32_t gid,
	      const uint32_t *groups, unsigned ngroups, uint32_t umask,
	      const char *cwd, bool aslr)
{
	struct start_args a = {
		.program = program,
		.cwd = cwd ? cwd : "/",
		.argv = argv,
		.envp = envp,
	};
	struct regs regs;
	struct process *p;
	struct thread *t;
	int err;

	memset(&regs, 0, sizeof(regs));
	sched_set_user_work(user_work);
	sched_set_release(release_thread);
	p = process_create(aslr);
	if (!p)
		return -ENOMEM;
	process_rlimits = &p->limits;
	err = thread_create_user("init", &regs, &t);
	if (err)
		return err;
	err = first_thread_setup(p, t, stdio, uid, gid, groups, ngroups, umask);
	if (err)
		return err;
	completion_init(&a.done);
	t->start_fn = first_thread;
	t->start_arg = &a;
	first_process = p;
	control_on(PITH_FRAME_SIGNAL, host_signal);
	tty_on_jobs(&tty_jobs, p->sid, p->pgid);
	file_on_owner(&owner_ops);
	thread_start(t);
	completion_wait(&a.done);
	return a.err;
}
