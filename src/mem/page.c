/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page frames: a buddy allocator with a magazine of single pages per CPU.
 *
 * The array of struct page lies at the start of a large range of RAM and is
 * not initialised at boot.  The buddy keeps one invariant that makes this
 * right: the head of a block is written whenever the block comes to be (when
 * its range is added, when a larger block is split), so the buddy of a block
 * that is freed has always a valid head, or lies outside RAM and was marked
 * reserved by seal_edges().  The pages inside a block stay unwritten until
 * somebody splits it.
 *
 * Ranges enter the free lists in steps of GROW_BLOCKS blocks as they are
 * needed: a boot costs the same on every size of machine.
 *
 * Watermarks: below `reserve` only ALLOC_RESERVE is served (half of it is
 * open to callers that cannot sleep); below `low` a caller that may sleep
 * runs the shrinkers first.  Out of memory is NULL, never a panic.
 *
 * Locks: frames.lock (RANK_FRAMES), interrupts disabled.  The magazine of a
 * CPU is used with interrupts disabled and no lock.
 */
#include <mem/page.h>

#include <arch/cpu.h>
#include <base/assert.h>
#include <base/string.h>
#include <core/bootinfo.h>
#include <core/kasan.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/spinlock.h>

#include "mem_priv.h"

#define MAX_ORDER     10u /* blocks of 4 MiB */
#define GROW_BLOCKS   16u /* added at a time: 64 MiB */
#define MAX_RANGES    (BOOT_MAX_RANGES + BOOT_MAX_MODULES + 2)
#define LOW_MEMORY    0x10000ull /* below: trampoline of other CPUs */
#define MAX_SHRINKERS 4
#define SHRINK_TRIES  4
#define WAIT_TRIES    2000

struct frame_range {
	uint64_t start, low, end; /* frames; [low, end) is in the lists */
};

static struct {
	struct spinlock lock;
	struct list free[MAX_ORDER + 1];      /* [l] */
	uint64_t nfree;			      /* [l] in the lists; racy reads */
	uint64_t nlater;		      /* [l] not yet in the lists */
	uint64_t total;			      /* [l] */
	uint64_t reserve, low;		      /* [I] */
	struct frame_range range[MAX_RANGES]; /* [l] low; else [I] */
	unsigned nranges;
	uint64_t end_pfn; /* [I] frames that the array covers */
	size_t (*shrinker[MAX_SHRINKERS])(size_t, unsigned); /* [a] */
	struct thread *shrinking;    /* [a] who is in a shrinker */
	void (*wait)(void);	     /* [I] sleeps a moment */
	long counter[MEM_NCOUNTERS]; /* [a] */
} frames = { .lock = SPINLOCK_INIT(RANK_FRAMES) };

static struct page *page_array; /* [I] by frame number */
struct page *page_zero;

static inline uint64_t
page_pfn(const struct page *p)
{
	return (uint64_t)(p - page_array);
}

paddr_t
page_phys(const struct page *p)
{
	return page_pfn(p) << PAGE_SHIFT;
}

struct page *
page_from_phys(paddr_t pa)
{
	uint64_t pfn = pa >> PAGE_SHIFT;

	for (unsigned i = 0; i < boot_info.nmem; i++) {
		const struct boot_range *r = &boot_info.mem[i];

		if (pa >= r->start && pa < r->end)
			return r->type == BOOT_MEM_RAM && pfn < frames.end_pfn ?
				       &page_array[pfn] :
				       NULL;
	}
	return NULL;
}

/* The heap's form: the address is known to be of RAM. */
struct page *
page_of_addr(const void *va)
{
	return &page_array[virt_to_phys(va) >> PAGE_SHIFT];
}

/* Stores rather than a call of memset: eight bytes a store is what an
 * emulator does best and costs a real CPU little.  The empty statement
 * keeps the compiler from making it a memset again. */
