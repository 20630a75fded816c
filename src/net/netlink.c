/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_NETLINK sockets: requests to the kernel, answers and notifications from
 * it.  NETLINK_ROUTE is rtnl.c's, NETLINK_SOCK_DIAG sock_diag.c's;
 * NETLINK_KOBJECT_UEVENT can be bound and never says anything, as devices do
 * not come and go; others are refused.
 *
 * A request is handled in the sender's context, and its whole answer queued,
 * as Linux does for all but long dumps.  The queue is bounded by SO_RCVBUF;
 * what finds no room is lost and the next receive says ENOBUFS, unless
 * NETLINK_NO_ENOBUFS.
 *
 * nl_lock (spin) guards the list of sockets, ports and memberships; each
 * socket's queue has a lock inside it.
 */
#include "netlink.h"
#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <abi/poll.h>
#include <abi/prctl.h>
#include <base/math.h>
#include <base/string.h>
#include <file/file.h>
#include <file/poll.h>
#include <mem/heap.h>
#include <net/socket.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define REQUEST_MAX 65536u /* bytes of one send */
#define GROUPS_MAX  64u

#define NLOPT_PKTINFO	    (1u << 0)
#define NLOPT_NO_ENOBUFS    (1u << 1)
#define NLOPT_CAP_ACK	    (1u << 2)
#define NLOPT_EXT_ACK	    (1u << 3)
#define NLOPT_STRICT	    (1u << 4)
#define NLOPT_BROADCAST_ERR (1u << 5)
#define NLOPT_ALL_NSID	    (1u << 6)

struct nl_msg {
	struct list link;
	uint32_t len;
	uint32_t group; /* 0: an answer */
	uint8_t data[];
};

struct nl_sock {
	struct socket sock;	/* first */
	struct list link;	/* [nl_lock] */
	uint32_t port;		/* [nl_lock w, a] 0: not bound */
	uint64_t groups;	/* [nl_lock w, a] bit n - 1: group n */
	uint32_t options;	/* [a] NLOPT_* */
	struct sockaddr_nl dst; /* [nl_lock] connected to */
	struct spinlock lock;	/* RANK_EVENT: the queue */
	struct list queue;	/* [lock] */
	uint32_t queued;	/* [lock] bytes */
	struct mutex reader;	/* RANK_FILEPOS: as in unix_priv.h */
	struct waitq wq;
};

static struct spinlock nl_lock = SPINLOCK_INIT(RANK_DEVICE);
static struct list sockets = LIST_INIT(sockets); /* [nl_lock] */
static uint64_t members[RTNLGRP_MAX + 1];	 /* [nl_lock, a read] */
static const struct socket_ops nl_ops;

static struct nl_sock *
nl_of(struct socket *s)
{
	return container_of(s, struct nl_sock, sock);
}

uint32_t
nl_port(const struct nl_sock *s)
{
	return s->port;
}

bool
nl_strict(const struct nl_sock *s)
{
	return s->options & NLOPT_STRICT;
}

/* ---- to a socket ---- */

/* Nothing waits for room here: an overrun is told by the next receive. */
static int
deliver(struct nl_sock *s, const void *data, uint32_t len, uint32_t group)
{
	struct nl_msg *m = kmalloc(sizeof(*m) + len, ALLOC_KERNEL);
	bool fits;

	if (m) {
		m->len = len;
		m->group = group;
		memcpy(m->data, data, len);
	}
	spin_lock(&s->lock);
	fits = m && (!s->queued || s->queued + len <= s->sock.rcvbuf);
	if (fits) {
		list_add_tail(&s->queue, &m->link);
		s->queued += len;
	}
	spin_unlock(&s->lock);
	if (!fits) {
		kfree(m);
		if (s->options & NLOPT_NO_ENOBUFS)
			return 0;
		sock_set_error(&s->sock, ENOBUFS);
	}
	wait_wake_all(&s->wq, POLLIN | POLLRDNORM);
	return fits ? 0 : -ENOBUFS;
}

int
nl_reply(const struct nl_request *r, struct nl_buf *b)
{
	int err = b->err;

	if (!err && b->len)
		err = deliver(r->from, b->data, b->len, 0);
	b->len = 0;
	return err;
}

bool
nl_has_members(unsigned group)
{
	return group <= RTNLGRP_MAX && atomic_load_relaxed(&members[group]);
}

