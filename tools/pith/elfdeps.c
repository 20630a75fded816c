/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF closure.  Files are read with libelf after our own checks of every
 * header against the file's size: a truncated or foreign file gives a phrase
 * for the user, never a crash.
 *
 * The search is ld.so(8)'s: DT_RPATH of the object and of those that loaded
 * it (when the object has no DT_RUNPATH), DT_RUNPATH, ld.so.cache, then the
 * default directories; musl's has its own path file and defaults.  A library
 * of the wrong class or machine is passed over, as ld.so does.
 *
 * Some libraries open files by name at run time; `companions` lists those.
 */
#include "elfdeps.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Who loaded whom: DT_RPATH is inherited along this chain. */
struct loader {
	const struct loader *up;
	const char *rpath, *origin;
	bool has_runpath;
};

struct search {
	struct fileset *fs;
	bool required, musl;
	const char *interp;
};

static const struct {
	const char *soname;
	const char *paths[4];
} companions[] = {
	/* pthread_cancel and backtrace load it; C.UTF-8 is everyone's locale */
	{ "libc.so.6", { "/usr/lib/locale/C.utf8", "/etc/ld.so.cache" } },
	{ "libcrypto.so.3",
	  { "/usr/lib/x86_64-linux-gnu/ossl-modules", "/usr/lib/ssl" } },
	{ "libssl.so.3", { "/etc/ssl/certs/ca-certificates.crt" } },
	{ "libgnutls.so.30", { "/etc/ssl/certs/ca-certificates.crt" } },
	{ "libtinfo.so.6", { "/usr/lib/terminfo" } },
	{ "libfontconfig.so.1",
	  { "/etc/fonts", "/usr/share/fontconfig",
	    "/usr/share/fonts/truetype/dejavu" } },
	{ "libmagic.so.1", { "/usr/lib/file", "/usr/share/misc/magic.mgc" } },
};

static const char *const glibc_dirs[] = {
	"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu",
	"/lib64",
	"/usr/lib64",
	"/lib",
	"/usr/lib",
	NULL,
};

bool
elf_library_dir(const char *path, size_t len)
{
	for (size_t i = 0; glibc_dirs[i]; i++)
		if (strlen(glibc_dirs[i]) == len &&
		    !strncmp(path, glibc_dirs[i], len))
			return true;
	return false;
}

/* One dynamic section's strings, copied out with bounds checked. */
static void
read_dynamic(Elf *elf, Elf64_Phdr *phdrs, size_t n, Elf64_Phdr *dyn,
	     struct elf_info *out)
{
	uint64_t strtab = 0, strsz = 0;
	Elf_Data *d, *s = NULL;
	GElf_Dyn e;

	d = elf_getdata_rawchunk(elf, dyn->p_offset, dyn->p_filesz, ELF_T_DYN);
	if (!d)
		return;
	for (int i = 0; gelf_getdyn(d, i, &e) && e.d_tag != DT_NULL; i++) {
		if (e.d_tag == DT_STRTAB)
			strtab = e.d_un.d_ptr;
		else if (e.d_tag == DT_STRSZ)
			strsz = e.d_un.d_val;
	}
	for (size_t i = 0; i < n && !s; i++) {
		Elf64_Phdr *p = &phdrs[i];

		if (p->p_type != PT_LOAD || strtab < p->p_vaddr ||
		    strtab - p->p_vaddr >= p->p_filesz ||
		    strsz > p->p_filesz - (strtab - p->p_vaddr))
			continue;
		s = elf_getdata_rawchunk(elf, p->p_offset + strtab - p->p_vaddr,
					 strsz, ELF_T_BYTE);
	}
	if (!s || !s->d_size || ((char *)s->d_buf)[s->d_size - 1])
		return;
	for (int i = 0; gelf_getdyn(d, i, &e) && e.d_tag != DT_NULL; i++) {
		const char *str = (char *)s->d_buf + e.d_un.d_val;

		if (e.d_un.d_val >= s->d_size)
			continue;
		if (e.d_tag == DT_NEEDED)
			strv_add(&out->needed, str);
		else if (e.d_tag == DT_RPATH && !out->rpath)
			out->rpath = xstrdup(str);
		else if (e.d_tag == DT_RUNPATH && !out->runpath)
			out->runpath = xstrdup(str);
		else if (e.d_tag == DT_SONAME && !out->soname)
			out->soname = xstrdup(str);
	}
}

