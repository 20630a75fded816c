/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an ELF file needs to run: its interpreter and, transitively, the
 * libraries it names, found by the rules of ld.so(8).
 */
#pragma once

#include "fileset.h"

enum elf_verdict {
	ELF_OK,
	ELF_NOT, /* no ELF file at all */
	ELF_BAD, /* ELF, but not for us, or damaged */
	ELF_UNREADABLE,
};

struct elf_info {
	char *interp; /* PT_INTERP, or NULL */
	struct strv needed;
	char *rpath, *runpath, *soname;
	bool executable; /* ET_EXEC, or ET_DYN with an entry point */
	bool dynamic;
	const char *why; /* of ELF_BAD: a phrase such as "a 32-bit program" */
};

/* Is the directory whose name is the first len bytes of path one where the
 * dynamic linker looks by itself? */
bool elf_library_dir(const char *path, size_t len);

enum elf_verdict elf_read(const char *host, struct elf_info *out);
void elf_info_free(struct elf_info *e);

/* Adds interpreter and libraries of the ELF file at n.  With `required`, a
 * missing one ends pith (127), naming it and who needs it; else it is said
 * under --verbose. */
void elf_closure(struct fileset *fs, struct node *n, bool required);
/* The same for every file of the set that looks like a program or library. */
void elf_closure_all(struct fileset *fs);
