/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that refuses some of the data.  Goal: no file ever shows bytes of
 * another, now or after a cut, and what fsync said is there, is.
 *
 * Method: first the whole disk is filled with a file that is then deleted.
 * Each sector that is written afterwards says which file it is of, and when it
 * was written; some say that they are to be refused, and the disk does.  All
 * files are read after every step.  A block that a successful fsync covered
 * holds what was written last; any other zeroes, or something of its own file
 * since that was made.  What is not used leaves memory now and then; an error
 * that nobody was told must not leave with it.
 */
#include "refuse.h"

#include "fs.h"
#include "host.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <fs/namei.h>
#include <fs/vfs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NFILES 4u
#define UNIT   1024u
#define UNITS  160u /* of a file, at most */
#define SECTOR 512u
#define SNAPS  1024u
#define KEEP   FALLOC_FL_KEEP_SIZE
#define BIG    40960u /* a piece of the file that is deleted */

struct sector {
	char tag[8];
	uint32_t file, version;
	uint8_t fill[SECTOR - 16];
};

/* What a file should hold, in units. */
struct model {
	uint32_t size;
	uint32_t value[UNITS]; /* version, 0: zeroes */
	bool dirty[UNITS];     /* fsync has not spoken of it yet */
	bool sure[UNITS];      /* it has, and it is there */
	uint32_t born;	       /* no version of it is older */
};
static struct model files[NFILES];
static uint32_t version = 1;

/* A model that holds from mark `from` on, before mark `to` (0: for ever). */
static struct snap {
	struct model m;
	unsigned file;
	uint32_t from, to;
} snaps[SNAPS];
static unsigned nsnaps;

static void
bad(const char *what, unsigned file, uint32_t unit)
{
	printf("FAILED: /r%u, unit %u: %s\n", file, unit, what);
	fflush(stdout);
	_Exit(1);
}

static char *
name(unsigned file)
{
	static char path[16];

	snprintf(path, sizeof(path), "/r%u", file);
	return path;
}

static bool
refuses(const void *data, size_t len)
{
	for (size_t at = 0; at + SECTOR <= len; at += SECTOR)
		if (!memcmp((const char *)data + at, "REFUSED!", 8))
			return true;
	return false;
}

/* ---- checks ---- */

static uint32_t
value_of(const struct sector *s, unsigned file, uint32_t unit)
{
	static const struct sector none;

	if (!memcmp(s, &none, sizeof(none)))
		return 0;
	if (memcmp(s->tag, "ACCEPTED", 8) && memcmp(s->tag, "REFUSED!", 8))
		bad("bytes of nobody's", file, unit);
	if (s->file != file)
		bad("another file's bytes", file, unit);
	return s->version;
}

/* live: what the machine shows that did not fail. */
static void
check(const struct model *m, unsigned file, bool live)
{
	static struct sector buf[UNITS * (UNIT / SECTOR)];
	int n = fs_read(name(file), 0, buf, sizeof(buf));

	if (n == -ENOENT || n == 0)
		n = 0;
	if (n < 0 || (live && n != (int)(m->size * UNIT)))
		bad("cannot be read", file, (uint32_t)n);
	for (uint32_t u = 0; u < (uint32_t)n / UNIT; u++) {
		uint32_t v = value_of(&buf[u * 2], file, u);
		uint32_t w = value_of(&buf[u * 2 + 1], file, u);

		if (v && v < m->born)
			bad("bytes of a file of that name before", file, u);
		if (u < m->size && m->sure[u] &&
		    (v != m->value[u] || w != m->value[u]))
			bad("not what was synced", file, u);
	}
}

void
refuse_check(uint32_t at)
{
	for (unsigned f = 0; f < NFILES; f++) {
		struct model none = { .size = 0 };
		const struct model *m = &none;

		for (unsigned k = 0; k < nsnaps; k++)
			if (snaps[k].file == f && snaps[k].from <= at &&
			    (!snaps[k].to || snaps[k].to > at))
				m = &snaps[k].m;
		check(m, f, false);
	}
}

/* ---- steps ---- */

static void
set(struct model *m, uint32_t from, uint32_t end, uint32_t v)
{
	for (uint32_t u = from; u < end && u < UNITS; u++) {
		m->value[u] = v;
		m->dirty[u] = true;
		m->sure[u] = false;
	}
}

