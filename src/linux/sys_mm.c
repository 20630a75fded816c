/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls on memory: decode what Linux's flags mean, check it in
 * Linux's order, call vm.
 */
#include <linux/syscalls_gen.h>

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/mman.h>
#include <abi/prctl.h>
#include <abi/resource.h>
#include <arch/mmu.h>
#include <base/string.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <fs/attr.h>
#include <sched/thread.h>
#include <vm/object.h>
#include <vm/space.h>
#include <vm/uaccess.h>

/* Known, and without effect here. */
#define MAP_UNINITIALIZED 0x4000000
#define MAP_HUGE_SIZES	  (0x3fu << 26)

#define MAP_KNOWN                                                           \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | \
	 MAP_DENYWRITE | MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE |      \
	 MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB |            \
	 MAP_FIXED_NOREPLACE | MAP_UNINITIALIZED | MAP_HUGE_SIZES)

/* The limits may have changed since the last call. */
static struct vm_space *
space_of(struct thread *t)
{
	struct vm_space *s = t->space;

	s->as_limit = rlimit_soft(RLIMIT_AS);
	s->data_limit = rlimit_soft(RLIMIT_DATA);
	s->stack_limit = rlimit_soft(RLIMIT_STACK);
	return s;
}

/* May the program lock len bytes more? */
static bool
may_lock(struct thread *t, uint64_t len)
{
	uint64_t limit = rlimit_soft(RLIMIT_MEMLOCK);
	uint64_t locked = t->space->locked_pages << PAGE_SHIFT;

	if (cred_capable(t->cred, CAP_IPC_LOCK))
		return true;
	return len <= limit && locked <= limit - len;
}

static uint32_t
rwx_of(uint32_t prot)
{
	uint32_t rwx = 0;

	if (prot & PROT_READ)
		rwx |= VMA_READ;
	if (prot & PROT_WRITE)
		rwx |= VMA_WRITE;
	if (prot & PROT_EXEC)
		rwx |= VMA_EXEC;
	return rwx;
}

