/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring: the rings' memory, its mappings, the file, io_uring_enter.
 *
 * Ring and entries are ordinary pages, one by one: no structure in them
 * crosses a page, so large rings need no contiguous memory.  The program maps
 * them through a memory object; the kernel reaches them by its own map.
 */
#include "uring_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <base/fmt.h>
#include <base/string.h>
#include <file/anon.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>
#include <vm/space.h>

#define CQES_OFF sizeof(struct uring_shared)
/* ATTACH_WQ: there is one pool of workers, which all rings share. */
#define SETUP_FLAGS                                                        \
	(IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF | IORING_SETUP_CQSIZE | \
	 IORING_SETUP_CLAMP | IORING_SETUP_ATTACH_WQ |                     \
	 IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL |               \
	 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |           \
	 IORING_SETUP_SQE128 | IORING_SETUP_CQE32 |                        \
	 IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)
#define FEATURES                                                \
	(IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP |         \
	 IORING_FEAT_RW_CUR_POS | IORING_FEAT_CUR_PERSONALITY | \
	 IORING_FEAT_FAST_POLL | IORING_FEAT_POLL_32BITS |      \
	 IORING_FEAT_SQPOLL_NONFIXED | IORING_FEAT_EXT_ARG |    \
	 IORING_FEAT_RSRC_TAGS | IORING_FEAT_CQE_SKIP |         \
	 IORING_FEAT_LINKED_FILE)

static struct mutex rings_lock = { .rank = RANK_SLEEP_LEAF,
				   .wq = WAITQ_INIT(rings_lock.wq) };
static struct list rings = LIST_INIT(rings); /* [rings_lock] */

static const struct file_ops uring_file_ops;

/* ---- memory ---- */

static unsigned
cqe_size(const struct uring *u)
{
	unsigned big = u->flags & IORING_SETUP_CQE32 ? 2 : 1;

	return big * sizeof(struct io_uring_cqe);
}

static unsigned
sqe_size(const struct uring *u)
{
	unsigned big = u->flags & IORING_SETUP_SQE128 ? 2 : 1;

	return big * sizeof(struct io_uring_sqe);
}

static void *
at(struct page **pages, uint64_t off)
{
	return (char *)page_addr(pages[off >> PAGE_SHIFT]) + (off & PAGE_MASK);
}

void *
uring_cqe_at(struct uring *u, uint32_t index)
{
	return at(u->ring_pages,
		  CQES_OFF + (uint64_t)(index & (u->cq_entries - 1)) *
				     cqe_size(u));
}

uint32_t *
uring_array_at(struct uring *u, uint32_t index)
{
	return at(u->ring_pages,
		  u->array_off + (uint64_t)(index & (u->sq_entries - 1)) *
					 sizeof(uint32_t));
}

void *
uring_sqe_at(struct uring *u, uint32_t index)
{
	return at(u->sqe_pages,
		  (uint64_t)(index & (u->sq_entries - 1)) * sqe_size(u));
}

static void
free_pages(struct page **pages, unsigned n)
{
	while (n)
		page_put(pages[--n]);
	kfree(pages);
}

static int
alloc_pages(uint64_t bytes, struct page ***out, unsigned *n)
{
	unsigned want = (unsigned)((bytes + PAGE_MASK) >> PAGE_SHIFT), i;
	struct page **p = kcalloc(want, sizeof(struct page *), ALLOC_KERNEL);

	if (!p)
		return -ENOMEM;
	for (i = 0; i < want; i++) {
		p[i] = page_alloc(0, ALLOC_KERNEL | ALLOC_ZERO);
		if (!p[i]) {
			free_pages(p, i);
			return -ENOMEM;
		}
	}
	*out = p;
	*n = want;
	return 0;
}

