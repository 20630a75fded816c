/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Last words (lastwords.h).
 *
 * Programs name the file that they failed for, each in its way.  So in the end
 * of what was printed, lines that speak of something not found are searched
 * for absolute paths; what this host has at such a path, and the image's list
 * in the cache has not, goes into one line.
 */
#include "lastwords.h"

#include "cache.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_TOLD 3 /* paths in the line */

/* Of libc's text, and of the languages that have texts of their own. */
static bool
speaks_of_absence(const char *line)
{
	static const char *const words[] = {
		"such file", "ot found",  "not find",	  "not exist",
		"nnot open", "ould not",  "FileNotFound", "NoSuchFile",
		"ENOENT",    "nable to ", "failed to ",	  "Cannot ",
		"cannot ",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

/* Of the host alone: the machine has its own, or what runs now. */
static bool
is_own(const char *path)
{
	static const char *const trees[] = { "/dev", "/proc", "/run", "/sys" };

	for (size_t i = 0; i < ARRAY_LEN(trees); i++)
		if (path_below(path, trees[i]))
			return true;
	return false;
}

/* By the name that was said, or by the one behind its links (/bin/ls). */
static bool
image_has(const char *key, const char *path)
{
	char *real = realpath(path, NULL);
	bool has = cache_has(key, path) || (real && cache_has(key, real));

	free(real);
	return has;
}

static void
take_path(struct strv *found, const char *key, const char *p, size_t len)
{
	char *path = xstrndup(p, len);
	struct stat st;

	while (len > 1 && strchr("/.:,", path[len - 1]))
		path[--len] = '\0';
	if (!strv_has(found, path) && len < PATH_MAX && strchr(path + 1, '/') &&
	    !is_own(path) && !stat(path, &st) &&
	    (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
	    !image_has(key, path))
		strv_add(found, path);
	free(path);
}

/* The dynamic linker says only a library's name. */
static void
take_library(struct strv *found, const char *key, const char *p, size_t len)
{
	static const char *const dirs[] = { "/usr/lib/x86_64-linux-gnu",
					    "/usr/lib" };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		char *path = xasprintf("%s/%.*s", dirs[i], (int)len, p);

		take_path(found, key, path, strlen(path));
		free(path);
	}
}

static void
scan_line(struct strv *found, const char *key, const char *line)
{
	static const char ends[] = " \t\r\"'`()[]{}<>,;|=";

	if (!speaks_of_absence(line))
		return;
	for (const char *p = line; (p = strchr(p, '/'));) {
		size_t len = strcspn(p, ends);

		/* "file:" of a message, and paths that end in one. */
		if (p == line || strchr(ends, p[-1]) || p[-1] == ':')
			take_path(found, key, p,
				  strcspn(p, ": \t\r\"'`()[]{}"
					     "<>,;|="));
		p += len ? len : 1;
	}
	for (const char *p = line; *p;) {
		size_t len = strcspn(p, " \t\r\"'`:()");

		if (!memchr(p, '/', len) && memmem(p, len, ".so", 3))
			take_library(found, key, p, len);
		p += len + !!p[len];
	}
}

bool
last_words_none(const struct stream *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i].tail_len)
			return false;
	return true;
}

void
last_words_explain(const struct stream *s, size_t n, const char *key)
{
	struct strv found = { 0 };
	struct buf b = { 0 };

	for (size_t i = 0; i < n; i++) {
		char *text =
			xstrndup(s[i].tail ? s[i].tail : "", s[i].tail_len);
		char *line, *at = text;

		while ((line = strsep(&at, "\n")))
			scan_line(&found, key, line);
		free(text);
	}
	for (size_t i = 0; i < found.n && i < MAX_TOLD; i++)
		buf_addf(&b, "%s%s", i ? ", " : "", printable(found.v[i]));
	if (found.n)
		warn("the image lacks %s%s, which this host has: -i puts it in",
		     b.p, found.n > MAX_TOLD ? " and more" : "");
	buf_free(&b);
}
