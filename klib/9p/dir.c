/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names in the directories of a 9P server: looked up, listed, made, removed.
 * The directory's lock is held (vfs.h); the server decides who comes first.
 */
#include "p9.h"

#include <abi/dirent.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/stat.h>
#include <base/math.h>
#include <base/string.h>
#include <file/cred.h>
#include <file/file.h>
#include <mem/heap.h>
#include <sched/thread.h>

static uint32_t
own_gid(void)
{
	const struct cred *c = thread_current()->cred;

	return c ? c->fsgid : 0;
}

static int
lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	uint32_t fid;
	int err = p9_walk(p9_c(dir), p9_i(dir)->fid, name, len, &fid);

	return err ? err : p9_iget(dir->sb, fid, out);
}

/* Of what has just been made. */
static int
found(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	int err = lookup(dir, name, len, out);

	return err == -ENOENT ? -ESTALE : err;
}

/* The fid that made the file is open for both: it is kept for the opener. */
static int
create_regular(struct inode *dir, const char *name, size_t len, uint32_t mode,
	       struct inode **out)
{
	struct p9_client *c = p9_c(dir);
	struct p9_inode *p;
	uint32_t fid;
	int err = p9_walk(c, p9_i(dir)->fid, NULL, 0, &fid);

	if (err)
		return err;
	err = p9_lcreate(c, fid, name, len, O_RDWR | O_CREAT | O_EXCL,
			 mode & 07777, own_gid());
	if (!err)
		err = found(dir, name, len, out);
	if (err) {
		p9_clunk(c, fid);
		return err;
	}
	p = p9_i(*out);
	mutex_lock(&p->lock);
	if (p->wfid == P9_NOFID) {
		p->wfid = fid;
		p->wfid_reads = true;
		fid = P9_NOFID;
	}
	mutex_unlock(&p->lock);
	if (fid != P9_NOFID)
		p9_clunk(c, fid);
	return 0;
}

static int
create(struct inode *dir, const char *name, size_t len, uint32_t mode,
       uint64_t rdev, struct inode **out)
{
	struct p9_client *c = p9_c(dir);
	uint32_t dfid = p9_i(dir)->fid;
	int err;

	if (S_ISREG(mode))
		return create_regular(dir, name, len, mode, out);
	if (S_ISDIR(mode))
		err = p9_mkdir(c, dfid, name, len, mode & 07777, own_gid());
	else
		err = p9_mknod(c, dfid, name, len, mode, rdev, own_gid());
	return err ? err : found(dir, name, len, out);
}

static int
symlink(struct inode *dir, const char *name, size_t len, const char *target,
	struct inode **out)
{
	int err = p9_symlink(p9_c(dir), p9_i(dir)->fid, name, len, target,
			     own_gid());

	return err ? err : found(dir, name, len, out);
}

static int
make_link(struct inode *dir, const char *name, size_t len, struct inode *target)
{
	int err = p9_link(p9_c(dir), p9_i(dir)->fid, p9_i(target)->fid, name,
			  len);

	if (!err)
		target->nlink++;
	return err;
}

static void
drop_link(struct inode *i)
{
	if (S_ISDIR(i->mode))
		i->nlink = 0;
	else if (i->nlink)
		i->nlink--;
}

static int
unlink(struct inode *dir, const char *name, size_t len, struct inode *target)
{
	int err = p9_unlinkat(p9_c(dir), p9_i(dir)->fid, name, len,
			      S_ISDIR(target->mode));

	if (!err)
		drop_link(target);
	return err;
}

static int
rename(struct inode *odir, const char *oname, size_t olen, struct inode *source,
       struct inode *ndir, const char *nname, size_t nlen, struct inode *victim,
       unsigned flags)
{
	int err;

	(void)source;
	/* The protocol knows the plain one; that there is no victim the vfs
	 * has seen for RENAME_NOREPLACE. */
	if (flags & ~1u)
		return -EINVAL;
	err = p9_renameat(p9_c(odir), p9_i(odir)->fid, oname, olen,
			  p9_i(ndir)->fid, nname, nlen);
	if (!err && victim)
		drop_link(victim);
	return err;
}

/*
 * Entries of an answer: qid[13] offset[8] type[1] name[s].  1: the reader
 * has no more room.
 */
static int
emit(uint8_t *buf, uint32_t len, int64_t *pos, struct dir_emit *e)
{
	struct p9_msg m = { .buf = buf, .end = len };

	while (m.at < m.end) {
		struct p9_qid q;
		uint64_t next;
		const char *name;
		uint16_t n;
		uint8_t type;

		p9_get_qid(&m, &q);
		next = p9_get64(&m);
		type = p9_get8(&m);
		name = p9_get_str(&m, &n);
		if (m.bad || !n || n > NAME_MAX_BYTES || memchr(name, '/', n) ||
		    memchr(name, 0, n) || next > INT64_MAX ||
		    (int64_t)next == *pos)
			return -EIO;
		if (!e->fn(e, name, n, q.path, (int64_t)next,
			   type ? type : DT_UNKNOWN))
			return 1;
		*pos = (int64_t)next;
	}
	return 0;
}

static int
iterate(struct inode *dir, int64_t *pos, uint64_t parent, struct dir_emit *e)
{
	struct p9_inode *p = p9_i(dir);
	uint8_t *buf;
	int err = p9_open_fids(dir, true, false);

	(void)parent; /* the server has ".." */
	if (err)
		return err;
	buf = kmalloc(P9_DIR_BYTES, ALLOC_KERNEL);
	if (!buf)
		return -ENOMEM;
	do {
		ssize_t n = p9_readdir(p9_c(dir), p->rfid, (uint64_t)*pos, buf,
				       P9_DIR_BYTES);

		if (n <= 0) {
			err = (int)n;
			break;
		}
		err = emit(buf, (uint32_t)n, pos, e);
	} while (!err);
	kfree(buf);
	return err > 0 ? 0 : err;
}

static ssize_t
read_link(struct inode *i, char *buf, size_t size)
{
	return p9_readlink(p9_c(i), p9_i(i)->fid, buf, size);
}

const struct inode_ops p9_dir_ops = {
	.lookup = lookup,
	.create = create,
	.symlink = symlink,
	.link = make_link,
	.unlink = unlink,
	.rename = rename,
	.iterate = iterate,
	.setattr = p9_setattr_inode,
	.getattr = p9_getattr_inode,
	.getxattr = p9_getxattr,
	.listxattr = p9_listxattr,
	.setxattr = p9_setxattr,
	.removexattr = p9_removexattr,
};

/* Symbolic links, and what is opened by its type alone. */
const struct inode_ops p9_link_ops = {
	.readlink = read_link,
	.setattr = p9_setattr_inode,
	.getattr = p9_getattr_inode,
	.getxattr = p9_getxattr,
	.listxattr = p9_listxattr,
};
