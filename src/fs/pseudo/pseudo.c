/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pseudo file systems: proc, sysfs and devtmpfs are three registries of
 * entries (fs/pseudo.h).
 *
 * Registering is cheap, as there are many entries and a program looks at few:
 * it notes a pointer.  The tree of names is built when somebody first looks,
 * under build_lock, and never changes after; an entry that is registered
 * later is added to it then.
 *
 * An inode's priv is a struct pinode: the entry, and the node of the tree
 * where there is one (entries that a directory's lookup() made have none).
 *
 * The text of a file is made when a read begins at its start, and kept until
 * the next such read, so that a reader in pieces sees one state.
 */
#include "pseudo_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/statfs.h>
#include <base/assert.h>
#include <base/fmt.h>
#include <base/hash.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <file/file.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <sched/mutex.h>
#include <vm/uio.h>

#define STORE_MAX  4096u
#define SEQ_MAX	   (16u << 20)
#define NAME_BYTES 256u
/* Positions in a directory: ".", "..", static children, then the cursor of
 * iterate(). */
#define POS_STATIC  2
#define POS_DYNAMIC (1ll << 32)

struct pnode {
	const char *name; /* len bytes */
	size_t len;
	struct pnode *parent;
	struct list children; /* in order of registration */
	struct list link;
	const struct pseudo_entry *entry; /* NULL: a directory by implication */
	uint64_t ino;
};

struct pinode {
	struct pseudo_entry e;
	struct pnode *node; /* NULL: made by lookup() */
	char name[];	    /* a made entry's e.path */
};

struct registry {
	const char *name;
	uint32_t magic;
	bool cache_names;
	struct pnode root;
	const struct pseudo_entry **noted; /* [build_lock] */
	unsigned n, cap, built;		   /* [build_lock] */
	uint64_t last_ino;
};

static struct registry proc_reg = { .name = "proc", .magic = 0x9fa0 };
static struct registry sys_reg = { .name = "sysfs",
				   .magic = 0x62656572,
				   .cache_names = true };
static struct registry dev_reg = { .name = "devtmpfs",
				   .magic = 0x01021994,
				   .cache_names = true };
static struct mutex build_lock; /* RANK_SLEEP_LEAF */

/* ---- text buffers ---- */

/* The heap's limit is 2 MiB, and a small machine has no long runs of frames:
 * long texts are only virtually contiguous. */
static char *
seq_alloc(size_t cap)
{
	if (cap > SEQ_MAX)
		return NULL;
	return cap > PAGE_SIZE ? vmalloc(cap, ALLOC_KERNEL) :
				 kmalloc(cap, ALLOC_KERNEL);
}

static void
seq_release(char *p, size_t cap)
{
	if (cap > PAGE_SIZE)
		vfree(p);
	else
		kfree(p);
}

static bool
seq_room(struct seq_buf *s, size_t n)
{
	size_t cap = s->cap ? s->cap : 1024;
	char *p;

	if (s->err)
		return false;
	while (cap < s->len + n + 1)
		cap *= 2;
	if (cap == s->cap)
		return true;
	p = seq_alloc(cap);
	if (!p) {
		s->err = -ENOMEM;
		return false;
	}
	memcpy(p, s->data, s->len);
	seq_release(s->data, s->cap);
	s->data = p;
	s->cap = cap;
	return true;
}

void
seq_write(struct seq_buf *s, const void *p, size_t len)
{
	if (!seq_room(s, len))
		return;
	memcpy(s->data + s->len, p, len);
	s->len += len;
}

void
seq_printf(struct seq_buf *s, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	if (!seq_room(s, 128))
		return;
	va_start(ap, fmt);
	va_copy(again, ap);
	n = kvsnprintf(s->data + s->len, s->cap - s->len, fmt, ap);
	if (s->len + (size_t)n >= s->cap && seq_room(s, (size_t)n + 1))
		n = kvsnprintf(s->data + s->len, s->cap - s->len, fmt, again);
	if (!s->err)
		s->len += (size_t)n;
	va_end(again);
	va_end(ap);
}

void
seq_escape(struct seq_buf *s, const char *text, const char *special)
{
	for (; *text; text++)
		if (strchr(special, *text))
			seq_printf(s, "\\%03o", (unsigned char)*text);
		else
			seq_write(s, text, 1);
}

int
seq_show_line(struct seq_buf *s, void *arg)
{
	seq_printf(s, "%s\n", (const char *)arg);
	return 0;
}

static void
seq_free(struct seq_buf *s)
{
	seq_release(s->data, s->cap);
	memset(s, 0, sizeof(*s));
}

/* ---- the trees ---- */

static struct pnode *
child_of(struct pnode *p, const char *name, size_t len)
{
	struct pnode *c;

	list_for_each_entry(c, &p->children, link)
		if (c->len == len && !memcmp(c->name, name, len))
			return c;
	return NULL;
}

static struct pnode *
child_make(struct registry *r, struct pnode *p, const char *name, size_t len)
{
	struct pnode *c = child_of(p, name, len);

	if (c)
		return c;
	c = kzalloc(sizeof(*c), ALLOC_KERNEL);
	if (!c)
		return NULL;
	c->name = name;
	c->len = len;
	c->parent = p;
	c->ino = ++r->last_ino;
	list_init(&c->children);
	list_add_tail(&p->children, &c->link);
	return c;
}

static int
plant(struct registry *r, const struct pseudo_entry *e)
{
	struct pnode *n = &r->root;
	const char *s = e->path;

	while (*s) {
		const char *end = strchr(s, '/');
		size_t len = end ? (size_t)(end - s) : strlen(s);

		n = child_make(r, n, s, len);
		if (!n)
			return -ENOMEM;
		s += len + (end ? 1 : 0);
	}
	if (n->entry)
		return -EEXIST;
	n->entry = e;
	return 0;
}

static int
build(struct registry *r)
{
	int err = 0;

	if (likely(atomic_load_acquire(&r->built) == READ_ONCE(r->n)))
		return 0;
	mutex_lock(&build_lock);
	while (r->built < r->n) {
		err = plant(r, r->noted[r->built]);
		if (err == -ENOMEM)
			break;
		if (err)
			log_warn("%s: %s is there twice", r->name,
				 r->noted[r->built]->path);
		err = 0;
		atomic_store_release(&r->built, r->built + 1);
	}
	mutex_unlock(&build_lock);
	return err;
}

static int
note(struct registry *r, const struct pseudo_entry *e)
{
	int err = 0;

	mutex_lock(&build_lock);
	if (r->n == r->cap) {
		unsigned cap = r->cap ? 2 * r->cap : 64;
		const struct pseudo_entry **p =
			kcalloc(cap, sizeof(*p), ALLOC_KERNEL);

		if (p) {
			memcpy(p, r->noted, r->n * sizeof(*p));
			kfree(r->noted);
			r->noted = p;
			r->cap = cap;
		} else {
			err = -ENOMEM;
		}
	}
	if (!err) {
		r->noted[r->n] = e;
		atomic_store_release(&r->n, r->n + 1);
	}
	mutex_unlock(&build_lock);
	return err;
}

int
proc_register(const struct pseudo_entry *e)
{
	return note(&proc_reg, e);
}

int
sys_register(const struct pseudo_entry *e)
{
	return note(&sys_reg, e);
}

int
dev_register(const struct pseudo_entry *e)
{
	return note(&dev_reg, e);
}

/* ---- inodes ---- */

static const struct inode_ops plain_ops, jump_ops;
static const struct file_ops text_fops, dir_fops;

static struct pinode *
pinode_of(const struct inode *i)
{
	return i->priv;
}

static struct registry *
registry_of(const struct inode *i)
{
	return i->sb->priv;
}

/* Takes over p. */
static int
make_inode(struct super *sb, struct pinode *p, uint64_t ino, struct inode **out)
{
	struct inode *i = inode_new(sb);
	uint64_t now = clock_real_ns();

	if (!i) {
		kfree(p);
		return -ENOMEM;
	}
	i->ino = ino;
	i->priv = p;
	i->mode = p->e.mode;
	i->rdev = p->e.rdev;
	i->ops = p->e.follow ? &jump_ops : &plain_ops;
	i->fops = S_ISDIR(i->mode) ? &dir_fops : &text_fops;
	if (S_ISDIR(i->mode))
		i->nlink = 2;
	i->state |= INODE_NO_NEGATIVE;
	i->atime.sec = (int64_t)(now / NSEC_PER_SEC);
	i->atime.nsec = (uint32_t)(now % NSEC_PER_SEC);
	i->mtime = i->ctime = i->atime;
	*out = i;
	return 0;
}

static int
node_inode(struct super *sb, struct pnode *n, struct inode **out)
{
	struct pinode *p = kzalloc(sizeof(*p), ALLOC_KERNEL);

	if (!p)
		return -ENOMEM;
	if (n->entry)
		p->e = *n->entry;
	else
		p->e.mode = S_IFDIR | 0555;
	p->node = n;
	return make_inode(sb, p, n->ino, out);
}

static int
made_inode(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	struct pinode *p = kzalloc(sizeof(*p) + len + 1, ALLOC_KERNEL);
	int err;

	if (!p)
		return -ENOMEM;
	memcpy(p->name, name, len);
	err = pinode_of(dir)->e.lookup(p->name, &p->e, pinode_of(dir)->e.arg);
	if (err) {
		kfree(p);
		return err;
	}
	p->e.path = p->name;
	/* Stable while the directory is: the same name, the same number. */
	return make_inode(dir->sb, p,
			  hash_bytes(dir->ino, name, len) >> 16 | 1ull << 40,
			  out);
}

static int
lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	struct pinode *d = pinode_of(dir);
	struct pnode *n = NULL;
	int err;

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	err = build(registry_of(dir));
	if (err)
		return err;
	if (d->node)
		n = child_of(d->node, name, len);
	if (n)
		return node_inode(dir->sb, n, out);
	if (d->e.lookup && len < NAME_BYTES)
		return made_inode(dir, name, len, out);
	return -ENOENT;
}

