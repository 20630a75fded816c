/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPV6_CHECKSUM of raw sockets: what it may be, what is sent, and what is
 * received with and without it.  The filters of ICMP, written and read.
 * CALLS: setsockopt, getsockopt
 * NEEDS: root
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROTO 253 /* for experiments: RFC 3692 */

static const struct sockaddr_in6 lo = { .sin6_family = AF_INET6,
					.sin6_addr = IN6ADDR_LOOPBACK_INIT };

static const char *
error(int r)
{
	return r < 0 ? strerrorname_np(errno) : "0";
}

static void
get(const char *what, int fd, int level)
{
	int v = 77;
	socklen_t l = sizeof(v);
	int r = getsockopt(fd, level, IPV6_CHECKSUM, &v, &l);

	printf("%s: get %s %d %u\n", what, error(r), v, l);
}

static void
set(const char *what, int fd, int level, int v, socklen_t len)
{
	printf("%s: set %d (%u) %s\n", what, v, len,
	       error(setsockopt(fd, level, IPV6_CHECKSUM, &v, len)));
}

static void
values(const char *what, int family, int type, int proto)
{
	static const int v[] = { 0, 1, 2, 3, 4, -1, 1000, -7, 65536 };
	static const int levels[] = { IPPROTO_IPV6, SOL_RAW };
	int fd = socket(family, type, proto);

	for (int k = 0; k < 2; k++) {
		printf("-- %s, level %d\n", what, levels[k]);
		get(what, fd, levels[k]);
		for (unsigned i = 0; i < sizeof(v) / sizeof(*v); i++) {
			set(what, fd, levels[k], v[i], sizeof(int));
			get(what, fd, levels[k]);
		}
		set(what, fd, levels[k], 2, 2);
		set(what, fd, levels[k], 2, 0);
		set(what, fd, levels[k], 2, 4);
	}
	close(fd);
}

static int
raw(int proto, int at)
{
	int fd = socket(AF_INET6, SOCK_RAW, proto);

	setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &at, sizeof(at));
	return fd;
}

/* What has come; nothing more comes than what was sent to ::1 by then. */
static void
show(const char *what, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned char b[64];
	ssize_t n;

	while (poll(&p, 1, 0) == 1 &&
	       (n = recv(fd, b, sizeof(b), MSG_DONTWAIT)) >= 0) {
		printf("%s:", what);
		for (ssize_t i = 0; i < n; i++)
			printf(" %02x", b[i]);
		printf("\n");
	}
}

static void
send_to(int fd, const void *data, size_t len)
{
	ssize_t r = sendto(fd, data, len, 0, (const struct sockaddr *)&lo,
			   sizeof(lo));

	printf("send %zu: %s %zd\n", len, error((int)r), r);
}

static void
traffic(void)
{
	static const char data[] = "\x11\x22\x33\x44\x55\x66\x77\x88\x99";
	int plain = raw(PROTO, -1), at4 = raw(PROTO, 4), at0 = raw(PROTO, 0);
	int icmp = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	struct icmp6_filter f;

	for (size_t n = 0; n < sizeof(data); n++) {
		send_to(at4, data, n);
		send_to(at0, data, n);
	}
	show("plain", plain);
	show("at 4", at4);
	show("at 0", at0);
	send_to(plain, data, sizeof(data)); /* its sum is wrong */
	show("plain", plain);
	show("at 4", at4);
	ICMP6_FILTER_SETBLOCKALL(&f);
	ICMP6_FILTER_SETPASS(200, &f); /* private experiments: RFC 4443 */
	setsockopt(icmp, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof(f));
	send_to(icmp, "\xc8\x01\x02\x03zz", 6);
	send_to(icmp, "\xc8\x01\x02", 3);
	send_to(icmp, "\xc8\x01\x02\x03", 4);
	show("ICMPv6", icmp);
	close(plain);
	close(at4);
	close(at0);
	close(icmp);
}

static void
filters(const char *what, int fd, int level)
{
	unsigned char v[40];

	for (socklen_t set = 1; set <= 40; set += 13) {
		memset(v, (int)(set + 0x30), sizeof(v));
		printf("%s: set %u %s\n", what, set,
		       error(setsockopt(fd, level, 1, v, set)));
		for (socklen_t l = 0, get; l <= 40; l += 4) {
			int r;

			get = l;
			memset(v, 0xee, sizeof(v));
			r = getsockopt(fd, level, 1, v, &get);
			printf("%s: get %u %s %u:", what, l, error(r), get);
			for (unsigned i = 0; i < 34; i += 3)
				printf(" %02x", v[i]);
			printf("\n");
		}
	}
	close(fd);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	values("raw", AF_INET6, SOCK_RAW, PROTO);
	values("ICMPv6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	values("UDP's, raw", AF_INET6, SOCK_RAW, IPPROTO_UDP);
	values("UDP", AF_INET6, SOCK_DGRAM, 0);
	values("TCP", AF_INET6, SOCK_STREAM, 0);
	values("raw, IPv4", AF_INET, SOCK_RAW, PROTO);
	traffic();
	filters("ICMP", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), SOL_RAW);
	filters("ICMPv6", socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6),
		IPPROTO_ICMPV6);
	return 0;
}
