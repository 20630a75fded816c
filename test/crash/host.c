/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See host.h, and core.c of the unit tests for locks.  A wait that nothing
 * would end stops the program.  Each frame of memory is its own allocation,
 * so the sanitizer sees its bounds.
 */
#include "host.h"

#include "../../src/dev/blk_priv.h"

#include <abi/errno.h>
#include <arch/mmu.h>
#include <core/clock.h>
#include <core/panic.h>
#include <dev/blk.h>
#include <dev/control.h>
#include <file/cred.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <file/pipe.h>
#include <fs/pseudo.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <mem/page.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <sched/wait.h>
#include <sched/work.h>
#include <vm/object.h>
#include <vm/pin.h>
#include <vm/uaccess.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

unsigned host_fail_every;
uint64_t host_clock_ns = 1700000000ull * NSEC_PER_SEC;

/* ---- core ---- */

uint64_t
clock_mono_ns(void)
{
	return host_clock_ns;
}
/* Moves on, so that times differ. */
uint64_t
clock_real_ns(void)
{
	return host_clock_ns += CLOCK_COARSE_NS;
}

/* ---- memory ---- */

struct frame {
	struct page page; /* first */
	void *mem;
	unsigned order;
};

struct page *page_zero;

static bool
fails(void)
{
	static unsigned calls;

	return host_fail_every && ++calls % host_fail_every == 0;
}

struct page *
page_alloc(unsigned order, unsigned alloc)
{
	struct frame *f;

	if (fails())
		return NULL;
	f = calloc(1, sizeof(*f));
	f->mem = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);
	memset(f->mem, alloc & ALLOC_ZERO ? 0 : 0xa5, PAGE_SIZE << order);
	f->order = order;
	list_init(&f->page.link);
	refcount_set(&f->page.refs, 1);
	return &f->page;
}

void
page_free(struct page *p)
{
	struct frame *f = (struct frame *)p;

	free(f->mem);
	free(f);
}

paddr_t
page_phys(const struct page *p)
{
	return (paddr_t)((const struct frame *)p)->mem;
}

void
page_clear(void *dst)
{
	memset(dst, 0, PAGE_SIZE);
}
void
page_copy(void *dst, const void *src)
{
	memcpy(dst, src, PAGE_SIZE);
}
void
mem_count(enum mem_counter c, long n)
{
	(void)c, (void)n;
}
uint64_t
mem_total_pages(void)
{
	return 16384;
}
uint64_t
mem_free_pages(void)
{
	return 8192;
}
void
mem_set_wait(void (*fn)(void))
{
	(void)fn;
}
void
mem_register_shrinker(size_t (*fn)(size_t npages, unsigned alloc))
{
	(void)fn;
}

void
mem_stats_get(struct mem_stats *s)
{
	memset(s, 0, sizeof(*s));
	s->total = 16384;
	s->free = 8192;
}

void *
kmalloc(size_t size, unsigned alloc)
{
	if (fails())
		return NULL;
	return alloc & ALLOC_ZERO ? calloc(1, size) : malloc(size);
}

void *
kzalloc(size_t size, unsigned alloc)
{
	return kmalloc(size, alloc | ALLOC_ZERO);
}

void *
kcalloc(size_t n, size_t size, unsigned alloc)
{
	return kmalloc(n * size, alloc | ALLOC_ZERO);
}

void *
kmemdup(const void *p, size_t len, unsigned alloc)
{
	void *m = kmalloc(len, alloc);

	return m ? memcpy(m, p, len) : NULL;
}

char *
kstrdup(const char *s, unsigned alloc)
{
	return kmemdup(s, strlen(s) + 1, alloc);
}

/* What is used after it was freed is no list, and points nowhere. */
static void
poison(void *p)
{
	if (p)
		memset(p, 0xdf, malloc_usable_size(p));
	/* The compiler knows that nobody may look at it. */
	__asm__ volatile("" : : "r"(p) : "memory");
	free(p);
}

void
kfree(void *p)
{
	poison(p);
}
void *
vmalloc(size_t size, unsigned alloc)
{
	(void)alloc;
	return calloc(1, size);
}
void
vfree(void *p)
{
	free(p);
}

struct cache {
	size_t size;
};

