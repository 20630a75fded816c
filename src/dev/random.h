/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The random generator: ChaCha20 with fast key erasure, seeded from RDRAND,
 * virtio-rng, the run block's seed and timing jitter.  It blocks rather than
 * hand out weak bytes, and reseeds when the machine was cloned (vmgenid).
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

void random_init(void);
/* Mixes in bytes that hold at least bits of entropy (an estimate that never
 * overstates; 0 for bytes of unknown quality). */
void random_add(const void *buf, size_t len, unsigned bits);
bool random_ready(void);
/* Waits until seeded.  0, -EINTR. */
MUST_CHECK int random_wait(bool intr);
/* Any length; before random_ready() the bytes are best effort: for ASLR and
 * hash keys only. */
void random_bytes(void *buf, size_t len);
uint64_t random_u64(void);
