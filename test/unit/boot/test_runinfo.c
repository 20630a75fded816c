/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the manifest and the run block, whatever is in them, are parsed into
 * something whole or refused; a later block replaces what it names.
 * Method: blocks by hand; then valid ones of random records, damaged, cut,
 * with the checksum put right again so that the damage gets in; each end of
 * the heap's patience in turn.
 * SOURCES: src/boot/runinfo.c src/base/hash.c
 */
#include "../unit.h"

#include <abi/errno.h>
#include <base/hash.h>
#include <boot/runinfo.h>
#include <core/log.h>
#include <mem/heap.h>

static unsigned fail_after; /* allocations; 0: never */

static void *
get(size_t n)
{
	if (fail_after && !--fail_after)
		return NULL;
	return malloc(n ? n : 1);
}

void *
kmalloc(size_t n, unsigned how)
{
	(void)how;
	return get(n);
}
void
kfree(void *p)
{
	free(p);
}
void
log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level, (void)fmt;
}

void *
kcalloc(size_t n, size_t size, unsigned how)
{
	void *p = get(n * size);

	(void)how;
	return p ? memset(p, 0, n * size) : NULL;
}

void *
kmemdup(const void *from, size_t n, unsigned how)
{
	void *p = get(n);

	(void)how;
	return p ? memcpy(p, from, n) : NULL;
}

/* ---- blocks ---- */

struct block {
	struct pith_block_header h;
	uint8_t bytes[65536];
};

static struct block one, two;

static void
begin(struct block *b)
{
	memset(&b->h, 0, sizeof(b->h));
	b->h.magic = PITH_BLOCK_MAGIC;
	b->h.version = PITH_BLOCK_VERSION;
}

static void
seal(struct block *b)
{
	b->h.crc32c = ~crc32c(~0u, b->bytes, b->h.len_bytes);
}

static void
put(struct block *b, unsigned tag, const void *v, uint32_t len)
{
	struct pith_record r;
	uint32_t at = b->h.len_bytes;

	memset(&r, 0, sizeof(r));
	r.tag = tag;
	r.len_bytes = len;
	if (at + sizeof(r) + len + 4 > sizeof(b->bytes))
		return;
	memcpy(b->bytes + at, &r, sizeof(r));
	memcpy(b->bytes + at + sizeof(r), v, len);
	memset(b->bytes + at + sizeof(r) + len, 0, 3);
	b->h.len_bytes = at + (uint32_t)sizeof(r) + ((len + 3) & ~3u);
	seal(b);
}

static void
text(struct block *b, unsigned tag, const char *s)
{
	put(b, tag, s, (uint32_t)strlen(s));
}

static size_t
size_of(const struct block *b)
{
	return sizeof(b->h) + b->h.len_bytes;
}

static int
parse(const struct block *m, const struct block *r, struct run_info *out)
{
	return run_info_parse(m, m ? size_of(m) : 0, r, r ? size_of(r) : 0,
			      out);
}

/* Everything that is handed on can be read to its end. */
static void
read_all(const struct run_info *o)
{
	size_t n = strlen(o->program) + strlen(o->cwd) + strlen(o->hostname);

	CHECK(o->argc >= 1);
	for (unsigned i = 0; i < o->argc; i++)
		n += strlen(o->argv[i]);
	CHECK(!o->argv[o->argc]);
	for (unsigned i = 0; i < o->envc; i++)
		n += strlen(o->envp[i]);
	CHECK(!o->envp[o->envc]);
	for (unsigned i = 0; i < o->nmounts; i++)
		n += strlen(o->mounts[i].type) + strlen(o->mounts[i].source) +
		     strlen(o->mounts[i].target) + strlen(o->mounts[i].options);
	for (unsigned i = 0; i < o->nklibs; i++) {
		n += strlen(o->klibs[i].name) + strlen(o->klibs[i].args);
		for (size_t k = 0; k < o->klibs[i].len; k++)
			n += ((const uint8_t *)o->klibs[i].file)[k];
	}
	for (unsigned i = 0; i < o->nrlimits; i++)
		n += o->rlimits[i].resource;
	for (unsigned i = 0; i < o->ngroups; i++)
		n += o->groups[i];
	for (size_t i = 0; i < o->seed_len; i++)
		n += ((const uint8_t *)o->seed)[i];
	if (o->trace && o->trace_filter)
		n += strlen(o->trace_filter);
	CHECK(o->root_mode <= PITH_ROOT_RW);
	CHECK(n < sizeof(one) * 4 + 0x100000000ull * 100);
}

