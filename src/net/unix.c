/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX sockets: streams, datagrams, sequenced packets; pairs, names in
 * the abstract space and in the file system; passing of files and
 * credentials.
 *
 * A socket holds a queue of messages that were sent to it.  Data is copied
 * from the program into a message before any lock is taken, and out of the
 * head message while the socket's mutex (readers') is held with faults off.
 *
 * Locks: unix_lock (spin) guards peer pointers, states, names and backlogs of
 * all sockets: they change rarely.  Each socket's queue has its own spin lock.
 * A connected socket holds a reference to its peer.  Files in messages that
 * nobody can receive any more (a socket passed to itself) stay until the end
 * of the machine: docs/limits.md.
 */
#include <abi/errno.h>
#include <abi/fs.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <abi/stat.h>
#include <abi/fcntl.h>
#include <base/math.h>
#include <base/string.h>
#include <file/cred.h>
#include <file/file.h>
#include <file/poll.h>
#include <fs/namei.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <net/socket.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define QUEUE_BYTES   212992u
#define MESSAGE_BYTES 32768u /* a stream's piece */
#define DGRAM_MAX     131072u
#define BACKLOG_MAX   4096

enum unix_state { UNIX_OPEN, UNIX_LISTEN, UNIX_CONNECTED, UNIX_CLOSED };

struct message {
	struct list link;
	uint32_t len, off;
	struct file **files;
	unsigned nfiles;
	struct ucred cred;
	struct unix_sock *from; /* referenced; datagrams: for the address */
	uint8_t data[];
};

struct unix_sock {
	struct socket sock;	/* first */
	struct refcount refs;
	struct spinlock lock;	/* RANK_EVENT: queue */
	struct list queue;	/* [lock] messages */
	uint32_t queued;	/* [lock, a read] bytes */
	struct mutex reader;	/* RANK_SOCKET: one receiver at a time */
	struct waitq wq;	/* readers, writers, accepters, poll */
	enum unix_state state;	/* [unix_lock] */
	struct unix_sock *peer; /* [unix_lock] referenced */
	bool shut_read, shut_write, peer_gone; /* [unix_lock, a read] */
	struct ucred cred, peer_cred;
	struct sockaddr_un addr; /* [unix_lock] */
	uint32_t addrlen;	/* 0: unnamed */
	struct inode *inode;	/* bound to a path */
	struct list names;	/* [unix_lock] in the table of bound ones */
	struct list backlog;	/* [unix_lock] connected, not yet accepted */
	struct list backlog_link;
	int backlog_left;
};

static struct spinlock unix_lock = SPINLOCK_INIT(RANK_DEVICE);
static struct list bound = LIST_INIT(bound); /* [unix_lock] */
static const struct socket_ops unix_ops;

static struct unix_sock *
unix_of(struct socket *s)
{
	return container_of(s, struct unix_sock, sock);
}

static bool
is_stream(const struct unix_sock *u)
{
	return u->sock.type == SOCK_STREAM;
}

static void
message_free(struct message *m);

static void
unix_put(struct unix_sock *u)
{
	struct message *m, *n;

	if (!refcount_put(&u->refs))
		return;
	list_for_each_entry_safe(m, n, &u->queue, link)
		message_free(m);
	if (u->inode)
		inode_put(u->inode);
	socket_fini(&u->sock);
	kfree(u);
}

static void
message_free(struct message *m)
{
	for (unsigned i = 0; i < m->nfiles; i++)
		file_put(m->files[i]);
	kfree(m->files);
	if (m->from)
		unix_put(m->from);
	kfree(m);
}

static void
my_cred(struct ucred *c)
{
	const struct thread *t = thread_current();

	c->pid = t->tgid;
	c->uid = t->cred ? t->cred->euid : 0;
	c->gid = t->cred ? t->cred->egid : 0;
}

static struct unix_sock *
unix_new(int type)
{
	struct unix_sock *u = kzalloc(sizeof(*u), ALLOC_KERNEL);

	if (!u)
		return NULL;
	socket_init(&u->sock, &unix_ops, AF_UNIX, type, 0);
	refcount_set(&u->refs, 1);
	spin_init(&u->lock, RANK_EVENT);
	list_init(&u->queue);
	list_init(&u->names);
	list_init(&u->backlog);
	list_init(&u->backlog_link);
	mutex_init(&u->reader, RANK_SOCKET);
	waitq_init(&u->wq);
	my_cred(&u->cred);
	return u;
}

