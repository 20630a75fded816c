/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of 9P2000.L: one function a message.
 *
 * The protocol's numbers are those of the plan 9 manual, section 5, and of
 * the description of the ".L" variant that virtio-9p servers follow.  An
 * answer is input from outside: its size, type and tag are looked at here,
 * what it holds by the getters of msg.c.
 */
#include "p9.h"

#include <abi/errno.h>
#include <abi/statfs.h>
#include <base/atomic.h>
#include <base/bitmap.h>
#include <base/math.h>
#include <base/string.h>
#include <core/log.h>
#include <mem/heap.h>
#include <mem/page.h>

#define NOTAG	    UINT16_MAX
#define VERSION	    "9P2000.L"
#define DATA_HEADER (P9_HEADER + 4) /* an answer that brings data: count[4] */

struct call {
	struct p9_request req;
	struct completion done;
	struct p9_seg segs[P9_SEGS];
};

static void
call_done(struct p9_request *r)
{
	completion_done(&((struct call *)r->arg)->done);
}

static unsigned
data_segs(struct p9_seg *s, const struct p9_data *d)
{
	unsigned n = 0;

	if (!d || !d->len)
		return 0;
	if (d->buf) {
		s[0] = (struct p9_seg){ d->buf, d->len };
		return 1;
	}
	for (uint32_t left = d->len; left; n++) {
		uint32_t len = (uint32_t)min_u64(left, PAGE_SIZE);

		s[n] = (struct p9_seg){ page_addr(d->pages[n]), len };
		left -= len;
	}
	return n;
}

/* The answer's head: its errno, or 0 with m ready to be read. */
static int
check_answer(struct p9_msg *m, const struct p9_request *r, uint8_t type,
	     uint16_t tag, uint32_t in_head)
{
	uint32_t size, ecode;
	uint8_t got;

	if (r->status)
		return r->status;
	m->buf = m->mem + P9_ASK_BYTES;
	m->at = 0;
	m->end = (uint32_t)min_u64(r->got, in_head);
	m->bad = false;
	size = p9_get32(m);
	got = p9_get8(m);
	if (p9_get16(m) != tag || m->bad || size > r->got)
		return -EIO;
	if (got == P9_RLERROR) {
		ecode = p9_get32(m);
		return m->bad || !ecode || ecode > 4095 ? -EIO : -(int)ecode;
	}
	if (got != type + 1)
		return -EIO;
	m->end = (uint32_t)min_u64(m->end, size);
	m->len = size;
	return 0;
}

/*
 * Sends m with the data of out behind it, and waits.  The answer comes back
 * in m; in, if any, takes the bytes behind its first in_head ones.
 */
static int
call(struct p9_client *c, struct p9_msg *m, const struct p9_data *out,
     const struct p9_data *in)
{
	uint32_t in_head = in ? DATA_HEADER : P9_ANSWER_BYTES;
	struct call *k;
	uint8_t type = m->buf[4];
	uint16_t tag =
		type == P9_TVERSION ?
			NOTAG :
			(uint16_t)(atomic_fetch_add(&c->next_tag, 1) % NOTAG);
	uint32_t len = m->at;
	int err;

	if (m->bad)
		return -ENAMETOOLONG;
	k = kmalloc(sizeof(*k), ALLOC_NOFS);
	if (!k)
		return -ENOMEM;
	m->at = 0;
	p9_put32(m, len + (out ? out->len : 0));
	m->at = 5;
	p9_put16(m, tag);
	completion_init(&k->done);
	k->segs[0] = (struct p9_seg){ m->buf, len };
	k->req.nout = 1 + data_segs(&k->segs[1], out);
	k->segs[k->req.nout] =
		(struct p9_seg){ m->mem + P9_ASK_BYTES, in_head };
	k->req.nin = 1 + data_segs(&k->segs[k->req.nout + 1], in);
	k->req.segs = k->segs;
	k->req.done = call_done;
	k->req.arg = k;
	c->chan->submit(c->chan, &k->req);
	completion_wait(&k->done);
	err = check_answer(m, &k->req, type, tag, in_head);
	kfree(k);
	return err;
}

/* A call whose answer says nothing but that it was done. */
static int
call_plain(struct p9_client *c, struct p9_msg *m)
{
	int err = call(c, m, NULL, NULL);

	p9_msg_end(m);
	return err;
}

/* Most messages begin with the fid that they are about. */
static int
begin_on(struct p9_msg *m, enum p9_type type, uint32_t fid)
{
	int err = p9_msg_begin(m, type);

	if (!err)
		p9_put32(m, fid);
	return err;
}

/* ---- fids ---- */

