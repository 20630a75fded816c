/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is written through the page cache, by write and by shared
 * mappings, is what is read, what fsync has put on the device, and what is
 * there after eviction, in any order of operations; space is reserved and
 * given back exactly; an error of the device is reported once to each open
 * file, and a page that could not be read is never data.
 * Method: a file system of one file over a disk in memory, with delayed
 * allocation, whose writes end later, in random order, some with errors;
 * random operations against a model of the file's bytes.
 * SOURCES: src/fs/pagecache.c src/fs/pagewrite.c src/fs/writeback.c
 * SOURCES: src/fs/readahead.c src/fs/reclaim.c
 * SOURCES: src/base/radix.c src/mem/page.c src/mem/heap.c src/mem/kmap.c
 * SOURCES: src/vm/advise.c src/vm/fault.c src/vm/map.c src/vm/object.c
 * SOURCES: src/vm/page_lock.c src/vm/peek.c src/vm/protect.c src/vm/remap.c
 * SOURCES: src/vm/space.c src/vm/tree.c src/vm/uaccess.c src/vm/uio.c
 * SOURCES: src/vm/vma.c src/vm/zap.c src/base/rbtree.c
 * SOURCES: test/unit/host/host.c
 * SOURCES: test/unit/host/core.c test/unit/host/panic.c
 * INCLUDE: test/unit/host
 */
#include "../host/host.h"
#include "../unit.h"

#include <abi/errno.h>
#include <abi/mman.h>
#include <arch/upcall.h>
#include <dev/blk.h>
#include <file/file.h>
#include <fs/pagecache.h>
#include <fs/vfs.h>
#include <mem/page.h>
#include <sched/thread.h>
#include <vm/space.h>
#include <vm/uio.h>

#include <ucontext.h>

#define NPAGES 40u /* of the file, at most */
#define SIZE   (NPAGES * PAGE_SIZE)
#define BASE   0x500000000000ull
#define BLOCKS 32u /* of the disk: fewer than the file's pages */

/* ---- what lies around the page cache ---- */

uint64_t writeback_pending, writeback_floor = UINT64_MAX;
static unsigned touched;

void
writeback_ended(void)
{
	writeback_pending--;
}
void
blk_plug(struct blk_plug *p)
{
	(void)p;
}
void
blk_unplug(struct blk_plug *p)
{
	(void)p;
}
void
writeback_throttle_slow(void)
{
}
bool
writeback_for_memory(void)
{
	return false;
}
void
inode_mark(struct inode *i, uint32_t bits)
{
	i->state |= bits;
}
int
inode_write(struct inode *i, bool datasync)
{
	(void)i, (void)datasync;
	return 0;
}
void
inode_mark_dirty(struct inode *i, bool size)
{
	(void)i, (void)size;
}
void
inode_touch(struct inode *i, unsigned t)
{
	(void)i, (void)t, touched++;
}
size_t
dcache_shrink(size_t n)
{
	return n * 0;
}
size_t
inode_shrink(size_t n)
{
	return n * 0;
}
void
thread_delay(uint64_t ns)
{
	(void)ns;
}

/* ---- the file system ---- */

#define RESERVED ((void *)1)
#define MAPPED	 ((void *)2)

static uint8_t disk[BLOCKS][PAGE_SIZE];
static int block_of[NPAGES + 8]; /* -1: a hole */
static bool block_used[BLOCKS];
static unsigned free_blocks;
static struct page *pending[BLOCKS * 2];
static unsigned npending;
static bool fail_reads, fail_writes, hold_writes, commits, switches;
static unsigned flushes;
static uint64_t seed = 1;

static struct super super;
static struct inode inode;
static struct page_cache *pc;
static struct vm_space *space;
static struct file files[3];

static unsigned
rnd(unsigned n)
{
	return (unsigned)(unit_random(&seed) >> 16) % n;
}

/* Another thread: a commit that waits for the file's data. */
static ucontext_t here, there;
static bool committed;

static void
commit_thread(void)
{
	struct page_range all = { .pc = pc, .end = NPAGES };

	page_range_wait(&all);
	committed = true;
}

static void
back_here(void)
{
	CHECK(!swapcontext(&there, &here));
}

