/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NETLINK_SOCK_DIAG: a listener, both ends of a connection, UDP and raw sockets
 * of both families, in a dump and each by itself; states, attributes that are
 * asked for; requests that are refused.  NEEDS: root
 * CALLS: sendto, recvfrom
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NSOCKS 8
static int fds[NSOCKS];
static const char *names[NSOCKS];
static unsigned nsocks;

static int
nl_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
}

static unsigned
inode(int fd)
{
	struct stat st;

	fstat(fd, &st);
	return (unsigned)st.st_ino;
}

static unsigned
port_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t l = sizeof(a);

	getsockname(fd, (void *)&a, &l);
	return a.sin6_port;
}

static void
attributes(const struct nlmsghdr *h, unsigned ext)
{
	const struct rtattr {
		unsigned short len, type;
	} *a = (void *)((char *)NLMSG_DATA(h) + sizeof(struct inet_diag_msg));
	long left = (long)h->nlmsg_len - (long)NLMSG_HDRLEN -
		    (long)sizeof(struct inet_diag_msg);
	unsigned seen[64] = { 0 };

	while (left >= (long)sizeof(*a) && a->len >= sizeof(*a)) {
		const unsigned char *v = (const void *)(a + 1);

		if (a->type < 64) {
			seen[a->type] = a->len - 4 + 1;
			if (a->type == INET_DIAG_SHUTDOWN ||
			    a->type == INET_DIAG_SKV6ONLY ||
			    a->type == INET_DIAG_PROTOCOL)
				printf(" [%u: %u]", a->type, *v);
			if (a->type == INET_DIAG_INFO)
				printf(" [info: state %u]", *v);
		}
		left -= NLMSG_ALIGN(a->len);
		a = (const void *)((const char *)a + NLMSG_ALIGN(a->len));
	}
	for (unsigned i = INET_DIAG_MEMINFO; i <= INET_DIAG_SKMEMINFO; i++)
		if (ext & 1u << (i - 1) && i != INET_DIAG_VEGASINFO &&
		    i != INET_DIAG_INFO && i != INET_DIAG_CONG && seen[i])
			printf(" (%u: %u)", i, seen[i] - 1);
	if (ext & 1u << (INET_DIAG_CONG - 1) && seen[INET_DIAG_CONG])
		printf(" (name)");
}

static void
print(const struct nlmsghdr *h, unsigned ext)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	char src[64], dst[64];
	unsigned i;

	for (i = 0; i < nsocks && inode(fds[i]) != m->idiag_inode; i++)
		;
	if (i == nsocks)
		return;
	inet_ntop(m->idiag_family, m->id.idiag_src, src, sizeof(src));
	inet_ntop(m->idiag_family, m->id.idiag_dst, dst, sizeof(dst));
	printf("%s: type %u flags %x family %u state %u timer %u retrans %u "
	       "%s%s %s %s if %u queues %u %u uid %u",
	       names[i], h->nlmsg_type, h->nlmsg_flags, m->idiag_family,
	       m->idiag_state, m->idiag_timer, m->idiag_retrans, src,
	       m->id.idiag_sport == port_of(fds[i]) ? " (port)" : "", dst,
	       m->id.idiag_dport ? "(port)" : "", m->id.idiag_if,
	       m->idiag_rqueue, m->idiag_wqueue, m->idiag_uid);
	attributes(h, ext);
	printf("\n");
}

/* Lines come in an order that is not said: each socket is asked apart. */
static void
ask(const char *what, const void *req, size_t len, int flags, unsigned ext)
{
	static char buf[1 << 16];
	struct {
		struct nlmsghdr h;
		char body[200];
	} r = { .h = { .nlmsg_len = (unsigned)(NLMSG_HDRLEN + len),
		       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags),
		       .nlmsg_seq = 7 } };
	int fd = nl_open(), more = 1;

	memcpy(r.body, req, len);
	send(fd, &r, r.h.nlmsg_len, 0);
	printf("-- %s\n", what);
	while (more) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
		struct nlmsghdr *h = (void *)buf;

		if (n <= 0)
			break;
		for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			struct nlmsgerr *e = NLMSG_DATA(h);

			if (h->nlmsg_type == NLMSG_DONE) {
				more = 0;
			} else if (h->nlmsg_type == NLMSG_ERROR) {
				printf("error %s\n",
				       strerrorname_np(-e->error));
				more = 0;
			} else {
				print(h, ext);
			}
		}
		if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
			more = 0;
	}
	close(fd);
}

