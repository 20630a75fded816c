/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which Debian source package owns a file, and which files it has, read from
 * dpkg's own database without running dpkg.
 */
#pragma once

#include "fileset.h"

/* Adds the files of every installed binary package built from the source
 * package that owns one of the paths.  Returns the source's name (caller
 * frees) or NULL when no package owns them. */
char *dpkg_add_source(struct fileset *fs, const char *const *paths,
		      size_t npaths);
/* Adds what installed packages whose names match the pattern (glob(7); with
 * ":ARCH" where dpkg names the list so) have below /usr/include. */
void dpkg_add_headers(struct fileset *fs, const char *pattern);
/* Documentation, manuals, translations: not needed to run. */
bool dpkg_skips(const char *path);
