/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX sockets: life, names in the abstract space and in the file system,
 * options, readiness.  unix_priv.h has the rules.
 */
#include "unix_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <abi/stat.h>
#include <base/atomic.h>
#include <base/hash.h>
#include <base/math.h>
#include <base/string.h>
#include <dev/random.h>
#include <file/cred.h>
#include <file/fs_context.h>
#include <file/poll.h>
#include <fs/namei.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <net/settings.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define NAME_BUCKETS   256u
#define AUTOBIND_NAMES (1u << 20) /* five hex digits */

struct spinlock unix_lock = SPINLOCK_INIT(RANK_DEVICE);
struct list unix_all = LIST_INIT(unix_all);

static struct hlist_head names[NAME_BUCKETS]; /* [unix_lock] */

/* ---- life ---- */

void
unix_my_cred(struct ucred *c)
{
	const struct thread *t = thread_current();

	c->pid = t->tgid;
	c->uid = t->cred ? t->cred->euid : 0;
	c->gid = t->cred ? t->cred->egid : 0;
}

void
unix_set_groups(struct unix_sock *u, struct cred *c)
{
	if (c)
		cred_get(c);
	if (u->peer_groups)
		cred_put(u->peer_groups);
	u->peer_groups = c;
}

struct unix_sock *
unix_new(int type)
{
	struct unix_sock *u = kzalloc(sizeof(*u), ALLOC_KERNEL);

	if (!u)
		return NULL;
	socket_init(&u->sock,
		    type == SOCK_STREAM ? &unix_stream_ops : &unix_packet_ops,
		    AF_UNIX, type, 0);
	refcount_set(&u->refs, 1);
	u->dgram_qlen = (uint32_t)net_settings.dgram_qlen;
	spin_init(&u->lock, RANK_EVENT);
	list_init(&u->queue);
	list_init(&u->clients);
	list_init(&u->client_link);
	list_init(&u->backlog);
	list_init(&u->backlog_link);
	list_init(&u->inflight_link);
	list_init(&u->gc_link);
	mutex_init(&u->reader, RANK_FILEPOS);
	waitq_init(&u->read_wq);
	waitq_init(&u->write_wq);
	spin_lock(&unix_lock);
	list_add_tail(&unix_all, &u->all);
	spin_unlock(&unix_lock);
	return u;
}

void
unix_put(struct unix_sock *u)
{
	if (!refcount_put(&u->refs))
		return;
	unix_set_groups(u, NULL);
	socket_fini(&u->sock);
	kfree(u);
}

static int
unix_create(int type, int protocol, struct socket **out)
{
	struct unix_sock *u;

	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == SOCK_RAW)
		type = SOCK_DGRAM; /* as Linux */
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = unix_new(type);
	if (!u)
		return -ENOMEM;
	*out = &u->sock;
	return 0;
}

static int
unix_pair(int type, int protocol, struct socket *out[2])
{
	int err = unix_create(type, protocol, &out[0]);

	if (err)
		return err;
	err = unix_create(type, protocol, &out[1]);
	if (err) {
		unix_release(out[0]);
		return err;
	}
	spin_lock(&unix_lock);
	unix_join(unix_of(out[0]), unix_of(out[1]));
	spin_unlock(&unix_lock);
	return 0;
}

void
unix_wake_ends(struct unix_sock *u)
{
	wait_wake_all(&u->read_wq,
		      POLLIN | POLLRDNORM | POLLHUP | POLLRDHUP | POLLERR);
	wait_wake_all(&u->write_wq, POLLOUT | POLLWRNORM | POLLHUP | POLLERR);
}

/* The other end of a connection is told; what we did not read is an error to
 * it, which it must not miss when it sees the end.  What it sends from here on
 * is refused.  unix_lock is held. */
static void
end_connection(struct unix_sock *u, struct unix_sock *p)
{
	bool unread;

	spin_lock(&u->lock);
	u->dead = true;
	unread = u->nqueued;
	spin_unlock(&u->lock);
	if (unread || !READ_ONCE(u->sock.file))
		sock_set_error(&p->sock, ECONNRESET);
	atomic_store_release(&p->shut, UNIX_SHUT_BOTH);
}

/* Datagram sockets that were connected to us have their next send refused;
 * they are told that there is something to learn. */
static void
wake_clients(struct unix_sock *u)
{
	struct unix_sock *c;

	list_for_each_entry(c, &u->clients, client_link)
		wait_wake_all(&c->write_wq, POLLOUT | POLLWRNORM);
}

