/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small things every part of `pith` uses: messages, memory, byte buffers,
 * hashes.  `die` is the one way out on an error: it prints one line that
 * begins "pith: ", undoes what was registered with `at_death`, and ends with
 * one of the statuses below.  Host memory exhaustion is such an error too.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What `pith` itself answers; everything else is the program's own. */
#define STATUS_TIMEOUT	124
#define STATUS_FAILED	125
#define STATUS_NOEXEC	126
#define STATUS_NOTFOUND 127

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

extern bool verbose;	  /* --verbose was given */
extern bool terminal_raw; /* tty.c: a line must end in \r\n now */

_Noreturn void die(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A line under --verbose only. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* fn runs (last registered first) before the process ends by die or exit. */
void at_death(void (*fn)(void));

void *xmalloc(size_t len);
void *xcalloc(size_t n, size_t len);
void *xrealloc(void *p, size_t len);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A growing byte buffer; always followed by a NUL that len does not count. */
struct buf {
	char *p;
	size_t len, cap;
};

void buf_add(struct buf *b, const void *p, size_t len);
void buf_addf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void buf_free(struct buf *b);

/* A growing list of strings that it owns. */
struct strv {
	char **v;
	size_t n, cap;
};

void strv_add(struct strv *s, const char *str);
bool strv_has(const struct strv *s, const char *str);

int read_file(const char *path, struct buf *out); /* 0 or -errno */
int write_all(int fd, const void *p, size_t len); /* 0 or -errno */
int pwrite_all(int fd, const void *p, size_t len, uint64_t at);
int mkdir_p(const char *path, unsigned mode);

char *path_join(const char *dir, const char *rest);
/* Is path the directory itself, or in it, by their names? */
bool path_below(const char *path, const char *dir);
/* The absolute form without resolving links; "." and doubled "/" go away. */
char *path_absolute(const char *path);
/* For messages: control bytes as \xNN, so one name stays on one line. */
const char *printable(const char *s);
/* Levenshtein distance, for "did you mean". */
unsigned edit_distance(const char *a, const char *b);
/* "512M", "2G", "4096K", plain bytes; -EINVAL when it is none of these. */
int parse_size(const char *s, uint64_t *out);
int parse_u32(const char *s, uint32_t *out);

uint32_t crc32c(const void *p, size_t len);
uint32_t crc32_ieee(const void *p, size_t len);

struct sha256 {
	uint32_t h[8];
	uint64_t len;
	unsigned char block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t len);
void sha256_add_str(struct sha256 *s, const char *str); /* with its NUL */
void sha256_end(struct sha256 *s, unsigned char out[32]);
