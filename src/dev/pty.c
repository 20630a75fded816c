/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pseudo-terminals: two rings, which are the streams of the slave's terminal,
 * and the master that writes to the one and reads of the other.
 *
 * What the master writes waits in a ring until the terminal has room
 * (tty_has_room()); pty_pump() moves it, called by who writes and by who made
 * room.  One does it at a time; who finds another at it leaves it to him, who
 * looks again when he has let go.
 *
 * Locks: p->lock (RANK_EVENT) for the rings; the table and who has what open
 * by tty_jobs_lock().
 */
#include <dev/pty.h>

#include "tty_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <abi/stat.h>
#include <base/atomic.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/ring.h>
#include <dev/stream.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <sched/thread.h>

#define RING 16384u /* with INPUT_MAX about what Linux takes */

struct pty {
	struct stream in, out;	       /* [I] of the slave */
	struct tty *slave;	       /* [I] */
	unsigned index;		       /* [I] */
	uint64_t serial;	       /* [I] */
	uint8_t *memory;	       /* [I] of both rings */
	struct spinlock lock;	       /* RANK_EVENT */
	struct ring in_ring, out_ring; /* [lock] */
	uint32_t status;	       /* [lock, a read] TIOCPKT_* */
	bool packet;		       /* [a] */
	bool locked;		       /* [a] the slave cannot be opened */
	bool master;		       /* [jobs, a read] is open */
	bool closed;		       /* [jobs, a read] the slave was open */
	struct mutex pump_lock;	       /* RANK_TTY_PUMP */
	struct waitq wq;	       /* of the master */
};

/* By tty_jobs_lock(). */
static struct pty **table;
static unsigned table_size, count;
static uint64_t last_serial;

/* A pty's settings on Linux: no UTF-8, no modem to hang up, no size. */
static const struct ktermios pty_tio = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE |
		   IEXTEN,
	.c_cc = { 3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22,
		  0 },
};

/* ---- the slave's streams ---- */

static size_t
used(struct pty *p, struct ring *r)
{
	size_t n;

	spin_lock(&p->lock);
	n = ring_used(r);
	spin_unlock(&p->lock);
	return n;
}

static ssize_t
in_read(struct stream *s, void *buf, size_t len)
{
	struct pty *p = s->priv;
	size_t n;

	spin_lock(&p->lock);
	n = ring_read(&p->in_ring, buf, (uint32_t)len);
	spin_unlock(&p->lock);
	return n ? (ssize_t)n : -EAGAIN;
}

static ssize_t
out_write(struct stream *s, const void *buf, size_t len)
{
	struct pty *p = s->priv;
	size_t n;

	if (!atomic_load_acquire(&p->master))
		return -EPIPE;
	spin_lock(&p->lock);
	n = ring_write(&p->out_ring, buf, (uint32_t)len);
	spin_unlock(&p->lock);
	if (n)
		wait_wake_all(&p->wq, POLLIN | POLLRDNORM);
	return (ssize_t)n;
}

static uint32_t
out_poll(struct stream *s)
{
	struct pty *p = s->priv;

	if (!atomic_load_acquire(&p->master))
		return POLLHUP;
	return used(p, &p->out_ring) < RING ? POLLOUT | POLLWRNORM : 0;
}

/* What is in the ring counts as sent, as on Linux. */
static int
out_drain(struct stream *s, uint64_t deadline_ns)
{
	(void)s, (void)deadline_ns;
	return 0;
}

static const struct stream_ops in_ops = { .read = in_read };
static const struct stream_ops out_ops = {
	.write = out_write,
	.poll = out_poll,
	.drain = out_drain,
};

void
pty_pump(struct pty *p)
{
	uint8_t chunk[CHUNK];
	ssize_t n;

	while (used(p, &p->in_ring) && tty_has_room(p->slave) &&
	       mutex_trylock(&p->pump_lock)) {
		/* Another may have filled it in between. */
		n = tty_has_room(p->slave) ?
			    in_read(&p->in, chunk, sizeof(chunk)) :
			    0;
		if (n > 0)
			tty_input(p->slave, chunk, (size_t)n);
		mutex_unlock(&p->pump_lock);
		wait_wake_all(&p->wq, POLLOUT | POLLWRNORM);
	}
}

void
pty_drop_input(struct pty *p)
{
	spin_lock(&p->lock);
	p->in_ring.tail = p->in_ring.head;
	spin_unlock(&p->lock);
	wait_wake_all(&p->wq, POLLOUT | POLLWRNORM);
}

