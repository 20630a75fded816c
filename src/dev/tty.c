/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line discipline: termios(3) as Linux's N_TTY does it.
 *
 * Input goes through a ring of INPUT_MAX bytes with a mark at each end of a
 * line.  tail <= canon <= head: a canonical read sees [tail, canon), a raw
 * one [tail, head).  An end-of-file character is kept as a marked byte that
 * is not handed out.
 *
 * Locks: t->lock (RANK_TTY) for settings and the ring; t->out_lock for what
 * goes out.  The input thread gathers echo under t->lock and writes it when
 * it has let go, so that a stalled terminal does not stop readers.
 */
#include <dev/tty.h>

#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <base/bitmap.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <dev/stream.h>
#include <mem/heap.h>
#include <sched/mutex.h>
#include <sched/thread.h>

#define INPUT_MAX 4096u /* a power of two, as Linux's N_TTY_BUF_SIZE */
#define ECHO_MAX  1024u
#define OUT_MAX	  1024u
#define CHUNK	  256u	/* of input at a time */

struct tty {
	struct stream *in, *out; /* [I] but for tty_set_output() */
	struct mutex lock;	 /* RANK_TTY */
	struct ktermios tio;	 /* [lock] */
	struct winsize win;	 /* [lock] */
	struct waitq wq;	 /* readers */
	uint32_t head, canon, tail; /* [lock] counters */
	uint64_t marks[BITMAP_WORDS(INPUT_MAX)]; /* [lock] */
	uint8_t buf[INPUT_MAX];	 /* [lock] */
	bool lnext;		 /* [lock] the next character is literal */
	bool hangup;		 /* [lock, a read] input has ended */
	bool stopped;		 /* [a] output, by ^S or TCOOFF */
	uint32_t column;	 /* [lock] of the cursor, about */
	uint32_t canon_column;	 /* [lock] where the line's input began */
	char echo[ECHO_MAX];	 /* [lock] */
	uint32_t echo_len;
	int signal;		 /* [lock] to be raised after letting go */

	struct mutex out_lock;	 /* RANK_SLEEP_LEAF */
	char obuf[OUT_MAX];	 /* [out_lock] processed, not written */
	uint32_t obuf_at, obuf_len;
};

static struct tty *the_tty;	     /* [a] */
static void (*raise_fn)(int sig);    /* [a] */

static const struct ktermios default_tio = {
	.c_iflag = ICRNL | IXON | IUTF8,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD | HUPCL,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE |
		   IEXTEN,
	.c_cc = { 3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22,
		  0 },
};

/* ---- small questions ---- */

static bool
lflag(const struct tty *t, uint32_t f)
{
	return t->tio.c_lflag & f;
}

static bool
iflag(const struct tty *t, uint32_t f)
{
	return t->tio.c_iflag & f;
}

/* c is the control character i, which is not disabled. */
static bool
is_cc(const struct tty *t, uint8_t c, unsigned i)
{
	return c && t->tio.c_cc[i] == c;
}

static uint8_t
at(const struct tty *t, uint32_t i)
{
	return t->buf[i % INPUT_MAX];
}

static bool
is_continuation(const struct tty *t, uint8_t c)
{
	return iflag(t, IUTF8) && (c & 0xc0) == 0x80;
}

static bool
is_control(uint8_t c)
{
	return c < 32 || c == 127;
}

/* ---- output processing ---- */

/* Turns c into 1 to 8 bytes. */
static unsigned
process_out(const struct ktermios *tio, uint32_t *column, uint8_t c,
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
		if (!is_control(c) && !(tio->c_iflag & IUTF8 &&
					(c & 0xc0) == 0x80))
			++*column;
	}
	out[n++] = (char)c;
	return n;
}

/* With out_lock: writes what is processed.  0; -EAGAIN: not all of it. */
static int
flush_out(struct tty *t, bool nonblock)
{
	struct wait_entry e;
	ssize_t n = 0;
	int err = 0;

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
		if (nonblock)
			return -EAGAIN;
		wait_start(&t->out->wq, &e, true);
		if (!(t->out->ops->poll(t->out) & (POLLOUT | POLLHUP)) ||
		    atomic_load_relaxed(&t->stopped))
			err = wait_sleep(&e, TIME_NEVER);
		wait_end(&t->out->wq, &e);
		if (err)
			return err;
	}
	t->obuf_at = t->obuf_len = 0;
	return 0;
}

