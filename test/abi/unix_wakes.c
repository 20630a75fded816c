/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX: nobody is forgotten who could go on.  Two senders that wait for
 * room, and one read makes room for both; two readers of datagrams, and two
 * datagrams; a sender whose byte was taken, and the other end closed without
 * reading it: that is a reset, never an end of stream.
 * CALLS: sendto, recvfrom
 */
#define _GNU_SOURCE
#include "unix_common.h"
#include "wait_common.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

static int fd[2];
static atomic_int turn, done;

/* ---- a read makes room for two ---- */

static void *
send_one(void *arg)
{
	atomic_fetch_add(&turn, 1);
	if (send(fd[0], "x", 1, 0) != 1)
		printf("send: %s\n", strerrorname_np(errno));
	return arg;
}

static void
room_for_two(void)
{
	static char big[1 << 20];
	pthread_t t[2];

	pair(SOCK_STREAM, fd);
	while (send(fd[0], big, 4096, MSG_DONTWAIT) > 0)
		;
	while (send(fd[0], big, 1, MSG_DONTWAIT) > 0)
		;
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, send_one, NULL);
	while (atomic_load(&turn) < 2)
		sched_yield();
	until_others_asleep(2);
	if (recv(fd[1], big, sizeof(big), 0) <= 0)
		printf("recv: %s\n", strerrorname_np(errno));
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	close(fd[0]);
	close(fd[1]);
	printf("senders: both\n");
}

/* ---- two readers, two datagrams ---- */

#define ROUNDS 2000

static void *
recv_some(void *arg)
{
	char b[8];

	for (int i = 1; i <= ROUNDS; i++) {
		if (recv(fd[1], b, sizeof(b), 0) != 1)
			printf("recv: %s\n", strerrorname_np(errno));
		atomic_fetch_add(&done, 1);
		while (atomic_load(&done) < 2 * i)
			sched_yield();
	}
	return arg;
}

static void
two_datagrams(int type)
{
	pthread_t t[2];

	atomic_store(&done, 0);
	pair(type, fd);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, recv_some, NULL);
	for (int i = 1; i <= ROUNDS; i++) {
		send(fd[0], "a", 1, 0);
		for (volatile int k = 0; k < i % 1024; k++)
			;
		send(fd[0], "b", 1, 0);
		while (atomic_load(&done) < 2 * i)
			sched_yield();
	}
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	close(fd[0]);
	close(fd[1]);
	printf("readers: both\n");
}

/* ---- sent, not read, closed ---- */

static void *
close_it(void *arg)
{
	for (int i = 1; i <= ROUNDS; i++) {
		while (atomic_load(&turn) != i)
			sched_yield();
		for (volatile int k = 0; k < i % 256; k++)
			;
		close(fd[1]);
		atomic_store(&done, i);
	}
	return arg;
}

static void
not_read(void)
{
	int ends = 0;
	pthread_t t;
	char b;

	atomic_store(&turn, 0);
	atomic_store(&done, 0);
	pthread_create(&t, NULL, close_it, NULL);
	for (int i = 1; i <= ROUNDS; i++) {
		bool sent;

		pair(SOCK_STREAM, fd);
		atomic_store(&turn, i);
		for (volatile int k = 0; k < i % 128; k++)
			;
		sent = send(fd[0], "x", 1, MSG_NOSIGNAL) == 1;
		if (recv(fd[0], &b, 1, 0) == 0 && sent)
			ends++;
		while (atomic_load(&done) != i)
			sched_yield();
		close(fd[0]);
	}
	pthread_join(t, NULL);
	printf("ends of stream: %d\n", ends);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(240);
	room_for_two();
	two_datagrams(SOCK_DGRAM);
	two_datagrams(SOCK_SEQPACKET);
	not_read();
	return 0;
}