void
nl_multicast(unsigned group, struct nl_buf *b)
{
	struct nl_sock *s;
	unsigned done = 0;

	/* One socket a turn, by its place in the list: the lock is left for
	 * each, and one that comes or goes meanwhile is no harm. */
	for (;;) {
		unsigned i = 0;
		bool found = false;

		spin_lock(&nl_lock);
		list_for_each_entry(s, &sockets, link) {
			if (s->sock.protocol != NETLINK_ROUTE ||
			    !(s->groups >> (group - 1) & 1) || i++ < done ||
			    !s->sock.file)
				continue;
			found = refcount_get_unless_zero(&s->sock.file->refs);
			if (found)
				break;
		}
		spin_unlock(&nl_lock);
		if (!found || b->err)
			break;
		/* A lost one is told by the socket itself. */
		ignore(deliver(s, b->data, b->len, group));
		file_put(s->sock.file);
		done++;
	}
	b->len = 0;
}

int
netlink_check(struct file *f)
{
	struct socket *s = socket_of(f);

	if (!s)
		return -ENOTSOCK;
	return s->ops == &nl_ops ? 0 : -EINVAL;
}

void
netlink_tell(struct file *f, const void *data, uint32_t len)
{
	ignore(deliver(nl_of(socket_of(f)), data, len, 0)); /* it is told */
}

/* ---- names ---- */

static struct nl_sock *
find_port(int protocol, uint32_t port)
{
	struct nl_sock *s;

	list_for_each_entry(s, &sockets, link)
		if (s->port == port && s->sock.protocol == protocol)
			return s;
	return NULL;
}

/* port 0: the process's id, else one that nobody has. */
static int
take_port(struct nl_sock *s, uint32_t port)
{
	uint32_t want = port ? port : (uint32_t)thread_current()->tgid;
	int err = 0;

	spin_lock(&nl_lock);
	if (s->port) {
		err = port && port != s->port ? -EINVAL : 0;
	} else if (!find_port(s->sock.protocol, want)) {
		s->port = want;
	} else if (port) {
		err = -EADDRINUSE;
	} else {
		for (want = (uint32_t)-4097; find_port(s->sock.protocol, want);
		     want--)
			;
		s->port = want;
	}
	spin_unlock(&nl_lock);
	return err;
}

static unsigned
group_limit(const struct nl_sock *s)
{
	return s->sock.protocol == NETLINK_ROUTE ? RTNLGRP_MAX : 32;
}

static void
set_groups(struct nl_sock *s, uint64_t groups)
{
	spin_lock(&nl_lock);
	for (unsigned g = 1; g <= RTNLGRP_MAX; g++) {
		uint64_t bit = 1ull << (g - 1);

		if (s->sock.protocol != NETLINK_ROUTE)
			break;
		if (groups & bit && !(s->groups & bit))
			members[g]++;
		else if (!(groups & bit) && s->groups & bit)
			members[g]--;
	}
	s->groups = groups;
	spin_unlock(&nl_lock);
}

static int
nl_bind(struct socket *s, const void *addr, uint32_t len)
{
	struct nl_sock *n = nl_of(s);
	struct sockaddr_nl a;
	int err;

	if (len < sizeof(a))
		return -EINVAL;
	memcpy(&a, addr, sizeof(a));
	if (a.family != AF_NETLINK)
		return -EINVAL;
	err = take_port(n, a.pid);
	if (err)
		return err;
	/* The address speaks of the first 32 groups only. */
	set_groups(n, (n->groups & ~(uint64_t)UINT32_MAX) | a.groups);
	return 0;
}

static int
nl_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock)
{
	struct nl_sock *n = nl_of(s);
	struct sockaddr_nl a = { .family = AF_NETLINK };
	uint16_t family;

	(void)nonblock;
	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, addr, sizeof(family));
	if (family != AF_UNSPEC) {
		int err;

		if (family != AF_NETLINK || len < sizeof(a))
			return -EINVAL;
		memcpy(&a, addr, sizeof(a));
		if ((a.pid || a.groups) && !sock_capable(CAP_NET_ADMIN))
			return -EPERM;
		err = take_port(n, 0);
		if (err)
			return err;
	}
	spin_lock(&nl_lock);
	n->dst = a;
	spin_unlock(&nl_lock);
	return 0;
}

static int
nl_name(struct socket *s, bool peer, void *addr, uint32_t *len)
{
	struct nl_sock *n = nl_of(s);
	struct sockaddr_nl a = { .family = AF_NETLINK };

	spin_lock(&nl_lock);
	if (peer) {
		a.pid = n->dst.pid;
		a.groups = n->dst.groups;
	} else {
		a.pid = n->port;
		a.groups = (uint32_t)n->groups;
	}
	spin_unlock(&nl_lock);
	memcpy(addr, &a, sizeof(a));
	*len = sizeof(a);
	return 0;
}

