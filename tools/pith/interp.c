/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data table of interpreters.
 *
 * A row is chosen by the program's real path.  In its patterns %p is the
 * prefix (the directory above bin), %d the program's own directory, %b its
 * name, and the rest is as in glob(7); whatever `paths` names is added with
 * all it holds, but for what `skip` matches.  "headers:NAME" is what the
 * packages of that name have below /usr/include, which is too much to add
 * whole.  So one row serves Debian's /usr and a Python built under somebody's
 * home.
 */
#include "interp.h"

#include "dpkg.h"

#include <fnmatch.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATHS_MAX 12
#define HEADERS	  "headers:"

static const char *const common[] = {
	"/etc/ssl/certs",  "/etc/ssl/openssl.cnf",
	"/usr/lib/ssl",	   "/usr/share/zoneinfo",
	"/etc/mime.types", "/etc/services",
	"/etc/protocols",  NULL,
};

static const struct interp {
	const char *match;
	const char *paths[PATHS_MAX];
	const char *skip[PATHS_MAX];
} table[] = {
	{ "*/bin/python[23]*",
	  { "%p/lib/%b", "%p/lib/python3", "/usr/local/lib/%b", "/etc/%b",
	    "%p/pyvenv.cfg", "/etc/python3", "/usr/share/python3" },
	  { "%p/lib/%b/test/*", "%p/lib/%b/config-3.*", "%p/lib/%b/idlelib/*",
	    "%p/lib/%b/turtledemo/*", "*.a" } },
	{ "*/bin/perl*",
	  { "/usr/share/perl*", "/usr/lib/*/perl*", "/etc/perl",
	    "/usr/local/share/perl*", "/usr/local/lib/*/perl*" },
	  { "*/CORE/*", "*.pod" } },
	{ "*/bin/ruby*",
	  { "%p/lib/ruby", "%p/lib/*/ruby", "/var/lib/gems",
	    "/usr/share/rubygems-integration",
	    "/usr/lib/*/rubygems-integration", "/usr/share/ruby*" },
	  { "*.a", "*/share/ri/*" } },
	{ "*/bin/node*",
	  { "/usr/share/nodejs", "/usr/share/node_modules", "/usr/lib/nodejs" },
	  { "/usr/share/nodejs/npm/*" } },
	{ "*/jvm/*/bin/*",
	  { "%p", "/etc/java*", "/etc/ssl/certs/java" },
	  { "%p/jmods/*", "*/src.zip", "%p/man/*", "%p/include/*", "%p/demo/*",
	    "%p/sample/*", "*.diz", "*/ct.sym" } },
	{ "*/bin/php*",
	  { "/usr/lib/php", "/etc/php", "/usr/share/php", "/usr/share/php8*",
	    "/var/lib/php" },
	  { NULL } },
	{ "*/bin/lua*",
	  { "/usr/share/lua", "/usr/lib/*/lua", "/usr/local/share/lua" },
	  { NULL } },
	{ "*/lib/gcc/*/cc1*",
	  { "%d/include", "%d/include-fixed", "/usr/local/include",
	    "headers:libc6-dev*", "headers:linux-libc-dev*",
	    "headers:libcrypt-dev*", "headers:libstdc++-*-dev*" },
	  { NULL } },
};

/* A row's skip patterns, filled in for one program. */
struct skip {
	char *patterns[PATHS_MAX];
};

static bool
skips(const char *path, const void *arg)
{
	const struct skip *skip = arg;

	if (dpkg_skips(path))
		return true;
	for (int i = 0; i < PATHS_MAX && skip->patterns[i]; i++)
		if (!fnmatch(skip->patterns[i], path, 0))
			return true;
	return false;
}

/* Replaces %p, %d and %b. */
static char *
fill(const char *pattern, const char *real)
{
	const char *base = strrchr(real, '/'), *end = base;
	struct buf b = { 0 };

	while (end > real && end[-1] != '/')
		end--;
	for (; *pattern; pattern++) {
		if (pattern[0] == '%' && pattern[1] == 'p') {
			buf_add(&b, real, end > real ? end - real - 1 : 0);
			pattern++;
		} else if (pattern[0] == '%' && pattern[1] == 'd') {
			buf_add(&b, real, base - real);
			pattern++;
		} else if (pattern[0] == '%' && pattern[1] == 'b') {
			buf_addf(&b, "%s", base + 1);
			pattern++;
		} else {
			buf_add(&b, pattern, 1);
		}
	}
	return b.p;
}

