/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the ELF loader maps good files where they want to be and refuses bad
 * ones, whatever their headers say.  Method: a file in memory and a model of
 * the address space that checks each mapping: aligned, within the program's
 * half, never over another; well-formed files by hand, then random damage.
 * SOURCES: src/proc/elf.c
 */
#include "../unit.h"

#include <abi/elf.h>
#include <abi/errno.h>
#include <arch/mmu.h>
#include <file/file.h>
#include <mem/heap.h>
#include <vm/object.h>
#include <vm/space.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#include "../../../src/proc/proc_priv.h"

#define FILE_SIZE 65536u
#define NRANGES	  1024

static uint8_t image[FILE_SIZE];
static size_t image_size;
static struct {
	uint64_t start, end;
	uint32_t flags;
	bool file;
} ranges[NRANGES];
static unsigned nranges;
static uint64_t cleared;
static unsigned allocated;

/* ---- what the loader stands on ---- */

void
uio_init_kernel(struct uio *u, void *buf, size_t len)
{
	memset(u, 0, sizeof(*u));
	u->segs = u->fast;
	u->fast[0].base = (uint64_t)buf;
	u->fast[0].len = u->resid = len;
}

ssize_t
file_pread(struct file *f, struct uio *u, int64_t pos)
{
	size_t n = u->resid;

	(void)f;
	CHECK(pos >= 0);
	if ((uint64_t)pos >= image_size)
		return 0;
	if (n > image_size - (size_t)pos)
		n = image_size - (size_t)pos;
	memcpy((void *)u->fast[0].base, image + pos, n);
	return (ssize_t)n;
}

void *
kmalloc(size_t size, unsigned alloc)
{
	(void)alloc;
	allocated++;
	return malloc(size);
}

void
kfree(void *p)
{
	if (p)
		allocated--;
	free(p);
}

long
vm_map(struct vm_space *s, vaddr_t addr, size_t len, uint32_t flags,
       struct vm_object *o, struct file *file, uint64_t offset, unsigned how)
{
	(void)s, (void)o;
	CHECK(len > 0);
	CHECK_EQ(offset & PAGE_MASK, 0);
	if (len > USER_END)
		return -ENOMEM;
	len = (len + PAGE_MASK) & ~PAGE_MASK;
	if (!addr) {
		CHECK(!(how & (VM_FIXED | VM_FIXED_NOREPLACE)));
		if (len > USER_END / 2)
			return -ENOMEM;
		addr = 0x7f0000000000ull - len;
	}
	CHECK_EQ(addr & PAGE_MASK, 0);
	if (addr < USER_MIN || addr + len > USER_END)
		return -EINVAL;
	for (unsigned i = 0; i < nranges; i++)
		if (addr < ranges[i].end && ranges[i].start < addr + len)
			return -EEXIST;
	CHECK(nranges < NRANGES);
	ranges[nranges].start = addr;
	ranges[nranges].end = addr + len;
	ranges[nranges].flags = flags;
	ranges[nranges++].file = file != NULL;
	return (long)addr;
}

int
vm_unmap(struct vm_space *s, vaddr_t addr, size_t len)
{
	(void)s;
	CHECK(nranges > 0 && ranges[nranges - 1].start == addr);
	CHECK_EQ(ranges[nranges - 1].end - addr,
		 (len + PAGE_MASK) & ~PAGE_MASK);
	nranges--;
	return 0;
}

void
vm_object_put(struct vm_object *o)
{
	(void)o;
}

int
clear_user(void __user *dst, size_t len)
{
	CHECK((uint64_t)dst + len <= USER_END);
	CHECK(len <= PAGE_SIZE);
	cleared += len;
	return 0;
}

static int
map_ok(struct file *f, struct file_mmap *m)
{
	(void)f;
	CHECK(m->len > 0);
	CHECK_EQ(m->offset & PAGE_MASK, 0);
	return 0;
}

static const struct file_ops ops = { .mmap = map_ok };
static struct file file = { .ops = &ops };

/* ---- files ---- */

static struct elf64_ehdr *
header(void)
{
	return (struct elf64_ehdr *)image;
}

