/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no two threads meet in a connection within the machine without a lock
 * between them.  Method: ThreadSanitizer; threads that do at random to a few
 * TCP sockets what programs do: listen, connect, accept, data, pages of files,
 * peeks, urgent bytes, polls, ends of one direction and of both, listeners
 * that go with connections in their queues; files are closed while others are
 * in calls on them.  What is far is not there.
 * SANITIZE: thread
 * SOURCES: src/net/tcp.c src/net/tcp_data.c src/net/tcp_near.c
 * SOURCES: src/net/tcp_urg.c src/net/nbuf.c src/net/ports.c
 * SOURCES: src/net/ports_rest.c src/net/ports_steer.c src/net/inet.c
 * SOURCES: src/net/socket.c src/vm/uio.c src/sched/wait.c src/sched/mutex.c
 * SOURCES: src/core/spinlock.c src/base/fmt.c src/base/hash.c
 * SOURCES: test/unit/host_threads/threads.c test/unit/net/sock_stubs.c
 * SOURCES: test/unit/host/panic.c
 * INCLUDE: test/unit/host_smp
 */
#include "../host_threads/threads.h"
#include "../unit.h"
#include "sock_stubs.h"

#include <abi/errno.h>
#include <abi/inet.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <core/reclaim.h>
#include <core/timer.h>
#include <dev/random.h>
#include <file/file.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <net/bpf.h>
#include <net/dgram.h>
#include <net/netif.h>
#include <net/settings.h>
#include <net/tcp.h>
#include <sched/thread.h>
#include <vm/uio.h>

#include <sched.h>

#define THREADS 4
#define PORTS	3
#define STEPS	6000

/* ---- what is called beside ---- */

const struct socket_family unix_family;
uint64_t direct_map_base;
static uint8_t page_bytes[PAGE_SIZE];
static struct page a_page;

paddr_t
page_phys(const struct page *p)
{
	(void)p;
	return (paddr_t)(uintptr_t)page_bytes;
}
void
page_free(struct page *p)
{
	(void)p;
	CHECK(0);
}
uint64_t
mem_total_pages(void)
{
	return 1 << 18;
}
uint64_t
random_u64(void)
{
	static uint64_t n;

	return atomic_add(&n, 12345);
}
void
reclaim_call(struct reclaim_head *h, void (*fn)(struct reclaim_head *))
{
	fn(h);
}
bool
net_addr_is_local(int family, const void *addr)
{
	(void)family, (void)addr;
	return true;
}
bool
inet_is_broadcast(const struct inet_addr *a)
{
	(void)a;
	return false;
}
bool
net_settled(void)
{
	return true;
}

void
thread_delay(uint64_t ns)
{
	(void)ns;
	sched_yield();
}

/* Far connections, programs and timers are never there. */
uint32_t
tcp_far_unsent(struct tcp_sock *t)
{
	(void)t;
	return 0;
}
int
tcp_far_listen(struct tcp_sock *t)
{
	(void)t;
	return 0;
}
void
tcp_far_unlisten(struct tcp_sock *t)
{
	(void)t;
}
/* A socket without any connection lets go. */
void
tcp_far_do(struct tcp_sock *t, uint32_t what)
{
	(void)t, (void)what;
}
void
sock_prog_free(struct sock_prog *p)
{
	CHECK(!p);
}
void
timer_init(struct timer *t, void (*fn)(struct timer *))
{
	t->fn = fn;
	t->home = NULL;
}
void
timer_set(struct timer *t, uint64_t ns)
{
	(void)t, (void)ns;
}

