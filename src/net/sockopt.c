/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of SOL_SOCKET (socket(7)), the ioctls of all sockets, and the
 * list of options that were asked for in vain.
 *
 * Values are checked and stored here; what they mean is the families' part.
 * An option that nothing in the kernel acts upon is not known: -ENOPROTOOPT.
 * Where Linux itself only stores a value (SO_DEBUG, SO_PRIORITY without a
 * queueing discipline, SO_BUSY_POLL without a driver's), so do we.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/prctl.h>
#include <abi/time.h>
#include <base/atomic.h>
#include <base/fmt.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/string.h>
#include <file/cred.h>
#include <file/file.h>
#include <net/bpf.h>
#include <net/netif.h>
#include <net/socket.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define MISSING_MAX 64u /* distinct options that are counted */
#define NS_PER_SEC  1000000000ull
#define LINGER_MAX  (INT32_MAX / 1000)

struct missing_opt {
	uint32_t key;	/* [a] 0: free */
	uint32_t count; /* [a] */
};

static struct missing_opt missing[MISSING_MAX];

/* ---- helpers ---- */

int
sock_opt_int(const void *val, uint32_t len, int *out)
{
	if (len < sizeof(*out))
		return -EINVAL;
	memcpy(out, val, sizeof(*out));
	return 0;
}

int
sock_put_int(void *val, uint32_t *len, int v)
{
	if (*len > sizeof(v))
		*len = sizeof(v);
	memcpy(val, &v, *len);
	return 0;
}

static int
put_bytes(void *val, uint32_t *len, const void *from, uint32_t size)
{
	if (*len > size)
		*len = size;
	memcpy(val, from, *len);
	return 0;
}

static int
put_u64(void *val, uint32_t *len, uint64_t v)
{
	if (*len < sizeof(v))
		return -EINVAL;
	return put_bytes(val, len, &v, sizeof(v));
}

static void
set_bit(struct socket *s, uint32_t bit, bool on)
{
	if (on)
		atomic_or(&s->opts, bit);
	else
		atomic_and(&s->opts, ~bit);
}

/* The bit of an option that is no more than a flag; 0: another kind. */
static uint32_t
flag_of(int name)
{
	switch (name) {
	case SO_DEBUG:
		return SOCKOPT_DEBUG;
	case SO_REUSEADDR:
		return SOCKOPT_REUSEADDR;
	case SO_REUSEPORT:
		return SOCKOPT_REUSEPORT;
	case SO_DONTROUTE:
		return SOCKOPT_DONTROUTE;
	case SO_BROADCAST:
		return SOCKOPT_BROADCAST;
	case SO_KEEPALIVE:
		return SOCKOPT_KEEPALIVE;
	case SO_OOBINLINE:
		return SOCKOPT_OOBINLINE;
	case SO_NO_CHECK:
		return SOCKOPT_NO_CHECK;
	case SO_PASSCRED:
		return SOCKOPT_PASSCRED;
	case SO_RXQ_OVFL:
		return SOCKOPT_RXQ_OVFL;
	case SO_SELECT_ERR_QUEUE:
		return SOCKOPT_ERR_QUEUE;
	case SO_LOCK_FILTER:
		return SOCKOPT_LOCK_FILTER;
	default:
		return 0;
	}
}

static bool
is_inet(const struct socket *s)
{
	return s->family == AF_INET || s->family == AF_INET6;
}

/* Credentials travel by local messages only. */
static bool
has_creds(const struct socket *s)
{
	return s->family == AF_UNIX || s->family == AF_NETLINK;
}

/* ---- setting ---- */

static int
set_flag(struct socket *s, int name, uint32_t bit, int v)
{
	if (name == SO_DEBUG && v && !sock_capable(CAP_NET_ADMIN))
		return -EACCES;
	if (name == SO_REUSEPORT && v && !is_inet(s))
		return -EOPNOTSUPP;
	if (name == SO_PASSCRED && !has_creds(s))
		return -EOPNOTSUPP;
	if (name == SO_LOCK_FILTER && !v && sock_opt(s, bit))
		return -EPERM;
	set_bit(s, bit, v != 0);
	return 0;
}

/* A negative size is a very large one, as on Linux. */
static void
set_buf(struct socket *s, bool send, uint32_t v, bool force)
{
	uint32_t least = send ? SOCK_SNDBUF_MIN : SOCK_RCVBUF_MIN;

	if (force) {
		v = (int32_t)v < 0 ? 0 : v;
		v = (uint32_t)min_u64(v, INT32_MAX / 2);
	} else {
		v = (uint32_t)min_u64(v, SOCK_BUF_MAX);
	}
	v = (uint32_t)max_u64(v * 2, least);
	set_bit(s, send ? SOCKOPT_SNDBUF_SET : SOCKOPT_RCVBUF_SET, true);
	WRITE_ONCE(*(send ? &s->sndbuf : &s->rcvbuf), v);
}

static int
set_timeout(uint64_t *to, const void *val, uint32_t len)
{
	struct timeval tv;
	uint64_t ns = 0;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0)
		ns = SOCK_TIMEO_NOW;
	else if ((uint64_t)tv.tv_sec < INT64_MAX / NS_PER_SEC)
		ns = (uint64_t)tv.tv_sec * NS_PER_SEC +
		     (uint64_t)tv.tv_usec * 1000;
	WRITE_ONCE(*to, ns);
	return 0;
}

