/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying a stream byte for byte, with back-pressure and both ends' ends:
 *
 *  - The host's end of input becomes a half-close of the port's socket, after
 *    all data.
 *  - When the reader of stdout goes (POLLERR, EPIPE), the port's socket is
 *    closed, and the program meets EPIPE at its next write.
 *  - No write may block, or one stalled stream would stop the others.  A
 *    user's pipe is opened again through /proc to be non-blocking without
 *    changing the flags that other processes share; where that fails, at most
 *    PIPE_BUF bytes are written after poll said that they fit.
 */
#include "stream.h"

#include "tty.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void
stream_open(struct stream *s, int from, int to, bool to_guest)
{
	struct stat st;
	char path[40];
	int own, null;

	*s = (struct stream){ .from = from, .to = to, .to_guest = to_guest };
	s->data = xmalloc(STREAM_BUFFER);
	if (to_guest)
		return;
	s->tail = xmalloc(STREAM_TAIL);
	s->to_tty = isatty(to);
	if (fstat(to, &st) || !S_ISFIFO(st.st_mode))
		return;
	s->to_pipe = true;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
	own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (own < 0)
		return;
	/* The original goes away at once: the reader's end of file must not
	 * wait for a descriptor that nobody writes.  Its number stays taken,
	 * or QEMU's pipes could become our standard output. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, to);
	close(null);
	s->to = own;
	s->nonblock = true;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* `to` takes no more: what waits is lost, and the writer shall know. */
static void
sink_gone(struct stream *s)
{
	close_fd(&s->to);
	close_fd(&s->from);
	s->start = s->end = 0;
	s->eof = true;
}

bool
stream_done(const struct stream *s)
{
	return s->eof && s->start == s->end && (s->to < 0 || !s->to_guest);
}

int
stream_poll(struct stream *s, struct pollfd *p)
{
	int n = 0;

	p[0] = p[1] = (struct pollfd){ .fd = -1 };
	if (s->from >= 0 && !s->eof && s->end < STREAM_BUFFER)
		p[n++] = (struct pollfd){ .fd = s->from, .events = POLLIN };
	if (s->to >= 0) {
		p[n] = (struct pollfd){ .fd = s->to };
		if (s->end > s->start)
			p[n].events = POLLOUT;
		/* Without data only errors count: the reader has gone.  For
		 * stdin a closed port says the same. */
		n++;
	}
	return n;
}

static void
keep_tail(struct stream *s, const char *p, size_t len)
{
	size_t old;

	if (len > STREAM_TAIL) {
		p += len - STREAM_TAIL;
		len = STREAM_TAIL;
	}
	old = s->tail_len + len > STREAM_TAIL ? STREAM_TAIL - len : s->tail_len;
	memmove(s->tail, s->tail + s->tail_len - old, old);
	memcpy(s->tail + old, p, len);
	s->tail_len = old + len;
}

static int
fill(struct stream *s)
{
	size_t room = STREAM_BUFFER - s->end, len;
	ssize_t n = read(s->from, s->data + s->end, room);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		/* An error on input is an end too: EIO of a terminal whose
		 * session has gone. */
		s->eof = true;
		if (!s->to_guest)
			close_fd(&s->from);
		return 0;
	}
	len = n;
	if (s->to_guest && tty_filter(s->data + s->end, &len) == ESCAPE_END)
		return -1;
	if (s->tail)
		keep_tail(s, s->data + s->end, len);
	s->end += len;
	return 0;
}

static void
drain(struct stream *s)
{
	while (s->end > s->start) {
		size_t len = s->end - s->start;
		ssize_t n;

		if (s->to_guest) {
			n = send(s->to, s->data + s->start, len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
		} else {
			if ((s->to_pipe && !s->nonblock) || s->to_tty)
				len = len < PIPE_BUF ? len : PIPE_BUF;
			n = write(s->to, s->data + s->start, len);
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			if (!s->to_guest && errno != EPIPE)
				warn("can not write the program's output: %s",
				     strerror(errno));
			sink_gone(s);
			return;
		}
		s->start += n;
		if ((s->to_pipe && !s->nonblock) || s->to_tty)
			break;
	}
	if (s->start == s->end)
		s->start = s->end = 0;
	else if (s->end == STREAM_BUFFER && s->start) {
		memmove(s->data, s->data + s->start, s->end - s->start);
		s->end -= s->start;
		s->start = 0;
	}
}

int
stream_move(struct stream *s, const struct pollfd *p, int n)
{
	bool gone = false, writable = false;

	for (int i = 0; i < n; i++) {
		if (p[i].fd == s->from && p[i].events & POLLIN &&
		    p[i].revents && fill(s) < 0)
			return -1;
		if (p[i].fd == s->to && p[i].revents) {
			writable = p[i].revents & POLLOUT;
			gone = p[i].revents & (POLLERR | POLLNVAL) ||
			       (s->to_guest && p[i].revents & POLLHUP);
		}
	}
	if (s->to >= 0 && gone && !writable) {
		sink_gone(s);
		return 0;
	}
	if (s->to >= 0 && s->end > s->start &&
	    (writable || s->nonblock || s->to_guest))
		drain(s);
	if (s->to_guest && s->eof && s->start == s->end && s->to >= 0) {
		shutdown(s->to, SHUT_WR);
		/* Not closed: on a hang-up QEMU drops what it has not read
		 * yet.  The descriptor stays with us until we end. */
		s->to = -1;
	}
	return 0;
}
