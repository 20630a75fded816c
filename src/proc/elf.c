/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF files into an address space.
 *
 * Everything in the file is hostile: each header is checked before it is
 * used, sums are checked for overflow, counts are bounded.  Text and data
 * are mapped from the page cache, nothing is copied; the part of a bss that
 * shares a page with data is zeroed through the mapping.
 *
 * Not honoured: PT_GNU_PROPERTY (no CET), PT_TLS and PT_GNU_RELRO (libc's).
 */
#include "proc_priv.h"

#include <abi/elf.h>
#include <abi/errno.h>
#include <arch/mmu.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/string.h>
#include <file/file.h>
#include <mem/heap.h>
#include <vm/object.h>
#include <vm/space.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define ELF_ALIGN_MAX (1ull << 30)

int
elf_read_at(struct file *f, void *buf, size_t len, uint64_t pos)
{
	struct uio u UNINIT;
	ssize_t n;

	if (pos > INT64_MAX - len)
		return -ENOEXEC;
	uio_init_kernel(&u, buf, len);
	n = file_pread(f, &u, (int64_t)pos);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -ENOEXEC;
}

int
elf_check_ehdr(const struct elf64_ehdr *h)
{
	if (memcmp(h->e_ident, "\177ELF", 4))
		return -ENOEXEC;
	if (h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64)
		return -ENOEXEC;
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return -ENOEXEC;
	if (h->e_phentsize != sizeof(struct elf64_phdr) || !h->e_phnum ||
	    h->e_phnum > LIMIT_ELF_PHDRS)
		return -ENOEXEC;
	return 0;
}

/* One PT_LOAD after those that end at e->high. */
static int
check_load(struct elf_file *e, const struct elf64_phdr *p, bool first)
{
	uint64_t end, fend;

	if (p->p_memsz < p->p_filesz)
		return -ENOEXEC;
	if (add_overflow_u64(p->p_vaddr, p->p_memsz, &end) || end > USER_END)
		return -ENOEXEC;
	if (add_overflow_u64(p->p_offset, p->p_filesz, &fend) ||
	    fend > INT64_MAX)
		return -ENOEXEC;
	if ((p->p_vaddr ^ p->p_offset) & PAGE_MASK)
		return -ENOEXEC;
	if (!first && align_down(p->p_vaddr, PAGE_SIZE) < e->high)
		return -ENOEXEC;
	if (p->p_align > 1) {
		if (!is_pow2(p->p_align) || p->p_align > ELF_ALIGN_MAX)
			return -ENOEXEC;
		e->align = max_u64(e->align, p->p_align);
	}
	if (first)
		e->low = align_down(p->p_vaddr, PAGE_SIZE);
	e->high = align_up(end, PAGE_SIZE);
	return 0;
}

/* PT_LOADs ascend and do not share a page (System V gABI, 5); there is at
 * least one, at most one PT_INTERP. */
int
elf_check_phdrs(struct elf_file *e)
{
	bool first = true;
	unsigned i;

	e->align = PAGE_SIZE;
	e->low = e->high = 0;
	e->has_interp = e->exec_stack = false;
	for (i = 0; i < e->ehdr->e_phnum; i++) {
		const struct elf64_phdr *p = &e->phdrs[i];
		int err = 0;

		if (p->p_type == PT_LOAD && p->p_memsz) {
			err = check_load(e, p, first);
			first = false;
		} else if (p->p_type == PT_INTERP) {
			if (e->has_interp)
				err = -ENOEXEC;
			e->has_interp = true;
		} else if (p->p_type == PT_GNU_STACK) {
			e->exec_stack = p->p_flags & PF_X;
		}
		if (err)
			return err;
	}
	if (first || e->high == e->low)
		return -ENOEXEC;
	if (e->ehdr->e_type == ET_EXEC && e->low < USER_MIN)
		return -ENOEXEC;
	return 0;
}

int
elf_open(struct file *f, struct elf_file *e)
{
	size_t len;
	int err = -ENOMEM;

	memset(e, 0, sizeof(*e));
	e->file = f;
	e->ehdr = kmalloc(sizeof(*e->ehdr), ALLOC_KERNEL);
	if (!e->ehdr)
		return -ENOMEM;
	err = elf_read_at(f, e->ehdr, sizeof(*e->ehdr), 0);
	if (err)
		goto free_ehdr;
	err = elf_check_ehdr(e->ehdr);
	if (err)
		goto free_ehdr;
	len = e->ehdr->e_phnum * sizeof(struct elf64_phdr);
	e->phdrs = kmalloc(len, ALLOC_KERNEL);
	err = -ENOMEM;
	if (!e->phdrs)
		goto free_ehdr;
	err = elf_read_at(f, e->phdrs, len, e->ehdr->e_phoff);
	if (err)
		goto free_phdrs;
	err = elf_check_phdrs(e);
	if (err)
		goto free_phdrs;
	return 0;

free_phdrs:
	kfree(e->phdrs);
free_ehdr:
	kfree(e->ehdr);
	return err;
}

void
elf_close(struct elf_file *e)
{
	kfree(e->phdrs);
	kfree(e->ehdr);
}

int
elf_interp(const struct elf_file *e, char *buf, size_t size)
{
	unsigned i;
	int err;

	for (i = 0; i < e->ehdr->e_phnum; i++) {
		const struct elf64_phdr *p = &e->phdrs[i];

		if (p->p_type != PT_INTERP)
			continue;
		if (p->p_filesz < 2 || p->p_filesz > size)
			return -ENOEXEC;
		err = elf_read_at(e->file, buf, p->p_filesz, p->p_offset);
		if (err)
			return err;
		return buf[p->p_filesz - 1] ? -ENOEXEC : 0;
	}
	return -ENOEXEC;
}

static uint32_t
vma_flags_of(const struct elf64_phdr *p)
{
	uint32_t flags = VMA_MAYWRITE;

	if (p->p_flags & PF_R)
		flags |= VMA_READ;
	if (p->p_flags & PF_W)
		flags |= VMA_WRITE;
	if (p->p_flags & PF_X)
		flags |= VMA_EXEC;
	return flags;
}

/* The whole pages behind the file's part, and the rest of its last page. */
static int
map_bss(struct vm_space *s, const struct elf64_phdr *p, vaddr_t bias)
{
	vaddr_t data_end = bias + p->p_vaddr + p->p_filesz;
	vaddr_t page_end = align_up(data_end, PAGE_SIZE);
	vaddr_t end = align_up(bias + p->p_vaddr + p->p_memsz, PAGE_SIZE);
	long at;
	int err;

	if (p->p_filesz && page_end > data_end && p->p_flags & PF_W) {
		size_t n =
			min_u64(page_end - data_end, p->p_memsz - p->p_filesz);

		/* To the page's end, also what lies behind memsz: a program
		 * may count on zeroes there, as on Linux. */
		n = max_u64(n, page_end - data_end);
		err = clear_user((void __user *)data_end, n);
		if (err)
			return err;
	}
	if (end <= page_end)
		return 0;
	at = vm_map(s, page_end, end - page_end, vma_flags_of(p), NULL, NULL, 0,
		    VM_FIXED_NOREPLACE);
	return at < 0 ? (int)at : 0;
}

static int
map_segment(struct elf_file *e, struct vm_space *s, const struct elf64_phdr *p)
{
	vaddr_t start = e->bias + align_down(p->p_vaddr, PAGE_SIZE);
	vaddr_t end = e->bias + p->p_vaddr + p->p_filesz;
	struct file_mmap m = {
		.offset = align_down(p->p_offset, PAGE_SIZE),
		.len = align_up(end - start, PAGE_SIZE),
		.vma_flags = vma_flags_of(p),
	};
	long at;
	int err;

	if (p->p_filesz) {
		if (!e->file->ops->mmap)
			return -ENOEXEC;
		err = e->file->ops->mmap(e->file, &m);
		if (err)
			return err;
		at = vm_map(s, start, m.len, m.vma_flags, m.object, e->file,
			    m.offset, VM_FIXED_NOREPLACE);
		if (m.object)
			vm_object_put(m.object);
		if (at < 0)
			return (int)at;
	}
	if (p->p_memsz > p->p_filesz)
		return map_bss(s, p, e->bias);
	return 0;
}

/* Finds room for a position-independent file. */
static int
choose_bias(struct elf_file *e, struct vm_space *s, vaddr_t base)
{
	uint64_t span = e->high - e->low;
	long at;
	int err;

	if (!base) {
		at = vm_map(s, 0, span + e->align - PAGE_SIZE, 0, NULL, NULL, 0,
			    0);
		if (at < 0)
			return (int)at;
		/* Nobody else maps meanwhile: exec has a single thread. */
		err = vm_unmap(s, (vaddr_t)at, span + e->align - PAGE_SIZE);
		if (err)
			return err;
		base = (vaddr_t)at;
	}
	base = align_up(base, e->align);
	if (base + span > USER_END)
		return -ENOMEM;
	e->bias = base - e->low;
	return 0;
}

/* Where the program finds its headers: PT_PHDR, else in the segment that
 * holds them. */
static vaddr_t
phdr_address(const struct elf_file *e)
{
	uint64_t off = e->ehdr->e_phoff;
	unsigned i;

	for (i = 0; i < e->ehdr->e_phnum; i++)
		if (e->phdrs[i].p_type == PT_PHDR)
			return e->bias + e->phdrs[i].p_vaddr;
	for (i = 0; i < e->ehdr->e_phnum; i++) {
		const struct elf64_phdr *p = &e->phdrs[i];

		if (p->p_type == PT_LOAD && off >= p->p_offset &&
		    off - p->p_offset < p->p_filesz)
			return e->bias + p->p_vaddr + (off - p->p_offset);
	}
	return 0;
}

int
elf_map(struct elf_file *e, struct vm_space *s, vaddr_t base)
{
	unsigned i;
	int err;

	e->bias = 0;
	if (e->ehdr->e_type == ET_DYN) {
		err = choose_bias(e, s, base);
		if (err)
			return err;
	}
	for (i = 0; i < e->ehdr->e_phnum; i++) {
		const struct elf64_phdr *p = &e->phdrs[i];

		if (p->p_type != PT_LOAD || !p->p_memsz)
			continue;
		err = map_segment(e, s, p);
		if (err)
			return err;
		e->end = e->bias + p->p_vaddr + p->p_memsz;
	}
	e->entry = e->bias + e->ehdr->e_entry;
	e->phdr = phdr_address(e);
	return 0;
}
