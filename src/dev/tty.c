/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals: what is written to one, what is read of one, its settings, as
 * Linux's N_TTY has them.  tty_input.c says how input is kept.
 *
 * Locks: t->lock for settings and the ring; t->out_lock, outside of it, for
 * what goes out, held while a writer waits for room.
 */
#include "tty_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <dev/stream.h>
#include <mem/heap.h>
#include <sched/thread.h>

static struct tty *the_tty; /* [a] */

static const struct ktermios default_tio = {
	.c_iflag = ICRNL | IXON | IUTF8,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD | HUPCL,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE |
		   IEXTEN,
	.c_cc = { 3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22,
		  0 },
};

/* ---- output ---- */

unsigned
tty_process_out(const struct ktermios *tio, uint32_t *column, uint8_t c,
		char out[8])
{
	unsigned n = 0;

	if (!(tio->c_oflag & OPOST)) {
		out[0] = (char)c;
		return 1;
	}
	switch (c) {
	case '\n':
		if (tio->c_oflag & ONLRET)
			*column = 0;
		if (tio->c_oflag & ONLCR) {
			*column = 0;
			out[n++] = '\r';
		}
		break;
	case '\r':
		if (tio->c_oflag & ONOCR && !*column)
			return 0;
		if (tio->c_oflag & OCRNL) {
			c = '\n';
			if (tio->c_oflag & ONLRET)
				*column = 0;
			break;
		}
		*column = 0;
		break;
	case '\t':
		n = 8 - *column % 8;
		*column += n;
		if ((tio->c_oflag & TABDLY) == XTABS) {
			memset(out, ' ', n);
			return n;
		}
		n = 0;
		break;
	case '\b':
		if (*column)
			--*column;
		break;
	default:
		if (tio->c_oflag & OLCUC && c >= 'a' && c <= 'z')
			c = (uint8_t)(c - 'a' + 'A');
		if (!is_control(c) &&
		    !(tio->c_iflag & IUTF8 && (c & 0xc0) == 0x80))
			++*column;
	}
	out[n++] = (char)c;
	return n;
}

static bool
may_write(struct tty *t)
{
	return !atomic_load_relaxed(&t->stopped) &&
	       (t->out->ops->poll(t->out) & (POLLOUT | POLLHUP));
}

/* Waits, once, for room.  0, -EAGAIN, -EINTR. */
static int
wait_out(struct tty *t, bool nonblock)
{
	struct wait_entry e;
	int err = 0;

	if (nonblock)
		return -EAGAIN;
	wait_start(&t->out->wq, &e, true);
	if (!may_write(t))
		err = wait_sleep(&e, TIME_NEVER);
	wait_end(&t->out->wq, &e);
	return err;
}

/* With out_lock: writes what is processed.  0; -EAGAIN: not all of it. */
static int
flush_out(struct tty *t, bool nonblock)
{
	ssize_t n;
	int err;

	while (t->obuf_at < t->obuf_len) {
		if (!atomic_load_relaxed(&t->stopped)) {
			n = t->out->ops->write(t->out, t->obuf + t->obuf_at,
					       t->obuf_len - t->obuf_at);
			if (n < 0)
				return (int)n;
			t->obuf_at += (uint32_t)n;
			if (n)
				continue;
		}
		err = wait_out(t, nonblock);
		if (err)
			return err;
	}
	t->obuf_at = t->obuf_len = 0;
	return 0;
}

/* With out_lock: as much of the echo as fits behind what is processed. */
static void
move_echo(struct tty *t)
{
	uint32_t n;

	mutex_lock(&t->lock);
	n = (uint32_t)min_u64(t->echo_len, OUT_MAX - t->obuf_len);
	memcpy(t->obuf + t->obuf_len, t->echo, n);
	memmove(t->echo, t->echo + n, t->echo_len - n);
	t->obuf_len += n;
	atomic_store_relaxed(&t->echo_len, t->echo_len - n);
	mutex_unlock(&t->lock);
}

/* Whoever holds out_lock, perhaps waiting for room, comes here when it has
 * let go: nobody has to wait for it. */
void
tty_send_out(struct tty *t)
{
	int err = 0;

	while (!err && t->out &&
	       (atomic_load_relaxed(&t->echo_len) || READ_ONCE(t->obuf_len)) &&
	       mutex_trylock(&t->out_lock)) {
		move_echo(t);
		err = flush_out(t, true);
		mutex_unlock(&t->out_lock);
	}
}

