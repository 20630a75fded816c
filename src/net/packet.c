/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_PACKET: frames as they cross an interface, for capturing and for
 * protocols of the program's own (packet(7)).
 *
 * A tap of the stack (netif.h) calls in whatever context a frame goes by in:
 * it runs the socket's filter and puts what is left into the socket's queue,
 * bounded by SO_RCVBUF, or into the ring that the program maps.  What finds
 * no room is counted.
 *
 * The socket's spin lock guards queue, ring and counters; the mutex, binding
 * and memberships.
 */
#include "packet_priv.h"
#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <abi/poll.h>
#include <abi/prctl.h>
#include <abi/signal.h>
#include <base/math.h>
#include <base/string.h>
#include <file/file.h>
#include <file/poll.h>
#include <mem/heap.h>
#include <net/bpf.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define ETH_HLEN    14u
#define FRAME_MAX   65550u /* bytes of one send */
#define RESERVE_MAX 4096u
#define MEMBERS_MAX 8u

struct packet {
	struct list link;
	struct sockaddr_ll from;
	uint64_t time_ns;
	uint32_t len;  /* on the wire */
	uint32_t keep; /* bytes in data */
	uint32_t status;
	uint8_t data[];
};

struct packet_sock {
	struct socket sock;	       /* first */
	struct list link;	       /* [list_lock] */
	struct mutex lock;	       /* RANK_SOCKET: binding, memberships */
	struct mutex reader;	       /* RANK_FILEPOS: as in unix_priv.h */
	struct net_tap tap;	       /* [lock] */
	bool tapped;		       /* [lock] */
	uint16_t protocol;	       /* [lock] host byte order */
	int ifindex;		       /* [lock] */
	int members[MEMBERS_MAX];      /* [lock] interfaces made promiscuous */
	bool auxdata, ignore_outgoing; /* [a] */
	int version;		       /* [a] */
	uint32_t reserve;	       /* [a] */

	struct spinlock qlock;	   /* RANK_EVENT, with interrupts off */
	struct list queue;	   /* [qlock] */
	uint32_t queued;	   /* [qlock] bytes */
	uint32_t npackets, ndrops; /* [qlock] since they were asked for */
	struct packet_ring *ring;  /* [qlock w, lock] */
	struct waitq wq;
};

static const struct socket_ops packet_ops;

static struct packet_sock *
packet_of(struct socket *s)
{
	return container_of(s, struct packet_sock, sock);
}