static int
unix_create(int type, int protocol, struct socket **out)
{
	struct unix_sock *u;

	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == SOCK_RAW)
		type = SOCK_DGRAM; /* as Linux */
	if (type != SOCK_STREAM && type != SOCK_DGRAM &&
	    type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = unix_new(type);
	if (!u)
		return -ENOMEM;
	*out = &u->sock;
	return 0;
}

/* unix_lock is held, or nobody else knows them. */
static void
join(struct unix_sock *a, struct unix_sock *b)
{
	refcount_get(&a->refs);
	refcount_get(&b->refs);
	a->peer = b;
	b->peer = a;
	a->peer_cred = b->cred;
	b->peer_cred = a->cred;
	a->state = b->state = UNIX_CONNECTED;
}

static int
unix_pair(int type, int protocol, struct socket *out[2])
{
	int err = unix_create(type, protocol, &out[0]);

	if (err)
		return err;
	err = unix_create(type, protocol, &out[1]);
	if (err) {
		unix_put(unix_of(out[0]));
		return err;
	}
	join(unix_of(out[0]), unix_of(out[1]));
	return 0;
}

/* ---- names ---- */

static int
check_addr(const void *addr, uint32_t len, const struct sockaddr_un **out)
{
	const struct sockaddr_un *sa = addr;

	if (len < sizeof(sa->family) || len > sizeof(*sa))
		return -EINVAL;
	if (sa->family != AF_UNIX)
		return -EINVAL;
	*out = sa;
	return 0;
}

static bool
abstract(const struct sockaddr_un *sa, uint32_t len)
{
	return len > sizeof(sa->family) && !sa->path[0];
}

/* A path is NUL-terminated or fills the field. */
static void
path_of(const struct sockaddr_un *sa, uint32_t len, char *buf)
{
	size_t n = strnlen(sa->path, len - sizeof(sa->family));

	memcpy(buf, sa->path, n);
	buf[n] = 0;
}

/* Who is bound to this name; with a reference. */
static int
find_bound(const struct sockaddr_un *sa, uint32_t len, struct unix_sock **out)
{
	char path[UNIX_PATH_MAX + 1];
	struct dentry *d = NULL;
	struct unix_sock *u;
	irqflags_t f;
	int err = -ECONNREFUSED;

	if (!abstract(sa, len)) {
		path_of(sa, len, path);
		err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &d);
		if (err)
			return err;
		err = inode_permission(d->inode, 2);
		if (err)
			goto out;
		err = -ECONNREFUSED;
	}
	f = spin_lock_irq(&unix_lock);
	list_for_each_entry(u, &bound, names) {
		bool same = d ? u->inode == d->inode :
			    !u->inode && u->addrlen == len &&
			    !memcmp(&u->addr, sa, len);

		if (same) {
			refcount_get(&u->refs);
			*out = u;
			err = 0;
			break;
		}
	}
	spin_unlock_irq(&unix_lock, f);
out:
	if (d)
		dentry_put(d);
	return err;
}

static int
bind_path(struct unix_sock *u, const struct sockaddr_un *sa, uint32_t len)
{
	char path[UNIX_PATH_MAX + 1];
	struct dentry *d;
	int err;

	path_of(sa, len, path);
	err = path_mknod(AT_FDCWD, path, S_IFSOCK | 0777, 0);
	if (err)
		return err == -EEXIST ? -EADDRINUSE : err;
	err = path_lookup(AT_FDCWD, path, 0, &d);
	if (err)
		return err;
	inode_get(d->inode);
	u->inode = d->inode;
	dentry_put(d);
	return 0;
}

