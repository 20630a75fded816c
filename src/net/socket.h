/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket layer: what the system calls see of every family.
 *
 * A family fills struct socket_ops and embeds struct socket, which it sets up
 * by socket_init(); a socket is a file whose priv is the struct socket.
 * Addresses, option values and control data are kernel copies.  Operations
 * may sleep and are called with no lock held; several threads may be in them
 * at once, on one socket.
 *
 * Options of SOL_SOCKET are the common layer's (sockopt.c): it checks and
 * stores them in struct socket, where a family reads them when it needs them;
 * ops->changed tells the families that must act at once.  Fields are single
 * words, written without a lock: the last writer wins.
 *
 * Blocking: a family that must wait asks sock_deadline() how long and gives
 * what wait_sleep() returned to sock_wait_error().
 */
#pragma once

#include <abi/socket.h>
#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>

struct file;
struct file_mmap;
struct uio;
struct poll_table;
struct socket;
struct cred;
struct page_piece; /* file/file.h */
struct sock_prog;  /* bpf.h */

#define SOCKADDR_MAX 128

/* Descriptors on their way (AF_UNIX); references travel with it.  Heap. */
struct sock_files {
	unsigned n;
	struct file *f[SCM_MAX_FD];
};

/*
 * One message on its way: what goes beside the data.  Small, as every read
 * and write makes one; what is rare hangs on pointers.
 *
 * send: addr is the destination or NULL; control is control_len bytes of
 * well-formed control data (sock_cmsg_next), from which SCM_RIGHTS and
 * SCM_CREDENTIALS have been taken out into files and cred.
 * recv: addr is NULL (not wanted) or has room for SOCKADDR_MAX bytes and the
 * family fills it and addrlen; control data goes out by sock_cmsg_put(), or
 * into files, which the caller must free.
 */
struct sock_msg {
	int flags;     /* MSG_*; DONTWAIT as well if O_NONBLOCK */
	int out_flags; /* recv: MSG_TRUNC, CTRUNC, EOR, OOB, ... */
	void *addr;
	uint32_t addrlen;
	uint32_t control_len;  /* bytes in control */
	uint32_t control_size; /* recv: bytes that fit into control */
	bool control_wanted;   /* recv: by recvmsg */
	bool has_cred;
	struct ucred cred;
	uint8_t *control;
	uint64_t control_room; /* recv: left of the program's room */
	struct sock_files *files;
};

struct socket_ops {
	int (*bind)(struct socket *s, const void *addr, uint32_t len);
	int (*connect)(struct socket *s, const void *addr, uint32_t len,
		       bool nonblock);		      /* EOPNOTSUPP */
	int (*listen)(struct socket *s, int backlog); /* EOPNOTSUPP */
	int (*accept)(struct socket *s, bool nonblock,
		      struct socket **out); /* EOPNOTSUPP */
	int (*name)(struct socket *s, bool peer, void *addr, uint32_t *len);
	/* Bytes or -errno; m is never NULL.  -EPIPE: the caller sends the
	 * signal, if socket_sigpipe(). */
	ssize_t (*send)(struct socket *s, struct uio *u, struct sock_msg *m);
	ssize_t (*recv)(struct socket *s, struct uio *u, struct sock_msg *m);
	/* Sends len bytes that lie in n pieces of pages; takes references of
	 * its own to what it keeps.  Bytes or -errno, as send.  NULL: the
	 * layer copies. */
	ssize_t (*send_pages)(struct socket *s, const struct page_piece *v,
			      unsigned n, struct sock_msg *m);
	int (*shutdown)(struct socket *s, int how); /* EOPNOTSUPP */
	/* Options that the common layer does not keep; value and length as
	 * the program gave them (get: val has room for *len, at most OPT_MAX,
	 * and *len becomes what was filled).  -ENOPROTOOPT: not known.  NULL:
	 * EOPNOTSUPP. */
	int (*getopt)(struct socket *s, int level, int name, void *val,
		      uint32_t *len);
	int (*setopt)(struct socket *s, int level, int name, const void *val,
		      uint32_t len);
	/* A common option (SO_*) was stored. */
	void (*changed)(struct socket *s, int name);
	uint32_t (*poll)(struct socket *s, struct poll_table *pt);
	/* -ENOTTY: the layer's own and the interfaces' are tried. */
	long (*ioctl)(struct socket *s, unsigned cmd, uint64_t arg);
	int (*mmap)(struct socket *s, struct file_mmap *m); /* ENODEV */
	void (*release)(struct socket *s);
};

