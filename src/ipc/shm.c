/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V shared memory: a file of the internal tmpfs behind each segment,
 * mapped shared.
 *
 * Each shmat() makes an open file of its own that the vma holds: parts that
 * are split off by munmap or mprotect share it, and when the last part is
 * unmapped its release counts the attachment down.  A segment that was
 * removed goes with its last attachment.
 */
#include "ipc_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <base/fmt.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/string.h>
#include <file/cred.h>
#include <file/file.h>
#include <fs/attr.h>
#include <fs/pagecache.h>
#include <fs/pseudo.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>
#include <vm/object.h>
#include <vm/space.h>

struct segment {
	struct ipc_object o;
	struct file *file;    /* [I] the memory */
	uint64_t size;	      /* [I] bytes, as asked for */
	uint64_t nattch;      /* [table] */
	int64_t atime, dtime; /* [table] */
	int cpid, lpid;	      /* [table] */
};

static const struct ipc_kind segments;
static struct ipc_table table = IPC_TABLE_INIT(table, &segments);

static struct segment *
segment_of(struct ipc_object *o)
{
	return container_of(o, struct segment, o);
}

static void
free_segment(struct ipc_object *o)
{
	struct segment *s = segment_of(o);

	file_put(s->file);
	kfree(s);
}

static int
make_segment(int key, uint64_t size, struct ipc_object **out)
{
	struct segment *s;
	char name[16];
	int err;

	/* What can never fit is refused, as on Linux; the rest is promised
	 * and found at the first touch. */
	if (size == 0 || size > SHM_MAX_BYTES)
		return -EINVAL;
	if (size >> PAGE_SHIFT > mem_total_pages())
		return -ENOMEM;
	s = kzalloc(sizeof(*s), ALLOC_KERNEL);
	if (!s)
		return -ENOMEM;
	ksnprintf(name, sizeof(name), "SYSV%08x", (unsigned)key);
	err = tmpfs_create_anon(name, O_RDWR, 0, &s->file);
	if (err)
		goto fail;
	/* A limit on files is none on this. */
	write_lock(&s->file->inode->lock);
	s->file->inode->size = align_up(size, PAGE_SIZE);
	write_unlock(&s->file->inode->lock);
	s->size = size;
	s->cpid = ipc_pid();
	*out = &s->o;
	return 0;

fail:
	kfree(s);
	return err;
}

static uint64_t
segment_size(struct ipc_object *o)
{
	return segment_of(o)->size;
}

int
shm_get(int key, uint64_t size, int flags)
{
	if (flags & SHM_HUGETLB)
		return -EINVAL; /* no pool of large pages */
	return ipc_get(&table, key, size, flags);
}

/* ---- attaching ---- */

/* With the lock: a removed segment without attachments goes; the caller puts
 * it after the lock. */
static bool
ends(struct segment *s)
{
	if (!(s->o.mode & SHM_DEST) || s->nattch)
		return false;
	ipc_unlink(&table, &s->o);
	return true;
}

static void
detached(struct segment *s)
{
	bool gone;

	mutex_lock(&table.lock);
	s->nattch--;
	s->dtime = ipc_now();
	s->lpid = ipc_pid();
	gone = ends(s);
	mutex_unlock(&table.lock);
	if (gone)
		ipc_put(&table, &s->o);
	ipc_put(&table, &s->o);
}

static void
attach_release(struct file *f)
{
	detached(f->priv);
}

static int
attach_stat(struct file *f, struct kstat *st)
{
	inode_stat(f->inode, st);
	return 0;
}

static const struct file_ops attach_ops = {
	.stat = attach_stat,
	.release = attach_release,
};

/* The open file of one attachment, counted; *out NULL on failure. */
static int
attach_file(int id, int flags, struct segment **seg, struct file **out)
{
	struct ipc_object *o;
	struct segment *s;
	int bits = flags & SHM_RDONLY ? 0444 : 0666, err;

	if (flags & SHM_EXEC)
		bits |= 0111;
	err = ipc_lock(&table, id, bits, &o);
	if (err)
		return err;
	s = segment_of(o);
	refcount_get(&o->refs);
	s->nattch++;
	s->atime = ipc_now();
	s->lpid = ipc_pid();
	ipc_unlock(&table);
	err = file_create(&attach_ops, O_RDWR, s, out);
	if (err) {
		detached(s);
		return err;
	}
	dentry_get(s->file->dentry);
	(*out)->dentry = s->file->dentry;
	inode_get(s->file->inode);
	(*out)->inode = s->file->inode;
	*seg = s;
	return 0;
}

long
shm_attach(int id, uint64_t addr, int flags)
{
	struct vm_space *space = thread_current()->space;
	uint32_t vma = VMA_SHARED | VMA_READ;
	struct segment *s;
	struct file *f;
	unsigned how = 0;
	long at;
	int err;

	if (id < 0)
		return -EINVAL;
	if (addr & PAGE_MASK) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr &= ~(uint64_t)PAGE_MASK;
		if (!addr && (flags & SHM_REMAP))
			return -EINVAL;
	} else if (!addr && (flags & SHM_REMAP)) {
		return -EINVAL;
	}
	if (addr)
		how = flags & SHM_REMAP ? VM_FIXED : VM_FIXED_NOREPLACE;
	if (!(flags & SHM_RDONLY))
		vma |= VMA_WRITE | VMA_MAYWRITE;
	if (flags & SHM_EXEC)
		vma |= VMA_EXEC;
	err = attach_file(id, flags, &s, &f);
	if (err)
		return err;
	at = vm_map(space, addr, s->size, vma, &s->file->inode->cache->object,
		    f, 0, how);
	/* The mapping holds it; without one this ends the attachment. */
	file_put(f);
	return at == -EEXIST ? -EINVAL : at;
}

