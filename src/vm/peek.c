/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking into the address space from the kernel: other threads' reads for
 * reports, and the identity of a futex word.
 */
#include "space_priv.h"

#include <abi/errno.h>
#include <arch/mmu.h>
#include <base/string.h>
#include <mem/page.h>

/* The page at va with a reference, faulting it in when it can be read. */
static struct page *
page_at(struct vm_space *s, vaddr_t va)
{
	for (unsigned i = 0; i < 2; i++) {
		struct page *p = NULL;
		unsigned prot;
		paddr_t pa;

		spin_lock(&pt_lock);
		prot = pt_query(va, &pa);
		if (prot & PTE_READ) {
			p = page_from_phys(pa);
			if (p != NULL)
				page_get(p);
		}
		spin_unlock(&pt_lock);
		if (p != NULL || prot != 0)
			return p;
		if (vm_fault(s, va, 0) != FAULT_DONE)
			return NULL;
	}
	return NULL;
}

size_t
vm_peek(struct vm_space *s, vaddr_t addr, void *buf, size_t len)
{
	char *out = buf;
	size_t done = 0;

	if (addr >= USER_END)
		return 0;
	if (len > USER_END - addr)
		len = USER_END - addr;
	while (done < len) {
		vaddr_t va = addr + done;
		size_t off = va & PAGE_MASK;
		size_t n = PAGE_SIZE - off;
		struct page *p = page_at(s, page_floor(va));

		if (p == NULL)
			break;
		if (n > len - done)
			n = len - done;
		memcpy(out + done, (char *)page_addr(p) + off, n);
		page_put(p);
		done += n;
	}
	return done;
}

int
vm_futex_key(struct vm_space *s, vaddr_t addr, bool shared,
	     struct futex_key *out)
{
	struct vma *v;

	if (addr >= USER_END)
		return -EFAULT;
	out->owner = s;
	out->offset = addr;
	if (!shared)
		return 0;
	v = vma_lookup_read(s, addr);
	if (v == NULL)
		return -EFAULT;
	if (v->object != NULL && (v->flags & VMA_SHARED)) {
		out->owner = v->object;
		out->offset = (v->pgoff << PAGE_SHIFT) + (addr - v->start);
	}
	read_unlock(&v->lock);
	return 0;
}
