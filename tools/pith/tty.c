/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's terminal.  The guest's kernel has the line discipline, so the
 * host's is switched off while stdin is a terminal: each key goes to the
 * program, Ctrl-C too.  It is restored on every way out: exit, die, a fatal
 * signal, a stop.
 */
#include "tty.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE_KEY 1 /* Ctrl-A */

static struct termios saved;
static bool have_saved, escaping;

void
tty_restore(void)
{
	if (terminal_raw)
		tcsetattr(0, TCSADRAIN, &saved);
	terminal_raw = false;
}

static void
make_raw(void)
{
	struct termios t = saved;

	/* In the background tcsetattr would stop us. */
	if (!have_saved || tcgetpgrp(0) != getpgrp())
		return;
	cfmakeraw(&t);
	terminal_raw = !tcsetattr(0, TCSADRAIN, &t);
}

static void
fatal(int sig)
{
	tty_restore();
	signal(sig, SIG_DFL);
	raise(sig);
}

void
tty_start(void)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE,
				      SIGILL };

	if (!isatty(0) || tcgetattr(0, &saved))
		return;
	have_saved = true;
	at_death(tty_restore);
	for (size_t i = 0; i < ARRAY_LEN(deadly); i++)
		signal(deadly[i], fatal);
	make_raw();
}

void
tty_resume(void)
{
	if (have_saved && !terminal_raw)
		make_raw();
}

bool
tty_size(struct winsize *ws)
{
	for (int fd = 0; fd < 3; fd++)
		if (isatty(fd) && !ioctl(fd, TIOCGWINSZ, ws))
			return true;
	return false;
}

bool
tty_termios(unsigned char out[36])
{
	struct termios t;
	uint32_t flags[4];
	int fd = 0;

	while (fd < 3 && (!isatty(fd) || tcgetattr(fd, &t)))
		fd++;
	if (fd == 3)
		return false;
	if (have_saved)
		t = saved;
	else if (fd != 0)
		/* Only the output is a terminal, and the host's discipline
		 * still serves it: the guest's must not do so too. */
		t.c_oflag &= ~OPOST;
	flags[0] = t.c_iflag;
	flags[1] = t.c_oflag;
	flags[2] = t.c_cflag;
	flags[3] = t.c_lflag;
	memcpy(out, flags, 16);
	out[16] = t.c_line;
	memcpy(out + 17, t.c_cc, 19);
	return true;
}

int
tty_filter(char *p, size_t *len)
{
	size_t out = 0;

	if (!terminal_raw)
		return ESCAPE_NONE;
	for (size_t i = 0; i < *len; i++) {
		if (!escaping) {
			escaping = p[i] == ESCAPE_KEY;
			if (!escaping)
				p[out++] = p[i];
			continue;
		}
		escaping = false;
		if (p[i] == 'x' || p[i] == 'X')
			return ESCAPE_END;
		if (p[i] == ESCAPE_KEY)
			p[out++] = ESCAPE_KEY;
		/* Any other key is dropped with the escape. */
	}
	*len = out;
	return ESCAPE_NONE;
}

void
tty_print(int fd, const char *p, size_t len)
{
	struct buf b = { 0 };

	if (!terminal_raw || !isatty(fd)) {
		write_all(fd, p, len);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\n')
			buf_add(&b, "\r", 1);
		buf_add(&b, p + i, 1);
	}
	write_all(fd, b.p, b.len);
	buf_free(&b);
}