static void
do_write(unsigned f, uint32_t from, uint32_t n, bool no)
{
	struct model *m = &files[f];
	struct sector *buf = calloc(n * 2, sizeof(*buf));

	if (!m->born)
		m->born = version;
	for (uint32_t k = 0; k < n * 2; k++) {
		buf[k].file = f;
		buf[k].version = version;
		memcpy(buf[k].tag,
		       no && k / 2 == n / 2 ? "REFUSED!" : "ACCEPTED", 8);
		memset(buf[k].fill, (int)version, sizeof(buf[k].fill));
	}
	if (fs_write_buf(name(f), (uint64_t)from * UNIT, buf, n * UNIT))
		bad("write", f, from);
	free(buf);
	if (m->size < from)
		set(m, m->size, from, 0);
	set(m, from, from + n, version++);
	if (m->size < from + n)
		m->size = from + n;
}

/* true: it is all there. */
static bool
do_fsync(unsigned f)
{
	struct model *m = &files[f];
	int err = fs_fsync(name(f), false);

	if (err && err != -EIO && err != -ENOENT)
		bad("fsync", f, (uint32_t)-err);
	for (uint32_t u = 0; u < UNITS; u++) {
		m->sure[u] = m->sure[u] || (m->dirty[u] && !err);
		m->dirty[u] = false;
	}
	return !err;
}

static void
do_truncate(unsigned f, uint32_t to)
{
	struct model *m = &files[f];

	if (path_truncate(name(f), (int64_t)to * UNIT))
		return; /* there is no such file */
	set(m, to < m->size ? to : m->size, UNITS, 0);
	m->size = to;
}

/* Moves the units from `at` on by n, in pages. */
static void
do_move(unsigned f, uint32_t at, uint32_t n, bool insert)
{
	struct model *m = &files[f], old = *m;

	at &= ~3u;
	n = (n & ~3u) + 4;
	if (insert && m->size + n > UNITS)
		return;
	if (fs_fallocate(name(f),
			 insert ? FALLOC_FL_INSERT_RANGE :
				  FALLOC_FL_COLLAPSE_RANGE,
			 at * UNIT, n * UNIT))
		return; /* beyond the end */
	for (uint32_t u = at; u < UNITS; u++) {
		uint32_t from = insert ? u - n : u + n;
		bool hole = insert ? u < at + n : from >= UNITS;

		m->value[u] = hole ? 0 : old.value[from];
		m->dirty[u] = hole || old.dirty[from];
		m->sure[u] = !hole && old.sure[from];
	}
	m->size = insert ? m->size + n : m->size - n;
}

static void
do_unlink(unsigned f)
{
	if (!path_unlink(AT_FDCWD, name(f), false))
		memset(&files[f], 0, sizeof(files[f]));
}

static void
one_step(unsigned f, uint32_t (*step)(void))
{
	uint32_t at = rnd(UNITS - 40), n = 1 + rnd(40);

	for (unsigned k = 0; k < nsnaps; k++)
		if (snaps[k].file == f && !snaps[k].to)
			snaps[k].to = step();
	switch (rnd(14)) {
	case 0:
		do_truncate(f, at);
		break;
	case 1:
		if (!fs_fallocate(name(f), KEEP | FALLOC_FL_PUNCH_HOLE,
				  at * UNIT, n * UNIT))
			set(&files[f], at, at + n, 0);
		break;
	case 2:
		ignore(fs_fallocate(name(f), KEEP, at * UNIT, n * UNIT));
		break;
	case 3:
	case 4:
		do_move(f, at, n, rnd(2));
		break;
	case 5:
		do_unlink(f);
		break;
	case 6:
		fs_forget();
		break;
	case 7:
	case 8:
		if (nsnaps < SNAPS && do_fsync(f))
			snaps[nsnaps++] =
				(struct snap){ files[f], f, step(), 0 };
		break;
	default:
		do_write(f, at, n, !rnd(3));
	}
}

void
refuse_prepare(void)
{
	static char buf[BIG];
	unsigned n = 0;
	int err;

	for (size_t k = 0; k < sizeof(buf); k++)
		buf[k] = "SECRETS."[k % 8];
	while (!(err = fs_write_buf("/old", n * (uint64_t)BIG, buf, BIG)))
		n++;
	if (err != -ENOSPC || fs_sync() ||
	    path_unlink(AT_FDCWD, "/old", false) || fs_sync())
		bad("filling the disk", 0, n);
}

void
refuse_load(struct host_disk *d, unsigned n, uint32_t (*step)(void))
{
	d->refuses = refuses;
	while (n--) {
		one_step(rnd(NFILES), step);
		for (unsigned f = 0; f < NFILES; f++)
			check(&files[f], f, true);
	}
	if (fs_sync() && fs_sync()) /* it is told once */
		bad("sync", 0, 0);
	d->refuses = NULL;
}