/* Processes and writes all of s, or what goes without waiting. */
static int
write_all(struct tty *t, const uint8_t *s, size_t len, size_t *done,
	  bool nonblock)
{
	uint32_t column = READ_ONCE(t->column);
	struct ktermios tio;
	int err;

	tty_get_termios(t, &tio);
	err = flush_out(t, nonblock);
	while (!err && *done < len) {
		if (!may_write(t)) {
			err = wait_out(t, nonblock);
			continue;
		}
		while (*done < len && t->obuf_len + 8 <= OUT_MAX)
			t->obuf_len +=
				tty_process_out(&tio, &column, s[(*done)++],
						t->obuf + t->obuf_len);
		err = flush_out(t, nonblock);
	}
	WRITE_ONCE(t->column, column);
	return err;
}

ssize_t
tty_write(struct tty *t, const void *buf, size_t len, bool nonblock)
{
	size_t done = 0;
	int err = 0;

	if (!t->out)
		return -EIO;
	if (!nonblock)
		err = mutex_lock_intr(&t->out_lock);
	else if (!mutex_trylock(&t->out_lock))
		err = -EAGAIN;
	if (err)
		return err;
	err = write_all(t, buf, len, &done, nonblock);
	mutex_unlock(&t->out_lock);
	tty_send_out(t);
	/* What is processed will go out with the next write: it counts. */
	return done ? (ssize_t)done : err == -EPIPE ? -EIO : err;
}

/* ---- the thread of a terminal of the machine ---- */

static void
input_thread(void *arg)
{
	struct tty *t = arg;
	struct wait_entry e;
	uint8_t chunk[CHUNK];
	ssize_t n;

	for (;;) {
		wait_start(&t->wq, &e, false);
		while (!tty_has_room(t))
			ignore(wait_sleep(&e, TIME_NEVER)); /* a reader's */
		wait_end(&t->wq, &e);
		wait_start(&t->in->wq, &e, false);
		while ((n = t->in->ops->read(t->in, chunk, sizeof(chunk))) ==
		       -EAGAIN)
			ignore(wait_sleep(&e, TIME_NEVER)); /* can't fail */
		wait_end(&t->in->wq, &e);
		if (n <= 0)
			break;
		tty_input(t, chunk, (size_t)n);
	}
	atomic_store_release(&t->ended, true);
	wait_wake_all(&t->wq, POLLIN | POLLRDNORM | POLLHUP);
	tty_raise(t, SIGHUP);
}

/* ---- reading ---- */

/* With t->lock: bytes of the first line, its mark with them; 0: none. */
static uint32_t
line_length(const struct tty *t)
{
	uint32_t i;

	for (i = t->tail; i != t->canon; i++)
		if (bitmap_test(t->marks, i % INPUT_MAX))
			return i - t->tail + 1;
	return t->canon - t->tail;
}

static bool
is_eof_mark(const struct tty *t, uint32_t i)
{
	return bitmap_test(t->marks, i % INPUT_MAX) && !at(t, i);
}

/* One line, or a part of it.  -EAGAIN: none; 0: end of file. */
static ssize_t
take_line(struct tty *t, uint8_t *out, size_t len)
{
	uint32_t n = line_length(t), i;
	size_t done = 0;

	if (!n)
		return -EAGAIN;
	for (i = 0; i < n && done < len; i++) {
		if (is_eof_mark(t, t->tail)) {
			t->tail++;
			return (ssize_t)done;
		}
		out[done++] = at(t, t->tail++);
	}
	/* An end-of-file that follows at once belongs to this read. */
	if (i < n && is_eof_mark(t, t->tail))
		t->tail++;
	return (ssize_t)done;
}

static ssize_t
take_raw(struct tty *t, uint8_t *out, size_t len)
{
	uint32_t n = (uint32_t)min_u64(t->head - t->tail, len), i;

	for (i = 0; i < n; i++)
		out[i] = at(t, t->tail++);
	if ((int32_t)(t->canon - t->tail) < 0)
		t->canon = t->tail;
	return n ? (ssize_t)n : -EAGAIN;
}

/* Input was taken: there may be room for more. */
static void
room_made(struct tty *t)
{
	if (t->pty)
		pty_pump(t->pty);
	else
		wait_wake_all(&t->wq, 0); /* the input thread */
}

/* Takes what there is; *want: bytes after which a raw read is satisfied. */
static ssize_t
take(struct tty *t, uint8_t *out, size_t len, bool *canon, unsigned *min,
     unsigned *time)
{
	ssize_t n;

	mutex_lock(&t->lock);
	*canon = lflag(t, ICANON);
	*min = t->tio.c_cc[VMIN];
	*time = t->tio.c_cc[VTIME];
	n = *canon ? take_line(t, out, len) : take_raw(t, out, len);
	mutex_unlock(&t->lock);
	if (n >= 0)
		room_made(t);
	return n;
}

