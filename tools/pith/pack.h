/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides what goes into an image: design.md's "What goes in", in order.
 */
#pragma once

#include "fileset.h"
#include "options.h"

/* Where the program is: resolved before the cache is asked. */
struct target {
	char *path; /* absolute guest path, as the guest will execute it */
	char *real; /* the same with links resolved, on the host */
	struct strv paths; /* host paths among the arguments, absolute */
	char *argv0;	   /* what the program finds as its name */
	bool relative;	   /* one of them was relative to the directory */
};

/* Finds the program (PATH, or below --root) and checks that it can be
 * executed; ends pith with 126 or 127 otherwise. */
void pack_find(const struct options *o, struct target *t);
/* The files of the image. */
void pack_files(const struct options *o, const struct target *t,
		struct fileset *fs);
/* The image's generated /etc, where nothing else gave one (etc.c). */
void etc_generate(const struct options *o, struct fileset *fs);
