/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A klib's file: checked, laid out, relocated.  No state, no memory of its
 * own; docs/design/klib.md has the format.
 */
#pragma once

#include <abi/elf.h>
#include <abi/klib.h>
#include <base/compiler.h>
#include <base/types.h>

enum klib_part { KLIB_TEXT, KLIB_RODATA, KLIB_DATA, KLIB_PARTS };

#define KLIB_SECTIONS 5

struct klib_image {
	const uint8_t *file;
	size_t len;
	const struct elf64_shdr *sections;
	unsigned nsections;
	const struct elf64_sym *syms;
	size_t nsyms;
	unsigned symtab;     /* its section */
	const char *strings; /* names of symbols; the last byte is NUL */
	size_t strings_len;
	struct klib_section {
		unsigned index; /* 0: the file has none */
		uint64_t at;	/* offset in memory */
	} section[KLIB_SECTIONS];
	struct {
		uint64_t at, len; /* whole pages */
	} part[KLIB_PARTS];
	uint64_t size;	       /* of all parts */
	uint64_t head_at;      /* offset of the head in memory */
	struct klib_head head; /* as in the file: init is not set */
	const char *why;       /* what is wrong, after an error */
	const char *symbol;    /* whose matter that is, or NULL */
};

/* file: aligned to 8, alive as long as the image.  -ENOEXEC. */
MUST_CHECK int klib_image_open(struct klib_image *k, const void *file,
			       size_t len);

/* The address of an exported symbol; 0: there is none. */
typedef uintptr_t klib_resolve_fn(const char *name);

/* Fills k->size zeroed bytes at mem, where the klib will run; *head is the
 * relocated one, in mem.  -ENOEXEC, -ENOENT (a symbol). */
MUST_CHECK int klib_image_place(struct klib_image *k, void *mem,
				klib_resolve_fn *resolve,
				const struct klib_head **head);
