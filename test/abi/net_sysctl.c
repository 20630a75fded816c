/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of the network in /proc/sys/net that a program may write: what may
 * be written, and what comes of it.  On Linux in a network namespace of its
 * own.
 * CALLS: listen, getsockopt
 * NEEDS: root
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "own_network.h"

static void
show(const char *name)
{
	char path[100], buf[100];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_RDONLY);
	n = read(fd, buf, sizeof(buf) - 1);
	printf("%s: %.*s", name, (int)n, buf);
	close(fd);
}

static void
put(const char *name, const char *text)
{
	char path[100];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY);
	n = write(fd, text, strlen(text));
	printf("'%s' > %s: %zd %s\n", text, name, n,
	       n < 0 ? strerrorname_np(errno) : "");
	close(fd);
}

static void
bad(const char *name, const char *const v[])
{
	for (; *v; v++)
		put(name, *v);
	show(name);
}
#define BAD(name, ...) bad(name, (const char *const[]){ __VA_ARGS__, NULL })

static int
option(int fd, int level, int name)
{
	socklen_t l = sizeof(int);
	int v = -1;

	getsockopt(fd, level, name, &v, &l);
	return v;
}

static int
port_of(int fd)
{
	struct sockaddr_in sa = { 0 };
	socklen_t l = sizeof(sa);

	getsockname(fd, (struct sockaddr *)&sa, &l);
	return ntohs(sa.sin_port);
}

static void
ports(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int in = 0, s[40], r;

	BAD("ipv4/ip_local_port_range", "40010 40000", "0 10", "70000 80000",
	    "500 40000", "x", "1 2 3 4");
	put("ipv4/ip_local_port_range", "41000 41009");
	show("ipv4/ip_local_port_range");
	for (int i = 0; i < 10; i++) {
		s[i] = socket(AF_INET, SOCK_STREAM, 0);
		r = bind(s[i], (struct sockaddr *)&sa, sizeof(sa));
		in += !r && port_of(s[i]) >= 41000 && port_of(s[i]) <= 41009;
	}
	printf("in the range: %d\n", in);
	for (int i = 0; i < 10; i++)
		close(s[i]);
	put("ipv4/ip_local_port_range", "32768\t60999\n");
	put("ipv4/ip_unprivileged_port_start", "40000");
	put("ipv4/ip_unprivileged_port_start", "-1");
	put("ipv4/ip_unprivileged_port_start", "80");
	show("ipv4/ip_unprivileged_port_start");
	if (setegid(12345) || seteuid(12345))
		perror("seteuid");
	for (int p = 79; p < 82; p++) {
		r = socket(AF_INET, SOCK_STREAM, 0);
		sa.sin_port = htons((in_port_t)p);
		printf("port %d: %s\n", p,
		       bind(r, (struct sockaddr *)&sa, sizeof(sa)) ?
			       strerrorname_np(errno) :
			       "0");
		close(r);
	}
	if (seteuid(0) || setegid(0))
		perror("seteuid");
	put("ipv4/ip_unprivileged_port_start", "1024");
}

static void
defaults(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int s;

	BAD("ipv4/tcp_keepalive_time", "abc", "");
	put("ipv4/tcp_keepalive_time", "600");
	put("ipv4/tcp_keepalive_intvl", "30");
	put("ipv4/tcp_keepalive_probes", "3\n");
	show("ipv4/tcp_keepalive_time");
	s = socket(AF_INET, SOCK_STREAM, 0);
	printf("keep-alive: %d %d %d\n", option(s, IPPROTO_TCP, TCP_KEEPIDLE),
	       option(s, IPPROTO_TCP, TCP_KEEPINTVL),
	       option(s, IPPROTO_TCP, TCP_KEEPCNT));
	close(s);
	BAD("ipv4/tcp_tw_reuse", "3", "-1", "x", "0");
	show("ipv4/tcp_slow_start_after_idle");
	BAD("ipv4/tcp_slow_start_after_idle", "256", "-1", "x", "0", "255");
	put("ipv4/tcp_slow_start_after_idle", "1");
	BAD("ipv6/bindv6only", "1");
	s = socket(AF_INET6, SOCK_STREAM, 0);
	printf("IPv6 only: %d\n", option(s, IPPROTO_IPV6, IPV6_V6ONLY));
	close(s);
	put("ipv6/bindv6only", "0");
	s = socket(AF_INET6, SOCK_DGRAM, 0);
	printf("IPv6 only: %d\n", option(s, IPPROTO_IPV6, IPV6_V6ONLY));
	close(s);
	inet_aton("192.0.2.77", &sa.sin_addr);
	for (int i = 0; i < 3; i++) {
		put("ipv4/ip_nonlocal_bind", i == 1 ? "1" : "0");
		s = socket(AF_INET, SOCK_STREAM, 0);
		printf("bind: %s\n",
		       bind(s, (struct sockaddr *)&sa, sizeof(sa)) ?
			       strerrorname_np(errno) :
			       "0");
		close(s);
	}
}

static void
queues(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct sockaddr_un un = { .sun_family = AF_UNIX,
				  .sun_path = "\0sysctl" };
	socklen_t len = sizeof(sa);
	int l, s[10], up = 0, n = 0;
	char b = 0;

	BAD("core/somaxconn", "-1", "one", "2");
	l = socket(AF_INET, SOCK_STREAM, 0);
	bind(l, (struct sockaddr *)&sa, sizeof(sa));
	listen(l, 100);
	getsockname(l, (struct sockaddr *)&sa, &len);
	for (int i = 0; i < 10; i++) {
		s[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(s[i], (struct sockaddr *)&sa, sizeof(sa));
		up += option(s[i], IPPROTO_TCP, TCP_INFO) % 256 ==
		      TCP_ESTABLISHED;
	}
	printf("connections: %d\n", up);
	for (int i = 0; i < 10; i++)
		close(s[i]);
	close(l);
	put("core/somaxconn", "4096");
	put("unix/max_dgram_qlen", "3");
	show("unix/max_dgram_qlen");
	l = socket(AF_UNIX, SOCK_DGRAM, 0);
	bind(l, (struct sockaddr *)&un, sizeof(un));
	s[0] = socket(AF_UNIX, SOCK_DGRAM, 0);
	while (sendto(s[0], &b, 1, MSG_DONTWAIT, (struct sockaddr *)&un,
		      sizeof(un)) == 1)
		n++;
	printf("datagrams: %d\n", n);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	if (!own_network()) {
		perror("unshare"); /* these are not ours to change */
		return 1;
	}
	ports();
	defaults();
	queues();
	return 0;
}