static void
fs_read_pages(struct page_cache *c, struct page **pages, unsigned n)
{
	CHECK(c == pc);
	for (unsigned k = 0; k < n; k++) {
		struct page *p = pages[k];
		int b = p->index < NPAGES ? block_of[p->index] : -1;

		CHECK(p->flags & PG_LOCKED);
		if (fail_reads) {
			memset(page_addr(p), 0xee, PAGE_SIZE);
			p->flags |= PG_ERROR;
		} else {
			if (b >= 0)
				memcpy(page_addr(p), disk[b], PAGE_SIZE);
			else
				memset(page_addr(p), 0, PAGE_SIZE);
			p->flags |= PG_UPTODATE;
		}
		page_unlock(p);
	}
}

static int
fs_prepare(struct page_cache *c, struct page *p, uint32_t off, uint32_t len)
{
	CHECK(c == pc && (p->flags & PG_LOCKED) && p->object == &pc->object);
	CHECK(off + len <= PAGE_SIZE && len);
	CHECK(p->index < NPAGES);
	if (p->priv == RESERVED)
		return 0;
	if (block_of[p->index] >= 0) {
		p->priv = MAPPED;
		return 0;
	}
	if (!free_blocks)
		return -ENOSPC;
	free_blocks--;
	p->priv = RESERVED;
	return 0;
}

static void
fs_forget(struct page_cache *c, struct page *p)
{
	CHECK(c == pc && (p->flags & PG_LOCKED));
	CHECK(!(p->flags & (PG_DIRTY | PG_WRITEBACK)));
	if (p->priv == RESERVED)
		free_blocks++;
	p->priv = NULL;
}

static int
new_block(void)
{
	for (int b = 0; b < (int)BLOCKS; b++)
		if (!block_used[b]) {
			block_used[b] = true;
			return b;
		}
	CHECK(!"a reservation is a block");
	return -1;
}

static void
end_one(unsigned k)
{
	struct page *p = pending[k];
	bool ok = !fail_writes;

	pending[k] = pending[--npending];
	CHECK(p->flags & PG_WRITEBACK);
	if (ok)
		memcpy(disk[block_of[p->index]], page_addr(p), PAGE_SIZE);
	page_write_end(p, ok ? 0 : -EIO);
}

static void
end_some(void)
{
	CHECK(npending); /* else it sleeps for ever */
	for (unsigned n = 1 + rnd(4); n && npending; n--)
		end_one(rnd(npending));
}

static void
fs_write_pages(struct page_cache *c, struct page **pages, unsigned n)
{
	CHECK(c == pc && n);
	host_check_unlocked();
	for (unsigned k = 0; k < n; k++) {
		struct page *p = pages[k];
		uint64_t tail = inode.size - (p->index << PAGE_SHIFT);
		uint8_t *data = page_addr(p);

		CHECK((p->flags & (PG_WRITEBACK | PG_UPTODATE)) ==
		      (PG_WRITEBACK | PG_UPTODATE));
		CHECK(p->index == pages[0]->index + k);
		CHECK(p->index << PAGE_SHIFT < inode.size);
		for (uint64_t b = tail; b < PAGE_SIZE; b++)
			CHECK(data[b] == 0);
		if (p->priv == RESERVED) {
			block_of[p->index] = new_block();
			p->priv = MAPPED;
		}
		CHECK(block_of[p->index] >= 0);
		CHECK(npending < sizeof(pending) / sizeof(pending[0]));
		pending[npending++] = p;
	}
	while (npending && !hold_writes && rnd(2))
		end_one(rnd(npending));
	if (switches)
		CHECK(!swapcontext(&here, &there));
	/* As a commit, on the way to the device, by another fsync. */
	if (commits) {
		struct page_range all = { .pc = pc, .end = NPAGES };

		page_range_wait(&all);
		CHECK(pages[0]->flags & PG_WRITEBACK);
	}
}

static int
fs_fsync(struct inode *i, bool datasync, const struct page_range *data)
{
	(void)datasync;
	CHECK(i == &inode && data->pc == pc);
	page_range_wait(data);
	CHECK_EQ(pc->nwriteback, 0);
	flushes++;
	return 0;
}

