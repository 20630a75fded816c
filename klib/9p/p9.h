/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this klib share: messages, the client's calls, the file
 * system's own structures.  docs/design/9p.md says how it is meant.
 *
 * A fid is the client's number for a file at the server; each belongs to one
 * inode or to one call.  All calls sleep until the answer is there, whatever
 * signals come.
 */
#pragma once

#include "channel.h"

#include <base/compiler.h>
#include <base/types.h>
#include <core/spinlock.h>
#include <fs/pagecache.h>
#include <fs/vfs.h>
#include <sched/mutex.h>

#define P9_NOFID     UINT32_MAX
#define P9_MAX_FIDS  65536u
#define P9_HEADER    7u	 /* size[4] type[1] tag[2] */
#define P9_IO_HEADER 24u /* of Twrite and its like, what msize must hold */
#define P9_IO_PAGES  32u /* data of one message */
#define P9_IO_BYTES  (P9_IO_PAGES * (uint32_t)PAGE_SIZE)
/* Of messages without data: room for the question, in which the longest
 * name and target of a link fit, and for the answer. */
#define P9_ASK_BYTES	4416u
#define P9_ANSWER_BYTES 3776u
#define P9_DIR_BYTES	16384u /* of directory entries at a time */

/* Message types of 9P2000.L; an answer is one more than its question. */
enum p9_type {
	P9_RLERROR = 7,
	P9_TSTATFS = 8,
	P9_TLOPEN = 12,
	P9_TLCREATE = 14,
	P9_TSYMLINK = 16,
	P9_TMKNOD = 18,
	P9_TREADLINK = 22,
	P9_TGETATTR = 24,
	P9_TSETATTR = 26,
	P9_TXATTRWALK = 30,
	P9_TXATTRCREATE = 32,
	P9_TREADDIR = 40,
	P9_TFSYNC = 50,
	P9_TLINK = 70,
	P9_TMKDIR = 72,
	P9_TRENAMEAT = 74,
	P9_TUNLINKAT = 76,
	P9_TVERSION = 100,
	P9_TATTACH = 104,
	P9_TWALK = 110,
	P9_TREAD = 116,
	P9_TWRITE = 118,
	P9_TCLUNK = 120,
};

#define P9_QTDIR     0x80
#define P9_QTSYMLINK 0x02

struct p9_qid {
	uint8_t type;
	uint32_t version;
	uint64_t path;
};

/* What Tgetattr answers. */
#define P9_GETATTR_BASIC 0x7ffull
#define P9_GETATTR_BTIME 0x800ull
struct p9_attr {
	struct p9_qid qid;
	uint64_t valid;
	uint32_t mode, uid, gid;
	uint64_t nlink, rdev, size, blksize, blocks;
	struct timespec64 atime, mtime, ctime, btime;
};

#define P9_SET_MODE	 (1u << 0)
#define P9_SET_UID	 (1u << 1)
#define P9_SET_GID	 (1u << 2)
#define P9_SET_SIZE	 (1u << 3)
#define P9_SET_ATIME	 (1u << 4)
#define P9_SET_MTIME	 (1u << 5)
#define P9_SET_CTIME	 (1u << 6)
#define P9_SET_ATIME_SET (1u << 7)
#define P9_SET_MTIME_SET (1u << 8)

/* ---- msg.c: one message being written or read ---- */
struct p9_msg {
	uint8_t *mem; /* both halves */
	uint8_t *buf; /* the half that is written or read */
	uint32_t at;  /* next byte */
	uint32_t end; /* of what may be read or written */
	uint32_t len; /* of an answer, with the data that came behind */
	bool bad;     /* ran over the end: nothing in it counts */
};

MUST_CHECK int p9_msg_begin(struct p9_msg *m, enum p9_type type);
void p9_msg_end(struct p9_msg *m);
void p9_put8(struct p9_msg *m, uint8_t v);
void p9_put16(struct p9_msg *m, uint16_t v);
void p9_put32(struct p9_msg *m, uint32_t v);
void p9_put64(struct p9_msg *m, uint64_t v);
void p9_put_str(struct p9_msg *m, const char *s, size_t len);
uint8_t p9_get8(struct p9_msg *m);
uint16_t p9_get16(struct p9_msg *m);
uint32_t p9_get32(struct p9_msg *m);
uint64_t p9_get64(struct p9_msg *m);
/* Points into the message. */
const char *p9_get_str(struct p9_msg *m, uint16_t *len);
void p9_get_qid(struct p9_msg *m, struct p9_qid *q);

/* ---- client.c ---- */
struct p9_client {
	struct p9_channel *chan;
	uint32_t msize;	      /* [I] bytes of the largest message */
	uint32_t next_tag;    /* [a] */
	struct spinlock lock; /* RANK_EVENT */
	uint64_t *fids;	      /* [lock] bitmap */
	size_t fid_hint;      /* [lock] */
};

/* Pages that data come from or go to. */
struct p9_data {
	struct page **pages; /* used when buf is NULL */
	void *buf;	     /* direct map */
	uint32_t len;	     /* bytes, at most P9_IO_BYTES */
};

MUST_CHECK int p9_client_open(const char *tag, struct p9_client **out);
void p9_client_close(struct p9_client *c);
/* -ENFILE: too many. */
MUST_CHECK int p9_fid_get(struct p9_client *c, uint32_t *fid);
void p9_fid_put(struct p9_client *c, uint32_t fid); /* without a clunk */

