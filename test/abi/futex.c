/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: wait and wake by value, count and bits; requeue; wake with an
 * operation; timeouts and errors. Method: threads that sleep on words.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include "wait_common.h"
#include <limits.h>
#include <linux/futex.h>

static volatile uint32_t word, word2;
static volatile int ready, woken;

static long
futex(volatile uint32_t *a, int op, uint32_t val, const void *to,
      volatile uint32_t *b, uint32_t val3)
{
	return syscall(SYS_futex, a, op, val, to, b, val3);
}

static void *
sleeper(void *arg)
{
	uint32_t bits = (uint32_t)(uintptr_t)arg;

	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, bits);
	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void
spawn(pthread_t *t, int n, uint32_t bits)
{
	ready = woken = 0;
	for (int i = 0; i < n; i++)
		start_thread(&t[i], sleeper, (void *)(uintptr_t)bits);
	UNTIL(ready == n);
	until_others_asleep(n);
}

static void
settle(int n)
{
	UNTIL(woken >= n);
	usleep(5000); /* for those too many */
	printf("woken %d\n", woken);
}

int
main(void)
{
	struct timespec ts = { 0, 10000000 };
	pthread_t t[4];
	uint64_t t0;

	show("value", futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
	t0 = now_ns();
	show("timeout", futex(&word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0));
	printf("waited %d\n", now_ns() - t0 >= 10000000);
	show("nobody", futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
	spawn(t, 4, FUTEX_BITSET_MATCH_ANY);
	show("one", futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	settle(1);
	show("requeue",
	     futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &word2, 0));
	settle(2);
	show("not equal",
	     futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &word2, 5));
	show("first", futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0));
	settle(3);
	show("second",
	     futex(&word2, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0));
	settle(4);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	spawn(t, 2, 4);
	show("other bits",
	     futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 3));
	show("bits",
	     futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 6));
	settle(2);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	spawn(t, 1, ~0u);
	word2 = 10;
	show("op", futex(&word2, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word,
			 FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 0)));
	settle(1);
	printf("word %u\n", word);
	pthread_join(t[0], NULL);
	show("no bits", futex(&word, FUTEX_WAIT_BITSET, 3, NULL, NULL, 0));
	show("odd", futex((uint32_t *)((char *)&word + 1), FUTEX_WAKE, 1, NULL,
			  NULL, 0));
	show("bad", futex((uint32_t *)BAD, FUTEX_WAIT, 0, NULL, NULL, 0));
	show("operation", futex(&word, 77, 0, NULL, NULL, 0));
	ts.tv_nsec = 1000000000;
	show("time", futex(&word, FUTEX_WAIT, 3, &ts, NULL, 0));
	return 0;
}