void
uring_put(struct uring *u)
{
	if (!refcount_put(&u->refs))
		return;
	clock_unwatch(&u->watch);
	u->dead = true;
	uring_drop_files(u);
	uring_drop_groups(u);
	uring_drop_overflow(u);
	if (u->eventfd)
		file_put(u->eventfd);
	free_pages(u->ring_pages, u->nring);
	free_pages(u->sqe_pages, u->nsqe);
	uring_sq_free(u, true);
	kfree(u);
}

/* ---- mappings ---- */

static struct uring *
of_object(struct vm_object *o)
{
	return container_of(o, struct uring, object);
}

static struct page *
object_page(struct uring *u, uint64_t index)
{
	uint64_t first = IORING_OFF_SQES >> PAGE_SHIFT;

	if (index >= first)
		return index - first < u->nsqe ? u->sqe_pages[index - first] :
						 NULL;
	first = IORING_OFF_CQ_RING >> PAGE_SHIFT;
	if (index >= first)
		index -= first;
	return index < u->nring ? u->ring_pages[index] : NULL;
}

static int
ring_fault(struct vm_object *o, uint64_t index, bool write, struct page **out)
{
	struct page *p = object_page(of_object(o), index);

	(void)write;
	if (!p)
		return -ENXIO;
	page_get(p);
	*out = p;
	return 0;
}

static struct page *
ring_peek(struct vm_object *o, uint64_t index)
{
	struct page *p = object_page(of_object(o), index);

	if (p)
		page_get(p);
	return p;
}

static int
ring_make_writable(struct vm_object *o, uint64_t index, struct page *p)
{
	(void)o, (void)index, (void)p;
	return 0;
}

static void
ring_set_dirty(struct vm_object *o, struct page *p)
{
	(void)o, (void)p; /* nothing to write back to */
}

static int
ring_writeback(struct vm_object *o, struct file *f, uint64_t first,
	       uint64_t end)
{
	(void)o, (void)f, (void)first, (void)end;
	return 0;
}

static void
ring_release(struct vm_object *o)
{
	uring_put(of_object(o));
}

static const struct vm_object_ops ring_object_ops = {
	.fault = ring_fault,
	.peek = ring_peek,
	.make_writable = ring_make_writable,
	.set_dirty = ring_set_dirty,
	.writeback = ring_writeback,
	.release = ring_release,
};

static int
uring_mmap(struct file *f, struct file_mmap *m)
{
	struct uring *u = f->priv;
	unsigned n;

	switch (m->offset) {
	case IORING_OFF_SQ_RING:
	case IORING_OFF_CQ_RING:
		n = u->nring;
		break;
	case IORING_OFF_SQES:
		n = u->nsqe;
		break;
	default:
		return -EINVAL;
	}
	if (m->len > (uint64_t)n << PAGE_SHIFT || !(m->vma_flags & VMA_SHARED))
		return -EINVAL;
	m->object = &u->object;
	vm_object_get(m->object);
	return 0;
}

/* ---- creation ---- */

static uint32_t
round_up_pow2(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p <<= 1;
	return p;
}

/* Flags that go together only. */
static int
check_flags(const struct io_uring_params *p)
{
	const uint32_t taskrun = IORING_SETUP_COOP_TASKRUN |
				 IORING_SETUP_TASKRUN_FLAG |
				 IORING_SETUP_DEFER_TASKRUN;
	bool polls = p->flags & IORING_SETUP_SQPOLL;
	struct file *f;
	int err;

	if (polls ? p->flags & taskrun : p->flags & IORING_SETUP_SQ_AFF)
		return -EINVAL;
	if (p->flags & IORING_SETUP_TASKRUN_FLAG &&
	    !(p->flags &
	      (IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN)))
		return -EINVAL;
	if (p->flags & IORING_SETUP_DEFER_TASKRUN &&
	    !(p->flags & IORING_SETUP_SINGLE_ISSUER))
		return -EINVAL;
	if (!(p->flags & IORING_SETUP_ATTACH_WQ))
		return 0;
	if (fd_get(thread_current()->fds, (int)p->wq_fd, &f))
		return -ENXIO;
	err = uring_is(f) ? 0 : -EINVAL;
	if (!err && polls && !((struct uring *)f->priv)->sq)
		err = -EINVAL; /* it has no thread to share */
	file_put(f);
	return err;
}

