/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random system calls with hostile arguments: bad and boundary pointers,
 * structures of such pointers, lengths of all kinds, memory that another
 * thread unmaps and write-protects meanwhile, threads and signal frames made
 * of noise.  The kernel is to survive it; so is this program, which therefore
 * keeps what it stands on: its own text and stacks, descriptors 0 to 2, the
 * handlers of its signals.  Not to be run on the host.
 *
 *	syscalls SEED CALLS	ends with "CALLS calls, alive"
 *
 * calls.h is made of src/linux/syscalls.tbl by test_syscalls.py: one row
 * { number, nargs, { kinds } } each.  Nothing here uses thread-local storage
 * outside main (built without stack protector), as workers lose theirs.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum kind {
	K_VALUE,
	K_FD,
	K_PATH,
	K_PTR,
	K_LEN,
	K_ADDR,
	K_SIG,
	K_FLAGS,
	K_MASK
};
struct call {
	int nr, nargs;
	unsigned char kind[6];
};
#include "calls.h"

#define NCALLS	 (sizeof(calls) / sizeof(calls[0]))
#define WORKERS	 3
#define STACK	 65536
#define TOP	 0x7ffffffff000ul
#define ARENA_SZ (16ul << 20)
#define ARENA	 (TOP - ARENA_SZ)
#define SOUP	 (1ul << 20) /* the arena's first bytes: words to point at */
#define BIG	 (2ul << 20)
#define RECENT	 16

struct worker {
	uint64_t rng;
	long tid, calls;
	int nr; /* of the call it is in */
	uint64_t args[6];
	volatile int done;
	void *jump[5];
	struct {
		uint64_t at, len;
	} recent[RECENT];
	char tls[4096] __attribute__((aligned(64)));
	char stack[STACK] __attribute__((aligned(64)));
	char alt[STACK] __attribute__((aligned(64)));
	char frame[8192] __attribute__((aligned(64)));
};

static struct worker workers[WORKERS + 1]; /* the last one only unmaps */
static const uint64_t all_signals = -1ul;
static const uint64_t no_signals; /* a mask; SIGUSR1 always gets through */
static const uint64_t a_mask = 1ul << (SIGUSR2 - 1);
static const struct rlimit large = { 1ul << 30, 1ul << 30 };

static const char *const paths[] = {
	"/",
	".",
	"..",
	"/tmp",
	"/tmp/a",
	"/tmp/b",
	"/tmp/c",
	"/tmp/d/e",
	"a",
	"b/c",
	"/tmp/d",
	"",
	"/no/such",
	"/proc",
	"/proc/self/maps",
	"/proc/self/fd",
	"/proc/self/task",
	"/proc/self/status",
	"/proc/stat",
	"/proc/self/fd/5",
	"/proc/sys/kernel/hostname",
	"/proc/mounts",
	"/sys",
	"/dev/zero",
	"/dev/full",
	"/dev/null",
	"/dev/urandom",
	"/dev/shm/f",
	"/dev/fd/4",
	"/etc",
	"/etc/passwd",
	"//tmp//a/",
	"/tmp/a/../b",
	"/tmp/link",
	"/tmp/loop",
	"/tmp/fifo",
	"/tmp/sock",
	"tmpfs",
	"proc",
	"user.x",
	"trusted.y",
	"system.posix_acl_access",
	"fuzz",
};

static long
raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e,
			  r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

/* For calls that may make a thread: the new one ends at once, without a
 * stack. */
static long
raw_clone(long nr, const uint64_t *a)
{
	register long r10 __asm__("r10") = (long)a[3],
			  r8 __asm__("r8") = (long)a[4];
	long r;

	__asm__ volatile("syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "mov $60, %%eax\n"
			 "xor %%edi, %%edi\n"
			 "syscall\n"
			 "1:"
			 : "=a"(r)
			 : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10),
			   "r"(r8)
			 : "rcx", "r11", "memory");
	return r;
}

static uint64_t
rnd(struct worker *w)
{
	uint64_t x = w->rng += 0x9e3779b97f4a7c15ul;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ul;
	x = (x ^ x >> 27) * 0x94d049bb133111ebul;
	return x ^ x >> 31;
}

static uint64_t
below(struct worker *w, uint64_t n)
{
	return rnd(w) % n;
}