static const struct super_ops super_ops = { .fsync = fs_fsync };
static const struct page_cache_ops cache_ops = {
	.read_pages = fs_read_pages,
	.prepare = fs_prepare,
	.write_pages = fs_write_pages,
	.forget = fs_forget,
};

static void
free_from(unsigned first, unsigned end)
{
	for (unsigned k = first; k < end; k++)
		if (block_of[k] >= 0) {
			block_used[block_of[k]] = false;
			/* what a block held before is nobody's business */
			memset(disk[block_of[k]], 0xdd, PAGE_SIZE);
			block_of[k] = -1;
			free_blocks++;
		}
}

static int
fs_truncate(uint64_t size)
{
	uint64_t end = (size + PAGE_SIZE - 1) & ~(uint64_t)PAGE_MASK;
	int err;

	if (size < inode.size && (size & PAGE_MASK) &&
	    block_of[size >> PAGE_SHIFT] >= 0) {
		err = page_cache_zero(pc, size, end);
		if (err)
			return err;
	}
	if (size > inode.size)
		page_cache_grow(pc, inode.size);
	inode.size = size;
	page_cache_truncate(pc, size);
	free_from((unsigned)(end >> PAGE_SHIFT), NPAGES);
	return 0;
}

/* ---- a machine ---- */

static uint8_t model[SIZE];

static void
fresh(void)
{
	memset(&inode, 0, sizeof(inode));
	memset(&super, 0, sizeof(super));
	memset(files, 0, sizeof(files));
	memset(model, 0, sizeof(model));
	memset(disk, 0xdd, sizeof(disk));
	memset(block_used, 0, sizeof(block_used));
	for (unsigned k = 0; k < NPAGES + 8; k++)
		block_of[k] = -1;
	free_blocks = BLOCKS;
	fail_reads = fail_writes = hold_writes = false;
	super.ops = &super_ops;
	inode.sb = &super;
	pc = page_cache_create(&inode, &cache_ops, false);
	CHECK(pc != NULL);
	inode.cache = pc;
	for (unsigned k = 0; k < 3; k++)
		files[k].inode = &inode;
	host_on_sleep = end_some;
	CHECK_EQ(vm_space_create(false, &space), 0);
	host_thread->space = space;
	CHECK_EQ(vm_map(space, BASE, SIZE,
			VMA_READ | VMA_WRITE | VMA_SHARED | VMA_MAYWRITE,
			&pc->object, NULL, 0, VM_FIXED),
		 BASE);
}

static void
done(void)
{
	host_check_unlocked();
	vm_space_put(space);
	CHECK_EQ(fs_truncate(0), 0);
	CHECK_EQ(free_blocks, BLOCKS);
	CHECK_EQ(pc->npages, 0);
	CHECK_EQ(pc->ndirty, 0);
	CHECK_EQ(pc->nwriteback, 0);
	CHECK_EQ(writeback_pending, 0);
	page_cache_destroy(pc);
	host_thread->space = NULL;
	host_on_sleep = NULL;
}

/* One access to the mapping as the processor makes it; -1: SIGBUS. */
static int
touch(uint64_t at, bool write, uint8_t *byte)
{
	struct regs r = { .cs = 3 };
	vaddr_t va = BASE + at;

	for (unsigned n = 0; n < 10; n++) {
		unsigned prot, what = FAULT_USER;
		int sig, code;
		uint8_t *p = host_pt_addr(va & ~(vaddr_t)PAGE_MASK, &prot);

		if (p && (prot & (write ? PTE_WRITE : PTE_READ))) {
			p += at & PAGE_MASK;
			if (write)
				*p = *byte;
			else
				*byte = *p;
			return 0;
		}
		if (write)
			what |= FAULT_WRITE;
		if (p)
			what |= FAULT_PRESENT;
		if (!upcall_fault(&r, va, what, &sig, &code))
			return -1;
		host_check_unlocked();
	}
	CHECK(!"the fault is never resolved");
	return -1;
}

static ssize_t
do_write(uint64_t at, const void *buf, size_t len)
{
	int64_t pos = (int64_t)at;
	struct uio u;

	uio_init_kernel(&u, (void *)(uintptr_t)buf, len);
	return page_cache_write(pc, &u, &pos);
}