struct cache *
cache_create(const char *name, size_t size, size_t align)
{
	struct cache *c = malloc(sizeof(*c));

	(void)name, (void)align;
	c->size = size;
	return c;
}

void *
cache_alloc(struct cache *c, unsigned alloc)
{
	return kmalloc(c->size, alloc);
}

void
cache_free(struct cache *c, void *p)
{
	(void)c;
	poison(p);
}

/* ---- waiting and threads ---- */

/* As sched does: what the thread holds back goes.  Was there anything? */
static bool
let_go(void)
{
	struct blk_plug *p = thread_current()->plug;
	bool held = p && !list_empty(&p->bios);

	if (held)
		thread_current()->before_sleep();
	return held;
}

int
wait_sleep(struct wait_entry *e, uint64_t deadline_ns)
{
	(void)e;
	if (let_go())
		return 0;
	if (deadline_ns == TIME_NEVER)
		panic("it would sleep for ever");
	host_clock_ns = deadline_ns;
	return -ETIMEDOUT;
}

/* The threads of writers never run, so they have ended. */
void
completion_wait(struct completion *c)
{
	(void)c;
	let_go();
}

int
thread_create(const char *name, void (*fn)(void *), void *arg,
	      struct thread **out)
{
	(void)name, (void)fn, (void)arg;
	*out = host_thread;
	return 0;
}

void
thread_start(struct thread *t)
{
	(void)t;
}
void
thread_exit(void)
{
	panic("thread_exit");
}
void
thread_delay(uint64_t ns)
{
	host_clock_ns += ns;
}
void
thread_resched_point(void)
{
}
void
thread_yield(void)
{
}
bool
thread_signal_pending(void)
{
	return false;
}

/* ---- vm: nothing is mapped; "user" memory is the test's ---- */

void
vm_object_init(struct vm_object *o, const struct vm_object_ops *ops)
{
	memset(o, 0, sizeof(*o));
	o->ops = ops;
	refcount_set(&o->refs, 1);
}

void
vm_object_get(struct vm_object *o)
{
	refcount_get(&o->refs);
}

void
vm_object_put(struct vm_object *o)
{
	if (refcount_put(&o->refs))
		o->ops->release(o);
}

void
vm_object_unmap(struct vm_object *o, uint64_t first, uint64_t end,
		bool private_too)
{
	(void)o, (void)first, (void)end, (void)private_too;
}

void
vm_object_protect(struct vm_object *o, uint64_t first, uint64_t end)
{
	(void)o, (void)first, (void)end;
}

#define NO_USER panic("no user memory here")
int
copy_from_user(void *d, const void __user *s, size_t n)
{
	(void)d, (void)s, (void)n;
	NO_USER;
	return 0;
}
int
copy_to_user(void __user *d, const void *s, size_t n)
{
	(void)d, (void)s, (void)n;
	NO_USER;
	return 0;
}
size_t
copy_from_user_nofault(void *d, const void __user *s, size_t n)
{
	(void)d, (void)s, (void)n;
	NO_USER;
	return 0;
}
size_t
copy_to_user_nofault(void __user *d, const void *s, size_t n)
{
	(void)d, (void)s, (void)n;
	NO_USER;
	return 0;
}
size_t
copy_from_user_partial(void *d, const void __user *s, size_t n)
{
	(void)d, (void)s, (void)n;
	NO_USER;
	return 0;
}
size_t
copy_to_user_partial(void __user *d, const void *s, size_t n)
{
	(void)d, (void)s, (void)n;
	NO_USER;
	return 0;
}
size_t
clear_user_partial(void __user *d, size_t n, bool nf)
{
	(void)d, (void)n, (void)nf;
	NO_USER;
	return 0;
}
int
user_prefault(const void __user *p, size_t n, bool w)
{
	(void)p, (void)n, (void)w;
	return -EFAULT;
}
struct page *
user_pin_page(const void __user *p, bool w)
{
	(void)p, (void)w;
	return NULL;
}
bool
user_range_ok(const void __user *p, size_t n)
{
	(void)p, (void)n;
	return true;
}

/* ---- file: no pipes, no descriptors ---- */

