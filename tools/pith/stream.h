/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of the program's standard streams between the host's descriptor and
 * the socket of its virtio-serial port.
 */
#pragma once

#include "util.h"

#include <poll.h>

#define STREAM_BUFFER (256u << 10)
#define STREAM_TAIL   4096u /* of the end of the program's output */

struct stream {
	int from, to;  /* -1 when that side has ended */
	bool to_guest; /* stdin: `to` is the port's socket */
	bool to_tty, to_pipe, nonblock;
	char *data;
	size_t start, end; /* of what waits in data */
	bool eof;	   /* nothing more comes from `from` */
	char *tail;	   /* the program's last words, or NULL */
	size_t tail_len;
};

void stream_open(struct stream *s, int from, int to, bool to_guest);
/* What to wait for; writes up to two entries, returns how many. */
int stream_poll(struct stream *s, struct pollfd *p);
/* Moves what can be moved now. -1 on the escape key, else 0. */
int stream_move(struct stream *s, const struct pollfd *p, int n);
bool stream_done(const struct stream *s);