/* Each is the message of its name; an error is the server's errno, -EIO
 * where the answer makes no sense. */
MUST_CHECK int p9_attach(struct p9_client *c, uint32_t fid, struct p9_qid *q);
/* name NULL: newfid is another one for the same file. */
MUST_CHECK int p9_walk(struct p9_client *c, uint32_t fid, const char *name,
		       size_t len, uint32_t *newfid);
void p9_clunk(struct p9_client *c, uint32_t fid); /* and gives it back */
MUST_CHECK int p9_lopen(struct p9_client *c, uint32_t fid, unsigned flags);
MUST_CHECK int p9_lcreate(struct p9_client *c, uint32_t fid, const char *name,
			  size_t len, unsigned flags, uint32_t mode,
			  uint32_t gid);
MUST_CHECK int p9_mkdir(struct p9_client *c, uint32_t dfid, const char *name,
			size_t len, uint32_t mode, uint32_t gid);
MUST_CHECK int p9_mknod(struct p9_client *c, uint32_t dfid, const char *name,
			size_t len, uint32_t mode, uint64_t rdev, uint32_t gid);
MUST_CHECK int p9_symlink(struct p9_client *c, uint32_t dfid, const char *name,
			  size_t len, const char *target, uint32_t gid);
MUST_CHECK int p9_link(struct p9_client *c, uint32_t dfid, uint32_t fid,
		       const char *name, size_t len);
MUST_CHECK int p9_unlinkat(struct p9_client *c, uint32_t dfid, const char *name,
			   size_t len, bool dir);
MUST_CHECK int p9_renameat(struct p9_client *c, uint32_t odfid,
			   const char *oname, size_t olen, uint32_t ndfid,
			   const char *nname, size_t nlen);
MUST_CHECK ssize_t p9_readlink(struct p9_client *c, uint32_t fid, char *buf,
			       size_t size);
MUST_CHECK int p9_getattr(struct p9_client *c, uint32_t fid, struct p9_attr *a);
MUST_CHECK int p9_setattr(struct p9_client *c, uint32_t fid, unsigned valid,
			  const struct inode_attr *a);
MUST_CHECK int p9_fsync(struct p9_client *c, uint32_t fid, bool datasync);
MUST_CHECK int p9_statfs(struct p9_client *c, uint32_t fid, struct statfs *st);
/* Bytes that were moved. */
MUST_CHECK ssize_t p9_read(struct p9_client *c, uint32_t fid, uint64_t off,
			   const struct p9_data *d);
MUST_CHECK ssize_t p9_write(struct p9_client *c, uint32_t fid, uint64_t off,
			    const struct p9_data *d);
MUST_CHECK ssize_t p9_readdir(struct p9_client *c, uint32_t fid, uint64_t off,
			      void *buf, uint32_t len);
/* A fid from which the attribute (name "": all names) is read. */
MUST_CHECK int p9_xattrwalk(struct p9_client *c, uint32_t fid, const char *name,
			    uint32_t *newfid, uint64_t *size);
/* fid then takes the value by p9_write() and sets it at its clunk. */
MUST_CHECK int p9_xattrcreate(struct p9_client *c, uint32_t fid,
			      const char *name, uint64_t size, int flags);
/* Clunks it and returns what the server says to that. */
MUST_CHECK int p9_clunk_check(struct p9_client *c, uint32_t fid);

/* ---- inode.c, dir.c, data.c, xattr.c ---- */
struct p9_inode {
	uint32_t fid;	     /* [I] names the file */
	struct mutex lock;   /* RANK_FSALLOC: the fids below */
	uint32_t rfid, wfid; /* [lock] open for reading, for writing */
	bool wfid_reads;     /* [lock] wfid is open for both */
	/* Of the data that the cache holds; another one at an open means
	 * that the host has changed the file.  [inode lock or one opener] */
	struct timespec64 seen_mtime;
	uint64_t seen_size;
};

static inline struct p9_inode *
p9_i(struct inode *i)
{
	return i->priv;
}

static inline struct p9_client *
p9_c(struct inode *i)
{
	return i->sb->priv;
}

/* The inode that fid names; takes fid over, also when it fails. */
MUST_CHECK int p9_iget(struct super *sb, uint32_t fid, struct inode **out);
/* Asks the server and takes its answer over. */
MUST_CHECK int p9_refresh(struct inode *i);
void p9_evict(struct inode *i);
int p9_setattr_inode(struct inode *i, const struct inode_attr *a);
void p9_getattr_inode(struct inode *i, struct kstat *st);
/* Makes sure that the file is open at the server. */
MUST_CHECK int p9_open_fids(struct inode *i, bool read, bool write);
int p9_open(struct inode *i, unsigned flags, struct file **out);
void p9_flush(struct inode *i);
int p9_fsync_inode(struct inode *i, bool datasync,
		   const struct page_range *data);

extern const struct inode_ops p9_dir_ops, p9_file_ops, p9_link_ops;
extern const struct page_cache_ops p9_cache_ops;

ssize_t p9_getxattr(struct inode *i, const char *name, void *buf, size_t size);
ssize_t p9_listxattr(struct inode *i, char *buf, size_t size);
int p9_setxattr(struct inode *i, const char *name, const void *val, size_t len,
		int flags);
int p9_removexattr(struct inode *i, const char *name);
