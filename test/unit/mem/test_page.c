/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the buddy allocator hands out each frame once, aligned, inside RAM,
 * and gets everything back.  Method: random allocations of all orders
 * against a map of owned frames, on RAM with a hole and a kernel in odd
 * places; exhaustion; zeroing.
 * SOURCES: src/mem/page.c src/mem/heap.c src/mem/kmap.c test/unit/host/host.c
 * SOURCES: test/unit/host/core.c test/unit/host/panic.c
 * INCLUDE: test/unit/host
 */
#include "../host/host.h"
#include "../unit.h"

#include <core/bootinfo.h>
#include <mem/heap.h>
#include <mem/page.h>

#define RAM	(40ul << 20)
#define NFRAMES (RAM / 4096)
#define SLOTS	300

static uint8_t owned[NFRAMES];
static struct page *slot[SLOTS];
static unsigned slot_order[SLOTS];

static void
check_range(struct page *p, unsigned order)
{
	paddr_t pa = page_phys(p);

	CHECK((pa & ((4096ull << order) - 1)) == 0);
	CHECK(page_from_phys(pa) == p);
	for (unsigned i = 0; i < 1u << order; i++, pa += 4096) {
		CHECK(pa >= 0x10000 && pa < RAM);
		CHECK(pa < 0x9f000 || pa >= 0x100000);
		CHECK(pa + 4096 <= 0x7ff000 || pa >= 0x803000);
		CHECK(pa + 4096 <= boot_info.kernel_start ||
		      pa >= boot_info.kernel_end);
	}
}

static void
take(unsigned i, unsigned order, unsigned alloc)
{
	struct page *p = page_alloc(order, alloc);

	slot[i] = p;
	if (p == NULL)
		return;
	check_range(p, order);
	slot_order[i] = order;
	for (unsigned k = 0; k < 1u << order; k++) {
		uint64_t *w = (uint64_t *)((char *)page_addr(p) + k * 4096ul);

		CHECK(!owned[page_phys(p) / 4096 + k]);
		owned[page_phys(p) / 4096 + k] = 1;
		if (alloc & ALLOC_ZERO)
			for (unsigned j = 0; j < 512; j++)
				CHECK(w[j] == 0);
		w[0] = i + 1;
		w[511] = i + 1;
	}
}

static void
give(unsigned i)
{
	struct page *p = slot[i];

	for (unsigned k = 0; k < 1u << slot_order[i]; k++) {
		uint64_t *w = (uint64_t *)((char *)page_addr(p) + k * 4096ul);

		CHECK_EQ(w[0], i + 1);
		CHECK_EQ(w[511], i + 1);
		owned[page_phys(p) / 4096 + k] = 0;
	}
	page_put(p);
	slot[i] = NULL;
}

static void
test_random(void)
{
	uint64_t seed = 1;
	struct mem_stats before, after;
	unsigned failed = 0;

	mem_stats_get(&before);
	for (unsigned step = 0; step < 200000; step++) {
		uint64_t r = unit_random(&seed);
		unsigned i = r % SLOTS;

		if (slot[i] != NULL) {
			give(i);
		} else {
			unsigned order =
				(r >> 20) % 4 ? (r >> 24) % 4 : (r >> 24) % 11;

			take(i, order,
			     (r >> 40) % 8 ? ALLOC_KERNEL : ALLOC_USER);
			failed += slot[i] == NULL;
		}
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (slot[i] != NULL)
			give(i);
	CHECK(failed > 0); /* the test is to reach the limit, too */
	mem_stats_get(&after);
	CHECK_EQ(after.free, before.free);
}

static void
test_exhaust(void)
{
	static struct page *all[NFRAMES];
	struct mem_stats s;
	unsigned n = 0;
	struct page *p;

	while ((p = page_alloc(0, ALLOC_KERNEL)) != NULL)
		all[n++] = p;
	mem_stats_get(&s);
	CHECK(s.free >= s.reserve / 2 && s.free <= 2 * s.reserve);
	/* The reserve serves who may use it, to the last page. */
	while ((p = page_alloc(0, ALLOC_ATOMIC | ALLOC_RESERVE)) != NULL)
		all[n++] = p;
	mem_stats_get(&s);
	CHECK_EQ(s.free, 0);
	for (unsigned i = 0; i < n; i++)
		page_put(all[i]);
	/* It all grows together again. */
	for (unsigned i = 0; i < 5; i++) {
		all[i] = page_alloc(10, ALLOC_KERNEL);
		CHECK(all[i] != NULL);
	}
	for (unsigned i = 0; i < 5; i++)
		page_put(all[i]);
}

static void
test_split(void)
{
	struct mem_stats before, after;
	struct page *p;

	mem_stats_get(&before);
	p = page_alloc(9, ALLOC_KERNEL);
	CHECK(p != NULL);
	page_split(p, 9, PG_ANON);
	page_put_block(p, 9);
	p = page_alloc(9, ALLOC_KERNEL);
	CHECK(p != NULL);
	page_split(p, 9, PG_ANON);
	page_get(&p[17]);
	page_put_block(p, 9);
	CHECK_EQ(refcount_read(&p[17].refs), 1);
	page_put(&p[17]);
	mem_stats_get(&after);
	CHECK_EQ(after.free, before.free);
}

static size_t
shrinker(size_t npages, unsigned alloc)
{
	size_t n = 0;

	(void)alloc;
	for (unsigned i = 0; i < SLOTS && n < npages; i++) {
		if (slot[i] != NULL) {
			n += 1u << slot_order[i];
			give(i);
		}
	}
	return n;
}

static void
test_shrinker(void)
{
	static struct page *all[NFRAMES];
	unsigned n = 0;

	mem_register_shrinker(shrinker);
	for (unsigned i = 0; i < SLOTS; i++)
		take(i, 0, ALLOC_KERNEL);
	while ((all[n] = page_alloc(0, ALLOC_KERNEL)) != NULL)
		n++;
	for (unsigned i = 0; i < SLOTS; i++)
		CHECK(slot[i] == NULL);
	while (n > 0)
		page_put(all[--n]);
}

static const struct unit_test tests[] = {
	{ "split", test_split },
	{ "random", test_random },
	{ "exhaust", test_exhaust },
	{ "shrinker", test_shrinker },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	host_mem_init(RAM);
	return unit_main(argc, argv, tests);
}
