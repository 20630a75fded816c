/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is typed, or written to the other side of a pty: termios(3)'s input
 * modes, the editing of lines, echo, signals and flow control, as Linux's
 * N_TTY does them.
 *
 * Input goes through a ring of INPUT_MAX bytes with a mark at each end of a
 * line.  tail <= canon <= head: a canonical read sees [tail, canon), a raw
 * one [tail, head).  An end-of-file character is kept as a marked byte that
 * is not handed out.
 *
 * Locks: all of it under t->lock; echo is gathered there and written when it
 * has been let go, so that a stalled terminal does not stop readers.
 */
#include "tty_priv.h"

#include <abi/poll.h>
#include <abi/signal.h>
#include <base/atomic.h>
#include <base/string.h>
#include <dev/stream.h>

/* c is the control character i, which is not disabled. */
static bool
is_cc(const struct tty *t, uint8_t c, unsigned i)
{
	return c && t->tio.c_cc[i] == c;
}

static bool
is_continuation(const struct tty *t, uint8_t c)
{
	return iflag(t, IUTF8) && (c & 0xc0) == 0x80;
}

/* ---- echo ---- */

static void
echo_raw(struct tty *t, char c)
{
	if (t->echo_len < ECHO_MAX)
		t->echo[t->echo_len++] = c;
}

static void
echo_out(struct tty *t, uint8_t c)
{
	char out[8];
	unsigned n = tty_process_out(&t->tio, &t->column, c, out), i;

	for (i = 0; i < n; i++)
		echo_raw(t, out[i]);
}

/* As typed: control characters as ^X. */
static void
echo_char(struct tty *t, uint8_t c)
{
	if (lflag(t, ECHOCTL) && is_control(c) && c != '\t') {
		echo_raw(t, '^');
		echo_raw(t, (char)(c ^ 0x40));
		t->column += 2;
		return;
	}
	echo_out(t, c);
}

/* ---- editing ---- */

static void
put(struct tty *t, uint8_t c, bool mark)
{
	/* The last place is for the end of the line. */
	if (t->head - t->tail >= INPUT_MAX - (mark ? 0 : 1)) {
		if (iflag(t, IMAXBEL))
			echo_raw(t, '\a');
		return;
	}
	t->buf[t->head % INPUT_MAX] = c;
	if (mark)
		bitmap_set(t->marks, t->head % INPUT_MAX);
	else
		bitmap_clear(t->marks, t->head % INPUT_MAX);
	t->head++;
	if (mark)
		t->canon = t->head;
}

/* Columns that [from, to) of the ring takes, starting at canon_column. */
static uint32_t
columns(const struct tty *t, uint32_t from, uint32_t to)
{
	uint32_t col = t->canon_column;

	for (; from != to; from++) {
		uint8_t c = at(t, from);

		if (c == '\t')
			col = (col | 7) + 1;
		else if (is_control(c))
			col += lflag(t, ECHOCTL) ? 2 : 0;
		else if (!is_continuation(t, c))
			col++;
	}
	return col;
}

/* Takes the last character away, all bytes of it.  alone: by itself, not as a
 * part of a word or line, which are wiped out in any mode. */
static void
erase_char(struct tty *t, bool alone)
{
	uint32_t end = columns(t, t->canon, t->head), begin;
	uint8_t c;

	do
		c = at(t, --t->head);
	while (t->head != t->canon && is_continuation(t, c));
	if (!lflag(t, ECHO))
		return;
	if (alone && !lflag(t, ECHOE)) {
		echo_char(t, t->tio.c_cc[VERASE]);
		return;
	}
	begin = columns(t, t->canon, t->head);
	for (; end > begin; end--) {
		if (c == '\t') {
			echo_raw(t, '\b');
		} else {
			echo_raw(t, '\b');
			echo_raw(t, ' ');
			echo_raw(t, '\b');
		}
		if (t->column)
			t->column--;
	}
}

/* As Linux, which takes letters to be those of Latin-1. */
static bool
is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '_' ||
	       (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}

/* The first byte of the last character. */
static uint8_t
last_char(const struct tty *t)
{
	uint32_t i = t->head - 1;

	while (i != t->canon && is_continuation(t, at(t, i)))
		i--;
	return at(t, i);
}

static void
erase_word(struct tty *t)
{
	bool seen = false;

	while (t->head != t->canon) {
		bool word = is_word(last_char(t));

		if (seen && !word)
			break;
		seen |= word;
		erase_char(t, false);
	}
}

static void
erase_line(struct tty *t)
{
	if (lflag(t, ECHO) && (!lflag(t, ECHOE) || !lflag(t, ECHOKE))) {
		t->head = t->canon;
		echo_char(t, t->tio.c_cc[VKILL]);
		if (lflag(t, ECHOK))
			echo_out(t, '\n');
		return;
	}
	while (t->head != t->canon)
		erase_char(t, false);
}

static void
reprint(struct tty *t)
{
	uint32_t i;

	echo_char(t, t->tio.c_cc[VREPRINT]);
	echo_out(t, '\n');
	if (t->tio.c_oflag & OPOST)
		t->canon_column = t->column;
	for (i = t->canon; i != t->head; i++)
		echo_char(t, at(t, i));
}

