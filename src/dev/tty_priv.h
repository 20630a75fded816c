/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the terminal share: tty.c (output, reading, settings),
 * tty_input.c (what is typed: editing, echo, signals), tty_job.c (whose
 * terminal it is), pty.c (terminals whose other side is a descriptor).
 */
#pragma once

#include <base/bitmap.h>
#include <base/list.h>
#include <dev/tty.h>
#include <sched/mutex.h>

#define INPUT_MAX 4096u /* a power of two, as Linux's N_TTY_BUF_SIZE */
#define ECHO_MAX  1024u
#define OUT_MAX	  1024u
#define CHUNK	  256u /* of input at a time */

struct tty {
	struct stream *in, *out;    /* [I] but for tty_set_output() */
	struct pty *pty;	    /* [I] NULL: a terminal of the machine */
	struct mutex pump_lock;	    /* RANK_TTY_PUMP: who takes from in */
	struct mutex lock;	    /* RANK_TTY */
	struct ktermios tio;	    /* [lock] */
	struct winsize win;	    /* [lock] */
	struct waitq wq;	    /* readers */
	uint32_t head, canon, tail; /* [lock] counters */
	uint64_t marks[BITMAP_WORDS(INPUT_MAX)]; /* [lock] */
	uint8_t buf[INPUT_MAX];			 /* [lock] */
	bool lnext;	       /* [lock] the next character is literal */
	bool ended;	       /* [lock, a read] input has ended */
	bool stopped;	       /* [a] output, by ^S or TCOOFF */
	uint32_t column;       /* [lock] of the cursor, about */
	uint32_t canon_column; /* [lock] where the line's input began */
	char echo[ECHO_MAX];   /* [lock] */
	uint32_t echo_len;     /* [lock, a read] */
	uint32_t signals;      /* [lock] to be raised after letting go */
	uint32_t status;       /* [lock] TIOCPKT_* to be told after it */

	struct mutex out_lock;	    /* RANK_SLEEP_LEAF */
	char obuf[OUT_MAX];	    /* [out_lock] processed, not written */
	uint32_t obuf_at, obuf_len; /* [out_lock] */

	uint32_t era;	   /* [a] hang-ups: older files are dead */
	unsigned opens;	   /* [jobs] by tty_jobs_lock() */
	bool exclusive;	   /* [a] TIOCEXCL */
	int session, pgrp; /* [jobs, a read] 0: nobody's */
	struct list link;  /* [jobs] of all terminals */
};

/* ---- small questions, with t->lock ---- */

static inline bool
lflag(const struct tty *t, uint32_t f)
{
	return t->tio.c_lflag & f;
}

static inline bool
iflag(const struct tty *t, uint32_t f)
{
	return t->tio.c_iflag & f;
}

static inline uint8_t
at(const struct tty *t, uint32_t i)
{
	return t->buf[i % INPUT_MAX];
}

static inline bool
is_control(uint8_t c)
{
	return c < 32 || c == 127;
}

/* ---- tty.c ---- */

/* A new terminal without a thread.  NULL: no memory. */
struct tty *tty_new(struct stream *in, struct stream *out,
		    const struct ktermios *tio, const struct winsize *win);
/* Turns c into at most 8 bytes: how many. */
unsigned tty_process_out(const struct ktermios *tio, uint32_t *column,
			 uint8_t c, char out[8]);
/* Writes what is processed and the echo, as far as it goes at once. */
void tty_send_out(struct tty *t);

/* ---- tty_input.c ---- */

/* Typed characters, at most CHUNK of them when tty_has_room(). */
void tty_input(struct tty *t, const uint8_t *s, size_t n);
bool tty_has_room(struct tty *t);

/* ---- tty_job.c ---- */

void tty_jobs_add(struct tty *t);
void tty_jobs_remove_locked(struct tty *t);
/* The lock of who has which terminal open, and of the table of ptys;
 * RANK_TTY_JOB. */
void tty_jobs_lock(void);
void tty_jobs_unlock(void);
/* To the foreground group, if somebody has it as the terminal. */
void tty_raise(struct tty *t, int sig);
int tty_open_locked(struct tty *t, bool privileged, uint32_t *era);
/* Every open file of it is dead from now on; those whose terminal it was
 * hear of it.  Returns the group to be told when the lock is let go. */
int tty_hangup_locked(struct tty *t);
void tty_tell_hangup(int pgrp);

/* ---- pty.c ---- */

/* 0, or -EIO: it cannot be opened (now). */
int pty_slave_opens_locked(struct pty *p);
void pty_slave_closed_locked(struct pty *p); /* the last one; may free p */
/* Input goes on to where there is room for it. */
void pty_pump(struct pty *p);
void pty_drop_input(struct pty *p);
/* Tells the master, if it is in packet mode. */
void pty_status(struct pty *p, uint32_t bits);
uint64_t pty_rdev(const struct pty *p);
