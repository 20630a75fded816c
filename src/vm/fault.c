/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page faults.
 *
 * A fault finds its vma without a lock (tree.c) and holds the vma's lock for
 * reading while it works, so faults of different threads do not wait for
 * each other, nor for mmap in other places.  Frames are allocated and filled
 * outside pt_lock; a fault that finds its place taken when it comes to map
 * has lost a race and is done.
 *
 * An object is asked without any lock held, as it may read from a device:
 * the vma is looked up again afterwards.  A page of an object is mapped under
 * the object's mapping lock (read), when unmap_seq shows that it was not
 * unmapped since it was asked for.
 *
 * Anonymous memory: a read maps the shared page of zeroes, the first write
 * takes a frame.  Frames that belong to the program alone have PG_ANON; only
 * those become writable in a private mapping.
 */
#include "space_priv.h"

#include <abi/errno.h>
#include <abi/signal.h>
#include <arch/mmu.h>
#include <arch/upcall.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <core/log.h>
#include <core/percpu.h>
#include <mem/page.h>
#include <sched/thread.h>

#define FAULT_RETRY ((enum fault_result)100)
#define AROUND	    16u	  /* pages mapped at a time from an object */
#define MAX_RETRIES 1000u /* of one fault; then it is repeated from outside */
#define HUGE_SPARE  8192u /* free pages that large pages leave alone */

unsigned
vma_prot(uint32_t flags)
{
	unsigned prot = 0;

	if (flags & VMA_RWX)
		prot = PTE_USER | PTE_READ;
	if (flags & VMA_WRITE)
		prot |= PTE_WRITE;
	if (flags & VMA_EXEC)
		prot |= PTE_EXEC;
	return prot;
}

static bool
access_ok(const struct vma *v, unsigned what)
{
	if (what & FAULT_WRITE)
		return v->flags & VMA_WRITE;
	if (what & FAULT_EXEC)
		return v->flags & VMA_EXEC;
	return v->flags & VMA_RWX;
}

static inline int
map_locked(vaddr_t va, struct page *p, unsigned prot)
{
	int err;

	spin_lock(&pt_lock);
	err = pt_map(va, page_phys(p), prot);
	spin_unlock(&pt_lock);
	return err;
}

/* pt_map() takes frames for tables without waiting.  When there was none,
 * make one free in a way that waits, and let the fault be repeated. */
static enum fault_result
result_of(int err)
{
	struct page *p;

	if (err == 0 || err == -EEXIST)
		return FAULT_DONE;
	p = page_alloc(0, ALLOC_KERNEL);
	if (p == NULL)
		return FAULT_NOMEM;
	page_put(p);
	return FAULT_RETRY;
}

static inline void
count_anon(struct vm_space *s, long npages)
{
	__atomic_fetch_add(&s->rss_anon, npages, __ATOMIC_RELAXED);
	mem_count(MEM_ANON, npages);
}

/*
 * Anonymous memory.
 */

static bool
huge_wanted(struct vm_space *s, struct vma *v, vaddr_t va)
{
	vaddr_t base = va & ~(HUGE_SIZE - 1);
	uint64_t nfree;

	if ((v->flags & (VMA_NOHUGE | VMA_STACK | VMA_GROWSDOWN)) ||
	    s->no_huge || base < v->start || base + HUGE_SIZE > v->end)
		return false;
	nfree = mem_free_pages();
	return nfree > HUGE_SPARE && nfree > mem_total_pages() / 8;
}

/* FAULT_RETRY: no large page here; take a small one. */
static enum fault_result
map_huge(struct vm_space *s, struct vma *v, vaddr_t va)
{
	const unsigned order = HUGE_SHIFT - PAGE_SHIFT;
	vaddr_t base = va & ~(HUGE_SIZE - 1);
	struct page *p;
	bool is_free;
	int err;

	spin_lock(&pt_lock);
	is_free = pt_huge_free(base);
	spin_unlock(&pt_lock);
	if (!is_free)
		return FAULT_RETRY;
	/* Not worth waiting for. */
	p = page_alloc(order, ALLOC_ATOMIC | ALLOC_ZERO);
	if (p == NULL)
		return FAULT_RETRY;
	page_split(p, order, PG_ANON);
	v->populated = true;
	err = map_locked(base, p, vma_prot(v->flags) | PTE_HUGE);
	if (err) {
		page_put_block(p, order);
		return err == -EEXIST ? FAULT_DONE : FAULT_RETRY;
	}
	count_anon(s, 1l << order);
	return FAULT_DONE;
}

