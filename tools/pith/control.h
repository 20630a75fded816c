/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control port: frames to and from the kernel (abi/pith.h).
 */
#pragma once

#include "options.h"

#include <abi/pith.h>

struct control {
	int fd;
	struct buf in, out;
	size_t out_done;
	bool hello, exited, broken;
	bool spoke; /* of the program: something was printed */
	struct pith_exit exit;
	const struct options *options;
	int trace_fd;	     /* where traced calls go, or -1 */
	struct strv missing; /* paths, each once */
	struct buf enosys;   /* lines to print at exit */
	struct buf log;	     /* kept for a panic when not --verbose */
};

void control_start(struct control *c, int fd, const struct options *o);
void control_send(struct control *c, uint16_t type, const void *p,
		  uint32_t len);
/* Reads what is there.  False when the port has ended. */
bool control_read(struct control *c);
/* Writes what fits. */
void control_write(struct control *c);
static inline bool
control_has_output(const struct control *c)
{
	return c->fd >= 0 && c->out_done < c->out.len;
}
/* What is printed at the end: missing files, calls that are not there. */
void control_finish(struct control *c);

/* Text of the kernel's log with the functions' names beside the addresses of
 * backtraces (symbols.c); the buffer is the caller's. */
struct buf symbols_add(const char *text, size_t len);
/* The kernel's function at an address of the linked image; NULL: not known.
 * The caller frees it. */
char *symbols_function(uint64_t pc);

/* Prints a crash report with symbols from the host's files (crash.c). */
void crash_print(const char *text, size_t len, const struct options *o);
