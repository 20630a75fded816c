/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: errors at the end of what there is.  Method: descriptors with a limit
 * of none and of few; random bytes to the end of mapped memory; what a new
 * program does not keep.
 * CALLS: dup fcntl getrandom membarrier
 */
#define _GNU_SOURCE
#include "proc_common.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

static void
limited(rlim_t n)
{
	struct rlimit l = { n, 4096 };
	struct pollfd p[5] = { { .fd = -1 },
			       { .fd = -1 },
			       { .fd = -1 },
			       { .fd = -1 },
			       { .fd = -1 } };
	int fd[2];

	setrlimit(RLIMIT_NOFILE, &l);
	printf("%d descriptors\n", (int)n);
	show("dup", dup(1));
	show("open", open("/", O_RDONLY));
	show("pipe", pipe(fd));
	show("socket", socket(AF_UNIX, SOCK_STREAM, 0));
	show("eventfd", eventfd(0, 0));
	show("epoll", epoll_create1(0));
	show("memfd", memfd_create("x", 0));
	show("from 0", fcntl(1, F_DUPFD, 0));
	show("from 3", fcntl(1, F_DUPFD, 3));
	show("from 4", fcntl(1, F_DUPFD, 4));
	show("dup2", dup2(1, 5));
	show("poll", poll(p, 5, 0));
}

int
main(int argc, char **argv)
{
	char *const again[] = { argv[0], "again", NULL };
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	show("barrier",
	     syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	if (argc == 1) {
		syscall(SYS_membarrier,
			MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
		show("barrier",
		     syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED,
			     0, 0));
		fflush(stdout);
		execv("/proc/self/exe", again);
		return 1;
	}
	munmap(p + 4096, 4096);
	show("bytes", syscall(SYS_getrandom, p + 4096 - 700, 2000, 0));
	show("none", syscall(SYS_getrandom, p + 4096, 2000, 0));
	limited(0);
	limited(4);
	return 0;
}