/* ---- tests ---- */

static void
test_merge(void)
{
	struct run_info o;

	begin(&one);
	begin(&two);
	text(&one, PITH_REC_PROGRAM, "/bin/p");
	text(&one, PITH_REC_ARG, "p");
	text(&one, PITH_REC_ARG, "from the manifest");
	text(&one, PITH_REC_ENV, "A=1");
	text(&one, PITH_REC_ENV, "AB=2");
	put(&one, PITH_REC_MOUNT, "tmpfs\0none\0/tmp\0size=1", 22);
	text(&two, PITH_REC_ARG, "q");
	text(&two, PITH_REC_ENV, "A=3");
	CHECK_EQ(parse(&one, &two, &o), 0);
	CHECK_STR(o.program, "/bin/p");
	CHECK_EQ(o.argc, 1);
	CHECK_STR(o.argv[0], "q");
	CHECK_EQ(o.envc, 2);
	CHECK_STR(o.envp[0], "A=3");
	CHECK_STR(o.envp[1], "AB=2");
	CHECK_STR(o.mounts[0].options, "size=1");
	read_all(&o);
	/* No arguments at all: the program's name. */
	begin(&one);
	text(&one, PITH_REC_PROGRAM, "/bin/p");
	CHECK_EQ(parse(&one, NULL, &o), 0);
	CHECK_STR(o.argv[0], "/bin/p");
}

static void
test_klibs(void)
{
	struct run_info o;

	begin(&one);
	text(&one, PITH_REC_PROGRAM, "/bin/p");
	put(&one, PITH_REC_KLIB, "a\0b=c", 5);
	put(&one, PITH_REC_KLIB_FILE, "bytes", 5);
	text(&one, PITH_REC_KLIB, "d");
	CHECK_EQ(parse(&one, NULL, &o), 0);
	CHECK_EQ(o.nklibs, 2);
	CHECK_STR(o.klibs[0].name, "a");
	CHECK_STR(o.klibs[0].args, "b=c");
	CHECK(o.klibs[0].len == 5 && !memcmp(o.klibs[0].file, "bytes", 5));
	CHECK_STR(o.klibs[1].args, "");
	CHECK(!o.klibs[1].file);
	read_all(&o);
	/* The run's replace the manifest's. */
	begin(&two);
	put(&two, PITH_REC_KLIB, "e\0", 2);
	put(&two, PITH_REC_KLIB_FILE, "x", 1);
	CHECK_EQ(parse(&one, &two, &o), 0);
	CHECK_EQ(o.nklibs, 1);
	CHECK_STR(o.klibs[0].name, "e");
	put(&two, PITH_REC_KLIB_FILE, "x", 1);
	CHECK_EQ(parse(&one, &two, &o), -EINVAL);
	begin(&two);
	put(&two, PITH_REC_KLIB_FILE, "x", 1);
	text(&two, PITH_REC_PROGRAM, "/bin/p");
	CHECK_EQ(parse(NULL, &two, &o), -EINVAL);
	for (int i = 0; i < 20; i++)
		text(&one, PITH_REC_KLIB, "k");
	CHECK_EQ(parse(&one, NULL, &o), -E2BIG);
}

