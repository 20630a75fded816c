/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking pages out of the page table, in batches: unmap under pt_lock,
 * gather what was there, flush once, then give the frames back.  A frame is
 * never freed while a CPU may still have a translation to it.
 *
 * Anonymous frames are chained through page->link, which is ours, so a batch
 * of them has no limit and costs no memory.  Frames of objects go into an
 * array, and their ranges are taken in pieces of that size.
 */
#include "space_priv.h"

#include <abi/errno.h>
#include <arch/mmu.h>
#include <base/assert.h>
#include <mem/page.h>

#define FILE_BATCH 64u
#define DIRTY_BIT  1ull

struct zap {
	struct list anon;   /* single pages */
	struct list blocks; /* heads of 2 MiB */
	uint64_t nanon;	    /* in pages */
	unsigned nfile;
	uint64_t file[FILE_BATCH]; /* struct page *, DIRTY_BIT */
};

static void
zap_page(void *arg, vaddr_t va, paddr_t pa, unsigned prot)
{
	struct zap *z = arg;
	struct page *p = page_from_phys(pa);

	(void)va;
	if (p == NULL || p == page_zero)
		return;
	if (prot & PTE_HUGE) {
		list_add(&z->blocks, &p->link);
		z->nanon += HUGE_SIZE / PAGE_SIZE;
	} else if (p->flags & PG_ANON) {
		list_add(&z->anon, &p->link);
		z->nanon++;
	} else {
		assert(z->nfile < FILE_BATCH);
		__atomic_fetch_sub(&p->mapcount, 1, __ATOMIC_RELAXED);
		z->file[z->nfile++] =
			(uint64_t)p | (prot & PTE_DIRTY ? DIRTY_BIT : 0);
	}
}

static void
zap_drain(struct vma *v, struct zap *z)
{
	struct vm_space *s = v->space;
	struct list *i, *next;

	if (z->nanon > 0) {
		__atomic_fetch_sub(&s->rss_anon, z->nanon, __ATOMIC_RELAXED);
		mem_count(MEM_ANON, -(long)z->nanon);
	}
	for (i = z->anon.next; i != &z->anon; i = next) {
		next = i->next;
		page_put(list_entry(i, struct page, link));
	}
	for (i = z->blocks.next; i != &z->blocks; i = next) {
		next = i->next;
		page_put_block(list_entry(i, struct page, link),
			       HUGE_SHIFT - PAGE_SHIFT);
	}
	if (z->nfile > 0)
		__atomic_fetch_sub(&s->rss_file, z->nfile, __ATOMIC_RELAXED);
	for (unsigned k = 0; k < z->nfile; k++) {
		struct page *p = (struct page *)(z->file[k] & ~DIRTY_BIT);
		struct vm_object *o = v->object;

		if ((z->file[k] & DIRTY_BIT) && (v->flags & VMA_SHARED) &&
		    o != NULL && o->ops->set_dirty != NULL)
			o->ops->set_dirty(o, p);
		page_put(p);
	}
}

/* One piece; all of it if there is no object. */
static int
zap_piece(struct vma *v, vaddr_t start, vaddr_t end)
{
	struct zap z;
	int err;

	list_init(&z.anon);
	list_init(&z.blocks);
	z.nanon = 0;
	z.nfile = 0;
	spin_lock(&pt_lock);
	err = pt_unmap(start, end, zap_page, &z);
	spin_unlock(&pt_lock);
	tlb_flush_range(start, end);
	zap_drain(v, &z);
	return err;
}

/* Keeps the private copies: page by page, as each must be looked at. */
static int
zap_object_pages(struct vma *v, vaddr_t start, vaddr_t end)
{
	for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
		struct page *p;
		paddr_t pa;
		unsigned prot;

		spin_lock(&pt_lock);
		prot = pt_query(va, &pa);
		spin_unlock(&pt_lock);
		if (prot == 0)
			continue;
		p = page_from_phys(pa);
		if (p == NULL || !(p->flags & PG_ANON)) {
			int err = zap_piece(v, va, va + PAGE_SIZE);

			if (err)
				return err;
		}
	}
	return 0;
}

int
vm_zap(struct vma *v, vaddr_t start, vaddr_t end, unsigned how)
{
	int err = 0;

	if (!v->populated || start >= end)
		return 0;
	if (v->object == NULL)
		return zap_piece(v, start, end);
	if ((how & ZAP_KEEP_PRIVATE) && !(v->flags & VMA_SHARED))
		return zap_object_pages(v, start, end);
	while (start < end && !err) {
		vaddr_t piece = start + FILE_BATCH * PAGE_SIZE;

		if (piece > end)
			piece = end;
		err = zap_piece(v, start, piece);
		start = piece;
	}
	return err;
}

int
vm_cut_huge(vaddr_t va)
{
	unsigned prot;
	paddr_t pa;
	int err = 0;

	if ((va & (HUGE_SIZE - 1)) == 0)
		return 0;
	spin_lock(&pt_lock);
	prot = pt_query(va, &pa);
	if (prot & PTE_HUGE)
		err = pt_protect(va, va + PAGE_SIZE,
				 PTE_READ | PTE_WRITE | PTE_EXEC, 0);
	spin_unlock(&pt_lock);
	return err;
}