static int
unix_bind(struct socket *s, const void *addr, uint32_t len)
{
	struct unix_sock *u = unix_of(s), *other;
	struct sockaddr_un autobind = { .family = AF_UNIX };
	const struct sockaddr_un *sa;
	irqflags_t f;
	int err = check_addr(addr, len, &sa);

	if (err)
		return err;
	if (u->addrlen)
		return -EINVAL;
	if (len == sizeof(sa->family)) {
		/* A name of the kernel's choice: five hex digits. */
		uint64_t n = u->sock.ino & 0xfffff;

		for (unsigned i = 0; i < 5; i++)
			autobind.path[1 + i] =
			    "0123456789abcdef"[n >> (16 - 4 * i) & 15];
		sa = &autobind;
		len = sizeof(sa->family) + 6;
	}
	if (abstract(sa, len)) {
		if (!find_bound(sa, len, &other)) {
			unix_put(other);
			return -EADDRINUSE;
		}
	} else {
		err = bind_path(u, sa, len);
		if (err)
			return err;
	}
	f = spin_lock_irq(&unix_lock);
	memcpy(&u->addr, sa, len);
	u->addrlen = len;
	list_add_tail(&bound, &u->names);
	spin_unlock_irq(&unix_lock, f);
	return 0;
}

static int
unix_name(struct socket *s, bool peer, void *addr, uint32_t *len)
{
	struct unix_sock *u = unix_of(s);
	irqflags_t f = spin_lock_irq(&unix_lock);
	struct unix_sock *of = peer ? u->peer : u;
	int err = of ? 0 : -ENOTCONN;

	if (of && of->addrlen) {
		memcpy(addr, &of->addr, of->addrlen);
		*len = of->addrlen;
	} else if (of) {
		uint16_t family = AF_UNIX;

		memcpy(addr, &family, sizeof(family));
		*len = sizeof(family);
	}
	spin_unlock_irq(&unix_lock, f);
	return err;
}

/* ---- connecting ---- */

static int
unix_listen(struct socket *s, int backlog)
{
	struct unix_sock *u = unix_of(s);
	irqflags_t f;
	int err = 0;

	if (u->sock.type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (!u->addrlen)
		return -EINVAL;
	f = spin_lock_irq(&unix_lock);
	if (u->state != UNIX_OPEN && u->state != UNIX_LISTEN)
		err = -EINVAL;
	else {
		u->state = UNIX_LISTEN;
		u->sock.listening = true;
		u->backlog_left = backlog < 0 || backlog > BACKLOG_MAX ?
				  BACKLOG_MAX : backlog + 1;
		my_cred(&u->cred);
	}
	spin_unlock_irq(&unix_lock, f);
	return err;
}

/* One try: 0, -EAGAIN (backlog full), or why not. */
static int
try_connect(struct unix_sock *u, struct unix_sock *l, struct unix_sock *end)
{
	irqflags_t f = spin_lock_irq(&unix_lock);
	int err = 0;

	if (l->state != UNIX_LISTEN)
		err = -ECONNREFUSED;
	else if (u->state != UNIX_OPEN)
		err = u->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	else if (l->backlog_left <= 0)
		err = -EAGAIN;
	if (!err) {
		join(u, end);
		u->peer_cred = l->cred;
		end->addr = l->addr;
		end->addrlen = l->addrlen;
		l->backlog_left--;
		list_add_tail(&l->backlog, &end->backlog_link);
	}
	spin_unlock_irq(&unix_lock, f);
	return err;
}

static int
connect_stream(struct unix_sock *u, struct unix_sock *l, bool nonblock)
{
	struct unix_sock *end = unix_new(u->sock.type);
	struct wait_entry e;
	int err, woken = 0;

	if (!end)
		return -ENOMEM;
	socket_inherit(&end->sock, &l->sock);
	wait_start(&l->wq, &e, true);
	for (;;) {
		err = try_connect(u, l, end);
		if (err != -EAGAIN || nonblock)
			break;
		woken = wait_sleep(&e, TIME_NEVER);
		if (woken) {
			err = -ERESTARTSYS;
			break;
		}
	}
	wait_end(&l->wq, &e);
	if (err)
		unix_put(end);
	else
		wait_wake_all(&l->wq, POLLIN | POLLRDNORM);
	return err;
}

static int
connect_dgram(struct unix_sock *u, struct unix_sock *to)
{
	struct unix_sock *old;
	irqflags_t f = spin_lock_irq(&unix_lock);

	old = u->peer;
	u->peer = to;
	refcount_get(&to->refs);
	u->state = UNIX_CONNECTED;
	spin_unlock_irq(&unix_lock, f);
	if (old)
		unix_put(old);
	return 0;
}

static int
unix_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock)
{
	struct unix_sock *u = unix_of(s), *to;
	const struct sockaddr_un *sa;
	int err = check_addr(addr, len, &sa);

	if (err)
		return err;
	if (len == sizeof(sa->family))
		return -EINVAL;
	err = find_bound(sa, len, &to);
	if (err)
		return err;
	if (to->sock.type != u->sock.type)
		err = -EPROTOTYPE;
	else if (u->sock.type == SOCK_DGRAM)
		err = connect_dgram(u, to);
	else
		err = connect_stream(u, to, nonblock);
	unix_put(to);
	return err;
}