static unsigned
how_of(uint32_t flags)
{
	unsigned how = 0;

	if (flags & MAP_FIXED_NOREPLACE)
		how |= VM_FIXED_NOREPLACE;
	else if (flags & MAP_FIXED)
		how |= VM_FIXED;
	if ((flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE)
		how |= VM_POPULATE;
	if (flags & MAP_32BIT)
		how |= VM_LOW32;
	return how;
}

static uint32_t
vma_flags_of(uint32_t prot, uint32_t flags)
{
	uint32_t f = rwx_of(prot) | VMA_MAYWRITE;

	if ((flags & MAP_TYPE) != MAP_PRIVATE)
		f |= VMA_SHARED;
	if (flags & MAP_GROWSDOWN)
		f |= VMA_GROWSDOWN;
	if (flags & MAP_LOCKED)
		f |= VMA_LOCKED;
	if (flags & MAP_NORESERVE)
		f |= VMA_NORESERVE;
	if (flags & MAP_STACK)
		f |= VMA_NOHUGE;
	return f;
}

static int
check_type(uint32_t flags, bool file)
{
	switch (flags & MAP_TYPE) {
	case MAP_SHARED:
	case MAP_PRIVATE:
		return 0;
	case MAP_SHARED_VALIDATE:
		if (!file)
			return -EINVAL;
		return flags & ~(uint32_t)MAP_KNOWN ? -EOPNOTSUPP : 0;
	default:
		return -EINVAL;
	}
}

/* What a file may be mapped as, by how it was opened. */
static int
check_file(const struct file *f, uint32_t *vma_flags)
{
	if (!(f->mode & FILE_READ))
		return -EACCES;
	if ((*vma_flags & VMA_SHARED) && !(f->mode & FILE_WRITE)) {
		if (*vma_flags & VMA_WRITE)
			return -EACCES;
		*vma_flags &= ~VMA_MAYWRITE;
	}
	if (*vma_flags & VMA_GROWSDOWN)
		return -EINVAL;
	return f->ops->mmap == NULL ? -ENODEV : 0;
}

static long
map_file(struct thread *t, uint64_t addr, size_t len, uint32_t vma_flags,
	 uint32_t flags, int fd, uint64_t off)
{
	/* No file is of hugetlbfs. */
	const bool huge = flags & MAP_HUGETLB;
	struct file_mmap m = { .offset = off,
			       .len = len,
			       .vma_flags = vma_flags };
	struct file *f;
	long r = fd_get(t->fds, fd, &f);

	if (r)
		return r;
	r = len == 0 || huge ? -EINVAL : check_file(f, &m.vma_flags);
	/* Linux's largest file; and page numbers must not wrap. */
	if (!r && (off > INT64_MAX || len > INT64_MAX - off))
		r = -EOVERFLOW;
	if (!r)
		r = f->ops->mmap(f, &m);
	if (r)
		goto out;
	r = vm_map(space_of(t), addr, len, m.vma_flags, m.object,
		   m.object != NULL ? f : NULL, m.offset, how_of(flags));
	if (m.object != NULL)
		vm_object_put(m.object);
out:
	file_put(f);
	return r;
}

long
sys_mmap(struct thread *t, uint64_t addr, uint64_t len, int prot, int flags,
	 int fd, uint64_t off)
{
	bool file = !(flags & MAP_ANONYMOUS);
	uint32_t vma_flags;
	long err;

	if (off & PAGE_MASK)
		return -EINVAL;
	/* There is no pool of pages set aside for hugetlbfs. */
	if (!file && (flags & MAP_HUGETLB))
		return len == 0 ? -EINVAL : -ENOMEM;
	err = check_type((uint32_t)flags, file);
	if (err && !file)
		return err;
	vma_flags = vma_flags_of((uint32_t)prot, (uint32_t)flags);
	if ((flags & MAP_LOCKED) && !may_lock(t, len))
		return -EAGAIN;
	if (file && err) {
		/* Linux finds a bad descriptor before a bad type. */
		struct file *f;
		int bad = fd_get(t->fds, fd, &f);

		if (bad)
			return bad;
		file_put(f);
		return err;
	}
	if (file)
		return map_file(t, addr, len, vma_flags, (uint32_t)flags, fd,
				off);
	if ((vma_flags & (VMA_SHARED | VMA_GROWSDOWN)) ==
	    (VMA_SHARED | VMA_GROWSDOWN))
		return -EINVAL;
	return vm_map(space_of(t), addr, len, vma_flags, NULL, NULL, 0,
		      how_of((uint32_t)flags));
}

long
sys_munmap(struct thread *t, uint64_t addr, uint64_t len)
{
	return vm_unmap(t->space, addr, len);
}

long
sys_mprotect(struct thread *t, uint64_t addr, uint64_t len, int prot)
{
	const int grows = PROT_GROWSDOWN | PROT_GROWSUP;
	vaddr_t start = addr;
	int err;

	if ((prot & grows) == grows || (addr & PAGE_MASK))
		return -EINVAL;
	if (len == 0)
		return 0;
	if (addr + len < addr)
		return -ENOMEM;
	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | grows))
		return -EINVAL;
	if (addr + len > USER_END)
		return -ENOMEM;
	if (prot & PROT_GROWSUP)
		return -EINVAL; /* no mapping grows up */
	if (prot & PROT_GROWSDOWN) {
		err = vm_growsdown_start(t->space, addr, &start);
		if (err)
			return err;
	}
	return vm_protect(space_of(t), start, len + (addr - start),
			  rwx_of((uint32_t)prot));
}

long
sys_pkey_mprotect(struct thread *t, uint64_t addr, uint64_t len, int prot,
		  int pkey)
{
	if (pkey != -1)
		return -EINVAL; /* none can have been allocated */
	return sys_mprotect(t, addr, len, prot);
}