static enum fault_result
anon_read(struct vma *v, vaddr_t va)
{
	v->populated = true;
	v->zeroes = true;
	return result_of(
		map_locked(va, page_zero, vma_prot(v->flags) & ~PTE_WRITE));
}

/* A page of the program's own, whose reference goes with it. */
static enum fault_result
install_anon(struct vm_space *s, struct vma *v, vaddr_t va, struct page *p)
{
	int err;

	p->flags = PG_ANON;
	v->populated = true;
	err = map_locked(va, p, vma_prot(v->flags));
	if (err)
		page_put(p);
	else
		count_anon(s, 1);
	return result_of(err);
}

static enum fault_result
anon_write(struct vm_space *s, struct vma *v, vaddr_t va)
{
	struct page *p;

	if (huge_wanted(s, v, va)) {
		enum fault_result r = map_huge(s, v, va);

		if (r != FAULT_RETRY)
			return r;
	}
	p = page_alloc(0, ALLOC_USER);
	return p != NULL ? install_anon(s, v, va, p) : FAULT_NOMEM;
}

/*
 * Copy on write: the page at va, with the caller's reference, is replaced
 * by a copy of its own.
 */
static enum fault_result
copy_page(struct vm_space *s, struct vma *v, vaddr_t va, struct page *old)
{
	bool zero = old == page_zero;
	struct page *p = page_alloc(0, zero ? ALLOC_USER : ALLOC_KERNEL);
	unsigned prot = vma_prot(v->flags);
	paddr_t pa;
	bool done = false;

	if (p == NULL) {
		page_put(old);
		return FAULT_NOMEM;
	}
	if (!zero)
		page_copy(page_addr(p), page_addr(old));
	p->flags = PG_ANON;
	spin_lock(&pt_lock);
	if (pt_query(va, &pa) != 0 && pa == page_phys(old)) {
		/* Nobody may read the old page once somebody can write to
		 * the new one: with other CPUs about, take it away first. */
		if (atomic_load_relaxed(&cpu_online_count) > 1) {
			ignore(pt_protect(va, va + PAGE_SIZE, 0, 0));
			tlb_flush_range(va, va + PAGE_SIZE);
		}
		pt_replace(va, page_phys(p), prot);
		done = true;
	}
	spin_unlock(&pt_lock);
	if (!done) {
		page_put(p);
		page_put(old);
		return FAULT_RETRY;
	}
	tlb_flush_local(va);
	count_anon(s, 1);
	if (!zero) {
		__atomic_fetch_sub(&s->rss_file, 1, __ATOMIC_RELAXED);
		__atomic_fetch_sub(&old->mapcount, 1, __ATOMIC_RELAXED);
		page_put(old); /* the mapping's */
	}
	page_put(old);
	return FAULT_DONE;
}

/*
 * A write to a page that is there and not writable.  Returns FAULT_RETRY
 * with *out == NULL when it is not there any more, and with *out referenced
 * when it needs more than a changed protection: a copy, or the object's
 * consent.
 */
static enum fault_result
upgrade(struct vma *v, vaddr_t va, struct page **out)
{
	enum fault_result r = FAULT_RETRY;
	struct page *p = NULL;
	unsigned prot;
	paddr_t pa;

	*out = NULL;
	spin_lock(&pt_lock);
	prot = pt_query(va, &pa);
	if (prot & PTE_WRITE) {
		r = FAULT_DONE;
	} else if (prot != 0) {
		p = page_from_phys(pa);
		if (p == NULL) {
			r = FAULT_ACCERR; /* a device's, read-only */
		} else if (p->flags & PG_ANON) {
			vaddr_t start = va, end = va + PAGE_SIZE;

			if (prot & PTE_HUGE) {
				start = va & ~(HUGE_SIZE - 1);
				end = start + HUGE_SIZE;
			}
			r = pt_protect(start, end, ~0u, vma_prot(v->flags)) ?
				    FAULT_NOMEM :
				    FAULT_DONE;
		} else {
			page_get(p);
			*out = p;
		}
	}
	spin_unlock(&pt_lock);
	if (r == FAULT_DONE)
		tlb_flush_local(va);
	return r;
}

/* A read or fetch of a page that is there: the protection was changed a
 * moment ago, or this CPU's translation is old. */
