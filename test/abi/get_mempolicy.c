/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: memory policies on a machine with one node: what is kept, told and
 * refused.
 * CALLS: set_mempolicy mbind
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <sys/mman.h>

#define set(m, n, k)	       syscall(SYS_set_mempolicy, m, n, (long)(k))
#define get(m, n, k, a, f)     syscall(SYS_get_mempolicy, m, n, (long)(k), a, f)
#define bind(a, l, m, n, k, f) syscall(SYS_mbind, a, l, m, n, (long)(k), f)

static void
show_policy(const char *what)
{
	unsigned long nodes[16];
	int mode = -1;
	long r;

	memset(nodes, 0xff, sizeof(nodes));
	r = get(&mode, nodes, 1024, 0, 0);
	printf("%s: %ld mode %#x nodes %#lx %#lx\n", what, r, mode, nodes[0],
	       nodes[15]);
}

int
main(void)
{
	unsigned long none = 0, node0 = 1, node1 = 2, far[2] = { 1, 4 };
	unsigned long out[2] = { 99, 99 };
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int mode = -1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	munmap(p + 4096, 4096);
	show_policy("at first");
	for (int m = -1; m < 8; m++) {
		printf("mode %d\n", m);
		SHOW(set(m, NULL, 0));
		SHOW(set(m, &none, 64));
		SHOW(set(m, &node0, 64));
		show_policy("then");
		SHOW(set(m, &node1, 64));
		SHOW(set(0, NULL, 0));
	}
	SHOW(set(2, far, 128));
	SHOW(set(2, far, 65));
	SHOW(set(2, &node0, 1));
	SHOW(set(2, &node0, 2));
	SHOW(set(2, BAD, 64));
	SHOW(set(2, &node0, -1));
	SHOW(set(2 | 1 << 15, &node0, 64));
	show_policy("static");
	SHOW(set(2 | 1 << 15 | 1 << 14, &node0, 64));
	SHOW(set(3, &node0, 64));
	SHOW(get(&mode, NULL, 0, 0, 1));
	printf("next node %d\n", mode);
	SHOW(set(0, NULL, 0));
	SHOW(get(&mode, NULL, 0, 0, 1));
	SHOW(get(NULL, out, 64, 0, 4));
	printf("allowed %#lx\n", out[0]);
	SHOW(get(NULL, out, 64, 0, 5));
	SHOW(get(NULL, out, 64, 0, 8));
	SHOW(get(&mode, NULL, 0, p, 0));
	SHOW(get(&mode, NULL, 0, p, 2));
	printf("mode %d\n", mode);
	*p = 1;
	SHOW(get(&mode, NULL, 0, p, 3));
	printf("node %d\n", mode);
	SHOW(get(&mode, NULL, 0, p + 4096, 2));
	SHOW(get(BAD, NULL, 0, 0, 0));
	SHOW(get(NULL, BAD, 64, 0, 0));
	SHOW(bind(p, 4096, 2, &node0, 64, 0));
	SHOW(bind(p, 4096, 2, &node0, 64, 1 | 2));
	SHOW(bind(p, 4096, 0, NULL, 0, 0));
	SHOW(bind(p, 4096, 2, &node1, 64, 0));
	SHOW(bind(p, 4096, 2, NULL, 0, 0));
	SHOW(bind(p + 1, 4096, 2, &node0, 64, 0));
	SHOW(bind(p, 1, 2, &node0, 64, 0));
	SHOW(bind(p, 0, 2, &node0, 64, 0));
	SHOW(bind(p, 4096, 2, &node0, 64, 8));
	SHOW(bind(p, 3 * 4096, 2, &node0, 64, 0));
	SHOW(bind(p + 4096, 4096, 2, &node0, 64, 0));
	SHOW(bind(p, -4096l, 2, &node0, 64, 0));
	return 0;
}
