/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the address space does what mmap, munmap, mprotect, mremap, madvise
 * and the program's own reads and writes say, in any order.  Method: random
 * operations on a window of pages against a model that knows for each page
 * whether it is mapped, how, and what its first word holds; the vmas, the
 * page table and the counters are compared with the model again and again.
 * SOURCES: src/mem/page.c src/mem/heap.c src/mem/kmap.c src/vm/advise.c
 * SOURCES: src/vm/fault.c src/vm/map.c src/vm/object.c src/vm/peek.c
 * SOURCES: src/vm/protect.c src/vm/remap.c src/vm/space.c src/vm/tree.c
 * SOURCES: src/vm/uaccess.c src/vm/vma.c src/vm/zap.c src/base/rbtree.c
 * SOURCES: test/unit/host/host.c
 * SOURCES: test/unit/host/core.c test/unit/host/panic.c
 * INCLUDE: test/unit/host
 */
#include "../host/host.h"
#include "../unit.h"

#include <abi/errno.h>
#include <abi/mman.h>
#include <abi/signal.h>
#include <arch/upcall.h>
#include <mem/page.h>
#include <sched/thread.h>
#include <vm/object.h>
#include <vm/space.h>

#define NPAGES 96
#define BASE   0x500000000000ull
#define RWX    (VMA_READ | VMA_WRITE | VMA_EXEC)

/*
 * An object of OBJ_PAGES pages in the manner of the page cache: page i is
 * made when it is first wanted, its first word is 1000 + i.
 */
#define OBJ_PAGES 64
static struct vm_object object;
static struct page *obj_pages[OBJ_PAGES];
static unsigned asked_writable;

static int
obj_fault(struct vm_object *o, uint64_t index, bool write, struct page **out)
{
	host_check_unlocked();
	CHECK(o == &object);
	if (index >= OBJ_PAGES)
		return -ENXIO;
	if (obj_pages[index] == NULL) {
		struct page *p = page_alloc(0, ALLOC_USER);

		if (p == NULL)
			return -ENOMEM;
		*(uint64_t *)page_addr(p) = 1000 + index;
		obj_pages[index] = p;
	}
	asked_writable += write;
	page_get(obj_pages[index]);
	*out = obj_pages[index];
	return 0;
}

static struct page *
obj_peek(struct vm_object *o, uint64_t index)
{
	(void)o;
	if (index >= OBJ_PAGES || obj_pages[index] == NULL)
		return NULL;
	page_get(obj_pages[index]);
	return obj_pages[index];
}

static int
obj_make_writable(struct vm_object *o, uint64_t index, struct page *p)
{
	(void)o;
	host_check_unlocked();
	asked_writable++;
	return obj_pages[index] == p ? 0 : -EAGAIN;
}

static const struct vm_object_ops obj_ops = {
	.fault = obj_fault,
	.peek = obj_peek,
	.make_writable = obj_make_writable,
};

/*
 * The model.
 */
static struct {
	bool mapped;
	uint32_t flags; /* RWX and SHARED */
	int obj;	/* page of the object, -1: anonymous */
	bool own;	/* private copy of an object's page */
	uint64_t word;	/* of anonymous and own pages */
} model[NPAGES];
static uint64_t obj_word[OBJ_PAGES];
static struct vm_space *space;

static uint64_t
model_word(unsigned i)
{
	return model[i].obj >= 0 && !model[i].own ? obj_word[model[i].obj] :
						    model[i].word;
}

static vaddr_t
va_of(unsigned i)
{
	return BASE + i * PAGE_SIZE;
}