static int
check_params(unsigned *entries, struct io_uring_params *p)
{
	unsigned cq;

	if (p->resv[0] || p->resv[1] || p->resv[2] || p->flags & ~SETUP_FLAGS)
		return -EINVAL;
	if (!*entries)
		return -EINVAL;
	if (*entries > URING_MAX_ENTRIES) {
		if (!(p->flags & IORING_SETUP_CLAMP))
			return -EINVAL;
		*entries = URING_MAX_ENTRIES;
	}
	p->sq_entries = round_up_pow2(*entries);
	cq = 2 * p->sq_entries;
	if (p->flags & IORING_SETUP_CQSIZE) {
		if (!p->cq_entries)
			return -EINVAL;
		if (p->cq_entries > URING_MAX_CQ_ENTRIES) {
			if (!(p->flags & IORING_SETUP_CLAMP))
				return -EINVAL;
			p->cq_entries = URING_MAX_CQ_ENTRIES;
		}
		cq = round_up_pow2(p->cq_entries);
		if (cq < p->sq_entries)
			return -EINVAL;
	}
	p->cq_entries = cq;
	return check_flags(p);
}

static void
describe(const struct uring *u, struct io_uring_params *p)
{
	p->features = FEATURES;
	p->sq_off = (struct io_sqring_offsets){
		.head = offsetof(struct uring_shared, sq_head),
		.tail = offsetof(struct uring_shared, sq_tail),
		.ring_mask = offsetof(struct uring_shared, sq_mask),
		.ring_entries = offsetof(struct uring_shared, sq_entries),
		.flags = offsetof(struct uring_shared, sq_flags),
		.dropped = offsetof(struct uring_shared, sq_dropped),
		.array = u->array_off,
	};
	p->cq_off = (struct io_cqring_offsets){
		.head = offsetof(struct uring_shared, cq_head),
		.tail = offsetof(struct uring_shared, cq_tail),
		.ring_mask = offsetof(struct uring_shared, cq_mask),
		.ring_entries = offsetof(struct uring_shared, cq_entries),
		.overflow = offsetof(struct uring_shared, cq_overflow),
		.cqes = CQES_OFF,
		.flags = offsetof(struct uring_shared, cq_flags),
	};
}

static void
init_ring(struct uring *u, const struct io_uring_params *p)
{
	refcount_set(&u->refs, 2); /* the file, and the object */
	vm_object_init(&u->object, &ring_object_ops);
	list_init(&u->link);
	mutex_init(&u->lock_submit, RANK_URING);
	spin_init(&u->lock, RANK_AIO);
	list_init(&u->overflow);
	list_init(&u->requests);
	for (unsigned k = 0; k < ARRAY_SIZE(u->by_data); k++)
		list_init(&u->by_data[k]);
	list_init(&u->drained);
	list_init(&u->timeouts);
	list_init(&u->groups);
	list_init(&u->spent);
	waitq_init(&u->cq_wq);
	u->flags = p->flags;
	u->sq_entries = p->sq_entries;
	u->cq_entries = p->cq_entries;
	u->disabled = p->flags & IORING_SETUP_R_DISABLED;
	if (p->flags & IORING_SETUP_SINGLE_ISSUER && !u->disabled)
		u->issuer = thread_current()->tid;
	u->array_off = (uint32_t)(CQES_OFF + u->cq_entries * cqe_size(u));
	u->array_off = (u->array_off + 63u) & ~63u;
}

static void
init_shared(struct uring *u)
{
	struct uring_shared *s = page_addr(u->ring_pages[0]);

	s->sq_mask = u->sq_entries - 1;
	s->cq_mask = u->cq_entries - 1;
	s->sq_entries = u->sq_entries;
	s->cq_entries = u->cq_entries;
	u->shared = s;
}

