/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report to the host about the program: lines of text, "key value", in
 * frames of one type, ended by the line "end".
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct report;
struct vm_space;

/* NULL: there is no memory for it, or no address space. */
struct report *report_begin(uint16_t frame, struct vm_space *space);
void report_line(struct report *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "map START END OFFSET PATH" for each mapping of code from a file. */
void report_maps(struct report *r);
/* Sends what is left, and frees. */
void report_end(struct report *r);
