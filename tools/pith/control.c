/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on the control port.  The guest is not trusted: a frame that is too
 * long or of a wrong size ends the conversation, and text is printed with
 * its control bytes made visible.
 */
#include "control.h"

#include "hints.h"
#include "profile.h"
#include "tty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MISSING_MAX 10000
#define LOG_MAX	    (64u << 10)

void
control_start(struct control *c, int fd, const struct options *o)
{
	*c = (struct control){ .fd = fd, .options = o, .trace_fd = -1 };
	profile_begin(o);
	if (!o->trace)
		return;
	c->trace_fd = 2;
	if (!o->trace_file)
		return;
	c->trace_fd = open(o->trace_file,
			   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (c->trace_fd < 0)
		die(STATUS_FAILED, "--trace-file %s: %s",
		    printable(o->trace_file), strerror(errno));
}

void
control_send(struct control *c, uint16_t type, const void *p, uint32_t len)
{
	struct pith_frame f = { .type = type, .len_bytes = len };

	if (c->fd < 0)
		return;
	buf_add(&c->out, &f, sizeof(f));
	buf_add(&c->out, p, len);
	control_write(c);
}

void
control_write(struct control *c)
{
	while (control_has_output(c)) {
		ssize_t n = send(c->fd, c->out.p + c->out_done,
				 c->out.len - c->out_done,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return; /* full, or gone: reading finds out */
		c->out_done += n;
	}
	c->out.len = c->out_done = 0;
}

/* Text of the guest as a terminal or file may have it: only \n and \t act. */
static struct buf
visible(const char *p, size_t len)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < len; i++) {
		unsigned char ch = p[i];

		if ((ch < 32 && ch != '\n' && ch != '\t') || ch == 127)
			buf_addf(&b, "\\x%02x", ch);
		else
			buf_add(&b, p + i, 1);
	}
	return b;
}

static void
print_text(int fd, const char *p, size_t len)
{
	struct buf b = visible(p, len);

	if (b.len)
		tty_print(fd, b.p, b.len);
	buf_free(&b);
}

/* The same as lines of our own. */
static void
say_text(const char *p, size_t len)
{
	struct buf b = visible(p, len);

	tty_say(b.p, b.len);
	buf_free(&b);
}

static void
print_line(int fd, const char *p, size_t len)
{
	print_text(fd, p, len);
	if (len && p[len - 1] != '\n')
		print_text(fd, "\n", 1);
}

/* The kernel's own words; a panic's backtrace with names. */
static void
print_log(int fd, const char *p, size_t len)
{
	struct buf b = symbols_add(p, len);

	print_line(fd, b.p, b.len);
	buf_free(&b);
}

/* The log matters when something failed; until that is known it is kept. */
static void
keep_log(struct control *c, const char *p, size_t len)
{
	if (verbose || c->exited) {
		print_log(2, p, len);
		return;
	}
	buf_add(&c->log, p, len);
	if (len && p[len - 1] != '\n')
		buf_add(&c->log, "\n", 1);
	if (c->log.len > LOG_MAX) {
		/* The end is what a panic's reader wants. */
		memmove(c->log.p, c->log.p + c->log.len - LOG_MAX / 2,
			LOG_MAX / 2);
		c->log.len = LOG_MAX / 2;
	}
}

/* A program asks for the same path many times; once is enough. */
static void
keep_missing(struct control *c, const char *p, size_t len)
{
	char *path = xstrndup(p, len);

	if (c->missing.n < MISSING_MAX && !strv_has(&c->missing, path))
		strv_add(&c->missing, path);
	free(path);
}

/* Printed at exit whatever the options: the user must know why a program
 * that fell back behaves as it does. */
static void
keep_enosys(struct control *c, const char *p, size_t len)
{
	uint32_t v[2];

	if (len < sizeof(v))
		return;
	memcpy(v, p, sizeof(v));
	if (v[0] == PITH_NOT_A_CALL) {
		buf_addf(&c->enosys, "%.*s is not there: asked %u time%s\n",
			 (int)(len - sizeof(v)), p + sizeof(v), v[1],
			 v[1] == 1 ? "" : "s");
		return;
	}
	buf_addf(&c->enosys,
		 "system call %.*s (%u) is not there: asked %u "
		 "time%s\n",
		 (int)(len - sizeof(v)), p + sizeof(v), v[0], v[1],
		 v[1] == 1 ? "" : "s");
}

/* "NAME asked ...": with what may help. */
static void
say_fork(const char *p, size_t len)
{
	char *text = xstrndup(p, len);
	char *name = xstrndup(text, strcspn(text, " "));
	bool other = strstr(text, "another program") != NULL;
	char *line = xasprintf("%s: %s", text, hint_for_fork(name, other));

	say_text(line, strlen(line));
	free(line);
	free(name);
	free(text);
}

