/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes into an image.
 *
 * With --root DIR: the whole of DIR, and nothing else.  Otherwise, in this
 * order: the program with its ELF closure (or its #! interpreter, as a
 * program), the files of the source package that owns it, the data of an
 * interpreter, what -i names, host paths among the arguments, what
 * configuration names, the closure of every ELF file that came in, the data of
 * an interpreter among those, a generated /etc.
 */
#include "pack.h"

#include "dpkg.h"
#include "elfdeps.h"
#include "interp.h"
#include "named.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPT_DEPTH  4	    /* #! of #!, as Linux */
#define ARG_DIR_FILES 20000 /* of a directory argument; -i takes all */

#define DEFAULT_PATH                                        \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin" \
	":/sbin:/bin"

/* Ends pith for a file that cannot be a program; err is of stat or open. */
_Noreturn static void
no_program(const char *name, int err)
{
	if (err == ENOENT || err == ENOTDIR)
		die(STATUS_NOTFOUND,
		    "%s: no such program; give a path, or a "
		    "name that is in PATH",
		    printable(name));
	die(STATUS_NOEXEC, "%s: %s", printable(name), strerror(err));
}

/* Whether PATH does not matter. */
static bool
is_path(const char *name)
{
	return strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..");
}

/* As a shell looks for a command: the first file that may be executed; one
 * that may not is reported only when there is no other. */
static char *
search_path(const char *name)
{
	const char *p = getenv("PATH");
	char *denied = NULL;
	struct stat here;

	for (p = p && *p ? p : DEFAULT_PATH; p;) {
		size_t len = strcspn(p, ":");
		char *dir = xstrndup(p, len);
		char *full = path_join(len ? dir : ".", name);
		struct stat st;

		free(dir);
		if (!stat(full, &st) && S_ISREG(st.st_mode)) {
			if (st.st_mode & 0111) {
				free(denied);
				return full;
			}
			if (!denied)
				denied = xstrdup(full);
		}
		free(full);
		p = p[len] ? p + len + 1 : NULL;
	}
	if (denied)
		no_program(denied, EACCES);
	if (!stat(name, &here) && S_ISREG(here.st_mode))
		die(STATUS_NOTFOUND,
		    "%s: not in PATH, and the file here is "
		    "not an image of pith, or a damaged one; to run it as a "
		    "program, say ./%s",
		    printable(name), printable(name));
	no_program(name, ENOENT);
}

/* Whether the path lies in a tree that the machine has of its own: what the
 * image holds there is hidden. */
static bool
in_guest_tree(const char *path)
{
	static const char *const trees[] = { "/dev", "/proc", "/sys" };

	for (size_t i = 0; i < ARRAY_LEN(trees); i++)
		if (path_below(path, trees[i]))
			return true;
	return false;
}

/* Whether the string names a file that may go in because it was named as an
 * argument. */
static bool
is_host_path(const char *s)
{
	struct stat st;

	if (!*s || strlen(s) >= PATH_MAX || in_guest_tree(s) ||
	    stat(s, &st) < 0)
		return false;
	return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
}

/* Takes s if it names a host path; also what stands before a class path's
 * "DIR/" and asterisk. */
static bool
take_argument(struct target *t, const char *s)
{
	size_t len = strlen(s);
	char *word = xstrndup(
		s, len > 2 && !strcmp(s + len - 2, "/*") ? len - 2 : len);
	bool there = is_host_path(word);
	char *full;

	if (there) {
		t->relative = t->relative || word[0] != '/';
		full = path_absolute(word);
		strv_add(&t->paths, full);
		free(full);
	}
	free(word);
	return there;
}

/* A list with colons (java -cp); what is no path in it may be another word
 * that has one, so only what has a slash or a dot counts. */
static void
take_list(struct target *t, const char *s)
{
	char *copy = xstrdup(s), *word, *at = copy;

	while ((word = strsep(&at, ":")))
		if (strpbrk(word, "/."))
			take_argument(t, word);
	free(copy);
}

/* Host paths among the arguments: words of their own, behind the "=" of an
 * option, or lists of them. */
