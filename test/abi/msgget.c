/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: System V message queues: which message a type takes, sizes, full and
 * empty queues, waiting, removal under a waiter, the numbers of msgctl.
 * CALLS: msgsnd msgrcv msgctl
 * NEEDS: root
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include "wait_common.h"
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>

static key_t key;
static int id;

struct text {
	long type;
	char s[20000];
};

static long
put(long type, const char *s, int flags)
{
	static struct text t;

	t.type = type;
	strcpy(t.s, s);
	return msgsnd(id, &t, strlen(s), flags | IPC_NOWAIT);
}

static void
get(long type, size_t max, int flags)
{
	static struct text t;
	long r = msgrcv(id, &t, max, type, flags | IPC_NOWAIT);

	if (r < 0)
		printf("type %ld max %zu flags %o: %s\n", type, max, flags,
		       strerrorname_np(errno));
	else
		printf("type %ld max %zu flags %o: type %ld \"%.*s\"\n", type,
		       max, flags, t.type, (int)r, t.s);
}

static void
stat_of(const char *what)
{
	struct msqid_ds d;

	if (msgctl(id, IPC_STAT, &d)) {
		printf("%s: %s\n", what, strerrorname_np(errno));
		return;
	}
	printf("%s: key %d mode %o uid %u bytes %lu msgs %lu max %lu stime %d "
	       "rtime %d ctime %d lspid %d lrpid %d\n",
	       what, d.msg_perm.__key == key, d.msg_perm.mode, d.msg_perm.uid,
	       d.__msg_cbytes, d.msg_qnum, d.msg_qbytes, !!d.msg_stime,
	       !!d.msg_rtime, !!d.msg_ctime, d.msg_lspid == getpid(),
	       d.msg_lrpid == getpid());
}

static void
getting(void)
{
	SHOW(msgget(key, 0600));
	SHOW_OK(id = msgget(key, IPC_CREAT | 0600));
	SHOW(msgget(key, IPC_CREAT | IPC_EXCL | 0600));
	SHOW(msgget(key, 0600) == id);
	stat_of("new");
}

static void
types(void)
{
	SHOW(put(1, "one", 0));
	SHOW(put(3, "three", 0));
	SHOW(put(2, "two", 0));
	SHOW(put(3, "drei", 0));
	SHOW(put(5, "", 0));
	stat_of("five");
	get(2, 100, MSG_COPY | MSG_EXCEPT);
	get(9, 100, 0);
	get(3, 100, 0);
	get(1, 100, MSG_EXCEPT);
	get(-4, 100, 0);
	get(-2, 100, 0);
	get(0, 100, 0);
	get(0, 100, 0);
	get(0, 100, 0);
	SHOW(put(1, "long message", 0));
	get(0, 4, 0);
	get(0, 4, MSG_COPY);
	get(0, 4, MSG_COPY | MSG_NOERROR);
	get(0, 100, MSG_COPY);
	get(0, 4, MSG_NOERROR);
	get(0, 4, 0);
	put(7, "seven", 0);
	put(4, "four", 0);
	get(-3, 100, 0);
	get(LONG_MIN, 100, 0);
	get(0, 0, MSG_NOERROR);
	stat_of("empty");
}

static void
errors(void)
{
	struct text t = { .type = 1 };
	long type = 1;

	SHOW(msgsnd(id, &t, 8193, IPC_NOWAIT));
	SHOW(msgsnd(id, &t, -1, IPC_NOWAIT));
	SHOW(msgsnd(-1, &t, 1, IPC_NOWAIT));
	SHOW(msgsnd(id + 50, &t, 1, IPC_NOWAIT));
	SHOW(msgsnd(id, BAD, 1, IPC_NOWAIT));
	SHOW(put(0, "zero", 0));
	SHOW(put(-1, "minus", 0));
	SHOW(msgrcv(id, &t, -1, 0, IPC_NOWAIT));
	SHOW(msgrcv(-1, &t, 1, 0, IPC_NOWAIT));
	SHOW(msgrcv(id, &t, 1, 0, MSG_COPY));
	put(1, "lost", 0);
	SHOW(msgrcv(id, BAD, 10, 0, IPC_NOWAIT));
	SHOW(msgrcv(id, &type, 0, 0, IPC_NOWAIT));
	/* Full: by bytes, and by the number of empty ones. */
	int n = 0;

	while (msgsnd(id, &t, 1000, IPC_NOWAIT) == 0)
		n++;
	printf("%d of 1000 bytes: %s\n", n, strerrorname_np(errno));
	stat_of("full");
	SHOW(msgsnd(id, &t, 384, IPC_NOWAIT));
	SHOW(msgsnd(id, &t, 0, IPC_NOWAIT));
	while (msgrcv(id, &t, 2000, 0, IPC_NOWAIT) >= 0)
		;
	stat_of("empty");
}

