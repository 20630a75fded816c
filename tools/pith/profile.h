/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sampling profiler's other half (docs/design/profile.md): addresses of
 * the guest in, a table or stacks with names out.
 */
#pragma once

#include "options.h"

/* Before the machine starts: opens o->profile_file. */
void profile_begin(const struct options *o);
/* The payload of PITH_FRAME_SAMPLES. */
void profile_samples(const char *p, size_t len);
/* That of PITH_FRAME_PROFILE: what the samples so far belong to. */
void profile_text(const char *text, size_t len, const struct options *o);
/* At the end: prints the table, or writes o->profile_file. */
void profile_finish(const struct options *o);
