/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's network; see net.h.
 *
 * User mode (QEMU's libslirp) is the default: no right is needed, and the
 * addresses are known before the machine starts, so they go into the run
 * block and nothing waits for DHCP.  A tap is opened here, by its name, and
 * QEMU gets the descriptor; its address comes by DHCP unless --ip says it.
 *
 * Everything that can fail is tried here, before QEMU: its own messages
 * speak of things that the user never named.
 */
#include "net.h"

#include "block.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BACKLOG		4096
#define USER_PREFIX_MAX 29 /* gateway, name server and the machine fit */

/* ---- values ---- */

const char *
net_check_net(const char *v)
{
	const char *name = v + 4;

	if (!strcmp(v, "user") || !strcmp(v, "none"))
		return NULL;
	if (strncmp(v, "tap=", 4))
		return "it must be user, tap=NAME or none";
	if (!*name || strlen(name) >= IFNAMSIZ || !strcmp(name, ".") ||
	    !strcmp(name, "..") || strpbrk(name, "/: \t\n"))
		return "it does not name an interface";
	return NULL;
}

static bool
parse_mac(const char *v, uint8_t mac[6])
{
	unsigned i;

	for (i = 0; i < 6; i++, v += 3) {
		char hex[3] = { v[0], v[0] ? v[1] : 0 };

		if (strlen(hex) != 2 ||
		    hex[strspn(hex, "0123456789abcdefABCDEF")] ||
		    v[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = strtoul(hex, NULL, 16);
	}
	return !(mac[0] & 1) && memcmp(mac, "\0\0\0\0\0\0", 6);
}

const char *
net_check_mac(const char *v)
{
	uint8_t mac[6];

	return parse_mac(v, mac) ? NULL :
				   "it must be the address of one "
				   "interface, as in 52:54:00:12:34:56";
}

static bool
parse_addr(const char *s, uint8_t *family, uint8_t addr[16])
{
	memset(addr, 0, 16);
	*family = 4;
	if (inet_pton(AF_INET, s, addr) == 1)
		return true;
	*family = 6;
	return inet_pton(AF_INET6, s, addr) == 1;
}

/* An address that a machine may have or send to. */
static bool
is_unicast(uint8_t family, const uint8_t a[16])
{
	static const uint8_t zero[16];

	if (family == 6)
		return a[0] != 0xff && memcmp(a, zero, 16);
	return a[0] && a[0] != 127 && a[0] < 224;
}

static bool
same_net(const struct pith_net_addr *a)
{
	unsigned bits = a->prefix, i;

	for (i = 0; bits; i++) {
		unsigned n = bits < 8 ? bits : 8;

		if ((a->addr[i] ^ a->gateway[i]) >> (8 - n))
			return false;
		bits -= n;
	}
	return true;
}

static const char *
parse_cidr(char *s, struct pith_net_addr *a)
{
	char *slash = strchr(s, '/');
	uint32_t prefix;

	*slash++ = '\0';
	if (!parse_addr(s, &a->family, a->addr) ||
	    !is_unicast(a->family, a->addr))
		return "it has no address that a machine can have";
	if (parse_u32(slash, &prefix) || !prefix ||
	    prefix > (a->family == 4 ? 32 : 128))
		return "the number after / must be the bits of the network";
	a->prefix = prefix;
	return NULL;
}

static const char *
parse_gateway(const char *s, struct pith_net_addr *a)
{
	uint8_t family;

	if (!a || a->has_gateway)
		return "a gateway stands behind the address that it is for";
	if (!parse_addr(s, &family, a->gateway) || family != a->family ||
	    !is_unicast(family, a->gateway))
		return "the gateway is no address of the same kind";
	/* fe80::/10 is on every link; an address that is alone in its network,
	 * as clouds and routed taps give them, has its gateway beside it. */
	if (!same_net(a) && a->prefix != (family == 4 ? 32 : 128) &&
	    !(family == 6 && a->gateway[0] == 0xfe &&
	      (a->gateway[1] & 0xc0) == 0x80))
		return "the gateway is not in the address's network";
	a->has_gateway = 1;
	return NULL;
}

/* dhcp, none, or items with commas between: ADDRESS/PREFIX and after it its
 * gateway; dhcp may be followed by IPv6 addresses.  The gateway of IPv4 is
 * one. */
static const char *
parse_ip(const char *v, struct pith_net *c)
{
	char *copy = xstrdup(v), *save = NULL, *item;
	struct pith_net_addr *a = NULL;
	const char *wrong = NULL;
	unsigned n = 0, v4 = 0, gw4 = 0;

	c->method = PITH_NET_STATIC;
	memset(c->addr, 0, sizeof(c->addr));
	for (item = strtok_r(copy, ",", &save); item && !wrong;
	     item = strtok_r(NULL, ",", &save)) {
		if (!n && !a &&
		    (!strcmp(item, "dhcp") || !strcmp(item, "none"))) {
			c->method =
				*item == 'd' ? PITH_NET_DHCP : PITH_NET_NONE;
		} else if (!strchr(item, '/')) {
			wrong = parse_gateway(item, a);
			if (!wrong && a->family == 4 && gw4++)
				wrong = "an interface takes one gateway of "
					"IPv4";
		} else if (n == PITH_NET_ADDRS) {
			wrong = "an interface takes four addresses at most";
		} else {
			a = &c->addr[n++];
			wrong = parse_cidr(item, a);
			v4 += a->family == 4;
		}
	}
	free(copy);
	if (wrong)
		return wrong;
	if (c->method == PITH_NET_NONE && n)
		return "none stands alone";
	if (c->method == PITH_NET_DHCP && v4)
		return "it must be dhcp or an IPv4 address, not both";
	if (c->method == PITH_NET_STATIC && !n)
		return "it must be ADDRESS/PREFIX[,GATEWAY], dhcp or none";
	return NULL;
}

const char *
net_check_ip(const char *v)
{
	struct pith_net c;

	return parse_ip(v, &c);
}

static const char *
parse_dns(const char *v, struct pith_dns *d)
{
	*d = (struct pith_dns){ 0 };
	if (!parse_addr(v, &d->family, d->addr))
		return "it must be the address of a name server";
	return NULL;
}

const char *
net_check_dns(const char *v)
{
	struct pith_dns d;

	return parse_dns(v, &d);
}

static bool
parse_port(const char *s, size_t len, uint16_t *out, bool zero)
{
	char *copy = xstrndup(s, len);
	uint32_t n;
	bool ok = !parse_u32(copy, &n) && n <= 65535 && (n || zero);

	*out = n;
	free(copy);
	return ok;
}

/* [ADDR:]HOST:GUEST[/udp]; a host port of 0 is one that is free. */
static const char *
parse_publish(const char *v, struct net_publish *p)
{
	const char *slash = strchr(v, '/'), *last, *first;
	size_t len = slash ? (size_t)(slash - v) : strlen(v);
	char *copy;

	*p = (struct net_publish){ .probe = -1 };
	p->addr.s_addr = htonl(INADDR_LOOPBACK);
	if (*v == '[')
		return "IPv6 addresses of the host are not supported in user "
		       "mode";
	if (slash && !strcmp(slash, "/udp"))
		p->udp = true;
	else if (slash && strcmp(slash, "/tcp"))
		return "after / stands tcp or udp";
	last = memrchr(v, ':', len);
	if (!last)
		return "it must be [ADDRESS:]HOSTPORT:PORT, such as 8080:80";
	first = memrchr(v, ':', last - v);
	if (!parse_port(last + 1, v + len - last - 1, &p->guest, false) ||
	    !parse_port(first ? first + 1 : v, last - (first ? first + 1 : v),
			&p->host, true))
		return "a port is a number up to 65535";
	if (!first)
		return NULL;
	copy = xstrndup(v, first - v);
	len = inet_pton(AF_INET, copy, &p->addr);
	free(copy);
	return len == 1 ? NULL :
			  "what stands before the ports must be an "
			  "IPv4 address of the host";
}

const char *
net_check_publish(const char *v)
{
	struct net_publish p;

	return parse_publish(v, &p);
}

/* ---- putting together ---- */

static const struct pith_net_addr *
ipv4_of(const struct pith_net *c)
{
	for (unsigned i = 0; i < PITH_NET_ADDRS; i++)
		if (c->addr[i].family == 4)
			return &c->addr[i];
	return NULL;
}

static uint32_t
get4(const uint8_t a[16])
{
	uint32_t v;

	memcpy(&v, a, 4);
	return ntohl(v);
}

static void
put4(uint8_t a[16], uint32_t v)
{
	v = htonl(v);
	memcpy(a, &v, 4);
}

/* Number `want` of a's network, or the next that is neither a nor its
 * gateway. */
static uint32_t
other_addr(const struct pith_net_addr *a, unsigned want)
{
	uint32_t base = get4(a->addr) & ~0u << (32 - a->prefix), at;

	for (at = want; base + at == get4(a->addr) ||
			(a->has_gateway && base + at == get4(a->gateway));
	     at++)
		;
	return base + at;
}

/* What user mode knows without asking: 10.0.2.15/24 behind 10.0.2.2, for the
 * second NIC 10.0.3, or what --ip says. */
static void
resolve_user(struct net *n, struct net_nic *nic, unsigned k,
	     const struct options *o)
{
	struct pith_net_addr *a = (struct pith_net_addr *)ipv4_of(&nic->conf);

	if (nic->conf.method != PITH_NET_STATIC)
		return;
	if (a && a->prefix > USER_PREFIX_MAX)
		die(STATUS_FAILED,
		    "--ip: in user mode the network has at "
		    "most %u bits",
		    USER_PREFIX_MAX);
	if (!a) {
		a = &nic->conf.addr[PITH_NET_ADDRS - 1];
		if (a->family)
			die(STATUS_FAILED, "--ip: too many addresses");
		a->family = 4;
		a->prefix = 24;
		put4(a->addr, 0x0a00020f + (k << 8));
		put4(a->gateway, 0x0a000202 + (k << 8));
		a->has_gateway = 1;
	}
	if (!a->has_gateway) {
		put4(a->gateway, other_addr(a, 2));
		a->has_gateway = 1;
	}
	if (!o->dns.n && !n->ndns) {
		n->dns[0].family = 4;
		put4(n->dns[0].addr, net_user_dns(a));
		n->ndns = 1;
	}
}

uint32_t
net_user_dns(const struct pith_net_addr *a)
{
	return other_addr(a, 3);
}

/* Stable for a tap, so that a DHCP server knows it again, and no other
 * host's. */
static void
make_mac(struct net_nic *nic, unsigned i)
{
	static const uint8_t usual[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
	unsigned char out[32];
	struct buf id = { 0 };
	struct sha256 h;

	memcpy(nic->conf.mac, usual, 6);
	nic->conf.mac[5] += i;
	if (nic->kind != NET_TAP)
		return;
	sha256_init(&h);
	if (!read_file("/etc/machine-id", &id))
		sha256_add(&h, id.p, id.len);
	sha256_add_str(&h, nic->tap);
	sha256_end(&h, out);
	memcpy(nic->conf.mac + 3, out, 3);
	buf_free(&id);
}

static void
resolve_nic(struct net *n, const struct options *o, const char *how, unsigned i,
	    unsigned *users)
{
	struct net_nic *nic = &n->nic[i];

	nic->kind = *how == 'u' ? NET_USER : NET_TAP;
	nic->tap = how + 4;
	nic->pcap = -1;
	nic->conf.method =
		nic->kind == NET_USER ? PITH_NET_STATIC : PITH_NET_DHCP;
	nic->conf.has_mac = 1;
	if (i < o->ips.n)
		parse_ip(o->ips.v[i], &nic->conf); /* was checked */
	if (i < o->macs.n)
		parse_mac(o->macs.v[i], nic->conf.mac);
	else
		make_mac(nic, i);
	if (nic->kind == NET_USER)
		resolve_user(n, nic, (*users)++, o);
}

static void
resolve_publish(struct net *n, const struct options *o, unsigned users)
{
	if (o->publish.n && !users)
		die(STATUS_FAILED, "--publish needs --net user; with a tap the "
				   "machine has an address of its own");
	if (o->publish.n > NET_PUBLISH_MAX)
		die(STATUS_FAILED, "--publish: more than %u ports",
		    NET_PUBLISH_MAX);
	for (size_t i = 0; i < o->publish.n; i++)
		parse_publish(o->publish.v[i], &n->publish[n->npublish++]);
}

void
net_resolve(struct net *n, const struct options *o)
{
	unsigned users = 0, i;

	*n = (struct net){ 0 };
	for (i = 0; i < o->nets.n; i++)
		if (!strcmp(o->nets.v[i], "none") && o->nets.n > 1)
			die(STATUS_FAILED, "--net none stands alone");
	if (o->nets.n > NET_NICS_MAX)
		die(STATUS_FAILED, "--net: more than %u networks",
		    NET_NICS_MAX);
	if (!o->nets.n)
		resolve_nic(n, o, "user", n->nnics++, &users);
	for (i = 0; i < o->nets.n; i++)
		if (strcmp(o->nets.v[i], "none"))
			resolve_nic(n, o, o->nets.v[i], n->nnics++, &users);
	if (n->nnics && (o->ips.n > n->nnics || o->macs.n > n->nnics))
		die(STATUS_FAILED, "--%s is given more often than --net",
		    o->ips.n > n->nnics ? "ip" : "mac");
	if (o->dns.n > ARRAY_LEN(n->dns))
		die(STATUS_FAILED, "--dns: more than %zu name servers",
		    ARRAY_LEN(n->dns));
	for (i = 0; i < o->dns.n; i++)
		parse_dns(o->dns.v[i], &n->dns[n->ndns++]);
	resolve_publish(n, o, users);
}

/* ---- opening ---- */

static const char *
publish_name(const struct net_publish *p)
{
	static char text[40];

	snprintf(text, sizeof(text), "%s:%u%s", inet_ntoa(p->addr), p->host,
		 p->udp ? "/udp" : "");
	return text;
}

/* Binds the port as QEMU will, and holds it until then. */
static void
probe(struct net_publish *p)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr = p->addr,
				  .sin_port = htons(p->host) };
	socklen_t len = sizeof(sa);
	int one = 1;

	p->probe = socket(
		AF_INET, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (p->probe < 0)
		die(STATUS_FAILED, "can not make a socket: %s",
		    strerror(errno));
	if (!p->udp)
		setsockopt(p->probe, SOL_SOCKET, SO_REUSEADDR, &one,
			   sizeof(one));
	if (bind(p->probe, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		const char *what = strerror(errno);

		if (errno == EADDRINUSE)
			what = "the port is in use on this host";
		else if (errno == EACCES)
			what = "ports below 1024 need root (or "
			       "net.ipv4.ip_unprivileged_port_start)";
		else if (errno == EADDRNOTAVAIL)
			what = "this host does not have the address";
		die(STATUS_FAILED, "--publish %s: %s", publish_name(p), what);
	}
	/* Two of the same address and port would both bind; one listens. */
	if (!p->udp && listen(p->probe, 1) < 0)
		die(STATUS_FAILED,
		    "--publish %s: the port is in use on this "
		    "host",
		    publish_name(p));
	if (p->host)
		return;
	getsockname(p->probe, (struct sockaddr *)&sa, &len);
	p->host = ntohs(sa.sin_port);
	warn("%s is port %u of the machine", publish_name(p), p->guest);
}

static const char *
tap_wrong(int err)
{
	switch (err) {
	case EPERM:
	case EACCES:
		return "it is not yours; \"ip tuntap add NAME mode tap user "
		       "YOU\" makes one that is";
	case EBUSY:
		return "another machine uses it";
	case EINVAL:
		return "it is no tap interface";
	default:
		return strerror(err);
	}
}

/* 0 or -errno. */
static int
tap_attach(const char *name, unsigned flags, int *out)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | flags };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		die(STATUS_FAILED, "--net tap=%s: /dev/net/tun: %s%s",
		    printable(name), strerror(errno),
		    errno == ENOENT ? "; modprobe tun" : "");
	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

static bool
is_down(const char *name)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	err = ioctl(fd, SIOCGIFFLAGS, &ifr);
	close(fd);
	return !err && !(ifr.ifr_flags & IFF_UP);
}

/* plain: frames as they are on a wire.  Otherwise each has a header of virtio's
 * in front, for large packets and unfinished checksums; QEMU before 8.0 writes
 * that into a pcap file too. */
static void
open_tap(struct net_nic *nic, unsigned queues, bool plain)
{
	unsigned flags =
		(queues > 1 ? IFF_MULTI_QUEUE : 0) | (plain ? 0 : IFF_VNET_HDR);
	const char *name = nic->tap;
	int err;

	/* Who may make interfaces would make this one. */
	if (!if_nametoindex(name))
		die(STATUS_FAILED,
		    "--net tap=%s: there is no such interface; "
		    "\"ip tuntap add %s mode tap user YOU\" makes it",
		    printable(name), printable(name));
	err = tap_attach(name, flags, &nic->fd[0]);
	if (err == -EINVAL) { /* made for many queues, or for one */
		flags ^= IFF_MULTI_QUEUE;
		err = tap_attach(name, flags, &nic->fd[0]);
	}
	if (err)
		die(STATUS_FAILED, "--net tap=%s: %s", printable(name),
		    tap_wrong(-err));
	nic->nfds = 1;
	if (queues > NET_QUEUES_MAX)
		queues = NET_QUEUES_MAX;
	while (flags & IFF_MULTI_QUEUE && nic->nfds < queues &&
	       !tap_attach(name, flags, &nic->fd[nic->nfds]))
		nic->nfds++;
	if (is_down(name))
		warn("the interface %s is down; \"ip link set %s up\"",
		     printable(name), printable(name));
}

static void
open_pcap(struct net *n, const char *path)
{
	for (unsigned i = 0; i < n->nnics; i++) {
		char *own = i ? xasprintf("%s.eth%u", path, i) : xstrdup(path);

		n->nic[i].pcap = open(own, O_WRONLY | O_CREAT | O_TRUNC, 0666);
		if (n->nic[i].pcap < 0)
			die(STATUS_FAILED, "--pcap %s: %s", printable(own),
			    strerror(errno));
		free(own);
	}
	if (!n->nnics)
		die(STATUS_FAILED, "--pcap: the machine has no network");
}

void
net_open(struct net *n, const struct options *o, unsigned queues)
{
	for (unsigned i = 0; i < n->npublish; i++)
		probe(&n->publish[i]);
	for (unsigned i = 0; i < n->nnics; i++)
		if (n->nic[i].kind == NET_TAP)
			open_tap(&n->nic[i], queues, o->pcap);
	if (o->pcap)
		open_pcap(n, o->pcap);
}

void
net_pretend(struct net *n, const struct options *o)
{
	for (unsigned i = 0; i < n->nnics; i++) {
		if (n->nic[i].kind == NET_TAP) {
			n->nic[i].fd[0] = 110 + i;
			n->nic[i].nfds = 1;
		}
		if (o->pcap)
			n->nic[i].pcap = 120 + i;
	}
}

void
net_release(struct net *n)
{
	for (unsigned i = 0; i < n->npublish; i++) {
		if (n->publish[i].probe >= 0)
			close(n->publish[i].probe);
		n->publish[i].probe = -1;
	}
}

/* ---- the backlog ---- */

static bool
is_published(const struct net *n, int fd)
{
	struct sockaddr_in sa = { 0 };
	socklen_t len = sizeof(sa), olen = sizeof(int);
	int listens = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &olen) < 0 ||
	    !listens || getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
	    sa.sin_family != AF_INET)
		return false;
	for (unsigned i = 0; i < n->npublish; i++)
		if (!n->publish[i].udp &&
		    n->publish[i].host == ntohs(sa.sin_port) &&
		    n->publish[i].addr.s_addr == sa.sin_addr.s_addr)
			return true;
	return false;
}

