/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that configuration names (named.h).
 *
 * A configuration file is text: a file of the set below /etc, or an argument
 * that ends as such files do.  Every absolute path in it, outside of lines
 * that are remarks, is looked at.  Files and shared objects go in, programs
 * do not, as nothing could start them; directories do where they hold data
 * for reading (below /usr/share, /etc, /srv, /var/www; of the user's own files
 * any directory) and are small.  What a service of this machine keeps (/var,
 * /run) stays out, and so do this machine's list of accounts and, unless the
 * user's own configuration names it, what not everybody may read.
 *
 * A file below /run that is named is one that the program will make: its
 * directory, which a script of init would have made, goes in empty.
 *
 * What is named and not there is remembered, so that an image is made anew
 * when it comes to be.
 */
#include "named.h"

#include "image.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CONF_BYTES (256 * 1024)
#define MAX_FILE_BYTES (64 * MIB)
#define MAX_DIR_FILES  2000
#define MAX_DIR_BYTES  (16 * MIB)
#define MAX_ABSENT     256 /* paths that are remembered */
#define WALK_FDS       16
#define ROUNDS	       8 /* configuration that names configuration */

struct search {
	struct fileset *fs;
	struct strv todo; /* host paths of configuration to be read */
	struct strv done;
	bool own; /* what is read now is an argument: the user's own */
	unsigned absent;
};

static bool
is_one_of(const char *path, const char *const *list)
{
	for (; *list; list++)
		if (path_below(path, *list))
			return true;
	return false;
}

/* ---- what is configuration? ---- */

/* Many, and lists of something else. */
static const char *const no_conf[] = {
	"/etc/alternatives",
	"/etc/ca-certificates",
	"/etc/ld.so.conf.d",
	"/etc/ld.so.conf",
	"/etc/mime.types",
	"/etc/protocols",
	"/etc/services",
	"/etc/ssl",
	NULL,
};

static void
collect(struct node *n, void *arg)
{
	struct search *s = arg;
	char *path;

	if (!n->host || !S_ISREG(n->st.st_mode) ||
	    n->st.st_size > MAX_CONF_BYTES || strncmp(n->host, "/etc/", 5) ||
	    strv_has(&s->done, n->host))
		return;
	path = node_path(n);
	if (!is_one_of(path, no_conf))
		strv_add(&s->todo, n->host);
	free(path);
}

static bool
is_conf_name(const char *path)
{
	static const char *const ends[] = { ".conf",   ".cfg",	".cnf",
					    ".config", ".ini",	".json",
					    ".toml",   ".yaml", ".yml",
					    ".xml" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		size_t n = strlen(path), k = strlen(ends[i]);

		if (n > k && !strcmp(path + n - k, ends[i]))
			return true;
	}
	return false;
}

/* ---- what does it name? ---- */

/* Of this machine: its devices, its state, its people. */
static bool
stays_out(const struct search *s, const char *path)
{
	static const char *const out[] = {
		"/dev",
		"/proc",
		"/run",
		"/sys",
		"/etc/alternatives",
		"/etc/group",
		"/etc/gshadow",
		"/etc/hostname",
		"/etc/hosts",
		"/etc/ld.so.cache",
		"/etc/ld.so.conf",
		"/etc/ld.so.conf.d",
		"/etc/machine-id",
		"/etc/mtab",
		"/etc/nsswitch.conf",
		"/etc/passwd",
		"/etc/resolv.conf",
		"/etc/shadow",
		"/etc/subgid",
		"/etc/subuid",
		"/etc/sudoers",
		NULL,
	};
	static const char *const private[] = { "/home", "/root", "/tmp", NULL };

	if (strstr(path, "/../") || is_one_of(path, out))
		return true;
	if (path_below(path, "/var") && !path_below(path, "/var/www"))
		return true;
	return !s->own && is_one_of(path, private);
}

/* Of the directory that is_small() walks. */
static struct {
	size_t files;
	uint64_t bytes;
} tally;

static int
count(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)path, (void)at;
	tally.files++;
	if (type == FTW_F)
		tally.bytes += st->st_size;
	return tally.files > MAX_DIR_FILES || tally.bytes > MAX_DIR_BYTES;
}

static bool
is_small(const char *path)
{
	tally.files = tally.bytes = 0;
	return !nftw(path, count, WALK_FDS, FTW_PHYS);
}

/* What not everybody may read is this machine's own, such as a key, unless
 * the user hands over the configuration that names it. */
static bool
skips_secrets(const char *path, const void *arg)
{
	struct stat st;

	(void)arg;
	return !stat(path, &st) && !(st.st_mode & 0004);
}