static void
check_disk(void)
{
	static const uint8_t zeroes[PAGE_SIZE];

	for (uint64_t at = 0; at < inode.size; at += PAGE_SIZE) {
		int b = block_of[at >> PAGE_SHIFT];
		size_t n = inode.size - at < PAGE_SIZE ? inode.size - at :
							 PAGE_SIZE;
		const uint8_t *have = b >= 0 ? disk[b] : zeroes;

		CHECK(!memcmp(have, model + at, n));
	}
}

/* ---- random operations ---- */

static void
op_write(void)
{
	static uint8_t buf[SIZE];
	uint64_t at = rnd(SIZE), len = 1 + rnd(rnd(3) ? 6000 : 60000);
	uint8_t first = (uint8_t)rnd(256);
	ssize_t r;

	if (!rnd(3))
		at &= ~(uint64_t)PAGE_MASK;
	if (!rnd(3))
		len = (len + PAGE_SIZE) & ~(uint64_t)PAGE_MASK;
	if (at + len > SIZE)
		len = SIZE - at;
	for (uint64_t k = 0; k < len; k++)
		buf[k] = (uint8_t)(first + k * 7);
	r = do_write(at, buf, len);
	CHECK(r == -ENOSPC || r > 0);
	if (r == -ENOSPC) {
		CHECK_EQ(free_blocks, 0);
		return;
	}
	if ((uint64_t)r < len)
		CHECK_EQ(free_blocks, 0);
	memcpy(model + at, buf, (size_t)r);
	CHECK(inode.size >= at + (uint64_t)r);
}

static void
op_map_write(void)
{
	uint64_t at = rnd(SIZE);
	uint8_t byte = (uint8_t)rnd(256);
	bool reserved = free_blocks > 0;

	if (touch(at, true, &byte)) {
		CHECK(!reserved || at >> PAGE_SHIFT >=
					   (inode.size + PAGE_MASK) >>
					   PAGE_SHIFT);
		return;
	}
	if (at < inode.size)
		model[at] = byte;
	/* else: behind the end, in the last page: nobody's */
}

static void
op_read(void)
{
	static uint8_t buf[SIZE];
	uint64_t at = rnd(SIZE), len = 1 + rnd(40000), want;
	ssize_t r = page_cache_read_kernel(pc, buf, len, at);

	want = at >= inode.size ? 0 : inode.size - at;
	if (want > len)
		want = len;
	CHECK_EQ(r, want);
	CHECK(!memcmp(buf, model + at, want));
}

static void
op_map_read(void)
{
	uint64_t at = rnd(SIZE);
	uint8_t byte;

	if (at >= inode.size || touch(at, false, &byte))
		return;
	CHECK_EQ(byte, model[at]);
}

static void
op_truncate(void)
{
	uint64_t size = rnd(2) ? rnd(SIZE) : inode.size + rnd(5000);

	if (size > SIZE)
		size = SIZE;
	if (!rnd(3))
		size &= ~(uint64_t)PAGE_MASK;
	CHECK_EQ(fs_truncate(size), 0);
	memset(model + size, 0, SIZE - size);
}

static void
op_punch(void)
{
	uint64_t at = rnd(SIZE), end = at + rnd(30000);
	int err;

	if (end > inode.size)
		end = inode.size;
	if (at >= end)
		return;
	err = page_cache_punch(pc, at, end);
	if (err == -ENOSPC) { /* a part of a hole: nothing was changed */
		CHECK_EQ(free_blocks, 0);
		memcpy(model + at, model + at, 0);
		for (uint64_t k = at; k < end; k++) {
			uint8_t b;

			CHECK_EQ(page_cache_read_kernel(pc, &b, 1, k), 1);
			CHECK(b == model[k] || !b);
			model[k] = b;
		}
		return;
	}
	CHECK_EQ(err, 0);
	free_from((unsigned)((at + PAGE_MASK) >> PAGE_SHIFT),
		  (unsigned)(end >> PAGE_SHIFT));
	memset(model + at, 0, end - at);
}

