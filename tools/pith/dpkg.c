/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dpkg's database: /var/lib/dpkg/info/PACKAGE[:ARCH].list holds the paths of
 * one package, /var/lib/dpkg/status the source that it was built from.
 *
 * A path may be known by either spelling of a merged /usr, so all of them are
 * looked for.  Reading every list is ten megabytes from the page cache, some
 * 20 ms; the cache of images makes that a cost of the first run only.
 */
#include "dpkg.h"
#include "elfdeps.h"
#include "places.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DPKG_INFO   "/var/lib/dpkg/info"
#define DPKG_STATUS "/var/lib/dpkg/status"

/* One installed package of the status file; the strings lie in its text. */
struct package {
	const char *name, *source, *section, *arch;
	const char *depends, *recommends; /* NULL: on nothing */
	bool same; /* Multi-Arch: same: its list has ":ARCH" */
	bool installed;
};

bool
dpkg_skips(const char *path)
{
	static const char *const out[] = {
		"/usr/share/doc",
		"/usr/share/doc-base",
		"/usr/share/man",
		"/usr/share/info",
		"/usr/share/locale",
		"/usr/share/lintian",
		"/usr/share/bash-completion",
		"/usr/share/zsh",
		"/usr/share/fish",
		"/usr/share/bug",
		"/usr/share/menu",
		"/usr/share/applications",
		"/usr/share/pixmaps",
		"/usr/share/icons",
		"/usr/share/metainfo",
		"/usr/share/gdb",
		"/usr/lib/debug",
		"/usr/lib/systemd",
		"/lib/systemd",
		"/etc/init.d",
		"/etc/cron.daily",
		"/etc/logrotate.d",
		"/etc/apparmor.d",
		"/etc/bash_completion.d",
		"/usr/lib/node_modules/npm",
		"/usr/lib/node_modules/corepack",
		"/usr/include",
	};
	/* A JDK's modules for jlink, its sources, what javac -release reads */
	static const char *const globs[] = {
		"/usr/lib/jvm/*/jmods/*",    "/usr/lib/jvm/*/lib/src.zip",
		"/usr/lib/jvm/*/lib/ct.sym", "/usr/lib/jvm/*/man/*",
		"/usr/lib/jvm/*/include/*",
	};

	for (size_t i = 0; i < ARRAY_LEN(out); i++)
		if (path_below(path, out[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(globs); i++)
		if (!fnmatch(globs[i], path, 0))
			return true;
	return false;
}

/* The value of "Field:" in the stanza at p, in place; NULL if not there. */
static const char *
field(char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(line, name, len) || line[len] != ':')
		return NULL;
	return line + len + 1 + strspn(line + len + 1, " ");
}

static struct package *
read_status(struct buf *text, size_t *count)
{
	struct package *list = NULL, p = { 0 };
	size_t n = 0, cap = 0;
	char *line = text->p, *next;

	for (; line; line = next) {
		const char *v;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!*line && p.name) {
			if (n == cap) {
				cap = cap ? cap * 2 : 512;
				list = xrealloc(list, cap * sizeof(*list));
			}
			if (p.installed)
				list[n++] = p;
			p = (struct package){ 0 };
		} else if ((v = field(line, "Package"))) {
			p.name = v;
			if (!p.source)
				p.source = v;
		} else if ((v = field(line, "Source"))) {
			/* "Source: name (version)" */
			line[v - line + strcspn(v, " (")] = '\0';
			p.source = v;
		} else if ((v = field(line, "Section"))) {
			p.section = v;
		} else if ((v = field(line, "Architecture"))) {
			p.arch = v;
		} else if ((v = field(line, "Depends"))) {
			p.depends = v;
		} else if ((v = field(line, "Recommends"))) {
			p.recommends = v;
		} else if ((v = field(line, "Multi-Arch"))) {
			p.same = !strcmp(v, "same");
		} else if ((v = field(line, "Status"))) {
			p.installed = strstr(v, " installed") != NULL;
		}
	}
	*count = n;
	return list;
}

/* Both spellings of a merged path; the second may be NULL. */
static void
spellings(struct strv *out, const char *path)
{
	static const char *const merged[] = { "/bin/", "/sbin/", "/lib/",
					      "/lib64/", "/lib32/" };
	bool usr = !strncmp(path, "/usr/", 5);
	const char *rest = usr ? path + 4 : path;

	strv_add(out, path);
	for (size_t i = 0; i < ARRAY_LEN(merged); i++) {
		char *other;

		if (strncmp(rest, merged[i], strlen(merged[i])))
			continue;
		other = usr ? xstrdup(rest) : xasprintf("/usr%s", path);
		strv_add(out, other);
		free(other);
	}
}

static bool
list_has(const struct buf *list, const struct strv *names)
{
	for (size_t i = 0; i < names->n; i++) {
		const char *s = names->v[i], *p = list->p;
		size_t len = strlen(s);

		while ((p = memmem(p, list->p + list->len - p, s, len))) {
			if ((p == list->p || p[-1] == '\n') && p[len] == '\n')
				return true;
			p += len;
		}
	}
	return false;
}