/* MIN and TIME (termios(3)): with MIN the timer runs between bytes, without
 * it from the call. */
static uint64_t
deadline_of(unsigned min, unsigned time, size_t done, uint64_t start)
{
	uint64_t span = time * (NSEC_PER_SEC / 10);

	if (!min)
		return start + span;
	return time && done ? clock_mono_ns() + span : TIME_NEVER;
}

ssize_t
tty_read(struct tty *t, uint32_t era, void *buf, size_t len, bool nonblock)
{
	uint64_t start = clock_mono_ns();
	struct wait_entry e;
	unsigned min = 1, time = 0;
	size_t done = 0;
	bool canon, hup;
	int err = 0;
	ssize_t n;

	if (!len)
		return 0;
	if (!t->in)
		return -EIO;
	wait_start(&t->wq, &e, true);
	for (;;) {
		if (tty_dead(t, era)) {
			n = 0;
			break;
		}
		hup = atomic_load_acquire(&t->ended);
		n = take(t, (uint8_t *)buf + done, len - done, &canon, &min,
			 &time);
		if (n >= 0)
			done += (size_t)n;
		if (n == 0 || (canon && n > 0) || done == len || hup)
			break;
		if (!canon && done && done >= min)
			break;
		if (nonblock) {
			err = -EAGAIN;
			break;
		}
		if (!canon && !min && !time)
			break;
		err = wait_sleep(&e,
				 canon ? TIME_NEVER :
					 deadline_of(min, time, done, start));
		if (err == -ETIMEDOUT)
			err = 0, nonblock = true; /* one last look */
		if (err)
			break;
	}
	wait_end(&t->wq, &e);
	if (done || n == 0)
		return (ssize_t)done;
	if (err == -EAGAIN && !canon && !min)
		return 0; /* the time is over */
	return err;
}

size_t
tty_readable(struct tty *t)
{
	size_t n;

	mutex_lock(&t->lock);
	n = lflag(t, ICANON) ? t->canon - t->tail : t->head - t->tail;
	mutex_unlock(&t->lock);
	return n;
}

uint32_t
tty_poll(struct tty *t)
{
	uint32_t r = 0;

	if (atomic_load_acquire(&t->ended))
		r |= POLLIN | POLLRDNORM | POLLHUP;
	else if (tty_readable(t))
		r |= POLLIN | POLLRDNORM;
	if (t->out && !atomic_load_relaxed(&t->stopped))
		r |= t->out->ops->poll(t->out) & (POLLOUT | POLLWRNORM);
	return r;
}

struct waitq *
tty_input_waitq(struct tty *t)
{
	return &t->wq;
}

struct waitq *
tty_output_waitq(struct tty *t)
{
	return t->out ? &t->out->wq : NULL;
}

/* ---- settings ---- */

void
tty_get_termios(struct tty *t, struct ktermios *tio)
{
	mutex_lock(&t->lock);
	*tio = t->tio;
	mutex_unlock(&t->lock);
}

int
tty_drain(struct tty *t)
{
	int err;

	if (!t->out)
		return 0;
	err = mutex_lock_intr(&t->out_lock);
	if (err)
		return err;
	err = flush_out(t, false);
	mutex_unlock(&t->out_lock);
	if (err)
		return err;
	return t->out->ops->drain(t->out, TIME_NEVER);
}

/* ^S and ^Q stop and start the output: what a peer in packet mode does by
 * itself then. */
static bool
plain_flow(const struct ktermios *tio)
{
	return (tio->c_iflag & IXON) && tio->c_cc[VSTOP] == 19 &&
	       tio->c_cc[VSTART] == 17;
}

void
tty_type(struct tty *t, uint8_t c)
{
	tty_input(t, &c, 1);
}

static void
tell(struct tty *t, uint32_t bits)
{
	if (t->pty && bits)
		pty_status(t->pty, bits);
}

