/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory policies on a machine with one memory node: what is asked is checked
 * as on Linux; all memory is on node 0, so every policy that can be asked for
 * is in force already.  A thread's own is kept, to be told.
 */
#include <abi/errno.h>
#include <base/string.h>
#include <linux/syscalls_gen.h>
#include <sched/thread.h>
#include <vm/space.h>
#include <vm/uaccess.h>

#define MPOL_DEFAULT	0
#define MPOL_PREFERRED	1
#define MPOL_BIND	2
#define MPOL_INTERLEAVE 3
#define MPOL_LOCAL	4
#define MPOL_MAX	6

#define MPOL_F_STATIC_NODES   (1 << 15)
#define MPOL_F_RELATIVE_NODES (1 << 14)
#define MPOL_MODE_FLAGS	      (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)

#define MPOL_F_NODE	    1ull
#define MPOL_F_ADDR	    2ull
#define MPOL_F_MEMS_ALLOWED 4ull

#define MPOL_MF_STRICT	 1u
#define MPOL_MF_MOVE	 2u
#define MPOL_MF_MOVE_ALL 4u

#define MAX_NODE_BITS (PAGE_SIZE * 8)

/* The program's mask, of maxnode - 1 bits: is node 0 in it?  Nodes that are not
 * there are passed over beside one that is; alone they are -EINVAL. */
static int
get_nodes(const void __user *umask, uint64_t maxnode, bool *node0)
{
	const uint64_t __user *words = umask;
	uint64_t w, bits = maxnode - 1;
	uint64_t n, k, others = 0;

	*node0 = false;
	if (!umask || maxnode <= 1)
		return 0;
	if (bits > MAX_NODE_BITS)
		return -EINVAL;
	n = (bits + 63) / 64;
	for (k = 0; k < n; k++) {
		if (copy_from_user(&w, words + k, sizeof(w)))
			return -EFAULT;
		if (k == n - 1 && bits % 64)
			w &= (1ull << bits % 64) - 1;
		if (k == 0) {
			*node0 = w & 1;
			w &= ~1ull;
		}
		others |= w;
	}
	return others && !*node0 ? -EINVAL : 0;
}

static int
check_policy(int mode, const void __user *umask, uint64_t maxnode, bool *node0)
{
	int flags = mode & MPOL_MODE_FLAGS, err;

	mode &= ~MPOL_MODE_FLAGS;
	if (mode < 0 || mode > MPOL_MAX || flags == MPOL_MODE_FLAGS)
		return -EINVAL;
	err = get_nodes(umask, maxnode, node0);
	if (err)
		return err;
	switch (mode) {
	case MPOL_DEFAULT:
	case MPOL_LOCAL:
		return *node0 || (mode == MPOL_LOCAL && flags) ? -EINVAL : 0;
	case MPOL_PREFERRED: /* of none: local */
		return !*node0 && flags ? -EINVAL : 0;
	default:
		return *node0 ? 0 : -EINVAL;
	}
}

long
sys_set_mempolicy(struct thread *t, int mode, const void __user *nodes,
		  uint64_t maxnode)
{
	bool node0;
	int err = check_policy(mode, nodes, maxnode, &node0);

	if (err)
		return err;
	if (mode == MPOL_PREFERRED && !node0)
		mode = MPOL_LOCAL;
	t->mempolicy = (uint16_t)mode;
	t->mempolicy_node0 = node0;
	return 0;
}

struct lookup {
	uint64_t addr, end;
	bool found;
};

static bool
find_vma(struct vma *v, void *arg)
{
	struct lookup *l = arg;

	if (v->end <= l->addr)
		return true;
	/* Up to end without a hole. */
	if (v->start <= l->addr)
		l->addr = v->end;
	l->found = l->addr >= l->end;
	return v->start <= l->addr && !l->found;
}

static bool
is_mapped(struct thread *t, uint64_t addr, uint64_t end)
{
	struct lookup l = { .addr = addr, .end = end };

	vm_for_each(t->space, find_vma, &l);
	return l.found;
}

static int
put_nodes(void __user *umask, uint64_t maxnode, bool node0)
{
	const uint64_t first = node0;
	uint64_t bytes = ((maxnode - 1 + 63) & ~63ull) / 8;

	if (bytes > PAGE_SIZE)
		return -EINVAL;
	if (bytes <= sizeof(first))
		return copy_to_user(umask, &first, bytes);
	if (clear_user((char __user *)umask + sizeof(first),
		       bytes - sizeof(first)))
		return -EFAULT;
	return copy_to_user(umask, &first, sizeof(first));
}

long
sys_get_mempolicy(struct thread *t, void __user *umode, void __user *nodes,
		  uint64_t maxnode, uint64_t addr, uint64_t flags)
{
	int mode = t->mempolicy;
	bool node0 = t->mempolicy_node0;

	if (nodes && maxnode < 1)
		return -EINVAL;
	if (flags & ~(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (flags & MPOL_F_MEMS_ALLOWED) {
		if (flags & (MPOL_F_NODE | MPOL_F_ADDR))
			return -EINVAL;
		mode = 0;
		node0 = true;
	} else if (flags & MPOL_F_ADDR) {
		if (!is_mapped(t, addr, addr + 1))
			return -EFAULT;
		if (flags & MPOL_F_NODE)
			mode = 0; /* the node */
	} else if (addr) {
		return -EINVAL;
	} else if (flags & MPOL_F_NODE) {
		if ((mode & ~MPOL_MODE_FLAGS) != MPOL_INTERLEAVE)
			return -EINVAL;
		mode = 0; /* the next node */
	}
	if (umode && copy_to_user(umode, &mode, sizeof(mode)))
		return -EFAULT;
	return nodes ? put_nodes(nodes, maxnode, node0) : 0;
}

long
sys_mbind(struct thread *t, uint64_t addr, uint64_t len, int mode,
	  const void __user *nodes, uint64_t maxnode, uint32_t flags)
{
	uint64_t end;
	bool node0;
	int err;

	if (flags & ~(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
		return -EINVAL;
	err = check_policy(mode, nodes, maxnode, &node0);
	if (err)
		return err;
	if (addr & PAGE_MASK)
		return -EINVAL;
	len = (len + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
	if (__builtin_add_overflow(addr, len, &end))
		return -EINVAL;
	if (!len)
		return 0;
	return is_mapped(t, addr, end) ? 0 : -EFAULT;
}
