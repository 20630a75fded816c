/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages, memory, buffers and paths.  See util.h for the rules.
 */
#include "util.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEATH_MAX 8

bool verbose, terminal_raw;
static void (*death[DEATH_MAX])(void);
static unsigned ndeath;

static void
run_death(void)
{
	while (ndeath)
		death[--ndeath]();
}

void
at_death(void (*fn)(void))
{
	if (!ndeath)
		atexit(run_death);
	if (ndeath < DEATH_MAX)
		death[ndeath++] = fn;
}

static void
vmessage(const char *fmt, va_list ap)
{
	char *text;

	/* One write, so that lines of two runs do not mix. */
	if (vasprintf(&text, fmt, ap) < 0)
		return;
	dprintf(2, "pith: %s%s\n", text, terminal_raw ? "\r" : "");
	free(text);
}

/* The terminal is restored first, or the line would be a staircase. */
void
die(int status, const char *fmt, ...)
{
	va_list ap;

	run_death();
	va_start(ap, fmt);
	vmessage(fmt, ap);
	va_end(ap);
	exit(status);
}

void
warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vmessage(fmt, ap);
	va_end(ap);
}

void
say(const char *fmt, ...)
{
	va_list ap;

	if (!verbose)
		return;
	va_start(ap, fmt);
	vmessage(fmt, ap);
	va_end(ap);
}

/* A command can do nothing useful without memory. */
static void *
checked(void *p)
{
	if (!p)
		die(STATUS_FAILED, "out of memory on the host");
	return p;
}

void *
xmalloc(size_t len)
{
	return checked(malloc(len ? len : 1));
}

void *
xcalloc(size_t n, size_t len)
{
	return checked(calloc(n ? n : 1, len));
}

void *
xrealloc(void *p, size_t len)
{
	return checked(realloc(p, len));
}

char *
xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *
xstrndup(const char *s, size_t len)
{
	return checked(strndup(s, len));
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return checked(n < 0 ? NULL : s);
}

void
buf_add(struct buf *b, const void *p, size_t len)
{
	if (b->len + len + 1 > b->cap) {
		b->cap = (b->len + len + 1) * 2;
		b->p = xrealloc(b->p, b->cap);
	}
	if (len)
		memcpy(b->p + b->len, p, len);
	b->len += len;
	b->p[b->len] = '\0';
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	checked(n < 0 ? NULL : s);
	buf_add(b, s, n);
	free(s);
}

void
buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

bool
strv_has(const struct strv *s, const char *str)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->v[i], str))
			return true;
	return false;
}

void
strv_add(struct strv *s, const char *str)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->v = xrealloc(s->v, s->cap * sizeof(*s->v));
	}
	s->v[s->n++] = xstrdup(str);
}

/* Appends.  The size is only a hint: files of /proc say 0. */
int
read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n = 0;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		out->cap = out->len + st.st_size + 1;
		out->p = xrealloc(out->p, out->cap);
	}
	for (;;) {
		if (out->cap < out->len + 4096) {
			out->cap = out->cap * 2 + 8192;
			out->p = xrealloc(out->p, out->cap);
		}
		n = read(fd, out->p + out->len, out->cap - out->len - 1);
		if (n <= 0)
			break;
		out->len += n;
	}
	if (n < 0)
		err = -errno;
	out->p[out->len] = '\0';
	close(fd);
	return err;
}

int
write_all(int fd, const void *p, size_t len)
{
	const char *s = p;

	while (len) {
		ssize_t n = write(fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		s += n;
		len -= n;
	}
	return 0;
}

int
pwrite_all(int fd, const void *p, size_t len, uint64_t at)
{
	const char *s = p;

	while (len) {
		ssize_t n = pwrite(fd, s, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		s += n;
		at += n;
		len -= n;
	}
	return 0;
}

int
mkdir_p(const char *path, unsigned mode)
{
	char *copy = xstrdup(path);
	int err = 0;

	for (char *p = copy + 1; !err && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			err = -errno;
		*p = '/';
	}
	if (!err && mkdir(copy, mode) < 0 && errno != EEXIST)
		err = -errno;
	free(copy);
	return err;
}

bool
path_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

char *
path_join(const char *dir, const char *rest)
{
	size_t n = strlen(dir);

	while (n && dir[n - 1] == '/')
		n--;
	while (*rest == '/')
		rest++;
	return xasprintf("%.*s/%s", (int)n, dir, rest);
}

/* ".." stays: behind a symbolic link it is not what it seems. */
char *
path_absolute(const char *path)
{
	struct buf b = { 0 };
	char *cwd = NULL, *joined, *save, *part;

	if (path[0] != '/') {
		cwd = getcwd(NULL, 0);
		joined = path_join(cwd ? cwd : "/", path);
	} else {
		joined = xstrdup(path);
	}
	free(cwd);
	for (part = strtok_r(joined, "/", &save); part;
	     part = strtok_r(NULL, "/", &save))
		if (strcmp(part, "."))
			buf_addf(&b, "/%s", part);
	free(joined);
	if (!b.len)
		buf_add(&b, "/", 1);
	return b.p;
}

/* Four results stay valid at a time, enough for one message. */
const char *
printable(const char *s)
{
	static char *ring[4];
	static unsigned turn;
	struct buf b = { 0 };

	for (; *s; s++)
		if ((unsigned char)*s < 32 || *s == 127)
			buf_addf(&b, "\\x%02x", (unsigned char)*s);
		else
			buf_add(&b, s, 1);
	buf_add(&b, "", 0);
	turn = (turn + 1) % ARRAY_LEN(ring);
	free(ring[turn]);
	return ring[turn] = b.p;
}

unsigned
edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned *row = xcalloc(lb + 1, sizeof(*row)), d;

	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		unsigned diag = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = diag + (a[i - 1] != b[j - 1]);

			diag = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	d = row[lb];
	free(row);
	return d;
}

int
parse_size(const char *s, uint64_t *out)
{
	static const char units[] = "KMGT";
	unsigned long long v;
	const char *u;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno)
		return -EINVAL;
	if (*end && (u = strchr(units, toupper((unsigned char)*end)))) {
		unsigned shift = 10 * (unsigned)(u - units + 1);

		if (v > UINT64_MAX >> shift)
			return -EINVAL;
		v <<= shift;
		end++;
		if (!strcmp(end, "iB"))
			end += 2;
		else if (!strcmp(end, "B"))
			end++;
	}
	if (*end)
		return -EINVAL;
	*out = v;
	return 0;
}

int
parse_u32(const char *s, uint32_t *out)
{
	uint64_t v;

	if (strlen(s) > 10 || !*s || s[strspn(s, "0123456789")])
		return -EINVAL;
	v = strtoull(s, NULL, 10);
	if (v > UINT32_MAX)
		return -EINVAL;
	*out = v;
	return 0;
}