static void
test_refused(void)
{
	struct run_info o;

	begin(&one);
	seal(&one);
	CHECK_EQ(parse(&one, NULL, &o), -ENOEXEC);
	CHECK_EQ(parse(NULL, NULL, &o), -ENOEXEC);
	text(&one, PITH_REC_PROGRAM, "/bin/p");
	for (size_t n = 0; n < size_of(&one); n++)
		CHECK_EQ(run_info_parse(&one, n, NULL, 0, &o), -EINVAL);
	one.bytes[3] ^= 1;
	CHECK_EQ(parse(&one, NULL, &o), -EINVAL);
	one.bytes[3] ^= 1;
	put(&one, PITH_REC_MOUNT, "tmpfs\0none\0/tmp", 15);
	CHECK_EQ(parse(&one, NULL, &o), -EINVAL);
	begin(&one);
	text(&one, PITH_REC_PROGRAM, "/bin/p");
	put(&one, 0x3000, "", 0);
	CHECK_EQ(parse(&one, NULL, &o), -EINVAL);
	begin(&one);
	text(&one, PITH_REC_PROGRAM, "/bin/p");
	put(&one, 0x3000 | PITH_REC_OPTIONAL, "", 0);
	CHECK_EQ(parse(&one, NULL, &o), 0);
	/* More mounts than anyone has. */
	for (int i = 0; i < 300; i++)
		put(&one, PITH_REC_MOUNT, "t\0n\0/\0", 6);
	CHECK_EQ(parse(&one, NULL, &o), -E2BIG);
}

static void
random_block(struct block *b, uint64_t *state)
{
	static uint8_t v[4096];
	unsigned n = (unsigned)(unit_random(state) % 30);

	begin(b);
	seal(b);
	if (unit_random(state) % 8)
		text(b, PITH_REC_PROGRAM, "/bin/p");
	while (n--) {
		static const uint16_t sizes[] = { 0, 1, 4, 8, 12, 24, 36 };
		uint64_t r = unit_random(state);
		uint32_t len = r % 3 ? sizes[r >> 8 & 7 ? (r >> 8) % 7 : 0] :
				       (uint32_t)(r >> 8) % 400;

		for (uint32_t i = 0; i < len; i++)
			v[i] = r >> 40 & 1 ? (uint8_t) "=a\0/"[i % 4] :
					     (uint8_t)unit_random(state);
		put(b,
		    (unsigned)(r >> 32) % 40 |
			    (r >> 63 ? PITH_REC_OPTIONAL : 0),
		    v, len);
	}
}

static void
damage(struct block *b, uint64_t *state)
{
	unsigned n = (unsigned)(unit_random(state) % 4);

	while (n-- && b->h.len_bytes) {
		uint64_t r = unit_random(state);

		b->bytes[r % b->h.len_bytes] = (uint8_t)(r >> 32);
	}
	if (unit_random(state) % 8 == 0 && b->h.len_bytes)
		b->h.len_bytes -=
			(uint32_t)(unit_random(state) % b->h.len_bytes);
	seal(b);
}

/* Memory of one parse is never given back: all of it at once, by a child of
 * ours for each thousand, would be more machinery than it is worth, so the
 * rounds are few enough. */
static void
test_random(void)
{
	uint64_t state = 7;
	unsigned rounds = getenv("PITH_LONG") ? 300000 : 5000;

	for (unsigned k = 0; k < rounds; k++) {
		struct run_info o;
		uint8_t *m, *r;
		size_t nm, nr;

		random_block(&one, &state);
		random_block(&two, &state);
		damage(&one, &state);
		damage(&two, &state);
		/* Exactly as long as they are: ASan sees a step beyond. */
		nm = size_of(&one);
		nr = size_of(&two);
		m = malloc(nm);
		r = malloc(nr);
		memcpy(m, &one, nm);
		memcpy(r, &two, nr);
		if (unit_random(&state) % 16 == 0)
			m[unit_random(&state) % sizeof(one.h)] ^= 1;
		fail_after =
			k % 2 ? 1 + (unsigned)(unit_random(&state) % 60) : 0;
		if (!run_info_parse(m, nm, r, nr, &o))
			read_all(&o);
		fail_after = 0;
		free(m);
		free(r);
	}
}

static const struct unit_test tests[] = {
	{ "merge", test_merge },
	{ "klibs", test_klibs },
	{ "refused", test_refused },
	{ "random", test_random },
	{ NULL, NULL },
};

const char *
__asan_default_options(void)
{
	return "detect_leaks=0"; /* what is parsed lives until the end */
}

UNIT_MAIN(tests)
