/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream class: byte pipes between the machine and its outside, as
 * virtio-serial ports and UARTs offer them.
 *
 * Found by name ("pith.stdin"); a machine without ports has "uart0" only.
 * Reads and writes do not block; the wait queue is woken with POLLIN,
 * POLLOUT or POLLHUP when that may have changed.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>
#include <sched/wait.h>

struct stream;

struct stream_ops {
	/* Bytes taken, 0: none now.  -EPIPE: the other side is gone. */
	ssize_t (*write)(struct stream *s, const void *buf, size_t len);
	/* Bytes read; -EAGAIN: none now; 0: end of file. */
	ssize_t (*read)(struct stream *s, void *buf, size_t len);
	uint32_t (*poll)(struct stream *s); /* POLLIN|POLLOUT|POLLHUP */
	/* Waits (or, with interrupts disabled, spins by polling the device)
	 * until all that was written is with the host, or the deadline. */
	int (*drain)(struct stream *s, uint64_t deadline_ns);
	/* Bytes that a read would give at once, at least; NULL: not known. */
	size_t (*available)(struct stream *s);
	/* Panic: writes by polling, no locks, no interrupts. */
	void (*panic_write)(struct stream *s, const void *buf, size_t len);
};

struct stream {
	char name[32];
	const struct stream_ops *ops;
	void *priv;
	struct waitq wq;
	struct list link;
};

MUST_CHECK int stream_register(struct stream *s);
struct stream *stream_find(const char *name);

/* Blocking helpers: whole buffer, or -EPIPE, -EINTR with *done bytes. */
ssize_t stream_write_all(struct stream *s, const void *buf, size_t len,
			 bool intr);
