/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of packaged programs, the only state pith keeps; docs/design/
 * run.md tells how it stays right with many runs at once.
 */
#pragma once

#include "options.h"
#include "pack.h"

/* The directory (made when it is not there), or NULL with *why. */
const char *cache_dir(const char **why);
/* Bytes that its file system has left for it; false, and 0, if that is not
 * known.  The directory is there. */
bool cache_room(uint64_t *bytes);
/* A read-only descriptor of the program's image: the cached one when nothing
 * changed, else a new one.  key receives its name in the cache. */
int cache_image(const struct options *o, const struct target *t, char key[65]);
/* Whether that image has what the host has at a path; true too where it is not
 * in the cache. */
bool cache_has(const char *key, const char *path);
/* A writable copy of that image, kept under `key`, locked for this run. */
int cache_instance(int image, const char *key);
/* Builds an image into an unnamed file in dir, or in memory (dir NULL). */
int build_image(const struct options *o, const struct target *t,
		struct fileset *fs, const char *dir, const struct buf *manifest,
		uint64_t free_bytes);
/* Gives an unnamed file of build_image a name, replacing what is there. */
int name_file(int fd, const char *path);
int command_cache(int argc, char **argv);

/* Small facts that are remembered (kvm.c); NULL when not there. */
char *cache_get(const char *name);
void cache_set(const char *name, const char *value);