/* ---- requests ---- */

/* An error or an acknowledgement: the request's header comes with it, and
 * with an error its payload, unless the program wants it short. */
static int
acknowledge(struct nl_request *r, int err)
{
	uint32_t opts = r->from->options, body = 0;
	uint16_t flags = 0;
	struct nl_buf b = { 0 };
	struct nlmsgerr *e;
	int ret;

	if (err && !(opts & NLOPT_CAP_ACK))
		body = r->len;
	else
		flags |= NLM_F_CAPPED;
	if (err && r->why && opts & NLOPT_EXT_ACK)
		flags |= NLM_F_ACK_TLVS;
	e = nl_begin(&b, NLMSG_ERROR, flags, r->hdr->seq, nl_port(r->from),
		     sizeof(*e) + body);
	if (e) {
		e->error = err;
		e->msg = *r->hdr;
		memcpy(e + 1, r->payload, body);
		if (flags & NLM_F_ACK_TLVS)
			nl_attr_str(&b, NLMSGERR_ATTR_MSG, r->why);
		nl_end(&b);
	}
	ret = nl_reply(r, &b);
	nl_buf_free(&b);
	return ret;
}

static int
dump_done(struct nl_request *r)
{
	struct nl_buf b = { 0 };
	int ret;

	if (nl_begin(&b, NLMSG_DONE, NLM_F_MULTI, r->hdr->seq, nl_port(r->from),
		     sizeof(int)))
		nl_end(&b);
	ret = nl_reply(r, &b);
	nl_buf_free(&b);
	return ret;
}

static int
one_request(struct nl_request *r)
{
	bool dump = false;
	int err = 0;

	if (r->hdr->type >= NLMSG_MIN_TYPE && r->hdr->flags & NLM_F_REQUEST) {
		err = r->from->sock.protocol == NETLINK_ROUTE ?
			      rtnl_request(r, &dump) :
			      diag_request(r, &dump);
		if (!err && dump)
			return dump_done(r);
	}
	if (err || r->hdr->flags & NLM_F_ACK)
		return acknowledge(r, err);
	return 0;
}

/* What follows a header that is wrong is not looked at, as on Linux. */
static int
requests(struct nl_sock *s, const uint8_t *p, uint32_t len)
{
	while (len >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;
		struct nl_request r = { .from = s, .hdr = &h };
		uint32_t step;
		int err;

		memcpy(&h, p, sizeof(h));
		if (h.len < sizeof(h) || h.len > len)
			return 0;
		r.payload = p + sizeof(h);
		r.len = h.len - (uint32_t)sizeof(h);
		err = one_request(&r);
		if (err)
			return err;
		step = (uint32_t)min_u64(NLMSG_ALIGN(h.len), len);
		p += step;
		len -= step;
	}
	return 0;
}

/* Only the kernel is spoken to. */
static int
check_dst(struct nl_sock *s, const struct sock_msg *sm)
{
	struct sockaddr_nl a = s->dst;
	int err = 0;

	if (sm->addr && sm->addrlen) {
		if (sm->addrlen < sizeof(a))
			return -EINVAL;
		memcpy(&a, sm->addr, sizeof(a));
		if (a.family != AF_NETLINK)
			return -EINVAL;
	}
	if (a.groups)
		return -EPERM;
	if (!a.pid)
		return 0;
	spin_lock(&nl_lock);
	err = find_port(s->sock.protocol, a.pid) ? -EPERM : -ECONNREFUSED;
	spin_unlock(&nl_lock);
	return err;
}

