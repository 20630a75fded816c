/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for the addresses of the kernel's own backtraces.
 *
 * A panic prints a frame as "  0xADDRESS", an address of the linked image, or
 * as "  klib NAME+0xOFFSET", an offset in that klib's code.  The kernel has no
 * symbol table; pith-kernel.debug and the klibs' files, beside the kernel,
 * have.  Where one is not there its lines stay as they are.
 */
#include "control.h"

#include "klib.h"
#include "qemu.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 200
#define FILES_MAX      20

/* A file and its functions; without any when it could not be read. */
struct symbols {
	char *path;
	struct function {
		uint64_t start, size;
		char *name;
	} * functions;
	size_t n;
};

static void
take_table(struct symbols *s, Elf *e, Elf_Scn *scn, const GElf_Shdr *h)
{
	Elf_Data *d = elf_getdata(scn, NULL);
	size_t n = d && h->sh_entsize ? h->sh_size / h->sh_entsize : 0;

	s->functions = xcalloc(n + 1, sizeof(*s->functions));
	for (size_t i = 0; i < n; i++) {
		const char *name;
		GElf_Sym sym;

		if (!gelf_getsym(d, i, &sym) || sym.st_shndx == SHN_UNDEF ||
		    GELF_ST_TYPE(sym.st_info) != STT_FUNC)
			continue;
		name = elf_strptr(e, h->sh_link, sym.st_name);
		if (name)
			s->functions[s->n++] =
				(struct function){ sym.st_value, sym.st_size,
						   xstrdup(name) };
	}
}

static void
read_symbols(struct symbols *s)
{
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);
	Elf_Scn *scn = NULL;
	GElf_Shdr h;
	Elf *e;

	elf_version(EV_CURRENT);
	e = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ_MMAP, NULL);
	while (e && !s->functions && (scn = elf_nextscn(e, scn)))
		if (gelf_getshdr(scn, &h) && h.sh_type == SHT_SYMTAB)
			take_table(s, e, scn, &h);
	elf_end(e);
	if (fd >= 0)
		close(fd);
}

/* Takes path over.  Files stay read: a panic names the same ones often. */
static struct symbols *
symbols_of(char *path)
{
	static struct symbols files[FILES_MAX];
	unsigned i;

	for (i = 0; i < FILES_MAX - 1 && files[i].path; i++) {
		if (!strcmp(files[i].path, path)) {
			free(path);
			return &files[i];
		}
	}
	if (!files[i].path) {
		files[i].path = path;
		read_symbols(&files[i]);
	}
	return &files[i];
}

static const struct function *
function_at(const struct symbols *s, uint64_t pc)
{
	for (size_t i = 0; i < s->n; i++)
		if (pc - s->functions[i].start < s->functions[i].size)
			return &s->functions[i];
	return NULL;
}

/* A frame's function.  A caller is looked for one byte before the return
 * address, which may already be the next function's. */
static void
add_name(struct buf *out, const struct symbols *s, uint64_t pc, bool caller)
{
	const struct function *f = function_at(s, pc - caller);

	if (f)
		buf_addf(out, " %s+0x%llx", f->name,
			 (unsigned long long)(pc - f->start));
}

char *
symbols_function(uint64_t pc)
{
	const struct function *f = function_at(symbols_of(kernel_debug()), pc);

	return f ? xstrdup(f->name) : NULL;
}

static void
add_line_names(struct buf *out, const char *line, bool caller)
{
	unsigned long long at;
	char name[32];
	int end = 0;

	if (sscanf(line, "  klib %31[a-z0-9_-]+0x%llx%n", name, &at, &end) ==
		    2 &&
	    !line[end])
		add_name(out, symbols_of(klib_path(name, "")), at, caller);
	else if (sscanf(line, "  0x%llx%n", &at, &end) == 1 && !line[end])
		add_name(out, symbols_of(kernel_debug()), at, caller);
}

struct buf
symbols_add(const char *text, size_t len)
{
	struct buf out = { 0 };
	bool caller = false;

	while (len) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;

		buf_add(&out, text, n);
		if (n > 4 && n < LINE_MAX_BYTES && text[0] == ' ') {
			char *line = xstrndup(text, n);

			if (!strncmp(line, "  0x", 4) ||
			    !strncmp(line, "  klib ", 7)) {
				add_line_names(&out, line, caller);
				caller = true;
			}
			free(line);
		} else {
			/* The frame behind a heading is where the CPU was. */
			caller = false;
		}
		if (!nl)
			break;
		buf_add(&out, "\n", 1);
		text += n + 1;
		len -= n + 1;
	}
	return out;
}
