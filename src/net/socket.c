/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets as files, the choice of the family, and what every family shares:
 * waiting, pending errors, control data.
 */
#include <net/socket.h>

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/signal.h>
#include <abi/stat.h>
#include <abi/time.h>
#include <base/atomic.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/timer.h>
#include <file/anon.h>
#include <file/cred.h>
#include <file/file.h>
#include <file/poll.h>
#include <mem/heap.h>
#include <net/bpf.h>
#include <net/inet.h>
#include <net/netif.h>
#include <sched/thread.h>
#include <vm/uio.h>

/* The families that there are; others: -EAFNOSUPPORT. */
static const struct socket_family *const families[] = {
	&unix_family,	 &inet_family,	 &inet6_family,
	&netlink_family, &packet_family,
};

static const struct socket_family *added; /* by a klib, at boot */
static uint32_t nsockets;		  /* [a] */

static const struct socket_family *
family_of(int family)
{
	for (unsigned i = 0; i < ARRAY_SIZE(families); i++)
		if (families[i]->family == family)
			return families[i];
	return added && added->family == family ? added : NULL;
}

int
socket_register(const struct socket_family *f)
{
	if (added || family_of(f->family))
		return -EEXIST;
	added = f;
	return 0;
}

static int
find_family(int family, int type, const struct socket_family **out)
{
	if (family < 0 || family >= AF_MAX)
		return -EAFNOSUPPORT;
	if (type < 0 || type >= SOCK_MAX)
		return -EINVAL;
	*out = family_of(family);
	return *out ? 0 : -EAFNOSUPPORT;
}

int
socket_create(int family, int type, int protocol, struct socket **out)
{
	const struct socket_family *f;
	int err = find_family(family, type, &f);

	if (err)
		return err;
	if (family != AF_UNIX && family != AF_VSOCK)
		net_need();
	return f->create(type, protocol, out);
}

int
socket_pair(int family, int type, int protocol, struct socket *out[2])
{
	const struct socket_family *f;
	int err = find_family(family, type, &f);

	if (err)
		return err;
	return f->pair ? f->pair(type, protocol, out) : -EOPNOTSUPP;
}

void
socket_init(struct socket *s, const struct socket_ops *ops, int family,
	    int type, int protocol)
{
	const struct cred *c = thread_current()->cred;

	s->ops = ops;
	s->family = (uint16_t)family;
	s->type = (uint16_t)type;
	s->protocol = (uint16_t)protocol;
	s->ino = anon_ino();
	s->rcvbuf = s->sndbuf = SOCK_BUF_DEFAULT;
	s->rcvlowat = 1;
	s->peek_off = -1;
	s->incoming_cpu = -1;
	s->pacing = UINT64_MAX;
	s->uid = c ? c->fsuid : 0;
	atomic_add(&nsockets, 1);
}

void
socket_fini(struct socket *s)
{
	sock_filter_drop(s);
	atomic_sub(&nsockets, 1);
}

unsigned
socket_count(void)
{
	return atomic_load_relaxed(&nsockets);
}

/* ---- for the families ---- */

uint64_t
sock_deadline(const struct socket *s, bool send, int flags)
{
	uint64_t ns = READ_ONCE(*(send ? &s->sndtimeo_ns : &s->rcvtimeo_ns));

	if (flags & MSG_DONTWAIT || ns == SOCK_TIMEO_NOW)
		return 0;
	return ns ? clock_mono_ns() + ns : TIME_NEVER;
}

int
sock_wait_error(const struct socket *s, bool send, int err)
{
	uint64_t ns = READ_ONCE(*(send ? &s->sndtimeo_ns : &s->rcvtimeo_ns));

	if (err == -ETIMEDOUT)
		return -EAGAIN;
	if (err == -EINTR)
		return ns ? -EINTR : -ERESTARTSYS;
	return err;
}

int
sock_take_error(struct socket *s)
{
	if (likely(!READ_ONCE(s->error)))
		return 0;
	return -atomic_xchg(&s->error, 0);
}

void
sock_set_error(struct socket *s, int err)
{
	WRITE_ONCE(s->error, err < 0 ? -err : err);
}

bool
sock_capable(unsigned cap)
{
	const struct cred *c = thread_current()->cred;

	return !c || cred_capable(c, cap);
}

void
sock_files_free(struct sock_files *f)
{
	if (!f)
		return;
	while (f->n)
		file_put(f->f[--f->n]);
	kfree(f);
}

/* The program's room counts: a header that does not fit whole is left out, a
 * value is cut. */
void
sock_cmsg_put(struct sock_msg *m, int level, int type, const void *data,
	      size_t len)
{
	struct cmsghdr h = { sizeof(h) + len, level, type };
	uint64_t space = CMSG_ALIGN(h.len);

	if (!m->control_wanted)
		return;
	if (m->control_room < sizeof(h) ||
	    m->control_size - m->control_len < space) {
		m->out_flags |= MSG_CTRUNC;
		return;
	}
	if (m->control_room < h.len) {
		m->out_flags |= MSG_CTRUNC;
		h.len = m->control_room;
	}
	memcpy(m->control + m->control_len, &h, sizeof(h));
	memcpy(m->control + m->control_len + sizeof(h), data,
	       h.len - sizeof(h));
	memset(m->control + m->control_len + h.len, 0,
	       CMSG_ALIGN(h.len) - h.len);
	space = min_u64(space, m->control_room);
	m->control_len += (uint32_t)space;
	m->control_room -= space;
}

