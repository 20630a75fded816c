/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a klib's file is laid out and relocated as docs/design/klib.md says,
 * and one that is damaged, anywhere and in any way, is refused without a read
 * or write outside of file and memory.
 * Method: a small klib by hand; then each rule broken by itself, the file cut
 * at every length, every byte changed, and many bytes at random.
 * SOURCES: src/klib/image.c src/arch/x86_64/module.c
 */
#include "../unit.h"

#include <abi/errno.h>
#include <base/limits.h>
#include <klib/image.h>

enum {
	TEXT = 1,
	RODATA,
	HEAD,
	DATA,
	BSS,
	SYMTAB,
	STRTAB,
	NAMES,
	RELA_TEXT,
	RELA_HEAD,
	RELA_DATA,
	NSECTIONS
};

static const char strings[] = "\0init\0outside";
#define OUTSIDE 6 /* where that name begins */

static const struct {
	const char *name;
	uint32_t type, flags, size, link, info, entsize;
} plan[NSECTIONS] = {
	[TEXT] = { ".text", SHT_PROGBITS, SHF_ALLOC, 64, 0, 0, 0 },
	[RODATA] = { ".rodata", SHT_PROGBITS, SHF_ALLOC, 24, 0, 0, 0 },
	[HEAD] = { ".klib", SHT_PROGBITS, SHF_ALLOC, sizeof(struct klib_head),
		   0, 0, 0 },
	[DATA] = { ".data", SHT_PROGBITS, SHF_ALLOC, 32, 0, 0, 0 },
	[BSS] = { ".bss", SHT_NOBITS, SHF_ALLOC, 5000, 0, 0, 0 },
	[SYMTAB] = { ".symtab", SHT_SYMTAB, 0, 4 * 24, STRTAB, 3, 24 },
	[STRTAB] = { ".strtab", SHT_STRTAB, 0, sizeof(strings), 0, 0, 0 },
	[NAMES] = { ".shstrtab", SHT_STRTAB, 0, 128, 0, 0, 0 },
	[RELA_TEXT] = { ".rela.text", SHT_RELA, 0, 2 * 24, SYMTAB, TEXT, 24 },
	[RELA_HEAD] = { ".rela.klib", SHT_RELA, 0, 24, SYMTAB, HEAD, 24 },
	[RELA_DATA] = { ".rela.data", SHT_RELA, 0, 2 * 24, SYMTAB, DATA, 24 },
};

static _Alignas(8) uint8_t good[4096], file[4096];
static size_t good_len;
static uint64_t at[NSECTIONS], headers_at;
static uint64_t seed = 1;

static uint32_t
rnd(void)
{
	return (uint32_t)unit_random(&seed);
}

static struct elf64_shdr *
header(uint8_t *f, unsigned i)
{
	return (struct elf64_shdr *)(f + headers_at) + i;
}

static struct elf64_sym *
symbol(uint8_t *f, unsigned i)
{
	return (struct elf64_sym *)(f + at[SYMTAB]) + i;
}

static struct elf64_rela *
rela(uint8_t *f, unsigned section, unsigned i)
{
	return (struct elf64_rela *)(f + at[section]) + i;
}

static uint64_t
info(uint64_t sym, uint32_t type)
{
	return sym << 32 | type;
}

static void
fill(void)
{
	struct klib_head *h = (void *)(good + at[HEAD]);

	memset(good + at[TEXT], 0x90, 64);
	memcpy(good + at[RODATA], "constants", 10);
	h->magic = KLIB_MAGIC;
	memset(h->id, 'a', KLIB_ID_LEN);
	strcpy(h->name, "test");
	memcpy(good + at[STRTAB], strings, sizeof(strings));
	/* 1: the text, 2: the constants, 3: something of the kernel. */
	*symbol(good, 1) = (struct elf64_sym){ .st_name = 1,
					       .st_shndx = TEXT,
					       .st_value = 16 };
	*symbol(good, 2) = (struct elf64_sym){ .st_shndx = RODATA };
	*symbol(good, 3) = (struct elf64_sym){ .st_name = OUTSIDE };
	*rela(good, RELA_TEXT, 0) =
		(struct elf64_rela){ 4, info(3, R_X86_64_PLT32), -4 };
	*rela(good, RELA_TEXT, 1) =
		(struct elf64_rela){ 11, info(2, R_X86_64_PC32), 4 };
	*rela(good, RELA_HEAD, 0) =
		(struct elf64_rela){ offsetof(struct klib_head, init),
				     info(1, R_X86_64_64), 0 };
	*rela(good, RELA_DATA, 0) =
		(struct elf64_rela){ 8, info(2, R_X86_64_64), 3 };
	*rela(good, RELA_DATA, 1) =
		(struct elf64_rela){ 24, info(3, R_X86_64_64), 0 };
}

