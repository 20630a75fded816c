/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Klibs: parts of the kernel that a machine gets when it needs them
 * (docs/design/klib.md).  Their files lie in the folder klib beside the
 * kernel; an option's words are NAME[=ARGUMENTS].
 */
#pragma once

#include "options.h"

/* Adds one, or replaces the words of its name.  NULL, or what is wrong. */
const char *klib_add(struct options *o, const char *words);
/* Adds those that other options need. */
void klib_choose(struct options *o);
/* Writes the records of all of them. */
void klib_put(struct buf *b, const struct options *o);
/* The same for a run of an image whose manifest may bring some: nothing is
 * written where those are all, and of our kernel. */
void klib_put_beside(struct buf *b, struct options *o,
		     const struct buf *manifest);

/* Its name, without the arguments; the caller's. */
char *klib_name(const char *words);
char *klib_path(const char *name, const char *suffix);
/* The id of a klib's file; NULL: it is none. */
char *klib_id(const void *file, size_t len);
/* gdb's words for the symbols of each klib, the first of which lies at start,
 * with a gap between two (klib/image.c: lay_out()). */
char *klib_gdb(const struct options *o, uint64_t start, uint64_t gap);
/* Names that there are, a space between; "" when none. */
char *klib_names(void);