int
tty_set_termios(struct tty *t, const struct ktermios *tio, bool drain,
		bool flush)
{
	int err = drain ? tty_drain(t) : 0;
	uint32_t bits = 0;

	if (err == -EINTR)
		return err; /* other errors: nobody is there to see it */
	if (flush)
		tty_flush(t, true, false);
	mutex_lock(&t->lock);
	/* What is waiting becomes readable when line mode goes; when it
	 * comes, what was typed before counts as whole. */
	if ((t->tio.c_lflag ^ tio->c_lflag) & ICANON)
		t->canon = t->head;
	if (plain_flow(&t->tio) != plain_flow(tio))
		bits = plain_flow(tio) ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP;
	t->tio = *tio;
	if (!(tio->c_iflag & IXON) && atomic_load_relaxed(&t->stopped)) {
		atomic_store_relaxed(&t->stopped, false);
		bits |= TIOCPKT_START;
	}
	mutex_unlock(&t->lock);
	wait_wake_all(&t->wq, POLLIN | POLLRDNORM);
	room_made(t);
	tell(t, bits);
	return 0;
}

void
tty_get_winsize(struct tty *t, struct winsize *w)
{
	mutex_lock(&t->lock);
	*w = t->win;
	mutex_unlock(&t->lock);
}

void
tty_set_winsize(struct tty *t, const struct winsize *w)
{
	bool changed;

	mutex_lock(&t->lock);
	changed = memcmp(&t->win, w, sizeof(*w));
	t->win = *w;
	mutex_unlock(&t->lock);
	if (changed)
		tty_raise(t, SIGWINCH);
}

void
tty_flush(struct tty *t, bool in, bool out)
{
	if (in) {
		if (t->pty)
			pty_drop_input(t->pty);
		mutex_lock(&t->lock);
		t->tail = t->canon = t->head;
		t->lnext = false;
		mutex_unlock(&t->lock);
		room_made(t);
	}
	/* A writer that waits for room keeps what it has. */
	if (out && mutex_trylock(&t->out_lock)) {
		t->obuf_at = t->obuf_len = 0;
		mutex_unlock(&t->out_lock);
	}
	tell(t, (in ? TIOCPKT_FLUSHREAD : 0) | (out ? TIOCPKT_FLUSHWRITE : 0));
}

void
tty_stop(struct tty *t, bool stop)
{
	bool was = atomic_load_relaxed(&t->stopped);

	atomic_store_relaxed(&t->stopped, stop);
	if (!stop && t->out) {
		wait_wake_all(&t->out->wq, POLLOUT | POLLWRNORM);
		tty_send_out(t);
	}
	if (was != stop)
		tell(t, stop ? TIOCPKT_STOP : TIOCPKT_START);
}

int
tty_send_flow(struct tty *t, bool stop)
{
	struct ktermios tio;
	int err = 0;
	char c;

	tty_get_termios(t, &tio);
	c = (char)tio.c_cc[stop ? VSTOP : VSTART];
	if (!t->out)
		return -EIO;
	if (!c)
		return 0;
	err = mutex_lock_intr(&t->out_lock);
	if (err)
		return err;
	err = flush_out(t, false);
	if (!err) {
		t->obuf[t->obuf_len++] = c;
		err = flush_out(t, false);
	}
	mutex_unlock(&t->out_lock);
	return err == -EPIPE ? -EIO : err;
}

bool
tty_dead(struct tty *t, uint32_t era)
{
	return atomic_load_acquire(&t->era) != era;
}

struct pty *
tty_pty(struct tty *t)
{
	return t->pty;
}

struct tty *
tty_get(void)
{
	return atomic_load_acquire(&the_tty);
}

void
tty_set_output(struct tty *t, struct stream *out)
{
	if (!t->out)
		t->out = out;
}

struct tty *
tty_new(struct stream *in, struct stream *out, const struct ktermios *tio,
	const struct winsize *win)
{
	struct tty *t = kzalloc(sizeof(*t), ALLOC_KERNEL);

	if (!t)
		return NULL;
	mutex_init(&t->lock, RANK_TTY);
	mutex_init(&t->out_lock, RANK_TTY_OUT);
	waitq_init(&t->wq);
	t->in = in;
	t->out = out;
	t->tio = tio ? *tio : default_tio;
	if (win)
		t->win = *win;
	return t;
}

int
tty_create(struct stream *in, struct stream *out, const struct ktermios *tio,
	   const struct winsize *win, struct tty **out_tty)
{
	static const struct winsize default_win = { 24, 80, 0, 0 };
	struct tty *t = tty_new(in, out, tio, win ? win : &default_win);
	struct thread *th;
	int err;

	if (!t)
		return -ENOMEM;
	if (in) {
		err = thread_create("tty", input_thread, t, &th);
		if (err) {
			kfree(t);
			return err;
		}
	}
	tty_jobs_add(t);
	if (in)
		thread_start(th);
	atomic_store_release(&the_tty, t);
	*out_tty = t;
	return 0;
}