static int
set_linger(struct socket *s, const void *val, uint32_t len)
{
	struct linger l;

	if (len < sizeof(l))
		return -EINVAL;
	memcpy(&l, val, sizeof(l));
	set_bit(s, SOCKOPT_LINGER, l.onoff != 0);
	if (l.onoff)
		WRITE_ONCE(s->linger_s, (uint32_t)l.linger > LINGER_MAX ?
						LINGER_MAX :
						l.linger);
	return 0;
}

static void
set_stamp(struct socket *s, int name, bool on)
{
	bool ns = name == SO_TIMESTAMPNS || name == SO_TIMESTAMPNS_NEW;
	bool new = name == SO_TIMESTAMP_NEW || name == SO_TIMESTAMPNS_NEW;

	atomic_and(&s->opts,
		   ~(SOCKOPT_TIMESTAMP | SOCKOPT_TIMESTAMPNS | SOCKOPT_TS_NEW));
	if (on)
		atomic_or(&s->opts,
			  (ns ? SOCKOPT_TIMESTAMPNS : SOCKOPT_TIMESTAMP) |
				  (new ? SOCKOPT_TS_NEW : 0));
}

#define STAMPS_KNOWN                                                   \
	(SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |    \
	 SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE | \
	 SOF_TIMESTAMPING_SYS_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE)

/* Of what is received, by the kernel's clock; asking for a device's changes
 * nothing, as on Linux where the device has none. */
static int
set_stamping(struct socket *s, int v)
{
	int both = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

	if (s->type == SOCK_STREAM || !is_inet(s))
		return -ENOPROTOOPT;
	if (v & ~STAMPS_KNOWN)
		return -EINVAL;
	WRITE_ONCE(s->stamping, v);
	set_bit(s, SOCKOPT_STAMPING, (v & both) == both);
	return 0;
}

static int
set_priority(struct socket *s, int v)
{
	if ((v < 0 || v > 6) && !sock_capable(CAP_NET_ADMIN) &&
	    !sock_capable(CAP_NET_RAW))
		return -EPERM;
	WRITE_ONCE(s->priority, v);
	return 0;
}

static int
set_pacing(struct socket *s, const void *val, uint32_t len, int v)
{
	uint64_t rate = v == -1 ? UINT64_MAX : (uint32_t)v;

	if (len >= sizeof(rate))
		memcpy(&rate, val, sizeof(rate));
	if (rate != UINT64_MAX)
		return -EOPNOTSUPP; /* nothing paces */
	WRITE_ONCE(s->pacing, rate);
	return 0;
}

/* Whoever may see raw packets may move a bound socket elsewhere. */
static int
bind_to_index(struct socket *s, int index)
{
	struct net_if i;

	if (s->ifindex && !sock_capable(CAP_NET_RAW))
		return -EPERM;
	if (index < 0)
		return -EINVAL;
	if (index && net_if_get(index, &i))
		return -ENODEV;
	WRITE_ONCE(s->ifindex, index);
	return 0;
}

/* An empty name, or none, undoes it. */
static int
bind_to_device(struct socket *s, const char *val, uint32_t len)
{
	char name[NET_NAME_MAX] = "";
	struct net_if i;

	memcpy(name, val, min_size(len, sizeof(name) - 1));
	if (!name[0])
		return bind_to_index(s, 0);
	if (net_if_find(name, &i))
		return -ENODEV;
	return bind_to_index(s, i.index);
}