int
uring_create(unsigned entries, struct io_uring_params *p, struct file **out)
{
	struct uring *u;
	int err = check_params(&entries, p);

	if (!err)
		err = pool_start();
	if (err)
		return err;
	u = kzalloc(sizeof(*u), ALLOC_KERNEL);
	if (!u)
		return -ENOMEM;
	init_ring(u, p);
	err = alloc_pages(u->array_off + u->sq_entries * sizeof(uint32_t),
			  &u->ring_pages, &u->nring);
	if (err)
		goto fail;
	err = alloc_pages((uint64_t)u->sq_entries * sqe_size(u), &u->sqe_pages,
			  &u->nsqe);
	if (err)
		goto fail_ring;
	init_shared(u);
	describe(u, p);
	if (p->flags & IORING_SETUP_SQPOLL)
		err = uring_sq_make(u, p);
	if (!err)
		err = file_create(&uring_file_ops, O_RDWR | O_CLOEXEC, u, out);
	if (err)
		goto fail_sqes;
	(*out)->mode |= FILE_STREAM;
	u->watch.stepped = uring_clock_stepped;
	clock_watch(&u->watch);
	mutex_lock(&rings_lock);
	list_add_tail(&rings, &u->link);
	mutex_unlock(&rings_lock);
	if (u->sq)
		uring_sq_start(u);
	return 0;

fail_sqes:
	uring_sq_free(u, false);
	free_pages(u->sqe_pages, u->nsqe);
fail_ring:
	free_pages(u->ring_pages, u->nring);
fail:
	kfree(u);
	return err;
}

/* ---- io_uring_enter ---- */

bool
uring_is(const struct file *f)
{
	return f->ops == &uring_file_ops;
}

/* The head is the program's: nonsense counts as a full ring. */
uint32_t
uring_cq_ready(struct uring *u)
{
	uint32_t head = atomic_load_acquire(&u->shared->cq_head);
	uint32_t n = atomic_load_relaxed(&u->cq_tail) - head;

	return n > u->cq_entries ? u->cq_entries : n;
}

/* One more, or one less, which takes what was left to it. */
static void
count_waiter(struct uring *u, int n, struct list *spent)
{
	irqflags_t f = spin_lock_irq(&u->lock);

	u->nwaiters += (unsigned)n;
	if (spent)
		list_splice_tail(spent, &u->spent);
	spin_unlock_irq(&u->lock, f);
}

static int
wait_completions(struct uring *u, unsigned min, uint64_t deadline_ns)
{
	struct list spent = LIST_INIT(spent);
	uint64_t expired = atomic_load_relaxed(&u->expired);
	struct wait_entry e;
	int err = 0;

	if (min > u->cq_entries)
		min = u->cq_entries;
	uring_flush_overflow(u);
	if (uring_cq_ready(u) >= min)
		return 0;
	count_waiter(u, 1, NULL);
	wait_start(&u->cq_wq, &e, true);
	while (uring_cq_ready(u) < min && !err &&
	       atomic_load_relaxed(&u->expired) == expired) {
		err = wait_sleep(&e, deadline_ns);
		uring_flush_overflow(u);
	}
	wait_end(&u->cq_wq, &e);
	count_waiter(u, -1, &spent);
	uring_free_spent(&spent);
	/* As on Linux less than was wanted is no error. */
	if (uring_cq_ready(u) || atomic_load_relaxed(&u->expired) != expired)
		return 0;
	return err == -ETIMEDOUT ? -ETIME : err;
}

/* May this thread submit, or ask for events? */
static int
check_thread(struct uring *u, bool submits, bool asks)
{
	int issuer = atomic_load_relaxed(&u->issuer);

	if (atomic_load_acquire(&u->disabled))
		return -EBADFD;
	if (!issuer || issuer == thread_current()->tid)
		return 0;
	asks = asks && u->flags & IORING_SETUP_DEFER_TASKRUN;
	return submits || asks ? -EEXIST : 0;
}