static enum elf_verdict
bad(struct elf_info *out, const char *why)
{
	out->why = why;
	return ELF_BAD;
}

static enum elf_verdict
read_segments(Elf *elf, const Elf64_Ehdr *eh, uint64_t size, Elf64_Phdr *ph,
	      size_t n, struct elf_info *out)
{
	Elf64_Phdr *dyn = NULL;
	bool load = false;

	for (size_t i = 0; i < n; i++) {
		Elf64_Phdr *p = &ph[i];
		bool inside = p->p_offset <= size &&
			      p->p_filesz <= size - p->p_offset;

		if (p->p_type == PT_LOAD) {
			load = true;
			if (!inside)
				return bad(out, "a truncated ELF file (a "
						"segment ends after the file)");
		} else if (p->p_type == PT_INTERP) {
			Elf_Data *d;

			if (!inside || !p->p_filesz || p->p_filesz > 4096)
				return bad(out, "an ELF file with a damaged "
						"PT_INTERP");
			d = elf_getdata_rawchunk(elf, p->p_offset, p->p_filesz,
						 ELF_T_BYTE);
			if (!d || ((char *)d->d_buf)[d->d_size - 1])
				return bad(out, "an ELF file with a damaged "
						"PT_INTERP");
			free(out->interp);
			out->interp = xstrdup(d->d_buf);
		} else if (p->p_type == PT_DYNAMIC) {
			if (!inside)
				return bad(out, "a truncated ELF file (its "
						"dynamic section is cut off)");
			dyn = p;
		}
	}
	if (!load)
		return bad(out, "an ELF file with nothing to load");
	out->executable = eh->e_entry || eh->e_type == ET_EXEC;
	out->dynamic = dyn != NULL;
	if (dyn)
		read_dynamic(elf, ph, n, dyn, out);
	return ELF_OK;
}

static enum elf_verdict
read_headers(Elf *elf, const Elf64_Ehdr *eh, uint64_t size,
	     struct elf_info *out)
{
	enum elf_verdict v;
	Elf64_Phdr *raw, *ph;
	size_t n;

	if (elf_getphdrnum(elf, &n) < 0 || !n || !(raw = elf64_getphdr(elf)))
		return bad(out, "an ELF file without program headers");
	/* In the mapped file they may lie at any address. */
	ph = xmalloc(n * sizeof(*ph));
	memcpy(ph, raw, n * sizeof(*ph));
	v = read_segments(elf, eh, size, ph, n, out);
	free(ph);
	return v;
}

/* The ELF header alone, before libelf sees the file: libelf would only say
 * that something is wrong. */
static enum elf_verdict
check_ident(const Elf64_Ehdr *eh, size_t got, uint64_t size,
	    struct elf_info *out)
{
	const unsigned char *id = eh->e_ident;

	if (got < EI_NIDENT)
		return bad(out, "a truncated ELF file");
	if (id[EI_CLASS] == ELFCLASS32)
		return bad(out, "a 32-bit program; only 64-bit x86 runs");
	if (id[EI_CLASS] != ELFCLASS64)
		return bad(out, "an ELF file of an unknown class");
	if (id[EI_DATA] != ELFDATA2LSB)
		return bad(out, "a big-endian program of another "
				"architecture");
	if (got < sizeof(*eh))
		return bad(out, "a truncated ELF file (its header is cut off)");
	if (eh->e_machine != EM_X86_64)
		return bad(out,
			   eh->e_machine == EM_AARCH64 ?
				   "an aarch64 program; this kernel is x86-64" :
				   "a program for another architecture than "
				   "x86-64");
	if (eh->e_type != ET_EXEC && eh->e_type != ET_DYN)
		return bad(out, "an ELF file that is not executable (object "
				"or core file)");
	if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phoff > size ||
	    (uint64_t)eh->e_phnum * sizeof(Elf64_Phdr) > size - eh->e_phoff)
		return bad(out, "a truncated ELF file (its program headers "
				"are cut off)");
	return ELF_OK;
}