static ssize_t
nl_send(struct socket *s, struct uio *u, struct sock_msg *sm)
{
	struct nl_sock *n = nl_of(s);
	size_t len = u->resid;
	uint8_t *buf;
	ssize_t r;

	if (sm->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (!len)
		return -ENODATA;
	if (len > REQUEST_MAX)
		return -EMSGSIZE;
	r = check_dst(n, sm);
	if (!r)
		r = take_port(n, 0);
	if (r)
		return r;
	buf = kmalloc(len, ALLOC_KERNEL);
	if (!buf)
		return -ENOBUFS;
	if (uio_read(u, buf, len) != (ssize_t)len)
		r = -EFAULT;
	else if (s->protocol == NETLINK_KOBJECT_UEVENT)
		r = -ECONNREFUSED;
	else
		r = requests(n, buf, (uint32_t)len);
	/* An overrun of the own queue is told by the next receive. */
	if (r == -ENOBUFS)
		r = 0;
	kfree(buf);
	return r ? r : (ssize_t)len;
}

/* ---- receiving ---- */

static struct nl_msg *
first_msg(struct nl_sock *s, bool take)
{
	struct nl_msg *m = NULL;

	spin_lock(&s->lock);
	if (!list_empty(&s->queue)) {
		m = list_first_entry(&s->queue, struct nl_msg, link);
		if (take) {
			list_del(&m->link);
			s->queued -= m->len;
		}
	}
	spin_unlock(&s->lock);
	return m;
}

static void
extras(struct nl_sock *s, const struct nl_msg *m, struct sock_msg *sm)
{
	static const struct ucred kernel = { 0, 0, 0 };
	struct sockaddr_nl a = { .family = AF_NETLINK };

	if (m->group)
		a.groups = m->group <= 32 ? 1u << (m->group - 1) : 0;
	if (sm->addr) {
		memcpy(sm->addr, &a, sizeof(a));
		sm->addrlen = sizeof(a);
	}
	if (s->options & NLOPT_PKTINFO)
		sock_cmsg_put(sm, SOL_NETLINK, NETLINK_PKTINFO, &m->group,
			      sizeof(m->group));
	if (sock_opt(&s->sock, SOCKOPT_PASSCRED))
		sock_cmsg_put(sm, SOL_SOCKET, SCM_CREDENTIALS, &kernel,
			      sizeof(kernel));
}

static ssize_t
take_msg(struct nl_sock *s, struct uio *u, struct sock_msg *sm)
{
	bool peek = sm->flags & MSG_PEEK;
	struct nl_msg *m;
	size_t want;
	ssize_t n;

	mutex_lock(&s->reader);
	m = first_msg(s, !peek);
	if (!peek)
		mutex_unlock(&s->reader);
	n = -EAGAIN;
	if (!m)
		goto out;
	want = min_size(m->len, u->resid);
	n = want ? uio_write(u, m->data, want) : 0;
	if (n != (ssize_t)want) {
		n = -EFAULT;
	} else {
		if (want < m->len)
			sm->out_flags |= MSG_TRUNC;
		if (sm->flags & MSG_TRUNC)
			n = m->len;
		extras(s, m, sm);
	}
	if (!peek)
		kfree(m);
out:
	if (peek)
		mutex_unlock(&s->reader);
	return n;
}

static int
wait_msg(struct nl_sock *s, int flags)
{
	uint64_t until = sock_deadline(&s->sock, false, flags);
	struct wait_entry e;
	int err = 0;

	if (!until)
		return -EAGAIN;
	wait_start_exclusive(&s->wq, &e, true);
	while (list_empty(&s->queue) && !READ_ONCE(s->sock.error) && !err)
		err = wait_sleep(&e, until);
	wait_end(&s->wq, &e);
	return sock_wait_error(&s->sock, false, err);
}

static ssize_t
nl_recv(struct socket *s, struct uio *u, struct sock_msg *sm)
{
	struct nl_sock *n = nl_of(s);
	ssize_t r;

	if (sm->flags & MSG_OOB)
		return -EOPNOTSUPP;
	for (;;) {
		int err = sock_take_error(s);

		if (err)
			return err;
		r = take_msg(n, u, sm);
		if (r != -EAGAIN)
			return r;
		err = wait_msg(n, sm->flags);
		if (err)
			return err;
	}
}

static uint32_t
nl_poll(struct socket *s, struct poll_table *pt)
{
	struct nl_sock *n = nl_of(s);
	uint32_t ev = POLLOUT | POLLWRNORM | POLLWRBAND;

	poll_wait(pt, &n->wq);
	if (!list_empty(&n->queue))
		ev |= POLLIN | POLLRDNORM;
	if (READ_ONCE(s->error))
		ev |= POLLERR;
	return ev;
}

/* ---- options ---- */

static uint32_t
option_bit(int name)
{
	switch (name) {
	case NETLINK_PKTINFO:
		return NLOPT_PKTINFO;
	case NETLINK_NO_ENOBUFS:
		return NLOPT_NO_ENOBUFS;
	case NETLINK_CAP_ACK:
		return NLOPT_CAP_ACK;
	case NETLINK_EXT_ACK:
		return NLOPT_EXT_ACK;
	case NETLINK_GET_STRICT_CHK:
		return NLOPT_STRICT;
	case NETLINK_BROADCAST_ERROR:
		return NLOPT_BROADCAST_ERR;
	case NETLINK_LISTEN_ALL_NSID:
		return NLOPT_ALL_NSID;
	default:
		return 0;
	}
}

static int
nl_setopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	struct nl_sock *n = nl_of(s);
	uint32_t bit = option_bit(name);
	int v = 0;

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	/* A value that is short counts as zero, as on Linux. */
	ignore(sock_opt_int(val, len, &v));
	if (bit) {
		if (v)
			atomic_or(&n->options, bit);
		else
			atomic_and(&n->options, ~bit);
		return 0;
	}
	if (name != NETLINK_ADD_MEMBERSHIP && name != NETLINK_DROP_MEMBERSHIP)
		return -ENOPROTOOPT;
	if (v <= 0 || (unsigned)v > group_limit(n))
		return -EINVAL;
	set_groups(n, name == NETLINK_ADD_MEMBERSHIP ?
			      n->groups | 1ull << (v - 1) :
			      n->groups & ~(1ull << (v - 1)));
	return 0;
}