static enum fault_result
refresh(struct vma *v, vaddr_t va)
{
	unsigned want = vma_prot(v->flags) & ~PTE_WRITE;
	enum fault_result r = FAULT_DONE;
	unsigned prot;
	paddr_t pa;

	spin_lock(&pt_lock);
	prot = pt_query(va, &pa);
	if (prot != 0 && (prot & want) != want && !(prot & PTE_HUGE) &&
	    pt_protect(va, va + PAGE_SIZE, ~0u, want))
		r = FAULT_NOMEM;
	spin_unlock(&pt_lock);
	tlb_flush_local(va);
	return r;
}

static enum fault_result
fault_anon(struct vm_space *s, struct vma *v, vaddr_t va, unsigned what)
{
	enum fault_result r;
	struct page *p;

	if (!(what & FAULT_WRITE))
		return what & FAULT_PRESENT ? refresh(v, va) : anon_read(v, va);
	if (!(what & FAULT_PRESENT))
		return anon_write(s, v, va);
	r = upgrade(v, va, &p);
	if (p != NULL)
		return copy_page(s, v, va, p);
	return r == FAULT_RETRY ? anon_write(s, v, va) : r;
}

/*
 * Pages of objects.
 */

static inline uint64_t
index_of(const struct vma *v, vaddr_t va)
{
	return v->pgoff + ((va - v->start) >> PAGE_SHIFT);
}

/* Protection of an object's own page in this vma. */
static unsigned
object_prot(const struct vma *v, bool write)
{
	unsigned prot = vma_prot(v->flags);

	if (!(v->flags & VMA_SHARED))
		return prot & ~PTE_WRITE;
	/* Without make_writable the object does not care who writes when. */
	if (!write && v->object->ops->make_writable != NULL)
		prot &= ~PTE_WRITE;
	return prot;
}

/* Maps pages[i] at va + i pages where not NULL; takes their references. */
static int
map_object_pages(struct vm_space *s, vaddr_t va, struct page **pages,
		 unsigned n, unsigned prot, unsigned wanted)
{
	unsigned mapped = 0;
	int result = 0;

	spin_lock(&pt_lock);
	for (unsigned i = 0; i < n; i++) {
		int err;

		if (pages[i] == NULL)
			continue;
		err = pt_map(va + i * PAGE_SIZE, page_phys(pages[i]), prot);
		if (i == wanted)
			result = err;
		if (err)
			continue;
		__atomic_fetch_add(&pages[i]->mapcount, 1, __ATOMIC_RELAXED);
		pages[i] = NULL;
		mapped++;
	}
	spin_unlock(&pt_lock);
	for (unsigned i = 0; i < n; i++)
		if (pages[i] != NULL)
			page_put(pages[i]);
	__atomic_fetch_add(&s->rss_file, mapped, __ATOMIC_RELAXED);
	return result;
}

/* Maps p, and its neighbours that the object has at hand; takes the
 * reference.  The vma's lock is held. */
static enum fault_result
install(struct vm_space *s, struct vma *v, vaddr_t va, struct page *p,
	uint64_t seq, bool write)
{
	struct vm_object *o = v->object;
	struct page *pages[AROUND] = { NULL };
	vaddr_t first = va, end = va + PAGE_SIZE;
	int err;

	read_lock(&o->mapping_lock);
	if (o->unmap_seq != seq) {
		read_unlock(&o->mapping_lock);
		page_put(p);
		return FAULT_RETRY;
	}
	v->populated = true;
	if (!write && o->ops->peek != NULL) {
		first = va & ~(vaddr_t)(AROUND * PAGE_SIZE - 1);
		end = first + AROUND * PAGE_SIZE;
		if (first < v->start)
			first = v->start;
		if (end > v->end)
			end = v->end;
	}
	for (vaddr_t a = first; a < end; a += PAGE_SIZE)
		pages[(a - first) >> PAGE_SHIFT] =
			a == va ? p : o->ops->peek(o, index_of(v, a));
	err = map_object_pages(
		s, first, pages, (unsigned)((end - first) >> PAGE_SHIFT),
		object_prot(v, write), (unsigned)((va - first) >> PAGE_SHIFT));
	read_unlock(&o->mapping_lock);
	return result_of(err);
}

/* The first write to a page of a private mapping: the copy is mapped at
 * once.  Takes the reference to src. */
static enum fault_result
install_copy(struct vm_space *s, struct vma *v, vaddr_t va, struct page *src)
{
	struct page *p = page_alloc(0, ALLOC_KERNEL);

	if (p == NULL) {
		page_put(src);
		return FAULT_NOMEM;
	}
	page_copy(page_addr(p), page_addr(src));
	page_put(src);
	return install_anon(s, v, va, p);
}