int
p9_fid_get(struct p9_client *c, uint32_t *fid)
{
	irqflags_t f = spin_lock_irq(&c->lock);
	size_t i = bitmap_next_zero(c->fids, P9_MAX_FIDS, c->fid_hint);

	if (i == P9_MAX_FIDS)
		i = bitmap_next_zero(c->fids, P9_MAX_FIDS, 0);
	if (i < P9_MAX_FIDS) {
		bitmap_set(c->fids, i);
		c->fid_hint = i + 1;
	}
	spin_unlock_irq(&c->lock, f);
	*fid = (uint32_t)i;
	return i < P9_MAX_FIDS ? 0 : -ENFILE;
}

void
p9_fid_put(struct p9_client *c, uint32_t fid)
{
	irqflags_t f = spin_lock_irq(&c->lock);

	bitmap_clear(c->fids, fid);
	if (fid < c->fid_hint)
		c->fid_hint = fid;
	spin_unlock_irq(&c->lock, f);
}

int
p9_clunk_check(struct p9_client *c, uint32_t fid)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TCLUNK, fid);

	/* Without memory the number stays taken: the server still has it. */
	if (err)
		return err;
	err = call_plain(c, &m);
	p9_fid_put(c, fid);
	return err;
}

void
p9_clunk(struct p9_client *c, uint32_t fid)
{
	ignore(p9_clunk_check(c, fid)); /* nobody is there to hear of it */
}

/* ---- the session ---- */

static int
version(struct p9_client *c)
{
	uint32_t want = P9_IO_BYTES + P9_IO_HEADER;
	struct p9_msg m;
	const char *s;
	uint16_t len;
	int err = p9_msg_begin(&m, P9_TVERSION);

	if (err)
		return err;
	p9_put32(&m, want);
	p9_put_str(&m, VERSION, strlen(VERSION));
	err = call(c, &m, NULL, NULL);
	if (!err) {
		c->msize = p9_get32(&m);
		s = p9_get_str(&m, &len);
		if (m.bad || len != strlen(VERSION) ||
		    memcmp(s, VERSION, len) || c->msize > want ||
		    c->msize < P9_ASK_BYTES) {
			log_err("9p %s: the server does not speak " VERSION,
				c->chan->tag);
			err = -EPROTO;
		}
	}
	p9_msg_end(&m);
	return err;
}

int
p9_client_open(const char *tag, struct p9_client **out)
{
	struct p9_client *c = kzalloc(sizeof(*c), ALLOC_KERNEL);
	int err;

	if (!c)
		return -ENOMEM;
	spin_init(&c->lock, RANK_EVENT);
	c->fids = kzalloc(BITMAP_WORDS(P9_MAX_FIDS) * 8ull, ALLOC_KERNEL);
	if (!c->fids) {
		kfree(c);
		return -ENOMEM;
	}
	err = p9_channel_claim(tag, &c->chan);
	if (!err) {
		err = version(c);
		if (err)
			p9_channel_release(c->chan);
	}
	if (err) {
		kfree(c->fids);
		kfree(c);
		return err;
	}
	*out = c;
	return 0;
}

void
p9_client_close(struct p9_client *c)
{
	p9_channel_release(c->chan);
	kfree(c->fids);
	kfree(c);
}

int
p9_attach(struct p9_client *c, uint32_t fid, struct p9_qid *q)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TATTACH, fid);

	if (err)
		return err;
	p9_put32(&m, P9_NOFID);
	p9_put_str(&m, "root", 4);
	p9_put_str(&m, "", 0);
	p9_put32(&m, 0); /* n_uname: the user's number */
	err = call(c, &m, NULL, NULL);
	if (!err) {
		p9_get_qid(&m, q);
		err = m.bad ? -EIO : 0;
	}
	p9_msg_end(&m);
	return err;
}

int
p9_walk(struct p9_client *c, uint32_t fid, const char *name, size_t len,
	uint32_t *newfid)
{
	uint16_t n = name != NULL;
	struct p9_msg m;
	int err = p9_msg_begin(&m, P9_TWALK);

	if (err)
		return err;
	err = p9_fid_get(c, newfid);
	if (err)
		goto out;
	p9_put32(&m, fid);
	p9_put32(&m, *newfid);
	p9_put16(&m, n);
	if (name)
		p9_put_str(&m, name, len);
	err = call(c, &m, NULL, NULL);
	if (!err && (p9_get16(&m) != n || m.bad))
		err = -EIO;
	if (err)
		p9_fid_put(c, *newfid);
out:
	p9_msg_end(&m);
	return err;
}

/* ---- names ---- */

int
p9_lopen(struct p9_client *c, uint32_t fid, unsigned flags)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TLOPEN, fid);

	if (err)
		return err;
	p9_put32(&m, flags);
	return call_plain(c, &m);
}

