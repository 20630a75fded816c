/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX inside: the socket, the message, and what the files share.
 *
 * unix.c	life, names, options, readiness
 * unix_conn.c	listening, connecting, accepting, shutting down
 * unix_msg.c	sending and receiving
 * unix_oob.c	urgent data
 * unix_gc.c	descriptors in flight; cycles of them
 *
 * Locks: unix_lock (spin) guards names, states, peers, backlogs and
 * descriptors in flight of all sockets; it is not taken for data on a
 * connected stream.  Each socket's queue has a spin lock of its own, inside
 * unix_lock.  No interrupt takes either.  The reader mutex makes one reader
 * at a time of those that may leave a message half read; memory is copied
 * with it held, which may fault, so it ranks outside the address space.
 *
 * Life: a socket has one reference of its file (or of the backlog that it
 * waits in), one of each socket whose peer it is, one of each datagram that
 * it sent.  A stream's or sequenced packets' peer is set once, before state
 * becomes CONNECTED, and stays, closed or not, until the socket itself is
 * released: no lock is needed to use it.  A datagram socket's peer changes.
 */
#pragma once

#include <base/hlist.h>
#include <base/list.h>
#include <base/refcount.h>
#include <core/spinlock.h>
#include <net/socket.h>
#include <sched/mutex.h>

struct inode;

enum unix_state { UNIX_OPEN, UNIX_LISTEN, UNIX_CONNECTED, UNIX_CLOSED };

#define UNIX_SHUT_READ	1u
#define UNIX_SHUT_WRITE 2u
#define UNIX_SHUT_BOTH	3u

struct unix_msg {
	struct list link;
	uint32_t len, off;
	uint32_t cost; /* counts against the sender's buffer */
	struct ucred cred;
	struct unix_sock *from;	  /* datagrams: referenced */
	struct sock_files *files; /* in flight; NULL: none */
	uint8_t data[];
};

struct unix_sock {
	struct socket sock; /* first */
	struct refcount refs;
	uint32_t state;		/* [unix_lock w, a] enum unix_state */
	uint32_t shut;		/* [unix_lock w, a] UNIX_SHUT_* */
	struct unix_sock *peer; /* [unix_lock; connected: a] referenced */

	struct spinlock lock;  /* RANK_EVENT: the queue */
	bool dead;	       /* [lock] nobody will read any more */
	struct list queue;     /* [lock] struct unix_msg */
	uint32_t queued;       /* [lock w, a] cost of the queue */
	uint32_t nqueued;      /* [lock w, a] messages */
	uint32_t readable;     /* [lock w, a] bytes */
	struct unix_msg *oob;  /* [lock w, a] in the queue: unix_oob.c */
	uint32_t dgram_qlen;   /* [I] datagrams that wait here of those who did
				* not connect to us: max_dgram_qlen */
	uint32_t wmem;	       /* [a] cost of own datagrams that are queued */
	struct mutex reader;   /* RANK_FILEPOS */
	struct waitq read_wq;  /* data, connections, ends */
	struct waitq write_wq; /* room */

	struct ucred peer_cred; /* [unix_lock w] of connect or listen */
	bool has_peer_cred;
	struct cred *peer_groups; /* [unix_lock w] whose groups they are that
				   * SO_PEERGROUPS tells; referenced */
	struct ucred cred;	  /* [unix_lock] a listener's */
	struct sockaddr_un addr;  /* [unix_lock w] written once */
	uint32_t addrlen;	  /* [unix_lock w, a] 0: no name */
	struct inode *inode;	  /* [unix_lock] bound to a path: referenced */
	struct hlist_node names;  /* [unix_lock] in the table of names */
	struct list all;	  /* [unix_lock] */

	struct list clients;	 /* [unix_lock] datagrams: whose peer we are */
	struct list client_link; /* [unix_lock] in the peer's clients */
	struct list backlog;	 /* [unix_lock] connected, not yet accepted */
	struct list backlog_link;
	unsigned nbacklog, backlog_max; /* [unix_lock] */

	/* [unix_lock] unix_gc.c */
	unsigned inflight; /* references to our file in messages */
	long gc_refs;
	bool gc_candidate;
	struct list inflight_link, gc_link;
};

extern struct spinlock unix_lock;
extern struct list unix_all; /* [unix_lock] */

static inline struct unix_sock *
unix_of(struct socket *s)
{
	return container_of(s, struct unix_sock, sock);
}

static inline bool
unix_is_stream(const struct unix_sock *u)
{
	return u->sock.type == SOCK_STREAM;
}