void
pipe_drop_fifo(struct inode *i)
{
	(void)i;
}
int
pipe_open_fifo(struct inode *i, unsigned fl, struct file **out)
{
	(void)i, (void)fl, (void)out;
	return -ENXIO;
}
int
fd_get_any(struct fdtable *t, int fd, struct file **out)
{
	(void)t, (void)fd, (void)out;
	return -EBADF;
}
void
anon_stat(struct kstat *st, uint64_t ino, uint32_t mode)
{
	(void)st, (void)ino, (void)mode;
}
void
seq_printf(struct seq_buf *s, const char *fmt, ...)
{
	(void)s, (void)fmt;
}
void
poll_file_release(struct file *f)
{
	(void)f;
}
/* Nobody asks for a lease. */
int
fd_next(struct fdtable *t, int fd, struct file **out)
{
	(void)t, (void)fd, (void)out;
	return -1;
}
int
file_own_signals(struct file *f, int fd)
{
	(void)f, (void)fd;
	return -ENOMEM;
}
void
file_signal_owner(struct file *f, int code, uint32_t band)
{
	(void)f, (void)code, (void)band;
}
void
file_async_release(struct file *f)
{
	(void)f;
}
/* No user is there to be told. */
void
work_queue(struct work *w)
{
	(void)w;
}
void
control_notice(const char *fmt, ...)
{
	(void)fmt;
}

/* ---- the disk ---- */

int
partition_scan(struct blk_device *d)
{
	(void)d;
	return 0;
}
bool
guid_parse(const char *t, uint8_t out[16])
{
	(void)t, (void)out;
	return false;
}

static void
note(struct host_disk *d, struct host_event ev)
{
	if (!d->record) {
		free(ev.data);
		return;
	}
	if (d->nlog == d->room) {
		d->room = d->room ? d->room * 2 : 1024;
		d->log = realloc(d->log, d->room * sizeof(*d->log));
	}
	d->log[d->nlog++] = ev;
}

void
host_disk_mark(struct host_disk *d, uint32_t mark)
{
	note(d, (struct host_event){ .kind = EV_MARK, .mark = mark });
}

static int
transfer(struct host_disk *d, struct bio *b, bool write)
{
	uint64_t at = b->sector * BLK_SECTOR_SIZE, start = at;

	for (uint32_t k = 0; k < b->nvecs; k++) {
		struct bio_vec *v = &b->vecs[k];
		uint8_t *mem = (uint8_t *)page_addr(v->page) + v->offset;

		if (at + v->len > d->size || v->offset + v->len > PAGE_SIZE)
			panic("a request beyond the end");
		if (write)
			memcpy(d->data + at, mem, v->len);
		else
			memcpy(mem, d->data + at, v->len);
		at += v->len;
	}
	if (write && d->record) {
		struct host_event ev = { .kind = EV_WRITE,
					 .offset = start,
					 .len = (uint32_t)(at - start) };

		ev.data = malloc(ev.len);
		memcpy(ev.data, d->data + start, ev.len);
		note(d, ev);
	}
	return 0;
}

static bool
refuses(const struct host_disk *d, const struct bio *b)
{
	bool no = d->fail_writes && d->nwrites % d->fail_writes == 0;

	for (uint32_t k = 0; d->refuses && k < b->nvecs && !no; k++)
		no = d->refuses((uint8_t *)page_addr(b->vecs[k].page) +
					b->vecs[k].offset,
				b->vecs[k].len);
	return no;
}

static void
disk_submit(struct blk_device *dev, struct bio *b)
{
	struct host_disk *d = dev->priv;

	switch (b->op) {
	case BIO_READ:
		d->nreads++;
		b->status = d->fail_reads && d->nreads % d->fail_reads == 0 ?
				    -EIO :
				    transfer(d, b, false);
		break;
	case BIO_WRITE:
		d->nwrites++;
		b->status = refuses(d, b) ? -EIO : transfer(d, b, true);
		break;
	case BIO_FLUSH:
		d->nflushes++;
		note(d, (struct host_event){ .kind = EV_FLUSH });
		break;
	default:
		b->status = -EOPNOTSUPP;
	}
	b->done(b);
}

/* What a thread held back.  A flush covers what was written before it began,
 * so one beside writes covers nothing: whoever sent it forgot to wait. */