enum elf_verdict
elf_read(const char *host, struct elf_info *out)
{
	int fd = open(host, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum elf_verdict v = ELF_NOT;
	Elf64_Ehdr eh;
	struct stat st;
	ssize_t got;
	Elf *elf;

	*out = (struct elf_info){ 0 };
	if (fd < 0)
		return ELF_UNREADABLE;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		goto out;
	got = read(fd, &eh, sizeof(eh));
	if (got < 0) {
		v = ELF_UNREADABLE;
		goto out;
	}
	if (got < SELFMAG || memcmp(eh.e_ident, ELFMAG, SELFMAG))
		goto out;
	v = check_ident(&eh, got, st.st_size, out);
	if (v != ELF_OK)
		goto out;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!elf) {
		v = bad(out, "a damaged ELF file");
		goto out;
	}
	v = read_headers(elf, &eh, st.st_size, out);
	elf_end(elf);
out:
	close(fd);
	return v;
}

void
elf_info_free(struct elf_info *e)
{
	for (size_t i = 0; i < e->needed.n; i++)
		free(e->needed.v[i]);
	free(e->needed.v);
	free(e->interp);
	free(e->rpath);
	free(e->runpath);
	free(e->soname);
}

/* Whether ld.so would take the file at this guest path. */
static bool
usable(struct fileset *fs, const char *path)
{
	struct elf_info e;
	struct node *n;
	bool ok;

	if (!fs->foreign && access(path, R_OK) < 0)
		return false;
	n = fs->foreign ? fileset_find(fs, path) : NULL;
	if (fs->foreign && (!n || !n->host))
		return false;
	ok = elf_read(n ? n->host : path, &e) == ELF_OK;
	elf_info_free(&e);
	return ok;
}

/* $ORIGIN, $LIB and $PLATFORM of one element of a search path. */
static char *
expand(const char *elem, size_t len, const char *origin)
{
	static const struct {
		const char *name, *value;
	} vars[] = {
		{ "ORIGIN", NULL },
		{ "LIB", "lib/x86_64-linux-gnu" },
		{ "PLATFORM", "x86_64" },
	};
	struct buf b = { 0 };

	for (size_t i = 0; i < len; i++) {
		size_t k = ARRAY_LEN(vars), n = 0;
		bool brace;

		if (elem[i] == '$') {
			brace = i + 1 < len && elem[i + 1] == '{';
			for (k = 0; k < ARRAY_LEN(vars); k++) {
				n = strlen(vars[k].name);
				if (!strncmp(elem + i + 1 + brace, vars[k].name,
					     n))
					break;
			}
			if (k < ARRAY_LEN(vars)) {
				const char *v = vars[k].value;

				buf_addf(&b, "%s", v ? v : origin);
				i += n + 2 * brace;
				continue;
			}
		}
		buf_add(&b, elem + i, 1);
	}
	buf_add(&b, "", 0);
	return b.p;
}

/* `name` in the colon-separated directories of `path`; caller frees. */
static char *
try_path(struct search *s, const char *path, const char *origin,
	 const char *name)
{
	while (path) {
		size_t len = strcspn(path, ":");
		char *dir = expand(path, len, origin), *full = NULL;

		if (dir[0] == '/') {
			full = path_join(dir, name);
			if (!usable(s->fs, full)) {
				free(full);
				full = NULL;
			}
		}
		free(dir);
		if (full)
			return full;
		path = path[len] ? path + len + 1 : NULL;
	}
	return NULL;
}

static char *
try_dirs(struct search *s, const char *const *dirs, const char *name)
{
	char *found = NULL;

	for (; *dirs && !found; dirs++)
		found = try_path(s, *dirs, "", name);
	return found;
}