int
p9_lcreate(struct p9_client *c, uint32_t fid, const char *name, size_t len,
	   unsigned flags, uint32_t mode, uint32_t gid)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TLCREATE, fid);

	if (err)
		return err;
	p9_put_str(&m, name, len);
	p9_put32(&m, flags);
	p9_put32(&m, mode);
	p9_put32(&m, gid);
	return call_plain(c, &m);
}

int
p9_mkdir(struct p9_client *c, uint32_t dfid, const char *name, size_t len,
	 uint32_t mode, uint32_t gid)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TMKDIR, dfid);

	if (err)
		return err;
	p9_put_str(&m, name, len);
	p9_put32(&m, mode);
	p9_put32(&m, gid);
	return call_plain(c, &m);
}

int
p9_mknod(struct p9_client *c, uint32_t dfid, const char *name, size_t len,
	 uint32_t mode, uint64_t rdev, uint32_t gid)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TMKNOD, dfid);

	if (err)
		return err;
	p9_put_str(&m, name, len);
	p9_put32(&m, mode);
	p9_put32(&m, DEV_MAJOR(rdev));
	p9_put32(&m, DEV_MINOR(rdev));
	p9_put32(&m, gid);
	return call_plain(c, &m);
}

int
p9_symlink(struct p9_client *c, uint32_t dfid, const char *name, size_t len,
	   const char *target, uint32_t gid)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TSYMLINK, dfid);

	if (err)
		return err;
	p9_put_str(&m, name, len);
	p9_put_str(&m, target, strlen(target));
	p9_put32(&m, gid);
	return call_plain(c, &m);
}

int
p9_link(struct p9_client *c, uint32_t dfid, uint32_t fid, const char *name,
	size_t len)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TLINK, dfid);

	if (err)
		return err;
	p9_put32(&m, fid);
	p9_put_str(&m, name, len);
	return call_plain(c, &m);
}

int
p9_unlinkat(struct p9_client *c, uint32_t dfid, const char *name, size_t len,
	    bool dir)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TUNLINKAT, dfid);

	if (err)
		return err;
	p9_put_str(&m, name, len);
	p9_put32(&m, dir ? 0x200 : 0); /* AT_REMOVEDIR */
	return call_plain(c, &m);
}

int
p9_renameat(struct p9_client *c, uint32_t odfid, const char *oname, size_t olen,
	    uint32_t ndfid, const char *nname, size_t nlen)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TRENAMEAT, odfid);

	if (err)
		return err;
	p9_put_str(&m, oname, olen);
	p9_put32(&m, ndfid);
	p9_put_str(&m, nname, nlen);
	return call_plain(c, &m);
}

ssize_t
p9_readlink(struct p9_client *c, uint32_t fid, char *buf, size_t size)
{
	struct p9_msg m;
	const char *s;
	uint16_t len = 0;
	int err = begin_on(&m, P9_TREADLINK, fid);

	if (err)
		return err;
	err = call(c, &m, NULL, NULL);
	if (!err) {
		s = p9_get_str(&m, &len);
		if (m.bad)
			err = -EIO;
		else
			memcpy(buf, s, min_u64(len, size));
	}
	p9_msg_end(&m);
	return err ? err : (ssize_t)min_u64(len, size);
}

/* ---- attributes ---- */

static struct timespec64
get_time(struct p9_msg *m)
{
	struct timespec64 t;
	uint64_t nsec;

	t.sec = (int64_t)p9_get64(m);
	nsec = p9_get64(m);
	t.nsec = nsec < 1000000000u ? (uint32_t)nsec : 0;
	return t;
}

int
p9_getattr(struct p9_client *c, uint32_t fid, struct p9_attr *a)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TGETATTR, fid);

	if (err)
		return err;
	p9_put64(&m, P9_GETATTR_BASIC | P9_GETATTR_BTIME);
	err = call(c, &m, NULL, NULL);
	if (!err) {
		a->valid = p9_get64(&m);
		p9_get_qid(&m, &a->qid);
		a->mode = p9_get32(&m);
		a->uid = p9_get32(&m);
		a->gid = p9_get32(&m);
		a->nlink = p9_get64(&m);
		a->rdev = p9_get64(&m);
		a->size = p9_get64(&m);
		a->blksize = p9_get64(&m);
		a->blocks = p9_get64(&m);
		a->atime = get_time(&m);
		a->mtime = get_time(&m);
		a->ctime = get_time(&m);
		a->btime = get_time(&m);
		if (m.bad ||
		    (a->valid & P9_GETATTR_BASIC) != P9_GETATTR_BASIC ||
		    a->size > INT64_MAX)
			err = -EIO;
	}
	p9_msg_end(&m);
	return err;
}