/* Connections that nobody accepted are reset. */
static void
release_backlog(struct unix_sock *u)
{
	for (;;) {
		struct unix_sock *end = NULL;

		spin_lock(&unix_lock);
		if (!list_empty(&u->backlog)) {
			end = list_first_entry(&u->backlog, struct unix_sock,
					       backlog_link);
			list_del(&end->backlog_link);
			list_init(&end->backlog_link);
			u->nbacklog--;
		}
		spin_unlock(&unix_lock);
		if (!end)
			return;
		unix_release(&end->sock);
	}
}

void
unix_release(struct socket *s)
{
	struct unix_sock *u = unix_of(s), *p = NULL;
	bool connected = unix_connected(u) && !unix_is_dgram(u);

	spin_lock(&unix_lock);
	hlist_del(&u->names);
	list_del(&u->all);
	if (connected) {
		p = u->peer;
		end_connection(u, p);
	} else if (u->peer) {
		p = unix_leave_peer(u);
	}
	__atomic_store_n(&u->state, UNIX_CLOSED, __ATOMIC_RELEASE);
	WRITE_ONCE(u->shut, UNIX_SHUT_BOTH);
	wake_clients(u);
	spin_unlock(&unix_lock);
	unix_purge(u);
	release_backlog(u);
	unix_wake_ends(u);
	if (p) {
		if (connected)
			unix_wake_ends(p);
		unix_put(p);
	}
	if (u->inode)
		inode_put(u->inode);
	u->inode = NULL;
	unix_put(u);
	unix_gc();
}

/* ---- names ---- */

int
unix_check_addr(const void *addr, uint32_t len, const struct sockaddr_un **out)
{
	const struct sockaddr_un *sa = addr;

	if (len <= sizeof(sa->family) || len > sizeof(*sa) ||
	    sa->family != AF_UNIX)
		return -EINVAL;
	*out = sa;
	return 0;
}

static bool
abstract(const struct sockaddr_un *sa)
{
	return !sa->path[0];
}

/* A path is NUL-terminated or fills the field. */
static size_t
path_of(const struct sockaddr_un *sa, uint32_t len, char *buf)
{
	size_t n = strnlen(sa->path, len - sizeof(sa->family));

	memcpy(buf, sa->path, n);
	buf[n] = 0;
	return n;
}

static struct hlist_head *
bucket_of_name(const struct sockaddr_un *sa, uint32_t len, int type)
{
	return &names[hash_bytes((uint64_t)type, sa->path,
				 len - sizeof(sa->family)) %
		      NAME_BUCKETS];
}

static struct hlist_head *
bucket_of_inode(const struct inode *i)
{
	return &names[hash_u64((uint64_t)i >> 4) % NAME_BUCKETS];
}

/* unix_lock is held. */
static struct unix_sock *
find_name(const struct sockaddr_un *sa, uint32_t len, int type)
{
	struct hlist_node *n;

	hlist_for_each(n, bucket_of_name(sa, len, type)) {
		struct unix_sock *u = container_of(n, struct unix_sock, names);

		if (!u->inode && u->sock.type == type && u->addrlen == len &&
		    !memcmp(&u->addr, sa, len))
			return u;
	}
	return NULL;
}

static struct unix_sock *
find_inode(const struct inode *i)
{
	struct hlist_node *n;

	hlist_for_each(n, bucket_of_inode(i)) {
		struct unix_sock *u = container_of(n, struct unix_sock, names);

		if (u->inode == i)
			return u;
	}
	return NULL;
}

static int
find_path(const struct sockaddr_un *sa, uint32_t len, int type,
	  struct unix_sock **out)
{
	char path[UNIX_PATH_MAX + 1];
	struct unix_sock *u;
	struct dentry *d;
	int err;

	path_of(sa, len, path);
	err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &d);
	if (err == -ENOENT)
		return unix_log_find(path, type, out);
	if (err)
		return err;
	err = inode_permission(d->inode, 2);
	if (err)
		goto out;
	spin_lock(&unix_lock);
	u = find_inode(d->inode);
	if (!u)
		err = -ECONNREFUSED;
	else if (u->sock.type != type)
		err = -EPROTOTYPE;
	else
		refcount_get(&u->refs);
	spin_unlock(&unix_lock);
	if (!err)
		*out = u;
out:
	dentry_put(d);
	return err;
}

int
unix_find(const struct sockaddr_un *sa, uint32_t len, int type,
	  struct unix_sock **out)
{
	struct unix_sock *u;

	if (!abstract(sa))
		return find_path(sa, len, type, out);
	spin_lock(&unix_lock);
	u = find_name(sa, len, type);
	if (u)
		refcount_get(&u->refs);
	spin_unlock(&unix_lock);
	*out = u;
	return u ? 0 : -ECONNREFUSED;
}

/* Gives u the name, once.  i is u's from here on, on success. */
static int
set_name(struct unix_sock *u, const struct sockaddr_un *sa, uint32_t len,
	 struct inode *i)
{
	int err = 0;

