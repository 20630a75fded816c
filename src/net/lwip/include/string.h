/* SPDX-License-Identifier: Apache-2.0 */
/* What lwIP takes from <string.h>: the kernel's own functions. */
#pragma once

#if __STDC_HOSTED__ /* the unit tests */
#include_next <string.h>
#else
#include <stddef.h>

void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
size_t strlen(const char *);
int strcmp(const char *, const char *);
int strncmp(const char *, const char *, size_t);
#endif
