/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of io_uring share.
 */
#pragma once

#include <aio/uring.h>
#include <base/refcount.h>
#include <core/spinlock.h>
#include <sched/mutex.h>
#include <sched/wait.h>
#include <vm/object.h>

struct page;

/* The head of the memory that is shared with the program, at its start. */
struct uring_shared {
	uint32_t sq_head, pad0[15];
	uint32_t sq_tail, pad1[15];
	uint32_t cq_head, pad2[15];
	uint32_t cq_tail, pad3[15];
	uint32_t sq_mask, cq_mask, sq_entries, cq_entries;
	uint32_t sq_dropped, sq_flags, cq_flags, cq_overflow;
	uint32_t pad4[8];
};
static_assert(sizeof(struct uring_shared) == 320, "the entries' alignment");

struct uring_buffer {
	uint64_t addr, len;
};

/*
 * A ring.  Life: its file, its mappings (as one, by the object) and each
 * request hold references.
 *
 * What the program can write (struct uring_shared, the entries) is read once
 * and never trusted: own copies of masks and sizes, indices masked.
 */
struct uring {
	struct refcount refs;
	struct vm_object object;     /* the mappings */
	struct list link;	     /* [rings_lock] */
	struct mutex lock_submit;    /* RANK_URING: submission, registration */
	struct page **ring_pages;    /* [I] shared, then cqes, then sq array */
	struct page **sqe_pages;     /* [I] */
	unsigned nring, nsqe;	     /* [I] pages */
	struct uring_shared *shared; /* [I] */
	uint32_t sq_entries, cq_entries; /* [I] powers of two */
	uint32_t array_off;		 /* [I] of the array, bytes */
	uint32_t flags;			 /* [I] IORING_SETUP_* */
	uint32_t sq_head;		 /* [lock_submit] */
	struct file **files;		 /* [lock_submit] registered; NULLs */
	unsigned nfiles;		 /* [lock_submit] */
	struct uring_buffer *bufs;	 /* [lock_submit] registered */
	unsigned nbufs;			 /* [lock_submit] */

	struct spinlock lock; /* RANK_EVENT, interrupts off */
	uint32_t cq_tail;     /* [lock] */
	struct list overflow; /* [lock] completions without room */
	unsigned noverflow;   /* [lock] */
	uint64_t completions; /* [lock] but those of timeouts */
	struct list requests; /* [lock] all */
	unsigned nrequests;   /* [lock] */
	struct list drained;  /* [lock] wait for all before them */
	unsigned ndrained;    /* [lock] with those linked behind */
	struct list timeouts; /* [lock] IORING_OP_TIMEOUT */
	struct list groups;   /* [lock] of provided buffers */
	struct file *eventfd; /* [lock] */
	bool dead;	      /* [lock] closed */
	unsigned nwaiters;    /* [lock] threads that wait for completions */
	struct list spent;    /* [lock] told, and to be freed by them */
	struct waitq cq_wq;   /* completions */
};

void uring_put(struct uring *u);

/* ---- uring.c: memory ---- */
void *uring_cqe_at(struct uring *u, uint32_t index);
uint32_t *uring_array_at(struct uring *u, uint32_t index);
void *uring_sqe_at(struct uring *u, uint32_t index);
uint32_t uring_cq_ready(struct uring *u);

/* ---- uring_req.c ---- */
void uring_post(struct uring *u, uint64_t data, long res, uint32_t cflags,
		bool counts);
void uring_flush_overflow(struct uring *u);
/* The next entry: 1, 0 (an index out of range: dropped); *r NULL when it was
 * answered at once. */
int uring_submit(struct uring *u, unsigned n);
void uring_cancel_all(struct uring *u);
void uring_run(struct uring_req *r);
/* Any context: the request, whose completion is in the ring, is left to a
 * thread that waits; false: there is none, or more hangs on it. */
bool uring_leave_to_waiter(struct uring_req *r);
/* Who waited frees them. */
void uring_free_spent(struct list *spent);
bool uring_has_op(unsigned op);
/* With the ring's lock: 0, -EALREADY. */
int uring_cancel_one(struct uring_req *r);
void uring_count_timeouts(struct uring *u, struct list *due);

/* ---- uring_reg.c ---- */
struct file *uring_fixed_file(struct uring *u, uint32_t index);
void uring_drop_tables(struct uring *u);