#define NEVER                                              \
	{                                                  \
		unit_fail(__FILE__, __LINE__, "not here"); \
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
bool
timer_try_cancel(struct timer *t) NEVER
	void tcp_far_timer(struct timer *tm) NEVER
	int tcp_far_connect(struct tcp_sock *t) NEVER
	bool tcp_far_source(const struct inet_end *dst,
			    struct inet_end *src) NEVER
	void net_core_lock(void) NEVER void net_core_unlock(void) NEVER
	void net_settle(void) NEVER
	int net_route_lookup(int family, const void *dst,
			     struct net_route *out) NEVER
	bool inet_hears(const struct inet_sock *sk, const struct inet_addr *g,
			const struct inet_addr *src, int ifindex) NEVER
	void inet_zc_sent(struct inet_sock *sk) NEVER ssize_t
	inet_zc_recv(struct inet_sock *sk, struct sock_msg *m) NEVER
	int sock_prog_load(const void *val, uint32_t len,
			   struct sock_prog **out) NEVER uint32_t
	sock_prog_run(const struct sock_prog *prog,
		      const struct bpf_packet *p) NEVER
	int udp_create(bool v6, struct socket **out) NEVER
	int raw_create(bool v6, int protocol, struct socket **out) NEVER
	int tcp_setopt(struct socket *s, int level, int name, const void *val,
		       uint32_t len) NEVER
	int tcp_getopt(struct socket *s, int level, int name, void *val,
		       uint32_t *len) NEVER
#pragma GCC diagnostic pop

	/* ---- what programs do ---- */

	static struct sockaddr_in address(uint64_t r)
{
	return (struct sockaddr_in){ .family = AF_INET,
				     .port = (uint16_t)(0x5000 + r % PORTS),
				     .addr = 0x0100007f };
}

static struct file *
new_socket(uint64_t r, struct socket **s)
{
	CHECK(!tcp_create(false, s));
	(*s)->opts |= SOCKOPT_REUSEADDR | SOCKOPT_REUSEPORT;
	return sock_new_file(*s, r);
}

static void
new_listener(uint64_t r)
{
	struct sockaddr_in a = address(r >> 8);
	struct socket *s;
	struct file *f = new_socket(r >> 32, &s);

	if (!s->ops->bind(s, &a, sizeof(a)))
		ignore(s->ops->listen(s, (int)(r >> 20) % 3));
	slot_put(r >> 16, f);
}

/* Into its place before it connects: others may disturb it. */
static void
new_client(uint64_t r)
{
	struct sockaddr_in a = address(r >> 8);
	struct socket *s;
	struct file *f = new_socket(r >> 32, &s);

	file_get(f);
	slot_put(r >> 16, f);
	ignore(s->ops->connect(s, &a, sizeof(a), r >> 40 & 1));
	file_put(f);
}

static void
accept_one(struct socket *s, uint64_t r)
{
	struct socket *c;

	if (!s->ops->accept(s, r & 1, &c))
		slot_put(r >> 16, sock_new_file(c, r >> 32));
}

static void
connect_again(struct socket *s, uint64_t r)
{
	struct sockaddr_in a = address(r >> 8);

	if (r & 1)
		a.family = AF_UNSPEC;
	ignore(s->ops->connect(s, &a, sizeof(a), r & 2));
}

static void
send_some(struct socket *s, uint64_t r)
{
	static char data[5000];
	struct page_piece v[2] = { { &a_page, 0, 1 + (r >> 24) % 4096 },
				   { &a_page, 100, 900 } };
	struct sock_msg m = { .flags = MSG_NOSIGNAL };
	struct uio u;

	m.flags |= r & 1 ? MSG_DONTWAIT : 0;
	if ((r >> 1) % 4 == 0) {
		ignore(s->ops->send_pages(s, v, 1 + (r >> 12 & 1), &m));
		return;
	}
	m.flags |= (r >> 3) % 16 == 0 ? MSG_OOB : 0;
	uio_init_kernel(&u, data, r >> 20 & 3 ? 1 + (r >> 24) % 100 : 5000);
	ignore(s->ops->send(s, &u, &m));
}

static void
recv_some(struct socket *s, uint64_t r)
{
	char data[6000];
	struct sock_msg m = { 0 };
	struct uio u;

	uio_init_kernel(&u, data, 1 + (r >> 24) % sizeof(data));
	m.flags |= r & 1 ? MSG_DONTWAIT : 0;
	m.flags |= (r >> 1) % 8 == 0 ? MSG_PEEK : 0;
	m.flags |= (r >> 4) % 16 == 0 ? MSG_OOB : 0;
	m.flags |= (r >> 9) % 16 == 0 ? MSG_WAITALL : 0;
	ignore(s->ops->recv(s, &u, &m));
}

static void
ask(struct socket *s, uint64_t r)
{
	static const unsigned asked[] = { SIOCINQ, SIOCOUTQ, SIOCATMARK };
	char val[64];
	uint32_t len = sizeof(val);

	if (r & 1)
		ignore(s->ops->name(s, r >> 8 & 1, val, &len));
	else
		ignore(s->ops->ioctl(s, asked[(r >> 9) % 3],
				     (uint64_t)(uintptr_t)val));
}

static void
use(struct socket *s, uint64_t r)
{
	uint64_t q = r >> 8;

	switch (r % 16) {
	case 0:
		ignore(s->ops->shutdown(s, (int)(q % 3)));
		break;
	case 1:
		ignore(s->ops->poll(s, NULL));
		break;
	case 2:
	case 3:
		accept_one(s, q);
		break;
	case 4:
		ask(s, q);
		break;
	case 5:
		connect_again(s, q);
		break;
	default:
		if (r & 1)
			send_some(s, q);
		else
			recv_some(s, q);
	}
}

static void
play(unsigned self, void *arg)
{
	uint64_t seed = *(uint64_t *)arg + self, r;

	for (unsigned i = 0; i < STEPS; i++) {
		struct file *f;

		r = unit_random(&seed);
		switch (r % 64) {
		case 0:
		case 1:
			new_listener(r >> 8);
			break;
		case 2:
		case 3:
		case 4:
			new_client(r >> 8);
			break;
		case 5:
			slot_put(r >> 8, NULL);
			break;
		default:
			f = slot_get(r >> 8);
			if (!f)
				break;
			use(socket_of(f), r >> 16);
			file_put(f);
		}
	}
}

static void
test_races(void)
{
	refcount_set(&a_page.refs, 1);
	net_settings.somaxconn = 4;
	net_settings.ports[0] = 40000;
	net_settings.ports[1] = 60000;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		uint64_t s = seed << 32;

		host_threads_run(THREADS, play, &s);
		slots_clear();
		CHECK_EQ(inet_count(INET_TCP), 0);
		CHECK_EQ(socket_count(), 0);
		CHECK_EQ(refcount_read(&a_page.refs), 1);
	}
}

static const struct unit_test tests[] = {
	{ "races", test_races },
	{ NULL, NULL },
};

UNIT_MAIN(tests)