static void
build(void)
{
	struct elf64_ehdr *e = (void *)good;
	uint64_t end = sizeof(*e), name = 1;

	for (unsigned i = 1; i < NSECTIONS; i++) {
		at[i] = end;
		if (plan[i].type != SHT_NOBITS)
			end = (end + plan[i].size + 7) & ~7ull;
	}
	headers_at = end;
	good_len = end + NSECTIONS * sizeof(struct elf64_shdr);
	CHECK(good_len <= sizeof(good));
	memcpy(e->e_ident, "\177ELF\2\1\1", 7);
	e->e_type = ET_REL;
	e->e_machine = EM_X86_64;
	e->e_shoff = headers_at;
	e->e_shentsize = sizeof(struct elf64_shdr);
	e->e_shnum = NSECTIONS;
	e->e_shstrndx = NAMES;
	for (unsigned i = 1; i < NSECTIONS; i++) {
		*header(good, i) = (struct elf64_shdr){
			.sh_name = (uint32_t)name,
			.sh_type = plan[i].type,
			.sh_flags = plan[i].flags,
			.sh_offset = at[i],
			.sh_size = plan[i].size,
			.sh_link = plan[i].link,
			.sh_info = plan[i].info,
			.sh_addralign = 8,
			.sh_entsize = plan[i].entsize,
		};
		strcpy((char *)good + at[NAMES] + name, plan[i].name);
		name += strlen(plan[i].name) + 1;
	}
	CHECK(name <= 128);
	fill();
}

static uintptr_t kernel; /* of "outside"; 0: it is not exported */

static uintptr_t
resolve(const char *name)
{
	return strcmp(name, "outside") ? 0 : kernel;
}

/* Open and place as the kernel does, the file and the memory each of their
 * very size; the memory comes back when it is good. */
static int
load(const uint8_t *f, size_t len, struct klib_image *k, uint8_t **mem)
{
	const struct klib_head *head;
	uint8_t *copy = malloc(len ? len : 1), *m;
	int err;

	CHECK(copy && !((uintptr_t)copy & 7));
	memcpy(copy, f, len);
	err = klib_image_open(k, copy, len);
	if (err) {
		CHECK(err == -ENOEXEC && *k->why);
		free(copy);
		return err;
	}
	CHECK(k->size <= LIMIT_KLIB_BYTES && !(k->size % PAGE_SIZE));
	m = aligned_alloc(4096, k->size ? k->size : 4096);
	CHECK(m);
	memset(m, 0, k->size);
	if (kernel == 1)
		kernel = (uintptr_t)m + 0x1234;
	err = klib_image_place(k, m, resolve, &head);
	CHECK(!err || ((err == -ENOEXEC || err == -ENOENT) && *k->why));
	if (!err)
		CHECK((uintptr_t)head - (uintptr_t)m < k->size);
	if (!err && mem)
		*mem = m;
	else
		free(m);
	free(copy);
	return err;
}

static void
honest(void)
{
	const struct klib_head *h;
	struct klib_image k;
	int32_t near;
	uint64_t far;
	uint8_t *m;

	kernel = 1;
	CHECK(load(good, good_len, &k, &m) == 0);
	CHECK(!strcmp(k.head.name, "test"));
	CHECK(k.part[KLIB_TEXT].at == 0 && k.part[KLIB_TEXT].len == 4096);
	CHECK(k.part[KLIB_RODATA].at == 4096 &&
	      k.part[KLIB_RODATA].len == 4096);
	CHECK(k.part[KLIB_DATA].at == 8192 && k.part[KLIB_DATA].len == 8192);
	CHECK(!memcmp(m + 4096, "constants", 10));
	CHECK(m[0] == 0x90 && m[8192 + 100] == 0);
	memcpy(&near, m + 4, 4);
	CHECK((uintptr_t)m + 8 + (uintptr_t)(intptr_t)near == kernel);
	memcpy(&near, m + 11, 4);
	CHECK((uintptr_t)m + 11 + (uintptr_t)(intptr_t)near ==
	      (uintptr_t)m + 4096 + 4);
	memcpy(&far, m + 8192 + 8, 8);
	CHECK(far == (uintptr_t)m + 4096 + 3);
	memcpy(&far, m + 8192 + 24, 8);
	CHECK(far == kernel);
	h = (const void *)(m + k.head_at);
	CHECK((uintptr_t)h->init == (uintptr_t)m + 16);
	free(m);
}