/*
 * libslirp listens with a backlog of 1, so most of fifty connections that
 * are opened at once wait for the client's retransmission, or for ever.  A
 * second listen() on the same socket sets a better one; the socket is
 * QEMU's, our child, so we may have a duplicate (pidfd_getfd, Linux 5.6).
 * Where that is forbidden, in some containers, things stay as QEMU made
 * them.
 */
void
net_raise_backlog(const struct net *n, int pid)
{
	int pidfd = n->npublish ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	char path[40];
	struct dirent *e;
	DIR *d;

	if (pidfd < 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		int fd = *e->d_name == '.' ?
				 -1 :
				 (int)syscall(SYS_pidfd_getfd, pidfd,
					      atoi(e->d_name), 0);

		if (fd < 0)
			continue;
		if (is_published(n, fd))
			listen(fd, BACKLOG);
		close(fd);
	}
	if (d)
		closedir(d);
	close(pidfd);
}

/* ---- records ---- */

void
net_put_block(struct buf *b, const struct net *n)
{
	struct pith_net none = { .method = PITH_NET_NONE };

	for (unsigned i = 0; i < n->nnics; i++)
		block_put(b, PITH_REC_NET, &n->nic[i].conf,
			  sizeof(n->nic[i].conf));
	/* So that the manifest's do not count. */
	if (!n->nnics)
		block_put(b, PITH_REC_NET, &none, sizeof(none));
	for (unsigned i = 0; i < n->ndns; i++)
		block_put(b, PITH_REC_DNS, &n->dns[i], sizeof(n->dns[i]));
}

