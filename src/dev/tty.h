/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal: Linux's line discipline (N_TTY) between a pair of streams
 * and the program's reads and writes.
 *
 * A kernel thread takes input as it comes, so that an interrupt character
 * acts while nobody reads.  There is one session and one process group; the
 * layer that knows of signals hands down what raises them.
 */
#pragma once

#include <abi/termios.h>
#include <base/compiler.h>
#include <base/types.h>
#include <sched/wait.h>

struct stream;
struct tty;

/* in and out may be the same stream; either NULL where it is not the
 * terminal.  The settings are Linux's defaults unless given (36 and 8 bytes).
 * -ENOMEM, -EAGAIN. */
MUST_CHECK int tty_create(struct stream *in, struct stream *out,
			  const struct ktermios *tio,
			  const struct winsize *win, struct tty **out_tty);

/* The terminal of the machine, or NULL: what /dev/tty opens. */
struct tty *tty_get(void);
/* Adds the output stream to a terminal that was made without one. */
void tty_set_output(struct tty *t, struct stream *out);

/* Kernel buffers.  -EAGAIN (nonblock), -EINTR; 0: end of file. */
MUST_CHECK ssize_t tty_read(struct tty *t, void *buf, size_t len,
			    bool nonblock);
MUST_CHECK ssize_t tty_write(struct tty *t, const void *buf, size_t len,
			     bool nonblock);
uint32_t tty_poll(struct tty *t);
/* Woken for input; output room shows on the stream's queue. */
struct waitq *tty_input_waitq(struct tty *t);
struct waitq *tty_output_waitq(struct tty *t); /* NULL: no output */

void tty_get_termios(struct tty *t, struct ktermios *tio);
/* drain: after output has gone; flush: drops input too.  0, -EINTR. */
MUST_CHECK int tty_set_termios(struct tty *t, const struct ktermios *tio,
			       bool drain, bool flush);
void tty_get_winsize(struct tty *t, struct winsize *w);
/* Raises SIGWINCH if it changed. */
void tty_set_winsize(struct tty *t, const struct winsize *w);
size_t tty_readable(struct tty *t); /* bytes, for FIONREAD */
void tty_flush(struct tty *t, bool in, bool out);
MUST_CHECK int tty_drain(struct tty *t);
void tty_stop(struct tty *t, bool stop); /* TCOOFF, TCOON */

/* proc hands this down: raises a signal (Linux number) for the foreground
 * group; called by the input thread, may sleep. */
void tty_on_signal(void (*fn)(int sig));
