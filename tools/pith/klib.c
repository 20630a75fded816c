/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Klibs: which a machine gets, and the records that bring them.
 */
#include "klib.h"

#include "block.h"
#include "qemu.h"
#include "volume.h"
#include "vsock.h"

#include <abi/klib.h>
#include <dirent.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX	       ".klib"
#define KLIBS_MAX      16 /* LIMIT_KLIBS and the like of the kernel */
#define KLIB_BYTES_MAX (1u << 20)
#define ARGUMENTS_MAX  2048u

char *
klib_name(const char *words)
{
	return xstrndup(words, strcspn(words, "="));
}

static char *
folder(void)
{
	char *kernel = kernel_find(), *dir;

	*strrchr(kernel, '/') = '\0';
	dir = path_join(*kernel ? kernel : "/", "klib");
	free(kernel);
	return dir;
}

char *
klib_path(const char *name, const char *suffix)
{
	char *dir = folder(),
	     *path = xasprintf("%s/%s" SUFFIX "%s", dir, name, suffix);

	free(dir);
	return path;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *
klib_names(void)
{
	char *path = folder();
	struct strv list = { 0 };
	struct buf out = { 0 };
	struct dirent *e;
	DIR *dir = opendir(path);

	while (dir && (e = readdir(dir))) {
		size_t len = strlen(e->d_name), tail = strlen(SUFFIX);
		char *name;

		if (len <= tail || strcmp(e->d_name + len - tail, SUFFIX))
			continue;
		name = xstrndup(e->d_name, len - tail);
		strv_add(&list, name);
		free(name);
	}
	if (dir)
		closedir(dir);
	if (list.n)
		qsort(list.v, list.n, sizeof(*list.v), by_name);
	for (size_t i = 0; i < list.n; i++)
		buf_addf(&out, "%s%s", i ? " " : "", list.v[i]);
	buf_add(&out, "", 0);
	free(path);
	return out.p ? out.p : xstrdup("");
}

/* Names are short and plain: a path among them would read any file. */
static bool
is_name(const char *s)
{
	size_t len = strlen(s);

	return len && len <= KLIB_NAME_MAX &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_")];
}

static const char *
no_such(void)
{
	char *all = klib_names();

	return *all ? xasprintf("there is no klib of this name; there is: %s",
				all) :
		      "there is no klib of this name, nor any other beside "
		      "the kernel";
}

const char *
klib_add(struct options *o, const char *words)
{
	char *name = klib_name(words), *path;
	size_t len = strlen(name);
	bool there;

	if (!is_name(name))
		return no_such();
	path = klib_path(name, "");
	there = access(path, R_OK) == 0;
	free(path);
	if (!there)
		return no_such();
	if (strlen(words) > ARGUMENTS_MAX)
		return "its arguments are too long";
	for (size_t i = 0; i < o->klibs.n; i++) {
		char *old = o->klibs.v[i];

		if (strncmp(old, name, len) || (old[len] && old[len] != '='))
			continue;
		o->klibs.v[i] = xstrdup(words);
		free(old);
		return NULL;
	}
	if (o->klibs.n == KLIBS_MAX)
		return "there are too many klibs";
	strv_add(&o->klibs, words);
	free(name);
	return NULL;
}

static bool
has(const struct options *o, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < o->klibs.n; i++) {
		const char *k = o->klibs.v[i];

		if (!strncmp(k, name, len) && (!k[len] || k[len] == '='))
			return true;
	}
	return false;
}

static void
need(struct options *o, const char *name, const char *why)
{
	const char *wrong = has(o, name) ? NULL : klib_add(o, name);

	if (wrong)
		die(STATUS_FAILED, "%s needs the klib %s: %s", why, name,
		    wrong);
}

void
klib_choose(struct options *o)
{
	for (unsigned i = 0; i < o->nvolumes; i++)
		if (volume_is_dir(&o->volumes[i]))
			need(o, "9p", "a directory of the host (-v)");
	for (size_t i = 0; i < o->mounts.n; i++)
		if (!strncmp(o->mounts.v[i], "9p:", 3))
			need(o, "9p", "a mount of type 9p");
	if (vsock_wanted(o))
		need(o, "vsock", o->vsock_path ? "--vsock-path" : "--vsock");
}