void
net_put_manifest(struct buf *b, const struct options *o)
{
	for (size_t i = 0; i < o->ips.n; i++) {
		struct pith_net c = { 0 };

		parse_ip(o->ips.v[i], &c);
		if (i < o->macs.n)
			c.has_mac = parse_mac(o->macs.v[i], c.mac);
		block_put(b, PITH_REC_NET, &c, sizeof(c));
	}
	for (size_t i = 0; i < o->dns.n; i++) {
		struct pith_dns d;

		parse_dns(o->dns.v[i], &d);
		block_put(b, PITH_REC_DNS, &d, sizeof(d));
	}
	for (size_t i = 0; i < o->publish.n; i++)
		block_put_str(b, PITH_REC_PUBLISH, o->publish.v[i]);
}

static void
addr_text(char *to, size_t size, uint8_t family, const uint8_t a[16])
{
	if (!inet_ntop(family == 6 ? AF_INET6 : AF_INET, a, to, size))
		*to = '\0';
}

static void
net_text(char *to, size_t size, const struct pith_net *c)
{
	static const char *const methods[] = { "dhcp", "", "none" };
	char addr[INET6_ADDRSTRLEN];
	size_t n = snprintf(to, size, "%s",
			    c->method < 3 ? methods[c->method] : "");

	for (unsigned i = 0; i < PITH_NET_ADDRS; i++) {
		const struct pith_net_addr *a = &c->addr[i];

		if (!a->family)
			continue;
		addr_text(addr, sizeof(addr), a->family, a->addr);
		n += snprintf(to + n, size - n, "%s%s/%u", n ? "," : "", addr,
			      a->prefix);
		if (!a->has_gateway)
			continue;
		addr_text(addr, sizeof(addr), a->family, a->gateway);
		n += snprintf(to + n, size - n, ",%s", addr);
	}
}