ssize_t
tty_write(struct tty *t, const void *buf, size_t len, bool nonblock)
{
	const uint8_t *s = buf;
	struct ktermios tio;
	uint32_t column;
	size_t done = 0;
	int err;

	if (!t->out)
		return -EIO;
	tty_get_termios(t, &tio);
	column = READ_ONCE(t->column);
	err = mutex_lock_intr(&t->out_lock);
	if (err)
		return err;
	err = flush_out(t, nonblock);
	while (!err && done < len) {
		while (done < len && t->obuf_len + 8 <= OUT_MAX)
			t->obuf_len += process_out(&tio, &column, s[done++],
						   t->obuf + t->obuf_len);
		err = flush_out(t, nonblock);
	}
	mutex_unlock(&t->out_lock);
	WRITE_ONCE(t->column, column);
	/* What is processed will go out with the next write: it counts. */
	return done ? (ssize_t)done : err == -EPIPE ? -EIO : err;
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
	unsigned n = process_out(&t->tio, &t->column, c, out), i;

	for (i = 0; i < n; i++)
		echo_raw(t, out[i]);
}

/* As typed: control characters as ^X. */
static void
echo_char(struct tty *t, uint8_t c)
{
	if (lflag(t, ECHOCTL) && is_control(c) && c != '\t' && c != '\n') {
		echo_raw(t, '^');
		echo_raw(t, (char)(c ^ 0x40));
		t->column += 2;
		return;
	}
	echo_out(t, c);
}

