/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: options of SOL_SOCKET on local sockets: lengths, bounds, errors,
 * defaults, and what sizes are told.
 * CALLS: getsockopt setsockopt
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/socket.h>
#include <sys/un.h>

static const struct {
	int name;
	const char *text;
} opts[] = {
#define O(x)          \
	{             \
		x, #x \
	}
	O(SO_DEBUG),
	O(SO_REUSEADDR),
	O(SO_TYPE),
	O(SO_ERROR),
	O(SO_DONTROUTE),
	O(SO_BROADCAST),
	O(SO_SNDBUF),
	O(SO_RCVBUF),
	O(SO_KEEPALIVE),
	O(SO_OOBINLINE),
	O(SO_NO_CHECK),
	O(SO_PRIORITY),
	O(SO_LINGER),
	O(SO_BSDCOMPAT),
	O(SO_PASSCRED),
	O(SO_RCVLOWAT),
	O(SO_SNDLOWAT),
	O(SO_RCVTIMEO),
	O(SO_SNDTIMEO),
	O(SO_TIMESTAMP),
	O(SO_ACCEPTCONN),
	O(SO_TIMESTAMPNS),
	O(SO_MARK),
	O(SO_PROTOCOL),
	O(SO_DOMAIN),
	O(SO_RXQ_OVFL),
	O(SO_SELECT_ERR_QUEUE),
	O(SO_BUSY_POLL),
	O(SO_COOKIE),
	O(SO_MAX_PACING_RATE),
	O(SO_LOCK_FILTER),
	O(SO_BINDTOIFINDEX),
	{ 63, "TIMESTAMP_NEW" },
	{ 66, "RCVTIMEO_NEW" },
	{ 67, "SNDTIMEO_NEW" },
	{ 9999, "9999" },
};

static void
get(int fd, int name, const char *text, socklen_t len)
{
	unsigned char v[64];
	socklen_t had = len;

	memset(v, 0xaa, sizeof(v));
	if (getsockopt(fd, SOL_SOCKET, name, v, &len)) {
		printf("get %s/%u: %s\n", text, had, strerrorname_np(errno));
		return;
	}
	printf("get %s/%u:", text, had);
	if (name == SO_COOKIE)
		printf(" some");
	else
		for (unsigned i = 0; i < len; i++)
			printf(" %02x", v[i]);
	printf(" (%u)\n", len);
}

static void
set(int fd, int name, const char *text, const void *v, socklen_t len)
{
	int r = setsockopt(fd, SOL_SOCKET, name, v, len);

	printf("set %s/%u: %s\n", text, len, r ? strerrorname_np(errno) : "ok");
}

static void
set_int(int fd, int name, const char *text, int v)
{
	printf("%d: ", v);
	set(fd, name, text, &v, sizeof(v));
	get(fd, name, text, 4);
}

static void
defaults(int type)
{
	int fd = socket(AF_UNIX, type, 0);

	for (unsigned i = 0; i < sizeof(opts) / sizeof(*opts); i++) {
		get(fd, opts[i].name, opts[i].text, 64);
		get(fd, opts[i].name, opts[i].text, 4);
		get(fd, opts[i].name, opts[i].text, 3);
		get(fd, opts[i].name, opts[i].text, 0);
	}
	close(fd);
}

