/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: transfers over vectors move the right bytes, count right, and end at
 * the first bad address.  Method: random vectors against a flat copy.
 * SOURCES: src/mem/page.c src/mem/heap.c src/mem/kmap.c src/vm/uio.c
 * SOURCES: src/vm/uaccess.c test/unit/host/host.c
 * SOURCES: test/unit/host/core.c test/unit/host/panic.c
 * INCLUDE: test/unit/host
 */
#include "../host/host.h"
#include "../unit.h"

#include <abi/errno.h>
#include <abi/uio.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define SIZE 20000

static unsigned char memory[SIZE], flat[SIZE], buf[SIZE];

static void
test_random(void)
{
	uint64_t seed = 3;

	for (unsigned round = 0; round < 3000; round++) {
		struct iovec iov[20];
		unsigned n = unit_random(&seed) % 20;
		size_t total = 0, at = 0, left;
		bool write = unit_random(&seed) & 1;
		struct uio u;

		for (unsigned i = 0; i < n; i++) {
			size_t len = unit_random(&seed) % 900;

			iov[i].base = (uint64_t)memory + total;
			iov[i].len = unit_random(&seed) % 5 ? len : 0;
			total += iov[i].len;
		}
		for (size_t i = 0; i < total; i++)
			memory[i] = (unsigned char)unit_random(&seed);
		memcpy(flat, memory, SIZE);
		CHECK_EQ(uio_init_iovec(&u, iov, n), 0);
		CHECK_EQ(u.resid, total);
		while ((left = u.resid) > 0) {
			size_t len = 1 + unit_random(&seed) % 2000;
			size_t want = len < left ? len : left;

			u.nofault = unit_random(&seed) & 1;
			CHECK_EQ(uio_prefault(&u, len, write), 0);
			if (write) {
				for (size_t i = 0; i < want; i++)
					buf[i] = (unsigned char)(i * round);
				CHECK_EQ(uio_write(&u, buf, len), want);
				CHECK(!memcmp(memory + at, buf, want));
			} else {
				CHECK_EQ(uio_read(&u, buf, len), want);
				CHECK(!memcmp(flat + at, buf, want));
			}
			at += want;
			CHECK_EQ(u.resid, total - at);
		}
		CHECK_EQ(uio_read(&u, buf, 10), 0);
		CHECK(!memcmp(memory + total, flat + total, SIZE - total));
		uio_fini(&u);
	}
}

static void
test_bad(void)
{
	struct iovec iov[3] = { { (uint64_t)memory, 10 },
				{ 8, 10 },
				{ (uint64_t)memory, 10 } };
	struct uio u;

	CHECK_EQ(uio_init_iovec(&u, iov, 3), 0);
	memset(buf, 7, 30);
	CHECK_EQ(uio_write(&u, buf, 30), 10);
	CHECK_EQ(uio_write(&u, buf, 20), -EFAULT);
	CHECK_EQ(u.resid, 20);
	CHECK_EQ(uio_zero(&u, 20), -EFAULT);
	uio_fini(&u);
	CHECK_EQ(uio_init_iovec(&u, iov, 1025), -EINVAL);
	CHECK_EQ(uio_init_iovec(&u, (void *)8, 2), -EFAULT);
	iov[1].len = UINT64_MAX;
	CHECK_EQ(uio_init_iovec(&u, iov, 3), -EINVAL);
	iov[1].base = 0x7ffffffff000;
	iov[1].len = 1;
	CHECK_EQ(uio_init_iovec(&u, iov, 3), -EFAULT);
	uio_init_user(&u, memory, SIZE_MAX);
	CHECK_EQ(u.resid, 0x7ffff000);
	uio_init_kernel(&u, memory, 4);
	CHECK_EQ(uio_zero(&u, 9), 4);
	CHECK_EQ(uio_prefault(&u, 9, true), 0);
	CHECK(!user_range_ok((void *)0x7ffffffff000, 1));
	CHECK(!user_range_ok((void *)~0ul, 1));
	CHECK(user_range_ok((void *)0x7fffffffefff, 1));
}

static const struct unit_test tests[] = {
	{ "random", test_random },
	{ "bad", test_bad },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	host_mem_init(16ul << 20);
	return unit_main(argc, argv, tests);
}