struct search {
	uint64_t addr;		 /* where the attachment begins */
	const struct file *file; /* NULL: the first step */
	struct file *found;
	vaddr_t start, end;
};

/* The vma that begins the attachment at addr. */
static bool
find_attachment(struct vma *v, void *arg)
{
	struct search *s = arg;

	if (!v->file || v->file->ops != &attach_ops ||
	    v->start - (v->pgoff << PAGE_SHIFT) != s->addr)
		return true;
	file_get(v->file);
	s->found = v->file;
	return false;
}

static bool
find_part(struct vma *v, void *arg)
{
	struct search *s = arg;

	if (v->file != s->file ||
	    v->start - (v->pgoff << PAGE_SHIFT) != s->addr)
		return true;
	s->start = v->start;
	s->end = v->end;
	return false;
}

int
shm_detach(uint64_t addr)
{
	struct vm_space *space = thread_current()->space;
	struct search s = { .addr = addr };
	unsigned parts;
	int err = 0;

	if (addr & PAGE_MASK)
		return -EINVAL;
	vm_for_each(space, find_attachment, &s);
	if (!s.found)
		return -EINVAL;
	s.file = s.found;
	for (parts = 0; !err && parts < LIMIT_MAPS; parts++) {
		s.end = 0;
		vm_for_each(space, find_part, &s);
		if (!s.end)
			break;
		err = vm_unmap(space, s.start, s.end - s.start);
	}
	file_put(s.found);
	return err;
}

/* ---- control ---- */

int
shm_stat(int id, bool index, bool any, struct shmid64_ds *out)
{
	struct ipc_object *o;
	struct segment *s;
	int r;

	memset(out, 0, sizeof(*out));
	r = ipc_stat_lock(&table, id, index, any, &out->perm, &o);
	if (r < 0)
		return r;
	s = segment_of(o);
	out->segsz = s->size;
	out->atime = s->atime;
	out->dtime = s->dtime;
	out->ctime = o->ctime;
	out->cpid = s->cpid;
	out->lpid = s->lpid;
	out->nattch = s->nattch;
	ipc_unlock(&table);
	return r;
}

int
shm_set(int id, const struct ipc64_perm *perm)
{
	return ipc_set(&table, id, perm);
}

/* Nothing is ever swapped out: the mark is all there is to it. */
int
shm_lock(int id, bool lock)
{
	const struct cred *c = thread_current()->cred;
	struct ipc_object *o;
	int err;

	err = ipc_lock(&table, id, 0, &o);
	if (err)
		return err;
	if (!cred_capable(c, CAP_IPC_LOCK) && c->euid != o->uid &&
	    c->euid != o->cuid)
		err = -EPERM;
	else if (lock)
		o->mode |= SHM_LOCKED;
	else
		o->mode &= ~(uint32_t)SHM_LOCKED;
	ipc_unlock(&table);
	return err;
}

int
shm_remove(int id)
{
	struct ipc_object *o;
	bool gone;
	int err = ipc_control_lock(&table, id, &o);

	if (err)
		return err;
	o->mode |= SHM_DEST;
	o->key = IPC_PRIVATE; /* nobody finds it any more */
	gone = ends(segment_of(o));
	ipc_unlock(&table);
	if (gone)
		ipc_put(&table, o);
	return 0;
}

int
shm_limits(struct shminfo64 *out)
{
	int top;

	memset(out, 0, sizeof(*out));
	out->shmmax = SHM_MAX_BYTES;
	out->shmmin = 1;
	out->shmmni = SHM_MAX_SEGMENTS;
	out->shmseg = SHM_MAX_SEGMENTS;
	out->shmall = SHM_MAX_BYTES;
	mutex_lock(&table.lock);
	top = ipc_top(&table);
	mutex_unlock(&table.lock);
	return top;
}

static uint64_t
resident(const struct segment *s)
{
	return s->file->inode->blocks * 512;
}

int
shm_usage(struct shm_info *out)
{
	struct ipc_object *o;
	unsigned at = 0;
	int top;

	memset(out, 0, sizeof(*out));
	mutex_lock(&table.lock);
	out->used_ids = (int)table.used;
	while ((o = ipc_next(&table, &at))) {
		const struct segment *s = segment_of(o);

		out->tot += (s->size + PAGE_MASK) >> PAGE_SHIFT;
		out->rss += resident(s) >> PAGE_SHIFT;
	}
	top = ipc_top(&table);
	mutex_unlock(&table.lock);
	return top;
}

static void
show_segment(struct seq_buf *b, struct ipc_object *o)
{
	const struct segment *s = segment_of(o);

	seq_printf(b,
		   "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u"
		   " %5u %10ld %10ld %10ld %21lu %21lu\n",
		   o->key, o->id, o->mode, (unsigned long)s->size,
		   (unsigned)s->cpid, (unsigned)s->lpid,
		   (unsigned long)s->nattch, o->uid, o->gid, o->cuid, o->cgid,
		   (long)s->atime, (long)s->dtime, (long)o->ctime,
		   (unsigned long)resident(s), 0ul);
}

int
shm_show(struct seq_buf *b, void *arg)
{
	(void)arg;
	return ipc_show(&table, b);
}

static const struct ipc_kind segments = {
	.max = SHM_MAX_SEGMENTS,
	.make = make_segment,
	.free = free_segment,
	.size = segment_size,
	.heading = "       key      shmid perms                  size  cpid"
		   "  lpid nattch   uid   gid  cuid  cgid      atime"
		   "      dtime      ctime                   rss"
		   "                  swap\n",
	.show = show_segment,
};