/* One access as the processor makes it: -1: it was refused. */
static int
touch(vaddr_t va, bool write, uint64_t *word)
{
	struct regs r = { .cs = 3 };

	for (unsigned n = 0; n < 10; n++) {
		unsigned prot, what = FAULT_USER;
		int sig, code;
		uint64_t *p = host_pt_addr(va, &prot);

		if (p != NULL && (prot & (write ? PTE_WRITE : PTE_READ))) {
			if (write)
				*p = *word;
			else
				*word = *p;
			return 0;
		}
		if (write)
			what |= FAULT_WRITE;
		if (p != NULL)
			what |= FAULT_PRESENT;
		if (!upcall_fault(&r, va, what, &sig, &code))
			return sig == SIGSEGV ? -1 : -2;
		host_check_unlocked();
	}
	CHECK(!"the fault is never resolved");
	return -1;
}

static bool
walk(struct vma *v, void *arg)
{
	struct vma **last = arg;

	CHECK(v->start < v->end && !v->dead);
	if (*last != NULL) {
		CHECK((*last)->end <= v->start);
		/* alike neighbours have been joined */
		CHECK((*last)->end != v->start || (*last)->flags != v->flags ||
		      (*last)->object != v->object ||
		      (v->object != NULL &&
		       (*last)->pgoff + ((*last)->end - (*last)->start) /
						PAGE_SIZE !=
			       v->pgoff));
	}
	*last = v;
	for (vaddr_t va = v->start; va < v->end; va += PAGE_SIZE) {
		unsigned i = (unsigned)((va - BASE) / PAGE_SIZE);

		CHECK(i < NPAGES && model[i].mapped);
		CHECK_EQ(v->flags & (RWX | VMA_SHARED), model[i].flags);
		if (v->object != NULL)
			CHECK_EQ(v->pgoff + (va - v->start) / PAGE_SIZE,
				 model[i].obj);
		else
			CHECK_EQ(model[i].obj, -1);
		model[i].mapped = false; /* counted; restored by the caller */
	}
	return true;
}

static void
check_all(void)
{
	bool was[NPAGES];
	struct vma *last = NULL;
	uint64_t total = 0, present = 0;

	host_check_unlocked();
	for (unsigned i = 0; i < NPAGES; i++) {
		unsigned prot;
		uint64_t *p = host_pt_addr(va_of(i), &prot);

		was[i] = model[i].mapped;
		total += was[i];
		if (!was[i]) {
			CHECK(p == NULL);
			continue;
		}
		if (p == NULL)
			continue;
		present++;
		CHECK_EQ(*p, model_word(i));
		/* never more than the vma allows */
		CHECK(!(prot & PTE_WRITE) || (model[i].flags & VMA_WRITE));
		CHECK(!(prot & PTE_READ) || (model[i].flags & RWX));
	}
	vm_for_each(space, walk, &last);
	for (unsigned i = 0; i < NPAGES; i++) {
		CHECK(!model[i].mapped);
		model[i].mapped = was[i];
	}
	CHECK_EQ(space->total_pages, total);
	CHECK(space->rss_anon + space->rss_file <= present);
}

static void
model_map(unsigned i, unsigned n, uint32_t flags, int obj)
{
	for (unsigned k = i; k < i + n; k++) {
		model[k].mapped = true;
		model[k].flags = flags;
		model[k].obj = obj < 0 ? -1 : obj + (int)(k - i);
		model[k].own = false;
		model[k].word = 0;
	}
}

static void
op_map(unsigned i, unsigned n, uint64_t r)
{
	uint32_t flags = (uint32_t)(r & RWX) | (r & 8 ? VMA_SHARED : 0);
	bool obj = r & 16;
	unsigned off = (unsigned)(r >> 8) % 16;
	long at;

	if (obj && off + n > OBJ_PAGES)
		n = OBJ_PAGES - off;
	at = vm_map(space, va_of(i), n * PAGE_SIZE, flags | VMA_MAYWRITE,
		    obj ? &object : NULL, NULL, obj ? off * PAGE_SIZE : 0,
		    VM_FIXED);
	CHECK_EQ(at, va_of(i));
	model_map(i, n, flags, obj ? (int)off : -1);
}

