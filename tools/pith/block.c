/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building and reading blocks; the format is in abi/pith.h.
 */
#include "block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const struct {
	const char *name;
	uint32_t number;
} rlimits[] = {
	{ "cpu", RLIMIT_CPU },
	{ "fsize", RLIMIT_FSIZE },
	{ "data", RLIMIT_DATA },
	{ "stack", RLIMIT_STACK },
	{ "core", RLIMIT_CORE },
	{ "rss", RLIMIT_RSS },
	{ "nproc", RLIMIT_NPROC },
	{ "nofile", RLIMIT_NOFILE },
	{ "memlock", RLIMIT_MEMLOCK },
	{ "as", RLIMIT_AS },
	{ "sigpending", RLIMIT_SIGPENDING },
	{ "msgqueue", RLIMIT_MSGQUEUE },
	{ "nice", RLIMIT_NICE },
	{ "rtprio", RLIMIT_RTPRIO },
};

void
block_start(struct buf *b)
{
	struct pith_block_header h = { 0 };

	buf_add(b, &h, sizeof(h));
}

void
block_put(struct buf *b, uint16_t tag, const void *p, size_t len)
{
	struct pith_record r = { .tag = tag, .len_bytes = len };

	buf_add(b, &r, sizeof(r));
	buf_add(b, p, len);
	buf_add(b, "\0\0\0", -len & 3);
}

void
block_put_str(struct buf *b, uint16_t tag, const char *s)
{
	block_put(b, tag, s, strlen(s));
}

void
block_put_u32(struct buf *b, uint16_t tag, uint32_t v)
{
	block_put(b, tag, &v, sizeof(v));
}

int
block_finish(struct buf *b)
{
	struct pith_block_header h = {
		.magic = PITH_BLOCK_MAGIC,
		.version = PITH_BLOCK_VERSION,
		.len_bytes = b->len - sizeof(h),
	};

	if (b->len > PITH_BLOCK_MAX)
		return -E2BIG;
	h.crc32c = crc32c(b->p + sizeof(h), h.len_bytes);
	memcpy(b->p, &h, sizeof(h));
	return 0;
}

/* Variables of one name: the last one counts. */
static bool
replaced_later(const struct strv *env, size_t i)
{
	size_t len = strcspn(env->v[i], "=") + 1;

	for (size_t k = i + 1; k < env->n; k++)
		if (!strncmp(env->v[k], env->v[i], len))
			return true;
	return false;
}

static uint64_t
limit_value(const char *s, size_t len, const char *whole)
{
	char *copy = xstrndup(s, len);
	uint64_t v;

	if (!strcmp(copy, "unlimited") || !strcmp(copy, "infinity"))
		v = ~0ull;
	else if (parse_size(copy, &v))
		die(STATUS_FAILED,
		    "--rlimit %s: \"%s\" is no number, nor "
		    "\"unlimited\"",
		    printable(whole), printable(copy));
	free(copy);
	return v;
}

/* NAME=SOFT[:HARD] with prlimit(1)'s names. */
static void
put_rlimit(struct buf *b, const char *s)
{
	const char *eq = strchr(s, '='), *colon = strchr(s, ':');
	struct {
		uint32_t resource, zero;
		uint64_t soft, hard;
	} rec = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rlimits); i++)
		if (strlen(rlimits[i].name) == (size_t)(eq - s) &&
		    !strncmp(rlimits[i].name, s, eq - s))
			break;
	if (i == ARRAY_LEN(rlimits))
		die(STATUS_FAILED,
		    "--rlimit %s: no such limit; there is "
		    "nofile, stack, core, as, nproc, ...",
		    printable(s));
	rec.resource = rlimits[i].number;
	rec.soft = limit_value(eq + 1, strcspn(eq + 1, ":"), s);
	rec.hard =
		colon ? limit_value(colon + 1, strlen(colon + 1), s) : rec.soft;
	if (rec.soft > rec.hard)
		die(STATUS_FAILED,
		    "--rlimit %s: the soft limit is above the "
		    "hard one",
		    printable(s));
	block_put(b, PITH_REC_RLIMIT, &rec, sizeof(rec));
}

/* "TYPE:SOURCE:TARGET[:OPTIONS]" as four strings with NULs between. */
static void
put_mount(struct buf *b, const char *s)
{
	struct buf v = { 0 };
	unsigned colons = 0;

	buf_addf(&v, "%s", s);
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] == ':' && colons++ < 3)
			v.p[i] = '\0';
	if (colons < 3)
		buf_add(&v, "", 1);
	block_put(b, PITH_REC_MOUNT, v.p, v.len);
	buf_free(&v);
}

/* PATH and HOME, and with `host` what of the host's environment goes in;
 * what the user said follows and so wins. */
