/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sampling profiler (docs/design/profile.md): where each CPU is, so many
 * times a second, told to the host.
 */
#pragma once

#include <base/types.h>

struct vm_space;

/* Samples every CPU that is online, hz times a second (not 0),
 * until profile_end().  Without memory the log says so, and nothing is
 * sampled.  From a thread. */
void profile_start(unsigned hz);
/* Sends the samples so far and the mappings that they belong to: before an
 * address space goes.  Does nothing when nothing is sampled. */
void profile_mapped(struct vm_space *space);
/* The same, for the last time. */
void profile_end(struct vm_space *space);