static void
op_protect(unsigned i, unsigned n, uint32_t rwx)
{
	int err = vm_protect(space, va_of(i), n * PAGE_SIZE, rwx);

	for (unsigned k = i; k < i + n; k++) {
		if (!model[k].mapped) {
			CHECK_EQ(err, -ENOMEM);
			return;
		}
		model[k].flags = (model[k].flags & ~RWX) | rwx;
	}
	CHECK_EQ(err, 0);
}

static void
op_dontneed(unsigned i, unsigned n, int advice)
{
	bool hole = false, bad = false;
	int err = vm_advise(space, va_of(i), n * PAGE_SIZE, advice);

	for (unsigned k = i; k < i + n; k++) {
		if (!model[k].mapped) {
			hole = true;
			continue;
		}
		if (advice == MADV_FREE &&
		    (model[k].obj >= 0 || (model[k].flags & VMA_SHARED))) {
			bad = true;
			break;
		}
		model[k].own = false;
		model[k].word = 0;
	}
	CHECK_EQ(err, bad ? -EINVAL : hole ? -ENOMEM : 0);
}

static void
op_remap(unsigned i, unsigned n, unsigned to, unsigned nto)
{
	long r;

	if (to < i + n && i < to + nto)
		return;
	for (unsigned k = i; k < i + n; k++)
		if (!model[k].mapped)
			return;
	r = vm_remap(space, va_of(i), n * PAGE_SIZE, nto * PAGE_SIZE,
		     MREMAP_MAYMOVE | MREMAP_FIXED, va_of(to));
	if (r == -EFAULT) {
		/* more than one vma; what it would have replaced stays */
		return;
	}
	CHECK_EQ(r, va_of(to));
	for (unsigned k = 0; k < nto; k++) {
		if (k < n) {
			model[to + k] = model[i + k];
		} else {
			model[to + k] = model[i + n - 1];
			model[to + k].own = false;
			model[to + k].word = 0;
			if (model[to + k].obj >= 0)
				model[to + k].obj += (int)(k - n + 1);
		}
	}
	for (unsigned k = i; k < i + n; k++)
		model[k].mapped = false;
}

static void
op_touch(unsigned i, bool write, uint64_t value)
{
	uint32_t f = model[i].flags;
	bool allowed = model[i].mapped && (f & (write ? VMA_WRITE : RWX));
	uint64_t word = value;
	int r = touch(va_of(i), write, &word);

	if (model[i].obj >= OBJ_PAGES && allowed && !model[i].own) {
		CHECK_EQ(r, -2); /* beyond the end: SIGBUS */
		return;
	}
	CHECK_EQ(r, allowed ? 0 : -1);
	if (!allowed)
		return;
	if (!write) {
		CHECK_EQ(word, model_word(i));
	} else if (model[i].obj >= 0 && (f & VMA_SHARED)) {
		obj_word[model[i].obj] = value;
	} else {
		model[i].own = model[i].obj >= 0;
		model[i].word = value;
	}
}

static bool
beyond_object(unsigned n)
{
	for (unsigned i = 0; i < NPAGES; i++)
		if (model[i].mapped && model[i].obj + (int)n >= 200)
			return true;
	return false;
}

static void
run(uint64_t seed, unsigned steps)
{
	for (unsigned step = 0; step < steps; step++) {
		uint64_t r = unit_random(&seed);
		unsigned i = r % NPAGES, op = (r >> 16) % 16;
		unsigned n = 1 + (unsigned)(r >> 24) % 12;
		unsigned to = (unsigned)(r >> 32) % NPAGES;
		unsigned nto = 1 + (unsigned)(r >> 40) % 12;

		if (i + n > NPAGES)
			n = NPAGES - i;
		if (to + nto > NPAGES)
			nto = NPAGES - to;
		r >>= 48;
		if (op < 3) {
			op_map(i, n, r);
		} else if (op == 3) {
			CHECK_EQ(vm_unmap(space, va_of(i), n * PAGE_SIZE), 0);
			for (unsigned k = i; k < i + n; k++)
				model[k].mapped = false;
		} else if (op == 4 || op == 5) {
			op_protect(i, n, (uint32_t)r & RWX);
		} else if (op == 6) {
			op_dontneed(i, n, MADV_DONTNEED);
		} else if (op == 7) {
			op_dontneed(i, n, MADV_FREE);
		} else if (op == 8 && !beyond_object(nto)) {
			op_remap(i, n, to, nto);
		} else if (op == 9) {
			/* eviction of some pages of the object */
			vm_object_unmap(&object, i % OBJ_PAGES,
					i % OBJ_PAGES + n, false);
		} else {
			op_touch(i, r & 1, r >> 1);
		}
		check_all();
	}
}