static struct unix_sock *
take_backlog(struct unix_sock *l)
{
	irqflags_t f = spin_lock_irq(&unix_lock);
	struct unix_sock *end = NULL;

	if (!list_empty(&l->backlog)) {
		end = list_first_entry(&l->backlog, struct unix_sock,
				       backlog_link);
		list_del(&end->backlog_link);
		l->backlog_left++;
	}
	spin_unlock_irq(&unix_lock, f);
	return end;
}

static int
unix_accept(struct socket *s, bool nonblock, struct socket **out)
{
	struct unix_sock *l = unix_of(s), *end;
	struct wait_entry e;
	int err = 0;

	if (l->state != UNIX_LISTEN)
		return -EINVAL;
	end = take_backlog(l);
	if (!end && nonblock)
		return -EAGAIN;
	if (!end) {
		wait_start_exclusive(&l->wq, &e, true);
		while (!(end = take_backlog(l)) && !err)
			err = l->shut_read ? -EINVAL :
			      wait_sleep(&e, TIME_NEVER);
		wait_end(&l->wq, &e);
		if (!end)
			return err == -EINVAL ? err : -ERESTARTSYS;
	}
	wait_wake_all(&l->wq, POLLOUT);
	*out = &end->sock;
	return 0;
}

/* ---- data ---- */

/* The peer, referenced; -ENOTCONN, -EPIPE. */
static int
peer_get(struct unix_sock *u, struct unix_sock **out)
{
	irqflags_t f = spin_lock_irq(&unix_lock);
	int err = 0;

	if (u->shut_write)
		err = -EPIPE;
	else if (!u->peer)
		err = u->sock.type == SOCK_DGRAM ? -ENOTCONN :
		      u->peer_gone ? -EPIPE : -ENOTCONN;
	else if (u->peer->state == UNIX_CLOSED)
		err = u->sock.type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
	else if (u->peer->shut_read)
		err = -EPIPE;
	else {
		*out = u->peer;
		refcount_get(&u->peer->refs);
	}
	spin_unlock_irq(&unix_lock, f);
	return err;
}

static bool
has_room(const struct unix_sock *to)
{
	return READ_ONCE(to->queued) < QUEUE_BYTES ||
	       to->state == UNIX_CLOSED || to->shut_read;
}

static int
wait_room(struct unix_sock *to)
{
	struct wait_entry e;
	int err = 0;

	wait_start(&to->wq, &e, true);
	while (!has_room(to) && !err)
		err = wait_sleep(&e, TIME_NEVER);
	wait_end(&to->wq, &e);
	return err ? -ERESTARTSYS : 0;
}

static int
attach_files(struct message *m, struct sock_msg *sm)
{
	if (!sm->files)
		return 0;
	m->files = kmemdup(sm->files->f, sm->files->n * sizeof(*m->files),
			   ALLOC_KERNEL);
	if (!m->files)
		return -ENOMEM;
	m->nfiles = sm->files->n;
	sm->files->n = 0; /* the references are the message's now */
	return 0;
}