static struct elf64_phdr *
phdr(unsigned i)
{
	return (struct elf64_phdr *)(image + 64) + i;
}

static void
segment(unsigned i, uint32_t flags, uint64_t off, uint64_t va, uint64_t fsz,
	uint64_t msz)
{
	*phdr(i) = (struct elf64_phdr){
		.p_type = PT_LOAD,
		.p_flags = flags,
		.p_offset = off,
		.p_vaddr = va,
		.p_filesz = fsz,
		.p_memsz = msz,
		.p_align = 4096,
	};
}

/* Text, read-only data, data with a bss; interpreter and stack notes. */
static void
good_file(uint16_t type, uint64_t base)
{
	static const uint8_t ident[] = { 0x7f,	    'E',	'L',
					 'F',	    ELFCLASS64, ELFDATA2LSB,
					 EV_CURRENT };

	memset(image, 0, sizeof(image));
	image_size = sizeof(image);
	memcpy(header()->e_ident, ident, sizeof(ident));
	header()->e_type = type;
	header()->e_machine = EM_X86_64;
	header()->e_entry = base + 0x1010;
	header()->e_phoff = 64;
	header()->e_phentsize = 56;
	header()->e_phnum = 6;
	segment(0, PF_R, 0, base, 0x800, 0x800);
	segment(1, PF_R | PF_X, 0x1000, base + 0x1000, 0x3456, 0x3456);
	segment(2, PF_R | PF_W, 0x5120, base + 0x6120, 0x300, 0x5000);
	*phdr(3) = (struct elf64_phdr){ .p_type = PT_GNU_STACK,
					.p_flags = PF_R | PF_W };
	*phdr(4) = (struct elf64_phdr){ .p_type = PT_INTERP,
					.p_offset = 0x500,
					.p_filesz = 7 };
	memcpy(image + 0x500, "/ld.so", 7);
	*phdr(5) = (struct elf64_phdr){ .p_type = PT_PHDR,
					.p_offset = 64,
					.p_vaddr = base + 64 };
}

static int
load(struct elf_file *e, uint64_t base)
{
	int err;

	nranges = 0;
	cleared = 0;
	err = elf_open(&file, e);
	if (err)
		return err;
	err = elf_map(e, NULL, base);
	if (err)
		elf_close(e);
	return err;
}

/* ---- tests ---- */

static void
test_fixed(void)
{
	struct elf_file e;
	char path[16];

	good_file(ET_EXEC, 0x400000);
	CHECK_EQ(load(&e, 0), 0);
	CHECK_EQ(e.entry, 0x401010);
	CHECK_EQ(e.phdr, 0x400040);
	CHECK_EQ(e.end, 0x40b120);
	CHECK_EQ(nranges, 4);
	CHECK_EQ(ranges[0].start, 0x400000);
	CHECK_EQ(ranges[1].start, 0x401000);
	CHECK_EQ(ranges[1].end, 0x405000);
	CHECK(ranges[1].flags & VMA_EXEC && !(ranges[1].flags & VMA_WRITE));
	CHECK_EQ(ranges[2].start, 0x406000);
	CHECK_EQ(ranges[2].end, 0x407000);
	CHECK_EQ(ranges[3].start, 0x407000);
	CHECK_EQ(ranges[3].end, 0x40c000);
	CHECK(!ranges[3].file && ranges[3].flags & VMA_WRITE);
	CHECK_EQ(cleared, 0x1000 - 0x420);
	CHECK(e.has_interp && !e.exec_stack);
	CHECK_EQ(elf_interp(&e, path, sizeof(path)), 0);
	CHECK_STR(path, "/ld.so");
	CHECK_EQ(elf_interp(&e, path, 6), -ENOEXEC);
	elf_close(&e);
	CHECK_EQ(allocated, 0);
}

static void
test_position_independent(void)
{
	struct elf_file e;

	good_file(ET_DYN, 0);
	CHECK_EQ(load(&e, 0x555555554000ull), 0);
	CHECK_EQ(e.bias, 0x555555554000ull);
	CHECK_EQ(e.entry, 0x555555555010ull);
	elf_close(&e);
	CHECK_EQ(load(&e, 0), 0);
	CHECK(e.bias > 0x7e0000000000ull);
	elf_close(&e);
	/* Aligned as its segments ask. */
	phdr(1)->p_align = 1 << 21;
	CHECK_EQ(load(&e, 0x555555554000ull), 0);
	CHECK_EQ(e.bias & ((1 << 21) - 1), 0);
	elf_close(&e);
}

