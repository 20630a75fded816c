/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_NETLINK inside: messages under construction, and what the protocol
 * NETLINK_ROUTE (rtnl.c) and the sockets (netlink.c) say to each other.
 */
#pragma once

#include <abi/netlink.h>
#include <base/compiler.h>
#include <base/types.h>

struct nl_sock;

/* A datagram under construction: whole messages, one after the other.
 * Without memory err is set and the rest does nothing. */
struct nl_buf {
	uint8_t *data;
	uint32_t len, cap;
	uint32_t at; /* where the message under construction starts */
	int err;
};

void nl_buf_free(struct nl_buf *b);
/* Starts a message with a family header of size bytes, zeroed: returned, and
 * good until the next call; NULL without memory. */
void *nl_begin(struct nl_buf *b, uint16_t type, uint16_t flags, uint32_t seq,
	       uint32_t pid, uint32_t size);
void nl_attr(struct nl_buf *b, uint16_t type, const void *p, uint32_t len);
void nl_attr_u32(struct nl_buf *b, uint16_t type, uint32_t v);
void nl_attr_u8(struct nl_buf *b, uint16_t type, uint8_t v);
void nl_attr_str(struct nl_buf *b, uint16_t type, const char *s);
void nl_end(struct nl_buf *b);

/* A request: its header, what follows, and who asks. */
struct nl_request {
	struct nl_sock *from;
	const struct nlmsghdr *hdr;
	const uint8_t *payload; /* of len bytes */
	uint32_t len;
	const char *why; /* for an error: extended acknowledgement */
};

/* The attribute of this type after a family header of size bytes: its value
 * and length; NULL. */
const void *nl_find(const struct nl_request *r, uint32_t size, uint16_t type,
		    uint32_t *len);
/* Attributes are well formed: -EINVAL. */
MUST_CHECK int nl_check(const struct nl_request *r, uint32_t size);

/* A datagram is cut here, so that a page holds it. */
#define NL_PIECE 3776u

/* Sends what is in the buffer to the one who asked, and empties it. */
MUST_CHECK int nl_reply(const struct nl_request *r, struct nl_buf *b);
/* To all members of a group of NETLINK_ROUTE, and empties it. */
void nl_multicast(unsigned group, struct nl_buf *b);
bool nl_has_members(unsigned group);
uint32_t nl_port(const struct nl_sock *s);
bool nl_strict(const struct nl_sock *s);

/* rtnl.c: does what is asked; a dump's end or an acknowledgement is the
 * caller's.  0 or -errno; *dump: it was one. */
int rtnl_request(struct nl_request *r, bool *dump);
/* sock_diag.c: the same for NETLINK_SOCK_DIAG. */
int diag_request(struct nl_request *r, bool *dump);
