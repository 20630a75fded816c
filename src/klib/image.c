/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A klib's file: checked, laid out, relocated.
 *
 * Every offset, count, index and name of the file is checked before it is
 * used; what is wrong is -ENOEXEC and a sentence in k->why.  Only the five
 * sections that klib.lds leaves may be loaded, each once.
 */
#include <klib/image.h>

#include <abi/errno.h>
#include <arch/module.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/string.h>

static const struct {
	const char *name;
	enum klib_part part;
	uint32_t type;
} known[KLIB_SECTIONS] = {
	{ ".text", KLIB_TEXT, SHT_PROGBITS },
	{ ".rodata", KLIB_RODATA, SHT_PROGBITS },
	{ KLIB_SECTION, KLIB_RODATA, SHT_PROGBITS },
	{ ".data", KLIB_DATA, SHT_PROGBITS },
	{ ".bss", KLIB_DATA, SHT_NOBITS },
};
#define HEAD 2 /* of these */

static int
bad(struct klib_image *k, const char *why)
{
	k->why = why;
	return -ENOEXEC;
}

/* len bytes at off, aligned to 8; NULL: not in the file. */
static const void *
piece(const struct klib_image *k, uint64_t off, uint64_t len)
{
	if (off & 7 || off > k->len || len > k->len - off)
		return NULL;
	return k->file + off;
}

/* A table of names: not empty, the last byte is NUL. */
static const char *
names(const struct klib_image *k, unsigned index, size_t *len)
{
	const struct elf64_shdr *s = &k->sections[index];

	if (index >= k->nsections || s->sh_type != SHT_STRTAB || !s->sh_size ||
	    s->sh_offset > k->len || s->sh_size > k->len - s->sh_offset ||
	    k->file[s->sh_offset + s->sh_size - 1])
		return NULL;
	*len = s->sh_size;
	return (const char *)k->file + s->sh_offset;
}

static int
check_header(struct klib_image *k)
{
	const struct elf64_ehdr *h = (const void *)k->file;

	if (k->len < sizeof(*h) || memcmp(h->e_ident, "\177ELF", 4))
		return bad(k, "it is no ELF file");
	if (h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_type != ET_REL ||
	    h->e_machine != ARCH_MODULE_MACHINE)
		return bad(k, "it is no relocatable object of this machine");
	if (h->e_shentsize != sizeof(struct elf64_shdr) || !h->e_shnum ||
	    h->e_shnum > LIMIT_KLIB_SECTIONS || h->e_shstrndx >= h->e_shnum)
		return bad(k, "its section headers make no sense");
	k->nsections = h->e_shnum;
	k->sections =
		piece(k, h->e_shoff, h->e_shnum * sizeof(struct elf64_shdr));
	if (!k->sections)
		return bad(k, "its section headers are not in the file");
	return 0;
}

/* A section that is to be loaded: one of those that are known. */
static int
check_loaded(struct klib_image *k, unsigned index, const char *name)
{
	const struct elf64_shdr *s = &k->sections[index];

	for (unsigned i = 0; i < KLIB_SECTIONS; i++) {
		if (strcmp(known[i].name, name))
			continue;
		if (k->section[i].index)
			return bad(k, "a section is there twice");
		if (s->sh_type != known[i].type)
			return bad(k, "a section has a wrong type");
		if (s->sh_size > LIMIT_KLIB_BYTES)
			return bad(k, "it is too large");
		if (s->sh_addralign > PAGE_SIZE ||
		    (s->sh_addralign && !is_pow2(s->sh_addralign)))
			return bad(k, "a section's alignment makes no sense");
		k->section[i].index = index;
		return 0;
	}
	return bad(k, "it has a section that no klib may have");
}

static int
check_symtab(struct klib_image *k, unsigned index)
{
	const struct elf64_shdr *s = &k->sections[index];

	if (k->symtab)
		return bad(k, "it has two symbol tables");
	k->symtab = index;
	if (s->sh_entsize != sizeof(struct elf64_sym) ||
	    s->sh_size % sizeof(struct elf64_sym))
		return bad(k, "its symbols have a wrong size");
	k->nsyms = s->sh_size / sizeof(struct elf64_sym);
	k->syms = piece(k, s->sh_offset, s->sh_size);
	k->strings = names(k, s->sh_link, &k->strings_len);
	if (!k->syms || !k->strings)
		return bad(k, "its symbol table is cut");
	return 0;
}

static int
check_sections(struct klib_image *k)
{
	const struct elf64_ehdr *h = (const void *)k->file;
	size_t len;
	const char *text = names(k, h->e_shstrndx, &len);
	int err = 0;

	if (!text)
		return bad(k, "its sections have no names");
	for (unsigned i = 1; i < k->nsections && !err; i++) {
		const struct elf64_shdr *s = &k->sections[i];

		if (s->sh_name >= len)
			return bad(k, "a section's name is cut");
		if (s->sh_type != SHT_NOBITS &&
		    (s->sh_offset > k->len ||
		     s->sh_size > k->len - s->sh_offset))
			return bad(k, "a section is not in the file");
		if (s->sh_flags & SHF_ALLOC)
			err = check_loaded(k, i, text + s->sh_name);
		else if (s->sh_type == SHT_SYMTAB)
			err = check_symtab(k, i);
	}
	return err;
}

/* Parts in order, each from a page on; sections in a part as they are
 * listed.  Sizes are bounded, so nothing overflows. */