/* "<NUMBER>Mmm dd hh:mm:ss NAME[1]: text" (RFC 3164, 4.1): without what is in
 * front of the name, and without an end that says that it is one. */
static void
say_syslog(const char *p, size_t len)
{
	static const char form[] = "Mmm dd hh:mm:ss ";
	char *text = xstrndup(p, len), *at = text, *line;

	if (*at == '<' && strspn(at + 1, "0123456789") == strcspn(at + 1, ">"))
		at += strcspn(at, ">") + (strchr(at, '>') != NULL);
	if (strlen(at) > strlen(form) && at[3] == ' ' && at[6] == ' ' &&
	    at[9] == ':' && at[12] == ':' && at[15] == ' ')
		at += strlen(form);
	while (*at && strchr("\r\n", at[strlen(at) - 1]))
		at[strlen(at) - 1] = '\0';
	line = xasprintf("syslog: %s", at);
	say_text(line, strlen(line));
	free(line);
	free(text);
}

static void
take_frame(struct control *c, const struct pith_frame *f, const char *p)
{
	c->spoke |= f->type == PITH_FRAME_FORK ||
		    f->type == PITH_FRAME_NOTICE ||
		    f->type == PITH_FRAME_SYSLOG || f->type == PITH_FRAME_TRACE;
	switch (f->type) {
	case PITH_FRAME_HELLO:
		c->hello = true;
		break;
	case PITH_FRAME_EXIT:
		if (f->len_bytes != sizeof(c->exit)) {
			c->broken = true;
			break;
		}
		memcpy(&c->exit, p, sizeof(c->exit));
		c->exited = true;
		break;
	case PITH_FRAME_LOG:
		keep_log(c, p, f->len_bytes);
		break;
	case PITH_FRAME_TRACE:
		if (c->trace_fd >= 0)
			print_line(c->trace_fd, p, f->len_bytes);
		break;
	case PITH_FRAME_MISSING:
		keep_missing(c, p, f->len_bytes);
		break;
	case PITH_FRAME_ENOSYS:
		keep_enosys(c, p, f->len_bytes);
		break;
	case PITH_FRAME_CRASH:
		crash_print(p, f->len_bytes, c->options);
		break;
	case PITH_FRAME_SAMPLES:
		profile_samples(p, f->len_bytes);
		break;
	case PITH_FRAME_PROFILE:
		profile_text(p, f->len_bytes, c->options);
		break;
	case PITH_FRAME_FORK:
		say_fork(p, f->len_bytes);
		break;
	case PITH_FRAME_SYSLOG:
		say_syslog(p, f->len_bytes);
		break;
	case PITH_FRAME_NOTICE:
		say_text(p, f->len_bytes);
		break;
	case PITH_FRAME_TTYMODE:
		break; /* the terminal is raw from the start */
	default:
		say("the kernel sent a frame of unknown type %u", f->type);
	}
}

bool
control_read(struct control *c)
{
	char chunk[1 << 16];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	size_t at = 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (!n)
		return false;
	buf_add(&c->in, chunk, n);
	while (!c->broken && c->in.len - at >= sizeof(struct pith_frame)) {
		struct pith_frame f;

		memcpy(&f, c->in.p + at, sizeof(f));
		if (f.len_bytes > PITH_FRAME_MAX) {
			c->broken = true;
			break;
		}
		if (c->in.len - at < sizeof(f) + f.len_bytes)
			break;
		take_frame(c, &f, c->in.p + at + sizeof(f));
		at += sizeof(f) + f.len_bytes;
	}
	/* The rest is the beginning of a frame. */
	memmove(c->in.p, c->in.p + at, c->in.len - at);
	c->in.len -= at;
	return !c->broken;
}

void
control_finish(struct control *c)
{
	bool bad = !c->exited || c->exit.kind >= PITH_EXIT_PANIC;

	if (bad && c->log.len)
		print_log(2, c->log.p, c->log.len);
	if (c->enosys.len)
		say_text(c->enosys.p, c->enosys.len);
	profile_finish(c->options);
	if (!c->options->missing_files)
		return;
	for (size_t i = 0; i < c->missing.n; i++) {
		const char *path = c->missing.v[i];
		bool here = !c->options->root && !access(path, F_OK);
		char *line =
			xasprintf("missing: %s%s", path,
				  here ? " (this machine has it: -i)" : "");

		say_text(line, strlen(line));
		free(line);
	}
}