/* The layout ldconfig writes (sysdeps/generic/dl-cache.h documents it). */
struct cache_head {
	char magic[20];
	uint32_t nlibs, len_strings, flags, extension, unused[3];
};
struct cache_entry {
	int32_t flags;
	uint32_t key, value, os_version;
	uint64_t hwcap;
};
#define CACHE_MAGIC  "glibc-ld.so.cache1.1"
#define CACHE_X86_64 0x0303

/* The cache is the host's or --root's own; all offsets in it are checked. */
static char *
try_cache(struct search *s, const char *name)
{
	static struct buf text;
	static bool loaded;
	struct cache_head *h;
	struct cache_entry *e;

	if (!loaded) {
		struct node *n = fileset_find(s->fs, "/etc/ld.so.cache");

		loaded = true;
		if (n && n->host)
			read_file(n->host, &text);
	}
	h = (struct cache_head *)text.p;
	if (text.len < sizeof(*h) || memcmp(h->magic, CACHE_MAGIC, 20) ||
	    h->nlibs > (text.len - sizeof(*h)) / sizeof(*e))
		return NULL;
	e = (struct cache_entry *)(h + 1);
	for (uint32_t i = 0; i < h->nlibs; i++, e++) {
		if (e->flags != CACHE_X86_64 || e->hwcap ||
		    e->key >= text.len || e->value >= text.len ||
		    strcmp(text.p + e->key, name))
			continue;
		if (usable(s->fs, text.p + e->value))
			return xstrdup(text.p + e->value);
	}
	return NULL;
}

static char *
find_musl(struct search *s, const char *name)
{
	struct buf dirs = { 0 };
	struct node *n;
	char *found;

	/* The loader is the C library and answers for all its old parts. */
	if (!strncmp(name, "libc.", 5) || !strncmp(name, "libm.", 5) ||
	    !strncmp(name, "libpthread.", 11) || !strncmp(name, "libdl.", 6) ||
	    !strncmp(name, "librt.", 6))
		return xstrdup(s->interp);
	n = fileset_find(s->fs, "/etc/ld-musl-x86_64.path");
	if (n && n->host && !read_file(n->host, &dirs))
		for (char *p = dirs.p; *p; p++)
			if (*p == '\n')
				*p = ':';
	found = try_path(s, dirs.len ? dirs.p : "/lib:/usr/local/lib:/usr/lib",
			 "", name);
	buf_free(&dirs);
	return found;
}

/* ld.so(8), "the dependencies ... searched for in the following order".  musl
 * looks at DT_RPATH and DT_RUNPATH alike, along the chain. */
static char *
find_library(struct search *s, const struct loader *by, const char *runpath,
	     const char *name)
{
	char *found = NULL;

	if (strchr(name, '/'))
		return usable(s->fs, name) ? xstrdup(name) : NULL;
	if (!by->has_runpath || s->musl)
		for (const struct loader *l = by; l && !found; l = l->up)
			if (!l->has_runpath || s->musl)
				found = try_path(s, l->rpath, l->origin, name);
	if (!found)
		found = try_path(s, runpath, by->origin, name);
	if (!found && s->musl)
		found = find_musl(s, name);
	if (!found && !s->musl)
		found = try_cache(s, name);
	if (!found && !s->musl)
		found = try_dirs(s, glibc_dirs, name);
	return found;
}

static void closure(struct search *s, struct node *n, const struct loader *up,
		    struct elf_info *e);

/* LANG goes into the guest, so what it names must be there. */
static void
add_locale(struct fileset *fs)
{
	const char *lang = getenv("LANG");
	char *dir;

	if (!lang || !*lang || *lang == 'C' || !strcmp(lang, "POSIX") ||
	    strchr(lang, '/'))
		return;
	dir = path_join("/usr/lib/locale", lang);
	fileset_add_tree(fs, dir, NULL, NULL);
	free(dir);
	fileset_add(fs, "/usr/lib/locale/locale-archive", NULL);
}