void
page_clear(void *dst)
{
	uint64_t *d = dst;
	uint64_t *end = d + PAGE_SIZE / 8;

	for (; d < end; d += 32) {
#define CLEAR4(i) d[i] = 0, d[(i) + 1] = 0, d[(i) + 2] = 0, d[(i) + 3] = 0
		CLEAR4(0), CLEAR4(4), CLEAR4(8), CLEAR4(12);
		CLEAR4(16), CLEAR4(20), CLEAR4(24), CLEAR4(28);
#undef CLEAR4
		__asm__ volatile("" : : "r"(d) : "memory");
	}
}

void
page_copy(void *dst, const void *src)
{
	memcpy(dst, src, PAGE_SIZE);
}

/*
 * The buddy.
 */

static inline void
page_reset(struct page *p)
{
	p->flags = 0;
	p->object = NULL;
	p->index = 0;
	p->mapcount = 0;
	p->order = 0;
	p->priv = NULL;
}

static void
mark_reserved(struct page *p)
{
	page_reset(p);
	refcount_set(&p->refs, 1);
	p->flags = PG_RESERVED;
	list_init(&p->link);
}

static inline bool
is_free_block(const struct page *p, unsigned order)
{
	return (p->flags & PG_HEAD) && p->order == order;
}

static void
insert_locked(struct page *p, unsigned order)
{
	refcount_set(&p->refs, 0);
	p->flags = PG_HEAD;
	p->order = (uint8_t)order;
	list_add(&frames.free[order], &p->link);
}

static void
use_last_locked(uint64_t pfn, unsigned order)
{
	struct page *p = &page_array[pfn];

	if (is_free_block(p, order)) { /* it was not merged */
		list_del(&p->link);
		list_add_tail(&frames.free[order], &p->link);
	}
}

static void
free_block_locked(uint64_t pfn, unsigned order)
{
	frames.nfree += 1ull << order;
	while (order < MAX_ORDER) {
		struct page *b = &page_array[pfn ^ (1ull << order)];

		if (!is_free_block(b, order))
			break;
		list_del(&b->link);
		b->flags = 0;
		pfn &= ~(1ull << order);
		order++;
	}
	insert_locked(&page_array[pfn], order);
}

static bool
is_added_locked(uint64_t pfn)
{
	for (unsigned i = 0; i < frames.nranges; i++)
		if (pfn >= frames.range[i].low && pfn < frames.range[i].end)
			return true;
	return false;
}

/* Frames of the image and the modules have their struct page from boot. */
static bool
is_boot_frame(uint64_t pfn)
{
	paddr_t pa = pfn << PAGE_SHIFT;

	if (pa + PAGE_SIZE > boot_info.kernel_start &&
	    pa < boot_info.kernel_end)
		return true;
	for (unsigned i = 0; i < boot_info.nmodules; i++)
		if (pa + PAGE_SIZE > boot_info.module[i].start &&
		    pa < boot_info.module[i].end)
			return true;
	return false;
}

/* Writes the heads that the merging of this block may look at and that no
 * other block owns. */
static void
seal_edges_locked(uint64_t pfn, unsigned order)
{
	for (unsigned o = order; o < MAX_ORDER; o++) {
		uint64_t q = (pfn & ~((1ull << o) - 1)) ^ (1ull << o);

		if (q < frames.end_pfn && !is_added_locked(q) &&
		    !is_boot_frame(q))
			mark_reserved(&page_array[q]);
	}
}

/* Moves up to max blocks of r into the free lists, from its end down, to be
 * used in this order: the host lends us memory in pages of 2 MiB, which it
 * clears, and the loader has put the modules at the end. */
static void
add_blocks_locked(struct frame_range *r, unsigned max)
{
	while (r->low > r->start && max-- > 0) {
		unsigned order = MAX_ORDER;

		while (order > 0 && ((r->low & ((1ull << order) - 1)) ||
				     r->low - r->start < 1ull << order))
			order--;
		r->low -= 1ull << order;
		seal_edges_locked(r->low, order);
		frames.nlater -= 1ull << order;
		free_block_locked(r->low, order);
		use_last_locked(r->low, order);
	}
}

/* Gets more blocks from RAM that boot did not touch; false: there is none.
 * From the highest range down, so that low memory stays for last. */
