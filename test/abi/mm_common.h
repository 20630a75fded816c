/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of calls on memory: prints results by name, and tries
 * accesses that may be refused.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

#define PG 4096ul

static sigjmp_buf mm_jump;
static volatile int mm_sig, mm_code;

static void
mm_handler(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	mm_sig = sig;
	mm_code = si->si_code;
	siglongjmp(mm_jump, 1);
}

static inline void
mm_setup(void)
{
	struct sigaction sa = { .sa_sigaction = mm_handler,
				.sa_flags = SA_SIGINFO | SA_NODEFER };

	setvbuf(stdout, NULL, _IONBF, 0);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

/* Reads or writes a byte; prints what became of it. */
static inline void
try_access(const char *what, volatile unsigned char *p, int write)
{
	if (sigsetjmp(mm_jump, 1)) {
		printf("%s: signal %d code %d\n", what, mm_sig, mm_code);
		return;
	}
	if (write)
		*p = (unsigned char)(*p + 1);
	printf("%s: %d\n", what, *p);
}

/* A result: 0 or the error by name; other values as "ok". */
static inline void
show(const char *what, long r)
{
	if (r == -1)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: ok\n", what);
}

#define SHOW(x) show(#x, (long)(x))

static inline unsigned char *
anon(size_t len)
{
	unsigned char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

/* A file of n pages; page i is full of 'a' + i. */
static inline int
file_of(const char *name, int n)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char buf[PG];

	for (int i = 0; i < n; i++) {
		memset(buf, 'a' + i, PG);
		if (write(fd, buf, PG) != (ssize_t)PG)
			exit(1);
	}
	return fd;
}
