/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock order, outer to inner (docs/locking.md explains it).  A lock may
 * be taken only while every lock held has a smaller rank; debug kernels
 * check.  Sleeping locks come first, spin locks after RANK_SPIN.
 */
#pragma once

enum lock_rank {
	RANK_NONE = 0, /* not ranked: tests only */
	RANK_URING,    /* submission to an io_uring, which does anything */
	RANK_PROCESS,  /* process: threads, signal handlers, exec */
	RANK_FDTABLE,  /* descriptor table, writers */
	RANK_EPOLL,    /* an epoll instance's interest list */
	RANK_FILEPOS,  /* a file's position */
	RANK_PATH,     /* rename, mount */
	RANK_WRITER,   /* a pass over the dirty inodes of a file system */
	RANK_INODE,    /* inode contents and directories; parent first */
	RANK_INODE2,   /* second inode of a pair, lower layer of an overlay */
	RANK_VMSPACE,  /* the address space */
	RANK_VMA,      /* one vma: read by faults */
	RANK_READS,    /* pages read into a file's cache, or its blocks freed */
	RANK_MAPPING,  /* an object's list of mappings */
	RANK_PAGE,     /* page lock */
	RANK_JOURNAL,  /* commits; handles are taken here */
	RANK_EXTENTS,  /* a file's tree of blocks, the orphan list */
	RANK_FSALLOC,  /* bitmaps and group descriptors */
	RANK_FSALLOC2, /* one inode on the disk */
	RANK_SOCKET,
	RANK_PIPE,
	RANK_TTY_JOB,  /* who has which terminal */
	RANK_TTY_PUMP, /* input on its way to a terminal */
	RANK_TTY_OUT,  /* a terminal's output */
	RANK_TTY,      /* its settings and its input */
	RANK_NETCORE,
	RANK_TRACE,	 /* the tracer's lines */
	RANK_SLEEP_LEAF, /* sleeping locks that take no other sleeping lock */
	RANK_SPIN,	 /* below here: spin locks */
	RANK_DEVICE = RANK_SPIN, /* driver queues */
	RANK_STEP,		 /* who is told when the wall clock is set */
	RANK_SIGNAL,		 /* pending signals */
	RANK_FUTEX,
	RANK_DCACHE,	/* directory entry hash and lru */
	RANK_PAGECACHE, /* an object's page tree */
	RANK_PAGETABLE,
	RANK_AIO,   /* rings and contexts of asynchronous I/O */
	RANK_EVENT, /* epoll ready list, eventfd, timerfd state */
	RANK_WAITQ,
	RANK_WAITQ2, /* a wait queue woken from within a wake function */
	RANK_TIMER,
	RANK_RUNQUEUE,
	RANK_LRU,
	RANK_HEAP,
	RANK_FRAMES,
	RANK_RECLAIM,
	RANK_PROFILE, /* a CPU's samples */
	RANK_LOG,
	RANK_CONSOLE, /* the log's sinks */
};