static int
nl_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct nl_sock *n = nl_of(s);
	uint32_t bit = option_bit(name);

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (bit) {
		if (*len < sizeof(int))
			return -EINVAL;
		return sock_put_int(val, len, (n->options & bit) != 0);
	}
	if (name != NETLINK_LIST_MEMBERSHIPS)
		return -ENOPROTOOPT;
	*len = (uint32_t)min_size(*len, sizeof(n->groups));
	memcpy(val, &n->groups, *len);
	return 0;
}

/* ---- life ---- */

static int
nl_create(int type, int protocol, struct socket **out)
{
	struct nl_sock *n;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_ROUTE && protocol != NETLINK_SOCK_DIAG &&
	    protocol != NETLINK_KOBJECT_UEVENT)
		return -EPROTONOSUPPORT;
	n = kzalloc(sizeof(*n), ALLOC_KERNEL);
	if (!n)
		return -ENOMEM;
	socket_init(&n->sock, &nl_ops, AF_NETLINK, type, protocol);
	spin_init(&n->lock, RANK_EVENT);
	list_init(&n->queue);
	mutex_init(&n->reader, RANK_FILEPOS);
	waitq_init(&n->wq);
	n->dst.family = AF_NETLINK;
	spin_lock(&nl_lock);
	list_add_tail(&sockets, &n->link);
	spin_unlock(&nl_lock);
	*out = &n->sock;
	return 0;
}

static void
nl_release(struct socket *s)
{
	struct nl_sock *n = nl_of(s);
	struct nl_msg *m, *next;

	set_groups(n, 0);
	spin_lock(&nl_lock);
	list_del(&n->link);
	spin_unlock(&nl_lock);
	list_for_each_entry_safe(m, next, &n->queue, link)
		kfree(m);
	socket_fini(s);
	kfree(n);
}

/* ---- /proc/net/netlink ---- */

int
proc_show_netlink(struct seq_buf *s, void *arg)
{
	unsigned done = 0, i;
	struct nl_sock *n;

	(void)arg;
	seq_printf(s, "sk               Eth Pid        Groups   Rmem     Wmem "
		      "    Dump  Locks    Drops    Inode\n");
	for (;; done++) {
		uint32_t protocol, port, groups, queued;
		unsigned long ino;

		/* Printing allocates: one socket a turn. */
		i = 0;
		spin_lock(&nl_lock);
		list_for_each_entry(n, &sockets, link)
			if (i++ == done)
				break;
		if (&n->link == &sockets) {
			spin_unlock(&nl_lock);
			return 0;
		}
		protocol = n->sock.protocol;
		port = n->port;
		groups = (uint32_t)n->groups;
		queued = n->queued;
		ino = (unsigned long)n->sock.ino;
		spin_unlock(&nl_lock);
		seq_printf(s,
			   "0000000000000000 %-3u %-10u %08x %-8u %-8d "
			   "%-5d %-8d %-8d %-8lu\n",
			   protocol, port, groups, queued, 0, 0, 2, 0, ino);
	}
}

static const struct socket_ops nl_ops = {
	.bind = nl_bind,
	.connect = nl_connect,
	.name = nl_name,
	.send = nl_send,
	.recv = nl_recv,
	.getopt = nl_getopt,
	.setopt = nl_setopt,
	.poll = nl_poll,
	.release = nl_release,
};

const struct socket_family netlink_family = { AF_NETLINK, nl_create, NULL };