static bool
grow_locked(void)
{
	for (unsigned i = frames.nranges; i-- > 0;) {
		struct frame_range *r = &frames.range[i];

		if (r->low > r->start) {
			add_blocks_locked(r, GROW_BLOCKS);
			return true;
		}
	}
	return false;
}

static struct page *
take_block_locked(unsigned order)
{
	unsigned o = order;
	struct page *p;

	for (;;) {
		for (o = order; o <= MAX_ORDER; o++)
			if (!list_empty(&frames.free[o]))
				goto found;
		if (!grow_locked())
			return NULL;
	}
found:
	p = list_entry(frames.free[o].next, struct page, link);
	list_del(&p->link);
	frames.nfree -= 1ull << order;
	while (o > order) {
		o--;
		insert_locked(p + (1ull << o), o);
	}
	page_reset(p);
	p->order = (uint8_t)order;
	return p;
}

static uint64_t
floor_of(unsigned alloc)
{
	if (alloc & ALLOC_RESERVE)
		return 0;
	return alloc & ALLOC_SLEEP ? frames.reserve : frames.reserve / 2;
}

static struct page *
take_block(unsigned order, unsigned alloc)
{
	irqflags_t f = spin_lock_irq(&frames.lock);
	struct page *p = NULL;

	if (frames.nfree + frames.nlater >= floor_of(alloc) + (1ull << order))
		p = take_block_locked(order);
	spin_unlock_irq(&frames.lock, f);
	return p;
}

/*
 * Magazines of single pages.
 */

static void
magazine_fill(struct page_magazine *m, unsigned alloc)
{
	spin_lock(&frames.lock);
	while (m->n < PAGE_MAGAZINE / 2) {
		struct page *p;

		if (frames.nfree + frames.nlater <=
		    floor_of(alloc) + frames.reserve / 4)
			break;
		p = take_block_locked(0);
		if (p == NULL)
			break;
		m->pages[m->n++] = p;
	}
	spin_unlock(&frames.lock);
}

static void
magazine_drain(struct page_magazine *m, unsigned keep)
{
	spin_lock(&frames.lock);
	while (m->n > keep)
		free_block_locked(page_pfn(m->pages[--m->n]), 0);
	spin_unlock(&frames.lock);
}

static struct page *
take_single(unsigned alloc)
{
	irqflags_t f = irq_save();
	struct heap_cpu *h = heap_this_cpu();
	struct page *p = NULL;

	if (h != NULL) {
		if (h->pages.n == 0)
			magazine_fill(&h->pages, alloc);
		if (h->pages.n > 0)
			p = h->pages.pages[--h->pages.n];
	}
	irq_restore(f);
	return p != NULL ? p : take_block(0, alloc);
}

/*
 * Reclaim.
 */

