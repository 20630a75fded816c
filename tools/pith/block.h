/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tagged-record block of abi/pith.h: the image's manifest and the run
 * block are both built and read here.
 */
#pragma once

#include "options.h"
#include "pack.h"

#include <abi/pith.h>

void block_start(struct buf *b);
void block_put(struct buf *b, uint16_t tag, const void *p, size_t len);
void block_put_str(struct buf *b, uint16_t tag, const char *s);
void block_put_u32(struct buf *b, uint16_t tag, uint32_t v);
/* Fills the header in.  -E2BIG when it is larger than PITH_BLOCK_MAX. */
int block_finish(struct buf *b);

/* Puts the environment every program gets before what the user said. */
void default_env(struct options *o, const struct target *t, bool host);
/* Everything that was said about the program but its name and arguments. */
void block_put_said(struct buf *b, const struct options *o);
/* The program, its arguments and all of the above, defaults filled in. */
void block_put_app(struct buf *b, const struct options *o,
		   const struct target *t);

struct block_item {
	uint16_t tag;
	uint32_t len;
	const char *value;
};

/* 0 or -EINVAL with *why: magic, version, length, checksum. */
int block_check(const struct buf *b, const char **why);
/* The record at *at of a checked block; false at the end. */
bool block_next(const struct buf *b, size_t *at, struct block_item *out);
