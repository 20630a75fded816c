/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who holds a port: connections that were accepted, the end that closed first
 * until the other one closes, and after both have for a while; what SO_REUSEADDR
 * changes in it, what a reset does, and how /proc/net/tcp shows it.
 * CALLS: bind, close, shutdown
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "own_network.h"

static int family;

static socklen_t
loopback(struct sockaddr_storage *ss, in_port_t port)
{
	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		struct sockaddr_in *in = (void *)ss;

		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		in->sin_port = htons(port);
		return sizeof(*in);
	} else {
		struct sockaddr_in6 *in = (void *)ss;

		in->sin6_addr = in6addr_loopback;
		in->sin6_port = htons(port);
		return sizeof(*in);
	}
}

static in_port_t
port_of(int fd)
{
	struct sockaddr_in6 sa;
	socklen_t l = sizeof(sa);

	getsockname(fd, (struct sockaddr *)&sa, &l);
	return ntohs(sa.sin6_port); /* where AF_INET has it, too */
}

static int
make(int reuse)
{
	int s = socket(family, SOCK_STREAM, 0);

	if (reuse)
		setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
	return s;
}

static int
try_bind(int s, in_port_t port)
{
	struct sockaddr_storage ss;
	socklen_t l = loopback(&ss, port);

	return bind(s, (struct sockaddr *)&ss, l) ? errno : 0;
}

static void
may_bind(const char *what, in_port_t port)
{
	printf("%s:", what);
	for (int reuse = 0; reuse < 2; reuse++) {
		int s = make(reuse), err = try_bind(s, port);

		printf(" %s%s", reuse ? "reuse " : "",
		       err ? strerrorname_np(err) : "ok");
		if (!err)
			printf(",%s", listen(s, 1) ? strerrorname_np(errno) :
						     "listens");
		close(s);
	}
	printf("\n");
}

/* A listener, a connection to it, and what was accepted. */
static in_port_t
three(int reuse, int *l, int *c, int *a)
{
	struct sockaddr_storage ss;
	socklen_t len;

	*l = make(reuse);
	try_bind(*l, 0);
	listen(*l, 4);
	len = loopback(&ss, port_of(*l));
	*c = socket(family, SOCK_STREAM, 0);
	if (connect(*c, (struct sockaddr *)&ss, len))
		perror("connect");
	*a = accept(*l, NULL, NULL);
	return port_of(*l);
}

/* The line of /proc/net/tcp for a connection from this port.  Returns its
 * state. */
static unsigned
look(const char *what, in_port_t port, in_port_t other)
{
	FILE *f = fopen(family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6",
			"r");
	unsigned lp, rp, st, tr, uid, found = 0;
	unsigned long ino, when;
	char line[300];

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (sscanf(line,
			   " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%x %x %*x:%*x "
			   "%x:%lx %*x %u %*u %lu",
			   &lp, &rp, &st, &tr, &when, &uid, &ino) != 7 ||
		    lp != port || rp != other)
			continue;
		found = st;
		if (st != TCP_FIN_WAIT1)
			printf("%s: state %02X timer %u %s, inode %s\n", what,
			       st, tr,
			       when > 5000 && when <= 6000 ? "a minute" :
							     "else",
			       ino ? "one" : "0");
	}
	if (f)
		fclose(f);
	return found;
}

/* The other end may take its time to acknowledge. */
static void
show(const char *what, in_port_t port, in_port_t other)
{
	while (look(what, port, other) == TCP_FIN_WAIT1)
		usleep(10000);
}

static void
wait_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	poll(&p, 1, 200000);
}

static void
run(int reuse)
{
	struct linger now = { .l_onoff = 1 };
	in_port_t port, cp;
	int l, c, a;
	char b;

	printf("-- %s, %s\n", family == AF_INET ? "IPv4" : "IPv6",
	       reuse ? "reuse" : "plain");
	port = three(reuse, &l, &c, &a);
	may_bind("listening", port);
	close(l);
	may_bind("accepted", port);
	cp = port_of(c);
	close(a); /* first */
	wait_end(c);
	may_bind("closed first", port);
	show("closed first", port, cp);
	close(c);
	may_bind("both closed", port);
	show("both closed", port, cp);
	show("the other end", cp, port);
	may_bind("the other end", cp);

	port = three(reuse, &l, &c, &a);
	cp = port_of(c);
	close(l);
	shutdown(a, SHUT_WR);
	wait_end(c);
	close(c);
	printf("read: %zd\n", read(a, &b, 1));
	show("shut down first", port, cp);
	close(a);
	may_bind("shut down first", port);
	show("shut down first and closed", port, cp);

	port = three(reuse, &l, &c, &a);
	cp = port_of(c);
	close(c);
	wait_end(a);
	close(a);
	may_bind("client first, port", cp);
	show("client first", cp, port);
	may_bind("client first, listener", port);
	close(l);
	may_bind("client first, listener gone", port);

	port = three(reuse, &l, &c, &a);
	cp = port_of(c);
	close(l);
	setsockopt(a, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(a);
	wait_end(c);
	may_bind("reset", port);
	close(c);
	may_bind("reset, port", cp);

	port = three(reuse, &l, &c, &a);
	cp = port_of(c);
	close(l);
	close(a);
	wait_end(c);
	printf("write: %zd\n", write(c, "x", 1));
	{
		struct pollfd p = { .fd = c };

		poll(&p, 1, 200000);
	}
	may_bind("written to", port);
	show("written to", port, cp);
	close(c);

	/* Data that nobody read. */
	port = three(reuse, &l, &c, &a);
	close(l);
	printf("write: %zd\n", write(c, "x", 1));
	{
		struct pollfd p = { .fd = a, .events = POLLIN };

		poll(&p, 1, 200000);
	}
	close(a);
	wait_end(c);
	may_bind("unread", port);
	close(c);
}

int
main(void)
{
	int s;

	setvbuf(stdout, NULL, _IONBF, 0);
	/* Where it cannot be had, another program's port may come between. */
	if (!own_network())
		fputs("the network is shared\n", stderr);
	for (int i = 0; i < 2; i++) {
		family = i ? AF_INET6 : AF_INET;
		run(0);
		run(1);
	}
	family = AF_INET;
	/* None of the ports that are held is given to who asks for any. */
	s = make(0);
	printf("any: %s\n", try_bind(s, 0) ? "none" : "one");
	return 0;
}
