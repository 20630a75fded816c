/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multicast groups of a socket, and from whom it hears them (RFC 3376, 3;
 * RFC 3678).
 *
 * A membership has a filter: those who are heard or those who are not.  It is
 * read by who brings a datagram, without a lock of ours: a change makes a new
 * one and frees the old one when nobody can be looking at it.  Interfaces are
 * told what all members of a group want together (RFC 3376, 3.2), for their
 * routers to know; what comes all the same is sorted out here.
 *
 * Changes, of all sockets, are made by one thread at a time.
 */
#include <net/inet.h>

#include <abi/errno.h>
#include <abi/inet.h>
#include <base/atomic.h>
#include <base/math.h>
#include <base/string.h>
#include <core/reclaim.h>
#include <mem/heap.h>
#include <net/dgram.h>
#include <net/netif.h>
#include <sched/mutex.h>

#define GROUPS_MAX   20	  /* of one socket: igmp_max_memberships */
#define SOURCES_MAX4 10	  /* of one group: igmp_max_msf */
#define SOURCES_MAX6 64	  /* mld_max_msf */
#define ALL_MAX	     512u /* of all members of one group: MC_SOURCES_MAX */

static struct mutex changes;
static struct list members = LIST_INIT(members); /* [changes] all sockets' */

/* NULL in its place: everybody is heard. */
struct inet_filter {
	bool include; /* who is listed is heard; else who is not */
	bool listed;  /* it is a list, if empty: its kind stays as it is */
	unsigned n;
	struct inet_addr src[];
};

void
inet_mcast_init(void)
{
	mutex_init(&changes, RANK_SOCKET);
}

/* ---- memberships ---- */

static struct inet_group *
find(const struct inet_sock *sk, const struct inet_addr *a, int ifindex)
{
	struct inet_group *g;

	for (g = sk->groups; g; g = g->next)
		if (inet_same(&g->addr, a) &&
		    (!ifindex || g->ifindex == ifindex))
			return g;
	return NULL;
}

static struct inet_filter *
filter_new(bool include, bool listed, unsigned n)
{
	struct inet_filter *f =
		kmalloc(sizeof(*f) + n * sizeof(f->src[0]), ALLOC_KERNEL);

	if (f) {
		f->include = include;
		f->listed = listed;
		f->n = n;
	}
	return f;
}

/* ---- what all members want together ---- */

static bool
lists(const struct inet_filter *f, const struct inet_addr *src)
{
	for (unsigned i = 0; f && i < f->n; i++)
		if (inet_same(&f->src[i], src))
			return true;
	return false;
}

static bool
includes(const struct inet_filter *f)
{
	return f && f->include;
}

static struct inet_group *
next_member(const struct inet_group *of, struct inet_group *after)
{
	struct list *at = after ? after->all.next : members.next;

	for (; at != &members; at = at->next) {
		struct inet_group *g = list_entry(at, struct inet_group, all);

		if (g->ifindex == of->ifindex && inet_same(&g->addr, &of->addr))
			return g;
	}
	return NULL;
}

/* Nobody at all wants to hear it: all who exclude list it, none who includes
 * does. */
static bool
all_exclude(const struct inet_group *of, const struct inet_addr *src)
{
	struct inet_group *g = NULL;

	while ((g = next_member(of, g)))
		if (lists(g->filter, src) == includes(g->filter))
			return false;
	return true;
}

/* Candidates are the lists of those who include or, where somebody excludes,
 * the first such one's list. */
static struct inet_filter *
together(const struct inet_group *of)
{
	struct inet_group *g = NULL, *first = NULL;
	struct inet_filter *f;
	unsigned n = 0;

	while ((g = next_member(of, g))) {
		if (!first && !includes(g->filter))
			first = g;
		n += g->filter ? g->filter->n : 0;
	}
	if (n > ALL_MAX)
		return NULL; /* it is as if everybody were wanted */
	f = filter_new(!first, true, n);
	if (!f)
		return NULL;
	f->n = 0;
	for (g = NULL; (g = next_member(of, g));) {
		const struct inet_filter *l = g->filter;

		if (first && g != first)
			continue;
		for (unsigned i = 0; l && i < l->n; i++)
			if (!lists(f, &l->src[i]) &&
			    (!first || all_exclude(of, &l->src[i])))
				f->src[f->n++] = l->src[i];
	}
	return f;
}