/* ---- arguments ---- */

static uint64_t
arena(struct worker *w)
{
	uint64_t page = ARENA + below(w, ARENA_SZ >> 12) * 4096;

	switch (below(w, 6)) {
	case 0:
		return ARENA + below(w, SOUP) / 8 * 8;
	case 1:
		return ARENA + below(w, ARENA_SZ);
	case 2:
		return page;
	case 3:
		return page + 4096 - below(w, 64);
	default:
		return ARENA + below(w, SOUP >> 12) * 4096 + below(w, 4096);
	}
}

static uint64_t
interesting(struct worker *w)
{
	static const uint64_t v[] = {
		0,
		1,
		2,
		7,
		8,
		4095,
		4096,
		4097,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		1ul << 32,
		1ul << 40,
		TOP - 1,
		TOP,
		TOP + 4095,
		1ul << 47,
		(1ul << 47) - 1,
		1ul << 62,
		INT64_MAX,
		1ul << 63,
		0xffff800000000000,
		0xffffffff80000000,
		0xffffffff81000000,
		-4096ul,
		-4095ul,
		-16ul,
		-1ul,
	};

	return v[below(w, sizeof(v) / sizeof(v[0]))] +
	       (below(w, 4) ? 0 : below(w, 17) - 8);
}

static uint64_t
pointer(struct worker *w)
{
	switch (below(w, 10)) {
	case 0:
		return interesting(w);
	case 1:
		return 0;
	case 2:
		return w->recent[below(w, RECENT)].at + below(w, 8192);
	case 3:
		return rnd(w);
	default:
		return arena(w);
	}
}

static uint64_t
length(struct worker *w)
{
	switch (below(w, 8)) {
	case 0:
		return interesting(w);
	case 1:
		return below(w, 1 << 20);
	case 2:
		return (below(w, 64) + 1) * 4096;
	case 3:
		return 4096 * below(w, 4) + below(w, 5) - 2;
	case 4:
		return 8;
	default:
		return below(w, 300);
	}
}

static uint64_t
descriptor(struct worker *w)
{
	switch (below(w, 8)) {
	case 0:
		return 3 + below(w, 2000);
	case 1:
		return -100ul;
	case 2: {
		uint64_t v = interesting(w);

		return (uint32_t)v < 3 ? 3 : v;
	}
	default:
		return 3 + below(w, 40);
	}
}

static uint64_t
path(struct worker *w)
{
	if (!below(w, 8))
		return pointer(w);
	return (uint64_t)paths[below(w, sizeof(paths) / sizeof(paths[0]))];
}

static uint64_t
flags(struct worker *w)
{
	switch (below(w, 6)) {
	case 0:
		return 1ul << below(w, 32);
	case 1:
		return rnd(w) & rnd(w) & rnd(w);
	case 2:
		return interesting(w);
	case 3:
		return 0;
	default:
		return below(w, 40);
	}
}

static uint64_t
argument(struct worker *w, enum kind k)
{
	switch (k) {
	case K_FD:
		return descriptor(w);
	case K_PATH:
		return path(w);
	case K_PTR:
		return pointer(w);
	case K_LEN:
		return length(w);
	case K_ADDR:
		return below(w, 4) ? arena(w) & ~4095ul : pointer(w);
	case K_SIG:
		return below(w, 70);
	case K_MASK:
		return (uint64_t)(below(w, 2) ? &no_signals : &a_mask);
	case K_FLAGS:
		return flags(w);
	default:
		return below(w, 2) ? interesting(w) : flags(w);
	}
}

/* Words, many of them such arguments, for structures to be made of. */
static void
cook(struct worker *w)
{
	uint64_t *soup = (uint64_t *)ARENA;

	for (size_t i = 0; i < SOUP / 8; i++)
		soup[i] = below(w, 3) ? argument(w, below(w, 9)) : 0;
}

/* ---- what the program must not do to itself ---- */

/* A range of addresses that may go, or one that the kernel must refuse. */
static void
tame_range(struct worker *w, uint64_t *at, uint64_t *len)
{
	unsigned i = below(w, RECENT);

	if (*at >= ARENA)
		return;
	if (*at < 0x10000 && *len <= 0x10000)
		return;
	if (w->recent[i].len && below(w, 2)) {
		*at = w->recent[i].at;
		*len = 1 + below(w, w->recent[i].len);
		return;
	}
	*at = arena(w) & ~4095ul;
}

