/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that configuration names: what a server reads because its
 * configuration says so, and that belongs to no package of its own.
 */
#pragma once

#include "fileset.h"

/* Adds what the files of the set below /etc name, and what files among the
 * arguments (absolute host paths) name that are called as configuration is. */
void named_add(struct fileset *fs, const struct strv *args);
