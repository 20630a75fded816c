/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals: Linux's line discipline (N_TTY) between a pair of streams and
 * the program's reads and writes.  The streams are the machine's, or a pty's
 * master (dev/pty.h).
 *
 * A kernel thread takes the machine's input as it comes, so that an interrupt
 * character acts while nobody reads; a pty's input is taken by whoever writes
 * to the master or makes room.
 *
 * Life: tty_open() and tty_close() count open files.  A hang-up begins a new
 * era: files of an older one are dead.  A terminal of the machine is for
 * ever, a pty's goes with the last file of either side.
 */
#pragma once

#include <abi/termios.h>
#include <base/compiler.h>
#include <base/types.h>
#include <sched/wait.h>

struct pty;
struct stream;
struct tty;

void tty_init(void); /* boot */
/* in and out may be the same stream; either NULL where it is not the
 * terminal.  The settings are Linux's defaults unless given (36 and 8 bytes).
 * -ENOMEM, -EAGAIN. */
MUST_CHECK int tty_create(struct stream *in, struct stream *out,
			  const struct ktermios *tio, const struct winsize *win,
			  struct tty **out_tty);

/* The terminal of the machine, or NULL: what /dev/console opens. */
struct tty *tty_get(void);
/* Adds the output stream to a terminal that was made without one. */
void tty_set_output(struct tty *t, struct stream *out);

/* 0 and the era of the file that is being opened; -EIO, -EBUSY (exclusive,
 * and the caller is not privileged). */
MUST_CHECK int tty_open(struct tty *t, bool privileged, uint32_t *era);
/* The one of the caller's session.  -ENXIO: there is none. */
MUST_CHECK int tty_open_controlling(struct tty **out, uint32_t *era);
void tty_close(struct tty *t); /* t may be gone */
bool tty_dead(struct tty *t, uint32_t era);
void tty_hangup(struct tty *t);
void tty_hangup_session(int sid); /* its terminal, if it has one */
/* The pty that it is the slave of; NULL: none. */
struct pty *tty_pty(struct tty *t);

/* Kernel buffers.  -EAGAIN (nonblock), -EINTR; 0: end of file. */
MUST_CHECK ssize_t tty_read(struct tty *t, uint32_t era, void *buf, size_t len,
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
/* Writes the STOP or START character: TCIOFF, TCION.  0, -EINTR, -EIO. */
MUST_CHECK int tty_send_flow(struct tty *t, bool stop);
void tty_type(struct tty *t, uint8_t c); /* TIOCSTI */
void tty_set_exclusive(struct tty *t, bool on);
bool tty_exclusive(struct tty *t);

/* Job control.  What proc hands down; signals are Linux's numbers. */
struct tty_jobs {
	int (*session)(bool *leader); /* of the caller; is it the leader? */
	int (*session_of)(int pgrp);  /* -ESRCH */
	void (*signal)(int pgrp, int sig); /* may sleep */
};
/* The machine's terminal becomes that of session sid, group pgrp. */
void tty_on_jobs(const struct tty_jobs *j, int sid, int pgrp);

/* Makes it the caller's controlling terminal.  open: as an open() without
 * O_NOCTTY does, only where nothing speaks against it.  steal: from another
 * session.  -EPERM. */
MUST_CHECK int tty_control(struct tty *t, bool open, bool steal);
/* TIOCNOTTY; -ENOTTY: it is not the caller's. */
MUST_CHECK int tty_give_up(struct tty *t);
int tty_caller(void);			/* the leader of the caller's session */
bool tty_is_controlling(struct tty *t); /* the caller's */
int tty_pgrp(struct tty *t);
int tty_session(struct tty *t);
/* TIOCSPGRP: -EINVAL, -ESRCH, -EPERM. */
MUST_CHECK int tty_set_pgrp(struct tty *t, int pgrp);
/* TIOCSIG */
void tty_signal(struct tty *t, int sig);
/* Device number and foreground group of session sid's terminal; false: it
 * has none. */
bool tty_of_session(int sid, uint64_t *rdev, int *pgrp);