static void
find_arguments(const struct options *o, struct target *t)
{
	for (size_t i = 0; i < o->args.n; i++) {
		const char *s = o->args.v[i], *eq = strchr(s, '=');

		if (take_argument(t, s) || (eq && take_argument(t, eq + 1)))
			continue;
		if (strchr(s, ':'))
			take_list(t, eq ? eq + 1 : s);
	}
}

void
pack_find(const struct options *o, struct target *t)
{
	char *full, *behind;
	struct stat st;

	*t = (struct target){ .argv0 = o->program };
	if (!o->program || !*o->program)
		die(STATUS_FAILED, "no program is named; see pith run --help");
	if (o->root) {
		if (stat(o->root, &st) < 0)
			die(STATUS_FAILED, "--root %s: %s", printable(o->root),
			    strerror(errno));
		if (!S_ISDIR(st.st_mode))
			die(STATUS_FAILED, "--root %s: not a directory",
			    printable(o->root));
		t->path = xasprintf("%s%s", o->program[0] == '/' ? "" : "/",
				    o->program);
		return;
	}
	full = is_path(o->program) ? xstrdup(o->program) :
				     search_path(o->program);
	behind = interp_unshim(full);
	if (behind) {
		say("%s is a pyenv shim; running %s", printable(full),
		    printable(behind));
		free(full);
		full = behind;
		/* As the shim would start it. */
		t->argv0 = behind;
	}
	if (stat(full, &st) < 0)
		no_program(full, errno);
	if (S_ISDIR(st.st_mode))
		die(STATUS_NOEXEC, "%s: it is a directory", printable(full));
	if (!S_ISREG(st.st_mode))
		die(STATUS_NOEXEC, "%s: it is not a regular file",
		    printable(full));
	if (access(full, R_OK) < 0 || !(st.st_mode & 0111))
		no_program(full, EACCES);
	t->path = path_absolute(full);
	if (t->argv0 == full)
		t->argv0 = t->path;
	t->real = realpath(full, NULL);
	if (!t->real)
		no_program(full, errno);
	if (in_guest_tree(t->path)) {
		if (in_guest_tree(t->real))
			die(STATUS_NOEXEC,
			    "%s: the machine has a /dev, /proc "
			    "and /sys of its own, which would hide the "
			    "program; copy it elsewhere",
			    printable(full));
		free(t->path);
		t->path = xstrdup(t->real);
	}
	free(full);
	find_arguments(o, t);
}

static void add_program(const struct options *o, struct fileset *fs,
			const char *path, unsigned depth, bool whole);

/* The words after #!, in a static buffer's copy; false if not a script. */
static bool
read_script(const char *host, char **interp, char **arg)
{
	char line[257] = "", *p, *end;
	int fd = open(host, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 2 || memcmp(line, "#!", 2))
		return false;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	p = line + 2 + strspn(line + 2, " \t");
	end = p + strcspn(p, " \t");
	*interp = xstrndup(p, end - p);
	end += strspn(end, " \t");
	for (p = end + strlen(end);
	     p > end && (p[-1] == ' ' || p[-1] == '\t' || p[-1] == '\r'); p--)
		;
	*arg = p > end ? xstrndup(end, p - end) : NULL;
	return true;
}

/* #!/usr/bin/env NAME: the program that env will find. */
static void
add_env_target(const struct options *o, struct fileset *fs, const char *arg,
	       unsigned depth)
{
	char *name, *full;

	if (!strncmp(arg, "-S", 2))
		arg += 2 + strspn(arg + 2, " \t");
	name = xstrndup(arg, strcspn(arg, " \t"));
	if (fs->foreign || !*name || *name == '-') {
		free(name);
		return;
	}
	full = strchr(name, '/') ? xstrdup(name) : search_path(name);
	add_program(o, fs, full, depth + 1, true);
	free(full);
	free(name);
}

