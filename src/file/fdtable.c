/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptor table.
 *
 * An array of file pointers with two bitmaps (in use, close on exec).  A
 * reader loads the array, then the slot, takes a reference unless it is
 * zero, and looks whether the slot still holds the same file: if so, the
 * reference is to what the descriptor meant at some moment of the call.
 * Files and arrays are freed by deferred reclamation.
 */
#include <abi/errno.h>
#include <base/atomic.h>
#include <base/bitmap.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/refcount.h>
#include <base/string.h>
#include <core/reclaim.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <sched/mutex.h>

#define FIRST_SIZE 64u

struct fd_array {
	unsigned size;		  /* [I] multiple of 64 */
	uint64_t *used, *cloexec; /* [table lock] */
	struct reclaim_head reclaim;
	struct file *file[]; /* [table lock w, q r] */
};

struct fdtable {
	struct refcount refs;
	struct mutex lock;	/* RANK_FDTABLE: writers */
	struct fd_array *array; /* [lock w, q r] */
	unsigned next;		/* [lock] no free descriptor below */
	uint64_t limit;		/* [a] RLIMIT_NOFILE */
};

static struct fd_array *
array_new(unsigned size)
{
	size_t words = size / 64;
	struct fd_array *a =
		vmalloc(sizeof(*a) + size * sizeof(a->file[0]) + 2 * words * 8,
			ALLOC_KERNEL);

	if (!a)
		return NULL;
	a->size = size;
	a->used = (uint64_t *)&a->file[size];
	a->cloexec = a->used + words;
	return a;
}

static void
array_free_later(struct reclaim_head *h)
{
	vfree(container_of(h, struct fd_array, reclaim));
}

int
fdtable_create(struct fdtable **out)
{
	struct fdtable *t = kzalloc(sizeof(*t), ALLOC_KERNEL);

	if (!t)
		return -ENOMEM;
	t->array = array_new(FIRST_SIZE);
	if (!t->array) {
		kfree(t);
		return -ENOMEM;
	}
	refcount_set(&t->refs, 1);
	mutex_init(&t->lock, RANK_FDTABLE);
	t->limit = 1024;
	*out = t;
	return 0;
}

/* Makes room for descriptor fd; locked. */
static int
grow(struct fdtable *t, unsigned fd)
{
	struct fd_array *old = t->array, *a;
	unsigned size = old->size;

	if (fd < size)
		return 0;
	while (size <= fd)
		size *= 2;
	a = array_new(size);
	if (!a)
		return -ENOMEM;
	memcpy(a->file, old->file, old->size * sizeof(old->file[0]));
	memcpy(a->used, old->used, old->size / 8);
	memcpy(a->cloexec, old->cloexec, old->size / 8);
	atomic_store_release(&t->array, a);
	reclaim_call(&old->reclaim, array_free_later);
	return 0;
}

int
fdtable_clone(struct fdtable *from, struct fdtable **out)
{
	struct fdtable *t;
	int err = fdtable_create(&t);

	if (err)
		return err;
	mutex_lock(&from->lock);
	t->limit = from->limit;
	err = grow(t, from->array->size - 1);
	for (unsigned fd = 0; !err && fd < from->array->size; fd++) {
		struct file *f = from->array->file[fd];

		if (!f)
			continue;
		file_get(f);
		bitmap_set(t->array->used, fd);
		if (bitmap_test(from->array->cloexec, fd))
			bitmap_set(t->array->cloexec, fd);
		t->array->file[fd] = f;
	}
	mutex_unlock(&from->lock);
	if (err) {
		fdtable_put(t);
		return err;
	}
	*out = t;
	return 0;
}

unsigned
fdtable_size(struct fdtable *t)
{
	return atomic_load_acquire(&t->array)->size;
}

void
fdtable_get(struct fdtable *t)
{
	refcount_get(&t->refs);
}

void
fdtable_put(struct fdtable *t)
{
	if (!t || !refcount_put(&t->refs))
		return;
	for (unsigned fd = 0; fd < t->array->size; fd++) {
		struct file *f = t->array->file[fd];

		if (!f)
			continue;
		if (f->ops->flush)
			f->ops->flush(f);
		file_put(f);
	}
	vfree(t->array);
	kfree(t);
}

int
fd_get_any(struct fdtable *t, int fd, struct file **out)
{
	for (;;) {
		struct fd_array *a = atomic_load_acquire(&t->array);
		struct file **slot, *f;

		if ((unsigned)fd >= a->size)
			return -EBADF;
		slot = &a->file[cpu_nospec((unsigned)fd, a->size)];
		f = atomic_load_acquire(slot);
		if (!f)
			return -EBADF;
		if (unlikely(!refcount_get_unless_zero(&f->refs)))
			continue; /* being closed: the slot changes soon */
		if (likely(atomic_load_acquire(slot) == f)) {
			*out = f;
			return 0;
		}
		file_put(f);
	}
}

int
fd_get(struct fdtable *t, int fd, struct file **out)
{
	int err = fd_get_any(t, fd, out);

	if (likely(!err) && unlikely((*out)->mode & FILE_PATH)) {
		file_put(*out);
		return -EBADF;
	}
	return err;
}

static int
reserve_locked(struct fdtable *t, unsigned min, bool cloexec)
{
	unsigned from = (unsigned)max_u64(min, t->next);
	uint64_t limit = min_u64(t->limit, LIMIT_FDS);
	size_t fd = bitmap_next_zero(t->array->used, t->array->size, from);
	int err;

	if (fd < from)
		fd = from;
	if (fd >= limit)
		return -EMFILE;
	err = grow(t, (unsigned)fd);
	if (err)
		return err;
	bitmap_set(t->array->used, fd);
	if (cloexec)
		bitmap_set(t->array->cloexec, fd);
	else
		bitmap_clear(t->array->cloexec, fd);
	if (min <= t->next)
		t->next = (unsigned)fd + 1;
	return (int)fd;
}