	spin_lock(&unix_lock);
	if (u->addrlen) {
		err = -EINVAL;
	} else if (!i && find_name(sa, len, u->sock.type)) {
		err = -EADDRINUSE;
	} else {
		memcpy(&u->addr, sa, len);
		u->inode = i;
		__atomic_store_n(&u->addrlen, len, __ATOMIC_RELEASE);
		hlist_add(i ? bucket_of_inode(i) :
			      bucket_of_name(sa, len, u->sock.type),
			  &u->names);
	}
	spin_unlock(&unix_lock);
	return err;
}

static int
bind_path(struct unix_sock *u, const struct sockaddr_un *sa, uint32_t len)
{
	struct sockaddr_un name = { .family = AF_UNIX };
	char path[UNIX_PATH_MAX + 1];
	struct inode *i;
	struct dentry *d;
	int err;

	len = (uint32_t)path_of(sa, len, path);
	memcpy(name.path, path, len);
	/* The umask counts also where the directory has a default ACL. */
	err = path_mknod(AT_FDCWD, path,
			 S_IFSOCK | (0777 & ~thread_current()->fsctx->umask),
			 0);
	if (err)
		return err == -EEXIST ? -EADDRINUSE : err;
	err = path_lookup(AT_FDCWD, path, 0, &d);
	if (err)
		return err;
	i = d->inode;
	inode_get(i);
	dentry_put(d);
	/* The name ends with a NUL that fits, or fills the field. */
	len = (uint32_t)min_u64(sizeof(sa->family) + len + 1, sizeof(name));
	err = set_name(u, &name, len, i);
	if (err)
		inode_put(i);
	return err;
}

int
unix_autobind(struct unix_sock *u)
{
	static const char digits[] = "0123456789abcdef";
	struct sockaddr_un a = { .family = AF_UNIX };
	uint32_t n;

	random_bytes(&n, sizeof(n));
	for (uint32_t i = 0; i < AUTOBIND_NAMES; i++, n++) {
		int err;

		if (READ_ONCE(u->addrlen))
			return 0;
		for (unsigned k = 0; k < 5; k++)
			a.path[1 + k] = digits[n >> (16 - 4 * k) & 15];
		err = set_name(u, &a, sizeof(a.family) + 6, NULL);
		if (err != -EADDRINUSE)
			return err == -EINVAL ? 0 : err; /* another thread */
	}
	return -ENOSPC;
}

static int
unix_bind(struct socket *s, const void *addr, uint32_t len)
{
	struct unix_sock *u = unix_of(s);
	const struct sockaddr_un *sa = addr;
	int err;

	if (len == sizeof(sa->family) && sa->family == AF_UNIX)
		return unix_autobind(u);
	err = unix_check_addr(addr, len, &sa);
	if (err)
		return err;
	if (abstract(sa))
		return set_name(u, sa, len, NULL);
	if (READ_ONCE(u->addrlen))
		return -EINVAL;
	return bind_path(u, sa, len);
}

static int
unix_name(struct socket *s, bool peer, void *addr, uint32_t *len)
{
	static const uint16_t family = AF_UNIX;
	struct unix_sock *u = unix_of(s), *of;
	int err = 0;

	spin_lock(&unix_lock);
	of = peer ? u->peer : u;
	if (!of) {
		err = -ENOTCONN;
	} else if (of->addrlen) {
		memcpy(addr, &of->addr, of->addrlen);
		*len = of->addrlen;
	} else {
		memcpy(addr, &family, sizeof(family));
		*len = sizeof(family);
	}
	spin_unlock(&unix_lock);
	return err;
}

/* ---- readiness ---- */

bool
unix_dgram_full(const struct unix_sock *u, const struct unix_sock *to)
{
	return u != to && READ_ONCE(to->peer) != u &&
	       READ_ONCE(to->nqueued) > to->dgram_qlen;
}

/* Linux calls a socket writable while three quarters of its buffer are
 * free. */
bool
unix_writable(const struct unix_sock *u)
{
	const struct unix_sock *p;
	uint32_t used;

	if (unix_is_dgram(u)) {
		used = atomic_load_relaxed(&u->wmem);
	} else {
		p = unix_connected(u);
		used = p ? READ_ONCE(p->queued) : 0;
	}
	return (uint64_t)used * 4 <= u->sock.sndbuf;
}

static uint32_t
poll_write(struct unix_sock *u)
{
	bool ok = READ_ONCE(u->state) != UNIX_LISTEN && unix_writable(u);

	if (ok && unix_is_dgram(u)) {
		spin_lock(&unix_lock);
		ok = !u->peer || !unix_dgram_full(u, u->peer);
		spin_unlock(&unix_lock);
	}
	return ok ? POLLOUT | POLLWRNORM | POLLWRBAND : 0;
}