static enum fault_result
error_result(int err)
{
	if (err == -EAGAIN)
		return FAULT_RETRY;
	return err == -ENOMEM ? FAULT_NOMEM : FAULT_BUS;
}

/* A page of a shared mapping, present and read-only, is to be written: asks
 * the object.  If it made the page read-only again meanwhile (unmap_seq), it
 * takes it for clean and is asked once more.  Releases the vma's lock, takes
 * the reference. */
static enum fault_result
make_writable(struct vm_space *s, struct vma *v, vaddr_t va, struct page *p)
{
	struct vm_object *o = v->object;
	uint64_t index = index_of(v, va);
	uint64_t seq = atomic_load_acquire(&o->unmap_seq);
	enum fault_result r = FAULT_RETRY;
	paddr_t pa;
	int err;

	vm_object_get(o);
	read_unlock(&v->lock);
	err = o->ops->make_writable != NULL ?
		      o->ops->make_writable(o, index, p) :
		      0;
	if (err) {
		r = error_result(err);
		goto out;
	}
	v = vma_lookup_read(s, va);
	if (v == NULL)
		goto out;
	if (v->object == o && index_of(v, va) == index &&
	    (v->flags & VMA_WRITE)) {
		read_lock(&o->mapping_lock);
		spin_lock(&pt_lock);
		if (o->unmap_seq == seq && pt_query(va, &pa) != 0 &&
		    pa == page_phys(p)) {
			ignore(pt_protect(va, va + PAGE_SIZE, ~0u,
					  vma_prot(v->flags)));
			r = FAULT_DONE;
		}
		spin_unlock(&pt_lock);
		read_unlock(&o->mapping_lock);
		tlb_flush_local(va);
	}
	read_unlock(&v->lock);
out:
	page_put(p);
	vm_object_put(o);
	return r;
}

/* The object must be asked, which may take long.  Releases the vma's lock. */
static enum fault_result
ask_object(struct vm_space *s, struct vma *v, vaddr_t va, bool write,
	   uint64_t seq)
{
	struct vm_object *o = v->object;
	uint64_t index = index_of(v, va);
	bool shared_write = write && (v->flags & VMA_SHARED);
	enum fault_result r = FAULT_RETRY;
	struct page *p;
	int err;

	vm_object_get(o);
	read_unlock(&v->lock);
	atomic_add(&s->majflt, 1);
	err = o->ops->fault(o, index, shared_write, &p);
	if (err) {
		r = error_result(err);
		goto out;
	}
	v = vma_lookup_read(s, va);
	if (v != NULL && v->object == o && index_of(v, va) == index &&
	    access_ok(v, write ? FAULT_WRITE : 0) &&
	    shared_write == (write && (v->flags & VMA_SHARED))) {
		if (write && !shared_write)
			r = install_copy(s, v, va, p);
		else
			r = install(s, v, va, p, seq, shared_write);
	} else {
		page_put(p);
	}
	if (v != NULL)
		read_unlock(&v->lock);
out:
	vm_object_put(o);
	return r;
}

/* Releases the vma's lock. */
static enum fault_result
fault_object(struct vm_space *s, struct vma *v, vaddr_t va, unsigned what)
{
	struct vm_object *o = v->object;
	bool write = what & FAULT_WRITE;
	enum fault_result r;
	struct page *p = NULL;
	uint64_t seq;

	if (what & FAULT_PRESENT) {
		r = write ? upgrade(v, va, &p) : refresh(v, va);
		if (p != NULL && (v->flags & VMA_SHARED))
			return make_writable(s, v, va, p);
		if (p != NULL)
			r = copy_page(s, v, va, p);
		if (p != NULL || r != FAULT_RETRY) {
			read_unlock(&v->lock);
			return r;
		}
	}
	seq = atomic_load_acquire(&o->unmap_seq);
	if (o->ops->peek != NULL && !(write && (v->flags & VMA_SHARED)))
		p = o->ops->peek(o, index_of(v, va));
	if (p == NULL)
		return ask_object(s, v, va, write, seq);
	r = write ? install_copy(s, v, va, p) :
		    install(s, v, va, p, seq, false);
	read_unlock(&v->lock);
	return r;
}

/*
 * The stack, and the way in.
 */

/* A fault below a stack: lengthens it to addr if its limit and what lies
 * below allow. */