static size_t
shrink(size_t npages, unsigned alloc)
{
	struct thread *none = NULL;
	size_t got = 0;
	irqflags_t f;

	/* One shrinker at a time, and no recursion: what it allocates comes
	 * from the reserve or fails. */
	if (!__atomic_compare_exchange_n(&frames.shrinking, &none,
					 thread_current(), false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return 0;
	/* Single pages in the magazine may be all that keeps a block from
	 * being whole. */
	f = irq_save();
	if (heap_this_cpu() != NULL)
		magazine_drain(&heap_this_cpu()->pages, 0);
	irq_restore(f);
	for (unsigned i = 0; i < MAX_SHRINKERS && got < npages; i++)
		if (frames.shrinker[i] != NULL)
			got += frames.shrinker[i](npages - got, alloc);
	if (got < npages)
		got += heap_shrink();
	if (got < npages)
		got += kmap_shrink();
	__atomic_store_n(&frames.shrinking, NULL, __ATOMIC_RELEASE);
	return got;
}

static inline bool
memory_low(void)
{
	return frames.nfree + frames.nlater < frames.low;
}

/* false: nobody is shrinking. */
static bool
wait_for_shrinker(void)
{
	if (__atomic_load_n(&frames.shrinking, __ATOMIC_RELAXED) == NULL ||
	    frames.wait == NULL)
		return false;
	frames.wait();
	return true;
}

static struct page *
alloc_slow(unsigned order, unsigned alloc)
{
	struct page *p = NULL;

	if (!(alloc & ALLOC_SLEEP) || frames.shrinking == thread_current())
		return order ? NULL : take_block(0, alloc);
	for (unsigned i = 0; i < SHRINK_TRIES && p == NULL; i++) {
		size_t want = (1ull << order) + 32;

		/* Somebody else is at it, and will leave something.  One
		 * that may not enter a file system does not wait: it may be
		 * what the other waits for. */
		for (unsigned k = 0; k < WAIT_TRIES && p == NULL &&
				     (alloc & ALLOC_FS) && wait_for_shrinker();
		     k++)
			p = take_block(order, alloc);
		if (p != NULL)
			break;
		if (shrink(want, alloc) == 0 && i > 0)
			break;
		p = take_block(order, alloc);
	}
	return p;
}

struct page *
page_alloc(unsigned order, unsigned alloc)
{
	struct page *p;

	if (order > MAX_ORDER)
		return NULL;
	/* Reclaim ahead of need, while there is still something to do it
	 * with. */
	if (unlikely(memory_low()) && (alloc & ALLOC_SLEEP) &&
	    frames.shrinking == NULL)
		(void)shrink(32, alloc);
	p = order == 0 ? take_single(alloc) : take_block(order, alloc);
	if (unlikely(p == NULL)) {
		p = alloc_slow(order, alloc);
		if (p == NULL)
			return NULL;
	}
	refcount_set(&p->refs, 1);
	kasan_unpoison(page_addr(p), PAGE_SIZE << order);
	if (alloc & ALLOC_ZERO)
		for (unsigned i = 0; i < 1u << order; i++)
			page_clear((char *)page_addr(p) + i * PAGE_SIZE);
	return p;
}

void
page_free(struct page *p)
{
	unsigned order = p->order;
	struct heap_cpu *h;
	irqflags_t f;

	assert(!(p->flags & (PG_RESERVED | PG_LOCKED | PG_HEAD)));
#ifdef PITH_DEBUG
	kasan_unpoison(page_addr(p), PAGE_SIZE << order); /* a slab's were */
	for (unsigned i = 0; i < 1u << order; i++)
		memset((char *)page_addr(p) + i * PAGE_SIZE, 0x6b, PAGE_SIZE);
#endif
	kasan_poison(page_addr(p), PAGE_SIZE << order, KASAN_FREE_PAGE);
	page_reset(p);
	p->order = (uint8_t)order;
	f = irq_save();
	h = heap_this_cpu();
	if (order == 0 && h != NULL) {
		if (h->pages.n == PAGE_MAGAZINE)
			magazine_drain(&h->pages, PAGE_MAGAZINE / 2);
		h->pages.pages[h->pages.n++] = p;
	} else {
		spin_lock(&frames.lock);
		free_block_locked(page_pfn(p), order);
		spin_unlock(&frames.lock);
	}
	irq_restore(f);
}

void
page_split(struct page *p, unsigned order, uint32_t flags)
{
	assert(p->order == order);
	for (unsigned i = 0; i < 1u << order; i++) {
		page_reset(&p[i]);
		p[i].flags = flags;
		refcount_set(&p[i].refs, 1);
	}
}

void
page_put_block(struct page *p, unsigned order)
{
	unsigned n = 1u << order, i;
	irqflags_t f;

	/* Each count goes from one to nothing by itself: the page cache's
	 * lookup without a lock may hold a page for a moment. */
	for (i = 0; i < n; i++) {
		uint32_t one = 1;

		if (!atomic_cas(&p[i].refs.n, &one, 0))
			break;
		p[i].flags = 0;
	}
	if (likely(i == n)) {
		kasan_poison(page_addr(p), n * PAGE_SIZE, KASAN_FREE_PAGE);
		f = spin_lock_irq(&frames.lock);
		free_block_locked(page_pfn(p), order);
		spin_unlock_irq(&frames.lock, f);
		return;
	}
	for (unsigned k = 0; k < i; k++)
		page_free(&p[k]);
	for (; i < n; i++)
		page_put(&p[i]);
}

/*
 * Numbers.
 */

void
mem_count(enum mem_counter c, long npages)
{
	__atomic_fetch_add(&frames.counter[c], npages, __ATOMIC_RELAXED);
}

static uint64_t
counter_read(enum mem_counter c)
{
	long v = __atomic_load_n(&frames.counter[c], __ATOMIC_RELAXED);

	return v > 0 ? (uint64_t)v : 0;
}

uint64_t
mem_free_pages(void)
{
	return frames.nfree + frames.nlater;
}

uint64_t
mem_total_pages(void)
{
	return frames.total;
}

static uint64_t
free_pages_all(void)
{
	uint64_t n = mem_free_pages();

	for (unsigned i = 0; i < ARCH_MAX_CPUS; i++)
		if (cpus[i] != NULL && cpus[i]->heap != NULL)
			n += cpus[i]->heap->pages.n;
	return n;
}

void
mem_stats_get(struct mem_stats *s)
{
	memset(s, 0, sizeof(*s));
	s->total = frames.total;
	s->free = free_pages_all();
	s->reserve = frames.reserve;
	s->cached = counter_read(MEM_CACHED);
	s->dirty = counter_read(MEM_DIRTY);
	s->writeback = counter_read(MEM_WRITEBACK);
	s->shmem = counter_read(MEM_SHMEM);
	s->anon = counter_read(MEM_ANON);
	s->kernel_stack = counter_read(MEM_KSTACK);
	s->page_tables = counter_read(MEM_PAGETABLES);
	s->slab = counter_read(MEM_SLAB);
}

void
mem_set_wait(void (*fn)(void))
{
	frames.wait = fn;
}

void
mem_register_shrinker(size_t (*fn)(size_t npages, unsigned alloc))
{
	for (unsigned i = 0; i < MAX_SHRINKERS; i++) {
		if (frames.shrinker[i] == NULL) {
			frames.shrinker[i] = fn;
			return;
		}
	}
	panic("too many shrinkers");
}

/*
 * Boot.
 */

static void
range_append(uint64_t start, uint64_t end)
{
	struct frame_range *r;

	if (start >= end || frames.nranges == MAX_RANGES)
		return;
	r = &frames.range[frames.nranges++];
	r->start = start;
	r->low = r->end = end;
	frames.total += end - start;
	frames.nlater += end - start;
}

/* Cuts [start, end) (bytes) out of the ranges. */
static void
range_cut(paddr_t start, paddr_t end)
{
	uint64_t a = start >> PAGE_SHIFT;
	uint64_t b = (end + PAGE_SIZE - 1) >> PAGE_SHIFT;
	unsigned n = frames.nranges;

	for (unsigned i = 0; i < n; i++) {
		struct frame_range *r = &frames.range[i];
		uint64_t old_end = r->end;

		if (b <= r->start || a >= r->end || a >= b)
			continue;
		frames.total -= r->end - r->start;
		frames.nlater -= r->end - r->start;
		r->low = r->end = a > r->start ? a : r->start;
		frames.total += r->end - r->start;
		frames.nlater += r->end - r->start;
		range_append(b, old_end);
	}
}

/* The array goes to the start of the largest range that boot left. */
static void
place_page_array(void)
{
	struct frame_range *best = NULL;
	size_t size, n;

	for (unsigned i = 0; i < boot_info.nmem; i++)
		if (boot_info.mem[i].type == BOOT_MEM_RAM)
			frames.end_pfn = boot_info.mem[i].end >> PAGE_SHIFT;
	for (unsigned i = 0; i < frames.nranges; i++) {
		struct frame_range *r = &frames.range[i];

		if (best == NULL || r->end - r->start > best->end - best->start)
			best = r;
	}
	if (best == NULL)
		panic("no memory: the boot protocol gave no RAM");
	/* RAM behind a hole so large that its array does not fit is left
	 * out. */
	n = best->end - best->start;
	if (frames.end_pfn * sizeof(struct page) > n / 4 * PAGE_SIZE)
		frames.end_pfn = best->end;
	size = (frames.end_pfn * sizeof(struct page) + PAGE_SIZE - 1) >>
	       PAGE_SHIFT;
	if (size > n / 2)
		panic("not enough memory for the page array");
	page_array = phys_to_virt(best->start << PAGE_SHIFT);
	best->start += size;
	frames.total -= size;
	frames.nlater -= size;
	for (unsigned i = 0; i < frames.nranges; i++) {
		struct frame_range *r = &frames.range[i];
		uint64_t end =
			r->end < frames.end_pfn ? r->end : frames.end_pfn;

		if (end < r->start)
			end = r->start;
		frames.total -= r->end - end;
		frames.nlater -= r->end - end;
		r->low = r->end = end;
	}
}

#ifdef PITH_KASAN
/* The sanitizer's shadow lies behind the page array. */
static void
place_shadow(void)
{
	paddr_t end = virt_to_phys(page_array + frames.end_pfn);
	uint64_t pfn = (end + PAGE_SIZE - 1) >> PAGE_SHIFT;
	size_t n = (frames.end_pfn + 7) / 8;

	for (unsigned i = 0; i < frames.nranges; i++) {
		struct frame_range *r = &frames.range[i];
		void *shadow = phys_to_virt(pfn << PAGE_SHIFT);

		if (r->start != pfn || r->end - r->start < 2 * n)
			continue;
		r->start += n;
		frames.total -= n;
		frames.nlater -= n;
		memset(shadow, 0, n * PAGE_SIZE);
		kasan_init(shadow, (vaddr_t)phys_to_virt(0),
			   frames.end_pfn << PAGE_SHIFT);
	}
}
#endif

static void
reserve_pages(paddr_t start, paddr_t end)
{
	for (paddr_t pa = start & ~(paddr_t)(PAGE_SIZE - 1);
	     pa < end && (pa >> PAGE_SHIFT) < frames.end_pfn; pa += PAGE_SIZE)
		mark_reserved(&page_array[pa >> PAGE_SHIFT]);
}

void
mem_init(void)
{
	for (unsigned i = 0; i <= MAX_ORDER; i++)
		list_init(&frames.free[i]);
	for (unsigned i = 0; i < boot_info.nmem; i++) {
		const struct boot_range *r = &boot_info.mem[i];
		paddr_t start = r->start < LOW_MEMORY ? LOW_MEMORY : r->start;

		if (r->type == BOOT_MEM_RAM)
			range_append((start + PAGE_SIZE - 1) >> PAGE_SHIFT,
				     r->end >> PAGE_SHIFT);
	}
	range_cut(boot_info.kernel_start, boot_info.kernel_end);
	for (unsigned i = 0; i < boot_info.nmodules; i++)
		range_cut(boot_info.module[i].start, boot_info.module[i].end);
	place_page_array();
#ifdef PITH_KASAN
	place_shadow();
#endif
	reserve_pages(boot_info.kernel_start, boot_info.kernel_end);
	for (unsigned i = 0; i < boot_info.nmodules; i++)
		reserve_pages(boot_info.module[i].start,
			      boot_info.module[i].end);
	frames.reserve = frames.total / 64;
	if (frames.reserve < 16)
		frames.reserve = 16;
	if (frames.reserve > 1024)
		frames.reserve = 1024;
	frames.low = frames.reserve * 2;
	page_zero = page_alloc(0, ALLOC_ZERO | ALLOC_RESERVE);
	if (page_zero == NULL)
		panic("no memory for the first page");
	page_zero->flags = PG_RESERVED | PG_UPTODATE;
}

/* Only whole pages inside; the range was reserved at boot. */
void
mem_add_range(paddr_t start, paddr_t end)
{
	uint64_t a = (start + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t b = end >> PAGE_SHIFT;
	irqflags_t f = spin_lock_irq(&frames.lock);

	if (b > frames.end_pfn)
		b = frames.end_pfn;
	range_append(a, b);
	spin_unlock_irq(&frames.lock, f);
}
