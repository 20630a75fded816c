/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's terminal: raw while the machine runs, as it was afterwards.
 */
#pragma once

#include "util.h"

#include <sys/ioctl.h>

enum { ESCAPE_NONE, ESCAPE_END };

/* Raw mode when stdin is a terminal and we are in its foreground. */
void tty_start(void);
void tty_restore(void);
/* After a stop and continue: raw again. */
void tty_resume(void);
/* The size of the terminal among fds 0-2; false when there is none. */
bool tty_size(struct winsize *ws);
/* Linux's struct termios of the terminal as the program shall find it. */
bool tty_termios(unsigned char out[36]);
/* Takes the escape key out of what was typed, in place; *len is updated.
 * Ctrl-A x answers ESCAPE_END. */
int tty_filter(char *p, size_t *len);
/* Writes text to fd 2 or another, with \r before \n on a raw terminal. */
void tty_print(int fd, const char *p, size_t len);
/* Writes lines to stderr, each after "pith: ", so that nobody takes them for
 * the program's. */
void tty_say(const char *p, size_t len);