#define OPT_MAX	   16384u /* of an option's value, out */
#define OPT_MAX_IN 16384u /* in */

/* Bits of socket->opts, changed atomically. */
#define SOCKOPT_DEBUG	    (1u << 0)
#define SOCKOPT_REUSEADDR   (1u << 1)
#define SOCKOPT_REUSEPORT   (1u << 2)
#define SOCKOPT_DONTROUTE   (1u << 3)
#define SOCKOPT_BROADCAST   (1u << 4)
#define SOCKOPT_KEEPALIVE   (1u << 5)
#define SOCKOPT_OOBINLINE   (1u << 6)
#define SOCKOPT_NO_CHECK    (1u << 7)
#define SOCKOPT_LINGER	    (1u << 8)
#define SOCKOPT_PASSCRED    (1u << 9)
#define SOCKOPT_TIMESTAMP   (1u << 10) /* SCM_TIMESTAMP goes out */
#define SOCKOPT_TIMESTAMPNS (1u << 11) /* with nanoseconds */
#define SOCKOPT_TS_NEW	    (1u << 12) /* under the new numbers */
#define SOCKOPT_RXQ_OVFL    (1u << 13)
#define SOCKOPT_ERR_QUEUE   (1u << 14) /* SO_SELECT_ERR_QUEUE */
#define SOCKOPT_LOCK_FILTER (1u << 15)
#define SOCKOPT_SNDBUF_SET  (1u << 16) /* by the program: no autotuning */
#define SOCKOPT_RCVBUF_SET  (1u << 17)
#define SOCKOPT_STAMPING    (1u << 18) /* SCM_TIMESTAMPING of what comes */

struct socket {
	const struct socket_ops *ops;	   /* [I] */
	uint16_t family, type, protocol;   /* [I] */
	bool listening;			   /* [a] SO_ACCEPTCONN */
	uint32_t opts;			   /* [a] SOCKOPT_* */
	struct file *file;		   /* [a] set once */
	uint64_t ino;			   /* [I] the cookie as well */
	uint64_t rcvtimeo_ns, sndtimeo_ns; /* [a] 0: none; SOCK_TIMEO_NOW */
	uint32_t rcvbuf, sndbuf;  /* [a] as getsockopt tells: doubled */
	int rcvlowat;		  /* [a] at least 1 */
	int linger_s;		  /* [a] with SOCKOPT_LINGER */
	int error;		  /* [a] SO_ERROR: positive errno */
	int priority;		  /* [a] */
	uint32_t mark;		  /* [a] */
	int ifindex;		  /* [a] SO_BINDTODEVICE; 0: any */
	int busy_poll;		  /* [a] microseconds */
	int stamping;		  /* [a] SO_TIMESTAMPING */
	int peek_off;		  /* [a] SO_PEEK_OFF; -1: off */
	int incoming_cpu;	  /* [a] -1: not known */
	uint32_t uid;		  /* [I] who made it */
	uint64_t pacing;	  /* [a] SO_MAX_PACING_RATE */
	uint64_t stamp_ns;	  /* [a] of the last packet: SIOCGSTAMP */
	struct sock_prog *filter; /* [q] SO_ATTACH_FILTER: bpf.h */
};

#define SOCK_TIMEO_NOW UINT64_MAX /* a time-out in the past */

/* Sizes of buffers, doubled as Linux tells them (socket(7)). */
#define SOCK_BUF_DEFAULT 212992u
#define SOCK_BUF_MAX	 4194304u /* what the program may ask for, undoubled */
#define SOCK_SNDBUF_MIN	 4608u
#define SOCK_RCVBUF_MIN	 2304u

/* Fills what is common; the family's own memory is zero. */
void socket_init(struct socket *s, const struct socket_ops *ops, int family,
		 int type, int protocol);
/* An accepted socket has its listener's options. */
void socket_inherit(struct socket *s, const struct socket *listener);
/* The counterpart, in ops->release: drops the filter. */
void socket_fini(struct socket *s);
unsigned socket_count(void);

/* -EAFNOSUPPORT, -EPROTONOSUPPORT, -ESOCKTNOSUPPORT, -ENOMEM. */
MUST_CHECK int socket_create(int family, int type, int protocol,
			     struct socket **out);