static void
sizes(void)
{
	static const int v[] = { 0, 1, 100, 1000, 2304, 3000, 100000, 212992 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	for (unsigned i = 0; i < sizeof(v) / sizeof(*v); i++) {
		set_int(fd, SO_SNDBUF, "SO_SNDBUF", v[i]);
		set_int(fd, SO_RCVBUF, "SO_RCVBUF", v[i]);
		set_int(fd, SO_RCVLOWAT, "SO_RCVLOWAT", v[i]);
	}
	close(fd);
}

static void
flags(void)
{
	static const int names[] = {
		SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST,   SO_OOBINLINE,
		SO_DONTROUTE, SO_TIMESTAMP, SO_TIMESTAMPNS, SO_PASSCRED,
		SO_RXQ_OVFL,  SO_PRIORITY,
	};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		for (int v = -1; v < 3; v++) {
			printf("option %d ", names[i]);
			set_int(fd, names[i], "it", v < 0 ? 7 : v);
		}
	/* One time stamp's form puts out the other. */
	get(fd, SO_TIMESTAMP, "SO_TIMESTAMP", 4);
	get(fd, SO_TIMESTAMPNS, "SO_TIMESTAMPNS", 4);
	set_int(fd, SO_TYPE, "SO_TYPE", 1);
	set_int(fd, SO_ERROR, "SO_ERROR", 1);
	set_int(fd, SO_ACCEPTCONN, "SO_ACCEPTCONN", 1);
	set_int(fd, SO_PROTOCOL, "SO_PROTOCOL", 1);
	set_int(fd, SO_DOMAIN, "SO_DOMAIN", 1);
	set_int(fd, SO_SNDLOWAT, "SO_SNDLOWAT", 1);
	set_int(fd, 9999, "9999", 1);
	close(fd);
}

static void
structures(void)
{
	struct {
		long sec, usec;
	} tv[] = {
		{ 0, 0 },  { 1, 500000 }, { 0, 1000000 },
		{ 0, -1 }, { -1, 0 },	  { 5, 999999 },
	};
	struct linger l[] = { { 1, 5 }, { 0, 9 }, { 7, 0 } };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	for (unsigned i = 0; i < sizeof(tv) / sizeof(*tv); i++) {
		set(fd, SO_RCVTIMEO, "SO_RCVTIMEO", &tv[i], sizeof(tv[i]));
		set(fd, SO_SNDTIMEO, "SO_SNDTIMEO", &tv[i], sizeof(tv[i]));
		if (tv[i].usec == 999999)
			continue; /* rounded to a tick of the clock there */
		get(fd, SO_RCVTIMEO, "SO_RCVTIMEO", 16);
		get(fd, SO_SNDTIMEO, "SO_SNDTIMEO", 20);
	}
	set(fd, SO_RCVTIMEO, "SO_RCVTIMEO", &tv, 8);
	set(fd, SO_RCVTIMEO, "SO_RCVTIMEO", &tv, 15);
	for (unsigned i = 0; i < 3; i++) {
		set(fd, SO_LINGER, "SO_LINGER", &l[i], sizeof(l[i]));
		get(fd, SO_LINGER, "SO_LINGER", 8);
		get(fd, SO_LINGER, "SO_LINGER", 5);
	}
	set(fd, SO_LINGER, "SO_LINGER", l, 4);
	set(fd, SO_LINGER, "SO_LINGER", l, 7);
	close(fd);
}

static void
hostile(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), v = 1, nosock = dup(0);
	socklen_t len = 4;

	show("set short", setsockopt(fd, 1, SO_REUSEADDR, &v, 3));
	show("set long", setsockopt(fd, 1, SO_REUSEADDR, &opts, 300));
	show("set -1", setsockopt(fd, 1, SO_REUSEADDR, &v, (socklen_t)-1));
	show("set NULL", setsockopt(fd, 1, SO_REUSEADDR, NULL, 4));
	show("set bad", setsockopt(fd, 1, SO_REUSEADDR, BAD, 4));
	show("get bad", getsockopt(fd, 1, SO_REUSEADDR, BAD, &len));
	show("get bad len", getsockopt(fd, 1, SO_REUSEADDR, &v, BAD));
	len = (socklen_t)-1;
	show("get -1", getsockopt(fd, 1, SO_REUSEADDR, &v, &len));
	len = 4;
	show("get level 0", getsockopt(fd, 0, 1, &v, &len));
	show("get level 6", getsockopt(fd, 6, 1, &v, &len));
	show("get level -1", getsockopt(fd, -1, 1, &v, &len));
	show("set level 0", setsockopt(fd, 0, 1, &v, 4));
	show("set level 6", setsockopt(fd, 6, 1, &v, 4));
	show("set no fd", setsockopt(-1, 1, SO_REUSEADDR, &v, 4));
	show("set no socket", setsockopt(nosock, 1, SO_REUSEADDR, &v, 4));
	show("get no socket", getsockopt(nosock, 1, SO_REUSEADDR, &v, &len));
	close(fd);
	close(nosock);
}

int
main(void)
{
	defaults(SOCK_STREAM);
	defaults(SOCK_DGRAM);
	sizes();
	flags();
	structures();
	hostile();
	return 0;
}