static int
lay_out(struct klib_image *k)
{
	uint64_t at = 0;

	for (unsigned p = 0; p < KLIB_PARTS; p++) {
		k->part[p].at = at;
		for (unsigned i = 0; i < KLIB_SECTIONS; i++) {
			struct klib_section *l = &k->section[i];
			const struct elf64_shdr *s = &k->sections[l->index];

			if (known[i].part != p || !l->index)
				continue;
			if (s->sh_addralign)
				at = align_up(at, s->sh_addralign);
			l->at = at;
			at += s->sh_size;
		}
		at = align_up(at, PAGE_SIZE);
		k->part[p].len = at - k->part[p].at;
	}
	k->size = at;
	return at <= LIMIT_KLIB_BYTES ? 0 : bad(k, "it is too large");
}

static int
read_head(struct klib_image *k)
{
	const struct elf64_shdr *s = &k->sections[k->section[HEAD].index];

	if (!k->section[HEAD].index || s->sh_size != sizeof(k->head))
		return bad(k, "it is no klib");
	memcpy(&k->head, k->file + s->sh_offset, sizeof(k->head));
	k->head_at = k->section[HEAD].at;
	if (k->head.magic != KLIB_MAGIC || k->head_at & 7 ||
	    k->head.name[KLIB_NAME_MAX])
		return bad(k, "it is no klib");
	return 0;
}

int
klib_image_open(struct klib_image *k, const void *file, size_t len)
{
	int err;

	memset(k, 0, sizeof(*k));
	k->file = file;
	k->len = len;
	k->why = "";
	if (len > LIMIT_KLIB_BYTES)
		return bad(k, "it is too large");
	err = check_header(k);
	if (!err)
		err = check_sections(k);
	if (!err)
		err = lay_out(k);
	if (!err)
		err = read_head(k);
	return err;
}

static const struct klib_section *
loaded_as(const struct klib_image *k, unsigned index)
{
	for (unsigned i = 0; index && i < KLIB_SECTIONS; i++)
		if (k->section[i].index == index)
			return &k->section[i];
	return NULL;
}

/* The address that symbol i stands for. */
static int
symbol_value(struct klib_image *k, uint64_t i, const uint8_t *mem,
	     klib_resolve_fn *resolve, uint64_t *out)
{
	const struct klib_section *l;
	const struct elf64_sym *s;

	if (!i || i >= k->nsyms)
		return bad(k, "a relocation is against no symbol");
	s = &k->syms[i];
	if (s->st_shndx == SHN_UNDEF) {
		if (s->st_name >= k->strings_len)
			return bad(k, "a symbol's name is cut");
		*out = resolve(k->strings + s->st_name);
		if (*out)
			return 0;
		k->why = "the kernel does not export";
		k->symbol = k->strings + s->st_name;
		return -ENOENT;
	}
	l = loaded_as(k, s->st_shndx);
	if (!l || s->st_value > k->sections[l->index].sh_size)
		return bad(k, "a symbol lies in nothing that is loaded");
	*out = (uintptr_t)mem + l->at + s->st_value;
	return 0;
}

static int
relocate(struct klib_image *k, const struct elf64_shdr *rs, uint8_t *mem,
	 klib_resolve_fn *resolve)
{
	const struct klib_section *l = loaded_as(k, rs->sh_info);
	const struct elf64_rela *r = piece(k, rs->sh_offset, rs->sh_size);
	const struct elf64_shdr *to;
	int err = 0;

	if (!l)
		return 0; /* debugging information's */
	to = &k->sections[l->index];
	if (!r || rs->sh_link != k->symtab || !k->symtab ||
	    rs->sh_entsize != sizeof(*r) || rs->sh_size % sizeof(*r) ||
	    to->sh_type == SHT_NOBITS)
		return bad(k, "its relocations make no sense");
	for (size_t n = rs->sh_size / sizeof(*r); n && !err; n--, r++) {
		uint32_t type = (uint32_t)r->r_info;
		unsigned size = arch_module_reloc_size(type);
		uint64_t value;

		if (!size || to->sh_size < size ||
		    r->r_offset > to->sh_size - size)
			return bad(k, "a relocation has an unknown type, or "
				      "lies outside of its section");
		err = symbol_value(k, r->r_info >> 32, mem, resolve, &value);
		if (!err && arch_module_reloc(mem + l->at + r->r_offset, type,
					      value, r->r_addend))
			err = bad(k, "a relocation does not reach");
	}
	return err;
}

int
klib_image_place(struct klib_image *k, void *mem, klib_resolve_fn *resolve,
		 const struct klib_head **head)
{
	uint8_t *to = mem;
	uintptr_t init;
	int err = 0;

	for (unsigned i = 0; i < KLIB_SECTIONS; i++) {
		const struct klib_section *l = &k->section[i];
		const struct elf64_shdr *s = &k->sections[l->index];

		if (l->index && s->sh_type != SHT_NOBITS)
			memcpy(to + l->at, k->file + s->sh_offset, s->sh_size);
	}
	for (unsigned i = 1; i < k->nsections && !err; i++) {
		if (k->sections[i].sh_type == SHT_RELA)
			err = relocate(k, &k->sections[i], to, resolve);
		else if (k->sections[i].sh_type == SHT_REL)
			err = bad(k, "it has relocations without addends");
	}
	if (err)
		return err;
	*head = (const void *)(to + k->head_at);
	init = (uintptr_t)(*head)->init;
	if (init - (uintptr_t)to - k->part[KLIB_TEXT].at >=
	    k->part[KLIB_TEXT].len)
		return bad(k, "it has no init function");
	return 0;
}