/* Without memory for it, routers are told that everybody is wanted. */
static void
tell_interface(const struct inet_group *of)
{
	struct inet_filter *f;

	if (!next_member(of, NULL))
		return; /* the last has left it */
	f = together(of);
	inet_far_filter(&of->addr, of->ifindex, f && f->include,
			f ? f->src : NULL, f ? f->n : 0);
	kfree(f);
}

static int
add_group(struct inet_sock *sk, const struct inet_addr *a, int ifindex,
	  bool include)
{
	struct inet_group *g;
	unsigned n = 0;
	int err;

	if (!inet_is_multicast(a))
		return -EINVAL;
	if (find(sk, a, ifindex))
		return -EADDRINUSE;
	for (g = sk->groups; g; g = g->next)
		n++;
	if (n >= GROUPS_MAX && inet_is_v4(a))
		return -ENOBUFS;
	g = kzalloc(sizeof(*g), ALLOC_KERNEL);
	if (!g)
		return -ENOBUFS;
	g->addr = *a;
	g->ifindex = ifindex;
	err = -ENOBUFS;
	if (include && !(g->filter = filter_new(true, false, 0)))
		goto fail;
	err = inet_far_group(a, &g->ifindex, true);
	if (err)
		goto fail;
	g->next = sk->groups;
	atomic_store_release(&sk->groups, g);
	list_add_tail(&members, &g->all);
	tell_interface(g);
	return 0;
fail:
	kfree(g->filter);
	kfree(g);
	return err;
}

static int
drop_group(struct inet_sock *sk, const struct inet_addr *a, int ifindex)
{
	struct inet_group **at, *g;

	for (at = &sk->groups; (g = *at); at = &g->next) {
		if (!inet_same(&g->addr, a) ||
		    (ifindex && g->ifindex != ifindex))
			continue;
		atomic_store_release(at, g->next);
		list_del(&g->all);
		ignore(inet_far_group(&g->addr, &g->ifindex, false));
		tell_interface(g);
		reclaim_barrier(); /* a datagram may be looking at it */
		kfree(g->filter);
		kfree(g);
		return 0;
	}
	return -EADDRNOTAVAIL;
}

void
inet_drop_groups(struct inet_sock *sk)
{
	if (!sk->groups)
		return; /* nobody else knows the socket any more */
	mutex_lock(&changes);
	while (sk->groups)
		ignore(drop_group(sk, &sk->groups->addr, sk->groups->ifindex));
	mutex_unlock(&changes);
}

/* ---- filters ---- */

bool
inet_hears(const struct inet_sock *sk, const struct inet_addr *group,
	   const struct inet_addr *src, int ifindex)
{
	const struct inet_group *g = find(sk, group, ifindex);
	const struct inet_filter *f;

	if (!g)
		return sk->mcast_all;
	f = atomic_load_acquire(&g->filter);
	return !f || lists(f, src) == f->include;
}

static void
replace(struct inet_group *g, struct inet_filter *f)
{
	struct inet_filter *old = g->filter;

	atomic_store_release(&g->filter, f);
	tell_interface(g);
	if (old) {
		reclaim_barrier(); /* a datagram may be looking at it */
		kfree(old);
	}
}

/* A copy with one more, or without one. */
static int
change(struct inet_group *g, bool include, bool add,
       const struct inet_addr *src)
{
	const struct inet_filter *o = g->filter;
	unsigned n = o ? o->n : 0, k = 0;
	struct inet_filter *f;

	f = filter_new(include, true, add ? n + 1 : n - 1);
	if (!f)
		return -ENOBUFS;
	for (unsigned i = 0; i < n; i++)
		if (add || !inet_same(&o->src[i], src))
			f->src[k++] = o->src[i];
	if (add)
		f->src[k++] = *src;
	f->n = k; /* a whole filter may have named one twice */
	replace(g, f);
	return 0;
}

/* An empty filter that is no list becomes of the kind that is asked for, even
 * where what is asked for fails, as Linux has it. */