static void
disk_submit_list(struct blk_device *dev, struct list *bios)
{
	bool wrote = false;

	while (!list_empty(bios)) {
		struct bio *b = list_first_entry(bios, struct bio, link);

		list_del(&b->link);
		wrote = wrote || b->op == BIO_WRITE;
		if (wrote && b->op == BIO_FLUSH)
			panic("a flush that does not wait for writes");
		disk_submit(dev, b);
	}
}

static const struct blk_ops disk_ops = {
	.submit = disk_submit,
	.submit_list = disk_submit_list,
};

void
host_disk_add(struct host_disk *d, const char *name, uint8_t *data, size_t size)
{
	struct blk_device *dev = calloc(1, sizeof(*dev));

	d->data = data;
	d->size = size;
	d->dev = dev;
	dev->sectors = size / BLK_SECTOR_SIZE;
	dev->block_size = 512;
	dev->max_vecs = 64;
	dev->max_sectors = 2048;
	dev->has_flush = true;
	dev->ops = &disk_ops;
	dev->priv = d;
	if (blk_register(dev))
		panic("no disk");
	snprintf(dev->name, sizeof(dev->name), "%s", name);
}

uint8_t *
host_read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;

	if (!f || fseek(f, 0, SEEK_END))
		panic("%s cannot be read", path);
	*size = (size_t)ftell(f);
	rewind(f);
	p = malloc(*size);
	if (fread(p, 1, *size, f) != *size)
		panic("%s cannot be read", path);
	fclose(f);
	return p;
}

void
host_write_file(const char *path, const void *data, size_t size)
{
	static const char zero[PAGE_SIZE];
	FILE *f = fopen(path, "wb");

	if (!f || ftruncate(fileno(f), (off_t)size))
		panic("%s cannot be written", path);
	for (size_t at = 0, n; at < size; at += n) {
		const char *from = (const char *)data + at;

		n = size - at < PAGE_SIZE ? size - at : PAGE_SIZE;
		if (memcmp(from, zero, n) &&
		    pwrite(fileno(f), from, n, (off_t)at) != (ssize_t)n)
			panic("%s cannot be written", path);
	}
	fclose(f);
}

uint8_t *
host_map_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "r+b");
	void *p;

	if (!f || fseek(f, 0, SEEK_END))
		panic("%s cannot be mapped", path);
	*size = (size_t)ftell(f);
	p = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(f), 0);
	if (p == MAP_FAILED)
		panic("%s cannot be mapped", path);
	fclose(f);
	return p;
}

/* vfork: this program may be large, and there are thousands of calls. */
static pid_t
start(char *const argv[], const int out[2])
{
	pid_t pid = vfork();

	if (!pid) {
		if (dup2(out[1], 1) == 1 && dup2(1, 2) == 2) {
			close(out[0]);
			close(out[1]);
			execvp(argv[0], argv);
		}
		_exit(127);
	}
	return pid;
}

int
host_run(char *const argv[], char *out, size_t size)
{
	int fds[2], status;
	size_t n = 0;
	ssize_t r;
	pid_t pid;

	if (pipe(fds))
		panic("no pipe");
	pid = start(argv, fds);
	close(fds[1]);
	while (n + 1 < size && (r = read(fds[0], out + n, size - 1 - n)) > 0)
		n += (size_t)r;
	out[n] = '\0';
	close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		panic("%s does not run", argv[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- dice ---- */

uint64_t rnd_seed;

unsigned
rnd(unsigned n)
{
	uint64_t x = rnd_seed += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return (unsigned)((x ^ x >> 31) % n);
}

/* ---- start ---- */

void
host_init(void)
{
	static struct fs_context ctx;

	page_zero = page_alloc(0, ALLOC_KERNEL | ALLOC_ZERO);
	refcount_set(&ctx.refs, 1);
	host_thread->fsctx = &ctx;
	vfs_init();
}

int
dev_register(const struct pseudo_entry *e)
{
	(void)e;
	return 0;
}

void
host_limit(unsigned seconds)
{
	struct rlimit r = { .rlim_cur = seconds, .rlim_max = seconds + 1 };

	setrlimit(RLIMIT_CPU, &r);
	alarm(seconds * 20); /* one that sleeps for ever */
}
