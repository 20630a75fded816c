/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal of an ext4 file system: jbd2's format on disk, transactions in
 * memory.  docs/design/ext4.md has the reasons.
 *
 * Who changes metadata does it inside a handle:
 *	journal_start(s, credits, &h)	joins the running transaction
 *	ext4_bwrite(&h, &buf, kind)	before a block is changed: it is now
 *					part of the transaction
 *	journal_stop(&h)
 * A handle promises to change at most so many blocks.  Commit waits until no
 * handle is open, copies the blocks into the log, and lets the next
 * transaction begin; the thread that wants a commit does it itself, and all
 * that wait for the same one share it.
 *
 * Rules: a page lock, an inode's lock and the like are taken before a handle,
 * an extent tree's lock and the allocator's after.  In a handle nobody waits
 * for a page, for the program's memory or for another handle; memory is
 * ALLOC_NOFS.  Handles do not nest.
 */
#pragma once

#include <base/compiler.h>
#include <base/hlist.h>
#include <base/list.h>
#include <base/types.h>
#include <core/spinlock.h>
#include <sched/mutex.h>
#include <sched/wait.h>

struct ext4_buf;
struct ext4_super;
struct group;
struct page;
struct page_range;

/* What must be computed when a block goes to the log. */
enum jkind {
	JK_PLAIN,
	JK_DIR,	   /* the checksum of a directory block, any kind */
	JK_EXTENT, /* of a block of the extent tree */
	JK_XATTR,
	JK_ORPHANS,
};

/*
 * A block that is in a transaction or not yet written to its place.  It is
 * in the hash, holds a reference of its page, and is in one to three lists:
 * of the running transaction (tx), of the committing one (ctx), of the one
 * whose space in the log it keeps (ckpt).
 */
struct jbuf {
	struct hlist_node hash;
	uint64_t block;		     /* [I] */
	struct page *page;	     /* [I] */
	uint8_t *data;		     /* [I] */
	struct jtx *tx, *ctx, *ckpt; /* [j->lock] */
	struct list link[2];   /* [j->lock] tx or ctx, by the parity of tid */
	struct list ckpt_link; /* [j->lock] */
	uint32_t seed;	       /* [j->lock] of its checksum */
	uint8_t kind;	       /* [j->lock] enum jkind */
	bool uncopied;	       /* [j->lock] ctx has not copied it yet */
	bool forget;	       /* [j->lock] freed in tx or ctx */
	bool skip;	       /* [commit_lock] freed in ctx: not logged */
	bool io;	       /* [commit_lock] being written to its place */
};

/* Blocks freed by a transaction: free to others when it is on the disk. */
struct jfreed {
	struct jfreed *next;
	uint64_t start;
	uint32_t len;
};

struct jrevoke {
	struct jrevoke *next;
	uint64_t block;
};

struct jtx {
	struct journal *j;	 /* [I] */
	struct list link;	 /* [j->lock] in j->ckpts */
	uint32_t tid;		 /* [I] */
	bool locked;		 /* [j->lock] no new handles */
	uint32_t nhandles;	 /* [j->lock] */
	uint32_t credits;	 /* [j->lock] promised, not used */
	uint32_t nbufs;		 /* [j->lock] */
	uint32_t nrevokes;	 /* [j->lock] */
	uint32_t log_start;	 /* [commit_lock] */
	struct list bufs;	 /* [j->lock] */
	struct list ckpt_bufs;	 /* [j->lock] */
	struct jrevoke *revokes; /* [j->lock] */
	struct jfreed *freed;	 /* [j->lock] */
	uint32_t data_io;	 /* [a] writes of file data in flight */
	int data_err;		 /* [a] */
};

struct jrun {
	uint32_t first, len; /* blocks of the journal */
	uint64_t pblk;
};

struct journal {
	struct ext4_super *s;
	uint32_t block_size, block_shift;
	struct jrun *runs; /* [I] where the journal's blocks lie */
	unsigned nruns;
	uint32_t first, last;	   /* [I] log blocks: [first, last) */
	uint32_t incompat, compat; /* features, in our byte order */
	bool csum;		   /* [I] checksums v2 or v3 */
	uint32_t csum_seed;	   /* [I] */
	unsigned tag_bytes;	   /* [I] */
	bool writable;

	struct mutex commit_lock; /* RANK_JOURNAL: commits, checkpoints */
	uint32_t head;		  /* [commit_lock] next log block to write */
	uint32_t tail, tail_tid;  /* [commit_lock] as in its superblock */
	bool empty;		  /* [commit_lock] its superblock says so */
	uint8_t *super;		  /* [commit_lock] its block */