/* One rule broken each. */
#define EHDR   ((struct elf64_ehdr *)file)
#define HDR(i) header(file, i)
#define RULES(X)                                                            \
	X(EHDR->e_ident[0] = 0)                                             \
	X(EHDR->e_ident[EI_CLASS] = ELFCLASS32)                             \
	X(EHDR->e_type = ET_DYN)                                            \
	X(EHDR->e_machine = EM_AARCH64)                                     \
	X(EHDR->e_shentsize = 63)                                           \
	X(EHDR->e_shnum = 0)                                                \
	X(EHDR->e_shnum = LIMIT_KLIB_SECTIONS + 1)                          \
	X(EHDR->e_shstrndx = NSECTIONS)                                     \
	X(EHDR->e_shstrndx = TEXT)                                          \
	X(EHDR->e_shoff += 4)                                               \
	X(EHDR->e_shoff += 8)                                               \
	X(EHDR->e_shoff = UINT64_MAX - 7)                                   \
	X(HDR(TEXT)->sh_name = 128)                                         \
	X(HDR(TEXT)->sh_name = UINT32_MAX)                                  \
	X(HDR(TEXT)->sh_name = HDR(DATA)->sh_name)                          \
	X(HDR(TEXT)->sh_name = HDR(SYMTAB)->sh_name)                        \
	X(HDR(TEXT)->sh_type = SHT_NOBITS)                                  \
	X(HDR(TEXT)->sh_offset = UINT64_MAX)                                \
	X(HDR(TEXT)->sh_size = UINT64_MAX - HDR(TEXT)->sh_offset + 1)       \
	X(HDR(TEXT)->sh_addralign = 8192)                                   \
	X(HDR(TEXT)->sh_addralign = 24)                                     \
	X(HDR(TEXT)->sh_flags = 0)                                          \
	X(HDR(BSS)->sh_size = LIMIT_KLIB_BYTES)                             \
	X(HDR(BSS)->sh_size = UINT64_MAX)                                   \
	X(HDR(BSS)->sh_type = SHT_PROGBITS)                                 \
	X(HDR(HEAD)->sh_size--)                                             \
	X(HDR(HEAD)->sh_flags = 0)                                          \
	X(HDR(SYMTAB)->sh_flags = SHF_ALLOC)                                \
	X(HDR(SYMTAB)->sh_entsize = 23)                                     \
	X(HDR(SYMTAB)->sh_size--)                                           \
	X(HDR(SYMTAB)->sh_size = 24)                                        \
	X(HDR(SYMTAB)->sh_link = NSECTIONS)                                 \
	X(HDR(SYMTAB)->sh_link = UINT32_MAX)                                \
	X(HDR(SYMTAB)->sh_type = SHT_PROGBITS)                              \
	X(HDR(RELA_HEAD)->sh_type = SHT_SYMTAB)                             \
	X(HDR(STRTAB)->sh_size = 0)                                         \
	X(HDR(STRTAB)->sh_size--)                                           \
	X(HDR(RELA_TEXT)->sh_type = SHT_REL)                                \
	X(HDR(RELA_TEXT)->sh_link = TEXT)                                   \
	X(HDR(RELA_TEXT)->sh_entsize = 0)                                   \
	X(HDR(RELA_TEXT)->sh_size--)                                        \
	X(HDR(RELA_TEXT)->sh_offset++)                                      \
	X(HDR(RELA_TEXT)->sh_info = BSS)                                    \
	X(HDR(RELA_HEAD)->sh_info = 0)                                      \
	X(symbol(file, 1)->st_shndx = NSECTIONS)                            \
	X(symbol(file, 1)->st_shndx = 0xfff1)                               \
	X(symbol(file, 1)->st_shndx = SYMTAB)                               \
	X(symbol(file, 1)->st_value = 65)                                   \
	X(symbol(file, 1)->st_value = UINT64_MAX)                           \
	X(symbol(file, 1)->st_shndx = DATA)                                 \
	X(symbol(file, 3)->st_name = UINT32_MAX)                            \
	X(symbol(file, 3)->st_name = sizeof(strings))                       \
	X(rela(file, RELA_TEXT, 0)->r_offset = 61)                          \
	X(rela(file, RELA_TEXT, 0)->r_offset = UINT64_MAX)                  \
	X(rela(file, RELA_DATA, 0)->r_offset = 25)                          \
	X(rela(file, RELA_TEXT, 0)->r_info = info(4, R_X86_64_PLT32))       \
	X(rela(file, RELA_TEXT, 0)->r_info = info(0, R_X86_64_PLT32))       \
	X(rela(file, RELA_TEXT, 0)->r_info = info(3, 9))                    \
	X(rela(file, RELA_TEXT, 0)->r_info = info(UINT32_MAX, R_X86_64_64)) \
	X(rela(file, RELA_TEXT, 0)->r_addend = INT64_MAX)                   \
	X(rela(file, RELA_TEXT, 0)->r_addend = 1ll << 31)                   \
	X(rela(file, RELA_HEAD, 0)->r_addend = 4096)                        \
	X(((struct klib_head *)(file + at[HEAD]))->magic++)                 \
	X(((struct klib_head *)(file + at[HEAD]))->name[KLIB_NAME_MAX] = 1)