static int
source(struct inet_sock *sk, const struct inet_addr *a, int ifindex,
       const struct inet_addr *src, bool include, bool add)
{
	unsigned most = inet_is_v4(a) ? SOURCES_MAX4 : SOURCES_MAX6;
	struct inet_group *g = find(sk, a, ifindex);
	struct inet_filter *f;
	bool has;

	if (!g)
		return -EINVAL;
	f = g->filter;
	if ((f && f->include) != include) {
		if (f && f->listed)
			return -EINVAL;
		f = NULL;
		if (include && !(f = filter_new(true, false, 0)))
			return -ENOBUFS;
		replace(g, f);
	}
	has = f && lists(f, src);
	if (has == add)
		return -EADDRNOTAVAIL;
	if (add && f && f->n >= most)
		return -ENOBUFS;
	/* Nobody is heard: it is as if it had left. */
	if (!add && include && f->n == 1)
		return drop_group(sk, &g->addr, g->ifindex);
	return change(g, include, add, src);
}

enum source_op { JOIN, LEAVE, BLOCK, UNBLOCK };

static int
do_source(struct inet_sock *sk, enum source_op op, const struct inet_addr *a,
	  int ifindex, const struct inet_addr *src)
{
	int err;

	if (!inet_is_multicast(a))
		return -EINVAL;
	if (op == JOIN) {
		err = add_group(sk, a, ifindex, true);
		if (err && err != -EADDRINUSE)
			return err;
	}
	return source(sk, a, ifindex, src, op == JOIN || op == LEAVE,
		      op == JOIN || op == BLOCK);
}

static int
set_filter(struct inet_sock *sk, const struct inet_addr *a, int ifindex,
	   struct inet_filter *f)
{
	struct inet_group *g;

	if (!inet_is_multicast(a)) {
		kfree(f);
		return -EINVAL;
	}
	if (f->include && !f->n) {
		kfree(f);
		return drop_group(sk, a, ifindex);
	}
	g = find(sk, a, ifindex);
	if (!g) {
		kfree(f);
		return -EINVAL;
	}
	f->listed = f->n != 0;
	replace(g, f);
	return 0;
}

/* ---- what a program says ---- */

int
inet_if_of_addr(uint32_t net, int *ifindex)
{
	struct net_addr a;
	unsigned cursor = 0;

	*ifindex = 0;
	if (!net)
		return 0;
	while (net_addr_next(&cursor, &a))
		if (a.family == AF_INET && !memcmp(a.addr, &net, 4)) {
			*ifindex = a.ifindex;
			return 0;
		}
	return -ENODEV;
}

static int
membership4(struct inet_sock *sk, bool join, const void *val, uint32_t len)
{
	struct ip_mreqn r = { 0 };
	struct inet_addr a;
	int err = 0;

	if (len < sizeof(struct ip_mreq))
		return -EINVAL;
	memcpy(&r, val, min_u64(len, sizeof(r)));
	if (!r.ifindex)
		err = inet_if_of_addr(r.address, &r.ifindex);
	if (err)
		return join ? err : -EADDRNOTAVAIL;
	a = inet_v4(r.multiaddr);
	return join ? add_group(sk, &a, r.ifindex, false) :
		      drop_group(sk, &a, r.ifindex);
}

static int
membership6(struct inet_sock *sk, bool join, const void *val, uint32_t len)
{
	struct ipv6_mreq r;
	struct inet_addr a;

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	memcpy(a.b, r.multiaddr, 16);
	if (inet_is_v4(&a))
		return -EINVAL;
	return join ? add_group(sk, &a, r.ifindex, false) :
		      drop_group(sk, &a, r.ifindex);
}

/* -EADDRNOTAVAIL: neither family. */
static int
any_addr(const uint8_t storage[128], struct inet_addr *a)
{
	struct sockaddr_in6 s6;
	struct sockaddr_in s4;

	memcpy(&s6, storage, sizeof(s6));
	memcpy(&s4, storage, sizeof(s4));
	if (s4.family == AF_INET)
		*a = inet_v4(s4.addr);
	else if (s6.family == AF_INET6)
		memcpy(a->b, s6.addr, 16);
	else
		return -EADDRNOTAVAIL;
	return 0;
}

static int
membership_any(struct inet_sock *sk, bool join, const void *val, uint32_t len)
{
	struct group_req r;
	struct inet_addr a;

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	if (any_addr(r.group, &a))
		return -EINVAL;
	return join ? add_group(sk, &a, (int)r.interface, false) :
		      drop_group(sk, &a, (int)r.interface);
}

