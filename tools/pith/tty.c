/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's terminal.  The guest's kernel has the line discipline, so the
 * host's is switched off while stdin is a terminal: each key goes to the
 * program, Ctrl-C too.  It is restored on every way out: exit, die, a fatal
 * signal, a stop; after SIGKILL by a guard, a child that waits for our end.
 *
 * Output is left to the host's discipline when stdout is no terminal: the
 * rest of the pipeline writes to the same terminal, and without OPOST its
 * lines would be stairs.  The guest's discipline then leaves output alone.
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
static int guard = -1;

/* The guard knows by the last byte whether there is anything to restore:
 * after an orderly end the shell may have set the terminal already. */
static void
tell_guard(char state)
{
	if (guard >= 0 && write(guard, &state, 1) < 0)
		guard = -1;
}

void
tty_restore(void)
{
	if (terminal_raw) {
		tcsetattr(0, TCSADRAIN, &saved);
		tell_guard('c');
	}
	terminal_raw = false;
}

/* In a session of its own: neither the terminal's signals nor those to our
 * group reach it, and tcsetattr does not count it as in the background. */
_Noreturn static void
guard_main(int fd)
{
	char state = 'c';
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	dup2(fd, 1);
	close_range(2, ~0u, 0);
	while (read(1, &state, 1) > 0)
		;
	if (state == 'r')
		tcsetattr(0, TCSANOW, &saved);
	_exit(0);
}

/* Without it (no process to be had) only SIGKILL leaves the terminal raw. */
static void
start_guard(void)
{
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0)
		guard_main(fd[0]);
	close(fd[0]);
	if (pid > 0)
		guard = fd[1];
	else
		close(fd[1]);
}

static void
make_raw(void)
{
	struct termios t = saved;

	/* In the background tcsetattr would stop us. */
	if (!have_saved || tcgetpgrp(0) != getpgrp())
		return;
	cfmakeraw(&t);
	if (!isatty(1))
		t.c_oflag = saved.c_oflag;
	tell_guard('r');
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
	start_guard();
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
	if (fd != 0 || !isatty(1))
		/* The host's discipline still serves the output: the
		 * guest's must not do so too. */
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

	if (!terminal_raw || !isatty(fd) || !isatty(1)) {
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

void
tty_say(const char *p, size_t len)
{
	struct buf b = { 0 };

	while (len) {
		const char *end = memchr(p, '\n', len);
		size_t n = end ? (size_t)(end - p) : len;

		buf_add(&b, "pith: ", 6);
		buf_add(&b, p, n);
		buf_add(&b, "\n", 1);
		n += end != NULL;
		p += n;
		len -= n;
	}
	if (b.len)
		tty_print(2, b.p, b.len);
	buf_free(&b);
}