static void
op_fsync(void)
{
	unsigned before = flushes;

	CHECK_EQ(file_sync(&files[0], 0, INT64_MAX, rnd(2)), 0);
	CHECK_EQ(flushes, before + 1);
	CHECK_EQ(pc->ndirty, 0);
	CHECK_EQ(pc->nwriteback, 0);
	check_disk();
}

static void
op_start(void)
{
	uint64_t first = rnd(NPAGES);

	page_cache_write_range(pc, first, first + rnd(NPAGES), false);
}

static void
op_evict(void)
{
	vm_object_unmap(&pc->object, 0, NPAGES, false);
	page_cache_drop(pc, rnd(NPAGES / 2), NPAGES);
}

static void
op_invalidate(void)
{
	CHECK_EQ(page_cache_invalidate(pc, 0, NPAGES), 0);
	CHECK_EQ(pc->npages, 0);
	check_disk();
}

static void
op_end(void)
{
	if (npending)
		end_some();
}

static void
test_random(void)
{
	static void (*const ops[])(void) = {
		op_write,      op_write, op_write, op_map_write,
		op_map_write,  op_read,	 op_read,  op_map_read,
		op_truncate,   op_punch, op_fsync, op_start,
		op_start,      op_evict, op_end,   op_end,
		op_invalidate,
	};

	for (unsigned round = 0; round < 150; round++) {
		seed = round + 1;
		fresh();
		for (unsigned step = 0; step < 200; step++) {
			ops[rnd(sizeof(ops) / sizeof(ops[0]))]();
			host_check_unlocked();
		}
		op_fsync();
		done();
	}
}

/* ---- errors ---- */

static void
test_write_error(void)
{
	uint8_t byte = 5;

	fresh();
	CHECK_EQ(do_write(0, "abc", 3), 3);
	fail_writes = true;
	CHECK_EQ(file_sync(&files[0], 0, INT64_MAX, false), -EIO);
	fail_writes = false;
	/* Once to each, however often they ask. */
	CHECK_EQ(file_sync(&files[0], 0, INT64_MAX, false), 0);
	CHECK_EQ(file_sync(&files[1], 0, INT64_MAX, false), -EIO);
	CHECK_EQ(file_sync(&files[1], 0, INT64_MAX, false), 0);
	/* Who opens after it was seen hears nothing of it. */
	files[2].wb_err = errseq_sample(&pc->wb_err);
	CHECK_EQ(file_sync(&files[2], 0, INT64_MAX, false), 0);
	/* One that nobody has seen is told to the next. */
	fail_writes = true;
	CHECK_EQ(touch(0, true, &byte), 0);
	page_cache_write_range(pc, 0, NPAGES, true);
	fail_writes = false;
	files[2].wb_err = errseq_sample(&pc->wb_err);
	CHECK_EQ(file_sync(&files[2], 0, INT64_MAX, false), -EIO);
	CHECK_EQ(file_sync(&files[0], 0, INT64_MAX, false), -EIO);
	CHECK(super.wb_err != 0);
	done();
}

static void
test_read_error(void)
{
	static uint8_t buf[PAGE_SIZE];
	uint8_t byte = 1;

	fresh();
	CHECK_EQ(do_write(0, "hello", 5), 5);
	CHECK_EQ(file_sync(&files[0], 0, INT64_MAX, false), 0);
	CHECK_EQ(page_cache_invalidate(pc, 0, NPAGES), 0);
	fail_reads = true;
	CHECK_EQ(page_cache_read_kernel(pc, buf, 5, 0), -EIO);
	CHECK_EQ(page_cache_read_kernel(pc, buf, 5, 0), -EIO);
	CHECK_EQ(touch(0, false, &byte), -1);
	CHECK_EQ(touch(0, true, &byte), -1);
	CHECK_EQ(do_write(1, "x", 1), -EIO);
	CHECK_EQ(pc->ndirty, 0);
	/* All of a page needs no reading. */
	CHECK_EQ(fs_truncate(SIZE), 0);
	CHECK_EQ(do_write(PAGE_SIZE, buf, PAGE_SIZE), PAGE_SIZE);
	fail_reads = false;
	CHECK_EQ(page_cache_read_kernel(pc, buf, 5, 0), 5);
	CHECK(!memcmp(buf, "hello", 5));
	done();
}

