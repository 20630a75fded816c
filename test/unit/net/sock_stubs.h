/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and the rest that sockets stand on, for tests with threads; and a few
 * places that the threads share, each with a file or none.
 */
#pragma once

#include <base/types.h>

struct file;
struct socket;

#define NSLOTS 8

/* A file for it; calls that would wait do so for a moment only. */
struct file *sock_new_file(struct socket *s, uint64_t random);
/* Consumes the reference; the place's old file is put. */
void slot_put(uint64_t i, struct file *f);
struct file *slot_get(uint64_t i); /* referenced, or NULL */
void slots_clear(void);