static void
add_script(const struct options *o, struct fileset *fs, struct node *n,
	   unsigned depth)
{
	char *interp, *arg, *path = node_path(n);
	struct stat st;
	bool env;

	if (!read_script(n->host, &interp, &arg))
		die(STATUS_NOEXEC,
		    "%s: it is neither an ELF file nor a "
		    "script that begins with #!",
		    printable(path));
	if (depth >= SCRIPT_DEPTH)
		die(STATUS_NOEXEC,
		    "%s: more than %d scripts interpret each "
		    "other",
		    printable(path), SCRIPT_DEPTH);
	if (interp[0] != '/' || (!fs->foreign && stat(interp, &st) < 0))
		die(STATUS_NOTFOUND,
		    "interpreter %s, which %s needs, is not "
		    "on this host",
		    printable(interp), printable(path));
	env = !strcmp(interp, "/usr/bin/env") || !strcmp(interp, "/bin/env");
	add_program(o, fs, interp, depth + 1, !env);
	if (env && arg)
		add_env_target(o, fs, arg, depth);
	free(interp);
	free(arg);
	free(path);
}

/* A program as the guest will execute it.  `whole`: with its package. */
static void
add_program(const struct options *o, struct fileset *fs, const char *path,
	    unsigned depth, bool whole)
{
	struct elf_info e;
	struct node *n;
	int err = fileset_add(fs, path, &n);
	char *real;

	if (err == -EXDEV)
		die(STATUS_FAILED, "%s: the link %s leads out of --root",
		    printable(path), printable(fs->climber));
	if (err)
		no_program(path, -err);
	if (S_ISDIR(n->st.st_mode))
		die(STATUS_NOEXEC, "%s: it is a directory", printable(path));
	if (!n->host || !(n->st.st_mode & 0111))
		no_program(path, EACCES);
	switch (elf_read(n->host, &e)) {
	case ELF_OK:
		elf_info_free(&e);
		elf_closure(fs, n, true);
		break;
	case ELF_BAD:
		die(STATUS_NOEXEC, "%s: it is %s", printable(path), e.why);
	case ELF_UNREADABLE:
		no_program(path, EACCES);
	case ELF_NOT:
		add_script(o, fs, n, depth);
	}
	if (!whole || fs->foreign)
		return;
	/* Packages own files of these trees only; asking dpkg of others would
	 * cost its whole database for nothing. */
	real = node_path(n);
	if (!strncmp(path, "/usr", 4) || !strncmp(real, "/usr", 4) ||
	    !strncmp(real, "/bin", 4) || !strncmp(real, "/sbin", 5) ||
	    !strncmp(real, "/opt", 4) || !strncmp(real, "/lib", 4)) {
		const char *const names[] = { path, real };
		char *source = dpkg_add_source(fs, names, 2);

		if (source)
			say("%s: with the files of Debian source package %s",
			    printable(path), source);
		free(source);
	}
	interp_add(fs, real);
	free(real);
}

/* With --root an include still names a file of the host, and so is mapped,
 * since the set's own paths are those of DIR. */
static void
add_include(struct fileset *fs, const struct include *in)
{
	char *path = path_absolute(in->host);
	struct node *n;
	int err;

	if (in->guest)
		err = fileset_map(fs, in->host, in->guest);
	else if (fs->foreign)
		err = fileset_map(fs, in->host, path);
	else
		err = fileset_add(fs, path, &n);
	if (!err && !in->guest && !fs->foreign) {
		if (S_ISDIR(n->st.st_mode))
			err = fileset_add_tree(fs, path, NULL, NULL);
		else if (access(path, R_OK) < 0)
			err = -errno;
	}
	if (err)
		die(STATUS_FAILED, "--include %s: %s", printable(in->host),
		    strerror(-err));
	free(path);
}

/* Directories that no program means as a whole: `ls /` lists the image. */
static bool
is_system_dir(const char *path)
{
	static const char *const dirs[] = {
		"/",	 "/bin",     "/boot",	 "/etc",       "/home",
		"/lib",	 "/lib64",   "/media",	 "/mnt",       "/opt",
		"/root", "/run",     "/sbin",	 "/srv",       "/tmp",
		"/usr",	 "/usr/bin", "/usr/lib", "/usr/local", "/usr/share",
		"/var",	 "/var/lib", "/var/tmp",
	};
	const char *home = getenv("HOME");

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (!strcmp(dirs[i], path))
			return true;
	return home && !strcmp(home, path);
}

struct tally {
	size_t files;
	bool full;
};

/* skip_fn that takes nothing more once the directory proves too large. */
static bool
count_entry(const char *path, const void *arg)
{
	struct tally *t = (struct tally *)arg;

	(void)path;
	t->full = t->full || ++t->files > ARG_DIR_FILES;
	return t->full;
}