static ssize_t
send_one(struct unix_sock *u, struct unix_sock *to, struct uio *uio,
	 uint32_t len, struct sock_msg *sm)
{
	struct message *m = kmalloc(sizeof(*m) + len, ALLOC_KERNEL);
	irqflags_t f;
	ssize_t n = 0;

	if (!m)
		return -ENOMEM;
	memset(m, 0, sizeof(*m));
	if (len) {
		n = uio_read(uio, m->data, len);
		if (n < 0)
			goto fail;
		if ((uint32_t)n < len && !is_stream(u)) {
			n = -EFAULT;
			goto fail;
		}
	}
	m->len = (uint32_t)n;
	if (sm->has_cred)
		m->cred = sm->cred;
	else
		my_cred(&m->cred);
	if (attach_files(m, sm)) {
		n = -ENOMEM;
		goto fail;
	}
	if (!is_stream(u)) {
		refcount_get(&u->refs);
		m->from = u;
	}
	f = spin_lock_irq(&to->lock);
	list_add_tail(&to->queue, &m->link);
	to->queued += m->len + (is_stream(u) ? 0 : 256);
	spin_unlock_irq(&to->lock, f);
	if (waitq_active(&to->wq))
		wait_wake_all(&to->wq, POLLIN | POLLRDNORM);
	return n;

fail:
	message_free(m);
	return n;
}