static ssize_t
readlink(struct inode *i, char *buf, size_t size)
{
	struct pinode *p = pinode_of(i);

	if (!S_ISLNK(i->mode) || !p->e.readlink)
		return -EINVAL;
	return p->e.readlink(buf, size, p->e.arg);
}

static int
follow(struct inode *i, struct dentry **out)
{
	struct pinode *p = pinode_of(i);

	return p->e.follow(out, p->e.arg);
}

/* ---- open files ---- */

/* One state of a file's text; readers hold it while they copy. */
struct snapshot {
	struct refcount refs;
	struct seq_buf text;
};

struct ptext {
	struct spinlock lock; /* RANK_EVENT */
	struct snapshot *now; /* [lock] NULL: not read yet */
};

static void
snapshot_put(struct snapshot *s)
{
	if (s && refcount_put(&s->refs)) {
		seq_free(&s->text);
		kfree(s);
	}
}

static int
snapshot_make(const struct pseudo_entry *e, struct snapshot **out)
{
	struct snapshot *s = kzalloc(sizeof(*s), ALLOC_KERNEL);
	int err;

	if (!s)
		return -ENOMEM;
	refcount_set(&s->refs, 1);
	err = e->show(&s->text, e->arg);
	if (!err)
		err = s->text.err;
	if (err)
		snapshot_put(s);
	else
		*out = s;
	return err;
}

