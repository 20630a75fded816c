/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readahead: finding the streams among the reads of a file.
 *
 * A cache remembers up to PAGE_CACHE_STREAMS readers by the page where each
 * was last, so several that read different parts of one file in turns are
 * each a stream.  A reader that goes on where it was gets a window that
 * doubles, in two halves: the next one is asked for when it enters the last.
 * A miss behind a page that is cached is taken for a stream that was
 * forgotten.  Any other miss reads what was asked for and no more, and takes
 * the place of the stream that came longest ago, unless it is of one page or
 * so: random reads do not wash streams out.
 *
 * Faults of mappings read around themselves: pc_read_fault().
 *
 * Everything here is a hint: it is read and changed without a lock.
 */
#include "pagecache_priv.h"

#include <dev/blk.h>

#define RA_MAX	    256u /* pages in flight ahead of a reader: 1 MiB */
#define RA_MIN	    8u
#define FAULT_MAX   64u /* pages read around a fault, aligned */
#define FAULT_MIN   16u
#define SMALL_PAGES 16384u

/* On a small machine what is read ahead takes the place of what is in use: a
 * program would push its own code out.  A sixteenth of what files may have. */
static uint64_t
affordable(void)
{
	struct mem_stats m;
	uint64_t n;

	if (likely(mem_total_pages() > SMALL_PAGES))
		return UINT64_MAX;
	mem_stats_get(&m);
	n = (m.free + m.cached) / 16;
	return n ? n : 1;
}

void
page_cache_readahead(struct page_cache *pc, uint64_t first, uint64_t n)
{
	uint64_t end = pc_npages(pc);
	struct blk_plug plug;

	if (pc->anonymous) {
		if (pc->lower)
			page_cache_readahead(pc->lower, first, n);
		return;
	}
	if (first >= end)
		return;
	if (n > end - first)
		n = end - first;
	blk_plug(&plug);
	while (n) {
		unsigned want = n > PC_BATCH ? PC_BATCH : (unsigned)n;
		int done = pc_start_read(pc, first, want, ALLOC_KERNEL);

		if (!done && radix_lookup(&pc->pages, first))
			done = 1; /* it is there: the next */
		if (done <= 0)
			break;
		first += (unsigned)done;
		n -= (unsigned)done;
	}
	blk_unplug(&plug);
}

static inline bool
follows(const struct page_cache_stream *s, uint64_t index)
{
	return s->window && (index == s->prev || index == s->prev + 1);
}

static struct page_cache_stream *
find(struct page_cache *pc, uint64_t index)
{
	unsigned last = pc->ra_last;

	for (unsigned k = 0; k < PAGE_CACHE_STREAMS; k++) {
		unsigned at = (last + k) % PAGE_CACHE_STREAMS;

		if (follows(&pc->ra[at], index)) {
			pc->ra_last = (uint8_t)at;
			return &pc->ra[at];
		}
	}
	return NULL;
}

static void
ask(struct page_cache *pc, struct page_cache_stream *s, uint64_t index,
    uint64_t window)
{
	uint64_t most = affordable();

	if (window < RA_MIN)
		window = RA_MIN;
	if (window > RA_MAX)
		window = RA_MAX;
	if (window > most)
		window = most;
	page_cache_readahead(pc, index, window);
	s->next = index + window;
	s->window = (uint32_t)window;
}

/* A miss of no known stream. */
static void
begin(struct page_cache *pc, uint64_t index, uint64_t npages)
{
	struct page_cache_stream *s;
	bool behind = index && radix_lookup(&pc->pages, index - 1);
	unsigned at;

	if (index && !behind && npages < RA_MIN) {
		page_cache_readahead(pc, index, npages);
		return;
	}
	at = pc->ra_victim % PAGE_CACHE_STREAMS;
	if (at == pc->ra_last)
		at = (at + 1) % PAGE_CACHE_STREAMS;
	pc->ra_victim = (uint8_t)(at + 1);
	pc->ra_last = (uint8_t)at;
	s = &pc->ra[at];
	s->prev = index;
	if (!index || behind) {
		ask(pc, s, index, npages);
		return;
	}
	/* May be a stream: it gets what it wants, and will be known. */
	if (npages > RA_MAX)
		npages = RA_MAX;
	page_cache_readahead(pc, index, npages);
	s->next = index + npages;
	s->window = (uint32_t)npages;
}

void
pc_read_ahead(struct page_cache *pc, uint64_t index, uint64_t npages, bool miss)
{
	struct page_cache_stream *s = find(pc, index);
	uint64_t twice;

	if (!s || (!index && miss)) {
		if (miss)
			begin(pc, index, npages);
		return;
	}
	twice = s->window * 2ull;
	if (miss && (index >= s->next || index + RA_MAX * 2 < s->next))
		ask(pc, s, index, twice < npages ? npages : twice);
	else if (index + npages + s->window / 2 >= s->next &&
		 s->next < pc_npages(pc))
		ask(pc, s, s->next, twice);
}

void
pc_read_at(struct page_cache *pc, uint64_t first, uint64_t last)
{
	struct page_cache_stream *s = &pc->ra[pc->ra_last];

	if (follows(s, first) || first == s->prev)
		s->prev = last;
}

/*
 * A fault reads what lies around it, as each request is a round trip to the
 * host: more where memory is plenty, and of small files.  One that goes on
 * where the last one's pages end, for the second time, is taken for a program
 * that reads its mapping from end to end: then twice as many, up to RA_MAX.
 */
void
pc_read_fault(struct page_cache *pc, uint64_t index)
{
	uint64_t n = FAULT_MIN, most = affordable(), first;
	bool goes_on = index && index == pc->fault_next;

	while (n < FAULT_MAX && n < mem_total_pages() / 512)
		n *= 2;
	if (pc_npages(pc) <= 4 * n)
		n *= 2;
	if (goes_on && pc->fault_window)
		n = pc->fault_window * 2ull;
	if (n > RA_MAX)
		n = RA_MAX;
	if (n > most)
		n = most;
	first = goes_on || n == most ? index : index & ~(n - 1);
	pc->fault_next = first + n;
	pc->fault_window = goes_on ? (uint32_t)n : 0;
	page_cache_readahead(pc, first, n);
}