/* Two records: "NAME\0ARGUMENTS", and the file. */
static void
put(struct buf *b, const char *words, const void *file, size_t len)
{
	size_t name = strcspn(words, "=");
	struct buf v = { 0 };

	buf_add(&v, words, name);
	buf_add(&v, "", 1);
	if (words[name])
		buf_add(&v, words + name + 1, strlen(words + name + 1));
	block_put(b, PITH_REC_KLIB, v.p, v.len);
	if (file)
		block_put(b, PITH_REC_KLIB_FILE, file, len);
	buf_free(&v);
}

/* Our file of that klib; false: we have none. */
static bool
ours(const char *words, struct buf *out)
{
	char *name = klib_name(words), *path = klib_path(name, "");
	int err = is_name(name) ? read_file(path, out) : -ENOENT;

	if (err && err != -ENOENT)
		die(STATUS_FAILED, "klib %s: %s", printable(path),
		    strerror(-err));
	if (!err && out->len > KLIB_BYTES_MAX)
		die(STATUS_FAILED, "klib %s: it is too large", printable(path));
	free(name);
	free(path);
	return !err;
}

void
klib_put(struct buf *b, const struct options *o)
{
	for (size_t i = 0; i < o->klibs.n; i++) {
		struct buf file = { 0 };

		if (!ours(o->klibs.v[i], &file))
			die(STATUS_FAILED, "klib %s: its file is gone",
			    printable(o->klibs.v[i]));
		put(b, o->klibs.v[i], file.p, file.len);
		buf_free(&file);
	}
}

/* One klib of a manifest, where its file stands in it. */
struct brought {
	char *words;
	const char *file;
	size_t len;
};

static unsigned
brought_by(const struct buf *manifest, struct brought list[KLIBS_MAX])
{
	struct block_item item;
	unsigned n = 0;
	size_t at = 0;

	while (block_next(manifest, &at, &item)) {
		if (item.tag == PITH_REC_KLIB && n < KLIBS_MAX) {
			char *name = xstrndup(item.value, item.len);
			size_t len = strlen(name);
			char *args = len < item.len ?
					     xstrndup(item.value + len + 1,
						      item.len - len - 1) :
					     xstrdup("");

			list[n++].words =
				*args ? xasprintf("%s=%s", name, args) :
					xstrdup(name);
			free(name);
			free(args);
		} else if (item.tag == PITH_REC_KLIB_FILE && n) {
			list[n - 1].file = item.value;
			list[n - 1].len = item.len;
		}
	}
	return n;
}

void
klib_put_beside(struct buf *b, struct options *o, const struct buf *manifest)
{
	struct brought list[KLIBS_MAX] = { 0 };
	unsigned n = brought_by(manifest, list), i;
	struct strv said = o->klibs;
	bool same = !said.n;

	/* The image's come first, as they would without us. */
	o->klibs = (struct strv){ 0 };
	for (i = 0; i < n; i++)
		strv_add(&o->klibs, list[i].words);
	for (size_t k = 0; k < said.n; k++) {
		const char *wrong = klib_add(o, said.v[k]);

		if (wrong)
			die(STATUS_FAILED, "--klib %s: %s",
			    printable(said.v[k]), wrong);
	}
	klib_choose(o);
	same = same && o->klibs.n == n;
	for (i = 0; i < n && same; i++) {
		struct buf file = { 0 };

		if (ours(list[i].words, &file))
			same = list[i].file && file.len == list[i].len &&
			       !memcmp(file.p, list[i].file, file.len);
		buf_free(&file);
	}
	if (same)
		return;
	for (size_t k = 0; k < o->klibs.n; k++) {
		struct buf file = { 0 };

		/* One that we do not have may still fit: the kernel knows. */
		if (ours(o->klibs.v[k], &file))
			put(b, o->klibs.v[k], file.p, file.len);
		else
			put(b, o->klibs.v[k], list[k].file, list[k].len);
		buf_free(&file);
	}
}

