/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pseudo-terminals: a terminal (dev/tty.h) whose other side, the master, is
 * read and written as a file, too.
 *
 * Life: pty_create() makes the pair, with the master open; it goes with the
 * last file of either side.  The index is free again then.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>
#include <sched/wait.h>

struct pty;
struct tty;

/* -ENOMEM, -ENOSPC: there are LIMIT_PTYS. */
MUST_CHECK int pty_create(struct pty **out);
/* Hangs the slave up. */
void pty_close(struct pty *p);

unsigned pty_index(const struct pty *p);
uint64_t pty_serial(const struct pty *p); /* never used again */
unsigned pty_count(void);
/* The slave; valid while the caller has the master or it open. */
struct tty *pty_slave(struct pty *p);
/* Opens the slave of the pair with that index and serial.  -EIO: it is
 * locked, or the master is closed; -EBUSY. */
MUST_CHECK int pty_open_slave(unsigned index, uint64_t serial, bool privileged,
			      struct tty **out, uint32_t *era);

/* The master.  Kernel buffers.  -EAGAIN (nonblock), -EINTR; reads: -EIO when
 * the slave was closed and all is read. */
MUST_CHECK ssize_t pty_read(struct pty *p, void *buf, size_t len,
			    bool nonblock);
MUST_CHECK ssize_t pty_write(struct pty *p, const void *buf, size_t len,
			     bool nonblock);
uint32_t pty_poll(struct pty *p);
struct waitq *pty_waitq(struct pty *p);
size_t pty_readable(struct pty *p);
void pty_drop_output(struct pty *p);

void pty_set_locked(struct pty *p, bool on);
bool pty_locked(struct pty *p);
void pty_set_packet(struct pty *p, bool on);
bool pty_packet(struct pty *p);