static ssize_t
unix_send(struct socket *s, struct uio *uio, struct sock_msg *sm)
{
	struct unix_sock *u = unix_of(s), *to;
	ssize_t done = 0, n;
	bool nonblock = sm->flags & MSG_DONTWAIT;

	if (sm->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (sm->addrlen && u->sock.type == SOCK_DGRAM) {
		const struct sockaddr_un *sa;

		n = check_addr(sm->addr, sm->addrlen, &sa);
		if (n || sm->addrlen == sizeof(sa->family))
			return n ? n : -EINVAL;
		n = find_bound(sa, sm->addrlen, &to);
		if (!n && to->sock.type != u->sock.type) {
			unix_put(to);
			n = -EPROTOTYPE;
		}
	} else if (sm->addrlen && is_stream(u)) {
		return u->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	} else {
		n = peer_get(u, &to);
	}
	if (n)
		return n;
	if (!is_stream(u) && uio->resid > DGRAM_MAX) {
		unix_put(to);
		return -EMSGSIZE;
	}
	do {
		uint32_t len = (uint32_t)min_u64(
		    uio->resid, is_stream(u) ? MESSAGE_BYTES : DGRAM_MAX);

		if (is_stream(u) && !uio->resid && !sm->files)
			break;
		if (!has_room(to)) {
			n = nonblock ? -EAGAIN : wait_room(to);
			if (n)
				break;
			continue;
		}
		if (to->state == UNIX_CLOSED || to->shut_read) {
			n = is_stream(u) ? -EPIPE : -ECONNREFUSED;
			break;
		}
		n = send_one(u, to, uio, len, sm);
		if (n < 0)
			break;
		done += n;
		if (!is_stream(u))
			break;
	} while (uio->resid);
	unix_put(to);
	return done ? done : n < 0 ? n : done;
}

static struct message *
head_of(struct unix_sock *u)
{
	irqflags_t f = spin_lock_irq(&u->lock);
	struct message *m = NULL;

	if (!list_empty(&u->queue))
		m = list_first_entry(&u->queue, struct message, link);
	spin_unlock_irq(&u->lock, f);
	return m;
}

static void
dequeue(struct unix_sock *u, struct message *m, uint32_t bytes, bool whole)
{
	irqflags_t f = spin_lock_irq(&u->lock);
	bool was_full = u->queued >= QUEUE_BYTES;

	u->queued -= bytes;
	if (whole) {
		list_del(&m->link);
		if (!is_stream(u))
			u->queued -= 256;
	}
	spin_unlock_irq(&u->lock, f);
	if (was_full && u->queued < QUEUE_BYTES) {
		struct unix_sock *p;

		wait_wake_all(&u->wq, POLLOUT | POLLWRNORM);
		/* Who polls for room waits on its own queue. */
		f = spin_lock_irq(&unix_lock);
		p = u->peer;
		if (p)
			refcount_get(&p->refs);
		spin_unlock_irq(&unix_lock, f);
		if (p) {
			wait_wake_all(&p->wq, POLLOUT | POLLWRNORM);
			unix_put(p);
		}
	}
}

/* No more will come? */
static bool
at_end(struct unix_sock *u)
{
	return u->shut_read || u->peer_gone ||
	       (u->peer && u->sock.type != SOCK_DGRAM &&
		READ_ONCE(u->peer->shut_write));
}

static int
wait_data(struct unix_sock *u)
{
	struct wait_entry e;
	int err = 0;

	wait_start_exclusive(&u->wq, &e, true);
	while (list_empty(&u->queue) && !at_end(u) && !err)
		err = wait_sleep(&e, TIME_NEVER);
	wait_end(&u->wq, &e);
	return err ? -ERESTARTSYS : 0;
}

/* What goes beside the data of the message from which data was taken. */
static void
take_extras(struct unix_sock *u, struct message *m, struct sock_msg *sm,
	    bool peek)
{
	if (sock_opt(&u->sock, SOCKOPT_PASSCRED))
		sock_cmsg_put(sm, SOL_SOCKET, SCM_CREDENTIALS, &m->cred,
			      sizeof(m->cred));
	if (m->nfiles && !sm->files)
		sm->files = kmalloc(sizeof(*sm->files), ALLOC_KERNEL);
	if (m->nfiles && sm->files) {
		memcpy(sm->files->f, m->files, m->nfiles * sizeof(*m->files));
		sm->files->n = m->nfiles;
		if (peek)
			for (unsigned i = 0; i < m->nfiles; i++)
				file_get(m->files[i]);
		else
			m->nfiles = 0;
	}
	if (m->from && m->from->addrlen && sm->addr) {
		memcpy(sm->addr, &m->from->addr, m->from->addrlen);
		sm->addrlen = m->from->addrlen;
	}
}

/* From the head message; the reader mutex is held.  Bytes, -EFAULT. */
static ssize_t
recv_one(struct unix_sock *u, struct message *m, struct uio *uio,
	 struct sock_msg *sm, uint32_t skip)
{
	bool peek = sm->flags & MSG_PEEK;
	uint32_t left = m->len - m->off - skip;
	uint32_t want = (uint32_t)min_u64(left, uio->resid);
	ssize_t n = want ? uio_write(uio, m->data + m->off + skip, want) : 0;

	if (n < 0 || ((uint32_t)n < want && !is_stream(u)))
		return -EFAULT;
	take_extras(u, m, sm, peek);
	if (!is_stream(u) && want < left)
		sm->out_flags |= MSG_TRUNC;
	if (peek)
		return !is_stream(u) && sm->flags & MSG_TRUNC ? left : n;
	if (!is_stream(u)) {
		ssize_t r = sm->flags & MSG_TRUNC ? left : n;

		dequeue(u, m, m->len, true);
		message_free(m);
		return r;
	}
	m->off += (uint32_t)n;
	dequeue(u, m, (uint32_t)n, m->off == m->len);
	if (m->off == m->len)
		message_free(m);
	return n;
}

static ssize_t
recv_stream(struct unix_sock *u, struct uio *uio, struct sock_msg *sm,
	    bool *again)
{
	ssize_t done = 0;
	struct message *m;

	*again = false;
	while (uio->resid && (m = head_of(u))) {
		bool files = m->nfiles > 0;
		ssize_t n;

		/* Files mark a border: they come with their own bytes. */
		if (done && files)
			break;
		n = recv_one(u, m, uio, sm, 0);
		if (n < 0)
			return done ? done : n;
		done += n;
		if (files || (sm->flags & MSG_PEEK))
			return done;
	}
	*again = !done && uio->resid;
	return done;
}

static ssize_t
unix_recv(struct socket *s, struct uio *uio, struct sock_msg *sm)
{
	struct unix_sock *u = unix_of(s);
	bool all = sm->flags & MSG_WAITALL && is_stream(u);
	bool nonblock = sm->flags & MSG_DONTWAIT;
	ssize_t done = 0, n;

	if (sm->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (u->sock.type != SOCK_DGRAM && u->state != UNIX_CONNECTED)
		return u->peer_gone ? 0 : -ENOTCONN;
	if (is_stream(u) && !uio->resid)
		return 0;
	for (;;) {
		bool again = false;

		/* Faults are served while it is held: it ranks outside. */
		mutex_lock(&u->reader);
		if (is_stream(u)) {
			n = recv_stream(u, uio, sm, &again);
		} else {
			struct message *m = head_of(u);

			again = !m;
			n = m ? recv_one(u, m, uio, sm, 0) : 0;
		}
		mutex_unlock(&u->reader);
		if (n < 0)
			return done ? done : n;
		done += n;
		if (!again && (!all || !uio->resid))
			return done;
		if (list_empty(&u->queue)) {
			if (at_end(u))
				return done;
			if (nonblock)
				return done ? done : -EAGAIN;
			n = wait_data(u);
			if (n)
				return done ? done : n;
		}
	}
}

static int
unix_shutdown(struct socket *s, int how)
{
	struct unix_sock *u = unix_of(s), *p;
	irqflags_t f;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	f = spin_lock_irq(&unix_lock);
	p = u->peer;
	if (!p && u->sock.type != SOCK_DGRAM && u->state != UNIX_LISTEN) {
		spin_unlock_irq(&unix_lock, f);
		return -ENOTCONN;
	}
	if (how != SHUT_WR)
		u->shut_read = true;
	if (how != SHUT_RD)
		u->shut_write = true;
	if (p)
		refcount_get(&p->refs);
	spin_unlock_irq(&unix_lock, f);
	wait_wake_all(&u->wq, POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	if (p) {
		wait_wake_all(&p->wq, POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
		unix_put(p);
	}
	return 0;
}

static uint32_t
unix_poll(struct socket *s, struct poll_table *pt)
{
	struct unix_sock *u = unix_of(s);
	uint32_t ev = 0;
	struct unix_sock *p;
	irqflags_t f;

	poll_wait(pt, &u->wq);
	if (u->state == UNIX_LISTEN)
		return list_empty(&u->backlog) ? 0 : POLLIN | POLLRDNORM;
	if (!list_empty(&u->queue))
		ev |= POLLIN | POLLRDNORM;
	if (at_end(u))
		ev |= POLLIN | POLLRDNORM | POLLRDHUP;
	if ((u->shut_read && u->shut_write) || u->peer_gone ||
	    (u->state == UNIX_OPEN && u->sock.type != SOCK_DGRAM))
		ev |= POLLHUP;
	f = spin_lock_irq(&unix_lock);
	p = u->peer;
	if (p)
		refcount_get(&p->refs);
	spin_unlock_irq(&unix_lock, f);
	if (p) {
		/* Room is made by the peer's reads, which wake this queue. */
		if (has_room(p))
			ev |= POLLOUT | POLLWRNORM;
		unix_put(p);
	} else {
		ev |= POLLOUT | POLLWRNORM;
	}
	return ev;
}

static int
unix_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct unix_sock *u = unix_of(s);

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (name != SO_PEERCRED || u->state != UNIX_CONNECTED)
		return -ENOPROTOOPT;
	if (*len > sizeof(u->peer_cred))
		*len = sizeof(u->peer_cred);
	memcpy(val, &u->peer_cred, *len);
	return 0;
}

static long
unix_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	struct unix_sock *u = unix_of(s);
	int n = 0;
	irqflags_t f;

	if (cmd != FIONREAD)
		return -ENOTTY;
	f = spin_lock_irq(&u->lock);
	if (is_stream(u))
		n = (int)u->queued;
	else if (!list_empty(&u->queue))
		n = (int)list_first_entry(&u->queue, struct message,
					  link)->len;
	spin_unlock_irq(&u->lock, f);
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

static void
unix_release(struct socket *s)
{
	struct unix_sock *u = unix_of(s), *p, *end;
	irqflags_t f = spin_lock_irq(&unix_lock);

	list_del(&u->names);
	p = u->peer;
	u->peer = NULL;
	u->state = UNIX_CLOSED;
	if (p && p->peer == u) {
		/* The other side reads what is queued, then end of file. */
		p->peer = NULL;
		p->peer_gone = u->sock.type != SOCK_DGRAM;
		refcount_put(&u->refs); /* p's; ours is left */
	}
	spin_unlock_irq(&unix_lock, f);
	while ((end = take_backlog(u)) != NULL)
		unix_release(&end->sock);
	if (p) {
		wait_wake_all(&p->wq, POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
		unix_put(p);
	}
	wait_wake_all(&u->wq, POLLIN | POLLOUT | POLLHUP);
	unix_put(u);
}

static const struct socket_ops unix_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.name = unix_name,
	.send = unix_send,
	.recv = unix_recv,
	.shutdown = unix_shutdown,
	.getopt = unix_getopt,
	.poll = unix_poll,
	.ioctl = unix_ioctl,
	.release = unix_release,
};

const struct socket_family unix_family = { AF_UNIX, unix_create, unix_pair };