static void
dump(const char *what, int family, int protocol, unsigned states, unsigned ext,
     unsigned short sport)
{
	struct inet_diag_req_v2 q = { .sdiag_family = (__u8)family,
				      .sdiag_protocol = (__u8)protocol,
				      .idiag_ext = (__u8)ext,
				      .idiag_states = states };

	q.id.idiag_sport = sport;
	ask(what, &q, sizeof(q), NLM_F_DUMP, ext);
}

static int
add(const char *name, int fd)
{
	names[nsocks] = name;
	fds[nsocks++] = fd;
	return fd;
}

static void
each(int family)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_addr = in6addr_loopback };
	void *a = family == AF_INET ? (void *)&v4 : (void *)&v6;
	socklen_t l = family == AF_INET ? sizeof(v4) : sizeof(v6), k;
	unsigned all = ~0u, ext = 0xff & ~(1u << (INET_DIAG_VEGASINFO - 1));
	struct inet_diag_req_v2 q = { .sdiag_family = (__u8)family,
				      .sdiag_protocol = IPPROTO_TCP,
				      .idiag_states = all };
	struct {
		unsigned char b[sizeof(struct sockaddr_in6)];
	} local;
	int s, c, u;
	unsigned short lp;

	printf("==== family %d\n", family);
	nsocks = 0;
	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s = add("listener", socket(family, SOCK_STREAM, 0));
	bind(s, a, l);
	listen(s, 5);
	k = sizeof(local);
	getsockname(s, (void *)&local, &k);
	memcpy(a, &local, l);
	lp = (unsigned short)port_of(s);
	c = add("client", socket(family, SOCK_STREAM, 0));
	connect(c, a, l);
	dump("waits to be accepted", family, IPPROTO_TCP, 1u << TCP_LISTEN, 0,
	     lp);
	add("server", accept(s, NULL, NULL));
	send(c, "1234", 4, 0);
	dump("listeners", family, IPPROTO_TCP, 1u << TCP_LISTEN, ext, lp);
	dump("client", family, IPPROTO_TCP, all, 0, (unsigned short)port_of(c));
	dump("client, more", family, IPPROTO_TCP, all,
	     ext & ~(1u << (INET_DIAG_MEMINFO - 1)),
	     (unsigned short)port_of(c));
	dump("established at the listener's port", family, IPPROTO_TCP,
	     1u << TCP_ESTABLISHED, 0, lp);
	shutdown(c, SHUT_WR);
	dump("the other half", family, IPPROTO_TCP, 1u << TCP_CLOSE_WAIT, 0,
	     lp);
	/* The listener alone. */
	q.id.idiag_sport = lp;
	memcpy(q.id.idiag_src,
	       family == AF_INET ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr,
	       family == AF_INET ? 4 : 16);
	q.id.idiag_cookie[0] = q.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	ask("one", &q, sizeof(q), 0, 0);
	q.id.idiag_cookie[1] = 0x1234;
	ask("another's cookie", &q, sizeof(q), 0, 0);
	q.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	q.id.idiag_sport = 0xffff;
	ask("none", &q, sizeof(q), 0, 0);

	u = add("udp", socket(family, SOCK_DGRAM, 0));
	memset(&v4.sin_port, 0, 2);
	v6.sin6_port = 0;
	bind(u, a, l);
	dump("udp", family, IPPROTO_UDP, all, 0, (unsigned short)port_of(u));
	connect(u, (void *)&local, l);
	dump("udp, connected", family, IPPROTO_UDP, 1u << TCP_ESTABLISHED, 0,
	     (unsigned short)port_of(u));
	dump("udp, none", family, IPPROTO_UDP, 1u << TCP_LISTEN, 0,
	     (unsigned short)port_of(u));
	for (unsigned i = 0; i < nsocks; i++)
		close(fds[i]);
	nsocks = 0;
}

int
main(void)
{
	struct inet_diag_req_v2 q = { .sdiag_family = AF_INET,
				      .sdiag_protocol = 200 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	each(AF_INET);
	each(AF_INET6);
	ask("short", &q, 1, NLM_F_DUMP, 0);
	ask("half", &q, 20, NLM_F_DUMP, 0);
	q.sdiag_protocol = IPPROTO_TCP;
	q.sdiag_family = 77;
	ask("no family", &q, sizeof(q), NLM_F_DUMP, 0);
	return 0;
}
