/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's standard streams as open files.
 *
 * This is file glue over the stream and tty classes.  It is in fs, not in
 * file, as file may not know of devices.
 */
#pragma once

#include <abi/pith.h>
#include <base/compiler.h>
#include <base/types.h>

struct file;

/* Makes files for descriptors 0, 1, 2 (NULL: closed on the host), by what
 * they are there; /dev must be mounted.  termios, winsize: the terminal's
 * (36 and 8 bytes, abi/termios.h), or NULL.  -ENOMEM; a port that the host
 * does not offer is closed. */
MUST_CHECK int stdio_open(const struct pith_streams *s, const void *termios,
			  const void *winsize, struct file *out[3]);