static void
fresh_space(void)
{
	CHECK_EQ(vm_space_create(false, &space), 0);
	host_thread->space = space;
	memset(model, 0, sizeof(model));
	vm_object_init(&object, &obj_ops);
	for (unsigned i = 0; i < OBJ_PAGES; i++) {
		if (obj_pages[i] != NULL) {
			CHECK_EQ(refcount_read(&obj_pages[i]->refs), 1);
			CHECK_EQ(obj_pages[i]->mapcount, 0);
			page_put(obj_pages[i]);
		}
		obj_pages[i] = NULL;
		obj_word[i] = 1000 + i;
	}
}

static void
drop_space(void)
{
	vm_space_put(space);
	CHECK_EQ(host_pt_count(), 0);
	CHECK(list_empty(&object.vmas));
	CHECK_EQ(object.writable_maps, 0);
	CHECK_EQ(refcount_read(&object.refs), 1);
}

static void
test_random(void)
{
	struct mem_stats before, after;

	for (uint64_t seed = 1; seed <= 12; seed++) {
		fresh_space();
		mem_stats_get(&before);
		run(seed, 6000);
		drop_space();
		fresh_space();
		vm_space_put(space);
		mem_stats_get(&after);
		CHECK(after.free + 40 >= before.free);
		CHECK_EQ(after.anon, 0);
	}
}

/* The same with every 7th new page table entry refused. */
static void
test_random_nomem(void)
{
	host_fail_every = 7;
	fresh_space();
	run(77, 6000);
	drop_space();
	host_fail_every = 0;
}

static void
test_huge(void)
{
	struct mem_stats before, after;
	uint64_t word = 42;
	unsigned prot;
	long at;

	fresh_space();
	mem_stats_get(&before);
	at = vm_map(space, 0, 8ul << 20, VMA_READ | VMA_WRITE | VMA_MAYWRITE,
		    NULL, NULL, 0, 0);
	CHECK(at > 0 && (at & (HUGE_SIZE - 1)) == 0);
	CHECK_EQ(touch((vaddr_t)at + 5000, true, &word), 0);
	CHECK(host_pt_addr((vaddr_t)at, &prot) != NULL);
	CHECK(prot & PTE_HUGE);
	CHECK_EQ(space->rss_anon, 512);
	/* A hole in the middle splits it; the rest keeps its contents. */
	CHECK_EQ(vm_unmap(space, (vaddr_t)at + 0x10000, 0x3000), 0);
	CHECK_EQ(space->rss_anon, 509);
	word = 0;
	CHECK_EQ(touch((vaddr_t)at + 5000, false, &word), 0);
	CHECK_EQ(word, 42);
	CHECK_EQ(touch((vaddr_t)at + 0x11000, false, &word), -1);
	/* DONTNEED of part of another, and a move askew. */
	word = 43;
	CHECK_EQ(touch((vaddr_t)at + HUGE_SIZE + 0x5000, true, &word), 0);
	CHECK_EQ(vm_advise(space, (vaddr_t)at + HUGE_SIZE, 0x3000,
			   MADV_DONTNEED),
		 0);
	CHECK_EQ(touch((vaddr_t)at + HUGE_SIZE + 0x5000, false, &word), 0);
	CHECK_EQ(word, 43);
	word = 44;
	CHECK_EQ(touch((vaddr_t)at + 2 * HUGE_SIZE, true, &word), 0);
	CHECK_EQ(vm_remap(space, (vaddr_t)at + 2 * HUGE_SIZE, HUGE_SIZE,
			  HUGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			  BASE + 0x1000),
		 BASE + 0x1000);
	word = 0;
	CHECK_EQ(touch(BASE + 0x1000, false, &word), 0);
	CHECK_EQ(word, 44);
	CHECK_EQ(vm_protect(space, BASE + 0x1000, HUGE_SIZE, VMA_READ), 0);
	CHECK_EQ(touch(BASE + 0x1000, true, &word), -1);
	vm_unmap_all(space);
	CHECK_EQ(space->rss_anon, 0);
	mem_stats_get(&after);
	CHECK(after.free + 16 >= before.free);
	drop_space();
}

