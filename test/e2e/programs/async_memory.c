/* SPDX-License-Identifier: Apache-2.0 */
/*
 * O_DIRECT by io_uring with memory that is unmapped after each request: what
 * was lent to the device must come back.  Prints whether it did.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEN   65536u
#define TIMES 500u

static long
free_kb(void)
{
	char line[200];
	long kb = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static void
once(struct io_uring *u, int fd, unsigned k)
{
	char *p = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct io_uring_sqe *s = io_uring_get_sqe(u);
	struct io_uring_cqe *c;

	memset(p, 'm', LEN);
	if (k & 1)
		io_uring_prep_read(s, fd, p, LEN, 0);
	else
		io_uring_prep_write(s, fd, p, LEN, 0);
	/* With a thread that waits, and without. */
	if (k % 3)
		io_uring_submit(u);
	else
		io_uring_submit_and_wait(u, 1);
	io_uring_wait_cqe(u, &c);
	if (c->res != LEN || p[LEN - 1] != 'm')
		printf("%u: %d\n", k, c->res);
	io_uring_cqe_seen(u, c);
	munmap(p, LEN);
}

int
main(int argc, char **argv)
{
	struct io_uring u;
	long before = 0, lost;
	int fd = open(argc > 1 ? argv[1] : "memory.data",
		      O_RDWR | O_CREAT | O_DIRECT, 0644);

	if (fd < 0 || io_uring_queue_init(8, &u, 0))
		return 1;
	for (unsigned k = 0; k < TIMES; k++) {
		if (k == TIMES / 5)
			before = free_kb();
		once(&u, fd, k);
	}
	lost = before - free_kb();
	printf("lost: %s\n", lost < 4096 ? "nothing" : "memory");
	return 0;
}
