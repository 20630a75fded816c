/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the program is replaced by another with its arguments and
 * environment; handlers are gone, ignored signals stay, close-on-exec files
 * too; errors leave all as it was. Method: the test executes itself.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <fcntl.h>

#pragma GCC diagnostic ignored "-Wstringop-overread"

static int
second(int argc, char **argv)
{
	struct sigaction a;
	sigset_t set;

	printf("args %d: %s %s\n", argc, argv[1], argv[2]);
	printf("env %s, path gone %d\n", getenv("KEY"), !getenv("PATH"));
	sigaction(SIGUSR1, NULL, &a);
	printf("handler gone %d\n", a.sa_handler == SIG_DFL);
	sigaction(SIGUSR2, NULL, &a);
	printf("ignored %d\n", a.sa_handler == SIG_IGN);
	sigprocmask(SIG_SETMASK, NULL, &set);
	printf("mask kept %d\n", sigismember(&set, SIGHUP));
	printf("fd 20 %d, fd 21 %d\n", fcntl(20, F_GETFD) >= 0,
	       fcntl(21, F_GETFD) >= 0);
	printf("main thread %d\n", gettid() == getpid());
	return 7;
}

static void *
idle(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void *
executer(void *arg)
{
	char *args[] = { "execve", "second", "two words", NULL };
	char *env[] = { "KEY=value", NULL };

	execve(arg, args, env);
	printf("failed %s\n", strerrorname_np(errno));
	exit(1);
}

int
main(int argc, char **argv)
{
	char *none[] = { NULL };
	pthread_t t;
	sigset_t set;

	if (argc > 1)
		return second(argc, argv);
	handle(SIGUSR1, 0);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	dup2(1, 20);
	dup3(1, 21, O_CLOEXEC);
	show("missing", execve("/no/such/file", none, none));
	show("directory", execve("/", none, none));
	show("not executable", execve("/etc/passwd", none, none));
	show("bad path", execve(BAD, none, none));
	show("bad args", execve("/proc/self/exe", BAD, none));
	start_thread(&t, idle, NULL);
	fflush(stdout);
	/* From a thread that is not the first: it becomes the first. */
	start_thread(&t, executer, (void *)"/proc/self/exe");
	for (;;)
		pause();
}
