/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the 9P client believes nothing.  An honest answer gives its values;
 * an answer with a wrong size, type, tag or length, cut short, or of random
 * bytes gives an errno, never a wild access; every fid that a failed call
 * took is given back.
 * Method: the real messages and calls over a channel that the test plays,
 * which answers at once: by the book, damaged, or at random.
 * SOURCES: klib/9p/msg.c klib/9p/client.c klib/9p/channel.c
 * SOURCES: src/mem/page.c src/mem/heap.c src/mem/kmap.c
 * SOURCES: test/unit/host/host.c
 * SOURCES: test/unit/host/core.c test/unit/host/panic.c
 * INCLUDE: test/unit/host
 */
#include "../host/host.h"
#include "../unit.h"

#include <abi/errno.h>
#include <abi/statfs.h>
#include <mem/heap.h>
#include <mem/page.h>

#include "../../../klib/9p/p9.h"

static uint64_t seed = 7;
static enum { HONEST, DAMAGED, RANDOM, BROKEN } mood;

static uint32_t
rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33);
}

void
completion_wait(struct completion *c)
{
	CHECK(c->done); /* the channel answers at once */
}

/* ---- the server ---- */

static uint8_t answer[256 + P9_IO_BYTES];

static uint32_t
put(uint32_t at, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		answer[at + i] = (uint8_t)(v >> (8 * i));
	return at + n;
}

static uint32_t
put_qid(uint32_t at)
{
	return put(put(put(at, P9_QTDIR, 1), 1, 4), 0x1234, 8);
}