static uint32_t
unix_poll(struct socket *s, struct poll_table *pt)
{
	struct unix_sock *u = unix_of(s);
	uint32_t ev = 0, shut;

	poll_wait(pt, &u->read_wq);
	poll_wait(pt, &u->write_wq);
	shut = READ_ONCE(u->shut);
	if (READ_ONCE(s->error))
		ev |= POLLERR;
	if (shut == UNIX_SHUT_BOTH)
		ev |= POLLHUP;
	if (shut & UNIX_SHUT_READ)
		ev |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (!list_empty(&u->queue) || !list_empty(&u->backlog))
		ev |= POLLIN | POLLRDNORM;
	if (unlikely(READ_ONCE(u->oob) != NULL))
		ev |= unix_oob_poll(u);
	if (!unix_is_dgram(u) && READ_ONCE(u->state) == UNIX_OPEN)
		ev |= POLLHUP;
	return ev | poll_write(u);
}

/* ---- options and ioctls ---- */

/* Where there is no room for all, how many bytes they are. */
static int
get_groups(struct unix_sock *u, void *val, uint32_t *len)
{
	const struct cred *c = NULL;
	uint32_t room = *len;
	int err = 0;

	spin_lock(&unix_lock);
	c = u->peer_groups;
	*len = c ? c->ngroups * (uint32_t)sizeof(c->groups[0]) : 0;
	if (!u->has_peer_cred)
		err = -ENODATA;
	else if (room < *len)
		err = -ERANGE;
	else if (*len)
		memcpy(val, c->groups, *len);
	spin_unlock(&unix_lock);
	return err;
}

static int
unix_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct unix_sock *u = unix_of(s);
	struct ucred c;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (name == SO_PEEK_OFF)
		return sock_put_int(val, len, s->peek_off);
	if (name == SO_PEERGROUPS)
		return get_groups(u, val, len);
	if (name != SO_PEERCRED || !u->has_peer_cred)
		return -ENOPROTOOPT;
	spin_lock(&unix_lock);
	c = u->peer_cred;
	spin_unlock(&unix_lock);
	if (*len > sizeof(c))
		*len = sizeof(c);
	memcpy(val, &c, *len);
	return 0;
}

static int
unix_setopt(struct socket *s, int level, int name, const void *val,
	    uint32_t len)
{
	int v, err;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (name != SO_PEEK_OFF)
		return -ENOPROTOOPT;
	err = sock_opt_int(val, len, &v);
	if (!err)
		WRITE_ONCE(s->peek_off, v);
	return err;
}

/* Bytes that can be read; of datagrams, those of the first. */
static int
readable(struct unix_sock *u)
{
	int n;

	spin_lock(&u->lock);
	if (!unix_is_dgram(u))
		n = (int)u->readable;
	else if (list_empty(&u->queue))
		n = 0;
	else
		n = (int)list_first_entry(&u->queue, struct unix_msg, link)
			    ->len;
	spin_unlock(&u->lock);
	return n;
}

static long
unix_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	struct unix_sock *u = unix_of(s), *p;
	int n;

	switch (cmd) {
	case SIOCINQ:
		if (READ_ONCE(u->state) == UNIX_LISTEN)
			return -EINVAL;
		n = readable(u);
		break;
	case SIOCOUTQ:
		p = unix_is_dgram(u) ? NULL : unix_connected(u);
		n = (int)(p ? READ_ONCE(p->queued) :
			      atomic_load_relaxed(&u->wmem));
		break;
	case SIOCATMARK:
		if (!unix_is_stream(u))
			return -ENOTTY;
		n = unix_at_mark(u);
		break;
	default:
		return -ENOTTY;
	}
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

const struct socket_ops unix_stream_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.name = unix_name,
	.send = unix_send_stream,
	.recv = unix_recv_stream,
	.shutdown = unix_shutdown,
	.getopt = unix_getopt,
	.setopt = unix_setopt,
	.poll = unix_poll,
	.ioctl = unix_ioctl,
	.release = unix_release,
};

/* Datagrams and sequenced packets. */
const struct socket_ops unix_packet_ops = {
	.bind = unix_bind,
	.connect = unix_connect_dgram,
	.listen = unix_listen,
	.accept = unix_accept,
	.name = unix_name,
	.send = unix_send_packet,
	.recv = unix_recv_packet,
	.shutdown = unix_shutdown,
	.getopt = unix_getopt,
	.setopt = unix_setopt,
	.poll = unix_poll,
	.ioctl = unix_ioctl,
	.release = unix_release,
};

const struct socket_family unix_family = { AF_UNIX, unix_create, unix_pair };
