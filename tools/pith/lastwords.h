/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program that failed said of files that it did not find: where this
 * host has them and the image has not, the user is told of -i.
 */
#pragma once

#include "stream.h"

/* Did it say nothing at all? */
bool last_words_none(const struct stream *s, size_t n);
/* After the end: the streams that came from the program, and the name in the
 * cache of the image that it ran from. */
void last_words_explain(const struct stream *s, size_t n, const char *key);