void
sock_cmsg_stamp(struct socket *s, struct sock_msg *m, uint64_t ns)
{
	uint32_t opts = READ_ONCE(s->opts);
	int64_t v[2] = { (int64_t)(ns / 1000000000u),
			 (int64_t)(ns % 1000000000u) };

	WRITE_ONCE(s->stamp_ns, ns);
	if (likely(!(opts & (SOCKOPT_TIMESTAMP | SOCKOPT_TIMESTAMPNS |
			     SOCKOPT_STAMPING))))
		return;
	if (opts & SOCKOPT_TIMESTAMPNS) {
		sock_cmsg_put(m, SOL_SOCKET,
			      opts & SOCKOPT_TS_NEW ? SO_TIMESTAMPNS_NEW :
						      SO_TIMESTAMPNS,
			      v, sizeof(v));
	} else if (opts & SOCKOPT_TIMESTAMP) {
		int64_t us[2] = { v[0], v[1] / 1000 };

		sock_cmsg_put(m, SOL_SOCKET,
			      opts & SOCKOPT_TS_NEW ? SO_TIMESTAMP_NEW :
						      SO_TIMESTAMP,
			      us, sizeof(us));
	}
	if (opts & SOCKOPT_STAMPING) {
		int64_t all[6] = { v[0], v[1] }; /* no device has a clock */

		sock_cmsg_put(m, SOL_SOCKET, SO_TIMESTAMPING, all, sizeof(all));
	}
}

bool
sock_cmsg_next(const struct sock_msg *m, uint32_t *at, struct cmsghdr *h,
	       const uint8_t **data)
{
	uint32_t left = m->control_len - *at;

	if (*at >= m->control_len || left < sizeof(*h))
		return false;
	memcpy(h, m->control + *at, sizeof(*h));
	if (h->len < sizeof(*h) || h->len > left)
		return false; /* the system call has refused it before */
	*data = m->control + *at + sizeof(*h);
	*at += (uint32_t)min_u64(CMSG_ALIGN(h->len), left);
	return true;
}

/* ---- as files ---- */

static ssize_t
sock_read(struct file *f, struct uio *u, int64_t *pos)
{
	struct socket *s = f->priv;
	struct sock_msg m = {
		.flags = file_nowait(f, u) ? MSG_DONTWAIT : 0,
	};
	ssize_t n;

	(void)pos;
	n = s->ops->recv(s, u, &m);
	if (unlikely(m.files != NULL))
		sock_files_free(m.files); /* nobody asked for them */
	return n;
}

static ssize_t
sock_write(struct file *f, struct uio *u, int64_t *pos)
{
	struct socket *s = f->priv;
	struct sock_msg m = {
		.flags = file_nowait(f, u) ? MSG_DONTWAIT : 0,
	};

	(void)pos;
	return s->ops->send(s, u, &m);
}

static ssize_t
sock_write_pages(struct file *f, const struct page_piece *v, unsigned n,
		 int flags)
{
	struct socket *s = f->priv;
	struct sock_msg m = {
		.flags = flags | (file_nonblock(f) ? MSG_DONTWAIT : 0),
	};

	if (!s->ops->send_pages)
		return -EOPNOTSUPP; /* the caller copies */
	return s->ops->send_pages(s, v, n, &m);
}

static uint32_t
sock_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->priv;

	return s->ops->poll(s, pt);
}

static long
sock_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct socket *s = f->priv;
	long r = s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -ENOTTY;

	return r == -ENOTTY ? socket_ioctl(s, cmd, arg) : r;
}

static int
sock_mmap(struct file *f, struct file_mmap *m)
{
	struct socket *s = f->priv;

	return s->ops->mmap ? s->ops->mmap(s, m) : -ENODEV;
}

static int
sock_stat(struct file *f, struct kstat *st)
{
	struct socket *s = f->priv;

	anon_stat(st, s->ino, S_IFSOCK | 0777);
	return 0;
}

static void
sock_release(struct file *f)
{
	struct socket *s = f->priv;

	s->ops->release(s);
}

static int
sock_link_name(struct file *f, char *buf, size_t size)
{
	const struct socket *s = f->priv;

	return ksnprintf(buf, size, "socket:[%lu]", (unsigned long)s->ino);
}

static const struct file_ops socket_file_ops = {
	.async = true,
	.read = sock_read,
	.write = sock_write,
	.write_pages = sock_write_pages,
	.poll = sock_poll,
	.ioctl = sock_ioctl,
	.mmap = sock_mmap,
	.stat = sock_stat,
	.release = sock_release,
	.link_name = sock_link_name,
};

int
socket_file(struct socket *s, unsigned flags, struct file **out)
{
	int err = file_create(&socket_file_ops, O_RDWR | (flags & O_NONBLOCK),
			      s, out);

	if (err)
		return err;
	(*out)->mode |= FILE_STREAM | (socket_sigpipe(s) ? 0 : FILE_NOSIGPIPE);
	/* One that waited to be accepted is known to others already. */
	atomic_store_release(&s->file, *out);
	return 0;
}

int
sock_owner(const struct socket *s)
{
	struct file *f = atomic_load_acquire(&s->file);

	return f ? READ_ONCE(f->owner_pid) : 0;
}

struct socket *
socket_of(struct file *f)
{
	return f->ops == &socket_file_ops ? f->priv : NULL;
}
