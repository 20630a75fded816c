/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: packet sockets: names, options, filters that are refused, rings and
 * their maps.  What crosses an interface differs by machine, and is not looked
 * at here.  NEEDS: root
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>

static void
option(int fd, int name, int v)
{
	socklen_t len = sizeof(v);
	int got = 77;

	printf("option %d = %d: ", name, v);
	if (setsockopt(fd, SOL_PACKET, name, &v, sizeof(v)))
		printf("%s\n", strerrorname_np(errno));
	else if (getsockopt(fd, SOL_PACKET, name, &got, &len))
		printf("ok, %s\n", strerrorname_np(errno));
	else
		printf("ok, %d\n", got);
}

static void
names(void)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET }, b;
	socklen_t len = sizeof(b);
	int fd;

	show("stream", socket(AF_PACKET, SOCK_STREAM, 0));
	show("seqpacket", socket(AF_PACKET, SOCK_SEQPACKET, 0));
	fd = socket(AF_PACKET, SOCK_DGRAM, 0);
	show("short", bind(fd, (struct sockaddr *)&a, 19));
	a.sll_family = AF_INET;
	show("family", bind(fd, (struct sockaddr *)&a, sizeof(a)));
	a.sll_family = AF_PACKET;
	a.sll_ifindex = 9999;
	show("no interface", bind(fd, (struct sockaddr *)&a, sizeof(a)));
	a.sll_ifindex = 1;
	a.sll_protocol = htons(0x88b5);
	show("lo", bind(fd, (struct sockaddr *)&a, sizeof(a)));
	getsockname(fd, (struct sockaddr *)&b, &len);
	printf("length %u: %u %x %d type %u halen %u\n", len, b.sll_family,
	       ntohs(b.sll_protocol), b.sll_ifindex, b.sll_hatype, b.sll_halen);
	len = sizeof(b);
	show("peer", getpeername(fd, (struct sockaddr *)&b, &len));
	show("listen", listen(fd, 1));
	show("connect", connect(fd, (struct sockaddr *)&a, sizeof(a)));
	show("nothing", recv(fd, &b, sizeof(b), MSG_DONTWAIT));
	a.sll_ifindex = 9999;
	show("send nowhere",
	     sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	show("short address", sendto(fd, "x", 1, 0, (struct sockaddr *)&a, 5));
	close(fd);
}

static void
options(int fd)
{
	struct packet_mreq m = { .mr_ifindex = 9999, .mr_type = 1 };
	struct tpacket_stats st;
	socklen_t len = sizeof(st);
	int v;

	option(fd, PACKET_AUXDATA, 1);
	option(fd, PACKET_AUXDATA, 0);
	option(fd, PACKET_IGNORE_OUTGOING, 1);
	option(fd, PACKET_IGNORE_OUTGOING, 2);
	option(fd, PACKET_RESERVE, 4);
	option(fd, PACKET_RESERVE, -1);
	option(fd, PACKET_VERSION, 7);
	option(fd, PACKET_VERSION, TPACKET_V2);
	option(fd, 999, 1);
	v = TPACKET_V2;
	len = sizeof(v);
	show("header", getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &v, &len));
	printf("%d\n", v);
	v = 9;
	show("header 9", getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &v, &len));
	show("no link",
	     setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)));
	m.mr_ifindex = 1;
	show("not joined",
	     setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof(m)) ?
		     0 :
		     0);
	show("short", setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, 8));
	len = sizeof(st);
	show("statistics",
	     getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
	printf("%u\n", len);
}

static void
try_filter(const char *what, int fd, struct sock_filter *f, unsigned n)
{
	struct sock_fprog p = { (unsigned short)n, f };

	show(what, setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
}

static void
filters(int fd)
{
	struct sock_filter ok[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter no_ret[] = { BPF_STMT(BPF_LD | BPF_IMM, 1) };
	struct sock_filter far[] = { BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
				     BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter back[] = { BPF_JUMP(BPF_JMP | BPF_JEQ, 1, 255, 0),
				      BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter zero[] = { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0),
				      BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter mem[] = { BPF_STMT(BPF_ST, 16),
				     BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter code[] = { { 0xffff, 0, 0, 0 },
				      BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter shift[] = { BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32),
				       BPF_STMT(BPF_RET | BPF_K, 0) };
	int v = 1;

	show("none", setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &v, 4));
	try_filter("ok", fd, ok, 1);
	try_filter("empty", fd, ok, 0);
	try_filter("long", fd, ok, 5000);
	try_filter("bad", fd, BAD, 1);
	try_filter("no return", fd, no_ret, 1);
	try_filter("far", fd, far, 2);
	try_filter("beyond", fd, back, 2);
	try_filter("zero", fd, zero, 2);
	try_filter("memory", fd, mem, 2);
	try_filter("code", fd, code, 2);
	try_filter("shift", fd, shift, 2);
	show("short", setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, ok, 8));
	show("off", setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &v, 4));
	show("off", setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &v, 4));
	try_filter("ok", fd, ok, 1);
	show("lock", setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &v, 4));
	show("off", setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &v, 4));
	try_filter("ok", fd, ok, 1);
	v = 0;
	show("unlock", setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &v, 4));
}

static void
try_ring(const char *what, int fd, unsigned bs, unsigned bn, unsigned fs,
	 unsigned fn)
{
	struct tpacket_req q = { bs, bn, fs, fn };

	show(what, setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)));
}

static const char *
map(int fd, size_t len, int flags, long off)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, off);

	if (p == MAP_FAILED)
		return strerrorname_np(errno);
	((char *)p)[len - 1] = 1;
	munmap(p, len);
	return "ok";
}

static void
rings(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0), v = TPACKET_V2;
	char *p;

	setsockopt(fd, SOL_PACKET, PACKET_VERSION, &v, sizeof(v));
	printf("no ring %s\n", map(fd, 4096, MAP_SHARED, 0));
	try_ring("block 0", fd, 0, 1, 2048, 2);
	try_ring("block 1000", fd, 1000, 1, 500, 2);
	try_ring("frame 8", fd, 4096, 1, 8, 512);
	try_ring("frame 48", fd, 12288, 1, 48, 256);
	try_ring("frame 64", fd, 12288, 1, 64, 192);
	try_ring("another", fd, 8192, 4, 2048, 16);
	try_ring("off", fd, 0, 0, 0, 0);
	try_ring("frame 2040", fd, 4096, 1, 2040, 2);
	try_ring("frame large", fd, 4096, 1, 8192, 1);
	try_ring("count", fd, 4096, 2, 2048, 5);
	try_ring("no blocks", fd, 4096, 0, 2048, 4);
	try_ring("good", fd, 8192, 4, 2048, 16);
	printf("short %s\n", map(fd, 4096, MAP_SHARED, 0));
	printf("long %s\n", map(fd, 65536, MAP_SHARED, 0));
	printf("offset %s\n", map(fd, 32768, MAP_SHARED, 4096));
	printf("all %s\n", map(fd, 32768, MAP_SHARED, 0));
	option(fd, PACKET_VERSION, TPACKET_V1);
	option(fd, PACKET_RESERVE, 16);
	p = mmap(NULL, 32768, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	/* It lives on with its map. */
	p[0] = 3;
	printf("after %d\n", p[0] + p[32767]);
	munmap(p, 32768);
}

int
main(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	names();
	options(fd);
	filters(fd);
	close(fd);
	rings();
	return 0;
}
