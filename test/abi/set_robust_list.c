/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a lock held by a thread that ends is marked and a waiter woken.
 * Method: a robust mutex of libc.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static pthread_mutex_t m;

static void *
holder(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&m);
	return NULL;
}

static void *
waiter(void *arg)
{
	int err = pthread_mutex_lock(&m);

	(void)arg;
	printf("lock %s\n", strerrorname_np(err));
	printf("consistent %d\n", pthread_mutex_consistent(&m));
	pthread_mutex_unlock(&m);
	return NULL;
}

int
main(void)
{
	pthread_mutexattr_t a;
	pthread_t t, u;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&m, &a);
	start_thread(&t, holder, NULL);
	pthread_join(t, NULL);
	start_thread(&u, waiter, NULL);
	pthread_join(u, NULL);
	show("lock", pthread_mutex_lock(&m));
	show("size", syscall(SYS_set_robust_list, NULL, 7));
	return 0;
}
