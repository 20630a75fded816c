/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's mappings of code, and what libdw knows of the files behind
 * them: names for addresses of the program.
 */
#pragma once

#include "options.h"

#include <elfutils/libdwfl.h>

#define MODULES_MAX 1024

struct modules {
	struct module_map {
		uint64_t start, end, offset;
		char *host;
	} maps[MODULES_MAX];
	unsigned n;
};

/* Takes "START END OFFSET PATH", three numbers in hexadecimal, from the
 * guest.  A line that makes no sense and a file that the host does not have
 * are left out. */
void modules_add(struct modules *m, const struct options *o, char *line);
/* What libdw has of them: NULL without memory.  *first, if asked for, is the
 * Elf of the first module, for dwfl_attach_state(). */
Dwfl *modules_open(const struct modules *m, Elf **first);
void modules_free(struct modules *m);
