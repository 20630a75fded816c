/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket layer: what the system calls see of every family.
 *
 * A family fills struct socket_ops; a socket is a file whose priv is the
 * struct socket.  Addresses are kernel copies.  Operations may sleep.
 */
#pragma once

#include <abi/socket.h>
#include <base/compiler.h>
#include <base/types.h>

struct file;
struct uio;
struct poll_table;
struct socket;
struct cred;

#define SOCKADDR_MAX 128

/* One message on its way: what goes beside the data. */
struct sock_msg {
	int flags;		/* in: MSG_*; out: MSG_TRUNC, MSG_CTRUNC ... */
	uint8_t addr[SOCKADDR_MAX]; /* in: destination; out: sender */
	uint32_t addrlen;	/* 0: none */
	struct file *files[SCM_MAX_FD]; /* references travel with the message */
	unsigned nfiles;
	bool has_cred;
	struct ucred cred;
};

struct socket_ops {
	int (*bind)(struct socket *s, const void *addr, uint32_t len);
	int (*connect)(struct socket *s, const void *addr, uint32_t len,
		       bool nonblock);
	int (*listen)(struct socket *s, int backlog);
	int (*accept)(struct socket *s, bool nonblock, struct socket **out);
	int (*name)(struct socket *s, bool peer, void *addr, uint32_t *len);
	ssize_t (*send)(struct socket *s, struct uio *u, struct sock_msg *m,
			bool nonblock);
	ssize_t (*recv)(struct socket *s, struct uio *u, struct sock_msg *m,
			bool nonblock);
	int (*shutdown)(struct socket *s, int how);
	/* -ENOPROTOOPT: not known. */
	int (*getopt)(struct socket *s, int level, int name, void *val,
		      uint32_t *len);
	int (*setopt)(struct socket *s, int level, int name, const void *val,
		      uint32_t len);
	uint32_t (*poll)(struct socket *s, struct poll_table *pt);
	long (*ioctl)(struct socket *s, unsigned cmd, uint64_t arg);
	void (*release)(struct socket *s);
};

struct socket {
	const struct socket_ops *ops;
	int family, type, protocol;
	uint64_t ino;
};

/* -EAFNOSUPPORT, -EPROTONOSUPPORT, -ESOCKTNOSUPPORT, -ENOMEM. */
MUST_CHECK int socket_create(int family, int type, int protocol,
			     struct socket **out);
MUST_CHECK int socket_pair(int family, int type, int protocol,
			   struct socket *out[2]);
/* Takes the socket over, on success only. */
MUST_CHECK int socket_file(struct socket *s, unsigned flags,
			   struct file **out);
/* NULL: not a socket. */
struct socket *socket_of(struct file *f);

/* unix.c */
MUST_CHECK int unix_create(int type, int protocol, struct socket **out);
MUST_CHECK int unix_pair(int type, int protocol, struct socket *out[2]);