/* true: c was an editing character of canonical mode. */
static bool
edit(struct tty *t, uint8_t c)
{
	if (is_cc(t, c, VERASE)) {
		if (t->head != t->canon)
			erase_char(t, true);
		return true;
	}
	if (is_cc(t, c, VKILL)) {
		erase_line(t);
		return true;
	}
	if (lflag(t, IEXTEN) && is_cc(t, c, VWERASE)) {
		erase_word(t);
		return true;
	}
	if (lflag(t, IEXTEN) && is_cc(t, c, VLNEXT)) {
		t->lnext = true;
		if (lflag(t, ECHO) && lflag(t, ECHOCTL)) {
			echo_raw(t, '^');
			echo_raw(t, '\b');
		}
		return true;
	}
	if (lflag(t, IEXTEN) && lflag(t, ECHO) && is_cc(t, c, VREPRINT)) {
		reprint(t);
		return true;
	}
	return false;
}

/* true: c ended the line. */
static bool
end_line(struct tty *t, uint8_t c)
{
	if (c == '\n') {
		if (lflag(t, ECHO) || lflag(t, ECHONL))
			echo_out(t, '\n');
		put(t, '\n', true);
		return true;
	}
	if (is_cc(t, c, VEOF)) {
		put(t, 0, true); /* what it stands for is not handed out */
		return true;
	}
	if (is_cc(t, c, VEOL) || (lflag(t, IEXTEN) && is_cc(t, c, VEOL2))) {
		if (lflag(t, ECHO))
			echo_char(t, c);
		put(t, c, true);
		return true;
	}
	return false;
}

/* ---- input ---- */

/* true: c raised a signal. */
static bool
signal_char(struct tty *t, uint8_t c)
{
	int sig = is_cc(t, c, VINTR) ? SIGINT :
		  is_cc(t, c, VQUIT) ? SIGQUIT :
		  is_cc(t, c, VSUSP) ? SIGTSTP :
				       0;

	if (!sig)
		return false;
	if (!lflag(t, NOFLSH)) {
		t->tail = t->canon = t->head;
		t->echo_len = 0;
		t->status |= TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE;
	}
	if (lflag(t, ECHO))
		echo_char(t, c);
	t->signals |= 1u << sig;
	return true;
}

/* true: c was for flow control. */
static bool
flow_char(struct tty *t, uint8_t c)
{
	bool was = atomic_load_relaxed(&t->stopped);

	if (is_cc(t, c, VSTOP))
		atomic_store_relaxed(&t->stopped, true);
	else if (is_cc(t, c, VSTART) || (was && iflag(t, IXANY)))
		atomic_store_relaxed(&t->stopped, false);
	else
		return false;
	if (was != atomic_load_relaxed(&t->stopped))
		t->status |= was ? TIOCPKT_START : TIOCPKT_STOP;
	return is_cc(t, c, VSTOP) || is_cc(t, c, VSTART);
}

/* PARMRK: 377 begins a mark, so one that was typed is doubled. */
static void
put_byte(struct tty *t, uint8_t c)
{
	if (c == 0xff && iflag(t, PARMRK))
		put(t, c, false);
	put(t, c, false);
}

static void
input_plain(struct tty *t, uint8_t c)
{
	if (t->head == t->canon)
		t->canon_column = t->column;
	if (lflag(t, ECHO))
		echo_char(t, c);
	put_byte(t, c);
}

/* Letters of Latin-1, too, as Linux takes them. */
static uint8_t
to_lower(uint8_t c)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7))
		c += 'a' - 'A';
	return c;
}

static void
input_char(struct tty *t, uint8_t c)
{
	bool newline = false;

	if (iflag(t, ISTRIP))
		c &= 0x7f;
	if (iflag(t, IUCLC) && lflag(t, IEXTEN))
		c = to_lower(c);
	if (t->lnext) {
		t->lnext = false;
		input_plain(t, c);
		return;
	}
	if (iflag(t, IXON) && flow_char(t, c))
		return;
	if (lflag(t, ISIG) && signal_char(t, c))
		return;
	if (c == '\r') {
		if (iflag(t, IGNCR))
			return;
		if (iflag(t, ICRNL)) {
			c = '\n';
			newline = true;
		}
	} else if (c == '\n' && iflag(t, INLCR)) {
		c = '\r';
	}
	if (lflag(t, ICANON)) {
		if (!edit(t, c) && !end_line(t, c))
			input_plain(t, c);
		return;
	}
	/* The line feed key is echoed as ^J here, the return key moves. */
	if (lflag(t, ECHO)) {
		if (newline)
			echo_out(t, c);
		else
			echo_char(t, c);
	}
	put_byte(t, c);
}

void
tty_input(struct tty *t, const uint8_t *s, size_t n)
{
	uint32_t status, signals;
	int sig;

	mutex_lock(&t->lock);
	while (n--)
		input_char(t, *s++);
	signals = t->signals;
	status = t->status;
	t->signals = t->status = 0;
	mutex_unlock(&t->lock);
	tty_send_out(t);
	for (sig = 1; signals >> sig; sig++)
		if (signals & 1u << sig)
			tty_raise(t, sig);
	if (status && t->pty)
		pty_status(t->pty, status);
	wait_wake_all(&t->wq, POLLIN | POLLRDNORM);
	/* Output that ^S held may go on. */
	if (t->out)
		wait_wake_all(&t->out->wq, POLLOUT | POLLWRNORM);
}

/* Input that nobody reads stays with the other side; but a line that has no
 * end yet must find one, and what does not fit of it is dropped. */
bool
tty_has_room(struct tty *t)
{
	bool room;

	mutex_lock(&t->lock);
	room = t->head - t->tail + CHUNK <= INPUT_MAX - 1 ||
	       (lflag(t, ICANON) && t->canon == t->tail);
	mutex_unlock(&t->lock);
	return room;
}