long
uring_enter(struct file *f, unsigned to_submit, unsigned min_complete,
	    unsigned flags, uint64_t deadline_ns)
{
	struct uring *u = f->priv;
	int done = 0;
	int err = check_thread(u, to_submit, flags & IORING_ENTER_GETEVENTS);

	if (err)
		return err;
	if (u->sq) {
		if (flags & IORING_ENTER_SQ_WAKEUP)
			uring_sq_wake(u);
		if (flags & IORING_ENTER_SQ_WAIT)
			err = uring_sq_wait_room(u);
		if (err)
			return err;
		done = (int)to_submit; /* by the thread */
	} else if (to_submit) {
		mutex_lock(&u->lock_submit);
		uring_flush_overflow(u);
		/* Whoever takes no completions gets no more of them. */
		if (atomic_load_relaxed(&u->noverflow) > URING_MAX_OVERFLOW)
			done = -EBUSY;
		else
			done = uring_submit(u, to_submit);
		mutex_unlock(&u->lock_submit);
		pool_run_own();
		uring_publish(u);
		if (done < 0 || (unsigned)done != to_submit)
			return done;
	}
	if (!(flags & IORING_ENTER_GETEVENTS))
		return done;
	pool_run_own();
	if (!min_complete)
		pool_settle(); /* what has happened is to be seen */
	err = wait_completions(u, min_complete, deadline_ns);
	uring_publish(u);
	return done ? done : err;
}

/* ---- the file ---- */

static uint32_t
uring_poll(struct file *f, struct poll_table *pt)
{
	struct uring *u = f->priv;
	uint32_t used, ready = 0;

	poll_wait(pt, &u->cq_wq);
	used = atomic_load_acquire(&u->shared->sq_tail) - u->sq_head;
	if (used < u->sq_entries)
		ready |= POLLOUT | POLLWRNORM;
	if (uring_cq_ready(u) || atomic_load_relaxed(&u->noverflow))
		ready |= POLLIN | POLLRDNORM;
	return ready;
}

static int
uring_stat(struct file *f, struct kstat *st)
{
	(void)f;
	anon_stat(st, 1, 0600);
	return 0;
}

static int
uring_link_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	return ksnprintf(buf, size, "anon_inode:[io_uring]");
}

void
uring_unlist(struct uring *u)
{
	mutex_lock(&rings_lock);
	list_del(&u->link);
	mutex_unlock(&rings_lock);
}

/* Requests go on, or are called off, without the file. */
static void
uring_release(struct file *f)
{
	struct uring *u = f->priv;

	if (!uring_sq_is_me(u))
		uring_unlist(u);
	uring_sq_stop(u);
	uring_cancel_all(u);
	vm_object_put(&u->object);
	uring_put(u);
}

static const struct file_ops uring_file_ops = {
	.poll = uring_poll,
	.mmap = uring_mmap,
	.stat = uring_stat,
	.release = uring_release,
	.link_name = uring_link_name,
};

static bool
idle(struct uring *u)
{
	irqflags_t f = spin_lock_irq(&u->lock);
	bool is = u->nrequests == 0;

	spin_unlock_irq(&u->lock, f);
	return is;
}

static void
end_ring(struct uring *u)
{
	struct wait_entry e;

	uring_sq_stop(u);
	uring_cancel_all(u);
	wait_start(&u->cq_wq, &e, false);
	while (!idle(u))
		ignore(wait_sleep(&e, TIME_NEVER)); /* not interruptible */
	wait_end(&u->cq_wq, &e);
}

void
uring_end_all(void)
{
	struct uring *u;

	for (;;) {
		mutex_lock(&rings_lock);
		u = list_empty(&rings) ?
			    NULL :
			    list_first_entry(&rings, struct uring, link);
		if (u) {
			list_del(&u->link);
			refcount_get(&u->refs);
		}
		mutex_unlock(&rings_lock);
		if (!u)
			return;
		end_ring(u);
		uring_put(u);
	}
}
