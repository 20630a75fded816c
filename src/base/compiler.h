/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that is asked of the compiler beyond C11, by one name each.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MUST_CHECK	  __attribute__((warn_unused_result))
#define NORETURN	  __attribute__((noreturn))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define PACKED		  __attribute__((packed))
#define ALIGNED(n)	  __attribute__((aligned(n)))
#define UNUSED		  __attribute__((unused))
#define WEAK		  __attribute__((weak))
#define NOINLINE	  __attribute__((noinline))
#define ALWAYS_INLINE	  inline __attribute__((always_inline))
#define COLD		  __attribute__((cold))
#define SECTION(s)	  __attribute__((section(s)))
#define HIDDEN		  __attribute__((visibility("hidden")))
/* A local that the compiler need not fill: the code writes before it reads. */
#define UNINIT		   __attribute__((uninitialized))
#define NO_STACK_PROTECTOR __attribute__((no_stack_protector))

#define FALLTHROUGH __attribute__((fallthrough))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* A pointer into the program: the lint pass refuses to dereference it. */
#ifdef CHECK_USER
#define __user __attribute__((noderef, address_space(1)))
#else
#define __user
#endif

#define READ_ONCE(x)	 (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define barrier() __asm__ volatile("" : : : "memory")

#define container_of(p, type, member) \
	((type *)((char *)(p)-offsetof(type, member)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#ifndef static_assert
#define static_assert _Static_assert
#endif

/* For a result that is ignored on purpose; say why beside it. */
static inline void
ignore(long unused)
{
	(void)unused;
}