void
default_env(struct options *o, const struct target *t, bool host)
{
	static const char *const names[] = { "TERM", "LANG" };
	static const char path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:"
				   "/usr/bin:/sbin:/bin";
	struct strv said = o->env;
	size_t len = strrchr(t->path, '/') - t->path;
	char *kv, *dir = xstrndup(t->path, len);
	bool known = false;

	/* A program from elsewhere finds its companions, and itself. */
	for (const char *p = path; p; p = strchr(p, ':')) {
		p += *p == ':';
		known |= !strncmp(p, dir, len) && (!p[len] || p[len] == ':');
	}
	o->env = (struct strv){ 0 };
	kv = xasprintf("PATH=%s%s%s", known ? "" : dir, known ? "" : ":", path);
	strv_add(&o->env, kv);
	free(kv);
	strv_add(&o->env, o->have_user && o->uid ? "HOME=/home" : "HOME=/root");
	for (size_t i = 0; host && i < ARRAY_LEN(names); i++) {
		if (!getenv(names[i]))
			continue;
		kv = xasprintf("%s=%s", names[i], getenv(names[i]));
		strv_add(&o->env, kv);
		free(kv);
	}
	for (size_t i = 0; i < said.n; i++)
		strv_add(&o->env, said.v[i]);
	free(dir);
}

/* What was said replaces what the manifest says, and nothing else does. */
void
block_put_said(struct buf *b, const struct options *o)
{
	for (size_t i = 0; i < o->env.n; i++)
		if (!replaced_later(&o->env, i))
			block_put_str(b, PITH_REC_ENV, o->env.v[i]);
	if (o->workdir)
		block_put_str(b, PITH_REC_CWD, o->workdir);
	if (o->have_user) {
		uint32_t cred[2] = { o->uid, o->gid };

		block_put(b, PITH_REC_CRED, cred, sizeof(cred));
	}
	if (o->root_mode >= 0)
		block_put_u32(b, PITH_REC_ROOT_MODE, o->root_mode);
	if (o->hostname)
		block_put_str(b, PITH_REC_HOSTNAME, o->hostname);
	if (o->have_umask)
		block_put_u32(b, PITH_REC_UMASK, o->umask);
	for (size_t i = 0; i < o->mounts.n; i++)
		put_mount(b, o->mounts.v[i]);
	for (size_t i = 0; i < o->rlimits.n; i++)
		put_rlimit(b, o->rlimits.v[i]);
}

void
block_put_app(struct buf *b, const struct options *o, const struct target *t)
{
	block_put_str(b, PITH_REC_PROGRAM, t->path);
	block_put_str(b, PITH_REC_ARG, t->argv0);
	for (size_t i = 0; i < o->args.n; i++)
		block_put_str(b, PITH_REC_ARG, o->args.v[i]);
	if (!o->workdir) {
		char *cwd = path_absolute(".");

		block_put_str(b, PITH_REC_CWD, t->relative ? cwd : "/");
		free(cwd);
	}
	if (!o->hostname)
		block_put_str(b, PITH_REC_HOSTNAME, "pith");
	if (o->root_mode < 0)
		block_put_u32(b, PITH_REC_ROOT_MODE, PITH_ROOT_OVERLAY);
	block_put_said(b, o);
}

int
block_check(const struct buf *b, const char **why)
{
	struct pith_block_header h;
	struct block_item item;
	size_t at = 0;

	if (b->len < sizeof(h)) {
		*why = "the manifest is cut off";
		return -EINVAL;
	}
	memcpy(&h, b->p, sizeof(h));
	if (h.magic != PITH_BLOCK_MAGIC)
		*why = "the manifest has no magic number";
	else if (h.version != PITH_BLOCK_VERSION)
		*why = "the manifest is of another version of pith";
	else if (h.len_bytes > b->len - sizeof(h))
		*why = "the manifest is cut off";
	else if (crc32c(b->p + sizeof(h), h.len_bytes) != h.crc32c)
		*why = "the manifest's checksum is wrong";
	else
		*why = NULL;
	if (*why)
		return -EINVAL;
	while (block_next(b, &at, &item))
		;
	if (at != h.len_bytes) {
		*why = "a record of the manifest is cut off";
		return -EINVAL;
	}
	return 0;
}

/* Stops at a record that does not fit; block_check sees that as damage. */
bool
block_next(const struct buf *b, size_t *at, struct block_item *out)
{
	struct pith_block_header h;
	struct pith_record r;
	size_t left;
	const char *p;

	memcpy(&h, b->p, sizeof(h));
	left = h.len_bytes - *at;
	p = b->p + sizeof(h) + *at;
	if (left < sizeof(r))
		return false;
	memcpy(&r, p, sizeof(r));
	if (r.len_bytes > left - sizeof(r))
		return false;
	out->tag = r.tag;
	out->len = r.len_bytes;
	out->value = p + sizeof(r);
	left -= sizeof(r);
	r.len_bytes += -r.len_bytes & 3;
	*at += sizeof(r) + (r.len_bytes < left ? r.len_bytes : left);
	return true;
}