#define NAME_OF(x) #x,
#define BREAK(x)                  \
	case __COUNTER__ - FIRST: \
		x;                \
		break;

static const char *const rules[] = { RULES(NAME_OF) };

enum { FIRST = __COUNTER__ + 1 };

static void
break_rule(unsigned i)
{
	switch (i) {
		RULES(BREAK)
	}
}

static void
each_rule(void)
{
	struct klib_image k;

	for (unsigned i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		memcpy(file, good, good_len);
		break_rule(i);
		CHECK(memcmp(file, good, good_len));
		kernel = 1;
		if (load(file, good_len, &k, NULL) != -ENOEXEC) {
			printf("taken in spite of: %s\n", rules[i]);
			CHECK(0);
		}
	}
}

static void
not_exported(void)
{
	struct klib_image k;

	kernel = 0;
	CHECK(load(good, good_len, &k, NULL) == -ENOENT);
	CHECK(k.symbol);
	kernel = 0x1000; /* too far for a call */
	CHECK(load(good, good_len, &k, NULL) == -ENOEXEC);
}

static void
cut(void)
{
	struct klib_image k;

	for (size_t len = 0; len < good_len; len++) {
		kernel = 1;
		CHECK(load(good, len, &k, NULL) == -ENOEXEC);
	}
}

static void
each_byte(void)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct klib_image k;

	memcpy(file, good, good_len);
	for (size_t i = 0; i < good_len; i++) {
		for (unsigned v = 0; v < sizeof(values); v++) {
			file[i] = values[v];
			kernel = 1;
			ignore(load(file, good_len, &k, NULL)); /* alive */
		}
		file[i] = good[i];
	}
}

static void
at_random(void)
{
	unsigned taken = 0;
	struct klib_image k;

	for (unsigned n = 0; n < 20000; n++) {
		memcpy(file, good, good_len);
		for (unsigned i = rnd() % 6 + 1; i; i--) {
			/* Rather in tables than in code. */
			size_t spot = rnd() % 2 ?
					      rnd() % good_len :
					      headers_at + rnd() % (good_len -
								    headers_at);

			file[spot] = (uint8_t)(rnd() % 3 ? rnd() : rnd() % 16);
		}
		kernel = 1;
		taken += load(file, good_len - (rnd() % 8 ? 0 : rnd() % 64), &k,
			      NULL) == 0;
	}
	CHECK(taken > 100); /* damage in code is none */
}

static const struct unit_test tests[] = {
	{ "honest", honest },
	{ "each_rule", each_rule },
	{ "not_exported", not_exported },
	{ "cut", cut },
	{ "each_byte", each_byte },
	{ "at_random", at_random },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	build();
	return unit_main(argc, argv, tests);
}