const char *
net_record_text(unsigned tag, const void *value, uint32_t len,
		const char **title)
{
	static char text[PITH_NET_ADDRS * (2 * INET6_ADDRSTRLEN + 8) + 8];
	struct pith_net c;
	struct pith_dns d;

	*text = '\0';
	if (tag == PITH_REC_NET && len == sizeof(c)) {
		*title = "ip";
		memcpy(&c, value, len);
		net_text(text, sizeof(text), &c);
	} else if (tag == PITH_REC_DNS && len == sizeof(d)) {
		*title = "dns";
		memcpy(&d, value, len);
		addr_text(text, sizeof(text), d.family, d.addr);
	} else if (tag == PITH_REC_PUBLISH && len < 64) {
		*title = "publish";
		snprintf(text, sizeof(text), "%.*s", (int)len,
			 (const char *)value);
	}
	return *text ? text : NULL;
}

void
net_take_record(struct options *o, unsigned tag, const void *value,
		uint32_t len)
{
	const char *title, *text = net_record_text(tag, value, len, &title);

	/* A manifest is input from outside: what it says is checked as what
	 * the command line says is. */
	if (text && tag == PITH_REC_NET && !net_check_ip(text))
		strv_add(&o->ips, text);
	else if (text && tag == PITH_REC_DNS && !net_check_dns(text))
		strv_add(&o->dns, text);
	else if (text && tag == PITH_REC_PUBLISH && !net_check_publish(text))
		strv_add(&o->publish, text);
}
