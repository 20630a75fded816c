/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is bound to which port, and who is connected to whom; all with
 * vsock_lock.
 *
 * A connection is found by the peer's address and the own port, and by the
 * way it goes: what comes from the device never reaches a connection within
 * the machine.  Sockets that were accepted share their listener's port and
 * are not in the table of ports.
 */
#include "vsock.h"

#include <abi/errno.h>
#include <abi/prctl.h>
#include <base/hash.h>
#include <dev/random.h>

#define BUCKETS	   256u
#define PORT_FIRST (VSOCK_PORT_RESERVED + 1)
#define PORT_TRIES 256u /* of ports chosen at random */

static struct hlist_head ports[BUCKETS], peers[BUCKETS]; /* [vsock_lock] */

static struct hlist_head *
port_bucket(uint32_t port)
{
	return &ports[hash_u64(port) % BUCKETS];
}

/* cid VMADDR_CID_ANY meets all. */
static struct vsock_sock *
find_port(uint32_t cid, uint32_t port)
{
	struct hlist_node *n;

	hlist_for_each(n, port_bucket(port)) {
		struct vsock_sock *s =
			container_of(n, struct vsock_sock, port_link);

		if (s->port == port &&
		    (s->cid == cid || s->cid == VMADDR_CID_ANY ||
		     cid == VMADDR_CID_ANY))
			return s;
	}
	return NULL;
}

static void
insert(struct vsock_sock *s, uint32_t cid, uint32_t port)
{
	s->cid = cid;
	s->port = port;
	s->bound = true;
	hlist_add(port_bucket(port), &s->port_link);
}

static int
any_port(struct vsock_sock *s, uint32_t cid)
{
	for (unsigned i = 0; i < PORT_TRIES; i++) {
		uint32_t port;

		random_bytes(&port, sizeof(port));
		if (port < PORT_FIRST || port == VMADDR_PORT_ANY ||
		    find_port(cid, port))
			continue;
		insert(s, cid, port);
		return 0;
	}
	return -EADDRNOTAVAIL;
}

int
vsock_bind_port(struct vsock_sock *s, uint32_t cid, uint32_t port)
{
	if (port == VMADDR_PORT_ANY)
		return any_port(s, cid);
	if (port <= VSOCK_PORT_RESERVED && !sock_capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	if (find_port(cid, port))
		return -EADDRINUSE;
	insert(s, cid, port);
	return 0;
}

void
vsock_unbind_port(struct vsock_sock *s)
{
	hlist_del(&s->port_link);
	s->bound = false;
}

struct vsock_sock *
vsock_find_listener(uint32_t cid, uint32_t port)
{
	struct vsock_sock *s = find_port(cid, port);

	return s && s->state == VSOCK_LISTENING ? s : NULL;
}

/* ---- connections ---- */

static struct hlist_head *
peer_bucket(uint32_t peer_cid, uint32_t peer_port, uint32_t port)
{
	uint64_t key = (uint64_t)peer_cid << 32 | peer_port;

	return &peers[hash_u64(hash_u64(key) ^ port) % BUCKETS];
}

void
vsock_add_peer(struct vsock_sock *s)
{
	vsock_get(s);
	hlist_add(peer_bucket(s->peer_cid, s->peer_port, s->port),
		  &s->peer_link);
}

void
vsock_del_peer(struct vsock_sock *s)
{
	if (hlist_unhashed(&s->peer_link))
		return;
	hlist_del(&s->peer_link);
	vsock_put(s);
}

struct vsock_sock *
vsock_find_peer(bool near, const struct virtio_vsock_hdr *h)
{
	struct hlist_node *n;

	if (h->src_cid > UINT32_MAX)
		return NULL;
	hlist_for_each(n, peer_bucket((uint32_t)h->src_cid, h->src_port,
				      h->dst_port)) {
		struct vsock_sock *s =
			container_of(n, struct vsock_sock, peer_link);

		if (s->near == near && s->peer_cid == h->src_cid &&
		    s->peer_port == h->src_port && s->port == h->dst_port)
			return s;
	}
	return NULL;
}

void
vsock_each_peer(void (*fn)(struct vsock_sock *s))
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		struct hlist_node *n = peers[i].first, *next;

		for (; n; n = next) {
			next = n->next;
			fn(container_of(n, struct vsock_sock, peer_link));
		}
	}
}
