/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: a ring of text lines and the sinks that show them.
 *
 * A line is formatted on the caller's stack, then copied under the lock; the
 * sinks are called under it as well, so lines do not mix.  A panic goes
 * round all this (core/panic.c).
 */
#include <abi/errno.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <core/spinlock.h>

#define RING_SIZE 16384u
#define LINE_MAX  256u
#define SINKS	  4

/* Apart from what is initialised: zeroes need no room in the file. */
static char ring[RING_SIZE]; /* [logs.lock] "<level>text\n" ... */

static struct {
	struct spinlock lock;
	uint64_t head; /* [lock] bytes ever written */
	void (*sink[SINKS])(enum log_level, const char *, size_t); /* [lock] */
	unsigned nsinks;					   /* [lock] */
	enum log_level max;					   /* [a] */
} logs = { .lock = SPINLOCK_INIT(RANK_LOG), .max = LOG_INFO };

static void
ring_put(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ring[logs.head++ % RING_SIZE] = s[i];
}

void
log_printf(enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX], prefix;
	va_list ap;
	irqflags_t f;
	int n, stamp;
	uint64_t us;

	if (level > logs.max)
		return;
	us = clock_mono_ns() / 1000;
	stamp = ksnprintf(line, sizeof(line), "[%5lu.%06lu] ",
			  (unsigned long)(us / 1000000),
			  (unsigned long)(us % 1000000));
	va_start(ap, fmt);
	n = stamp +
	    kvsnprintf(line + stamp, sizeof(line) - (size_t)stamp, fmt, ap);
	va_end(ap);
	n = (int)min_i64(n, LINE_MAX - 2);
	line[n++] = '\n';
	prefix = (char)('0' + level);
	f = spin_lock_irq(&logs.lock);
	ring_put(&prefix, 1);
	ring_put(line, (size_t)n);
	for (unsigned i = 0; i < logs.nsinks; i++)
		logs.sink[i](level, line, (size_t)n);
	spin_unlock_irq(&logs.lock, f);
}

int
log_add_sink(void (*fn)(enum log_level, const char *line, size_t len))
{
	irqflags_t f = spin_lock_irq(&logs.lock);
	uint64_t at;
	int err = -ENOSPC;

	if (logs.nsinks == SINKS)
		goto out;
	/* What is there already, line by line; a cut first line is left. */
	at = logs.head > RING_SIZE ? logs.head - RING_SIZE : 0;
	while (at < logs.head) {
		char line[LINE_MAX], c;
		size_t n = 0;
		enum log_level level =
			(enum log_level)(ring[at++ % RING_SIZE] - '0');

		do {
			c = ring[at++ % RING_SIZE];
			if (n < LINE_MAX)
				line[n++] = c;
		} while (c != '\n' && at < logs.head);
		if (level <= LOG_DEBUG)
			fn(level, line, n);
	}
	logs.sink[logs.nsinks++] = fn;
	err = 0;
out:
	spin_unlock_irq(&logs.lock, f);
	return err;
}

void
log_set_level(enum log_level max)
{
	logs.max = max;
}

size_t
log_copy(char *buf, size_t size)
{
	uint64_t n = min_u64(min_u64(logs.head, RING_SIZE), size);
	uint64_t at = logs.head - n;

	for (uint64_t i = 0; i < n; i++)
		buf[i] = ring[(at + i) % RING_SIZE];
	return (size_t)n;
}