static int
snapshot_get(struct ptext *t, const struct pseudo_entry *e, bool fresh,
	     struct snapshot **out)
{
	struct snapshot *s, *old;
	int err;

	spin_lock(&t->lock);
	s = t->now;
	if (s && !fresh) {
		refcount_get(&s->refs);
		spin_unlock(&t->lock);
		*out = s;
		return 0;
	}
	spin_unlock(&t->lock);
	err = snapshot_make(e, &s);
	if (err)
		return err;
	refcount_get(&s->refs); /* the file's */
	spin_lock(&t->lock);
	old = t->now;
	t->now = s;
	spin_unlock(&t->lock);
	snapshot_put(old);
	*out = s;
	return 0;
}

static ssize_t
text_read(struct file *f, struct uio *u, int64_t *pos)
{
	const struct pseudo_entry *e = &pinode_of(f->inode)->e;
	struct snapshot *s;
	ssize_t n = 0;
	int err;

	if (!e->show)
		return -EINVAL;
	err = snapshot_get(f->priv, e, *pos == 0, &s);
	if (err)
		return err;
	if (*pos >= 0 && (uint64_t)*pos < s->text.len)
		n = uio_write(u, s->text.data + *pos,
			      min_size(u->resid, s->text.len - (size_t)*pos));
	if (n > 0)
		*pos += n;
	snapshot_put(s);
	return n;
}

static ssize_t
text_write(struct file *f, struct uio *u, int64_t *pos)
{
	const struct pseudo_entry *e = &pinode_of(f->inode)->e;
	size_t len = u->resid;
	char *buf;
	ssize_t n;
	int err;

	if (!e->store)
		return -EIO;
	if (len >= STORE_MAX)
		return -EINVAL;
	buf = kzalloc(len + 1, ALLOC_KERNEL);
	if (!buf)
		return -ENOMEM;
	n = uio_read(u, buf, len);
	if (n >= 0) {
		err = e->store(buf, (size_t)n, e->arg);
		if (err)
			n = err;
		else
			*pos += n;
	}
	kfree(buf);
	return n;
}

