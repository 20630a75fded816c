/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: pipes: creation, blocking, atomic writes, interrupted calls,
 * poll, and sendfile into and out of files.
 * CALLS: pipe pipe2 sendfile ioctl
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/time.h>

#include "wait_common.h"

static volatile int hits;

static void
on_signal(int sig)
{
	(void)sig;
	hits++;
}

static int pipe_in, pipe_out;
static volatile int second; /* the reader goes on after a signal */

static void *
reader(void *arg)
{
	static char buf[70000];
	long total = 0, n;

	(void)arg;
	while ((n = read(pipe_out, buf, sizeof(buf))) > 0)
		total += n;
	return (void *)total;
}

static void *
signaller(void *arg)
{
	pthread_t t = *(pthread_t *)arg;

	until_asleep(getpid());
	pthread_kill(t, SIGUSR1);
	UNTIL(second);
	for (int i = 0; i < 3; i++) {
		until_asleep(getpid());
		pthread_kill(t, SIGUSR1);
		UNTIL(hits == i + 2);
	}
	return (void *)write(pipe_in, "w", 1);
}

static int
ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

int
main(void)
{
	static char buf[200000];
	struct sigaction sa = { .sa_handler = on_signal };
	pthread_t self = pthread_self(), t;
	void *total;
	int p[2], f, out, n;
	off_t off;

	fs_setup();
	signal(SIGPIPE, SIG_IGN);
	for (int i = 3; i < 64; i++)
		close(i);
	SHOW(syscall(SYS_pipe, p));
	printf("%d %d flags %#o %#o\n", p[0], p[1], fcntl(p[0], F_GETFL),
	       fcntl(p[1], F_GETFL));
	SHOW(syscall(SYS_pipe, BAD));
	SHOW(syscall(SYS_pipe2, BAD, 0));
	SHOW(syscall(SYS_pipe2, p, 1));
	SHOW(syscall(SYS_pipe2, p, O_CLOEXEC | O_NONBLOCK));
	printf("%d %d flags %#o %#o fd %d\n", p[0], p[1], fcntl(p[0], F_GETFL),
	       fcntl(p[1], F_GETFL), fcntl(p[0], F_GETFD));
	printf("empty %x %x\n", ready(p[0]), ready(p[1]));
	SHOW(fcntl(p[0], F_GETPIPE_SZ));
	/* Full: what does not fit whole waits, if it is up to PIPE_BUF. */
	n = 0;
	while (write(p[1], buf, 4096) == 4096)
		n++;
	printf("%d pages, then %s\n", n, strerrorname_np(errno));
	printf("full %x %x\n", ready(p[0]), ready(p[1]));
	SHOW(ioctl(p[0], FIONREAD, &n));
	printf("%d\n", n);
	SHOW(ioctl(p[0], FIONREAD, BAD));
	SHOW(read(p[0], buf, 100));
	SHOW(read(p[0], buf + 50000, 5000));
	SHOW(write(p[1], buf, 5000) > 0);
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 4096));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 200000));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 0));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, -1));
	while (read(p[0], buf, sizeof(buf)) > 0)
		;
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 1));
	close(p[1]);
	printf("closed %x\n", ready(p[0]));
	close(p[0]);

	SHOW(pipe(p));
	close(p[0]);
	printf("no reader %x\n", ready(p[1]));
	close(p[1]);

	/* More than fits goes out in parts, to the last byte. */
	SHOW(pipe(p));
	pipe_out = p[0];
	pthread_create(&t, NULL, reader, NULL);
	SHOW(write(p[1], buf, sizeof(buf)));
	SHOW(write(p[1], buf, 1));
	close(p[1]);
	pthread_join(t, &total);
	printf("read %ld\n", (long)total);
	close(p[0]);

	/* A signal ends the wait, or not. */
	sigaction(SIGUSR1, &sa, NULL);
	SHOW(pipe(p));
	pipe_in = p[1];
	pthread_create(&t, NULL, signaller, &self);
	SHOW(read(p[0], buf, 1));
	sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &sa, NULL);
	second = 1;
	SHOW(read(p[0], buf, 1));
	pthread_join(t, NULL);
	printf("signals %s\n", hits > 2 ? "came" : "did not come");

	/* sendfile. */
	make_file("in", "0123456789");
	f = open("in", O_RDONLY);
	out = open("out", O_RDWR | O_CREAT, 0644);
	SHOW(sendfile(out, f, NULL, 4));
	SHOW(lseek(f, 0, SEEK_CUR));
	off = 2;
	SHOW(sendfile(out, f, &off, 5));
	printf("off %ld pos %ld\n", (long)off, (long)lseek(f, 0, SEEK_CUR));
	SHOW(sendfile(out, f, NULL, 1000));
	SHOW(sendfile(out, f, NULL, 1000));
	show_file("out");
	off = -1;
	SHOW(sendfile(out, f, &off, 1));
	off = 100;
	SHOW(sendfile(out, f, &off, 1));
	SHOW(syscall(SYS_sendfile, out, f, BAD, 1));
	SHOW(sendfile(f, f, NULL, 1));
	SHOW(sendfile(99, f, NULL, 1));
	SHOW(sendfile(out, 99, NULL, 1));
	SHOW(sendfile(out, p[0], &off, 1));
	SHOW(lseek(f, 0, SEEK_SET));
	SHOW(sendfile(p[1], f, NULL, 10));
	SHOW(read(p[0], buf, 20));
	printf("%.10s\n", buf);
	SHOW(fcntl(out, F_SETFL, O_APPEND));
	SHOW(sendfile(out, f, NULL, 1));
	SHOW(fcntl(p[1], F_SETFL, O_NONBLOCK));
	while (write(p[1], buf, 4096) > 0)
		;
	SHOW(lseek(f, 0, SEEK_SET));
	SHOW(sendfile(p[1], f, NULL, 10));
	SHOW(lseek(f, 0, SEEK_CUR));

	/* ioctl. */
	n = 1;
	SHOW(ioctl(p[0], FIONBIO, &n));
	printf("flags %#o\n", fcntl(p[0], F_GETFL));
	n = 0;
	SHOW(ioctl(p[0], FIONBIO, &n));
	printf("flags %#o\n", fcntl(p[0], F_GETFL));
	SHOW(ioctl(p[0], FIONBIO, BAD));
	SHOW(ioctl(p[0], FIOCLEX));
	SHOW(fcntl(p[0], F_GETFD));
	SHOW(ioctl(p[0], FIONCLEX));
	SHOW(fcntl(p[0], F_GETFD));
	SHOW(ioctl(p[0], 0x1234));
	SHOW(ioctl(99, FIOCLEX));
	SHOW(ioctl(f, TIOCGWINSZ, buf));
	SHOW(ioctl(f, FIONREAD, &n));
	printf("left %d\n", n);
	SHOW(lseek(f, 4, SEEK_SET));
	SHOW(ioctl(f, FIONREAD, &n));
	printf("left %d\n", n);
	SHOW(ioctl(open("/dev/null", O_RDONLY), TCGETS, buf));
	SHOW(ioctl(open(".", O_RDONLY), FIONREAD, &n));
	return 0;
}