static void
add_pattern(struct fileset *fs, const char *pattern, const struct skip *skip)
{
	glob_t g = { 0 };

	if (!strncmp(pattern, HEADERS, sizeof(HEADERS) - 1)) {
		dpkg_add_headers(fs, pattern + sizeof(HEADERS) - 1);
		return;
	}
	if (!glob(pattern, 0, NULL, &g))
		for (size_t i = 0; i < g.gl_pathc; i++)
			fileset_add_tree(fs, g.gl_pathv[i], skips, skip);
	globfree(&g);
}

void
interp_add(struct fileset *fs, const char *real)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct interp *row = &table[i];
		struct skip skip = { 0 };

		if (fnmatch(row->match, real, 0))
			continue;
		for (int k = 0; k < PATHS_MAX && row->skip[k]; k++)
			skip.patterns[k] = fill(row->skip[k], real);
		for (int k = 0; k < PATHS_MAX && row->paths[k]; k++) {
			char *pattern = fill(row->paths[k], real);

			add_pattern(fs, pattern, &skip);
			free(pattern);
		}
		for (int k = 0; common[k]; k++)
			add_pattern(fs, common[k], &skip);
		for (int k = 0; k < PATHS_MAX; k++)
			free(skip.patterns[k]);
		return;
	}
}

/* The first libpython of the set. */
static void
find_python(struct node *n, void *arg)
{
	struct node **found = arg;

	if (!*found && !fnmatch("libpython3.[0-9]*.so.*", n->name, 0))
		*found = n;
}

bool
interp_add_embedded(struct fileset *fs)
{
	static const char lib[] = "/lib/", so[] = ".so.";
	struct node *found = NULL;
	char *path, *prefix_end, *name, *real;

	fileset_each(fs, find_python, &found);
	if (!found)
		return false;
	path = node_path(found);
	prefix_end = strstr(path, lib);
	name = strrchr(path, '/') + sizeof("lib");
	if (!prefix_end) {
		free(path);
		return false;
	}
	real = xasprintf("%.*s/bin/%.*s", (int)(prefix_end - path), path,
			 (int)(strstr(name, so) - name), name);
	interp_add(fs, real);
	free(real);
	free(path);
	return true;
}

/* The first version named in a version file; caller frees. */
static char *
read_version(const char *dir, const char *name)
{
	char *path = path_join(dir, name), *v = NULL;
	struct buf b = { 0 };

	if (!read_file(path, &b) && b.len) {
		b.p[strcspn(b.p, " \r\n:")] = '\0';
		if (*b.p && !strchr(b.p, '/'))
			v = xstrdup(b.p);
	}
	buf_free(&b);
	free(path);
	return v;
}

char *
interp_unshim(const char *path)
{
	static const char mark[] = "/.pyenv/shims/";
	const char *at = strstr(path, mark), *env = getenv("PYENV_VERSION");
	char *root, *dir, *version = env && *env ? xstrdup(env) : NULL, *real;

	if (!at || strchr(at + strlen(mark), '/')) {
		free(version);
		return NULL;
	}
	root = xasprintf("%.*s/.pyenv", (int)(at - path), path);
	/* .python-version of this directory or the nearest above it. */
	for (dir = path_absolute("."); !version && dir[1];) {
		version = read_version(dir, ".python-version");
		*strrchr(dir, '/') = '\0';
		if (!dir[0])
			break;
	}
	if (!version)
		version = read_version(root, "version");
	real = xasprintf("%s/versions/%s/bin/%s", root, version ? version : "",
			 at + strlen(mark));
	if (!version || access(real, X_OK) < 0) {
		free(real);
		real = NULL;
	}
	free(dir);
	free(root);
	free(version);
	return real;
}