static int64_t
text_seek(struct file *f, int64_t off, int whence)
{
	int64_t to = whence == 1 ? f->pos + off : off;

	if (whence > 1) /* the end is not known before it is made */
		return -EINVAL;
	if (to < 0)
		return -EINVAL;
	f->pos = to;
	return to;
}

static int
file_stat(struct file *f, struct kstat *st)
{
	inode_stat(f->inode, st);
	return 0;
}

static void
text_release(struct file *f)
{
	struct ptext *t = f->priv;

	snapshot_put(t->now);
	kfree(t);
}

static void
getattr(struct inode *i, struct kstat *st)
{
	const struct pseudo_entry *e = &pinode_of(i)->e;
	struct snapshot *s;

	inode_stat(i, st);
	if (!e->sized || snapshot_make(e, &s))
		return;
	st->size = s->text.len;
	snapshot_put(s);
}

static int
text_stat(struct file *f, struct kstat *st)
{
	getattr(f->inode, st);
	return 0;
}

/* As a regular file: always ready; epoll refuses those, but proc's mounts
 * and some of sysfs can be watched on Linux, so programs try. */
static const struct file_ops text_fops = {
	.read = text_read,
	.write = text_write,
	.seek = text_seek,
	.stat = text_stat,
	.release = text_release,
};

/* ---- directories ---- */

static uint8_t
dt_type(uint32_t mode)
{
	return (uint8_t)((mode & S_IFMT) >> 12);
}

static bool
emit(struct file *f, struct dir_emit *e, const char *name, size_t len,
     uint64_t ino, uint32_t mode, int64_t next)
{
	if (!e->fn(e, name, len, ino, next, dt_type(mode)))
		return false;
	f->pos = next;
	return true;
}

static int
readdir_static(struct file *f, struct dir_emit *e, struct pnode *n)
{
	struct pnode *c;
	int64_t i = POS_STATIC;

	list_for_each_entry(c, &n->children, link) {
		uint32_t mode = c->entry ? c->entry->mode : S_IFDIR;

		if (i++ < f->pos)
			continue;
		if (!emit(f, e, c->name, c->len, c->ino, mode, i))
			return 1;
	}
	return 0;
}

static int
readdir_made(struct file *f, struct dir_emit *e, const struct pseudo_entry *p)
{
	char name[NAME_BYTES];

	for (;;) {
		uint64_t cursor = (uint64_t)(f->pos - POS_DYNAMIC);
		uint32_t mode = 0;
		uint64_t ino;
		size_t len;

		if (p->iterate(&cursor, name, sizeof(name), &mode, p->arg))
			return 0;
		len = strlen(name);
		ino = hash_bytes(f->inode->ino, name, len) >> 16 | 1ull << 40;
		if (!emit(f, e, name, len, ino, mode,
			  POS_DYNAMIC + (int64_t)cursor))
			return 0;
	}
}

static int
dir_readdir(struct file *f, struct dir_emit *e)
{
	struct pinode *p = pinode_of(f->inode);
	uint64_t up = p->node ? p->node->parent->ino : f->inode->ino;
	int err = build(registry_of(f->inode));

	if (err)
		return err;
	if (f->pos == 0 && !emit(f, e, ".", 1, f->inode->ino, S_IFDIR, 1))
		return 0;
	if (f->pos == 1 && !emit(f, e, "..", 2, up, S_IFDIR, POS_STATIC))
		return 0;
	if (f->pos < POS_DYNAMIC) {
		if (p->node && readdir_static(f, e, p->node))
			return 0;
		if (!p->e.iterate)
			return 0;
		f->pos = POS_DYNAMIC;
	}
	return p->e.iterate ? readdir_made(f, e, &p->e) : 0;
}

static int64_t
dir_seek(struct file *f, int64_t off, int whence)
{
	if (whence == 1)
		off += f->pos;
	if (whence > 1 || off < 0)
		return -EINVAL;
	f->pos = off;
	return off;
}

static const struct file_ops dir_fops = {
	.readdir = dir_readdir,
	.seek = dir_seek,
	.stat = file_stat,
};

/* ---- opening ---- */

static int
open_text(const struct pseudo_entry *e, unsigned flags, struct file **out)
{
	unsigned acc = flags & O_ACCMODE;
	struct ptext *t;
	int err;

	if ((acc != O_RDONLY && !e->store) || (acc != O_WRONLY && !e->show))
		return -EACCES;
	t = kzalloc(sizeof(*t), ALLOC_KERNEL);
	if (!t)
		return -ENOMEM;
	spin_init(&t->lock, RANK_EVENT);
	err = file_create(&text_fops, flags, t, out);
	if (err)
		kfree(t);
	return err;
}

