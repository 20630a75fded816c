/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of pipes share: the ring of pieces of pages, and the rules
 * for its pages.
 *
 * A page in a pipe is the pipe's own (BUF_OWN: a write took it), or anybody
 * else's whose reference the pipe holds: a file's from splice, the program's
 * from vmsplice, another pipe's from tee.  Nothing is ever written to a page
 * but by a write behind the bytes of a BUF_MERGE piece, and of all pieces
 * that refer to one page at most one has that flag.
 */
#pragma once

#include <base/compiler.h>
#include <base/refcount.h>
#include <base/types.h>
#include <mem/page.h>
#include <sched/mutex.h>
#include <sched/wait.h>

struct file;
struct inode;
struct uio;

#define PIPE_BUF   4096u
#define PIPE_SLOTS 16u /* pages of a new pipe */

struct pipe_buf {
	struct page *page; /* referenced */
	uint16_t off, len; /* within the page; len is not 0 */
	uint32_t flags;	   /* BUF_* */
};

#define BUF_OWN	   (1u << 0) /* the page may be used again when it is free */
#define BUF_MERGE  (1u << 1) /* a small write may go on in it */
#define BUF_PACKET (1u << 2) /* a read ends with it */

/* pipe.held */
#define HELD_READ  (1u << 0) /* other readers wait */
#define HELD_WRITE (1u << 1) /* other writers wait */

struct pipe {
	struct refcount refs;
	struct mutex lock;	   /* RANK_PIPE */
	struct pipe_buf *bufs;	   /* [lock] nslots of them */
	uint32_t nslots;	   /* [lock] a power of two */
	uint32_t head, tail;	   /* [lock, a] pieces ever put in, taken out */
	uint32_t held;		   /* [lock, a] by a splice: HELD_* */
	struct page *spare;	   /* [lock] pages by priv, to be used next */
	uint32_t nspare;	   /* [lock] */
	uint32_t nwaiting;	   /* [a] writers that wait for room */
	unsigned readers, writers; /* [lock, a] open ends */
	unsigned nread, nwrite;	   /* [lock, a] opens ever: FIFO */
	bool charged;		   /* [lock] the slots are counted: pipe.c */
	struct waitq read_wq, write_wq;
	uint64_t ino;
	struct inode *inode; /* FIFO, else NULL */
	struct pipe_buf first[PIPE_SLOTS];
};

static inline bool
pipe_empty(const struct pipe *p)
{
	return READ_ONCE(p->head) == READ_ONCE(p->tail);
}

static inline bool
pipe_full(const struct pipe *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail) >= READ_ONCE(p->nslots);
}

/* The i-th piece ever put in, which is there. */
static inline struct pipe_buf *
pipe_buf_at(const struct pipe *p, uint32_t i)
{
	return &p->bufs[i & (p->nslots - 1)];
}

static inline uint8_t *
pipe_buf_data(const struct pipe_buf *b)
{
	return (uint8_t *)page_addr(b->page) + b->off;
}

/* All with p->lock held.  There is room for a piece. */
static inline void
pipe_put_buf(struct pipe *p, struct page *page, uint32_t off, uint32_t len,
	     uint32_t flags)
{
	*pipe_buf_at(p, p->head) = (struct pipe_buf){
		.page = page,
		.off = (uint16_t)off,
		.len = (uint16_t)len,
		.flags = flags,
	};
	WRITE_ONCE(p->head, p->head + 1);
}
/* A page to be filled; NULL: no memory. */
struct page *pipe_take_page(struct pipe *p);
/* A page goes that only the pipe may know: kept if it is of use. */
void pipe_give_page(struct pipe *p, struct page *page);
/* The first piece has been read. */
void pipe_drop_buf(struct pipe *p);
/* Gives back spare pages that are more than an idle pipe needs. */
void pipe_trim(struct pipe *p);

/* Without the lock: sleep until it looks as if something can be done, 0, or
 * -ERESTARTSYS.  alone: as one of those of whom each wake is for one, which
 * does what it waited for or waits on. */
int pipe_wait_readable(struct pipe *p, bool alone);
int pipe_wait_writable(struct pipe *p, bool alone);

ssize_t pipe_read(struct file *f, struct uio *u, int64_t *pos);
ssize_t pipe_write(struct file *f, struct uio *u, int64_t *pos);
