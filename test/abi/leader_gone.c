/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a process whose first thread has ended goes on as before.  Method:
 * the first thread ends; others send signals to the process and to a thread
 * that is gone, by hand and by timers, and execute.
 * CALLS: kill tgkill timer_create execve
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include "wait_common.h"

#include <fcntl.h>

static volatile int taken;
static volatile pid_t gone;
static volatile int may_end;
static char *self;

static void
count(int sig)
{
	(void)sig;
	taken++;
}

static void *
end_at_once(void *arg)
{
	(void)arg;
	gone = gettid();
	while (!may_end) /* timers are aimed at it */
		usleep(1000);
	return NULL;
}

/* Two timers for one thread, which ends; then they expire again. */
static void
timers(void)
{
	struct itimerspec it = { .it_value.tv_nsec = 1000000,
				 .it_interval.tv_nsec = 1000000 };
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID,
			       .sigev_signo = SIGUSR2 };
	timer_t t[2];
	pthread_t p;

	gone = 0, may_end = 0;
	start_thread(&p, end_at_once, NULL);
	while (!gone)
		usleep(1000);
	ev._sigev_un._tid = gone;
	for (int i = 0; i < 2; i++) {
		show("create", timer_create(CLOCK_MONOTONIC, &ev, &t[i]));
		timer_settime(t[i], 0, &it, NULL);
	}
	may_end = 1;
	pthread_join(p, NULL);
	until_gone(gone);
	usleep(20000); /* they expire, and nobody is there */
	show("delete", timer_delete(t[0]));
	timer_settime(t[1], 0, &it, NULL);
	usleep(20000);
	show("delete", timer_delete(t[1]));
	show("tgkill", tgkill(getpid(), gone, SIGUSR1));
}

static void *
second(void *arg)
{
	pthread_t first = (pthread_t)arg;
	char *const again[] = { self, "again", NULL };
	int fd, want;

	pthread_join(first, NULL);
	may_end = 1;
	for (int round = 0; round < 50; round++) {
		want = taken + 1;
		kill(getpid(), SIGUSR1);
		while (taken < want)
			usleep(100);
		pthread_create(&first, NULL, end_at_once, NULL);
		pthread_detach(first);
	}
	printf("taken %d\n", taken);
	timers();
	fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY);
	show("task", fd >= 0);
	show("clock",
	     clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &(struct timespec){ 0 }));
	fflush(stdout);
	execv(self, again);
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t t;

	self = argv[0];
	signal(SIGUSR1, count);
	signal(SIGUSR2, count);
	if (argc > 1) {
		printf("tid is pid: %d\n", gettid() == getpid());
		show("kill", kill(getpid(), SIGUSR1));
		printf("taken %d\n", taken);
		return 7;
	}
	start_thread(&t, second, (void *)pthread_self());
	pthread_exit(NULL);
}