static int
open_inode(struct inode *i, unsigned flags, struct file **out)
{
	const struct pseudo_entry *e = &pinode_of(i)->e;

	if (S_ISDIR(i->mode))
		return file_create(&dir_fops, flags, NULL, out);
	if (e->open)
		return e->open(i, flags, out, e->arg);
	if (S_ISREG(i->mode))
		return open_text(e, flags, out);
	return -ENXIO;
}

/* Who may write them is decided by store and the mode. */
static int
setattr(struct inode *i, const struct inode_attr *a)
{
	/* Opening with O_TRUNC asks for it: there is nothing to cut. */
	if (a->valid & ~(ATTR_SIZE | ATTR_MTIME | ATTR_CTIME | ATTR_ATIME) ||
	    !pinode_of(i)->e.store)
		return -EPERM;
	return 0;
}

static const struct inode_ops plain_ops = {
	.lookup = lookup,
	.readlink = readlink,
	.getattr = getattr,
	.setattr = setattr,
	.open = open_inode,
};

static const struct inode_ops jump_ops = {
	.lookup = lookup,
	.readlink = readlink,
	.follow = follow,
	.setattr = setattr,
	.open = open_inode,
};

/* ---- mounting ---- */

static void
evict(struct inode *i)
{
	kfree(i->priv);
}

static int
statfs(struct super *sb, struct statfs *st)
{
	const struct registry *r = sb->priv;

	st->f_type = r->magic;
	st->f_bsize = (int64_t)PAGE_SIZE;
	st->f_frsize = (int64_t)PAGE_SIZE;
	st->f_namelen = NAME_MAX_BYTES;
	return 0;
}

static void
unmount(struct super *sb)
{
	kfree(sb);
}

static const struct super_ops pseudo_super_ops = {
	.evict = evict,
	.statfs = statfs,
	.unmount = unmount,
};

static int
mount(struct registry *r, const struct fs_type *t, unsigned flags,
      struct super **out)
{
	struct super *sb = kzalloc(sizeof(*sb), ALLOC_KERNEL);
	int err;

	if (!sb)
		return -ENOMEM;
	sb->type = t;
	sb->ops = &pseudo_super_ops;
	sb->flags = flags;
	sb->block_size = (uint32_t)PAGE_SIZE;
	sb->cache_names = r->cache_names;
	sb->priv = r;
	err = node_inode(sb, &r->root, &sb->root);
	if (err)
		goto failed;
	*out = sb;
	return 0;
failed:
	kfree(sb);
	return err;
}

static int
mount_proc(const struct fs_type *t, const char *source, unsigned flags,
	   const char *options, struct super **out)
{
	(void)source, (void)options;
	return mount(&proc_reg, t, flags, out);
}

static int
mount_sys(const struct fs_type *t, const char *source, unsigned flags,
	  const char *options, struct super **out)
{
	(void)source, (void)options;
	return mount(&sys_reg, t, flags, out);
}

static int
mount_dev(const struct fs_type *t, const char *source, unsigned flags,
	  const char *options, struct super **out)
{
	(void)source, (void)options;
	return mount(&dev_reg, t, flags, out);
}

static const struct fs_type proc_type = {
	.name = "proc",
	.nodev = true,
	.mount = mount_proc,
};
static const struct fs_type sys_type = {
	.name = "sysfs",
	.nodev = true,
	.mount = mount_sys,
};
static const struct fs_type dev_type = {
	.name = "devtmpfs",
	.nodev = true,
	.mount = mount_dev,
};

/* A device node on any file system is the entry of /dev with its number. */
static int
open_device(struct inode *i, unsigned flags, struct file **out)
{
	unsigned k;

	for (k = 0; k < READ_ONCE(dev_reg.n); k++) {
		const struct pseudo_entry *e = dev_reg.noted[k];

		if (e->open && e->rdev == i->rdev &&
		    (e->mode & S_IFMT) == (i->mode & S_IFMT))
			return e->open(i, flags, out, e->arg);
	}
	return -ENXIO;
}

static void
registry_init(struct registry *r)
{
	list_init(&r->root.children);
	r->root.parent = &r->root;
	r->root.ino = r->last_ino = 1;
}

void
pseudo_init(void)
{
	mutex_init(&build_lock, RANK_SLEEP_LEAF);
	registry_init(&proc_reg);
	registry_init(&sys_reg);
	registry_init(&dev_reg);
	fs_register(&proc_type);
	fs_register(&sys_type);
	fs_register(&dev_type);
	fs_device_open = open_device;
	proc_machine_init();
	sys_machine_init();
	dev_nodes_init();
}