int
p9_setattr(struct p9_client *c, uint32_t fid, unsigned valid,
	   const struct inode_attr *a)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TSETATTR, fid);

	if (err)
		return err;
	p9_put32(&m, valid);
	p9_put32(&m, a->mode & 07777);
	p9_put32(&m, a->uid);
	p9_put32(&m, a->gid);
	p9_put64(&m, a->size);
	p9_put64(&m, (uint64_t)a->atime.sec);
	p9_put64(&m, a->atime.nsec);
	p9_put64(&m, (uint64_t)a->mtime.sec);
	p9_put64(&m, a->mtime.nsec);
	return call_plain(c, &m);
}

int
p9_fsync(struct p9_client *c, uint32_t fid, bool datasync)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TFSYNC, fid);

	if (err)
		return err;
	p9_put32(&m, datasync);
	return call_plain(c, &m);
}

int
p9_statfs(struct p9_client *c, uint32_t fid, struct statfs *st)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TSTATFS, fid);

	if (err)
		return err;
	err = call(c, &m, NULL, NULL);
	if (!err) {
		ignore(p9_get32(&m)); /* type: ours is 9P's */
		st->f_bsize = p9_get32(&m);
		st->f_blocks = p9_get64(&m);
		st->f_bfree = p9_get64(&m);
		st->f_bavail = p9_get64(&m);
		st->f_files = p9_get64(&m);
		st->f_ffree = p9_get64(&m);
		ignore((long)p9_get64(&m)); /* fsid */
		st->f_namelen = p9_get32(&m);
		st->f_frsize = st->f_bsize;
		err = m.bad ? -EIO : 0;
	}
	p9_msg_end(&m);
	return err;
}

/* ---- data ---- */

static uint32_t
io_max(const struct p9_client *c)
{
	return (uint32_t)min_u64(c->msize - P9_IO_HEADER, P9_IO_BYTES);
}

static ssize_t
read_like(struct p9_client *c, enum p9_type type, uint32_t fid, uint64_t off,
	  struct p9_data d)
{
	struct p9_msg m;
	uint32_t n;
	int err = p9_msg_begin(&m, type);

	if (err)
		return err;
	if (d.len > io_max(c))
		d.len = io_max(c);
	p9_put32(&m, fid);
	p9_put64(&m, off);
	p9_put32(&m, d.len);
	err = call(c, &m, NULL, &d);
	n = err ? 0 : p9_get32(&m);
	/* No more than was asked for, nor than came. */
	if (!err && (m.bad || n > d.len || n > m.len - DATA_HEADER))
		err = -EIO;
	p9_msg_end(&m);
	return err ? err : (ssize_t)n;
}

ssize_t
p9_read(struct p9_client *c, uint32_t fid, uint64_t off,
	const struct p9_data *d)
{
	return read_like(c, P9_TREAD, fid, off, *d);
}

ssize_t
p9_readdir(struct p9_client *c, uint32_t fid, uint64_t off, void *buf,
	   uint32_t len)
{
	struct p9_data d = { .buf = buf, .len = len };

	return read_like(c, P9_TREADDIR, fid, off, d);
}

ssize_t
p9_write(struct p9_client *c, uint32_t fid, uint64_t off,
	 const struct p9_data *data)
{
	struct p9_data d = *data;
	struct p9_msg m;
	uint32_t n;
	int err = p9_msg_begin(&m, P9_TWRITE);

	if (err)
		return err;
	if (d.len > io_max(c))
		d.len = io_max(c);
	p9_put32(&m, fid);
	p9_put64(&m, off);
	p9_put32(&m, d.len);
	err = call(c, &m, &d, NULL);
	n = err ? 0 : p9_get32(&m);
	if (!err && (m.bad || n > d.len || (d.len && !n)))
		err = -EIO;
	p9_msg_end(&m);
	return err ? err : (ssize_t)n;
}

/* ---- extended attributes ---- */

int
p9_xattrwalk(struct p9_client *c, uint32_t fid, const char *name,
	     uint32_t *newfid, uint64_t *size)
{
	struct p9_msg m;
	int err = p9_msg_begin(&m, P9_TXATTRWALK);

	if (err)
		return err;
	err = p9_fid_get(c, newfid);
	if (err)
		goto out;
	p9_put32(&m, fid);
	p9_put32(&m, *newfid);
	p9_put_str(&m, name, strlen(name));
	err = call(c, &m, NULL, NULL);
	*size = err ? 0 : p9_get64(&m);
	if (!err && m.bad)
		err = -EIO;
	if (err)
		p9_fid_put(c, *newfid);
out:
	p9_msg_end(&m);
	return err;
}

int
p9_xattrcreate(struct p9_client *c, uint32_t fid, const char *name,
	       uint64_t size, int flags)
{
	struct p9_msg m;
	int err = begin_on(&m, P9_TXATTRCREATE, fid);

	if (err)
		return err;
	p9_put_str(&m, name, strlen(name));
	p9_put64(&m, size);
	p9_put32(&m, (uint32_t)flags);
	return call_plain(c, &m);
}