void
pty_drop_output(struct pty *p)
{
	spin_lock(&p->lock);
	p->out_ring.tail = p->out_ring.head;
	spin_unlock(&p->lock);
	wait_wake_all(&p->out.wq, POLLOUT | POLLWRNORM);
}

void
pty_status(struct pty *p, uint32_t bits)
{
	static const struct {
		uint32_t a, b;
	} opposite[] = {
		{ TIOCPKT_STOP, TIOCPKT_START },
		{ TIOCPKT_DOSTOP, TIOCPKT_NOSTOP },
	};
	unsigned i;

	if (!pty_packet(p))
		return;
	spin_lock(&p->lock);
	for (i = 0; i < 2; i++)
		if (bits & (opposite[i].a | opposite[i].b))
			p->status &= ~(opposite[i].a | opposite[i].b);
	atomic_store_relaxed(&p->status, p->status | bits);
	spin_unlock(&p->lock);
	wait_wake_all(&p->wq, POLLIN | POLLRDNORM | POLLPRI);
}

/* ---- making, opening, closing ---- */

/* A place in the table, which grows. */
static int
find_place(unsigned *index)
{
	unsigned i, size;
	struct pty **t;

	for (i = 0; i < table_size && table[i]; i++)
		;
	if (i == LIMIT_PTYS)
		return -ENOSPC;
	if (i == table_size) {
		size = table_size ? 2 * table_size : 8;
		t = kcalloc(size, sizeof(*t), ALLOC_KERNEL);
		if (!t)
			return -ENOMEM;
		memcpy(t, table, table_size * sizeof(*t));
		kfree(table);
		table = t;
		table_size = size;
	}
	*index = i;
	return 0;
}

static void
stream_setup(struct stream *s, const struct stream_ops *ops, struct pty *p)
{
	s->ops = ops;
	s->priv = p;
	waitq_init(&s->wq);
	list_init(&s->link);
}

static void
release(struct pty *p)
{
	kfree(p->slave);
	vfree(p->memory);
	kfree(p);
}

int
pty_create(struct pty **out)
{
	struct pty *p = kzalloc(sizeof(*p), ALLOC_KERNEL);
	int err = -ENOMEM;

	if (!p)
		return -ENOMEM;
	stream_setup(&p->in, &in_ops, p);
	stream_setup(&p->out, &out_ops, p);
	p->memory = vmalloc(2 * RING, ALLOC_KERNEL);
	p->slave = tty_new(&p->in, &p->out, &pty_tio, NULL);
	if (!p->memory || !p->slave)
		goto failed;
	p->slave->pty = p;
	spin_init(&p->lock, RANK_EVENT);
	mutex_init(&p->pump_lock, RANK_TTY_PUMP);
	waitq_init(&p->wq);
	ring_init(&p->in_ring, p->memory, RING);
	ring_init(&p->out_ring, p->memory + RING, RING);
	p->locked = p->master = true;
	tty_jobs_lock();
	err = find_place(&p->index);
	if (!err) {
		table[p->index] = p;
		p->serial = ++last_serial;
		count++;
	}
	tty_jobs_unlock();
	if (err)
		goto failed;
	tty_jobs_add(p->slave);
	*out = p;
	return 0;
failed:
	release(p);
	return err;
}

static void
destroy_locked(struct pty *p)
{
	table[p->index] = NULL;
	count--;
	tty_jobs_remove_locked(p->slave);
	release(p);
}

void
pty_close(struct pty *p)
{
	int pgrp;

	tty_jobs_lock();
	atomic_store_release(&p->master, false);
	pgrp = tty_hangup_locked(p->slave);
	if (!p->slave->opens)
		destroy_locked(p);
	tty_jobs_unlock();
	tty_tell_hangup(pgrp);
}

int
pty_slave_opens_locked(struct pty *p)
{
	if (!p->master || atomic_load_relaxed(&p->locked))
		return -EIO;
	atomic_store_release(&p->closed, false);
	return 0;
}

void
pty_slave_closed_locked(struct pty *p)
{
	if (!p->master) {
		destroy_locked(p);
		return;
	}
	atomic_store_release(&p->closed, true);
	wait_wake_all(&p->wq, POLLIN | POLLRDNORM | POLLHUP);
}

int
pty_open_slave(unsigned index, uint64_t serial, bool privileged,
	       struct tty **out, uint32_t *era)
{
	struct pty *p;
	int err = -EIO;

