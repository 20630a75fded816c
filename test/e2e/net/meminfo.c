/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shared object that a server loads beside its own (LD_PRELOAD): a thread
 * that says on port 9 how much memory the machine has left, so that servers
 * which know nothing of it can be asked.  Each connection gets /proc/meminfo.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void *
answer(void *arg)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9) };
	int l = socket(AF_INET, SOCK_STREAM, 0), c;
	char text[4096];
	size_t n;
	FILE *f;

	if (l < 0 || bind(l, (void *)&a, sizeof(a)) || listen(l, 8)) {
		perror("meminfo");
		exit(1);
	}
	while ((c = accept(l, NULL, NULL)) >= 0) {
		f = fopen("/proc/meminfo", "r");
		n = f ? fread(text, 1, sizeof(text), f) : 0;
		if (f)
			fclose(f);
		if (write(c, text, n) < 0)
			perror("meminfo");
		close(c);
	}
	return arg;
}

/* The server's signals are for its own threads. */
__attribute__((constructor)) static void
start(void)
{
	sigset_t all, old;
	pthread_t t;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&t, NULL, answer, NULL))
		exit(1);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}