static void
add_directory(struct search *s, const char *path)
{
	static const char *const data[] = { "/etc", "/srv", "/usr/share",
					    "/var/www", NULL };
	const char *slash = strchr(path + 1, '/');

	/* Not the likes of /usr and /usr/share themselves. */
	if (!slash || !strcmp(path, "/usr/share") ||
	    (!s->own && !is_one_of(path, data)) || path_below(path, "/usr/lib"))
		return;
	if (is_small(path) &&
	    !fileset_add_tree(s->fs, path, s->own ? NULL : skips_secrets, NULL))
		say("%s, which configuration names, goes in with all it holds",
		    printable(path));
	else
		say("%s, which configuration names, is large: -i takes it",
		    printable(path));
}

static void
add_run_directory(struct search *s, const char *path)
{
	char *dir = xstrdup(strncmp(path, "/var/", 5) ? path : path + 4);
	char *end = strrchr(dir, '/');

	*end = '\0';
	/* /run/systemd says that systemd is there. */
	if (path_below(dir, "/run") && strcmp(dir, "/run") &&
	    !path_below(dir, "/run/systemd") && !strstr(dir, "..") &&
	    !fileset_find(s->fs, dir))
		fileset_mkdir(s->fs, dir, 0755);
	free(dir);
}

static void
add_path(struct search *s, const char *path)
{
	size_t len = strlen(path), before = s->fs->nnodes;
	struct stat st;
	bool so;

	if (len < PATH_MAX &&
	    (path_below(path, "/run") || path_below(path, "/var/run"))) {
		add_run_directory(s, path);
		return;
	}
	if (len >= PATH_MAX || !strchr(path + 1, '/') || stays_out(s, path))
		return;
	if (stat(path, &st) < 0) {
		if (errno == ENOENT && s->absent++ < MAX_ABSENT)
			strv_add(&s->fs->deps, path);
		return;
	}
	so = strstr(path, ".so") != NULL;
	if (S_ISDIR(st.st_mode))
		add_directory(s, path);
	else if (S_ISREG(st.st_mode) && (so || !(st.st_mode & 0111)) &&
		 st.st_size <= (off_t)MAX_FILE_BYTES && !access(path, R_OK) &&
		 (s->own || (st.st_mode & 0004)) &&
		 !fileset_add(s->fs, path, NULL) && s->fs->nnodes > before)
		say("%s, which configuration names, goes in", printable(path));
}

/* The paths of a line: each begins behind what can be in none, so that the
 * end of a URL or of a relative path is not taken for one. */
static void
scan_line(struct search *s, const char *line)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._+-/@";
	const char *p = line + strspn(line, " \t");

	if (strchr("#;%!", *p) || !strncmp(p, "//", 2) ||
	    !strncmp(p, "* ", 2) || !strncmp(p, "--", 2) ||
	    !strncmp(p, "<!--", 4))
		return;
	while ((p = strchr(p, '/'))) {
		size_t len = strspn(p, chars);
		bool starts = p == line || (!strchr(chars, p[-1]) &&
					    !strchr("$}~*\\%", p[-1]));
		char *path;

		/* A pattern names nothing by itself. */
		if (starts && p[1] != '/' &&
		    (!p[len] || !strchr("*?[$%{~", p[len]))) {
			while (len > 1 && strchr("/.", p[len - 1]))
				len--;
			path = xstrndup(p, len);
			add_path(s, path);
			free(path);
		}
		p += len;
	}
}

static void
scan_file(struct search *s, const char *host)
{
	struct buf text = { 0 };
	char *line, *at;

	if (!read_file(host, &text) && !memchr(text.p, 0, text.len)) {
		at = text.p;
		while ((line = strsep(&at, "\n")))
			scan_line(s, line);
	}
	buf_free(&text);
}

static void
scan_all(struct search *s)
{
	for (size_t i = 0; i < s->todo.n; i++) {
		if (strv_has(&s->done, s->todo.v[i]))
			continue;
		strv_add(&s->done, s->todo.v[i]);
		scan_file(s, s->todo.v[i]);
	}
	s->todo.n = 0;
}

void
named_add(struct fileset *fs, const struct strv *args)
{
	struct search s = { .fs = fs, .own = true };
	struct stat st;

	for (size_t i = 0; i < args->n; i++)
		if (is_conf_name(args->v[i]) && !stat(args->v[i], &st) &&
		    S_ISREG(st.st_mode) && st.st_size <= MAX_CONF_BYTES)
			strv_add(&s.todo, args->v[i]);
	scan_all(&s);
	s.own = false;
	for (int i = 0; i < ROUNDS; i++) {
		fileset_each(fs, collect, &s);
		if (!s.todo.n)
			break;
		scan_all(&s);
	}
}
