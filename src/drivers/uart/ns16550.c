/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PC's first serial port (16550): a sink of the log, and the stream
 * "uart0" for machines that have nothing better (a cloud's console).
 *
 * Output waits for the transmitter in a bounded loop; a line that does not
 * move drops bytes rather than stop the kernel.  Input comes by interrupt
 * into a ring.  port.lock guards both.
 */
#include <drivers/uart/ns16550.h>

#include <abi/errno.h>
#include <abi/poll.h>
#include <arch/io.h>
#include <base/ring.h>
#include <core/irq.h>
#include <core/log.h>
#include <dev/stream.h>

#define COM1	 0x3f8
#define COM1_GSI 4

#define R_DATA	  0
#define R_IER	  1
#define R_FCR	  2
#define R_LCR	  3
#define R_MCR	  4
#define R_LSR	  5
#define R_SCRATCH 7

#define IER_RX	  1u
#define LCR_8N1	  3u
#define LCR_DLAB  0x80u
#define MCR_READY 0x0bu /* DTR, RTS, OUT2: interrupts */
#define FCR_ON	  0x07u /* on, both FIFOs cleared */
#define LSR_RX	  1u
#define LSR_THRE  0x20u

#define FIFO	 16u
#define SPINS	 100000u
#define RX_BYTES 1024u
#define TX_BYTES 64u /* at a time: 6 ms of a real line, interrupts off */

static struct {
	struct stream stream;
	struct spinlock lock; /* RANK_CONSOLE */
	struct ring rx;	      /* [lock] */
	uint8_t buf[RX_BYTES];
} port;

static uint8_t
in(unsigned reg)
{
	return port_in8((uint16_t)(COM1 + reg));
}

static void
out(unsigned reg, unsigned v)
{
	port_out8((uint16_t)(COM1 + reg), (uint8_t)v);
}

/* false: the transmitter does not get empty. */
static bool
wait_empty(void)
{
	unsigned i;

	for (i = 0; i < SPINS; i++)
		if (in(R_LSR)&LSR_THRE)
			return true;
	return false;
}

static void
send(const char *p, size_t len)
{
	while (len) {
		unsigned n = (unsigned)min_u64(len, FIFO);

		if (!wait_empty())
			return;
		len -= n;
		while (n--)
			out(R_DATA, (uint8_t)*p++);
	}
}

static void
log_line(enum log_level level, const char *line, size_t len)
{
	(void)level;
	spin_lock(&port.lock);
	send(line, len);
	send("\r", 1);
	spin_unlock(&port.lock);
}

static ssize_t
uart_write(struct stream *s, const void *buf, size_t len)
{
	irqflags_t f = spin_lock_irq(&port.lock);

	(void)s;
	len = min_u64(len, TX_BYTES);
	send(buf, len);
	spin_unlock_irq(&port.lock, f);
	return (ssize_t)len;
}

static void
take_input(void)
{
	uint8_t c;
	unsigned i;

	for (i = 0; i < RX_BYTES && in(R_LSR)&LSR_RX; i++) {
		c = in(R_DATA);
		ring_write(&port.rx, &c, 1); /* full: lost, as on any line */
	}
}

static ssize_t
uart_read(struct stream *s, void *buf, size_t len)
{
	irqflags_t f = spin_lock_irq(&port.lock);
	uint32_t n;

	(void)s;
	take_input();
	n = ring_read(&port.rx, buf, (uint32_t)min_u64(len, RX_BYTES));
	spin_unlock_irq(&port.lock, f);
	return n || !len ? (ssize_t)n : -EAGAIN;
}

static uint32_t
uart_poll(struct stream *s)
{
	irqflags_t f = spin_lock_irq(&port.lock);
	uint32_t r = POLLOUT | POLLWRNORM;

	(void)s;
	take_input();
	if (ring_used(&port.rx))
		r |= POLLIN | POLLRDNORM;
	spin_unlock_irq(&port.lock, f);
	return r;
}

static int
uart_drain(struct stream *s, uint64_t deadline_ns)
{
	(void)s, (void)deadline_ns;
	return wait_empty() ? 0 : -ETIMEDOUT;
}

static void
uart_panic_write(struct stream *s, const void *buf, size_t len)
{
	(void)s;
	send(buf, len);
}

static const struct stream_ops uart_ops = {
	.write = uart_write,
	.read = uart_read,
	.poll = uart_poll,
	.drain = uart_drain,
	.panic_write = uart_panic_write,
};

static void
interrupt(void *arg)
{
	(void)arg;
	spin_lock(&port.lock);
	take_input();
	spin_unlock(&port.lock);
	wait_wake_all(&port.stream.wq, POLLIN | POLLRDNORM);
}

static bool
match(const struct device *dev)
{
	(void)dev;
	out(R_SCRATCH, 0xa5);
	return in(R_SCRATCH) == 0xa5;
}

static int
attach(struct device *dev)
{
	int err;

	(void)dev;
	out(R_IER, 0);
	out(R_LCR, LCR_DLAB | LCR_8N1);
	out(R_DATA, 1); /* 115200 */
	out(R_IER, 0);
	out(R_LCR, LCR_8N1);
	out(R_FCR, FCR_ON);
	out(R_MCR, MCR_READY);
	spin_init(&port.lock, RANK_CONSOLE);
	ring_init(&port.rx, port.buf, RX_BYTES);
	port.stream = (struct stream){ .name = "uart0", .ops = &uart_ops };
	waitq_init(&port.stream.wq);
	err = stream_register(&port.stream);
	if (err)
		return err;
	if (irq_route_gsi(COM1_GSI, false, interrupt, NULL) >= 0)
		out(R_IER, IER_RX);
	return log_add_sink(log_line);
}

const struct driver ns16550 = {
	.name = "ns16550",
	.bus = BUS_PLATFORM,
	.match = match,
	.attach = attach,
};
