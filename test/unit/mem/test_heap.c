/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: heap objects do not overlap, keep their contents, are aligned, and
 * running out of memory is NULL.  Method: random kmalloc and kfree of all
 * sizes with a pattern in each object, own caches beside them.
 * SOURCES: src/mem/page.c src/mem/heap.c src/mem/kmap.c test/unit/host/host.c
 * SOURCES: test/unit/host/core.c test/unit/host/panic.c
 * INCLUDE: test/unit/host
 */
#include "../host/host.h"
#include "../unit.h"

#include <mem/heap.h>
#include <mem/kmap.h>
#include <mem/page.h>

#define SLOTS 4000

static struct {
	unsigned char *p;
	size_t size;
	struct cache *cache;
} slot[SLOTS];

static size_t
random_size(uint64_t r)
{
	switch (r % 8) {
	case 0:
		return r / 8 % 20000;
	case 1:
		return r / 8 % 4096;
	default:
		return r / 8 % 300;
	}
}

static void
give(unsigned i)
{
	for (size_t k = 0; k < slot[i].size; k++)
		CHECK(slot[i].p[k] == (unsigned char)(i * 7 + k));
	if (slot[i].cache != NULL)
		cache_free(slot[i].cache, slot[i].p);
	else
		kfree(slot[i].p);
	slot[i].p = NULL;
}

static void
fill(unsigned i)
{
	for (size_t k = 0; k < slot[i].size; k++)
		slot[i].p[k] = (unsigned char)(i * 7 + k);
}

static void
test_random(void)
{
	struct cache *c[3] = { cache_create("a", 40, 8),
			       cache_create("b", 200, 64),
			       cache_create("c", 1000, 16) };
	const size_t csize[3] = { 40, 200, 1000 };
	uint64_t seed = 2;

	for (unsigned step = 0; step < 400000; step++) {
		uint64_t r = unit_random(&seed);
		unsigned i = r % SLOTS;

		r >>= 16;
		if (slot[i].p != NULL) {
			give(i);
			continue;
		}
		slot[i].cache = NULL;
		if (r % 5 == 0) {
			unsigned k = r / 5 % 3;

			slot[i].cache = c[k];
			slot[i].size = csize[k];
			slot[i].p = cache_alloc(c[k], ALLOC_KERNEL);
			if (k == 1)
				CHECK(((uint64_t)slot[i].p & 63) == 0);
		} else {
			slot[i].size = random_size(r / 5);
			slot[i].p = kmalloc(slot[i].size, ALLOC_KERNEL);
		}
		CHECK(slot[i].p != NULL);
		CHECK(((uint64_t)slot[i].p & 15) == 0);
		CHECK(kmalloc_usable(slot[i].p) >= slot[i].size);
		fill(i);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (slot[i].p != NULL)
			give(i);
}

static void
test_zero_and_limits(void)
{
	unsigned char *p = kmalloc(100, ALLOC_KERNEL);
	unsigned char *z;

	memset(p, 0xff, 100);
	kfree(p);
	z = kzalloc(100, ALLOC_KERNEL);
	for (int i = 0; i < 100; i++)
		CHECK(z[i] == 0);
	kfree(z);
	CHECK(kcalloc(1ul << 40, 1ul << 40, ALLOC_KERNEL) == NULL);
	CHECK(kmalloc((2ul << 20) + 1, ALLOC_KERNEL) == NULL);
	kfree(NULL);
	p = (unsigned char *)kstrdup("words", ALLOC_KERNEL);
	CHECK_STR((char *)p, "words");
	kfree(p);
}

static void
test_exhaust(void)
{
	struct mem_stats before, after;
	void *first = NULL;
	unsigned n = 0;

	mem_stats_get(&before);
	for (;;) {
		void **p = kmalloc(700, ALLOC_KERNEL);

		if (p == NULL)
			break;
		*p = first;
		first = p;
		n++;
	}
	CHECK(n > 1000);
	while (first != NULL) {
		void *next = *(void **)first;

		kfree(first);
		first = next;
	}
	/* All but a few slabs come back. */
	mem_stats_get(&after);
	CHECK(after.free + 64 > before.free);
}

static void
test_kmap(void)
{
	struct mem_stats before, after;
	void *a, *b;
	unsigned prot;

	a = vmalloc(100, ALLOC_KERNEL);
	vfree(a);
	mem_stats_get(&before);
	a = vmalloc(3 * 4096 + 1, ALLOC_KERNEL);
	b = kmap_stack_alloc(16384);
	CHECK(a != NULL && b != NULL && a != b);
	CHECK(host_pt_addr((vaddr_t)a + 3 * 4096, &prot) != NULL);
	CHECK(host_pt_addr((vaddr_t)a + 4 * 4096, &prot) == NULL);
	CHECK(host_pt_addr((vaddr_t)b - 1, &prot) == NULL);
	CHECK(host_pt_addr((vaddr_t)b + 16384, &prot) == NULL);
	vfree(a);
	vfree(b);
	mem_stats_get(&after);
	CHECK_EQ(after.free, before.free);
	a = kmap_io(0xfee00123, 8);
	CHECK(((uint64_t)a & 4095) == 0x123);
	kmap_io_unmap(a, 8);
	a = kmap_module_alloc(8192);
	CHECK(a != NULL);
	CHECK_EQ(kmap_seal(a, 8192, 1 | 4), 0);
	vfree(a);
}

static const struct unit_test tests[] = {
	{ "zero_and_limits", test_zero_and_limits },
	{ "random", test_random },
	{ "exhaust", test_exhaust },
	{ "kmap", test_kmap },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	host_mem_init(40ul << 20);
	return unit_main(argc, argv, tests);
}