static void
tame_mmap(struct worker *w, uint64_t *a)
{
	if (a[0] < ARENA && a[3] & MAP_FIXED)
		a[3] &= ~(uint64_t)MAP_FIXED;
	if (a[1] > BIG / 8)
		a[3] &= ~(uint64_t)(MAP_POPULATE | MAP_LOCKED);
	if (below(w, 2))
		a[3] = (a[3] & 0xfffff) | MAP_ANONYMOUS | MAP_PRIVATE;
}

static void
tame_mremap(struct worker *w, uint64_t *a)
{
	tame_range(w, &a[0], &a[1]);
	if (a[2] > BIG && a[2] < TOP)
		a[2] = below(w, BIG / 8);
	if (a[4] < ARENA)
		a[4] = arena(w) & ~4095ul;
}

/* false: not this one. */
static int
tame(struct worker *w, int nr, uint64_t *a)
{
	switch (nr) {
	case SYS_exit:
	case SYS_exit_group:
	case SYS_fork:
	case SYS_vfork:
	case SYS_reboot:
	case SYS_seccomp:
	case SYS_rt_sigreturn:
	case SYS_capset:
	case SYS_mlockall:
		return 0;
	case SYS_mmap:
		tame_mmap(w, a);
		return 1;
	case SYS_mremap:
		tame_mremap(w, a);
		return 1;
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_madvise:
	case SYS_mlock:
	case SYS_munlock:
	case SYS_mlock2:
	case SYS_msync:
	case SYS_mincore:
	case SYS_pkey_mprotect:
		tame_range(w, &a[0], &a[1]);
		return 1;
	case SYS_shmat:
		a[1] = below(w, 2) ? 0 : arena(w);
		return 1;
	case SYS_brk:
		a[0] = below(w, 2) ? 0 : interesting(w) | 1ul << 47;
		return 1;
	case SYS_arch_prctl:
		if (a[0] == 0x1002)
			a[1] |= 1ul << 63;
		return 1;
	case SYS_close_range:
		if ((uint32_t)a[0] < 3)
			a[0] = 3;
		return 1;
	case SYS_rt_sigaction: /* the program's own handlers stay */
		if (a[0] != SIGUSR2 && a[0] != SIGWINCH && a[0] < 65 && a[1])
			a[1] = interesting(w) | 1ul << 47;
		else if (a[1] >= ARENA && a[1] < TOP)
			a[1] = ARENA; /* some word of the soup */
		return 1;
	case SYS_kill:
	case SYS_tkill:
	case SYS_rt_sigqueueinfo:
		a[1] = a[1] == SIGKILL || a[1] == SIGSTOP || a[1] == SIGUSR2 ||
				       a[1] == SIGWINCH ?
			       0 :
			       a[1];
		return 1;
	case SYS_tgkill:
	case SYS_rt_tgsigqueueinfo:
		a[2] = a[2] == SIGKILL || a[2] == SIGSTOP ? 0 : a[2];
		return 1;
	case SYS_setrlimit:
		a[1] = below(w, 2) ? (uint64_t)&large : interesting(w) | 1;
		return 1;
	case SYS_prlimit64:
		a[2] = below(w, 2) ? (uint64_t)&large : below(w, 2);
		return 1;
	case SYS_setuid:
	case SYS_setgid:
	case SYS_setreuid:
	case SYS_setregid:
	case SYS_setresuid:
	case SYS_setresgid:
	case SYS_setfsuid:
	case SYS_setfsgid:
		for (int i = 0; i < 3; i++)
			a[i] = below(w, 2) ? 0 : -1ul;
		return 1;
	case SYS_chroot:
		a[0] = below(w, 2) ? (uint64_t) "/" :
				     interesting(w) | 1ul << 47;
		return 1;
	case SYS_mknod:
	case SYS_mknodat: /* not the disk itself */
		if ((a[nr == SYS_mknod ? 1 : 2] & S_IFMT) == S_IFBLK)
			return 0;
		return 1;
	case SYS_timer_create: /* SIGEV_SIGNAL by default: SIGALRM */
		a[1] = below(w, 2) ? 0 : interesting(w) | 1ul << 47;
		return 1;
	default:
		return 1;
	}
}