static uint16_t
swap16(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

/* ---- /proc/net/packet ---- */

static struct spinlock list_lock = SPINLOCK_INIT(RANK_DEVICE);
static struct list sockets = LIST_INIT(sockets); /* [list_lock] */

int
proc_show_packet(struct seq_buf *s, void *arg)
{
	(void)arg;
	seq_printf(s, "sk               RefCnt Type Proto  Iface R Rmem   "
		      "User   Inode\n");
	for (unsigned done = 0;; done++) {
		struct packet_sock *p;
		uint32_t type, protocol, queued, uid;
		unsigned i = 0;
		int ifindex;
		unsigned long ino;

		/* Printing allocates: one socket a turn. */
		spin_lock(&list_lock);
		list_for_each_entry(p, &sockets, link)
			if (i++ == done)
				break;
		if (&p->link == &sockets) {
			spin_unlock(&list_lock);
			return 0;
		}
		type = p->sock.type;
		protocol = p->protocol;
		ifindex = p->ifindex;
		queued = p->queued;
		uid = p->sock.uid;
		ino = (unsigned long)p->sock.ino;
		spin_unlock(&list_lock);
		seq_printf(s,
			   "0000000000000000 %-6d %-4u %04x   %-5d %1d "
			   "%-6u %-6u %-6lu\n",
			   3, type, protocol, ifindex, 1, queued, uid, ino);
	}
}

/* ---- what goes by ---- */

static bool
view_load(const void *ctx, uint32_t off, void *to, uint32_t n)
{
	const struct packet_view *v = ctx;

	return off < v->len && v->len - off >= n &&
	       net_frame_copy(v->frame, v->from + off, to, n) == n;
}

static uint32_t
filter(const struct packet_sock *p, const struct packet_view *v)
{
	struct bpf_packet b = {
		.load = view_load,
		.ctx = v,
		.len = v->len,
		.protocol = v->frame->protocol,
		.pkttype = v->frame->pkttype,
		.ifindex = (uint32_t)v->frame->ifindex,
	};

	return sock_filter_run(&p->sock, &b);
}

static void
fill_from(struct sockaddr_ll *a, const struct net_frame *f)
{
	memset(a, 0, sizeof(*a));
	a->family = AF_PACKET;
	a->protocol = swap16(f->protocol);
	a->ifindex = f->ifindex;
	a->hatype = f->ifindex == NET_IF_LO ? 772 : 1;
	a->pkttype = f->pkttype;
	a->halen = 6;
	/* The source address of the frame. */
	if (f->link_len >= ETH_HLEN && net_frame_copy(f, 6, a->addr, 6) != 6)
		a->halen = 0;
}

/* qlock is held. */
static bool
enqueue(struct packet_sock *p, const struct packet_view *v,
	const struct sockaddr_ll *from)
{
	struct packet *k;

	if (p->queued + v->keep > p->sock.rcvbuf)
		return false;
	k = kmalloc(sizeof(*k) + v->keep, ALLOC_ATOMIC);
	if (!k)
		return false;
	k->from = *from;
	k->time_ns = v->frame->time_ns;
	k->len = v->len;
	k->keep = (uint32_t)net_frame_copy(v->frame, v->from, k->data, v->keep);
	k->status = TP_STATUS_USER |
		    (v->frame->csum_partial ? TP_STATUS_CSUMNOTREADY : 0);
	list_add_tail(&p->queue, &k->link);
	p->queued += (uint32_t)sizeof(*k) + k->keep;
	return true;
}

static void
goes_by(struct net_tap *t, const struct net_frame *f)
{
	struct packet_sock *p = container_of(t, struct packet_sock, tap);
	struct packet_view v = { .frame = f };
	struct sockaddr_ll from;
	irqflags_t flags;
	bool kept;

	if (f->outgoing && p->ignore_outgoing)
		return;
	v.from = p->sock.type == SOCK_RAW ? 0 : f->link_len;
	v.len = f->len - v.from;
	v.keep = filter(p, &v);
	if (!v.keep)
		return;
	fill_from(&from, f);
	flags = spin_lock_irq(&p->qlock);
	p->npackets++;
	kept = p->ring ? ring_put(p->ring, &v, &from, p->ndrops) :
			 enqueue(p, &v, &from);
	if (!kept)
		p->ndrops++;
	spin_unlock_irq(&p->qlock, flags);
	if (kept)
		wait_wake_all(&p->wq, POLLIN | POLLRDNORM);
}

/* ---- names ---- */

/* The lock is held. */
static void
set_tap(struct packet_sock *p, int ifindex, uint16_t protocol)
{
	if (p->tapped)
		net_tap_remove(&p->tap);
	p->tapped = protocol != 0;
	p->protocol = protocol;
	p->ifindex = ifindex;
	p->tap.fn = goes_by;
	p->tap.ifindex = ifindex;
	p->tap.protocol = protocol;
	if (p->tapped)
		net_tap_add(&p->tap);
}

static int
packet_bind(struct socket *s, const void *addr, uint32_t len)
{
	struct packet_sock *p = packet_of(s);
	struct sockaddr_ll a;
	struct net_if i;

	if (len < sizeof(a))
		return -EINVAL;
	memcpy(&a, addr, sizeof(a));
	if (a.family != AF_PACKET)
		return -EINVAL;
	if (a.ifindex && net_if_get(a.ifindex, &i))
		return -ENODEV;
	mutex_lock(&p->lock);
	set_tap(p, a.ifindex, a.protocol ? swap16(a.protocol) : p->protocol);
	mutex_unlock(&p->lock);
	return 0;
}

static int
packet_name(struct socket *s, bool peer, void *addr, uint32_t *len)
{
	struct packet_sock *p = packet_of(s);
	struct sockaddr_ll a = { .family = AF_PACKET };
	struct net_if i;

	if (peer)
		return -EOPNOTSUPP;
	mutex_lock(&p->lock);
	a.ifindex = p->ifindex;
	a.protocol = swap16(p->protocol);
	mutex_unlock(&p->lock);
	if (a.ifindex && !net_if_get(a.ifindex, &i)) {
		a.hatype = i.type;
		a.halen = sizeof(i.mac);
		memcpy(a.addr, i.mac, sizeof(i.mac));
	}
	memcpy(addr, &a, sizeof(a));
	/* As long as its hardware address. */
	*len = (uint32_t)offsetof(struct sockaddr_ll, addr) + a.halen;
	return 0;
}

/* ---- sending ---- */

/* Where it goes: of the message, or as bound. */
static int
destination(struct packet_sock *p, const struct sock_msg *sm,
	    struct sockaddr_ll *a)
{
	memset(a, 0, sizeof(*a));
	if (sm->addr && sm->addrlen) {
		if (sm->addrlen < offsetof(struct sockaddr_ll, addr))
			return -EINVAL;
		memcpy(a, sm->addr, min_u64(sm->addrlen, sizeof(*a)));
		if (a->family != AF_PACKET)
			return -EINVAL;
		return 0;
	}
	a->ifindex = p->ifindex;
	a->protocol = swap16(p->protocol);
	return 0;
}

static ssize_t
packet_send(struct socket *s, struct uio *u, struct sock_msg *sm)
{
	struct packet_sock *p = packet_of(s);
	uint32_t head = s->type == SOCK_RAW ? 0 : ETH_HLEN;
	size_t len = u->resid;
	struct sockaddr_ll to;
	struct net_if i;
	uint8_t *frame;
	int err = destination(p, sm, &to);

	if (err)
		return err;
	if (net_if_get(to.ifindex, &i))
		return -ENXIO;
	if (!(i.flags & 1))
		return -ENETDOWN;
	if (len + head > FRAME_MAX)
		return -EMSGSIZE;
	if (!head && len < ETH_HLEN)
		return -EINVAL;
	frame = kmalloc(len + head, ALLOC_KERNEL);
	if (!frame)
		return -ENOBUFS;
	if (head) {
		memcpy(frame, to.addr, 6);
		memcpy(frame + 6, i.mac, 6);
		memcpy(frame + 12, &to.protocol, 2);
	}
	if (len && uio_read(u, frame + head, len) != (ssize_t)len)
		err = -EFAULT;
	else
		err = net_link_send(to.ifindex, frame, len + head);
	kfree(frame);
	return err ? err : (ssize_t)len;
}

/* ---- receiving ---- */

static struct packet *
take(struct packet_sock *p)
{
	irqflags_t f = spin_lock_irq(&p->qlock);
	struct packet *k = NULL;

	if (!list_empty(&p->queue)) {
		k = list_first_entry(&p->queue, struct packet, link);
		list_del(&k->link);
		p->queued -= (uint32_t)sizeof(*k) + k->keep;
	}
	spin_unlock_irq(&p->qlock, f);
	return k;
}

/* A peek puts it back where it was: nobody else takes while it is out, as
 * the reader's mutex is held. */
static void
put_back(struct packet_sock *p, struct packet *k)
{
	irqflags_t f = spin_lock_irq(&p->qlock);

	list_add(&p->queue, &k->link);
	p->queued += (uint32_t)sizeof(*k) + k->keep;
	spin_unlock_irq(&p->qlock, f);
}

static void
extras(struct packet_sock *p, const struct packet *k, struct sock_msg *sm)
{
	if (sm->addr) {
		memcpy(sm->addr, &k->from, sizeof(k->from));
		sm->addrlen = (uint32_t)offsetof(struct sockaddr_ll, addr) +
			      k->from.halen;
	}
	sock_cmsg_stamp(&p->sock, sm, k->time_ns);
	if (p->auxdata) {
		struct tpacket_auxdata a = {
			.status = k->status,
			.len = k->len,
			.snaplen = k->keep,
			.net = p->sock.type == SOCK_RAW ? ETH_HLEN : 0,
		};

		sock_cmsg_put(sm, SOL_PACKET, PACKET_AUXDATA, &a, sizeof(a));
	}
}

static ssize_t
give(struct packet_sock *p, struct packet *k, struct uio *u,
     struct sock_msg *sm)
{
	size_t want = min_size(k->keep, u->resid);
	ssize_t n = want ? uio_write(u, k->data, want) : 0;

	if (n != (ssize_t)want) {
		n = -EFAULT;
	} else {
		if (want < k->keep)
			sm->out_flags |= MSG_TRUNC;
		if (sm->flags & MSG_TRUNC)
			n = k->keep;
		extras(p, k, sm);
	}
	if (sm->flags & MSG_PEEK)
		put_back(p, k);
	else
		kfree(k);
	return n;
}

static int
wait_packet(struct packet_sock *p, int flags)
{
	uint64_t until = sock_deadline(&p->sock, false, flags);
	struct wait_entry e;
	int err = 0;

	if (!until)
		return -EAGAIN;
	wait_start_exclusive(&p->wq, &e, true);
	while (list_empty(&p->queue) && !READ_ONCE(p->sock.error) && !err)
		err = wait_sleep(&e, until);
	wait_end(&p->wq, &e);
	return sock_wait_error(&p->sock, false, err);
}

static ssize_t
packet_recv(struct socket *s, struct uio *u, struct sock_msg *sm)
{
	struct packet_sock *p = packet_of(s);

	if (sm->flags & MSG_OOB)
		return -EINVAL;
	if (sm->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	for (;;) {
		int err = sock_take_error(s);
		ssize_t n = -EAGAIN;
		struct packet *k;

		if (err)
			return err;
		mutex_lock(&p->reader);
		k = take(p);
		if (k)
			n = give(p, k, u, sm);
		mutex_unlock(&p->reader);
		if (k)
			return n;
		err = wait_packet(p, sm->flags);
		if (err)
			return err;
	}
}

static uint32_t
packet_poll(struct socket *s, struct poll_table *pt)
{
	struct packet_sock *p = packet_of(s);
	uint32_t ev = POLLOUT | POLLWRNORM | POLLWRBAND;
	irqflags_t f;

	poll_wait(pt, &p->wq);
	f = spin_lock_irq(&p->qlock);
	if (!list_empty(&p->queue) || (p->ring && ring_readable(p->ring)))
		ev |= POLLIN | POLLRDNORM;
	spin_unlock_irq(&p->qlock, f);
	if (READ_ONCE(s->error))
		ev |= POLLERR;
	return ev;
}

/* ---- options ---- */

/* The lock is held. */
static int
join(struct packet_sock *p, int ifindex)
{
	unsigned k = 0;
	int err;

	while (k < MEMBERS_MAX && p->members[k])
		k++;
	if (k == MEMBERS_MAX)
		return -ENOBUFS;
	err = net_if_promisc(ifindex, true);
	if (!err)
		p->members[k] = ifindex;
	return err;
}

static int
leave(struct packet_sock *p, int ifindex)
{
	for (unsigned k = 0; k < MEMBERS_MAX; k++)
		if (p->members[k] == ifindex) {
			p->members[k] = 0;
			return net_if_promisc(ifindex, false);
		}
	return -EADDRNOTAVAIL;
}

static int
membership(struct packet_sock *p, bool add, const void *val, uint32_t len)
{
	struct packet_mreq m;
	struct net_if i;
	int err;

	if (len < sizeof(m))
		return -EINVAL;
	memcpy(&m, val, sizeof(m));
	if (net_if_get(m.ifindex, &i))
		return -ENODEV;
	if (m.type > PACKET_MR_ALLMULTI)
		return -EINVAL;
	/* Promiscuous takes in what the others ask for; they are refused, as
	 * the stack's own groups are not for sockets of this kind. */
	if (m.type != PACKET_MR_PROMISC)
		return -EOPNOTSUPP;
	mutex_lock(&p->lock);
	err = add ? join(p, m.ifindex) : leave(p, m.ifindex);
	mutex_unlock(&p->lock);
	return err;
}

/* No blocks: the ring is given up. */
static int
set_ring(struct packet_sock *p, const void *val, uint32_t len)
{
	struct packet_ring *r = NULL, *old;
	struct tpacket_req q;
	irqflags_t f;
	int err = 0;

	if (len < sizeof(q))
		return -EINVAL;
	if (p->version != TPACKET_V2)
		return -EINVAL;
	memcpy(&q, val, sizeof(q));
	if (q.block_nr)
		err = ring_create(&q, p->reserve, &r);
	else if (q.frame_nr)
		err = -EINVAL;
	if (err)
		return err;
	f = spin_lock_irq(&p->qlock);
	old = p->ring;
	if (r && old)
		err = -EBUSY;
	else
		p->ring = r;
	spin_unlock_irq(&p->qlock, f);
	ring_drop(err ? r : old);
	return err;
}

static int
packet_setopt(struct socket *s, int level, int name, const void *val,
	      uint32_t len)
{
	struct packet_sock *p = packet_of(s);
	int v, err;

	if (level == SOL_SOCKET)
		return sock_filter_setopt(s, name, val, len);
	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	if (name == PACKET_ADD_MEMBERSHIP || name == PACKET_DROP_MEMBERSHIP)
		return membership(p, name == PACKET_ADD_MEMBERSHIP, val, len);
	if (name == PACKET_RX_RING)
		return set_ring(p, val, len);
	err = sock_opt_int(val, len, &v);
	if (err)
		return err;
	switch (name) {
	case PACKET_AUXDATA:
		p->auxdata = v != 0;
		return 0;
	case PACKET_IGNORE_OUTGOING:
		if (v < 0 || v > 1)
			return -EINVAL;
		p->ignore_outgoing = v;
		return 0;
	case PACKET_VERSION:
		if (v != TPACKET_V1 && v != TPACKET_V2)
			return -EINVAL;
		if (p->ring)
			return -EBUSY;
		p->version = v;
		return 0;
	case PACKET_RESERVE:
		if (v < 0 || (unsigned)v > RESERVE_MAX)
			return -EINVAL;
		if (p->ring)
			return -EBUSY;
		p->reserve = (uint32_t)v;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* They count from the last time that they were asked for. */
static int
get_stats(struct packet_sock *p, void *val, uint32_t *len)
{
	irqflags_t f = spin_lock_irq(&p->qlock);
	struct tpacket_stats st = { p->npackets, p->ndrops };

	p->npackets = p->ndrops = 0;
	spin_unlock_irq(&p->qlock, f);
	*len = (uint32_t)min_size(*len, sizeof(st));
	memcpy(val, &st, *len);
	return 0;
}

/* In: the version; out: the length of its header.  TPACKET_V3 is refused, and
 * a program goes on with V2. */
static int
get_hdrlen(void *val, uint32_t *len)
{
	int v;

	if (*len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (v != TPACKET_V2)
		return -EINVAL;
	return sock_put_int(val, len, sizeof(struct tpacket2_hdr));
}

static int
packet_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct packet_sock *p = packet_of(s);

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (name) {
	case PACKET_STATISTICS:
		return get_stats(p, val, len);
	case PACKET_AUXDATA:
		return sock_put_int(val, len, p->auxdata);
	case PACKET_VERSION:
		return sock_put_int(val, len, p->version);
	case PACKET_HDRLEN:
		return get_hdrlen(val, len);
	case PACKET_RESERVE:
		return sock_put_int(val, len, (int)p->reserve);
	case PACKET_IGNORE_OUTGOING:
		return sock_put_int(val, len, p->ignore_outgoing);
	default:
		return -ENOPROTOOPT;
	}
}

static long
packet_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	struct packet_sock *p = packet_of(s);
	irqflags_t f;
	int n = 0;

	if (cmd != SIOCINQ && cmd != SIOCOUTQ)
		return -ENOTTY;
	f = spin_lock_irq(&p->qlock);
	if (cmd == SIOCINQ && !list_empty(&p->queue))
		n = (int)list_first_entry(&p->queue, struct packet, link)->keep;
	spin_unlock_irq(&p->qlock, f);
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

static int
packet_mmap(struct socket *s, struct file_mmap *m)
{
	struct packet_sock *p = packet_of(s);
	irqflags_t f = spin_lock_irq(&p->qlock); /* else it could go */
	int err = p->ring ? ring_mmap(p->ring, m) : -EINVAL;

	spin_unlock_irq(&p->qlock, f);
	return err;
}

/* ---- life ---- */

static int
packet_create(int type, int protocol, struct socket **out)
{
	struct packet_sock *p;

	if (!sock_capable(CAP_NET_RAW))
		return -EPERM;
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	p = kzalloc(sizeof(*p), ALLOC_KERNEL);
	if (!p)
		return -ENOMEM;
	socket_init(&p->sock, &packet_ops, AF_PACKET, type, protocol & 0xffff);
	mutex_init(&p->lock, RANK_SOCKET);
	mutex_init(&p->reader, RANK_FILEPOS);
	spin_init(&p->qlock, RANK_EVENT);
	list_init(&p->queue);
	list_init(&p->tap.link);
	waitq_init(&p->wq);
	mutex_lock(&p->lock);
	set_tap(p, 0, swap16((uint16_t)protocol));
	mutex_unlock(&p->lock);
	spin_lock(&list_lock);
	list_add_tail(&sockets, &p->link);
	spin_unlock(&list_lock);
	*out = &p->sock;
	return 0;
}

static void
packet_release(struct socket *s)
{
	struct packet_sock *p = packet_of(s);
	struct packet *k, *n;

	spin_lock(&list_lock);
	list_del(&p->link);
	spin_unlock(&list_lock);
	mutex_lock(&p->lock);
	set_tap(p, 0, 0);
	for (unsigned i = 0; i < MEMBERS_MAX; i++)
		if (p->members[i])
			ignore(net_if_promisc(p->members[i], false)); /* gone */
	mutex_unlock(&p->lock);
	list_for_each_entry_safe(k, n, &p->queue, link)
		kfree(k);
	ring_drop(p->ring);
	socket_fini(s);
	kfree(p);
}

static const struct socket_ops packet_ops = {
	.bind = packet_bind,
	.name = packet_name,
	.send = packet_send,
	.recv = packet_recv,
	.getopt = packet_getopt,
	.setopt = packet_setopt,
	.poll = packet_poll,
	.ioctl = packet_ioctl,
	.mmap = packet_mmap,
	.release = packet_release,
};

const struct socket_family packet_family = { AF_PACKET, packet_create, NULL };