static inline bool
unix_is_dgram(const struct unix_sock *u)
{
	return u->sock.type == SOCK_DGRAM;
}

/* Streams and sequenced packets: the peer stays, see above. */
static inline struct unix_sock *
unix_connected(const struct unix_sock *u)
{
	return __atomic_load_n(&u->state, __ATOMIC_ACQUIRE) == UNIX_CONNECTED ?
		       u->peer :
		       NULL;
}

/* unix.c */
extern const struct socket_ops unix_stream_ops, unix_packet_ops;
struct unix_sock *unix_new(int type); /* NULL: no memory */
void unix_put(struct unix_sock *u);
void unix_release(struct socket *s);
void unix_my_cred(struct ucred *c);
/* unix_lock is held, or nobody else knows u; c: the current one's, or that of
 * another socket; NULL: none. */
void unix_set_groups(struct unix_sock *u, struct cred *c);
MUST_CHECK int unix_check_addr(const void *addr, uint32_t len,
			       const struct sockaddr_un **out);
/* Who is bound to this name and of this type; with a reference.
 * -ECONNREFUSED, -EPROTOTYPE, or of the path. */
MUST_CHECK int unix_find(const struct sockaddr_un *sa, uint32_t len, int type,
			 struct unix_sock **out);
MUST_CHECK int unix_autobind(struct unix_sock *u);
/* The sender's side: is there room for more at to, and for poll's POLLOUT? */
bool unix_writable(const struct unix_sock *u);
bool unix_dgram_full(const struct unix_sock *u, const struct unix_sock *to);
void unix_wake_ends(struct unix_sock *u);

/* unix_conn.c */
void unix_join(struct unix_sock *a, struct unix_sock *b);
int unix_listen(struct socket *s, int backlog);
int unix_connect(struct socket *s, const void *addr, uint32_t len,
		 bool nonblock);
int unix_connect_dgram(struct socket *s, const void *addr, uint32_t len,
		       bool nonblock);
int unix_accept(struct socket *s, bool nonblock, struct socket **out);
int unix_shutdown(struct socket *s, int how);
/* Leaves the datagram peer; unix_lock is held.  Its reference is returned. */
struct unix_sock *unix_leave_peer(struct unix_sock *u);

/* unix_msg.c */
ssize_t unix_send_stream(struct socket *s, struct uio *uio,
			 struct sock_msg *sm);
ssize_t unix_recv_stream(struct socket *s, struct uio *uio,
			 struct sock_msg *sm);
ssize_t unix_send_packet(struct socket *s, struct uio *uio,
			 struct sock_msg *sm);
ssize_t unix_recv_packet(struct socket *s, struct uio *uio,
			 struct sock_msg *sm);
/* Takes all messages away and lets no more in. */
void unix_purge(struct unix_sock *u);

/* Puts m at the end of the queue; its lock is held.  false: nobody will read
 * it. */
bool unix_enqueue_locked(struct unix_sock *to, struct unix_msg *m);

/* unix_oob.c */
/* m is one byte, and the mark from now on.  false: as above. */
bool unix_enqueue_oob(struct unix_sock *to, struct unix_msg *m);
/* The reader's mutex is held.  What becomes of m, the mark or without a byte,
 * in a read that has some bytes or none. */
enum unix_mark { MARK_NONE, MARK_STOP, MARK_SKIP, MARK_DROP };
enum unix_mark unix_mark_at(struct unix_sock *u, struct unix_msg *m, bool some,
			    bool peek);
ssize_t unix_recv_oob(struct unix_sock *u, struct uio *uio,
		      struct sock_msg *sm);
bool unix_oob_readable(struct unix_sock *u); /* more than the mark */
uint32_t unix_oob_poll(struct unix_sock *u);
bool unix_at_mark(struct unix_sock *u);

/* unix_log.c */
/* Who answers to a path that is not there, with a reference: -ENOENT, of
 * /dev/log 0 or why not. */
MUST_CHECK int unix_log_find(const char *path, int type,
			     struct unix_sock **out);
bool unix_is_log(const struct unix_sock *u);
void unix_log_tell(const uint8_t *p, uint32_t len);

/* unix_gc.c */
/* The descriptors are in a message from now on: -ETOOMANYREFS. */
MUST_CHECK int unix_inflight(struct sock_files *f);
void unix_not_inflight(struct sock_files *f);
/* Frees a list of messages, and puts the files in them; a file that is a
 * socket with messages does not recurse. */
void unix_free_messages(struct list *msgs);
void unix_gc(void); /* if there is need for it */