	tty_jobs_lock();
	p = index < table_size ? table[index] : NULL;
	if (p && p->serial == serial) {
		*out = p->slave;
		err = tty_open_locked(p->slave, privileged, era);
	}
	tty_jobs_unlock();
	return err;
}

unsigned
pty_index(const struct pty *p)
{
	return p->index;
}

uint64_t
pty_serial(const struct pty *p)
{
	return p->serial;
}

uint64_t
pty_rdev(const struct pty *p)
{
	return DEV_MAKE(PTS_MAJOR, p->index);
}

unsigned
pty_count(void)
{
	return READ_ONCE(count);
}

struct tty *
pty_slave(struct pty *p)
{
	return p->slave;
}

/* ---- the master ---- */

/* Packet mode puts a byte before the data: 0, or what has happened. */
static size_t
take(struct pty *p, uint8_t *buf, size_t len)
{
	size_t n = 0, head = 0;

	spin_lock(&p->lock);
	if (pty_packet(p)) {
		buf[0] = (uint8_t)p->status;
		head = 1;
	}
	if (head && p->status)
		atomic_store_relaxed(&p->status, 0);
	else if (ring_used(&p->out_ring))
		n = ring_read(&p->out_ring, buf + head,
			      (uint32_t)min_size(len - head, RING));
	else
		head = 0;
	spin_unlock(&p->lock);
	return head + n;
}

/* Waits, once, for one of events.  0, -EAGAIN, -EINTR. */
static int
master_wait(struct pty *p, uint32_t events, bool nonblock)
{
	struct wait_entry e;
	int err = 0;

	if (nonblock)
		return -EAGAIN;
	wait_start(&p->wq, &e, true);
	if (!(pty_poll(p) & events))
		err = wait_sleep(&e, TIME_NEVER);
	wait_end(&p->wq, &e);
	return err;
}

ssize_t
pty_read(struct pty *p, void *buf, size_t len, bool nonblock)
{
	size_t n = 0;
	int err = 0;
	bool closed;

	if (!len)
		return 0;
	do {
		closed = atomic_load_acquire(&p->closed);
		n = take(p, buf, len);
		if (!n)
			err = closed ? -EIO :
				       master_wait(p, POLLIN | POLLHUP,
						   nonblock);
	} while (!n && !err);
	if (err)
		return err;
	tty_send_out(p->slave); /* what found no room before */
	wait_wake_all(&p->out.wq, POLLOUT | POLLWRNORM);
	return (ssize_t)n;
}

ssize_t
pty_write(struct pty *p, const void *buf, size_t len, bool nonblock)
{
	size_t done = 0, n;
	int err = 0;

	while (done < len && !err) {
		spin_lock(&p->lock);
		n = ring_write(&p->in_ring, (const uint8_t *)buf + done,
			       (uint32_t)min_size(len - done, RING));
		spin_unlock(&p->lock);
		done += n;
		pty_pump(p);
		if (!n)
			err = master_wait(p, POLLOUT, nonblock);
	}
	return done ? (ssize_t)done : err;
}

uint32_t
pty_poll(struct pty *p)
{
	bool closed = atomic_load_acquire(&p->closed);
	uint32_t r = 0;

	spin_lock(&p->lock);
	if (ring_used(&p->out_ring))
		r |= POLLIN | POLLRDNORM;
	if (ring_free(&p->in_ring))
		r |= POLLOUT | POLLWRNORM;
	if (p->status && pty_packet(p))
		r |= POLLPRI | POLLIN | POLLRDNORM;
	spin_unlock(&p->lock);
	return closed ? r | POLLHUP : r;
}

struct waitq *
pty_waitq(struct pty *p)
{
	return &p->wq;
}

size_t
pty_readable(struct pty *p)
{
	return used(p, &p->out_ring);
}

/* ---- settings ---- */

void
pty_set_locked(struct pty *p, bool on)
{
	atomic_store_relaxed(&p->locked, on);
}

bool
pty_locked(struct pty *p)
{
	return atomic_load_relaxed(&p->locked);
}

void
pty_set_packet(struct pty *p, bool on)
{
	spin_lock(&p->lock);
	if (on && !p->packet)
		atomic_store_relaxed(&p->status, 0);
	atomic_store_relaxed(&p->packet, on);
	spin_unlock(&p->lock);
}

bool
pty_packet(struct pty *p)
{
	return atomic_load_relaxed(&p->packet);
}
