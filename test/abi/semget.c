/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: System V semaphores: sets of operations done whole or not at all,
 * waiting, waiting for zero, time limits, removal under a waiter, SEM_UNDO's
 * range, the numbers of semctl.
 * CALLS: semop semtimedop semctl
 * NEEDS: root
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include "wait_common.h"
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>

static key_t key;
static int id;

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static void
values(const char *what)
{
	unsigned short v[4] = { 0 };

	if (semctl(id, 0, GETALL, (union semun){ .array = v }))
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: %u %u %u %u\n", what, v[0], v[1], v[2], v[3]);
}

static long
op1(int num, int op, int flags)
{
	struct sembuf s = { num, op, flags };

	return semop(id, &s, 1);
}

static void
getting(void)
{
	int other;

	SHOW(semget(key, 4, 0600));
	SHOW(semget(key, 0, IPC_CREAT | 0600));
	SHOW(semget(key, -1, IPC_CREAT | 0600));
	SHOW(semget(key, 32001, IPC_CREAT | 0600));
	SHOW_OK(id = semget(key, 4, IPC_CREAT | 0600));
	SHOW(semget(key, 4, IPC_CREAT | IPC_EXCL | 0600));
	SHOW(semget(key, 5, 0600));
	SHOW(semget(key, 0, 0600) == id);
	SHOW(semget(key, 2, 0600) == id);
	SHOW_OK(other = semget(IPC_PRIVATE, 1, 0600));
	SHOW(semctl(other, 0, IPC_RMID));
	SHOW(semctl(other, 0, IPC_RMID));
	SHOW(semctl(other, 0, GETVAL));
	values("new");
}

static void
operations(void)
{
	struct sembuf s[501] = { 0 };

	SHOW(op1(0, 3, 0));
	SHOW(op1(0, -4, IPC_NOWAIT));
	SHOW(op1(0, -3, IPC_NOWAIT));
	SHOW(op1(0, 0, IPC_NOWAIT));
	SHOW(op1(1, 1, 0));
	SHOW(op1(1, 0, IPC_NOWAIT));
	SHOW(op1(4, 1, 0));
	SHOW(op1(2, 32767, 0));
	SHOW(op1(2, 1, 0));
	SHOW(op1(2, -32768, IPC_NOWAIT));
	values("values");
	/* All or nothing. */
	s[0] = (struct sembuf){ 0, 5, 0 };
	s[1] = (struct sembuf){ 1, -1, IPC_NOWAIT };
	s[2] = (struct sembuf){ 3, -1, IPC_NOWAIT };
	SHOW(semop(id, s, 3));
	values("unchanged");
	s[2].sem_op = 1;
	SHOW(semop(id, s, 3));
	values("changed");
	s[2].sem_num = 9;
	SHOW(semop(id, s, 3));
	s[2] = (struct sembuf){ 2, 1, 0 };
	s[1].sem_op = 1;
	SHOW(semop(id, s, 3));
	values("unchanged");
	/* The same one twice: in order. */
	s[0] = (struct sembuf){ 3, -1, IPC_NOWAIT };
	s[1] = (struct sembuf){ 3, 0, IPC_NOWAIT };
	s[2] = (struct sembuf){ 3, 2, IPC_NOWAIT };
	SHOW(semop(id, s, 3));
	values("twice");
	SHOW(semop(id, s, 0));
	memset(s, 0, sizeof(s));
	for (int i = 0; i < 501; i++)
		s[i] = (struct sembuf){ 1, 1, 0 };
	SHOW(semop(id, s, 501));
	SHOW(semop(id, s, 500));
	SHOW(semop(id, BAD, 1));
	SHOW(semop(-1, s, 1));
	SHOW(semop(id + 100, s, 1));
	values("500");
}

static void
undo(void)
{
	SHOW(semctl(id, 0, SETVAL, (union semun){ .val = 0 }));
	SHOW(op1(0, 32767, SEM_UNDO));
	SHOW(op1(0, -32767, 0));
	SHOW(op1(0, 1, SEM_UNDO));
	SHOW(op1(0, 1, SEM_UNDO));
	values("undo");
	SHOW(semctl(id, 0, SETVAL, (union semun){ .val = 0 }));
	SHOW(op1(0, 2, SEM_UNDO));
	SHOW(op1(0, -2, SEM_UNDO));
	values("undo");
}

