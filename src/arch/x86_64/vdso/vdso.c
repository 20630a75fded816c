/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vDSO: time without a system call.  Linked as a shared object of its
 * own; the kernel maps it into the program with the data page right below.
 * Names and versions are Linux's (vdso(7)).
 */
#include "../vvar.h"

#include <base/compiler.h>

#define EXPORT __attribute__((visibility("default")))

#define CLOCK_REALTIME	       0
#define CLOCK_MONOTONIC	       1
#define CLOCK_MONOTONIC_RAW    4
#define CLOCK_REALTIME_COARSE  5
#define CLOCK_MONOTONIC_COARSE 6
#define COARSE_NS	       4000000u /* CLOCK_COARSE_NS of the kernel */
#define CLOCK_BOOTTIME	       7
#define NR_CLOCK_GETTIME       228
#define NR_CLOCK_GETRES	       229
#define NR_GETCPU	       309

struct timespec {
	int64_t sec, nsec;
};

struct timeval {
	int64_t sec, usec;
};

extern const struct vvar vvar_data HIDDEN; /* vdso.lds */

int __vdso_clock_gettime(int clock, struct timespec *ts);
int __vdso_clock_getres(int clock, struct timespec *ts);
int __vdso_gettimeofday(struct timeval *tv, void *tz);
int64_t __vdso_time(int64_t *t);
long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);

static long
syscall2(long nr, long a, long b)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b)
			 : "rcx", "r11", "memory");
	return ret;
}

static ALWAYS_INLINE uint64_t
read_ns(bool real)
{
	const struct vvar *v = &vvar_data;
	uint64_t ns;
	uint32_t seq;

	do {
		uint32_t lo, hi;

		seq = __atomic_load_n(&v->seq, __ATOMIC_ACQUIRE);
		/* Not before what was read before it. */
		__asm__ volatile("lfence; rdtsc"
				 : "=a"(lo), "=d"(hi)
				 :
				 : "memory");
		ns = ((uint64_t)hi << 32 | lo) - v->base_tsc;
		ns = (uint64_t)((unsigned __int128)ns * v->mult >> v->shift);
		ns += v->base_ns;
		if (real)
			ns = arch_wall_at(&v->wall, ns);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (unlikely(seq & 1 ||
			  seq != __atomic_load_n(&v->seq, __ATOMIC_RELAXED)));
	return ns;
}

EXPORT int
__vdso_clock_gettime(int clock, struct timespec *ts)
{
	uint64_t ns;

	switch (clock) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
		ns = read_ns(false);
		break;
	case CLOCK_REALTIME:
		ns = read_ns(true);
		break;
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_REALTIME_COARSE:
		ns = read_ns(clock == CLOCK_REALTIME_COARSE);
		ns -= ns % COARSE_NS;
		break;
	default:
		return (int)syscall2(NR_CLOCK_GETTIME, clock, (long)ts);
	}
	ts->sec = (int64_t)(ns / 1000000000u);
	ts->nsec = (int64_t)(ns % 1000000000u);
	return 0;
}

EXPORT int
__vdso_clock_getres(int clock, struct timespec *ts)
{
	return (int)syscall2(NR_CLOCK_GETRES, clock, (long)ts);
}

EXPORT int
__vdso_gettimeofday(struct timeval *tv, void *tz)
{
	if (tv) {
		uint64_t ns = read_ns(true);

		tv->sec = (int64_t)(ns / 1000000000u);
		tv->usec = (int64_t)(ns % 1000000000u / 1000);
	}
	if (tz) {
		((int *)tz)[0] = 0;
		((int *)tz)[1] = 0;
	}
	return 0;
}

EXPORT int64_t
__vdso_time(int64_t *t)
{
	int64_t s = (int64_t)(read_ns(true) / 1000000000u);

	if (t)
		*t = s;
	return s;
}

EXPORT long
__vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	(void)unused;
	return syscall2(NR_GETCPU, (long)cpu, (long)node);
}

int clock_gettime(int clock, struct timespec *ts)
	__attribute__((weak, alias("__vdso_clock_gettime"),
		       visibility("default")));
int clock_getres(int clock, struct timespec *ts)
	__attribute__((weak, alias("__vdso_clock_getres"),
		       visibility("default")));
int gettimeofday(struct timeval *tv, void *tz)
	__attribute__((weak, alias("__vdso_gettimeofday"),
		       visibility("default")));
int64_t time(int64_t *t)
	__attribute__((weak, alias("__vdso_time"), visibility("default")));
long getcpu(unsigned *cpu, unsigned *node, void *unused)
	__attribute__((weak, alias("__vdso_getcpu"), visibility("default")));
