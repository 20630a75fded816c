/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: bytes of every length, different each time, from any of the sources;
 * bad flags and bad memory are refused.
 * Method: lengths around a page and large; two buffers compared.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/mman.h>
#include <sys/random.h>

#define GETRANDOM(p, n, f) syscall(SYS_getrandom, p, n, f)
#define SHOW(x)		   (errno = 0, show(#x, (long)(x)))

static unsigned char a[1 << 20], b[1 << 20];

/* How many of the 256 bytes there are. */
static int
kinds(const unsigned char *p, size_t n)
{
	char seen[256] = { 0 };
	int k = 0;

	for (size_t i = 0; i < n; i++) {
		k += !seen[p[i]];
		seen[p[i]] = 1;
	}
	return k;
}

int
main(void)
{
	static const size_t sizes[] = { 0,   1,	   7,	 255,  256,
					257, 4095, 4096, 4097, 1 << 20 };
	unsigned char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *ro =
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	setvbuf(stdout, NULL, _IOLBF, 0);
	munmap(page + 4096, 4096);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		printf("%zu: ", sizes[i]);
		SHOW(GETRANDOM(a, sizes[i], 0));
		SHOW(GETRANDOM(b, sizes[i], GRND_NONBLOCK));
		if (sizes[i] > 200)
			printf("differ %d kinds %d\n",
			       memcmp(a, b, sizes[i]) != 0,
			       kinds(a, sizes[i]) > 100);
	}
	SHOW(GETRANDOM(a, 32, GRND_RANDOM));
	SHOW(GETRANDOM(a, 32, GRND_RANDOM | GRND_NONBLOCK));
	SHOW(GETRANDOM(a, 32, 4));
	SHOW(GETRANDOM(a, 32, 5));
	SHOW(GETRANDOM(a, 32, 6));
	SHOW(GETRANDOM(a, 32, 8));
	SHOW(GETRANDOM(a, 32, -1));
	SHOW(GETRANDOM(BAD, 0, 8));
	SHOW(GETRANDOM(BAD, 32, 0));
	SHOW(GETRANDOM(BAD, 0, 0));
	SHOW(GETRANDOM(ro, 32, 0));
	SHOW(GETRANDOM(page + 4080, 16, 0));
	SHOW(GETRANDOM(page + 4096, 16, 0));
	SHOW(GETRANDOM((void *)(-1ul << 12), 16, 0));
	SHOW(GETRANDOM((void *)(1ul << 63), -1ul, 0));
	return 0;
}