char *
klib_id(const void *file, size_t len)
{
	struct klib_head head;
	char *id = NULL;
	Elf_Scn *s = NULL;
	Elf_Data *d;
	size_t names;
	Elf *e;

	elf_version(EV_CURRENT);
	e = elf_memory((char *)file, len);
	if (e && elf_getshdrstrndx(e, &names))
		names = 0;
	while (e && names && !id && (s = elf_nextscn(e, s))) {
		GElf_Shdr h;
		const char *name;

		if (!gelf_getshdr(s, &h))
			continue;
		name = elf_strptr(e, names, h.sh_name);
		d = name && !strcmp(name, KLIB_SECTION) ? elf_rawdata(s, NULL) :
							  NULL;
		if (!d || d->d_size != sizeof(head))
			continue;
		memcpy(&head, d->d_buf, sizeof(head));
		if (head.magic == KLIB_MAGIC)
			id = xstrndup(head.id, sizeof(head.id));
	}
	elf_end(e);
	return id;
}

/* Where the sections lie; 0: there is none of that name. */
struct places {
	uint64_t text, rodata, data, bss, end;
};

static bool
section(Elf *e, size_t names, const char *want, GElf_Shdr *h)
{
	Elf_Scn *s = NULL;

	while ((s = elf_nextscn(e, s))) {
		const char *name = gelf_getshdr(s, h) ?
					   elf_strptr(e, names, h->sh_name) :
					   NULL;

		if (name && h->sh_flags & SHF_ALLOC && !strcmp(name, want))
			return true;
	}
	return false;
}

static uint64_t
place(Elf *e, size_t names, const char *name, uint64_t *at)
{
	uint64_t here, align;
	GElf_Shdr h;

	if (!section(e, names, name, &h))
		return 0;
	align = h.sh_addralign ? h.sh_addralign : 1;
	here = (*at + align - 1) / align * align;
	*at = here + h.sh_size;
	return here;
}

static uint64_t
page_up(uint64_t v)
{
	return (v + 4095) & -4096ull;
}

static bool
find_places(const struct buf *file, uint64_t at, struct places *p)
{
	size_t names;
	bool ok;
	Elf *e;

	elf_version(EV_CURRENT);
	e = elf_memory(file->p, file->len);
	ok = e && !elf_getshdrstrndx(e, &names);
	if (ok) {
		p->text = place(e, names, ".text", &at);
		at = page_up(at);
		p->rodata = place(e, names, ".rodata", &at);
		place(e, names, KLIB_SECTION, &at);
		at = page_up(at);
		p->data = place(e, names, ".data", &at);
		p->bss = place(e, names, ".bss", &at);
		p->end = page_up(at);
	}
	elf_end(e);
	return ok;
}

char *
klib_gdb(const struct options *o, uint64_t start, uint64_t gap)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < o->klibs.n; i++) {
		char *name = klib_name(o->klibs.v[i]), *path;
		struct buf file = { 0 };
		struct places p = { 0 };

		if (!ours(o->klibs.v[i], &file) ||
		    !find_places(&file, start, &p))
			break;
		path = klib_path(name, ".debug");
		if (access(path, R_OK)) {
			free(path);
			path = klib_path(name, "");
		}
		buf_addf(&out, "-ex 'add-symbol-file %s 0x%llx", path,
			 (unsigned long long)p.text);
		if (p.rodata)
			buf_addf(&out, " -s .rodata 0x%llx",
				 (unsigned long long)p.rodata);
		if (p.data)
			buf_addf(&out, " -s .data 0x%llx",
				 (unsigned long long)p.data);
		if (p.bss)
			buf_addf(&out, " -s .bss 0x%llx",
				 (unsigned long long)p.bss);
		buf_addf(&out, "' ");
		start = p.end + gap;
		free(name);
		free(path);
		buf_free(&file);
	}
	buf_add(&out, "", 0);
	return out.p ? out.p : xstrdup("");
}