	struct spinlock lock; /* RANK_PAGECACHE */
	struct jtx *running, *committing;
	struct list ckpts;	  /* transactions with space in the log */
	uint32_t free;		  /* [lock] log blocks not in use */
	uint32_t next_tid;	  /* [lock] */
	uint32_t committed;	  /* [a] tid of the last one on the disk */
	uint32_t max_tx;	  /* [I] blocks of one transaction */
	uint32_t nbufs, max_bufs; /* [lock] jbufs; checkpoint beyond */
	int err;		  /* [a] aborted */
	struct hlist_head *hash;  /* [lock] */
	unsigned hash_bits;
	struct list spare; /* [lock] jbufs for the handles that are open */
	uint32_t nspare;

	struct page *pages[32]; /* [commit_lock] copies under way */
	unsigned npages;
	struct page *commit_page; /* [commit_lock] */
	struct group *group;	  /* [commit_lock] commit.c's */
	uint32_t io;		  /* [a] our bios in flight */
	int io_err;		  /* [a] */
	struct waitq wq;
};

struct jhandle {
	struct ext4_super *s;
	struct jtx *tx;
	uint32_t credits;
};

/* ---- transactions (journal.c) ---- */
MUST_CHECK int journal_start(struct ext4_super *s, uint32_t credits,
			     struct jhandle *h);
/* By commit, where the running transaction is closed to all others. */
MUST_CHECK int journal_start_closed(struct ext4_super *s, uint32_t credits,
				    struct jhandle *h);
void journal_stop(struct jhandle *h);
/* More credits in the same transaction; -EAGAIN: journal_restart(). */
MUST_CHECK int journal_extend(struct jhandle *h, uint32_t credits);
/* Ends the part of the work done so far, which must be whole in itself, and
 * goes on in another transaction.  On an error h is closed. */
MUST_CHECK int journal_restart(struct jhandle *h, uint32_t credits);
/* The block is about to change.  -EIO: the handle promised fewer. */
MUST_CHECK int ext4_bwrite(struct jhandle *h, const struct ext4_buf *b,
			   enum jkind kind, uint32_t seed);
/* A block of metadata is freed: what the log says of it is void. */
MUST_CHECK int journal_forget(struct jhandle *h, uint64_t block);
/* Blocks were freed in h: journal_freed() of the allocator gives them out
 * when the transaction is on the disk. */
MUST_CHECK int journal_note_freed(struct jhandle *h, uint64_t start,
				  uint32_t len);
uint32_t journal_tid(const struct jhandle *h);
/* The last transaction that may hold changes which are not on the disk yet. */
uint32_t journal_newest_tid(struct journal *j);
/* File data that h's transaction refers to is being written. */
struct jtx *journal_data_start(struct jhandle *h);
void journal_data_end(struct jtx *tx, int err); /* any context */
/* Nothing is written any more; says why and when, once. */
void journal_abort(struct journal *j, int err);
/* Has everything of tid reached the disk? */
bool journal_committed(const struct journal *j, uint32_t tid);

/* ---- commit.c ---- */
/* Until tid is on the disk; 0: whatever is running. */
MUST_CHECK int journal_commit(struct journal *j, uint32_t tid);
/* Until tid (0: whatever there is), all that was written before the call, and
 * what is being written of data (or NULL) are on stable storage. */
MUST_CHECK int journal_sync(struct journal *j, uint32_t tid,
			    const struct page_range *data);
/* Makes space in the log: for `need` more blocks. */
MUST_CHECK int journal_make_space(struct journal *j, uint32_t need);
/* Writes all to its place and marks the log empty. */
MUST_CHECK int journal_flush(struct journal *j);

/* ---- recover.c ---- */
/* Finds the journal of s and reads its superblock. */
MUST_CHECK int journal_open(struct ext4_super *s, uint32_t inum);
void journal_close(struct journal *j);
/* Is there something to play back? */
bool journal_needs_recovery(const struct journal *j);
MUST_CHECK int journal_recover(struct journal *j);
/* After recovery: allocates what writing needs. */
MUST_CHECK int journal_start_writing(struct journal *j);

/* ---- for the files of the journal ---- */
uint64_t journal_block(const struct journal *j, uint32_t log_block);
struct jbuf *journal_find(struct journal *j, uint64_t block); /* lock held */
void journal_drop(struct journal *j, struct jbuf *jb);	      /* lock held */
uint32_t journal_need(const struct journal *j, const struct jtx *t);
MUST_CHECK int journal_write_super(struct journal *j);
MUST_CHECK struct jtx *journal_new_tx(struct journal *j);
/* t, which was to be committed, becomes a part of the running one. */
void journal_absorb(struct journal *j, struct jtx *t);
/* At the end: forgets every transaction. */
void journal_drop_all(struct journal *j);
MUST_CHECK struct group *journal_group_alloc(void);