static void
control(void)
{
	struct msqid_ds d;
	struct msginfo info;
	int top, found = 0;

	SHOW(msgctl(id, 99, NULL));
	SHOW(msgctl(-1, IPC_STAT, &d));
	SHOW(msgctl(id, IPC_STAT, BAD));
	SHOW(msgctl(id, IPC_STAT, &d));
	d.msg_qbytes = 100, d.msg_perm.mode = 0622;
	SHOW(msgctl(id, IPC_SET, &d));
	stat_of("small");
	SHOW(put(1, "a text", 0));
	struct text t = { .type = 2 };

	SHOW(msgsnd(id, &t, 100, IPC_NOWAIT));
	d.msg_qbytes = 10000;
	SHOW(msgctl(id, IPC_SET, &d));
	stat_of("large");
	SHOW_OK(top = msgctl(0, MSG_INFO, (void *)&info));
	printf("max %d mnb %d mni %d queues %d\n", info.msgmax, info.msgmnb,
	       info.msgmni, info.msgpool > 0);
	SHOW_OK(msgctl(0, IPC_INFO, (void *)&info));
	printf("seg %d ssz %d\n", info.msgseg, info.msgssz);
	for (int i = 0; i <= top; i++)
		if (msgctl(i, MSG_STAT, &d) == id)
			found++;
	SHOW(found);
	FILE *f = fopen("/proc/sysvipc/msg", "r");
	char line[256];
	int n, k, i, mode, bytes, num;

	for (n = 0; f && fgets(line, sizeof(line), f); n++)
		if (n == 0)
			printf("%s", line);
		else if (sscanf(line, "%d %d %o %d %d", &k, &i, &mode, &bytes,
				&num) == 5 &&
			 i == id)
			printf("line: mode %o bytes %d num %d, %zu long\n",
			       mode, bytes, num, strlen(line));
	fclose(f);
	get(0, 100, 0);
}

struct task {
	int send;
	long r;
	int err;
};

static void *
run_wait(void *arg)
{
	struct task *w = arg;
	static __thread struct text t = { .type = 6 };

	w->r = w->send ? msgsnd(id, &t, 60, 0) : msgrcv(id, &t, 100, 6, 0);
	w->err = errno;
	return NULL;
}

static void
result(const char *what, pthread_t th, struct task *w)
{
	pthread_join(th, NULL);
	if (w->r < 0)
		printf("%s: %s\n", what, strerrorname_np(w->err));
	else
		printf("%s: %ld\n", what, w->r);
}

static void
on_signal(int sig)
{
	(void)sig;
}

static void
waiting(void)
{
	struct task w = { 0 };
	struct sigaction sa = { .sa_handler = on_signal,
				.sa_flags = SA_RESTART };
	struct msqid_ds d;
	pthread_t th;

	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&th, NULL, run_wait, &w);
	until_others_asleep(1);
	SHOW(put(5, "not for it", 0));
	SHOW(put(6, "this", 0));
	result("received", th, &w);
	pthread_create(&th, NULL, run_wait, &w);
	until_others_asleep(1);
	pthread_kill(th, SIGUSR1);
	result("signal", th, &w);
	get(0, 100, 0);
	msgctl(id, IPC_STAT, &d);
	d.msg_qbytes = 100;
	msgctl(id, IPC_SET, &d);
	put(1, "0123456789012345678901234567890123456789012345678901234567", 0);
	w.send = 1;
	pthread_create(&th, NULL, run_wait, &w);
	until_others_asleep(1);
	get(0, 100, 0);
	result("sent", th, &w);
	pthread_create(&th, NULL, run_wait, &w);
	until_others_asleep(1);
	d.msg_qbytes = 1000;
	SHOW(msgctl(id, IPC_SET, &d));
	result("more room", th, &w);
	while (msgrcv(id, &(struct text){ 0 }, 2000, 0, IPC_NOWAIT) >= 0)
		;
	w.send = 0;
	pthread_create(&th, NULL, run_wait, &w);
	until_others_asleep(1);
	SHOW(msgctl(id, IPC_RMID, NULL));
	result("removed", th, &w);
	stat_of("removed");
	get(0, 10, 0);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	key = 0x53000000 + getpid();
	getting();
	types();
	errors();
	control();
	waiting();
	return 0;
}
