/* SPDX-License-Identifier: Apache-2.0 */
/* crash.c's workload "refuse": a disk that refuses some of the data. */
#pragma once

#include <base/types.h>

struct host_disk;

/* All free space of the mounted disk holds what a deleted file held. */
void refuse_prepare(void);
/* n operations; step() makes a new mark and returns it. */
void refuse_load(struct host_disk *d, unsigned n, uint32_t (*step)(void));
/* After a cut behind mark `at`. */
void refuse_check(uint32_t at);