static uint32_t
word(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

/* What an honest server says; its length. */
static uint32_t
honest(const uint8_t *ask)
{
	uint32_t at = P9_HEADER;

	switch (ask[4]) {
	case P9_TVERSION:
		at = put(at, word(ask + 7), 4);
		at = put(at, 8, 2);
		memcpy(answer + at, "9P2000.L", 8);
		at += 8;
		break;
	case P9_TATTACH:
		at = put_qid(at);
		break;
	case P9_TWALK:
		at = put(at, ask[15], 2);
		if (ask[15])
			at = put_qid(at);
		break;
	case P9_TGETATTR:
		at = put_qid(put(at, 0xfff, 8));
		at = put(put(put(at, 0100644, 4), 10, 4), 20, 4);
		at = put(put(put(at, 1, 8), 0, 8), 4242, 8);
		at = put(put(at, 4096, 8), 16, 8);
		for (unsigned i = 0; i < 8; i++)
			at = put(at, 100 + i, 8);
		at = put(put(at, 0, 8), 0, 8);
		break;
	case P9_TREADLINK:
		at = put(at, 3, 2);
		memcpy(answer + at, "abc", 3);
		at += 3;
		break;
	case P9_TREAD:
	case P9_TREADDIR:
		at = put(at, 100, 4);
		memset(answer + at, 'd', 100);
		at += 100;
		break;
	case P9_TWRITE:
		at = put(at, word(ask + 19), 4);
		break;
	case P9_TXATTRWALK:
		at = put(at, 9, 8);
		break;
	case P9_TSTATFS:
		at = put(put(at, 1, 4), 512, 4);
		for (unsigned i = 0; i < 6; i++)
			at = put(at, 1000 + i, 8);
		at = put(at, 255, 4);
		break;
	default:
		break;
	}
	put(0, at, 4);
	answer[4] = ask[4] + 1;
	answer[5] = ask[5];
	answer[6] = ask[6];
	return at;
}

static uint32_t
damage(uint32_t len)
{
	switch (rnd() % 5) {
	case 0: /* cut */
		return rnd() % (len + 1);
	case 1: /* another size */
		put(0, rnd() % 3 ? rnd() % 64 : rnd(), 4);
		return len;
	case 2: /* a byte somewhere */
		answer[rnd() % len] ^= (uint8_t)(1 + rnd() % 255);
		return len;
	case 3: /* an error, perhaps a senseless one */
		answer[4] = P9_RLERROR;
		put(7, rnd() % 2 ? rnd() % 200 : rnd(), 4);
		put(0, 11, 4);
		return 11;
	default: /* a length within it that is too large */
		put(P9_HEADER, 0xffffffff, 4);
		return len;
	}
}

static void
submit(struct p9_channel *c, struct p9_request *r)
{
	uint32_t len, at = 0;

	(void)c;
	CHECK(r->nout >= 1 && r->nin >= 1 && r->nout + r->nin <= P9_SEGS);
	len = honest(r->segs[0].data);
	if (mood == DAMAGED)
		len = damage(len);
	if (mood == RANDOM) {
		len = rnd() % 300;
		for (uint32_t i = 0; i < len; i++)
			answer[i] = (uint8_t)rnd();
		if (rnd() % 2) /* past the first look */
			memcpy(answer + 4, (uint8_t *)r->segs[0].data + 4, 3),
				answer[4]++;
	}
	for (unsigned i = r->nout; i < r->nout + r->nin && at < len; i++) {
		uint32_t n =
			r->segs[i].len < len - at ? r->segs[i].len : len - at;

		memcpy(r->segs[i].data, answer + at, n);
		at += n;
	}
	r->got = at;
	r->status = mood == BROKEN ? -EIO : 0;
	r->done(r);
}

static struct p9_channel chan = { .tag = "t", .submit = submit };

static size_t
fids_in_use(struct p9_client *c)
{
	size_t n = 0;

	for (unsigned i = 0; i < P9_MAX_FIDS / 64; i++)
		n += (size_t)__builtin_popcountll(c->fids[i]);
	return n;
}

/* ---- tests ---- */

static void
test_honest(struct p9_client *c)
{
	struct p9_attr a;
	struct statfs st;
	struct p9_qid q;
	uint64_t size;
	uint32_t fid, other;
	char link[16];
	struct page *pages[2] = { page_alloc(0, ALLOC_KERNEL),
				  page_alloc(0, ALLOC_KERNEL) };
	struct p9_data d = { .pages = pages, .len = 2 * PAGE_SIZE };

	CHECK(p9_fid_get(c, &fid) == 0);
	CHECK(p9_attach(c, fid, &q) == 0 && q.path == 0x1234);
	CHECK(p9_walk(c, fid, "name", 4, &other) == 0 && other != fid);
	CHECK(p9_getattr(c, other, &a) == 0 && a.size == 4242 &&
	      a.mode == 0100644 && a.uid == 10 && a.mtime.sec == 102);
	CHECK(p9_readlink(c, other, link, sizeof(link)) == 3 &&
	      !memcmp(link, "abc", 3));
	CHECK(p9_read(c, other, 0, &d) == 100 &&
	      *(char *)page_addr(pages[0]) == 'd');
	CHECK(p9_write(c, other, 0, &d) == 2 * (ssize_t)PAGE_SIZE);
	CHECK(p9_statfs(c, other, &st) == 0 && st.f_bsize == 512 &&
	      st.f_namelen == 255);
	p9_clunk(c, other);
	CHECK(p9_xattrwalk(c, fid, "user.x", &other, &size) == 0 && size == 9);
	p9_clunk(c, other);
	p9_clunk(c, fid);
	CHECK(fids_in_use(c) == 0);
	page_put(pages[0]);
	page_put(pages[1]);
}

static void
one_of_each(struct p9_client *c)
{
	struct page *pages[1] = { page_alloc(0, ALLOC_KERNEL) };
	struct p9_data d = { .pages = pages, .len = PAGE_SIZE };
	struct inode_attr set = { .mode = 0644 };
	struct p9_attr a;
	struct statfs st;
	struct p9_qid q;
	uint64_t size;
	uint32_t fid, other;
	char link[64];
	ssize_t n;

	CHECK(p9_fid_get(c, &fid) == 0);
	ignore(p9_attach(c, fid, &q));
	if (!p9_walk(c, fid, "n", 1, &other))
		p9_fid_put(c, other);
	if (!p9_getattr(c, fid, &a))
		CHECK(a.size <= INT64_MAX && a.mtime.nsec < 1000000000);
	n = p9_readlink(c, fid, link, sizeof(link));
	CHECK(n <= (ssize_t)sizeof(link));
	CHECK(p9_read(c, fid, 0, &d) <= (ssize_t)PAGE_SIZE);
	CHECK(p9_write(c, fid, 0, &d) <= (ssize_t)PAGE_SIZE);
	CHECK(p9_readdir(c, fid, 0, page_addr(pages[0]), PAGE_SIZE) <=
	      (ssize_t)PAGE_SIZE);
	ignore(p9_statfs(c, fid, &st));
	if (!p9_xattrwalk(c, fid, "x", &other, &size))
		p9_fid_put(c, other);
	ignore(p9_setattr(c, fid, P9_SET_MODE, &set));
	ignore(p9_lopen(c, fid, 0));
	ignore(p9_mkdir(c, fid, "d", 1, 0755, 0));
	ignore(p9_renameat(c, fid, "a", 1, fid, "b", 1));
	p9_fid_put(c, fid);
	page_put(pages[0]);
}

static void
test_hostile(struct p9_client *c)
{
	for (unsigned i = 0; i < 20000; i++) {
		mood = i % 2 ? DAMAGED : i % 50 ? RANDOM : BROKEN;
		one_of_each(c);
	}
	mood = HONEST;
	CHECK(fids_in_use(c) == 0);
}

static void
test_names(struct p9_client *c)
{
	static char name[5000];
	uint32_t fid;

	memset(name, 'n', sizeof(name));
	CHECK(p9_walk(c, 0, name, sizeof(name), &fid) == -ENAMETOOLONG);
	CHECK(fids_in_use(c) == 0);
}

int
main(void)
{
	struct p9_client *c, *d;

	host_mem_init(32 << 20);
	CHECK(p9_client_open("t", &c) == -ENXIO);
	p9_channel_add(&chan);
	CHECK(p9_client_open("t", &c) == 0);
	CHECK(p9_client_open("t", &d) == -EBUSY);
	test_honest(c);
	test_names(c);
	test_hostile(c);
	p9_client_close(c);
	for (unsigned i = 0; i < 200; i++) {
		mood = DAMAGED;
		if (!p9_client_open("t", &c))
			p9_client_close(c);
	}
	return 0;
}