static bool
grow_stack(struct vm_space *s, vaddr_t addr)
{
	vaddr_t start = page_floor(addr);
	struct vma *v, *prev;
	bool grown = false;

	vm_write_lock(s);
	v = vma_find(s, addr);
	if (v == NULL)
		goto out;
	if (addr >= v->start) {
		grown = true; /* somebody else did */
		goto out;
	}
	if (!(v->flags & VMA_GROWSDOWN) || v->end - start > s->stack_limit ||
	    start < MMAP_MIN)
		goto out;
	prev = vma_prev(v);
	if (prev != NULL && (prev->flags & VMA_RWX) &&
	    start < prev->end + STACK_GUARD)
		goto out;
	if (prev != NULL && start < prev->end)
		goto out;
	if (vm_may_add(s, v->start - start, v->flags))
		goto out;
	vma_set_range(v, start, v->end);
	grown = true;
out:
	vm_write_unlock(s);
	return grown;
}

enum fault_result
vm_fault(struct vm_space *s, vaddr_t addr, unsigned what)
{
	vaddr_t va = page_floor(addr);

	__atomic_fetch_add(&s->minflt, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < MAX_RETRIES; i++) {
		struct vma *v = vma_lookup_read(s, addr);
		enum fault_result r;

		if (v == NULL) {
			if (!grow_stack(s, addr))
				return FAULT_MAPERR;
			continue;
		}
		if (!access_ok(v, what)) {
			read_unlock(&v->lock);
			return FAULT_ACCERR;
		}
		if (v->object == NULL) {
			r = fault_anon(s, v, va, what);
			read_unlock(&v->lock);
		} else {
			r = fault_object(s, v, va, what);
		}
		if (r != FAULT_RETRY)
			return r;
		what &= ~FAULT_PRESENT;
		if (what & FAULT_WRITE) {
			paddr_t pa;

			spin_lock(&pt_lock);
			if (pt_query(va, &pa) != 0)
				what |= FAULT_PRESENT;
			spin_unlock(&pt_lock);
		}
	}
	/* Others keep changing the place: let the program try again. */
	return FAULT_DONE;
}

int
vm_populate(struct vm_space *s, vaddr_t start, vaddr_t end, bool write)
{
	vaddr_t va = start;

	while (va < end) {
		unsigned what = write ? FAULT_WRITE : 0;
		unsigned prot;
		paddr_t pa;

		spin_lock(&pt_lock);
		prot = pt_query(va, &pa);
		spin_unlock(&pt_lock);
		if (prot == 0 || (write && !(prot & PTE_WRITE))) {
			if (prot != 0)
				what |= FAULT_PRESENT;
			switch (vm_fault(s, va, what)) {
			case FAULT_DONE:
				break;
			case FAULT_NOMEM:
				return -ENOMEM;
			default:
				return -EFAULT;
			}
		}
		va += PAGE_SIZE;
		if (prot & PTE_HUGE)
			va = (va + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1);
		if (thread_current()->pending & PENDING_KILL)
			return -EINTR;
	}
	return 0;
}

static bool
out_of_memory(const struct regs *r, int *sig, int *code)
{
	log_err("out of memory: %s (thread %d) needs a page and none is left",
		thread_current()->name, thread_current()->tid);
	if (vm_hooks.oom != NULL) {
		vm_hooks.oom();
		/* To user mode: the signal ends it on the way.  In the kernel
		 * the copy fails, and the same comes after. */
		if (regs_user(r))
			return true;
	}
	*sig = SIGKILL;
	*code = SI_KERNEL;
	return false;
}

bool
upcall_fault(struct regs *r, vaddr_t addr, unsigned what, int *sig, int *code)
{
	struct thread *t = thread_current();
	struct vm_space *s = t != NULL ? t->space : NULL;

	*sig = SIGSEGV;
	*code = SEGV_MAPERR;
	if (addr >= USER_END || s == NULL)
		return false;
	if (!regs_user(r)) {
		/* A copy that must not sleep; or the kernel touched user
		 * memory without leave (SMAP), which no mapping can mend. */
		if (t->nofault > 0 || !irq_enabled())
			return false;
		if ((what & (FAULT_PRESENT | FAULT_WRITE)) == FAULT_PRESENT)
			return false;
	}
	switch (vm_fault(s, addr, what)) {
	case FAULT_DONE:
		return true;
	case FAULT_ACCERR:
		*code = SEGV_ACCERR;
		return false;
	case FAULT_BUS:
		*sig = SIGBUS;
		*code = BUS_ADRERR;
		return false;
	case FAULT_NOMEM:
		return out_of_memory(r, sig, code);
	case FAULT_MAPERR:
		return false;
	}
	return false;
}