/* The package (a file name of info/ without ".list") that owns a name. */
static char *
find_owner(const struct strv *names)
{
	DIR *d = opendir(DPKG_INFO);
	struct buf list = { 0 };
	struct dirent *e;
	char *owner = NULL;

	if (!d)
		return NULL;
	while (!owner && (e = readdir(d))) {
		size_t len = strlen(e->d_name);
		char *path;

		if (len < 6 || strcmp(e->d_name + len - 5, ".list"))
			continue;
		path = path_join(DPKG_INFO, e->d_name);
		list.len = 0;
		if (!read_file(path, &list) && list_has(&list, names))
			owner = xstrndup(e->d_name, len - 5);
		free(path);
	}
	closedir(d);
	buf_free(&list);
	return owner;
}

static bool
is_header(const char *path)
{
	return !strncmp(path, "/usr/include/", 13);
}

static bool
is_wanted_file(const char *path)
{
	return strcmp(path, "/.") && !dpkg_skips(path);
}

/* What a package's list of files has, if it is there. */
static void
add_list(struct fileset *fs, const char *path, bool (*want)(const char *))
{
	struct buf list = { 0 };
	char *line, *next;

	if (!read_file(path, &list)) {
		for (line = list.p; line && *line; line = next) {
			next = strchr(line, '\n');
			if (next)
				*next++ = '\0';
			if (want(line))
				fileset_add(fs, line, NULL);
		}
		strv_add(&fs->deps, path);
	}
	buf_free(&list);
}

/* Does the list of files name this path? */
static bool
has_path(const char *list, const char *path)
{
	struct buf b = { 0 };
	size_t len = strlen(path);
	bool found = false;

	if (!read_file(list, &b))
		for (char *p = b.p; !found && (p = strstr(p, path)); p += len)
			found = (p == b.p || p[-1] == '\n') &&
				(p[len] == '\n' || !p[len]);
	buf_free(&b);
	return found;
}

static bool
skips_documents(const char *path, const void *arg)
{
	(void)arg;
	return dpkg_skips(path);
}

/* The package's directories as they are on this machine, with what the user
 * or a maintainer script made (nginx's sites-enabled, graphviz's list of its
 * plugins): those that are called as the package is, up to a '-' or a
 * version, or as its source. */
static void
add_own_directories(struct fileset *fs, const struct package *p,
		    const char *list)
{
	static const char *const bases[] = {
		"/etc",
		"/usr/lib",
		"/usr/lib/x86_64-linux-gnu",
		"/usr/share",
	};
	size_t len = strcspn(p->name, "-0123456789");

	for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
		char *names[2] = {
			len ? xasprintf("%s/%.*s", bases[i], (int)len,
					p->name) :
			      NULL,
			xasprintf("%s/%s", bases[i], p->source),
		};

		for (int k = 0; k < 2; k++) {
			if (names[k] && !dpkg_skips(names[k]) &&
			    has_path(list, names[k]))
				fileset_add_tree(fs, names[k], skips_documents,
						 NULL);
			free(names[k]);
		}
	}
}

/* "/var/lib/dpkg/info/NAME", without what follows the dot. */
static char *
info_base(const struct package *p)
{
	return p->same ? xasprintf(DPKG_INFO "/%s:%s", p->name, p->arch) :
			 xasprintf(DPKG_INFO "/%s", p->name);
}

static void
add_package(struct fileset *fs, const struct package *p)
{
	char *base = info_base(p);
	char *path = xasprintf("%s.list", base);
	char *script = xasprintf("%s.postinst", base);

	add_list(fs, path, is_wanted_file);
	add_own_directories(fs, p, path);
	places_of_list(fs, path);
	if (!access(script, R_OK)) {
		strv_add(&fs->scripts, script);
		places_of_script(fs, script);
	}
	free(script);
	free(path);
	free(base);
}

void
dpkg_add_headers(struct fileset *fs, const char *pattern)
{
	char *lists = xasprintf(DPKG_INFO "/%s.list", pattern);
	glob_t g = { 0 };

	if (!glob(lists, 0, NULL, &g))
		for (size_t i = 0; i < g.gl_pathc; i++)
			add_list(fs, g.gl_pathv[i], is_header);
	globfree(&g);
	free(lists);
}

/* Development and debugging packages do not run anything, unless the
 * program is itself a development tool (a compiler needs its headers). */
