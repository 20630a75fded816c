/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring: rings, submission, completion.  The operations themselves are a
 * table that is handed down (uring_set_ops), as most of them are system calls.
 */
#pragma once

#include <abi/io_uring.h>
#include <aio/pool.h>
#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>
#include <core/timer.h>
#include <fs/direct.h>
#include <vm/uio.h>

struct file;
struct uring;
struct uring_provided; /* uring_buf.c */
struct uring_tag;      /* uring_rsrc.c */

#define URING_MAX_ENTRIES    32768u
#define URING_MAX_CQ_ENTRIES (2 * URING_MAX_ENTRIES)
#define URING_MAX_OVERFLOW   65536u /* completions kept; then EBUSY */
#define URING_MAX_BUFFERS    16384u
#define URING_MAX_FILES	     (1u << 20)

/*
 * A request, from its entry in the submission ring to its completion.  Owned
 * by whoever runs it: the submitter, then a worker, an armed file, a timer or
 * the block layer.  Cancelling finds it in the ring's list, under the ring's
 * lock, and marks it; the owner sees.
 */
struct uring_req {
	struct list link;	   /* [ring lock] ring->requests */
	struct list data_link;	   /* [ring lock] in uring_by_data() */
	struct list wait_link;	   /* [ring lock] drained, or a timeout */
	struct uring *ring;	   /* [I] */
	const struct uring_op *op; /* [I] */
	struct io_uring_sqe sqe;   /* [I] copied once */
	struct uring_req *next;	   /* [o] linked behind */
	struct uring_req *timeout; /* [o] its IORING_OP_LINK_TIMEOUT */
	struct uring_req *owner;   /* [ring lock] of a link timeout: whose */
	struct file *file;	   /* [o] */
	struct file *file_in;	   /* [o] of a splice */
	struct identity who;	   /* [o] taken when it leaves the submitter */
	struct pool_work work;
	int tid;	   /* [o] whose it is, from the first arm on */
	bool canceled;	   /* [ring lock, a read] */
	bool armed;	   /* [ring lock] arm is in use */
	bool timing;	   /* [ring lock] timer is set, no one took it */
	bool has_timer;	   /* [o] timer was ever set */
	bool posted;	   /* [o] its completion is in the ring */
	bool failed;	   /* [o] breaks its chain */
	bool blocking;	   /* [o] a worker may sleep for it */
	bool has_buffer;   /* [o] bid is of a provided buffer */
	bool multishot;	   /* [o] completes again and again */
	bool is_direct;	   /* [o] direct has begun */
	bool exact;	   /* [o] less than want breaks its chain */
	bool partial;	   /* [o] done is a result, whatever comes after */
	bool notifies;	   /* [o] a second completion: the memory is free */
	uint16_t buf_head; /* [o] of the ring, where the buffer was */
	struct uring_provided *provided; /* [o] the buffer, if of a list */
	struct uring_tag *tags[2];	 /* [o] of its file, of its buffer */
	uint32_t cflags;		 /* [o] of the completion */
	long res;			 /* [o] for complete_work */
	uint64_t target;		 /* [ring lock] a timeout's count */
	/* the operations' own, [o] */
	void *priv; /* heap */
	struct uio uio;
	size_t want, done;
	struct direct_io direct;
	struct arm arm;
	struct timer timer;
	uint64_t deadline_ns;
};

/* What issue() answers beside a result. */
#define URING_LATER  (-5000l) /* it completes by itself */
#define URING_WORKER (-5001l) /* once more in a worker, blocking */

struct uring_op {
	/* In the submitter, before any wait: 0 or -errno. */
	int (*prep)(struct uring_req *r);
	/* Does it; not sleeping for long unless r->blocking.  -EAGAIN: the
	 * file is not ready for poll_events. */
	long (*issue)(struct uring_req *r);
	uint16_t poll_events;
	uint32_t quick_flag; /* of op_flags: -EAGAIN is a result */
	bool needs_file;
	bool always_worker;
	bool takes_buffer; /* IOSQE_BUFFER_SELECT */
	bool takes_prio;   /* ioprio says something */
};

void uring_set_ops(const struct uring_op *ops, unsigned n);

MUST_CHECK int uring_create(unsigned entries, struct io_uring_params *p,
			    struct file **out);
bool uring_is(const struct file *f);
long uring_enter(struct file *f, unsigned to_submit, unsigned min_complete,
		 unsigned flags, uint64_t deadline_ns);
long uring_register(struct file *f, unsigned op, void __user *arg, unsigned nr);
void uring_end_all(void);

/* ---- for operations ---- */
/* Before URING_LATER: uring_complete_later() may be called from then on. */
void uring_will_complete(struct uring_req *r);
/* Completes a request that answered URING_LATER, from any context. */
void uring_complete_later(struct uring_req *r, long res);
/* r->file, if it is not there yet. */
MUST_CHECK int uring_get_file(struct uring_req *r);
/* The file of a splice's other end: 0, -EBADF. */
MUST_CHECK int uring_get_file_in(struct uring_req *r, bool fixed);
/* Puts a new file into the table of registered ones, for file_index; takes
 * the reference over.  0, the place that was found for ALLOC, or -errno. */
long uring_install(struct uring *u, struct file *f, uint32_t file_index);
/* CLOSE of a registered one. */
long uring_close_fixed(struct uring_req *r);
/* r->uio becomes the memory at addr, within registered buffer buf_index. */
MUST_CHECK int uring_fixed_buffer(struct uring_req *r);
int uring_prep_rw(struct uring_req *r);
int uring_prep_vector(struct uring_req *r);
int uring_prep_fixed(struct uring_req *r);
long uring_read(struct uring_req *r);
long uring_write(struct uring_req *r);
int uring_prep_poll(struct uring_req *r);
long uring_poll_add(struct uring_req *r);
int uring_prep_timeout(struct uring_req *r);
long uring_timeout(struct uring_req *r);
long uring_timeout_remove(struct uring_req *r);
long uring_poll_remove(struct uring_req *r);
int uring_prep_cancel(struct uring_req *r);
long uring_cancel(struct uring_req *r);
long uring_files_update(struct uring_req *r);
long uring_msg_ring(struct uring_req *r);
long uring_provide_buffers(struct uring_req *r);
long uring_remove_buffers(struct uring_req *r);
/* Would there be one?  Asked before a wait: the program hears at once.  May
 * sleep, as the next does. */
bool uring_has_buffer(struct uring_req *r);
/* A provided buffer for this request becomes its uio: at most sqe.len bytes
 * of it, unless that is 0.  -ENOBUFS. */
MUST_CHECK int uring_take_buffer(struct uring_req *r);