/* ---- doing ---- */

static void
own_stack(struct worker *w)
{
	stack_t ss = { .ss_sp = w->alt, .ss_size = sizeof(w->alt) };

	raw(SYS_sigaltstack, (long)&ss, 0, 0, 0, 0, 0);
}

/* With signals held back, as one would find no stack.  One that holds the
 * worker's own would have to stay. */
static void
hostile_altstack(struct worker *w)
{
	uint64_t size = length(w);
	stack_t ss = { (void *)(arena(w) | below(w, 2) << 63), (int)flags(w),
		       size < BIG ? size : 0 };

	raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all_signals, 0, 8, 0, 0);
	raw(SYS_sigaltstack,
	    below(w, 4) ? (long)&ss : (long)(interesting(w) | 1ul << 47),
	    (long)pointer(w), 0, 0, 0, 0);
	own_stack(w);
	raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&no_signals, 0, 8, 0, 0);
}

/*
 * A signal frame of noise; execution goes on wherever it says, which ends in
 * a fault and so in the handler.  The frame itself is out of the others'
 * reach, as it names the stack for that handler; what it points to is not.
 */
static void
hostile_sigreturn(struct worker *w)
{
	ucontext_t *uc = (ucontext_t *)w->frame;
	uint64_t at = (uint64_t)uc;
	uint32_t *sw = (uint32_t *)(w->frame + 1024 + 464);

	for (size_t i = 0; i < sizeof(w->frame) / 8; i++)
		((uint64_t *)w->frame)[i] =
			below(w, 2) ? interesting(w) : rnd(w);
	uc->uc_stack.ss_sp = w->alt;
	uc->uc_stack.ss_size = sizeof(w->alt);
	uc->uc_stack.ss_flags = 0;
	*(uint64_t *)&uc->uc_sigmask = 0;
	uc->uc_mcontext.gregs[REG_RIP] = (long)pointer(w);
	switch (below(w, 4)) {
	case 0:
		uc->uc_mcontext.fpregs = (void *)pointer(w);
		break;
	case 1:
		uc->uc_mcontext.fpregs = (void *)(w->frame + 1024);
		sw[0] = 0x46505853; /* as if whole */
		sw[1] = (uint32_t)below(w, 4096);
		sw[4] = (uint32_t)below(w, 4096);
		break;
	case 2:
		uc->uc_mcontext.fpregs = (void *)(w->frame + 1024);
		break;
	default:
		at = interesting(w) | 1ul << 47; /* no frame at all */
	}
	__asm__ volatile("mov %0, %%rsp\n\tmov $15, %%eax\n\tsyscall\n\tud2"
			 :
			 : "r"(at)
			 : "memory");
}

static void
remember(struct worker *w, uint64_t at, uint64_t len)
{
	unsigned i = below(w, RECENT);

	len = (len + 4095) & ~4095ul;
	if (at >= ARENA) /* stays or goes with the arena */
		return;
	if (len > BIG) {
		raw(SYS_munmap, (long)at, (long)len, 0, 0, 0, 0);
		return;
	}
	if (w->recent[i].len)
		raw(SYS_munmap, (long)w->recent[i].at, (long)w->recent[i].len,
		    0, 0, 0, 0);
	w->recent[i].at = at;
	w->recent[i].len = len;
}

static void
one_call(struct worker *w)
{
	const struct call *c = &calls[below(w, NCALLS)];
	uint64_t a[6] = { 0 };
	long r;

	if (!below(w, 200)) {
		w->nr = SYS_rt_sigreturn;
		hostile_sigreturn(w);
		return;
	}
	for (int i = 0; i < c->nargs; i++)
		a[i] = argument(w, c->kind[i]);
	if (!tame(w, c->nr, a))
		return;
	w->nr = c->nr;
	memcpy(w->args, a, sizeof(a));
	if (c->nr == SYS_sigaltstack) {
		hostile_altstack(w);
	} else if (c->nr == SYS_clone || c->nr == SYS_clone3) {
		if (c->nr == SYS_clone && below(w, 2))
			a[0] |= CLONE_VM | CLONE_FS | CLONE_FILES |
				CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
		/* A signal would find the new thread without a stack. */
		raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all_signals, 0, 8,
		    0, 0);
		raw_clone(c->nr, a);
		raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&no_signals, 0, 8, 0,
		    0);
	} else {
		r = raw(c->nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3],
			(long)a[4], (long)a[5]);
		if ((c->nr == SYS_mmap || c->nr == SYS_mremap) &&
		    (unsigned long)r < -4095ul)
			remember(w, (uint64_t)r,
				 c->nr == SYS_mmap ? a[1] : a[2]);
	}
}

