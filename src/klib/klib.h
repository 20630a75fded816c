/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Klibs: parts of the kernel that are loaded before the program starts.
 * docs/design/klib.md says how it is meant.
 *
 * A klib has one file with
 *
 *	static int init(const char *args) { ... }
 *	KLIB("name", init);
 *
 * init() may sleep; it runs before any file system is mounted, with one CPU.
 * It returns 0, or -errno with nothing left behind.  args is what stands
 * behind NAME= in the option, "" where nothing does; it is gone afterwards.
 */
#pragma once

#include <abi/klib.h>
#include <base/compiler.h>
#include <base/types.h>

#define KLIB(klib_name, klib_init)               \
	extern const struct klib_head klib_head; \
	SECTION(KLIB_SECTION)                    \
	const struct klib_head klib_head = {     \
		.magic = KLIB_MAGIC,             \
		.id = KLIB_ID,                   \
		.name = klib_name,               \
		.init = klib_init,               \
	}

void klib_init(void); /* /proc/modules */

/* Loads a klib and calls its init(); file is aligned to 8 bytes and not
 * needed afterwards.  -ENOEXEC: damaged, -ESTALE: built for another kernel,
 * -ENOENT: it wants a symbol that is not exported, -EEXIST: it is there,
 * -ENOSPC: too many, -ENOMEM; *started: the errno is of init().  The log has
 * the details. */
MUST_CHECK int klib_load(const char *name, const char *args, const void *file,
			 size_t len, bool *started);