/* Options with an int that are no flags. */
static int
set_int(struct socket *s, int name, int v)
{
	switch (name) {
	case SO_SNDBUF:
	case SO_RCVBUF:
		set_buf(s, name == SO_SNDBUF, (uint32_t)v, false);
		return 0;
	case SO_SNDBUFFORCE:
	case SO_RCVBUFFORCE:
		if (!sock_capable(CAP_NET_ADMIN))
			return -EPERM;
		set_buf(s, name == SO_SNDBUFFORCE, (uint32_t)v, true);
		return 0;
	case SO_RCVLOWAT:
		WRITE_ONCE(s->rcvlowat, v < 0 ? INT32_MAX : v ? v : 1);
		return 0;
	case SO_TIMESTAMP:
	case SO_TIMESTAMPNS:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_NEW:
		set_stamp(s, name, v);
		return 0;
	case SO_TIMESTAMPING:
		return set_stamping(s, v);
	case SO_PRIORITY:
		return set_priority(s, v);
	case SO_MARK:
		if (!sock_capable(CAP_NET_ADMIN) && !sock_capable(CAP_NET_RAW))
			return -EPERM;
		WRITE_ONCE(s->mark, (uint32_t)v);
		return 0;
	case SO_BUSY_POLL:
		if (v < 0)
			return -EINVAL;
		if (v > s->busy_poll && !sock_capable(CAP_NET_ADMIN))
			return -EPERM;
		WRITE_ONCE(s->busy_poll, v);
		return 0;
	case SO_INCOMING_CPU:
		WRITE_ONCE(s->incoming_cpu, v);
		return 0;
	case SO_BINDTOIFINDEX:
		return bind_to_index(s, v);
	case SO_BSDCOMPAT: /* since Linux 2.2 without a meaning */
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int
set_common(struct socket *s, int name, const void *val, uint32_t len)
{
	uint32_t bit = flag_of(name);
	int v, err;

	if (name == SO_BINDTODEVICE)
		return bind_to_device(s, val, len);
	err = sock_opt_int(val, len, &v);
	if (err)
		return err;
	if (bit)
		return set_flag(s, name, bit, v);
	switch (name) {
	case SO_LINGER:
		return set_linger(s, val, len);
	case SO_RCVTIMEO:
	case SO_RCVTIMEO_NEW:
		return set_timeout(&s->rcvtimeo_ns, val, len);
	case SO_SNDTIMEO:
	case SO_SNDTIMEO_NEW:
		return set_timeout(&s->sndtimeo_ns, val, len);
	case SO_MAX_PACING_RATE:
		return set_pacing(s, val, len, v);
	default:
		return set_int(s, name, v);
	}
}

/* Only to be read. */
static bool
read_only(int name)
{
	return name == SO_TYPE || name == SO_PROTOCOL || name == SO_DOMAIN ||
	       name == SO_ERROR || name == SO_ACCEPTCONN ||
	       name == SO_PEERCRED || name == SO_SNDLOWAT ||
	       name == SO_COOKIE || name == SO_PEERNAME || name == SO_PEERSEC ||
	       name == SO_MEMINFO || name == SO_PEERGROUPS ||
	       name == SO_BPF_EXTENSIONS;
}

int
socket_setopt(struct socket *s, int level, int name, const void *val,
	      uint32_t len)
{
	int err = -ENOPROTOOPT;

	if (level == SOL_SOCKET) {
		if (read_only(name))
			return -ENOPROTOOPT;
		err = set_common(s, name, val, len);
		if (!err && s->ops->changed)
			s->ops->changed(s, name);
	}
	if (err == -ENOPROTOOPT && s->ops->setopt)
		err = s->ops->setopt(s, level, name, val, len);
	else if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (err == -ENOPROTOOPT)
		socket_count_missing(true, level, name);
	return err;
}

/* ---- getting ---- */

static int
get_timeout(uint64_t ns, void *val, uint32_t *len)
{
	struct timeval tv = { 0, 0 };

	if (ns && ns != SOCK_TIMEO_NOW) {
		tv.tv_sec = (int64_t)(ns / NS_PER_SEC);
		tv.tv_usec = (int64_t)(ns % NS_PER_SEC / 1000);
	}
	return put_bytes(val, len, &tv, sizeof(tv));
}

static int
get_linger(const struct socket *s, void *val, uint32_t *len)
{
	struct linger l = { sock_opt(s, SOCKOPT_LINGER) != 0, s->linger_s };

	return put_bytes(val, len, &l, sizeof(l));
}

static bool
get_stamp(const struct socket *s, int name)
{
	uint32_t o = READ_ONCE(s->opts);
	bool ns = name == SO_TIMESTAMPNS || name == SO_TIMESTAMPNS_NEW;
	bool new = name == SO_TIMESTAMP_NEW || name == SO_TIMESTAMPNS_NEW;

	return o & (ns ? SOCKOPT_TIMESTAMPNS : SOCKOPT_TIMESTAMP) &&
	       new == !!(o & SOCKOPT_TS_NEW);
}

static int
get_peername(struct socket *s, void *val, uint32_t *len)
{
	uint8_t addr[SOCKADDR_MAX];
	uint32_t n = 0;

	if (s->ops->name(s, true, addr, &n))
		return -ENOTCONN;
	if (n < *len)
		return -EINVAL;
	return put_bytes(val, len, addr, n);
}

static int
get_device(const struct socket *s, void *val, uint32_t *len)
{
	struct net_if i;

	if (!s->ifindex) {
		*len = 0;
		return 0;
	}
	if (*len < sizeof(i.name))
		return -EINVAL;
	if (net_if_get(s->ifindex, &i))
		return -ENODEV;
	return put_bytes(val, len, i.name, (uint32_t)strlen(i.name) + 1);
}

static int
get_int(struct socket *s, int name, int *v)
{
	switch (name) {
	case SO_TYPE:
		*v = s->type;
		return 0;
	case SO_DOMAIN:
		*v = s->family;
		return 0;
	case SO_PROTOCOL:
		*v = s->protocol;
		return 0;
	case SO_ERROR:
		*v = -sock_take_error(s);
		return 0;
	case SO_ACCEPTCONN:
		*v = s->listening;
		return 0;
	case SO_SNDBUF:
		*v = (int)s->sndbuf;
		return 0;
	case SO_RCVBUF:
		*v = (int)s->rcvbuf;
		return 0;
	case SO_RCVLOWAT:
		*v = s->rcvlowat;
		return 0;
	case SO_SNDLOWAT:
		*v = 1;
		return 0;
	case SO_PRIORITY:
		*v = s->priority;
		return 0;
	case SO_MARK:
		*v = (int)s->mark;
		return 0;
	case SO_BUSY_POLL:
		*v = s->busy_poll;
		return 0;
	case SO_INCOMING_CPU:
		*v = s->incoming_cpu;
		return 0;
	case SO_BINDTOIFINDEX:
		*v = s->ifindex;
		return 0;
	case SO_BPF_EXTENSIONS:
		*v = BPF_EXTENSIONS;
		return 0;
	case SO_BSDCOMPAT:
		*v = 0;
		return 0;
	case SO_TIMESTAMP:
	case SO_TIMESTAMPNS:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_NEW:
		*v = get_stamp(s, name);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int
get_common(struct socket *s, int name, void *val, uint32_t *len)
{
	uint32_t bit = flag_of(name);
	int v, err;

	if (name == SO_PASSCRED && !has_creds(s))
		return -EOPNOTSUPP;
	if (bit)
		return sock_put_int(val, len, sock_opt(s, bit) != 0);
	switch (name) {
	case SO_LINGER:
		return get_linger(s, val, len);
	case SO_RCVTIMEO:
	case SO_RCVTIMEO_NEW:
		return get_timeout(s->rcvtimeo_ns, val, len);
	case SO_SNDTIMEO:
	case SO_SNDTIMEO_NEW:
		return get_timeout(s->sndtimeo_ns, val, len);
	case SO_TIMESTAMPING:
		if (s->type == SOCK_STREAM || !is_inet(s))
			return -ENOPROTOOPT;
		/* and a clock of a device that is bound: none */
		return put_bytes(val, len, (int[]){ s->stamping, 0 },
				 2 * sizeof(int));
	case SO_COOKIE:
		return put_u64(val, len, s->ino);
	case SO_PEERNAME:
		return get_peername(s, val, len);
	case SO_BINDTODEVICE:
		return get_device(s, val, len);
	case SO_MAX_PACING_RATE:
		if (*len >= sizeof(uint64_t))
			return put_u64(val, len, s->pacing);
		return sock_put_int(val, len,
				    (int)min_u64(s->pacing, UINT32_MAX));
	default:
		err = get_int(s, name, &v);
		return err ? err : sock_put_int(val, len, v);
	}
}

/* Who a socket without a peer would be talking to. */
static int
get_peercred(void *val, uint32_t *len)
{
	struct ucred none = { 0, UINT32_MAX, UINT32_MAX };

	return put_bytes(val, len, &none, sizeof(none));
}

int
socket_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	int err = -ENOPROTOOPT;

	if (level == SOL_SOCKET)
		err = get_common(s, name, val, len);
	if (err == -ENOPROTOOPT && s->ops->getopt)
		err = s->ops->getopt(s, level, name, val, len);
	else if (err == -ENOPROTOOPT && level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (err == -ENOPROTOOPT && level == SOL_SOCKET && name == SO_PEERCRED)
		return get_peercred(val, len);
	if (err == -ENOPROTOOPT && level == SOL_SOCKET && name == SO_PEERGROUPS)
		return -ENODATA; /* as Linux: only AF_UNIX has peers */
	/* Without a security module Linux has no SO_PEERSEC either. */
	if (err == -ENOPROTOOPT && !(level == SOL_SOCKET && name == SO_PEERSEC))
		socket_count_missing(false, level, name);
	return err;
}

void
socket_inherit(struct socket *s, const struct socket *listener)
{
	s->opts = READ_ONCE(listener->opts);
	s->rcvtimeo_ns = listener->rcvtimeo_ns;
	s->sndtimeo_ns = listener->sndtimeo_ns;
	s->rcvbuf = listener->rcvbuf;
	s->sndbuf = listener->sndbuf;
	s->rcvlowat = listener->rcvlowat;
	s->linger_s = listener->linger_s;
	s->priority = listener->priority;
	s->mark = listener->mark;
	s->ifindex = listener->ifindex;
	s->busy_poll = listener->busy_poll;
	s->pacing = listener->pacing;
}

/* ---- ioctls ---- */

static long
get_stamp_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	uint64_t ns = READ_ONCE(s->stamp_ns);
	int64_t v[2] = { (int64_t)(ns / NS_PER_SEC),
			 (int64_t)(ns % NS_PER_SEC) };

	if (!ns)
		return -ENOENT;
	if (cmd == SIOCGSTAMP)
		v[1] /= 1000;
	return copy_to_user((void __user *)arg, v, sizeof(v));
}

long
socket_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case SIOCGSTAMP:
	case SIOCGSTAMPNS:
		return get_stamp_ioctl(s, cmd, arg);
	case FIOSETOWN:
	case SIOCSPGRP:
		return copy_from_user(&s->file->owner_pid,
				      (const void __user *)arg, sizeof(int));
	case FIOGETOWN:
	case SIOCGPGRP:
		return copy_to_user((void __user *)arg, &s->file->owner_pid,
				    sizeof(int));
	default:
		return netif_ioctl(s, cmd, arg);
	}
}

/* ---- what is not there ---- */

/* The level's and the option's low bits, and a bit that makes it no zero. */
static uint32_t
missing_key(bool set, int level, int name)
{
	return 1u << 31 | (uint32_t)set << 30 |
	       ((uint32_t)level & 0x3fff) << 16 | ((uint32_t)name & 0xffff);
}

void
socket_count_missing(bool set, int level, int name)
{
	uint32_t key = missing_key(set, level, name);

	for (unsigned i = 0; i < MISSING_MAX; i++) {
		uint32_t old = atomic_load_relaxed(&missing[i].key);

		if (!old && atomic_cas(&missing[i].key, &old, key))
			old = key;
		if (old == key) {
			atomic_add(&missing[i].count, 1);
			return;
		}
	}
}

void
socket_missing_opts(void (*fn)(const char *text, uint32_t count))
{
	for (unsigned i = 0; i < MISSING_MAX && missing[i].key; i++) {
		uint32_t key = missing[i].key;
		char text[64];

		ksnprintf(text, sizeof(text), "%ssockopt(level %u, option %u)",
			  key >> 30 & 1 ? "set" : "get", key >> 16 & 0x3fff,
			  key & 0xffff);
		fn(text, missing[i].count);
	}
}
