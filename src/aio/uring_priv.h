/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of io_uring share.
 */
#pragma once

#include <aio/uring.h>
#include <base/refcount.h>
#include <core/clock.h>
#include <core/spinlock.h>
#include <sched/mutex.h>
#include <sched/wait.h>
#include <vm/object.h>

struct page;

#define URING_DATA_BITS 6

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
	struct uring_tag *tag; /* or NULL */
};

struct uring_slot {
	struct file *file;     /* or NULL */
	struct uring_tag *tag; /* or NULL */
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
	uint32_t sq_head;		 /* [lock_submit w, a] */
	bool disabled;		  /* [a] R_DISABLED, and not yet enabled */
	int issuer;		  /* [a] of SINGLE_ISSUER: its tid; else 0 */
	struct uring_slot *files; /* [lock_submit and lock] registered */
	unsigned nfiles;	  /* [lock_submit and lock] */
	unsigned alloc_from, alloc_to, alloc_next; /* [lock] for ALLOC */
	struct uring_buffer *bufs; /* [lock_submit] registered */
	unsigned nbufs;		   /* [lock_submit] */

	struct spinlock lock; /* RANK_EVENT, interrupts off */
	uint32_t cq_tail;     /* [lock] */
	struct list overflow; /* [lock] completions without room */
	unsigned noverflow;   /* [lock] */
	uint64_t completions; /* [lock] but those of timeouts */
	uint64_t expired;     /* [lock, a read] those */
	struct list requests; /* [lock] all */
	struct list by_data[1 << URING_DATA_BITS]; /* [lock] all, too */
	unsigned nrequests;			   /* [lock] */
	struct list drained;	  /* [lock] wait for all before them */
	unsigned ndrained;	  /* [lock] with those linked behind */
	struct list timeouts;	  /* [lock] IORING_OP_TIMEOUT */
	struct list groups;	  /* [lock] of provided buffers */
	struct file *eventfd;	  /* [lock] */
	bool dead;		  /* [lock] closed */
	unsigned nwaiters;	  /* [lock] threads that wait for completions */
	unsigned nsyncs;	  /* [lock, a read] those for others' ends */
	struct list spent;	  /* [lock] told, and to be freed by them */
	struct waitq cq_wq;	  /* completions */
	struct uring_sq *sq;	  /* [I] of SQPOLL; else NULL */
	struct clock_watch watch; /* for its time-outs */
};

void uring_put(struct uring *u);
/* It is not among those that the process's end looks for any more. */
void uring_unlist(struct uring *u);

/* ---- uring_sq.c: all but the first two do nothing without SQPOLL ---- */
MUST_CHECK int uring_sq_make(struct uring *u, const struct io_uring_params *p);
void uring_sq_start(struct uring *u);
void uring_sq_free(struct uring *u, bool started);
bool uring_sq_is_me(const struct uring *u);
/* Until it has ended, unless this is it. */
void uring_sq_stop(struct uring *u);
void uring_sq_wake(struct uring *u);
MUST_CHECK int uring_sq_wait_room(struct uring *u);

/* Those that may have this user data, oldest first. */
static inline struct list *
uring_by_data(struct uring *u, uint64_t data)
{
	return &u->by_data[data * 0x9e3779b97f4a7c15ull >>
			   (64 - URING_DATA_BITS)];
}

/* ---- uring.c: memory ---- */
void *uring_cqe_at(struct uring *u, uint32_t index);
uint32_t *uring_array_at(struct uring *u, uint32_t index);
void *uring_sqe_at(struct uring *u, uint32_t index);
uint32_t uring_cq_ready(struct uring *u);

/* ---- uring_cq.c ---- */
void uring_post(struct uring *u, uint64_t data, long res, uint32_t cflags,
		bool counts);
/* One of several of a request; false: there is no room in the ring. */
bool uring_post_more(struct uring_req *r, long res, uint32_t cflags);
void uring_flush_overflow(struct uring *u);
/* With IORING_SETUP_DEFER_TASKRUN: lets the program see what came. */
void uring_publish(struct uring *u);
void uring_drop_overflow(struct uring *u);

/* ---- uring_req.c ---- */
/* The next entry: 1, 0 (an index out of range: dropped); *r NULL when it was
 * answered at once. */
int uring_submit(struct uring *u, unsigned n);
void uring_cancel_all(struct uring *u);
/* Before it sleeps for its file: what is ready already, -ECANCELED, or
 * another error.  The caller owns the arm. */
MUST_CHECK int uring_arm(struct uring_req *r, uint32_t events);
void uring_run(struct uring_req *r);
/* Any context: who owns its arm has it looked at again. */
void uring_go_on(struct uring_req *r);
/* Any context: the request, whose completion is in the ring, is left to a
 * thread that waits; false: there is none, or more hangs on it. */
bool uring_leave_to_waiter(struct uring_req *r);
/* Who waited frees them. */
void uring_free_spent(struct list *spent);
bool uring_has_op(unsigned op);
/* With the ring's lock: 0, -EALREADY. */
int uring_cancel_one(struct uring_req *r);
void uring_count_timeouts(struct uring *u, struct list *due);

/* ---- uring_wait.c ---- */
bool uring_timer_due(const struct uring_req *r);
void uring_start_timer(struct uring_req *r);
void uring_clock_stepped(struct clock_watch *w);
struct uring_match {
	const struct uring_req *self; /* not this one; or NULL */
	struct file *file;
	uint64_t data;
	uint32_t flags; /* IORING_ASYNC_CANCEL_* */
	uint8_t opcode;
};
/* How many, or 0, or an error, as ASYNC_CANCEL answers. */
long uring_cancel_matching(struct uring *u, const struct uring_match *m);
/* Is one of them left? */
bool uring_any_matching(struct uring *u, const struct uring_match *m);

/* ---- uring_rsrc.c ---- */
void uring_tag_put(struct uring_tag *t);
/* Referenced, with its tag's reference; NULL. */
struct file *uring_fixed_file(struct uring *u, uint32_t index,
			      struct uring_tag **tag);
void uring_drop_files(struct uring *u);
long uring_register_rsrc(struct uring *u, unsigned op, void __user *arg,
			 unsigned n);

/* ---- uring_buf.c ---- */
/* Back to its group, for somebody else; false: it has no place there. */
bool uring_give_back(struct uring_req *r);
void uring_forget_buffer(struct uring_req *r);
void uring_drop_groups(struct uring *u);
long uring_register_ring(struct uring *u, const void __user *arg);
long uring_unregister_ring(struct uring *u, const void __user *arg);