struct links {
	const char *dir; /* whose links are looked for */
	struct strv to;	 /* directories elsewhere that they lead to */
};

static void
find_link(struct node *n, void *arg)
{
	static const char *const state[] = { "/run", "/var/cache", "/var/log",
					     "/var/tmp" };
	struct links *l = arg;
	char *path, *real;
	struct stat st;

	if (!S_ISLNK(n->st.st_mode))
		return;
	path = node_path(n);
	real = path_below(path, l->dir) ? realpath(path, NULL) : NULL;
	if (real && !stat(real, &st) && S_ISDIR(st.st_mode) &&
	    !is_system_dir(real) && !in_guest_tree(real)) {
		bool out = path_below(real, l->dir);

		for (size_t i = 0; i < ARRAY_LEN(state); i++)
			out = out || path_below(real, state[i]);
		if (!out)
			strv_add(&l->to, real);
	}
	free(real);
	free(path);
}

/* What the directory's links to directories lead to, such as a server's
 * conf, which is in /etc; not what a service writes. */
static void
add_linked(struct fileset *fs, const char *dir, struct tally *t)
{
	struct links l = { .dir = dir };

	fileset_each(fs, find_link, &l);
	for (size_t i = 0; i < l.to.n; i++)
		fileset_add_tree(fs, l.to.v[i], count_entry, t);
}

/* An argument is a guess at what the program will open, so nothing about it
 * is an error. */
static void
add_argument(struct fileset *fs, const char *path)
{
	struct tally t = { 0 };
	struct node *n;

	int err = fileset_add(fs, path, &n);

	if (err == -EACCES)
		warn("the argument %s: not readable, left out",
		     printable(path));
	if (err)
		return;
	if (!S_ISDIR(n->st.st_mode)) {
		say("the argument %s goes in", printable(path));
		return;
	}
	if (is_system_dir(path)) {
		say("the argument %s: only what is in the image anyway",
		    printable(path));
		return;
	}
	fileset_add_tree(fs, path, count_entry, &t);
	add_linked(fs, path, &t);
	if (t.full)
		warn("the directory %s has more than %d files, not all go "
		     "in; name it with -i to take it whole",
		     printable(path), ARG_DIR_FILES);
	else
		say("the argument %s goes in with all it holds",
		    printable(path));
}

void
pack_files(const struct options *o, const struct target *t, struct fileset *fs)
{
	char *real;
	int err;

	/* The libraries' locales follow the LANG that the program gets. */
	for (size_t i = 0; i < o->env.n; i++)
		if (!strncmp(o->env.v[i], "LANG=", 5))
			setenv("LANG", o->env.v[i] + 5, 1);
	fileset_init(fs, "");
	if (o->root) {
		real = realpath(o->root, NULL);
		if (!real)
			die(STATUS_FAILED, "--root %s: %s", printable(o->root),
			    strerror(errno));
		fileset_init(fs, real);
		free(real);
		err = fileset_add_tree(fs, "/", NULL, NULL);
		if (err == -EXDEV)
			die(STATUS_FAILED,
			    "--root %s: the symbolic link %s "
			    "leads out of it",
			    printable(o->root), printable(fs->climber));
		if (err)
			die(STATUS_FAILED, "--root %s: %s", printable(o->root),
			    strerror(-err));
	}
	add_program(o, fs, t->path, 0, true);
	for (unsigned i = 0; i < o->nincludes; i++)
		add_include(fs, &o->includes[i]);
	for (size_t i = 0; i < t->paths.n; i++)
		add_argument(fs, t->paths.v[i]);
	if (!fs->foreign) {
		named_add(fs, &t->paths);
		elf_closure_all(fs);
		if (interp_add_embedded(fs))
			elf_closure_all(fs);
	}
	if (fs->unreadable > 1)
		warn("with that %zu files in all were not readable",
		     fs->unreadable);
	etc_generate(o, fs);
	if (o->workdir)
		fileset_mkdir(fs, o->workdir, 0755);
	if (t->relative && !o->workdir) {
		real = path_absolute(".");
		fileset_mkdir(fs, real, 0755);
		free(real);
	}
}