static int
source4(struct inet_sock *sk, enum source_op op, const void *val, uint32_t len)
{
	struct ip_mreq_source r;
	struct inet_addr a, src;
	int err, ifindex;

	if (len != sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	a = inet_v4(r.multiaddr);
	src = inet_v4(r.source);
	err = inet_if_of_addr(r.interface, &ifindex);
	return err ? err : do_source(sk, op, &a, ifindex, &src);
}

static bool
fits(int level, const struct inet_addr *a)
{
	return inet_is_v4(a) == (level == IPPROTO_IP);
}

static int
source_any(struct inet_sock *sk, int level, enum source_op op, const void *val,
	   uint32_t len)
{
	struct group_source_req r;
	struct inet_addr a, src;
	struct net_if nif;

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	if (any_addr(r.group, &a) || any_addr(r.source, &src) ||
	    !fits(level, &a) || !fits(level, &src))
		return -EADDRNOTAVAIL;
	if (r.interface && net_if_get((int)r.interface, &nif))
		return -ENODEV;
	return do_source(sk, op, &a, (int)r.interface, &src);
}

static int
check_filter(uint32_t mode, uint32_t n, unsigned most, uint32_t room)
{
	if (n > most)
		return -ENOBUFS;
	if (n > room)
		return -EINVAL;
	return mode > MCAST_INCLUDE ? -EINVAL : 0;
}

static int
filter4(struct inet_sock *sk, const uint8_t *val, uint32_t len)
{
	struct ip_msfilter r;
	struct inet_filter *f;
	struct inet_addr a;
	int err, ifindex;

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	err = check_filter(r.mode, r.n, SOURCES_MAX4,
			   (len - (uint32_t)sizeof(r)) / 4);
	if (!err)
		err = inet_if_of_addr(r.interface, &ifindex);
	if (err)
		return err;
	f = filter_new(r.mode == MCAST_INCLUDE, false, r.n);
	if (!f)
		return -ENOBUFS;
	for (unsigned i = 0; i < r.n; i++) {
		uint32_t src;

		memcpy(&src, val + sizeof(r) + i * 4, 4);
		f->src[i] = inet_v4(src);
	}
	a = inet_v4(r.multiaddr);
	return set_filter(sk, &a, ifindex, f);
}

static int
filter_any(struct inet_sock *sk, int level, const uint8_t *val, uint32_t len)
{
	unsigned most = level == IPPROTO_IP ? SOURCES_MAX4 : SOURCES_MAX6;
	struct group_filter r;
	struct inet_filter *f;
	struct inet_addr a;
	int err;

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	err = check_filter(r.mode, r.n, most,
			   (len - (uint32_t)sizeof(r)) / SOURCE_SIZE);
	if (err)
		return err;
	if (any_addr(r.group, &a) || !fits(level, &a))
		return -EADDRNOTAVAIL;
	f = filter_new(r.mode == MCAST_INCLUDE, false, r.n);
	if (!f)
		return -ENOBUFS;
	for (unsigned i = 0; i < r.n && !err; i++) {
		uint8_t one[SOURCE_SIZE];

		memcpy(one, val + sizeof(r) + i * SOURCE_SIZE, SOURCE_SIZE);
		err = any_addr(one, &f->src[i]);
		if (!err && !fits(level, &f->src[i]))
			err = -EADDRNOTAVAIL;
	}
	if (err) {
		kfree(f);
		return err;
	}
	return set_filter(sk, &a, (int)r.interface, f);
}

static int
set(struct inet_sock *sk, int level, int name, const void *val, uint32_t len)
{
	if (level == IPPROTO_IP) {
		switch (name) {
		case IP_ADD_MEMBERSHIP:
		case IP_DROP_MEMBERSHIP:
			return membership4(sk, name == IP_ADD_MEMBERSHIP, val,
					   len);
		case IP_ADD_SOURCE_MEMBERSHIP:
			return source4(sk, JOIN, val, len);
		case IP_DROP_SOURCE_MEMBERSHIP:
			return source4(sk, LEAVE, val, len);
		case IP_BLOCK_SOURCE:
			return source4(sk, BLOCK, val, len);
		case IP_UNBLOCK_SOURCE:
			return source4(sk, UNBLOCK, val, len);
		case IP_MSFILTER:
			return filter4(sk, val, len);
		default:
			break;
		}
	} else if (name == IPV6_ADD_MEMBERSHIP ||
		   name == IPV6_DROP_MEMBERSHIP) {
		return membership6(sk, name == IPV6_ADD_MEMBERSHIP, val, len);
	}
	switch (name) {
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
		return membership_any(sk, name == MCAST_JOIN_GROUP, val, len);
	case MCAST_JOIN_SOURCE_GROUP:
		return source_any(sk, level, JOIN, val, len);
	case MCAST_LEAVE_SOURCE_GROUP:
		return source_any(sk, level, LEAVE, val, len);
	case MCAST_BLOCK_SOURCE:
		return source_any(sk, level, BLOCK, val, len);
	case MCAST_UNBLOCK_SOURCE:
		return source_any(sk, level, UNBLOCK, val, len);
	case MCAST_MSFILTER:
		return filter_any(sk, level, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

int
inet_mcast_setopt(struct inet_sock *sk, int level, int name, const void *val,
		  uint32_t len)
{
	int err;

	mutex_lock(&changes);
	err = set(sk, level, name, val, len);
	mutex_unlock(&changes);
	return err;
}

/* ---- what is read back ---- */

static int
get_filter4(struct inet_sock *sk, uint8_t *val, uint32_t *len)
{
	const struct inet_filter *f;
	const struct inet_group *g;
	struct ip_msfilter r;
	struct inet_addr a;
	unsigned room, n;
	int err, ifindex;

	if (*len < sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	a = inet_v4(r.multiaddr);
	if (!inet_is_multicast(&a))
		return -EINVAL;
	err = inet_if_of_addr(r.interface, &ifindex);
	if (err)
		return err;
	g = find(sk, &a, ifindex);
	if (!g)
		return -EADDRNOTAVAIL;
	f = g->filter;
	room = (unsigned)min_u64(r.n, (*len - sizeof(r)) / 4);
	r.mode = f && f->include ? MCAST_INCLUDE : MCAST_EXCLUDE;
	r.n = f ? f->n : 0;
	n = (unsigned)min_u64(r.n, room);
	memcpy(val, &r, sizeof(r));
	for (unsigned i = 0; i < n; i++)
		memcpy(val + sizeof(r) + i * 4, &f->src[i].w[3], 4);
	*len = (uint32_t)sizeof(r) + n * 4;
	return 0;
}

static int
get_filter_any(struct inet_sock *sk, int level, uint8_t *val, uint32_t *len)
{
	const struct inet_filter *f;
	const struct inet_group *g;
	struct group_filter r;
	struct inet_addr a;
	unsigned room, n;

	if (*len < sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	if (any_addr(r.group, &a) || !fits(level, &a))
		return -EADDRNOTAVAIL;
	if (!inet_is_multicast(&a))
		return -EINVAL;
	g = find(sk, &a, (int)r.interface);
	if (!g)
		return -EADDRNOTAVAIL;
	f = g->filter;
	room = (unsigned)min_u64(r.n, (*len - sizeof(r)) / SOURCE_SIZE);
	r.mode = f && f->include ? MCAST_INCLUDE : MCAST_EXCLUDE;
	r.n = f ? f->n : 0;
	n = (unsigned)min_u64(r.n, room);
	memcpy(val, &r, sizeof(r));
	for (unsigned i = 0; i < n; i++) {
		struct inet_end e = { .addr = f->src[i] };
		uint8_t *at = val + sizeof(r) + i * SOURCE_SIZE;

		memset(at, 0, SOURCE_SIZE);
		inet_addr_out(level == IPPROTO_IPV6, &e, at);
	}
	*len = (uint32_t)sizeof(r) + n * SOURCE_SIZE;
	return 0;
}

int
inet_mcast_getopt(struct inet_sock *sk, int level, int name, void *val,
		  uint32_t *len)
{
	bool v4 = level == IPPROTO_IP && name == IP_MSFILTER;
	int err;

	if (!v4 && name != MCAST_MSFILTER)
		return -ENOPROTOOPT;
	mutex_lock(&changes);
	err = v4 ? get_filter4(sk, val, len) :
		   get_filter_any(sk, level, val, len);
	mutex_unlock(&changes);
	return err;
}
