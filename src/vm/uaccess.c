/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies between kernel and program: the range check, the mask that keeps a
 * mispredicted check from reading kernel memory, and the rule that nothing
 * sleeps in the _nofault forms.
 */
#include <vm/uaccess.h>

#include <abi/errno.h>
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/upcall.h>
#include <arch/user.h>
#include <sched/thread.h>

bool
user_range_ok(const void __user *p, size_t len)
{
	return len <= USER_END && (uint64_t)p <= USER_END - len;
}

/* The address if it is the program's; 0, which is never mapped, on a path
 * that was only speculated. */
static inline uint64_t
safe_addr(const void __user *p)
{
	return cpu_nospec((uint64_t)p, USER_END);
}

int
copy_from_user(void *dst, const void __user *src, size_t len)
{
	if (unlikely(!user_range_ok(src, len)))
		return -EFAULT;
	return unlikely(arch_copy_from_user(dst, safe_addr(src), len)) ?
		       -EFAULT :
		       0;
}

int
copy_to_user(void __user *dst, const void *src, size_t len)
{
	if (unlikely(!user_range_ok(dst, len)))
		return -EFAULT;
	return unlikely(arch_copy_to_user(safe_addr(dst), src, len)) ? -EFAULT :
								       0;
}

int
clear_user(void __user *dst, size_t len)
{
	if (unlikely(!user_range_ok(dst, len)))
		return -EFAULT;
	return arch_clear_user(safe_addr(dst), len) ? -EFAULT : 0;
}

size_t
copy_from_user_partial(void *dst, const void __user *src, size_t len)
{
	if (unlikely(!user_range_ok(src, len)))
		return len;
	return arch_copy_from_user(dst, safe_addr(src), len);
}

size_t
copy_to_user_partial(void __user *dst, const void *src, size_t len)
{
	if (unlikely(!user_range_ok(dst, len)))
		return len;
	return arch_copy_to_user(safe_addr(dst), src, len);
}

size_t
clear_user_partial(void __user *dst, size_t len, bool nofault)
{
	struct thread *t = thread_current();
	size_t left;

	if (unlikely(!user_range_ok(dst, len)))
		return len;
	t->nofault += nofault;
	left = arch_clear_user(safe_addr(dst), len);
	t->nofault -= nofault;
	return left;
}

size_t
copy_from_user_nofault(void *dst, const void __user *src, size_t len)
{
	struct thread *t = thread_current();
	size_t left;

	if (unlikely(!user_range_ok(src, len)))
		return len;
	t->nofault++;
	left = arch_copy_from_user(dst, safe_addr(src), len);
	t->nofault--;
	return left;
}

size_t
copy_to_user_nofault(void __user *dst, const void *src, size_t len)
{
	struct thread *t = thread_current();
	size_t left;

	if (unlikely(!user_range_ok(dst, len)))
		return len;
	t->nofault++;
	left = arch_copy_to_user(safe_addr(dst), src, len);
	t->nofault--;
	return left;
}

/* Reads one byte of a page, and for writing puts it back unless somebody
 * else changed it meanwhile. */
static int
touch(uint64_t addr, bool write)
{
	uint64_t word = addr & ~3ull;
	uint32_t v, found;

	if (arch_user_load32(word, &v))
		return -EFAULT;
	if (write && arch_user_cas32(word, v, v, &found))
		return -EFAULT;
	return 0;
}

int
user_prefault(const void __user *p, size_t len, bool write)
{
	uint64_t addr, end;

	if (len == 0)
		return 0;
	if (!user_range_ok(p, len))
		return -EFAULT;
	addr = safe_addr(p);
	end = addr + len;
	for (; addr < end; addr = (addr & ~PAGE_MASK) + PAGE_SIZE)
		if (touch(addr, write))
			return -EFAULT;
	return 0;
}

ssize_t
copy_string_from_user(char *dst, const char __user *src, size_t size)
{
	size_t max = size;
	ssize_t n;

	if (unlikely(!user_range_ok(src, 1)))
		return -EFAULT;
	if (max > USER_END - (uint64_t)src)
		max = USER_END - (uint64_t)src;
	n = arch_strncpy_from_user(dst, safe_addr(src), max);
	if (n < 0)
		return n;
	if ((size_t)n < max)
		return n;
	return max < size ? -EFAULT : -ENAMETOOLONG;
}

int
user_load32(const uint32_t __user *p, uint32_t *val)
{
	if (unlikely(!user_range_ok(p, sizeof(*p))))
		return -EFAULT;
	return arch_user_load32(safe_addr(p), val);
}

int
user_cas32(uint32_t __user *p, uint32_t old, uint32_t new, uint32_t *found)
{
	if (unlikely(!user_range_ok(p, sizeof(*p))))
		return -EFAULT;
	return arch_user_cas32(safe_addr(p), old, new, found);
}

int
upcall_put_user64(uint64_t addr, uint64_t v)
{
	return copy_to_user((void __user *)addr, &v, sizeof(v));
}

int
upcall_user_touch(uint64_t addr, size_t len)
{
	return user_prefault((const void __user *)addr, len, false);
}