int
fd_reserve(struct fdtable *t, int min, bool cloexec)
{
	int fd;

	/* Without a wish of the caller's the limit is EMFILE. */
	if (min < 0 || (min && (uint64_t)min >= t->limit))
		return -EINVAL;
	mutex_lock(&t->lock);
	fd = reserve_locked(t, (unsigned)min, cloexec);
	mutex_unlock(&t->lock);
	return fd;
}

void
fd_install(struct fdtable *t, int fd, struct file *f)
{
	mutex_lock(&t->lock);
	atomic_store_release(&t->array->file[fd], f);
	mutex_unlock(&t->lock);
}

static void
release_number(struct fdtable *t, unsigned fd)
{
	bitmap_clear(t->array->used, fd);
	bitmap_clear(t->array->cloexec, fd);
	if (fd < t->next)
		t->next = fd;
}

void
fd_unreserve(struct fdtable *t, int fd)
{
	mutex_lock(&t->lock);
	release_number(t, (unsigned)fd);
	mutex_unlock(&t->lock);
}

int
fd_add(struct fdtable *t, struct file *f, bool cloexec)
{
	int fd;

	mutex_lock(&t->lock);
	fd = reserve_locked(t, 0, cloexec);
	if (fd >= 0)
		atomic_store_release(&t->array->file[fd], f);
	mutex_unlock(&t->lock);
	return fd;
}

static void
close_file(struct file *f)
{
	if (f->ops->flush)
		f->ops->flush(f);
	file_put(f);
}

int
fd_close(struct fdtable *t, int fd)
{
	struct file *f = NULL;

	mutex_lock(&t->lock);
	if ((unsigned)fd < t->array->size)
		f = t->array->file[fd];
	if (f) {
		atomic_store_release(&t->array->file[fd], NULL);
		release_number(t, (unsigned)fd);
	}
	mutex_unlock(&t->lock);
	if (!f)
		return -EBADF;
	close_file(f);
	return 0;
}

int
fd_close_range(struct fdtable *t, unsigned first, unsigned last,
	       bool cloexec_only)
{
	if (first > last)
		return -EINVAL;
	for (unsigned fd = first; fd <= last; fd++) {
		if (fd >= atomic_load_acquire(&t->array)->size)
			break;
		if (cloexec_only)
			ignore(fd_set_cloexec(t, (int)fd, true)); /* gaps */
		else
			ignore(fd_close(t, (int)fd)); /* gaps */
	}
	return 0;
}

int
fd_dup2(struct fdtable *t, int from, int to, bool cloexec)
{
	struct file *f, *old;
	int err;

	if (to < 0 || (uint64_t)to >= min_u64(t->limit, LIMIT_FDS))
		return -EBADF;
	err = fd_get_any(t, from, &f);
	if (err)
		return err;
	mutex_lock(&t->lock);
	err = grow(t, (unsigned)to);
	old = err ? NULL : t->array->file[to];
	if (!err && !old && bitmap_test(t->array->used, (unsigned)to))
		err = -EBUSY; /* reserved by a call in progress */
	if (err) {
		mutex_unlock(&t->lock);
		file_put(f);
		return err;
	}
	bitmap_set(t->array->used, (unsigned)to);
	if (cloexec)
		bitmap_set(t->array->cloexec, (unsigned)to);
	else
		bitmap_clear(t->array->cloexec, (unsigned)to);
	atomic_store_release(&t->array->file[to], f);
	mutex_unlock(&t->lock);
	if (old)
		close_file(old);
	return to;
}

static bool
is_open(const struct fdtable *t, int fd)
{
	return (unsigned)fd < t->array->size && t->array->file[fd];
}

int
fd_get_cloexec(struct fdtable *t, int fd)
{
	/* As fd_get_any(): asked with locks held that come after the table's,
	 * by who reads /proc. */
	const struct fd_array *a = atomic_load_acquire(&t->array);
	size_t n = (unsigned)fd;

	if (n >= a->size)
		return -EBADF;
	n = cpu_nospec(n, a->size);
	if (!atomic_load_acquire(&a->file[n]))
		return -EBADF;
	return atomic_load_relaxed(&a->cloexec[n / 64]) >> (n % 64) & 1;
}

int
fd_set_cloexec(struct fdtable *t, int fd, bool on)
{
	int r = -EBADF;

	mutex_lock(&t->lock);
	if (is_open(t, fd)) {
		if (on)
			bitmap_set(t->array->cloexec, (unsigned)fd);
		else
			bitmap_clear(t->array->cloexec, (unsigned)fd);
		r = 0;
	}
	mutex_unlock(&t->lock);
	return r;
}

void
fdtable_exec(struct fdtable *t)
{
	for (unsigned fd = 0; fd < t->array->size; fd++)
		if (fd_get_cloexec(t, (int)fd) == 1)
			ignore(fd_close(t, (int)fd)); /* raced with a close */
}

void
fdtable_set_limit(struct fdtable *t, uint64_t nofile)
{
	t->limit = nofile;
}

int
fd_next(struct fdtable *t, int fd, struct file **out)
{
	for (; fd >= 0 && (unsigned)fd < atomic_load_acquire(&t->array)->size;
	     fd++)
		if (!fd_get_any(t, fd, out))
			return fd;
	return -1;
}