static void
refused(int want)
{
	struct elf_file e;

	CHECK_EQ(load(&e, 0x555555554000ull), want);
	CHECK_EQ(allocated, 0);
}

#define BAD_IF(statement)                     \
	do {                                  \
		good_file(ET_EXEC, 0x400000); \
		statement;                    \
		refused(-ENOEXEC);            \
	} while (0)

static void
test_refused(void)
{
	BAD_IF(image[0] = 0);
	BAD_IF(image[EI_CLASS] = ELFCLASS32);
	BAD_IF(image[EI_DATA] = 2);
	BAD_IF(header()->e_machine = EM_AARCH64);
	BAD_IF(header()->e_machine = EM_386);
	BAD_IF(header()->e_type = ET_REL);
	BAD_IF(header()->e_phnum = 0);
	BAD_IF(header()->e_phnum = 129);
	BAD_IF(header()->e_phentsize = 32);
	BAD_IF(header()->e_phoff = UINT64_MAX - 10);
	BAD_IF(header()->e_phoff = FILE_SIZE - 10);
	BAD_IF(image_size = 63);
	BAD_IF(image_size = 64 + 56 * 6 - 1);
	BAD_IF(phdr(1)->p_memsz = 1);
	BAD_IF(phdr(1)->p_vaddr = UINT64_MAX - 0xfff);
	BAD_IF(phdr(1)->p_vaddr = USER_END);
	BAD_IF(phdr(1)->p_vaddr += 8);
	BAD_IF(phdr(1)->p_vaddr = 0x400000);
	BAD_IF(phdr(1)->p_align = 12345);
	BAD_IF(phdr(1)->p_align = 1ull << 40);
	BAD_IF(phdr(1)->p_offset = 0x7ffffffffffff000ull);
	BAD_IF(phdr(5)->p_type = PT_INTERP);
	BAD_IF(phdr(0)->p_vaddr = 0);
	BAD_IF(phdr(0)->p_type = phdr(1)->p_type = phdr(2)->p_type = PT_NULL);
}

/* Damage in the headers: an error or a sound result, and no leak. */
static void
test_damage(void)
{
	static const uint64_t nasty[] = {
		0,
		1,
		7,
		0xfff,
		0x1000,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		0x7fffffffe000,
		0x7ffffffff000,
		0x800000000000,
		0x7fffffffffffffff,
		0x8000000000000000,
		UINT64_MAX - 0xfff,
		UINT64_MAX,
	};
	uint64_t state = 1;
	unsigned good = 0, rounds = getenv("PITH_LONG") ? 5000000 : 200000;

	for (unsigned round = 0; round < rounds; round++) {
		unsigned n = 1 + (unsigned)(unit_random(&state) % 4);
		struct elf_file e;
		char path[64];

		good_file(round & 1 ? ET_DYN : ET_EXEC, 0x400000);
		while (n--) {
			uint64_t r = unit_random(&state);
			size_t at = r % (64 + 56 * 6 - 8);

			if (r >> 60 & 1)
				memcpy(image + (at & ~7ul),
				       &nasty[(r >> 32) % 15], 8);
			else
				image[at] ^= (uint8_t)(1u << (r >> 50 & 7));
		}
		if (load(&e, round & 2 ? 0x555555554000ull : 0)) {
			CHECK_EQ(allocated, 0);
			continue;
		}
		good++;
		CHECK(e.end <= USER_END);
		ignore(elf_interp(&e, path, sizeof(path)));
		elf_close(&e);
		CHECK_EQ(allocated, 0);
	}
	CHECK(good > 1000);
}

static const struct unit_test tests[] = {
	{ "fixed", test_fixed },
	{ "position_independent", test_position_independent },
	{ "refused", test_refused },
	{ "damage", test_damage },
	{ NULL, NULL },
};

UNIT_MAIN(tests)