/* ---- threads and signals ---- */

static void
nothing(int sig)
{
	(void)sig;
}

/* A worker that has lost its way goes on with its next call. */
static void
recover(int sig)
{
	long tid = raw(SYS_gettid, 0, 0, 0, 0, 0, 0);

	(void)sig;
	for (int i = 0; i < WORKERS; i++)
		if (workers[i].tid == tid)
			__builtin_longjmp(workers[i].jump, 1);
	raw(SYS_exit, 0, 0, 0, 0, 0, 0);
}

static void
work(struct worker *w)
{
	w->tid = raw(SYS_gettid, 0, 0, 0, 0, 0, 0);
	own_stack(w);
	__builtin_setjmp(w->jump);
	raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&no_signals, 0, 8, 0, 0);
	own_stack(w);
	while (w->calls-- > 0)
		one_call(w);
	w->tid = 0;
	w->done = 1;
}

/* Takes memory away under the others. */
static void
unmap(struct worker *w)
{
	while (!(workers[0].done && workers[1].done && workers[2].done)) {
		uint64_t at = ARENA + below(w, ARENA_SZ >> 12) * 4096;
		long n = 4096 << below(w, 4);

		switch (below(w, 6)) {
		case 0:
			raw(SYS_munmap, (long)at, n, 0, 0, 0, 0);
			break;
		case 1:
			raw(SYS_mprotect, (long)at, n, (long)below(w, 4), 0, 0,
			    0);
			break;
		case 2:
			raw(SYS_madvise, (long)at, n, MADV_DONTNEED, 0, 0, 0);
			break;
		case 3:
			raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
			break;
		default:
			raw(SYS_mmap, (long)at, n, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		}
	}
	w->done = 1;
}

static void
thread(struct worker *w)
{
	/* What a hostile program leaves for the kernel to find at its end. */
	if (w != &workers[WORKERS])
		work(w);
	else
		unmap(w);
	raw(SYS_set_robust_list, (long)arena(w), 24, 0, 0, 0, 0);
	raw(SYS_exit, 0, 0, 0, 0, 0, 0);
}

static void
start(struct worker *w)
{
	uint64_t *sp = (uint64_t *)(w->stack + STACK) - 2;
	long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
		     CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS;
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = (long)w->tls;
	long r;

	sp[0] = (uint64_t)w;
	sp[1] = (uint64_t)thread;
	w->done = 0;
	__asm__ volatile("syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "xor %%ebp, %%ebp\n"
			 "pop %%rdi\n"
			 "pop %%rax\n"
			 "call *%%rax\n"
			 "1:"
			 : "=a"(r)
			 : "a"(SYS_clone), "D"(flags), "S"(sp), "d"(0L),
			   "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	if (r < 0) {
		printf("no thread: %ld\n", r);
		exit(1);
	}
}

/* The kernel's own structure: glibc keeps two signals for itself. */
struct ksigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static void
handlers(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS,	SIGILL,
				      SIGFPE,  SIGTRAP, SIGSYS };
	struct ksigaction a;

	signal(SIGUSR1, nothing);
	raw(SYS_rt_sigaction, SIGUSR1, 0, (long)&a, 8, 0, 0);
	a.flags = (a.flags & ~(unsigned long)SA_RESTART) | SA_ONSTACK;
	for (int s = 1; s < 65; s++)
		raw(SYS_rt_sigaction, s, (long)&a, 0, 8, 0, 0);
	a.handler = recover;
	a.flags |= SA_NODEFER;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		raw(SYS_rt_sigaction, faults[i], (long)&a, 0, 8, 0, 0);
}