MUST_CHECK int socket_pair(int family, int type, int protocol,
			   struct socket *out[2]);
/* Takes the socket over, on success only. */
MUST_CHECK int socket_file(struct socket *s, unsigned flags, struct file **out);
/* Who is told of urgent data (F_SETOWN); 0: nobody.  The socket's lock is held,
 * and it is not closed. */
int sock_owner(const struct socket *s);
/* NULL: not a socket. */
struct socket *socket_of(struct file *f);
/* netlink.c.  An AF_NETLINK socket?  -ENOTSOCK, -EINVAL.  And a datagram from
 * the kernel to one. */
MUST_CHECK int netlink_check(struct file *f);
void netlink_tell(struct file *f, const void *data, uint32_t len);

/* Does a send that answers EPIPE come with SIGPIPE? */
static inline bool
socket_sigpipe(const struct socket *s)
{
	return s->type == SOCK_STREAM && s->family != AF_VSOCK;
}

/* A family: a line in socket.c's table, or a klib's.  pair may be NULL. */
struct socket_family {
	int family;
	int (*create)(int type, int protocol, struct socket **out);
	int (*pair)(int type, int protocol, struct socket *out[2]);
};
extern const struct socket_family unix_family, netlink_family, packet_family;
/* For klibs, before the program runs.  -EEXIST. */
MUST_CHECK int socket_register(const struct socket_family *f);

static inline bool
sock_opt(const struct socket *s, uint32_t bits)
{
	return READ_ONCE(s->opts) & bits;
}

/* ---- for the families ---- */

/* When a wait for this call ends: 0 (at once) with MSG_DONTWAIT, TIME_NEVER,
 * or by SO_RCVTIMEO, SO_SNDTIMEO. */
uint64_t sock_deadline(const struct socket *s, bool send, int flags);
/* What the call answers after wait_sleep() said err: -ERESTARTSYS without a
 * time-out, -EINTR with one, -EAGAIN when it has passed. */
int sock_wait_error(const struct socket *s, bool send, int err);

/* The pending error, as -errno, cleared; 0. */
int sock_take_error(struct socket *s);
void sock_set_error(struct socket *s, int err); /* -errno or errno */

/* recv: one piece of control data.  What does not fit is cut and told as
 * MSG_CTRUNC, as Linux does. */
void sock_cmsg_put(struct sock_msg *m, int level, int type, const void *data,
		   size_t len);
/* recv: the time stamp that the program asked for, of a packet that came at
 * ns (CLOCK_REALTIME). */
void sock_cmsg_stamp(struct socket *s, struct sock_msg *m, uint64_t ns);
/* send: walks m->control; *at starts at 0; false at the end. */
bool sock_cmsg_next(const struct sock_msg *m, uint32_t *at, struct cmsghdr *h,
		    const uint8_t **data);
void sock_files_free(struct sock_files *f); /* NULL: nothing */

/* Linux's way with int options: -EINVAL when len is short. */
MUST_CHECK int sock_opt_int(const void *val, uint32_t len, int *out);
/* The other way: cuts to *len. */
int sock_put_int(void *val, uint32_t *len, int v);
/* Effective capability of the calling thread. */
bool sock_capable(unsigned cap);

/* ---- for the system calls (sockopt.c) ---- */

MUST_CHECK int socket_setopt(struct socket *s, int level, int name,
			     const void *val, uint32_t len);
MUST_CHECK int socket_getopt(struct socket *s, int level, int name, void *val,
			     uint32_t *len);
long socket_ioctl(struct socket *s, unsigned cmd, uint64_t arg);
/* ioctls on interfaces (ifioctl.c): -ENOTTY: none of them. */
long netif_ioctl(const struct socket *s, unsigned cmd, uint64_t arg);
/* Counts an option that is not there. */
void socket_count_missing(bool set, int level, int name);
/* Options that were asked for in vain, told at exit: fn for each. */
void socket_missing_opts(void (*fn)(const char *text, uint32_t count));

/* Boot: who sends SIGURG to the owner of a socket (F_SETOWN); any context. */
void sock_on_urgent(void (*fn)(int pid));
/* owner 0: nobody is told. */
void sock_signal_urgent(int owner);
/* Boot: /proc/net, /proc/sys/net, /sys/class/net. */
void procnet_init(void);
/* Boot: members of netlink's groups are told of changes from here on. */
void rtnl_init(void);
