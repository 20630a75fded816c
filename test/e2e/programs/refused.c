/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that refuses sectors which begin with REFUSED!, and does not give
 * those which begin with UNREADBL (faulty_disk.py).
 *
 *	refused told DIR		who is told what, one step after another
 *	refused beside DIR		whose fault it is, of many at once
 *	refused threads DIR N STEPS SEED  threads with files of their own
 *	refused dies DIR N STEPS SEED	  the same calls, which may all fail
 *	refused later DIR N		  what a later run sees of these
 *	refused fill DIR		  a full disk, then an empty one
 *
 * `told` prints what Linux can be compared with.  In `threads` each sector
 * says whose it is; each thread changes its files in all ways there are, and
 * looks at its own and at the others': nothing but what was written into that
 * very file, or zeroes, may ever be there, and an fsync that answered 0 means
 * what it says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK  4096u
#define SECTOR 512u
#define BLOCKS 24u /* of a file of `threads` */
#define NFILES 3u  /* of a thread */

static void
die(const char *what, int line)
{
	printf("FAILED at line %d: %s: %s\n", line, what, strerror(errno));
	fflush(stdout);
	_exit(1);
}
#define MUST(x)                            \
	do {                               \
		if (!(x))                  \
			die(#x, __LINE__); \
	} while (0)

/* ---- beside ---- */

/* Sixteen blocks in a row are asked for at once: a system may make one request
 * of them, of which one block is refused. */
#define ROW 16u

static void
one_row(struct io_uring *r, int fd, char *b, bool write)
{
	struct io_uring_cqe *c;

	for (unsigned k = 0; k < ROW; k++) {
		struct io_uring_sqe *s = io_uring_get_sqe(r);

		if (write)
			io_uring_prep_write(s, fd, b + k * BLOCK, BLOCK,
					    k * BLOCK);
		else
			io_uring_prep_read(s, fd, b + k * BLOCK, BLOCK,
					   k * BLOCK);
		io_uring_sqe_set_data64(s, k);
	}
	MUST(io_uring_submit(r) == (int)ROW);
	for (unsigned k = 0; k < ROW; k++) {
		MUST(!io_uring_wait_cqe(r, &c));
		if (c->res != (int)BLOCK)
			printf("%s %u: %s\n", write ? "write" : "read",
			       (unsigned)c->user_data,
			       strerrorname_np(-c->res));
		io_uring_cqe_seen(r, c);
	}
}

static void
beside(void)
{
	static char b[ROW * BLOCK] __attribute__((aligned(BLOCK)));
	struct io_uring r;
	int fd = open("row", O_RDWR | O_CREAT | O_DIRECT, 0644);

	MUST(fd >= 0);
	MUST(!io_uring_queue_init(ROW, &r, 0));
	MUST(pwrite(fd, b, sizeof(b), 0) == sizeof(b));
	memcpy(b + 5 * BLOCK, "REFUSED!", 8);
	memcpy(b + 9 * BLOCK, "UNREADBL", 8);
	one_row(&r, fd, b, true);
	one_row(&r, fd, b, false);
	MUST(!fsync(fd));
	puts("done");
}

/* ---- told ---- */

static char buf[64 * BLOCK] __attribute__((aligned(BLOCK)));
static char old[64 * BLOCK] __attribute__((aligned(BLOCK)));

static const char *
says(long r)
{
	static char text[8][32];
	static int n;
	char *t = text[n++ % 8];

	if (r < 0)
		snprintf(t, 32, "%s", strerrorname_np(errno));
	else
		snprintf(t, 32, "%ld", r);
	return t;
}

static void
mark(char *b, unsigned blocks, const char *tag)
{
	for (unsigned k = 0; k < blocks * BLOCK; k += 8)
		memcpy(b + k, "GOODDATA", 8);
	if (tag)
		memcpy(b + (blocks - 1) * BLOCK, tag, 8);
}

/* What a block shows. */
static const char *
shows(int fd, unsigned block)
{
	static char texts[4][16];
	static int next;
	char b[BLOCK], *text = texts[next++ % 4];
	ssize_t n = pread(fd, b, BLOCK, (off_t)block * BLOCK);

	if (n < 0)
		return strerrorname_np(errno);
	if (n < (ssize_t)BLOCK)
		return "end";
	memcpy(text, b, 8);
	for (unsigned k = 0; k < 8; k++)
		if (!text[k])
			text[k] = '0';
	return text;
}

static int
make(const char *name, int flags)
{
	int fd = open(name, O_RDWR | O_CREAT | flags, 0644);

	MUST(fd >= 0);
	return fd;
}

static void
forget(int fd)
{
	MUST(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

static void
told_each_file(void)
{
	int a = make("each", 0), b = make("each", 0), c;

	mark(buf, 4, "REFUSED!");
	printf("write %s\n", says(pwrite(a, buf, 4 * BLOCK, 0)));
	printf("first %s", says(fsync(a)));
	printf(" again %s", says(fsync(a)));
	printf(" other %s", says(fdatasync(b)));
	printf(" again %s\n", says(fsync(b)));
	c = make("each", 0);
	printf("opened after %s", says(fsync(c)));
	printf(" shows %s", shows(c, 3));
	forget(c);
	printf(" then %s %s\n", shows(c, 3), shows(c, 0));
	mark(buf, 4, NULL);
	printf("mended %s", says(pwrite(a, buf, 4 * BLOCK, 0)));
	printf(" %s %s", says(fsync(a)), says(fsync(b)));
	forget(c);
	printf(" shows %s\n", shows(c, 3));
	close(a), close(b), close(c);
}

static void
told_nobody_yet(void)
{
	int a = make("nobody", 0);

	mark(buf, 2, "REFUSED!");
	pwrite(a, buf, 2 * BLOCK, 0);
	printf("range %s", says(sync_file_range(a, 0, 0, 7)));
	printf(" close %s", says(close(a)));
	a = make("nobody", 0);
	printf(" opened %s", says(fsync(a)));
	printf(" again %s\n", says(fsync(a)));
	close(a);
}

static void
told_all_ways(void)
{
	struct iovec v = { buf, 2 * BLOCK };
	int a, fs = open(".", O_RDONLY | O_DIRECTORY);
	char *m;

	mark(buf, 2, "REFUSED!");
	a = make("osync", O_SYNC);
	printf("O_SYNC %s", says(pwrite(a, buf, 2 * BLOCK, 0)));
	printf(" fsync %s size %s\n", says(fsync(a)), says(lseek(a, 0, 2)));
	close(a);
	a = make("dsync", 0);
	printf("RWF_DSYNC %s", says(pwritev2(a, &v, 1, 0, RWF_DSYNC)));
	printf(" fsync %s\n", says(fsync(a)));
	close(a);
	printf("syncfs %s", says(syncfs(fs)));
	printf(" again %s\n", says(syncfs(fs)));
	a = make("mapped", 0);
	MUST(!ftruncate(a, 2 * BLOCK));
	m = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, a, 0);
	MUST(m != MAP_FAILED);
	memcpy(m, buf, 2 * BLOCK);
	printf("msync %s", says(msync(m, 2 * BLOCK, MS_SYNC)));
	printf(" again %s", says(msync(m, 2 * BLOCK, MS_SYNC)));
	printf(" shows %.8s fsync %s\n", m + BLOCK, says(fsync(a)));
	munmap(m, 2 * BLOCK);
	close(a);
	a = make("syncfs", 0);
	MUST(pwrite(a, buf, 2 * BLOCK, 0) == 2 * BLOCK);
	printf("syncfs %s", says(syncfs(fs)));
	printf(" again %s fsync %s\n", says(syncfs(fs)), says(fsync(a)));
	close(a), close(fs);
}

/* What is changed before it is told. */
static void
told_after_changes(void)
{
	int a = make("cut", 0), b;

	mark(buf, 4, "REFUSED!");
	pwrite(a, buf, 4 * BLOCK, 0);
	sync_file_range(a, 0, 0, 7);
	MUST(!ftruncate(a, BLOCK));
	printf("cut %s", says(fsync(a)));
	MUST(!ftruncate(a, 4 * BLOCK));
	printf(" shows %s\n", shows(a, 3));
	close(a);
	a = make("gone", 0);
	pwrite(a, buf, 4 * BLOCK, 0);
	sync_file_range(a, 0, 0, 7);
	MUST(!unlink("gone"));
	printf("gone %s\n", says(fsync(a)));
	close(a);
	a = make("target", 0), b = make("source", 0);
	pwrite(b, buf, 4 * BLOCK, 0);
	printf("rename %s", says(rename("source", "target")));
	printf(" %s", says(fsync(b)));
	forget(b);
	printf(" shows %s %s\n", shows(b, 0), shows(b, 3));
	close(a), close(b);
}

/* Blocks that were written before keep what they had. */
static void
told_of_old_blocks(void)
{
	int a = make("old", 0);

	mark(old, 4, "FORMERLY");
	MUST(pwrite(a, old, 4 * BLOCK, 0) == 4 * BLOCK && !fsync(a));
	mark(buf, 4, "REFUSED!");
	pwrite(a, buf, 4 * BLOCK, 0);
	printf("over old %s", says(fsync(a)));
	forget(a);
	printf(" shows %s\n", shows(a, 3));
	close(a);
	a = make("room", 0);
	MUST(!posix_fallocate(a, 0, 8 * BLOCK));
	pwrite(a, buf, 4 * BLOCK, BLOCK);
	printf("over room %s", says(fsync(a)));
	forget(a);
	printf(" shows %s %s\n", shows(a, 4), shows(a, 5));
	close(a);
}

/* One after the other, by the ring. */
static void
write_and_fsync(struct io_uring *r, int fd, int res[2])
{
	struct io_uring_cqe *c;

	for (int k = 0; k < 2; k++) {
		struct io_uring_sqe *s = io_uring_get_sqe(r);

		if (k)
			io_uring_prep_fsync(s, fd, 0);
		else
			io_uring_prep_write(s, fd, buf, 4 * BLOCK, 0);
		s->user_data = (unsigned)k;
		MUST(io_uring_submit_and_wait(r, 1) == 1);
		MUST(!io_uring_wait_cqe(r, &c));
		res[c->user_data] = c->res;
		io_uring_cqe_seen(r, c);
	}
}

static void
told_direct(void)
{
	struct io_uring r;
	int a = make("direct", O_DIRECT), res[2];

	mark(buf, 4, "REFUSED!");
	printf("direct %s", says(pwrite(a, buf, 4 * BLOCK, 0)));
	printf(" fsync %s size %s", says(fsync(a)), says(lseek(a, 0, 2)));
	mark(old, 4, "FORMERLY");
	printf(" good %s", says(pwrite(a, old, 4 * BLOCK, 0)));
	printf(" over %s", says(pwrite(a, buf, 4 * BLOCK, 0)));
	printf(" shows %s\n", shows(make("direct", 0), 3));
	MUST(!io_uring_queue_init(8, &r, 0));
	write_and_fsync(&r, a, res);
	printf("ring %d fsync %d\n", res[0], res[1]);
	close(a);
	a = make("buffered", 0);
	write_and_fsync(&r, a, res);
	printf("ring buffered %d fsync %d\n", res[0], res[1]);
	io_uring_queue_exit(&r);
	close(a);
}

static sigjmp_buf back;
static void
on_bus(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static void
told_reads(void)
{
	int a = make("unread", 0), p[2];
	struct iovec v = { old, 4 * BLOCK };
	char *m;

	mark(buf, 3, "UNREADBL");
	mark(buf + 3 * BLOCK, 3, NULL);
	MUST(pwrite(a, buf, 6 * BLOCK, 0) == 6 * BLOCK && !fsync(a));
	forget(a);
	printf("read %s", says(pread(a, old, 6 * BLOCK, 0)));
	printf(" there %s", says(pread(a, old, BLOCK, 2 * BLOCK)));
	printf(" behind %s\n", says(pread(a, old, 3 * BLOCK, 3 * BLOCK)));
	printf("part %s", says(pread(a, old, 100, 2 * BLOCK + 1000)));
	printf(" vector %s", says(preadv2(a, &v, 1, BLOCK, 0)));
	printf(" over it %s", says(pwrite(a, buf, 10, 2 * BLOCK + 8)));
	MUST(!pipe(p));
	printf(" sendfile %s\n",
	       says(sendfile(p[1], a, &(off_t){ BLOCK }, 3 * BLOCK)));
	m = mmap(NULL, 6 * BLOCK, PROT_READ, MAP_SHARED, a, 0);
	MUST(m != MAP_FAILED);
	signal(SIGBUS, on_bus);
	if (!sigsetjmp(back, 1)) {
		memcpy(old, m + 2 * BLOCK, 8);
		printf("mapped %.8s\n", old);
	} else {
		printf("mapped SIGBUS, before %.8s\n", m + BLOCK);
	}
	munmap(m, 6 * BLOCK);
	mark(buf, 1, "FORMERLY");
	printf("whole over it %s", says(pwrite(a, buf, BLOCK, 2 * BLOCK)));
	printf(" fsync %s", says(fsync(a)));
	forget(a);
	printf(" shows %s\n", shows(a, 2));
	close(a);
}

/* ---- threads ---- */

struct sector {
	char tag[8];
	uint64_t file, version;
	char rest[SECTOR - 24];
};

/* A file of a thread.  sure: fsync has said that it holds that version. */
struct file {
	uint64_t id;
	unsigned blocks;
	uint64_t has[BLOCKS], sure[BLOCKS];
	int fd;
	char name[16];
};

static uint64_t ids; /* the last one given */
static unsigned nthreads, nsteps, seed;
struct self {
	pthread_t thread;
	uint64_t rnd, version, told, synced;
	struct file f[NFILES];
	struct io_uring ring;
	unsigned number;
};

static unsigned
rnd(struct self *t, unsigned n)
{
	t->rnd = t->rnd * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(t->rnd >> 33) % n;
}

static void
birth(struct self *t, struct file *f)
{
	memset(f->has, 0, sizeof(f->has));
	memset(f->sure, 0, sizeof(f->sure));
	f->blocks = 0;
	f->id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED);
	snprintf(f->name, sizeof(f->name), "t%u.%u", t->number,
		 (unsigned)(f - t->f));
	f->fd = open(f->name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	MUST(f->fd >= 0);
}

static void
prepare(struct self *t, struct file *f, char *b, unsigned n, unsigned bad)
{
	t->version++;
	for (unsigned k = 0; k < n * (BLOCK / SECTOR); k++) {
		struct sector *s = (struct sector *)b + k;

		memcpy(s->tag, k / 8 == bad ? "REFUSED!" : "ACCEPTED", 8);
		s->file = f->id;
		s->version = t->version;
		memset(s->rest, 'x', sizeof(s->rest));
	}
}

/* A block of f: zeroes or its own. 0 or a version. */
static uint64_t
look(const struct sector *s, uint64_t id)
{
	static const struct sector none;

	for (unsigned k = 0; k < BLOCK / SECTOR; k++) {
		if (memcmp(&s[k], &s[0], sizeof(*s)))
			die("torn block", __LINE__);
	}
	if (!memcmp(s, &none, sizeof(none)))
		return 0;
	if (memcmp(s->tag, "ACCEPTED", 8) && memcmp(s->tag, "REFUSED!", 8))
		die("bytes of nobody's", __LINE__);
	if (id && s->file != id)
		die("another file's bytes", __LINE__);
	return s->version;
}

static void
check(struct self *t, struct file *f, bool cold)
{
	char b[BLOCKS * BLOCK] __attribute__((aligned(BLOCK)));
	ssize_t n;

	(void)t;
	if (cold)
		forget(f->fd);
	n = pread(f->fd, b, sizeof(b), 0);
	if (n != (ssize_t)(f->blocks * BLOCK))
		die("size", __LINE__);
	for (unsigned k = 0; k < f->blocks; k++) {
		uint64_t v = look((struct sector *)b + k * 8, f->id);

		if (f->sure[k] && v != f->sure[k])
			die("not what was synced", __LINE__);
	}
}

/* Another's file: whoever's it is, its bytes are of one of ours. */
static void
check_other(struct self *t)
{
	char b[BLOCKS * BLOCK], name[16];
	struct file none = { 0 };
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "t%u.%u", rnd(t, nthreads),
		 rnd(t, NFILES));
	fd = open(name, O_RDONLY);
	if (fd < 0)
		return;
	n = pread(fd, b, sizeof(b), 0);
	for (ssize_t k = 0; k + SECTOR <= n; k += SECTOR) {
		const struct sector *s = (struct sector *)(b + k);

		if (memcmp(s->tag, "ACCEPTED", 8) &&
		    memcmp(s->tag, "REFUSED!", 8) && memcmp(s->tag, &none, 8))
			die("bytes of nobody's", __LINE__);
	}
	close(fd);
}

/* ok: what is there is known; else it is what it was, zeroes, or new. */
static void
spoken(struct self *t, struct file *f, bool ok)
{
	if (!ok && errno != EIO)
		die("sync", __LINE__);
	t->synced += ok;
	t->told += !ok;
	for (unsigned k = 0; k < BLOCKS; k++) {
		if (ok && f->has[k])
			f->sure[k] = f->has[k];
		f->has[k] = 0;
	}
}

static void
wrote(struct self *t, struct file *f, unsigned at, unsigned n)
{
	for (unsigned k = at; k < at + n; k++) {
		f->has[k] = t->version;
		f->sure[k] = 0;
	}
	if (f->blocks < at + n)
		f->blocks = at + n;
}

static void
size_is(struct file *f)
{
	struct stat st;

	MUST(!fstat(f->fd, &st) && st.st_size % BLOCK == 0);
	f->blocks = (unsigned)(st.st_size / BLOCK);
}

static void
do_direct(struct self *t, struct file *f, char *b, unsigned at, unsigned n)
{
	int fd = open(f->name, O_RDWR | O_DIRECT);
	ssize_t r;

	MUST(fd >= 0);
	r = pwrite(fd, b, n * BLOCK, at * BLOCK);
	MUST(r > 0 || (r < 0 && errno == EIO));
	wrote(t, f, at, n);
	if (r < (ssize_t)(n * BLOCK))
		for (unsigned k = at; k < at + n; k++)
			f->has[k] = 0;
	size_is(f);
	close(fd);
}

/* 0 or -errno, of fsync if that was asked. */
static int
by_ring(struct self *t, struct file *f, char *b, unsigned at, unsigned n,
	bool sync)
{
	struct io_uring_sqe *s = io_uring_get_sqe(&t->ring);
	struct io_uring_cqe *c;
	int err = 0;

	io_uring_prep_write(s, f->fd, b, n * BLOCK, at * BLOCK);
	s->user_data = 1;
	if (sync) {
		s->flags |= IOSQE_IO_LINK;
		s = io_uring_get_sqe(&t->ring);
		io_uring_prep_fsync(s, f->fd, 0);
		s->user_data = 2;
	}
	MUST(io_uring_submit_and_wait(&t->ring, sync ? 2 : 1) >= 1);
	for (int k = 0; k < (sync ? 2 : 1); k++) {
		MUST(!io_uring_wait_cqe(&t->ring, &c));
		if (c->user_data == 2 || c->res < 0)
			err = c->res;
		else
			MUST(c->res == (int)(n * BLOCK));
		io_uring_cqe_seen(&t->ring, c);
	}
	return err;
}

static void
do_write(struct self *t, struct file *f)
{
	static __thread char b[BLOCKS * BLOCK] __attribute__((aligned(BLOCK)));
	unsigned at = rnd(t, BLOCKS - 8), n = 1 + rnd(t, 8);
	char *m;
	int r;

	prepare(t, f, b, n, rnd(t, 3) ? UINT32_MAX : rnd(t, n));
	switch (rnd(t, 6)) {
	case 0:
		do_direct(t, f, b, at, n);
		break;
	case 1:
	case 2:
		r = by_ring(t, f, b, at, n, rnd(t, 2));
		wrote(t, f, at, n);
		if (r) {
			errno = -r;
			spoken(t, f, false);
		}
		break;
	case 3:
		if (f->blocks < at + n)
			MUST(!ftruncate(f->fd, (at + n) * BLOCK));
		m = mmap(NULL, n * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED,
			 f->fd, at * BLOCK);
		MUST(m != MAP_FAILED);
		memcpy(m, b, n * BLOCK);
		wrote(t, f, at, n);
		if (msync(m, n * BLOCK, MS_SYNC))
			spoken(t, f, false);
		munmap(m, n * BLOCK);
		break;
	default:
		MUST(pwrite(f->fd, b, n * BLOCK, at * BLOCK) ==
		     (ssize_t)(n * BLOCK));
		wrote(t, f, at, n);
		if (!rnd(t, 4))
			sync_file_range(f->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	}
}

static void
forgotten(struct file *f, unsigned at, unsigned end)
{
	for (unsigned k = at; k < end && k < BLOCKS; k++)
		f->has[k] = f->sure[k] = 0;
}

static void
do_range(struct self *t, struct file *f)
{
	static const int modes[] = {
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
		FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_COLLAPSE_RANGE,
	};
	unsigned at = rnd(t, BLOCKS - 8), n = 1 + rnd(t, 8), k = rnd(t, 4);

	if (fallocate(f->fd, modes[k], at * BLOCK, n * BLOCK)) {
		MUST(errno == EINVAL && k == 3); /* up to the end */
		return;
	}
	if (k == 3)
		forgotten(f, at, BLOCKS); /* it has moved */
	else if (k)
		forgotten(f, at, at + n);
	size_is(f);
}

static void
do_cut(struct self *t, struct file *f)
{
	unsigned to = rnd(t, BLOCKS);

	MUST(!ftruncate(f->fd, to * BLOCK));
	forgotten(f, to < f->blocks ? to : f->blocks, BLOCKS);
	f->blocks = to;
}

static void
do_names(struct self *t, struct file *f)
{
	struct file *g = &t->f[rnd(t, NFILES)];
	char name[16];

	if (g == f) {
		MUST(!unlink(f->name));
		close(f->fd);
		birth(t, f);
		return;
	}
	MUST(!rename(f->name, g->name));
	close(g->fd);
	memcpy(name, g->name, sizeof(name));
	*g = *f;
	memcpy(g->name, name, sizeof(name));
	birth(t, f);
}

static void
step(struct self *t)
{
	struct file *f = &t->f[rnd(t, NFILES)];

	switch (rnd(t, 12)) {
	case 0:
		do_cut(t, f);
		break;
	case 1:
		do_names(t, f);
		break;
	case 2:
		do_range(t, f);
		break;
	case 3:
		check_other(t);
		break;
	case 4:
	case 5:
	case 6:
		spoken(t, f, !fsync(f->fd));
		check(t, f, rnd(t, 2));
		break;
	default:
		do_write(t, f);
	}
	check(t, f, false);
}

static void *
work(void *arg)
{
	struct self *t = arg;

	MUST(!io_uring_queue_init(8, &t->ring, 0));
	for (unsigned k = 0; k < NFILES; k++)
		birth(t, &t->f[k]);
	for (unsigned k = 0; k < nsteps; k++)
		step(t);
	for (unsigned k = 0; k < NFILES; k++) {
		spoken(t, &t->f[k], !fsync(t->f[k].fd));
		MUST(!fsync(t->f[k].fd)); /* it is told once */
		check(t, &t->f[k], true);
	}
	io_uring_queue_exit(&t->ring);
	return NULL;
}

static void
start(void *(*fn)(void *), struct self *t)
{
	for (unsigned k = 0; k < nthreads; k++) {
		t[k].number = k;
		t[k].rnd = seed * 1000 + k;
		MUST(!pthread_create(&t[k].thread, NULL, fn, &t[k]));
	}
	for (unsigned k = 0; k < nthreads; k++)
		pthread_join(t[k].thread, NULL);
}

static void
threads(void)
{
	struct self *t = calloc(nthreads, sizeof(*t));
	uint64_t told = 0, synced = 0;
	char b[BLOCK];
	int fd;

	start(work, t);
	for (unsigned k = 0; k < nthreads; k++) {
		told += t[k].told;
		synced += t[k].synced;
	}
	/* Still writable, and whole. */
	fd = make("last", 0);
	memset(b, 'l', sizeof(b));
	MUST(write(fd, b, BLOCK) == (int)BLOCK && !fsync(fd));
	printf("threads: %s, %s\n", told ? "errors" : "no errors",
	       synced ? "successes" : "no success");
}

/* ---- a disk that dies ---- */

/* Errors of a disk, and of a file system that it made read-only. */
static void
may(bool ok, int line)
{
	if (!ok && errno != EIO && errno != EROFS && errno != ENOENT)
		die("an error of no disk", line);
}
#define MAY(x) may((long)(x) >= 0, __LINE__)

static void
touch_mapped(int fd)
{
	char *m = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	MUST(m != MAP_FAILED);
	/* The kernel touches it: EFAULT, and no SIGBUS. */
	if (pread(fd, m, SECTOR, 0) < 0)
		MUST(errno == EFAULT || errno == EIO);
	MAY(msync(m, BLOCK, MS_SYNC));
	munmap(m, BLOCK);
}

static void
dying_step(struct self *t)
{
	char name[16], other[16], b[2 * BLOCK] __attribute__((aligned(BLOCK)));
	unsigned n = rnd(t, 6);
	struct stat st;
	int fd;

	snprintf(name, sizeof(name), "d%u.%u", t->number, n);
	snprintf(other, sizeof(other), "d%u.%u", t->number, rnd(t, 6));
	fd = open(name, O_RDWR | O_CREAT, 0644);
	if (fd < 0)
		fd = open(name, O_RDONLY);
	MAY(fd);
	if (fd < 0)
		return;
	memset(b, 'd', sizeof(b));
	switch (rnd(t, 10)) {
	case 0:
		MAY(rename(name, other));
		break;
	case 1:
		MAY(unlink(name));
		break;
	case 2:
		if (ftruncate(fd, rnd(t, 5) * 1000))
			may(errno == EINVAL, __LINE__); /* read-only */
		break;
	case 3:
		if (!fstat(fd, &st) && st.st_size >= BLOCK &&
		    (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR)
			touch_mapped(fd);
		break;
	case 4:
		errno = -by_ring(t, &(struct file){ .fd = fd }, b, rnd(t, 4), 1,
				 false);
		may(!errno || errno == EBADF, __LINE__); /* read-only */
		break;
	case 5:
		MAY(syncfs(fd));
		break;
	case 6:
	case 7:
		MAY(fsync(fd));
		break;
	default:
		if (pwrite(fd, b, sizeof(b), rnd(t, 4) * BLOCK) < 0)
			may(errno == EBADF, __LINE__);
	}
	close(fd);
}

static void *
dying_work(void *arg)
{
	struct self *t = arg;

	MUST(!io_uring_queue_init(8, &t->ring, 0));
	for (unsigned k = 0; k < nsteps; k++)
		dying_step(t);
	io_uring_queue_exit(&t->ring);
	return NULL;
}

static void
dies(void)
{
	struct self *t = calloc(nthreads, sizeof(*t));
	int fd;

	start(dying_work, t);
	fd = open("alive", O_RDWR | O_CREAT, 0644);
	printf("alive: %s\n", fd < 0				 ? says(fd) :
			      write(fd, "x", 1) < 0 || fsync(fd) ? says(-1) :
								   "yes");
}

/* Fills the disk with a file that is then removed. */
static void
fill(void)
{
	int fd = make("secrets", 0);

	for (unsigned k = 0; k < sizeof(buf); k += 8)
		memcpy(buf + k, "SECRETS.", 8);
	while (write(fd, buf, sizeof(buf)) > 0)
		;
	MUST(errno == ENOSPC && !fsync(fd) && !close(fd));
	MUST(!unlink("secrets"));
	sync();
	printf("filled\n");
}

/* What a later run sees. */
static void
later(void)
{
	char b[BLOCKS * BLOCK], name[16];
	unsigned n = 0;

	for (unsigned k = 0; k < nthreads * NFILES; k++) {
		uint64_t id = 0;
		ssize_t got;
		int fd;

		snprintf(name, sizeof(name), "t%u.%u", k / NFILES, k % NFILES);
		fd = open(name, O_RDONLY);
		MUST(fd >= 0);
		got = read(fd, b, sizeof(b));
		MUST(got >= 0);
		for (ssize_t at = 0; at < got; at += BLOCK) {
			struct sector *s = (struct sector *)(b + at);

			if (look(s, id))
				id = s->file;
		}
		close(fd);
		n++;
	}
	printf("%u files\n", n);
}

int
main(int argc, char **argv)
{
	MUST(argc >= 3 && !chdir(argv[2]));
	nthreads = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	nsteps = argc > 4 ? (unsigned)atoi(argv[4]) : 0;
	seed = argc > 5 ? (unsigned)atoi(argv[5]) : 1;
	if (!strcmp(argv[1], "told")) {
		told_each_file();
		told_nobody_yet();
		told_all_ways();
		told_after_changes();
		told_of_old_blocks();
		told_direct();
		told_reads();
	} else if (!strcmp(argv[1], "beside")) {
		beside();
	} else if (!strcmp(argv[1], "fill")) {
		fill();
	} else if (!strcmp(argv[1], "threads")) {
		threads();
	} else if (!strcmp(argv[1], "dies")) {
		dies();
	} else {
		later();
	}
	return 0;
}