/* The last block, to the byte; and what was reserved comes back. */
static void
test_space(void)
{
	static uint8_t buf[PAGE_SIZE];

	fresh();
	for (unsigned k = 0; k < BLOCKS; k++)
		CHECK_EQ(do_write(k * PAGE_SIZE, buf, 1), 1);
	CHECK_EQ(free_blocks, 0);
	CHECK_EQ(do_write(BLOCKS * PAGE_SIZE, buf, 1), -ENOSPC);
	CHECK_EQ(do_write(BLOCKS * PAGE_SIZE - 1, buf, 2), 1);
	CHECK_EQ(inode.size, BLOCKS * PAGE_SIZE);
	CHECK_EQ(fs_truncate(PAGE_SIZE), 0);
	CHECK_EQ(free_blocks, BLOCKS - 1);
	CHECK_EQ(file_sync(&files[0], 0, INT64_MAX, false), 0);
	CHECK_EQ(free_blocks, BLOCKS - 1);
	done();
}

/* A page that is written to while it is on its way is written again. */
static void
test_again(void)
{
	uint8_t byte = 'z';

	fresh();
	CHECK_EQ(do_write(0, "a", 1), 1);
	CHECK_EQ(touch(0, true, &byte), 0);
	model[0] = 'z';
	hold_writes = true;
	page_cache_write_range(pc, 0, 1, false);
	CHECK_EQ(npending, 1);
	CHECK_EQ(pc->ndirty, 0);
	/* The mapping has lost the right to write, and asks for it. */
	byte = 'y';
	CHECK_EQ(touch(0, true, &byte), 0);
	CHECK_EQ(pc->ndirty, 1);
	model[0] = 'y';
	op_fsync();
	CHECK_EQ(disk[block_of[0]][0], 'y');
	CHECK(touched >= 2);
	done();
}

static void
end_first(void)
{
	CHECK(npending);
	end_one(0);
}

/* A commit waits for what the device has, and not for a run whose thread may
 * itself be waiting for the commit. */
static void
test_commit(void)
{
	fresh();
	CHECK_EQ(do_write(0, "a", 1), 1);
	hold_writes = true;
	page_cache_write_range(pc, 0, 1, false);
	CHECK_EQ(npending, 1);
	CHECK_EQ(do_write(5 * PAGE_SIZE, "b", 1), 1);
	model[0] = 'a';
	model[5 * PAGE_SIZE] = 'b';
	commits = true;
	host_on_sleep = end_first;
	page_cache_write_range(pc, 5, 6, false);
	host_on_sleep = end_some;
	commits = false;
	CHECK_EQ(npending, 1);
	CHECK_EQ(pending[0]->index, 5);
	CHECK(list_empty(&pc->starting));
	op_fsync();
	done();
}

/* The same where the page that the commit waits for has ended and, before the
 * commit's thread ran, begun again. */
static void
test_commit_again(void)
{
	static char stack[1 << 18];

	fresh();
	CHECK_EQ(do_write(0, "a", 1), 1);
	hold_writes = true;
	page_cache_write_range(pc, 0, 1, false);
	CHECK_EQ(npending, 1);
	CHECK(!getcontext(&there));
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof(stack);
	there.uc_link = &here;
	makecontext(&there, commit_thread, 0);
	host_on_sleep = back_here;
	CHECK(!swapcontext(&here, &there));
	CHECK(!committed);
	end_one(0);
	CHECK_EQ(do_write(0, "b", 1), 1);
	switches = true;
	page_cache_write_range(pc, 0, 1, false);
	switches = false;
	CHECK(committed);
	host_on_sleep = end_some;
	CHECK_EQ(npending, 1);
	model[0] = 'b';
	op_fsync();
	done();
}

static const struct unit_test tests[] = {
	{ "write_error", test_write_error },
	{ "read_error", test_read_error },
	{ "space", test_space },
	{ "again", test_again },
	{ "commit", test_commit },
	{ "commit_again", test_commit_again },
	{ "random", test_random },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	host_mem_init(128ul << 20);
	page_cache_mem_init();
	return unit_main(argc, argv, tests);
}