static void
control(void)
{
	unsigned short v[4] = { 1, 2, 3, 4 };
	union semun a = { .array = v };
	struct semid_ds d;
	struct seminfo info;
	int top, found = 0;

	SHOW(semctl(id, 0, SETALL, a));
	values("set");
	v[3] = 40000;
	SHOW(semctl(id, 0, SETALL, a));
	values("not set");
	a.array = BAD;
	SHOW(semctl(id, 0, SETALL, a));
	SHOW(semctl(id, 0, GETALL, a));
	SHOW(semctl(id, 3, SETVAL, (union semun){ .val = 32768 }));
	SHOW(semctl(id, 3, SETVAL, (union semun){ .val = -1 }));
	SHOW(semctl(id, 4, SETVAL, (union semun){ .val = 1 }));
	SHOW(semctl(id, -1, SETVAL, (union semun){ .val = 1 }));
	SHOW(semctl(id, 3, SETVAL, (union semun){ .val = 9 }));
	SHOW(semctl(id, 3, GETVAL));
	SHOW(semctl(id, 4, GETVAL));
	SHOW(semctl(id, -1, GETVAL));
	SHOW(semctl(id, 3, GETPID) == getpid());
	SHOW(semctl(id, 3, GETNCNT));
	SHOW(semctl(id, 3, GETZCNT));
	SHOW(semctl(id, 0, 99));
	a.buf = &d;
	SHOW(semctl(id, 77, IPC_STAT, a));
	printf("key %d nsems %lu mode %o uid %u otime %d ctime %d\n",
	       d.sem_perm.__key == key, d.sem_nsems, d.sem_perm.mode,
	       d.sem_perm.uid, !!d.sem_otime, !!d.sem_ctime);
	d.sem_perm.mode = 0444, d.sem_perm.uid = 3;
	SHOW(semctl(id, 0, IPC_SET, a));
	SHOW(semctl(id, 0, IPC_STAT, a));
	printf("mode %o uid %u\n", d.sem_perm.mode, d.sem_perm.uid);
	a.buf = BAD;
	SHOW(semctl(id, 0, IPC_STAT, a));
	a.info = &info;
	SHOW_OK(top = semctl(0, 0, SEM_INFO, a));
	printf("mni %d msl %d opm %d vmx %d sets %d\n", info.semmni,
	       info.semmsl, info.semopm, info.semvmx, info.semusz > 0);
	SHOW_OK(semctl(0, 0, IPC_INFO, a));
	printf("aem %d\n", info.semaem);
	a.buf = &d;
	for (int i = 0; i <= top; i++)
		if (semctl(i, 0, SEM_STAT, a) == id)
			found++;
	SHOW(found);
	FILE *f = fopen("/proc/sysvipc/sem", "r");
	char line[256];
	int n, k, i, mode, nsems;

	for (n = 0; f && fgets(line, sizeof(line), f); n++)
		if (n == 0)
			printf("%s", line);
		else if (sscanf(line, "%d %d %o %d", &k, &i, &mode, &nsems) ==
				 4 &&
			 i == id)
			printf("line: mode %o nsems %d, %zu long\n", mode,
			       nsems, strlen(line));
	fclose(f);
}

/* ---- waiting ---- */

struct task {
	struct sembuf s;
	struct timespec *limit;
	long r;
	int err;
};

static void *
run_op(void *arg)
{
	struct task *t = arg;

	t->r = semtimedop(id, &t->s, 1, t->limit);
	t->err = errno;
	return NULL;
}

/* Until a thread sleeps on semaphore num. */
static void
until(int num, int cmd, int n)
{
	UNTIL(semctl(id, num, cmd) == n);
	printf("waiters %d\n", semctl(id, num, cmd));
}

static void
result(const char *what, pthread_t th, struct task *t)
{
	pthread_join(th, NULL);
	printf("%s: %s\n", what, t->r ? strerrorname_np(t->err) : "0");
}

static void
on_signal(int sig)
{
	(void)sig;
}

static void
waiting(void)
{
	struct task t = { .s = { 0, -2, 0 } }, z = { .s = { 1, 0, 0 } };
	struct timespec limit = { 0, 20000000 };
	struct sigaction sa = { .sa_handler = on_signal,
				.sa_flags = SA_RESTART };
	unsigned short v[4] = { 0, 1, 0, 0 };
	pthread_t th, tz;

	semctl(id, 0, SETALL, (union semun){ .array = v });
	pthread_create(&th, NULL, run_op, &t);
	pthread_create(&tz, NULL, run_op, &z);
	until(0, GETNCNT, 1);
	until(1, GETZCNT, 1);
	SHOW(semctl(id, 1, GETNCNT));
	SHOW(op1(0, 1, 0));
	until(0, GETNCNT, 1);
	SHOW(op1(0, 1, 0));
	result("taken", th, &t);
	SHOW(op1(1, -1, 0));
	result("zero", tz, &z);
	values("after");

	t.limit = &limit;
	pthread_create(&th, NULL, run_op, &t);
	result("limit", th, &t);
	limit.tv_nsec = 0;
	pthread_create(&th, NULL, run_op, &t);
	result("no time", th, &t);
	limit.tv_nsec = -1;
	pthread_create(&th, NULL, run_op, &t);
	result("bad time", th, &t);
	t.limit = BAD;
	pthread_create(&th, NULL, run_op, &t);
	result("bad pointer", th, &t);
	t.limit = NULL;

	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&th, NULL, run_op, &t);
	until(0, GETNCNT, 1);
	pthread_kill(th, SIGUSR1);
	result("signal", th, &t);
	SHOW(semctl(id, 0, GETNCNT));

	pthread_create(&th, NULL, run_op, &t);
	until(0, GETNCNT, 1);
	SHOW(semctl(id, 0, SETVAL, (union semun){ .val = 3 }));
	result("set", th, &t);
	values("after");
	pthread_create(&th, NULL, run_op, &t);
	until(0, GETNCNT, 1);
	SHOW(semctl(id, 0, IPC_RMID));
	result("removed", th, &t);
	SHOW(op1(0, 1, 0));
}

/* Two threads take turns; four count under a lock. */
static int counter;

static void *
count(void *arg)
{
	for (int i = 0; i < 200; i++) {
		op1(0, -1, SEM_UNDO);
		int c = counter;

		if (i % 50 == 0)
			sched_yield();
		counter = c + 1;
		op1(0, 1, SEM_UNDO);
	}
	return arg;
}

static void
contention(void)
{
	pthread_t t[4];

	id = semget(IPC_PRIVATE, 4, 0600);
	op1(0, 1, 0);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, count, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("counted %d\n", counter);
	values("end");
	SHOW(semctl(id, 0, IPC_RMID));
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	key = 0x52000000 + getpid();
	getting();
	operations();
	undo();
	control();
	waiting();
	contention();
	return 0;
}
