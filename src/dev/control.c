/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control port: frames of abi/pith.h.
 *
 * Writers take a mutex for a whole frame, so frames do not mix; a panic
 * takes none, and completes the frame that it found half written with
 * padding first.  The kernel's log goes out as frames too, once asked for:
 * lines are kept in the log's own ring, and the reader thread sends what is
 * new when it wakes (a sink may not write: it runs under the log's lock).
 *
 * Without a port, text goes to the UART's stream "uart0", if there is one,
 * and the rest is dropped.
 */
#include <dev/control.h>

#include <abi/errno.h>
#include <abi/pith.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <dev/device.h>
#include <dev/stream.h>
#include <mem/heap.h>
#include <sched/mutex.h>
#include <sched/thread.h>

#define MAX_HANDLERS  8
#define IN_MAX	      256u /* payload of a host frame; longer ones are skipped */
#define EXIT_DRAIN_NS (5 * NSEC_PER_SEC)
#define NOTICE_MAX    512

struct handler {
	uint16_t type;
	void (*fn)(const void *payload, size_t len);
};

static struct stream *port;	 /* [I] after control_init() */
static struct stream *text_port; /* [I] "uart0" without a port */
static struct mutex send_lock;	 /* RANK_SLEEP_LEAF */
static size_t frame_left;	 /* [send_lock, a read by panic] */
static struct handler handlers[MAX_HANDLERS];
static unsigned nhandlers; /* [a] */
static struct waitq reader_wq = WAITQ_INIT(reader_wq);

/* Log lines for the host: a small buffer of text. */
static struct spinlock log_lock = SPINLOCK_INIT(RANK_CONSOLE);
static char *log_buf;	 /* [I] NULL: not asked for */
static size_t log_len;	 /* [log_lock] */
static bool log_waiting; /* [a] */
static struct device_poll log_poll;
#define LOG_BUF 4096u

/* ---- sending ---- */

static bool
may_sleep(void)
{
	return irq_enabled();
}

/* Without sleeping: what the stream does not take it never will. */
static void
push(const void *buf, size_t len)
{
	port->ops->panic_write(port, buf, len);
}

static void
put(const void *buf, size_t len)
{
	if (may_sleep())
		ignore(stream_write_all(port, buf, len, false)); /* gone */
	else
		push(buf, len);
	atomic_store_relaxed(&frame_left, frame_left - len);
}

/* Short frames go out by one write, so by one notification. */
static void
send_frame(uint16_t type, const void *payload, size_t len)
{
	struct pith_frame h = { .type = type, .len_bytes = (uint32_t)len };
	char small[sizeof(h) + 120];

	atomic_store_relaxed(&frame_left, sizeof(h) + len);
	if (sizeof(h) + len <= sizeof(small)) {
		memcpy(small, &h, sizeof(h));
		memcpy(small + sizeof(h), payload, len);
		put(small, sizeof(h) + len);
		return;
	}
	put(&h, sizeof(h));
	put(payload, len);
}

static bool
is_text(uint16_t type)
{
	return type == PITH_FRAME_LOG || type == PITH_FRAME_NOTICE ||
	       type == PITH_FRAME_TRACE || type == PITH_FRAME_CRASH ||
	       type == PITH_FRAME_FORK || type == PITH_FRAME_SYSLOG;
}

static void
send_text(const void *payload, size_t len)
{
	if (!text_port)
		return;
	if (may_sleep())
		ignore(stream_write_all(text_port, payload, len, false));
	else
		text_port->ops->panic_write(text_port, payload, len);
}

void
control_send(uint16_t type, const void *payload, size_t len)
{
	const char *p = payload;
	bool locked;

	if (!port) {
		if (is_text(type))
			send_text(payload, len);
		return;
	}
	locked = may_sleep();
	if (locked)
		mutex_lock(&send_lock);
	do {
		size_t n = min_size(len, PITH_FRAME_MAX);

		send_frame(type, p, n);
		p += n;
		len -= n;
	} while (len);
	if (locked)
		mutex_unlock(&send_lock);
}

void
control_notice(const char *fmt, ...)
{
	char *buf = kmalloc(NOTICE_MAX, ALLOC_KERNEL);
	va_list ap;
	int n;

	if (!buf)
		return;
	va_start(ap, fmt);
	n = kvsnprintf(buf, NOTICE_MAX, fmt, ap);
	va_end(ap);
	control_send(PITH_FRAME_NOTICE, buf,
		     min_size((size_t)n, NOTICE_MAX - 1));
	kfree(buf);
}

/* ---- the log ---- */

static void
log_sink(enum log_level level, const char *line, size_t len)
{
	irqflags_t f = spin_lock_irq(&log_lock);

	(void)level;
	if (log_len + len + 1 <= LOG_BUF) {
		memcpy(log_buf + log_len, line, len);
		log_len += len;
		if (!len || line[len - 1] != '\n')
			log_buf[log_len++] = '\n';
	}
	spin_unlock_irq(&log_lock, f);
	atomic_store_release(&log_waiting, true);
}

static void
log_flush(void)
{
	char *copy;
	size_t len;
	irqflags_t f;

	if (!atomic_load_acquire(&log_waiting))
		return;
	copy = kmalloc(LOG_BUF, ALLOC_KERNEL);
	if (!copy)
		return;
	atomic_store(&log_waiting, false);
	f = spin_lock_irq(&log_lock);
	len = log_len;
	memcpy(copy, log_buf, len);
	log_len = 0;
	spin_unlock_irq(&log_lock, f);
	if (len)
		control_send(PITH_FRAME_LOG, copy, len);
	kfree(copy);
}

/* From the idle loop: the first place where a wake is safe. */
static void
log_kick(struct device_poll *p)
{
	(void)p;
	if (atomic_load_relaxed(&log_waiting))
		wait_wake_all(port ? &port->wq : &reader_wq, 0);
}

bool
control_has_log(void)
{
	return log_buf != NULL;
}

int
control_log_start(void)
{
	int err;

	if (!port)
		return -ENODEV;
	if (log_buf)
		return 0;
	log_buf = kmalloc(LOG_BUF, ALLOC_KERNEL);
	if (!log_buf)
		return -ENOMEM;
	err = log_add_sink(log_sink);
	if (err) {
		kfree(log_buf);
		log_buf = NULL;
		return err;
	}
	log_poll.fn = log_kick;
	device_poll_add(&log_poll);
	return 0;
}

/* ---- receiving ---- */

void
control_on(uint16_t type, void (*fn)(const void *payload, size_t len))
{
	unsigned i = nhandlers;

	if (i == MAX_HANDLERS)
		panic("control port: too many handlers");
	handlers[i] = (struct handler){ type, fn };
	atomic_store_release(&nhandlers, i + 1);
}

static void
dispatch(const struct pith_frame *h, const void *payload)
{
	unsigned i, n = atomic_load_acquire(&nhandlers);

	for (i = 0; i < n; i++)
		if (handlers[i].type == h->type)
			handlers[i].fn(payload, h->len_bytes);
}

/* Reads exactly len bytes; false: the host's end is gone. */
static bool
get(void *buf, size_t len)
{
	struct wait_entry e;
	char *p = buf;
	ssize_t n = 0;

	wait_start(&port->wq, &e, false);
	while (len) {
		n = port->ops->read(port, p, len);
		if (n == 0)
			break;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (log_buf && atomic_load_relaxed(&log_waiting)) {
			wait_end(&port->wq, &e);
			log_flush();
			wait_start(&port->wq, &e, false);
			continue;
		}
		ignore(wait_sleep(&e, TIME_NEVER)); /* can't fail */
	}
	wait_end(&port->wq, &e);
	return !len;
}

static bool
skip(size_t len)
{
	char waste[64];

	while (len) {
		size_t n = min_size(len, sizeof(waste));

		if (!get(waste, n))
			return false;
		len -= n;
	}
	return true;
}

static void
reader(void *arg)
{
	struct pith_frame h;
	char payload[IN_MAX];

	(void)arg;
	while (get(&h, sizeof(h))) {
		if (h.len_bytes > PITH_FRAME_MAX) {
			log_err("control port: bad frame from the host");
			break;
		}
		if (h.len_bytes > IN_MAX) {
			if (!skip(h.len_bytes))
				break;
			continue;
		}
		if (!get(payload, h.len_bytes))
			break;
		dispatch(&h, payload);
	}
}

/* ---- the end ---- */

static void
drain(const char *name, uint64_t deadline_ns)
{
	struct stream *s = stream_find(name);

	if (s)
		ignore(s->ops->drain(s, deadline_ns)); /* late: end anyway */
}

NORETURN void
control_exit(uint32_t kind, uint32_t code)
{
	/* What the program wrote belongs to its readers, however slow. */
	drain(PITH_PORT_STDOUT, TIME_NEVER);
	drain(PITH_PORT_STDERR, TIME_NEVER);
	control_exit_now(kind, code);
}

NORETURN void
control_exit_now(uint32_t kind, uint32_t code)
{
	struct pith_exit e = { kind, code };

	if (port) {
		log_flush();
		control_send(PITH_FRAME_EXIT, &e, sizeof(e));
		ignore(port->ops->drain(port, clock_mono_ns() + EXIT_DRAIN_NS));
	} else if (text_port) {
		ignore(text_port->ops->drain(text_port,
					     clock_mono_ns() + EXIT_DRAIN_NS));
	}
	machine_power_off(0);
}

static void
panic_sink(const char *report, size_t len, bool hang)
{
	struct pith_exit e = { hang ? PITH_EXIT_WATCHDOG : PITH_EXIT_PANIC, 0 };
	size_t left = atomic_load_relaxed(&frame_left);

	if (!port)
		return; /* the serial line has it */
	while (left && left <= PITH_FRAME_MAX + sizeof(struct pith_frame)) {
		static const char pad[64];
		size_t n = min_size(left, sizeof(pad));

		push(pad, n);
		left -= n;
	}
	while (len) {
		size_t n = min_size(len, PITH_FRAME_MAX);

		send_frame(PITH_FRAME_LOG, report, n);
		report += n;
		len -= n;
	}
	send_frame(PITH_FRAME_EXIT, &e, sizeof(e));
}

void
control_init(void)
{
	uint32_t version = 1;
	struct thread *t;

	mutex_init(&send_lock, RANK_SLEEP_LEAF);
	panic_set_sink(panic_sink);
	port = stream_find(PITH_PORT_CONTROL);
	if (!port) {
		text_port = stream_find("uart0");
		log_info("no control port: messages go to %s",
			 text_port ? "the serial line" : "nobody");
		return;
	}
	control_send(PITH_FRAME_HELLO, &version, sizeof(version));
	if (thread_create("control", reader, NULL, &t)) {
		log_err("control port: no memory for its thread");
		return;
	}
	thread_start(t);
}