/*
 * As on a CPU without protection keys, which is what the program sees: the
 * kernel leaves CR4.PKE off (pkeys(7)).
 */
long
sys_pkey_alloc(struct thread *t, uint32_t flags, uint32_t rights)
{
	(void)t;
	if (flags || rights & ~3u)
		return -EINVAL;
	return -ENOSPC;
}

long
sys_pkey_free(struct thread *t, int pkey)
{
	(void)t;
	(void)pkey;
	return -EINVAL;
}

long
sys_brk(struct thread *t, uint64_t addr)
{
	return (long)vm_brk(space_of(t), addr);
}

long
sys_mremap(struct thread *t, uint64_t old, uint64_t old_len, uint64_t new_len,
	   uint64_t flags, uint64_t new_addr)
{
	if (flags > UINT32_MAX)
		return -EINVAL;
	return vm_remap(space_of(t), old, old_len, new_len, (unsigned)flags,
			new_addr);
}

long
sys_madvise(struct thread *t, uint64_t addr, uint64_t len, int advice)
{
	return vm_advise(t->space, addr, len, advice);
}

long
sys_msync(struct thread *t, uint64_t addr, uint64_t len, int flags)
{
	return vm_sync(t->space, addr, len, flags);
}

long
sys_mincore(struct thread *t, uint64_t addr, uint64_t len, void __user *vec)
{
	return vm_mincore(t->space, addr, len, vec);
}

static long
lock_memory(struct thread *t, uint64_t addr, uint64_t len, bool populate)
{
	uint64_t bytes = len + (addr & PAGE_MASK);

	if (!cred_capable(t->cred, CAP_IPC_LOCK) &&
	    rlimit_soft(RLIMIT_MEMLOCK) == 0)
		return -EPERM;
	if (!may_lock(t, (bytes + PAGE_MASK) & ~PAGE_MASK))
		return -ENOMEM;
	return vm_lock_range(t->space, addr, len, true, populate);
}

long
sys_mlock(struct thread *t, uint64_t addr, uint64_t len)
{
	return lock_memory(t, addr, len, true);
}

long
sys_mlock2(struct thread *t, uint64_t addr, uint64_t len, int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return lock_memory(t, addr, len, !(flags & MLOCK_ONFAULT));
}

long
sys_munlock(struct thread *t, uint64_t addr, uint64_t len)
{
	return vm_lock_range(t->space, addr, len, false, false);
}

long
sys_mlockall(struct thread *t, int flags)
{
	if (flags == 0 || flags == MCL_ONFAULT ||
	    (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)))
		return -EINVAL;
	if (!cred_capable(t->cred, CAP_IPC_LOCK)) {
		if (rlimit_soft(RLIMIT_MEMLOCK) == 0)
			return -EPERM;
		if ((flags & MCL_CURRENT) &&
		    t->space->total_pages << PAGE_SHIFT >
			    rlimit_soft(RLIMIT_MEMLOCK))
			return -ENOMEM;
	}
	return vm_lock_all(t->space, flags);
}

long
sys_munlockall(struct thread *t)
{
	return vm_lock_all(t->space, 0);
}

/* Linux: the name with its prefix is at most NAME_MAX. */
#define MEMFD_NAME_MAX 249

long
sys_memfd_create(struct thread *t, const char __user *uname, uint32_t flags)
{
	static const char prefix[] = "memfd:";
	char name[sizeof(prefix) + MEMFD_NAME_MAX];
	const size_t at = sizeof(prefix) - 1;
	struct file *f;
	ssize_t n;
	long fd;
	int err;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL;
	memcpy(name, prefix, at);
	n = copy_string_from_user(name + at, uname, sizeof(name) - at);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	err = tmpfs_create_anon(
		name, O_RDWR, flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL, &f);
	if (err)
		return err;
	fd = fd_add(t->fds, f, flags & MFD_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}
