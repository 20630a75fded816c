/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a run ended, and the status that it gives.
 */
#pragma once

#include "control.h"
#include "options.h"

struct ending {
	const struct options *options;
	const struct control *control; /* its exit frame, if there was one */
	int qemu_status;	       /* of waitpid() */
	const char *qemu_text;	       /* what QEMU said on stderr, or NULL */
	int by_us;		       /* 0, or the status to end with */
	const char *why;	       /* and its line */
};

/* Returns the program's status; of one of ours, ends pith with its line, or
 * returns it when that has been said. */
int ending_status(const struct ending *e);
