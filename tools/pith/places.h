/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories that a Debian server finds prepared when its service starts:
 * empty, with its owner, for sockets, state, caches and logs.
 */
#pragma once

#include "fileset.h"

/* Adds those that the units and tmpfiles.d(5) files of a package's list of
 * files (dpkg's .list) ask for. */
void places_of_list(struct fileset *fs, const char *list);
/* Adds those of this machine that a maintainer script names, without what is
 * in them. */
void places_of_script(struct fileset *fs, const char *script);