static void
echo_send(struct tty *t)
{
	char out[ECHO_MAX / 4];
	uint32_t n = 0, len;

	for (;;) {
		mutex_lock(&t->lock);
		len = (uint32_t)min_u64(t->echo_len, sizeof(out));
		memcpy(out, t->echo, len);
		memmove(t->echo, t->echo + len, t->echo_len - len);
		t->echo_len -= len;
		mutex_unlock(&t->lock);
		if (!len || !t->out)
			return;
		mutex_lock(&t->out_lock);
		for (n = 0; n < len && t->obuf_len < OUT_MAX; n++)
			t->obuf[t->obuf_len++] = out[n];
		ignore(flush_out(t, true)); /* the rest with the next write */
		mutex_unlock(&t->out_lock);
	}
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

/* Takes the last character away, all bytes of it. */
static void
erase_char(struct tty *t)
{
	uint32_t end = columns(t, t->canon, t->head), begin;
	uint8_t c;

	do
		c = at(t, --t->head);
	while (t->head != t->canon && is_continuation(t, c));
	if (!lflag(t, ECHO))
		return;
	if (!lflag(t, ECHOE)) {
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

static bool
is_word(const struct tty *t, uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '_' ||
	       (iflag(t, IUTF8) && c >= 0x80);
}

static void
erase_word(struct tty *t)
{
	bool seen = false;

	while (t->head != t->canon) {
		bool word = is_word(t, at(t, t->head - 1));

		if (seen && !word)
			break;
		seen |= word;
		erase_char(t);
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
		erase_char(t);
}

static void
reprint(struct tty *t)
{
	uint32_t i;

	echo_char(t, t->tio.c_cc[VREPRINT]);
	echo_out(t, '\n');
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
			erase_char(t);
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
		  is_cc(t, c, VSUSP) ? SIGTSTP : 0;

	if (!sig)
		return false;
	if (!lflag(t, NOFLSH)) {
		t->tail = t->canon = t->head;
		t->echo_len = 0;
	}
	if (lflag(t, ECHO))
		echo_char(t, c);
	t->signal = sig;
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
	return is_cc(t, c, VSTOP) || is_cc(t, c, VSTART);
}

static void
input_plain(struct tty *t, uint8_t c)
{
	if (t->head == t->canon)
		t->canon_column = t->column;
	if (lflag(t, ECHO))
		echo_char(t, c);
	put(t, c, false);
}

static void
input_char(struct tty *t, uint8_t c)
{
	if (iflag(t, ISTRIP))
		c &= 0x7f;
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
		if (iflag(t, ICRNL))
			c = '\n';
	} else if (c == '\n' && iflag(t, INLCR)) {
		c = '\r';
	}
	if (lflag(t, ICANON)) {
		if (!edit(t, c) && !end_line(t, c))
			input_plain(t, c);
		return;
	}
	if (c == '\n' && (lflag(t, ECHO)))
		echo_out(t, c);
	else if (lflag(t, ECHO))
		echo_char(t, c);
	put(t, c, false);
}

static void
raise(int sig)
{
	void (*fn)(int) = atomic_load_acquire(&raise_fn);

	if (fn)
		fn(sig);
}

static void
input(struct tty *t, const uint8_t *s, size_t n)
{
	while (n) {
		int sig;

		mutex_lock(&t->lock);
		while (n && !t->signal) {
			input_char(t, *s++);
			n--;
		}
		sig = t->signal;
		t->signal = 0;
		mutex_unlock(&t->lock);
		echo_send(t);
		if (sig)
			raise(sig);
	}
	wait_wake_all(&t->wq, POLLIN | POLLRDNORM);
	/* Output that ^S held may go on. */
	if (t->out)
		wait_wake_all(&t->out->wq, POLLOUT | POLLWRNORM);
}

/* Raw input that nobody reads stays with the host. */
static bool
has_room(struct tty *t)
{
	bool room;

	mutex_lock(&t->lock);
	room = lflag(t, ICANON) ||
	       t->head - t->tail + CHUNK <= INPUT_MAX - 1;
	mutex_unlock(&t->lock);
	return room;
}

static void
input_thread(void *arg)
{
	struct tty *t = arg;
	struct wait_entry e;
	uint8_t chunk[CHUNK];
	ssize_t n;

	for (;;) {
		wait_start(&t->wq, &e, false);
		while (!has_room(t))
			ignore(wait_sleep(&e, TIME_NEVER)); /* a reader's */
		wait_end(&t->wq, &e);
		wait_start(&t->in->wq, &e, false);
		while ((n = t->in->ops->read(t->in, chunk, sizeof(chunk))) ==
		       -EAGAIN)
			ignore(wait_sleep(&e, TIME_NEVER)); /* can't fail */
		wait_end(&t->in->wq, &e);
		if (n <= 0)
			break;
		input(t, chunk, (size_t)n);
	}
	atomic_store_release(&t->hangup, true);
	wait_wake_all(&t->wq, POLLIN | POLLRDNORM | POLLHUP);
	raise(SIGHUP);
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
	if (n > 0)
		wait_wake_all(&t->wq, 0); /* room for the input thread */
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
tty_read(struct tty *t, void *buf, size_t len, bool nonblock)
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
		hup = atomic_load_acquire(&t->hangup);
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
		err = wait_sleep(&e, canon ? TIME_NEVER :
					     deadline_of(min, time, done,
							 start));
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

	if (atomic_load_acquire(&t->hangup))
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

int
tty_set_termios(struct tty *t, const struct ktermios *tio, bool drain,
		bool flush)
{
	int err = drain ? tty_drain(t) : 0;

	if (err == -EINTR)
		return err; /* other errors: nobody is there to see it */
	if (flush)
		tty_flush(t, true, false);
	mutex_lock(&t->lock);
	/* What is waiting becomes readable when line mode goes; when it
	 * comes, what was typed before counts as whole. */
	if ((t->tio.c_lflag ^ tio->c_lflag) & ICANON)
		t->canon = t->head;
	t->tio = *tio;
	if (!(tio->c_iflag & IXON))
		atomic_store_relaxed(&t->stopped, false);
	mutex_unlock(&t->lock);
	wait_wake_all(&t->wq, POLLIN | POLLRDNORM);
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
		raise(SIGWINCH);
}

void
tty_flush(struct tty *t, bool in, bool out)
{
	if (in) {
		mutex_lock(&t->lock);
		t->tail = t->canon = t->head;
		t->lnext = false;
		mutex_unlock(&t->lock);
		wait_wake_all(&t->wq, 0);
	}
	if (out) {
		mutex_lock(&t->out_lock);
		t->obuf_at = t->obuf_len = 0;
		mutex_unlock(&t->out_lock);
	}
}

void
tty_stop(struct tty *t, bool stop)
{
	atomic_store_relaxed(&t->stopped, stop);
	if (!stop && t->out)
		wait_wake_all(&t->out->wq, POLLOUT | POLLWRNORM);
}

void
tty_on_signal(void (*fn)(int sig))
{
	atomic_store_release(&raise_fn, fn);
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

int
tty_create(struct stream *in, struct stream *out, const struct ktermios *tio,
	   const struct winsize *win, struct tty **out_tty)
{
	static const struct winsize default_win = { 24, 80, 0, 0 };
	struct tty *t = kzalloc(sizeof(*t), ALLOC_KERNEL);
	struct thread *th;
	int err;

	if (!t)
		return -ENOMEM;
	mutex_init(&t->lock, RANK_TTY);
	mutex_init(&t->out_lock, RANK_SLEEP_LEAF);
	waitq_init(&t->wq);
	t->in = in;
	t->out = out;
	t->tio = tio ? *tio : default_tio;
	t->win = win ? *win : default_win;
	if (in) {
		err = thread_create("tty", input_thread, t, &th);
		if (err) {
			kfree(t);
			return err;
		}
		thread_start(th);
	}
	atomic_store_release(&the_tty, t);
	*out_tty = t;
	return 0;
}