static void
add_companions(struct search *s, const struct loader *l, const char *soname)
{
	for (size_t i = 0; i < ARRAY_LEN(companions); i++) {
		if (strcmp(companions[i].soname, soname) || s->fs->foreign)
			continue;
		for (int k = 0; k < 4 && companions[i].paths[k]; k++)
			fileset_add_tree(s->fs, companions[i].paths[k], NULL,
					 NULL);
	}
	if (!strcmp(soname, "libc.so.6")) {
		char *gcc = find_library(s, l, NULL, "libgcc_s.so.1");

		if (gcc)
			fileset_add(s->fs, gcc, NULL);
		free(gcc);
		if (!s->fs->foreign)
			add_locale(s->fs);
	}
}

/* One DT_NEEDED of `who`. */
static void
add_library(struct search *s, const struct loader *l, const struct elf_info *e,
	    const char *name, struct node *who)
{
	char *found = find_library(s, l, e->runpath, name), *path;
	struct elf_info lib;
	struct node *n;

	if (!found || fileset_add(s->fs, found, &n)) {
		path = node_path(who);
		if (s->required)
			die(STATUS_NOTFOUND,
			    "library %s, which %s needs, is "
			    "not on this host; install it, or name its "
			    "directory's files with -i",
			    printable(name), printable(path));
		say("library %s, which %s needs, is not on this host",
		    printable(name), printable(path));
		free(path);
		free(found);
		return;
	}
	free(found);
	if (n->checked || !n->host)
		return;
	if (elf_read(n->host, &lib) == ELF_OK) {
		add_companions(s, l, lib.soname ? lib.soname : name);
		closure(s, n, l, &lib);
	}
	elf_info_free(&lib);
}

static void
closure(struct search *s, struct node *n, const struct loader *up,
	struct elf_info *e)
{
	char *origin = node_path(n), *slash = strrchr(origin, '/');
	struct loader l = { .up = up,
			    .rpath = e->rpath,
			    .has_runpath = e->runpath != NULL };

	/* Before the loop, so that a cycle ends. */
	n->checked = true;
	*(slash == origin ? slash + 1 : slash) = '\0';
	l.origin = origin;
	for (size_t i = 0; i < e->needed.n; i++)
		add_library(s, &l, e, e->needed.v[i], n);
	free(origin);
}

void
elf_closure(struct fileset *fs, struct node *n, bool required)
{
	struct search s = { .fs = fs, .required = required };
	struct elf_info e, i;
	struct node *interp;
	char *path;

	if (n->checked || !n->host || elf_read(n->host, &e) != ELF_OK)
		return;
	if (e.interp) {
		s.interp = e.interp;
		s.musl = strstr(e.interp, "ld-musl") != NULL;
		if (fileset_add(fs, e.interp, &interp) || !interp->host) {
			path = node_path(n);
			if (required)
				die(STATUS_NOTFOUND,
				    "interpreter %s, which "
				    "%s needs, is not on this host",
				    printable(e.interp), printable(path));
			say("interpreter %s, which %s needs, is not on this "
			    "host",
			    printable(e.interp), printable(path));
			free(path);
			goto out;
		}
		/* The kernel loads it as it loads the program. */
		if (required && elf_read(interp->host, &i) != ELF_OK)
			die(STATUS_NOEXEC,
			    "interpreter %s is not a 64-bit "
			    "x86 ELF file",
			    printable(e.interp));
		if (required)
			elf_info_free(&i);
		interp->checked = true;
	}
	closure(&s, n, NULL, &e);
out:
	elf_info_free(&e);
}

/* Modules have no PT_INTERP but need libraries; whether one of them is
 * missing shows when the module is loaded, as on the host. */
static void
closure_one(struct node *n, void *arg)
{
	struct fileset *fs = arg;

	if (n->checked || !n->host || !S_ISREG(n->st.st_mode))
		return;
	if ((n->st.st_mode & 0111) || strstr(n->name, ".so"))
		elf_closure(fs, n, false);
	n->checked = true;
}

void
elf_closure_all(struct fileset *fs)
{
	fileset_each(fs, closure_one, fs);
}
