/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a splice that is woken by data and has no room for them leaves them to
 * another reader of the pipe, which is woken too.
 * CALLS: splice
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include "wait_common.h"
#include <pthread.h>

static int from[2], to[2];
static char page[4096];

static void *
move(void *arg)
{
	ssize_t n = splice(from[0], NULL, to[1], NULL, 100, 0);

	(void)arg;
	printf("moved %zd\n", n);
	return NULL;
}

static void *
take(void *arg)
{
	char c = 0;
	ssize_t n = read(from[0], &c, 1);

	(void)arg;
	printf("read %zd %c\n", n, c);
	return NULL;
}

int
main(void)
{
	pthread_t a, b;

	if (pipe(from) || pipe(to))
		return 1;
	fcntl(to[1], F_SETFL, O_NONBLOCK);
	while (write(to[1], page, sizeof(page)) > 0)
		;
	fcntl(to[1], F_SETFL, 0);
	pthread_create(&a, NULL, move, NULL);
	until_others_asleep(1);
	pthread_create(&b, NULL, take, NULL);
	until_others_asleep(2);
	if (write(from[1], "1", 1) != 1)
		return 1;
	pthread_join(b, NULL);
	fcntl(to[0], F_SETFL, O_NONBLOCK);
	while (read(to[0], page, sizeof(page)) > 0)
		;
	if (write(from[1], "23", 2) != 2)
		return 1;
	pthread_join(a, NULL);
	printf("there %zd\n", read(to[0], page, sizeof(page)));
	return 0;
}