static bool
wanted(const struct package *p, const struct package *owner)
{
	static const char *const out[] = { "libdevel", "debug", "doc",
					   "localization" };

	if (strcmp(p->source, owner->source) ||
	    (strcmp(p->arch, owner->arch) && strcmp(p->arch, "all")))
		return false;
	if (owner->section && !strcmp(owner->section, "devel"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(out); i++)
		if (p->section && !strcmp(p->section, out[i]))
			return p == owner;
	return true;
}

/*
 * Data that a program finds by a well-known path: it goes in where one of the
 * program's packages, or a package that one of these depends on (libtcl for
 * tclsh), depends on the package that has it or recommends it.
 */
static const struct data {
	const char *package;
	const char *paths[4];
} data_table[] = {
	{ "tzdata", { "/usr/share/zoneinfo" } },
	{ "media-types", { "/etc/mime.types" } },
};

/* Is it named in a list of dependencies ("a, b (>= 1) | c")? */
static bool
names_package(const char *list, const char *name)
{
	size_t len = strlen(name), n;

	for (const char *p = list; p && *p; p += n) {
		p += strspn(p, " ,|");
		n = strcspn(p, " ,|:(");
		if (n == len && !strncmp(p, name, len))
			return true;
		/* Over what belongs to the name: a version, ":any". */
		n = strcspn(p, ",|");
	}
	return false;
}

static bool
uses_data(const struct package *p, const struct data *d)
{
	return names_package(p->depends, d->package) ||
	       names_package(p->recommends, d->package);
}

static bool
extends(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return !strncmp(name, prefix, len) && name[len] == '-';
}

/* Is p, which `by` depends on, its data: for all architectures, and called
 * after it (tesseract-ocr-eng, of tesseract-ocr)? */
static bool
is_data_of(const struct package *p, const struct package *by)
{
	return !strcmp(p->arch, "all") && extends(p->name, by->name);
}

static bool
is_shared_object(const char *path)
{
	const char *name = strrchr(path, '/');
	const char *so = name ? strstr(name, ".so") : NULL;

	return so && (!so[3] || so[3] == '.');
}

/* A path of a list of files: is it one that a plugin's package has not? */
static bool
is_no_plugin(const char *path)
{
	const char *name = strrchr(path, '/');
	size_t dir = name ? (size_t)(name - path) : 0;
	const char *bin = dir > 3 ? strstr(path, "bin/") : NULL;

	return is_shared_object(path) ? elf_library_dir(path, dir) :
					bin && bin < name + 1;
}

/* Has p shared objects, only such as are opened by their paths, and no
 * programs? */
static bool
has_plugins(const struct package *p)
{
	char *base = info_base(p), *path = xasprintf("%s.list", base);
	bool plugins = false, others = false;
	struct buf text = { 0 };
	char *line, *at;

	if (!read_file(path, &text)) {
		at = text.p;
		while (!others && (line = strsep(&at, "\n"))) {
			plugins = plugins || is_shared_object(line);
			others = is_no_plugin(line);
		}
	}
	buf_free(&text);
	free(path);
	free(base);
	return plugins && !others;
}

/* Is p, which `by` depends on, a plugin: no ELF file names it, the package
 * does (libqt5sql5-sqlite, of mumble-server)?  Modules of interpreters are
 * interp.c's. */
static bool
is_plugin_of(const struct package *p, const struct package *by)
{
	static const char *const out[] = { "perl", "python", "ruby",
					   "java", "devel",  "libdevel" };

	for (size_t i = 0; i < ARRAY_LEN(out); i++)
		if (p->section && !strcmp(p->section, out[i]))
			return false;
	return !strcmp(p->arch, by->arch) && has_plugins(p);
}

static void
add_data(struct fileset *fs, const struct package *list, size_t n,
	 const struct package *owner)
{
	bool used[ARRAY_LEN(data_table)] = { false };

	for (size_t i = 0; i < n; i++) {
		if (!wanted(&list[i], owner))
			continue;
		for (size_t d = 0; d < ARRAY_LEN(data_table); d++)
			used[d] =
				used[d] || uses_data(&list[i], &data_table[d]);
		for (size_t k = 0; list[i].depends && k < n; k++) {
			if (!names_package(list[i].depends, list[k].name))
				continue;
			if (strcmp(list[k].source, list[i].source) &&
			    (is_data_of(&list[k], &list[i]) ||
			     is_plugin_of(&list[k], &list[i])))
				add_package(fs, &list[k]);
			for (size_t d = 0; d < ARRAY_LEN(data_table); d++)
				used[d] = used[d] ||
					  uses_data(&list[k], &data_table[d]);
		}
	}
	for (size_t d = 0; d < ARRAY_LEN(data_table); d++)
		for (int i = 0; used[d] && data_table[d].paths[i]; i++)
			fileset_add_tree(fs, data_table[d].paths[i],
					 skips_documents, NULL);
}

char *
dpkg_add_source(struct fileset *fs, const char *const *paths, size_t npaths)
{
	struct strv names = { 0 };
	struct buf status = { 0 };
	struct package *list, *owner = NULL;
	char *name, *source = NULL;
	size_t n;

	for (size_t i = 0; i < npaths; i++)
		spellings(&names, paths[i]);
	name = find_owner(&names);
	if (!name || read_file(DPKG_STATUS, &status)) {
		free(name);
		return NULL;
	}
	name[strcspn(name, ":")] = '\0';
	list = read_status(&status, &n);
	for (size_t i = 0; i < n && !owner; i++)
		if (!strcmp(list[i].name, name))
			owner = &list[i];
	for (size_t i = 0; owner && i < n; i++)
		if (wanted(&list[i], owner))
			add_package(fs, &list[i]);
	if (owner) {
		add_data(fs, list, n, owner);
		source = xstrdup(owner->source);
	}
	free(list);
	free(name);
	buf_free(&status);
	return source;
}