static void
test_stack(void)
{
	uint64_t word = 1;
	vaddr_t top = BASE + (64ul << 20);

	fresh_space();
	CHECK_EQ(vm_map(space, top - 0x20000, 0x20000,
			VMA_READ | VMA_WRITE | VMA_STACK | VMA_GROWSDOWN, NULL,
			NULL, 0, VM_FIXED),
		 top - 0x20000);
	CHECK_EQ(touch(top - 0x30000, true, &word), 0);
	CHECK_EQ(touch(top - (8ul << 20), true, &word), 0);
	CHECK_EQ(touch(top - (8ul << 20) - 8, true, &word), -1);
	/* It does not grow into a neighbour's guard. */
	CHECK_EQ(vm_unmap(space, top - (8ul << 20), (8ul << 20) - 0x20000), 0);
	CHECK(vm_map(space, top - 0x200000, 0x1000, VMA_READ, NULL, NULL, 0,
		     VM_FIXED) > 0);
	CHECK_EQ(touch(top - 0x80000, true, &word), 0);
	CHECK_EQ(touch(top - 0x180000, true, &word), -1);
	drop_space();
}

static void
test_errors(void)
{
	const uint32_t rw = VMA_READ | VMA_WRITE | VMA_MAYWRITE;
	struct futex_key k;
	vaddr_t brk = BASE;

	fresh_space();
	CHECK_EQ(vm_map(space, 0, 0, rw, NULL, NULL, 0, 0), -EINVAL);
	CHECK_EQ(vm_map(space, 0, UINT64_MAX, rw, NULL, NULL, 0, 0), -ENOMEM);
	CHECK_EQ(vm_map(space, 0, 1ul << 40, rw, NULL, NULL, 0, 0), -ENOMEM);
	CHECK(vm_map(space, 0, 1ul << 40, rw | VMA_NORESERVE, NULL, NULL, 0,
		     0) > 0);
	CHECK_EQ(vm_map(space, 0, 4096, rw, NULL, NULL, 0, VM_FIXED), -EPERM);
	CHECK_EQ(vm_map(space, USER_END - 4096, 8192, rw, NULL, NULL, 0,
			VM_FIXED),
		 -ENOMEM);
	CHECK_EQ(vm_map(space, BASE, 4096, rw, NULL, NULL, 0, VM_FIXED), BASE);
	CHECK_EQ(vm_map(space, BASE, 4096, rw, NULL, NULL, 0,
			VM_FIXED_NOREPLACE),
		 -EEXIST);
	CHECK_EQ(vm_unmap(space, BASE + 1, 4096), -EINVAL);
	CHECK_EQ(vm_unmap(space, BASE, UINT64_MAX), -EINVAL);
	CHECK_EQ(vm_unmap(space, USER_END, 4096), -EINVAL);
	/* What goes need not be there, as for an unmapping. */
	CHECK_EQ(vm_remap(space, BASE, 8192, 4096, 0, 0), BASE);
	CHECK_EQ(vm_remap(space, BASE, 4096, 0, 0, 0), -EINVAL);
	CHECK_EQ(vm_futex_key(space, USER_END, true, &k), -EFAULT);
	CHECK_EQ(vm_futex_key(space, BASE + 4096, true, &k), -EFAULT);
	CHECK_EQ(vm_futex_key(space, BASE, true, &k), 0);
	CHECK_EQ(vm_unmap(space, BASE, 4096), 0);
	space->as_limit = space->total_pages * 4096 + 8192;
	CHECK_EQ(vm_map(space, 0, 12288, rw, NULL, NULL, 0, 0), -ENOMEM);
	CHECK(vm_map(space, 0, 8192, rw, NULL, NULL, 0, 0) > 0);
	space->as_limit = UINT64_MAX;
	space->brk_start = space->brk = brk;
	CHECK_EQ(vm_brk(space, 0), brk);
	CHECK_EQ(vm_brk(space, brk + 5000), brk + 5000);
	CHECK_EQ(vm_brk(space, brk - 1), brk + 5000);
	CHECK_EQ(vm_brk(space, brk + 1), brk + 1);
	space->data_limit = space->data_pages * 4096;
	CHECK_EQ(vm_brk(space, brk + 8192), brk + 1);
	CHECK_EQ(vm_brk(space, brk), brk);
	drop_space();
}