/* Between rounds: memory and descriptors as in the beginning. */
static void
clean(struct worker *w)
{
	static const char *const made[] = { "/tmp/a",	"/tmp/b",     "/tmp/c",
					    "/tmp/d/e", "/dev/shm/f", "/a" };

	raw(SYS_close_range, 3, -1u, 0, 0, 0, 0);
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		raw(SYS_unlink, (long)made[i], 0, 0, 0, 0, 0);
	for (int k = 0; k < WORKERS; k++)
		for (int i = 0; i < RECENT; i++) {
			if (workers[k].recent[i].len)
				raw(SYS_munmap, (long)workers[k].recent[i].at,
				    (long)workers[k].recent[i].len, 0, 0, 0, 0);
			workers[k].recent[i].len = 0;
		}
	if (mmap((void *)ARENA, ARENA_SZ, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != (void *)ARENA) {
		printf("no arena\n");
		exit(1);
	}
	cook(w);
	raw(SYS_chdir, (long)"/", 0, 0, 0, 0, 0);
	raw(SYS_mkdir, (long)"/tmp/d", 0777, 0, 0, 0, 0);
	raw(SYS_symlink, (long)"/tmp/a", (long)"/tmp/link", 0, 0, 0, 0);
	raw(SYS_symlink, (long)"/tmp/loop", (long)"/tmp/loop", 0, 0, 0, 0);
	raw(SYS_mknod, (long)"/tmp/fifo", S_IFIFO | 0666, 0, 0, 0, 0);
	for (int i = 0; i < 3; i++) {
		long fds[2];

		raw(SYS_pipe, (long)fds, 0, 0, 0, 0, 0);
		raw(SYS_socketpair, 1, i + 1, 0, (long)fds, 0, 0);
		raw(SYS_open, (long)paths[4 + i], O_RDWR | O_CREAT, 0666, 0, 0,
		    0);
		raw(SYS_eventfd2, i, 0, 0, 0, 0, 0);
		raw(SYS_epoll_create1, 0, 0, 0, 0, 0, 0);
		raw(SYS_timerfd_create, 1, 0, 0, 0, 0, 0);
		raw(SYS_memfd_create, (long)"m", 0, 0, 0, 0, 0);
	}
}

/* The place at the top must be free: else another layout. */
static void
find_arena(char **argv)
{
	char line[512];
	unsigned long end = 0, last = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*x-%lx", &end) == 1 && end <= TOP)
			last = end;
	if (last > ARENA)
		execv("/proc/self/exe", argv);
	if (f)
		fclose(f);
}

/* For whoever wants to know why it takes so long. */
static void
report(void)
{
	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];

		printf("worker %d: thread %ld, %ld calls to go, in call %d(", i,
		       w->tid, w->calls, w->nr);
		for (int k = 0; k < 6; k++)
			printf("%s%#lx", k ? ", " : "", w->args[k]);
		printf(")\n");
	}
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	long total = argc > 2 ? atol(argv[2]) : 10000, left = total;
	struct worker *own = &workers[WORKERS];

	find_arena(argv);
	handlers();
	raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all_signals, 0, 8, 0, 0);
	for (int i = 0; i <= WORKERS; i++)
		workers[i].rng = seed * 1000003 + (uint64_t)i;
	while (left > 0) {
		long pid = getpid();

		clean(own);
		for (int i = 0; i < WORKERS; i++)
			workers[i].calls =
				left < 3000 ? left / WORKERS + 1 : 1000;
		for (int i = 0; i <= WORKERS; i++)
			start(&workers[i]);
		/* What sleeps is woken. */
		for (long n = 1; !(workers[0].done && workers[1].done &&
				   workers[2].done && workers[3].done);
		     n++) {
			struct timespec ms = { 0, 1000000 };

			nanosleep(&ms, NULL);
			if (n % 10000 == 0)
				report();
			for (int i = 0; i < WORKERS; i++)
				if (workers[i].tid)
					raw(SYS_tgkill, pid, workers[i].tid,
					    SIGUSR1, 0, 0, 0);
		}
		/* done is set a moment before the thread has left its stack. */
		usleep(2000);
		left -= 3000;
	}
	printf("%ld calls, alive\n", total);
	fflush(stdout);
	raw(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}
