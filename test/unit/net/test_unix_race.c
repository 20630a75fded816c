/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no two threads meet in AF_UNIX without a lock between them.  Method:
 * ThreadSanitizer; threads that do at random to a few sockets what programs
 * do: pairs, names, connections, data, descriptors in messages, peeks, urgent
 * bytes, polls, ends; files are closed while others are in calls on them.
 * SANITIZE: thread
 * SOURCES: src/net/unix.c src/net/unix_conn.c src/net/unix_msg.c
 * SOURCES: src/net/unix_oob.c src/net/unix_gc.c src/net/unix_log.c
 * SOURCES: src/net/socket.c
 * SOURCES: src/vm/uio.c src/sched/wait.c src/sched/mutex.c
 * SOURCES: src/core/spinlock.c src/base/fmt.c
 * SOURCES: test/unit/host_threads/threads.c test/unit/net/sock_stubs.c
 * SOURCES: test/unit/host/panic.c
 * INCLUDE: test/unit/host_smp
 */
#include "../host_threads/threads.h"
#include "../unit.h"
#include "sock_stubs.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <file/file.h>
#include <mem/heap.h>
#include <net/socket.h>
#include <vm/uio.h>

#define THREADS 4
#define SLOTS	8
#define NAMES	3
#define STEPS	6000

static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

struct un_name {
	struct sockaddr_un a;
	uint32_t len;
};

static struct un_name
name(uint64_t r)
{
	struct un_name n = { .a = { .family = AF_UNIX } };

	n.a.path[1] = (char)('a' + r % NAMES);
	n.len = sizeof(n.a.family) + 2;
	return n;
}

static void
new_pair(uint64_t r)
{
	struct socket *s[2];

	if (unix_family.pair(types[r % 3], 0, s))
		return;
	slot_put(r >> 8, sock_new_file(s[0], r >> 32));
	slot_put(r >> 16, sock_new_file(s[1], r >> 40));
}

static void
new_named(uint64_t r)
{
	struct un_name n = name(r >> 8);
	struct socket *s;
	struct file *f;

	if (unix_family.create(types[r % 3], 0, &s))
		return;
	f = sock_new_file(s, r >> 32);
	if (!s->ops->bind(s, &n.a, n.len) && r % 3 != 1)
		ignore(s->ops->listen(s, (int)(r >> 20) % 3));
	slot_put(r >> 16, f);
}

static void
new_client(uint64_t r)
{
	struct un_name n = name(r >> 8);
	struct socket *s;
	struct file *f;

	if (unix_family.create(types[r % 3], 0, &s))
		return;
	f = sock_new_file(s, r >> 32);
	ignore(s->ops->connect(s, &n.a, n.len, r >> 40 & 1));
	slot_put(r >> 16, f);
}

static void
accept_one(struct socket *s, uint64_t r)
{
	struct socket *c;

	if (!s->ops->accept(s, r & 1, &c))
		slot_put(r >> 16, sock_new_file(c, r >> 32));
}

static struct sock_files *
some_files(uint64_t r)
{
	struct sock_files *f = kzalloc(sizeof(*f), ALLOC_KERNEL);

	f->f[0] = slot_get(r);
	f->n = f->f[0] != NULL;
	if (f->n)
		return f;
	kfree(f);
	return NULL;
}

static void
send_some(struct socket *s, uint64_t r)
{
	static char data[5000];
	struct sock_msg m = { .flags = MSG_NOSIGNAL };
	struct un_name n = name(r >> 8);
	struct uio u;

	uio_init_kernel(&u, data, r >> 20 & 3 ? 1 + (r >> 24) % 100 : 5000);
	m.flags |= r & 1 ? MSG_DONTWAIT : 0;
	m.flags |= (r >> 1) % 16 == 0 ? MSG_OOB : 0;
	if (s->type == SOCK_DGRAM && r >> 40 & 1) {
		m.addr = &n.a;
		m.addrlen = n.len;
	}
	if (r >> 41 & 1)
		m.files = some_files(r >> 44);
	ignore(s->ops->send(s, &u, &m));
	sock_files_free(m.files);
}

static void
recv_some(struct socket *s, uint64_t r)
{
	char data[6000], from[SOCKADDR_MAX];
	struct sock_msg m = { .addr = r >> 8 & 1 ? from : NULL };
	struct uio u;

	uio_init_kernel(&u, data, 1 + (r >> 24) % sizeof(data));
	m.flags |= r & 1 ? MSG_DONTWAIT : 0;
	m.flags |= (r >> 1) % 8 == 0 ? MSG_PEEK : 0;
	m.flags |= (r >> 4) % 16 == 0 ? MSG_OOB : 0;
	m.flags |= (r >> 9) % 16 == 0 ? MSG_WAITALL : 0;
	ignore(s->ops->recv(s, &u, &m));
	sock_files_free(m.files);
}

static void
ask(struct socket *s, uint64_t r)
{
	char val[64];
	uint32_t len = sizeof(val);
	int on = (int)(r >> 8 & 1);

	switch (r % 5) {
	case 0:
		ignore(s->ops->name(s, r >> 8 & 1, val, &len));
		break;
	case 1:
		ignore(s->ops->getopt(s, SOL_SOCKET, SO_PEERCRED, val, &len));
		break;
	case 2:
		on = on ? -1 : (int)(r >> 9) % 8;
		ignore(s->ops->setopt(s, SOL_SOCKET, SO_PEEK_OFF, &on,
				      sizeof(on)));
		break;
	case 3:
		if (on)
			atomic_or(&s->opts, SOCKOPT_PASSCRED);
		else
			atomic_and(&s->opts, ~SOCKOPT_PASSCRED);
		break;
	default:
		ignore(s->ops->ioctl(s, r >> 9 & 1 ? SIOCINQ : SIOCOUTQ,
				     (uint64_t)(uintptr_t)val));
	}
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
	case 5: {
		struct un_name n = name(q >> 8);

		ignore(s->ops->connect(s, &n.a, n.len, true));
		break;
	}
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
			new_pair(r >> 8);
			break;
		case 2:
			new_named(r >> 8);
			break;
		case 3:
			new_client(r >> 8);
			break;
		case 4:
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
empty(unsigned self, void *arg)
{
	(void)self, (void)arg;
	slots_clear();
	/* What lies in queues of each other goes with the next closes. */
	for (unsigned i = 0; i < 64; i++) {
		struct socket *s[2];

		CHECK(!unix_family.pair(SOCK_STREAM, 0, s));
		s[0]->ops->release(s[0]);
		s[1]->ops->release(s[1]);
	}
}

static void
test_races(void)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		uint64_t s = seed << 32;

		host_threads_run(THREADS, play, &s);
		host_threads_run(1, empty, NULL);
		CHECK_EQ(socket_count(), 0);
	}
}

static const struct unit_test tests[] = {
	{ "races", test_races },
	{ NULL, NULL },
};

UNIT_MAIN(tests)