/* A program that wants more than the machine has: the fault says so, and
 * everything comes back. */
static void
test_oom(void)
{
	struct mem_stats before, after;
	struct regs r = { .cs = 3 };
	uint64_t word = 1;
	int sig = 0, code;
	long at;

	fresh_space();
	space->no_huge = true;
	mem_stats_get(&before);
	at = vm_map(space, 0, before.total * 4096,
		    VMA_READ | VMA_WRITE | VMA_MAYWRITE, NULL, NULL, 0, 0);
	CHECK(at > 0);
	for (vaddr_t va = (vaddr_t)at; sig == 0; va += 4096) {
		unsigned prot;

		if (upcall_fault(&r, va, FAULT_USER | FAULT_WRITE, &sig,
				 &code)) {
			CHECK(host_pt_addr(va, &prot) != NULL);
			sig = 0;
		} else {
			CHECK_EQ(sig, SIGKILL);
		}
	}
	host_check_unlocked();
	vm_unmap_all(space);
	at = vm_map(space, 0, 4096, VMA_READ | VMA_WRITE, NULL, NULL, 0, 0);
	CHECK_EQ(touch((vaddr_t)at, true, &word), 0);
	drop_space();
	mem_stats_get(&after);
	CHECK(after.free + 40 >= before.free);
}

/* Thousands of mappings: the search for room finds each gap again. */
static void
test_gaps(void)
{
	static long at[4000];
	uint64_t seed = 5;
	unsigned n = 0;

	fresh_space();
	for (unsigned step = 0; step < 20000; step++) {
		uint64_t r = unit_random(&seed);
		unsigned k = (unsigned)(r >> 8) % 4000;
		size_t len = (1 + k % 5) * PAGE_SIZE;

		if (at[k] != 0) {
			CHECK_EQ(vm_unmap(space, (vaddr_t)at[k], len), 0);
			at[k] = 0;
			n--;
		} else {
			/* different protections: they are not joined */
			at[k] = vm_map(space, 0, len, (uint32_t)r & RWX, NULL,
				       NULL, 0, 0);
			CHECK(at[k] > 0);
			n++;
			CHECK((vaddr_t)at[k] >=
			      space->mmap_top - 20000 * PAGE_SIZE);
		}
	}
	host_check_unlocked();
	memset(at, 0, sizeof(at));
	drop_space();
}

static const struct unit_test tests[] = {
	{ "errors", test_errors }, { "stack", test_stack },
	{ "random", test_random }, { "random_nomem", test_random_nomem },
	{ "huge", test_huge },	   { "gaps", test_gaps },
	{ "oom", test_oom },	   { NULL, NULL },
};

int
main(int argc, char **argv)
{
	host_mem_init(128ul << 20);
	return unit_main(argc, argv, tests);
}
