/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an interpreter needs beyond its package: its library tree,
 * certificates, configuration, byte-code caches.
 */
#pragma once

#include "fileset.h"

/* Adds the data of the interpreter at this real path of the host; nothing
 * when it is none. */
void interp_add(struct fileset *fs, const char *real);
/* The same for an interpreter that a program holds as a library (uwsgi, gdb:
 * libpython), found among what is in the set.  Answers if there is one. */
bool interp_add_embedded(struct fileset *fs);
/* A pyenv shim is a shell script that would fork: the real program behind
 * it, or NULL.  Caller frees. */
char *interp_unshim(const char *path);
