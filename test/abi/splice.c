/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: data between descriptors without the program: files, pipes, sockets;
 * what is refused; offsets and positions.
 * CALLS: splice tee vmsplice copy_file_range sendfile
 */
#define _GNU_SOURCE
#include "unix_common.h"
#include "wait_common.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

static int
file(const char *name, int flags, int fill)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | flags, 0600);
	static char b[100000];

	for (unsigned i = 0; i < sizeof(b); i++)
		b[i] = (char)('a' + i % 23);
	if (fill && write(fd, b, sizeof(b)) != sizeof(b))
		printf("no file\n");
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void
sum(const char *what, int fd)
{
	unsigned long s = 0, n = 0;
	unsigned char b[4096];
	ssize_t r;

	while ((r = read(fd, b, sizeof(b))) > 0)
		for (ssize_t i = 0; i < r; i++)
			s = s * 33 + b[i], n++;
	printf("%s: %lu bytes, sum %lx\n", what, n, s);
}

static void
refusals(void)
{
	int a = file("splice.a", 0, 1), b = file("splice.b", 0, 0), p[2], q[2];
	int app = file("splice.c", O_APPEND, 0), dir = open(".", O_RDONLY);
	loff_t off = 0, neg = -1;
	int fd[2];

	if (pipe(p) || pipe(q))
		exit(1);
	pair(SOCK_STREAM, fd);
	show("no pipe", splice(a, NULL, b, NULL, 10, 0));
	show("same pipe", splice(p[0], NULL, p[1], NULL, 10, 0));
	show("flags", splice(a, NULL, p[1], NULL, 10, 0x100));
	show("length 0", splice(-1, NULL, -1, NULL, 0, 0));
	show("bad in", splice(-1, NULL, p[1], NULL, 10, 0));
	show("bad out", splice(a, NULL, -1, NULL, 10, 0));
	show("wrong way", splice(p[1], NULL, a, NULL, 10, 0));
	show("wrong way", splice(a, NULL, p[0], NULL, 10, 0));
	show("pipe offset", splice(p[0], &off, b, NULL, 10, 0));
	show("pipe offset", splice(a, NULL, p[1], &off, 10, 0));
	show("socket offset", splice(fd[0], &off, p[1], NULL, 10, 0));
	show("negative", splice(a, &neg, p[1], NULL, 10, 0));
	show("bad offset", splice(a, BAD, p[1], NULL, 10, 0));
	show("append", splice(p[0], NULL, app, NULL, 10, 0));
	show("empty", splice(p[0], NULL, b, NULL, 10, SPLICE_F_NONBLOCK));
	show("tee same", tee(p[0], p[1], 10, 0));
	show("tee file", tee(a, p[1], 10, 0));
	show("tee flags", tee(p[0], q[1], 10, 0x10));
	show("tee 0", tee(p[0], q[1], 0, 0));
	show("tee empty", tee(p[0], q[1], 10, SPLICE_F_NONBLOCK));
	show("vmsplice file", vmsplice(a, NULL, 0, 0));
	show("vmsplice flags", vmsplice(p[1], NULL, 0, 0x20));
	show("vmsplice bad", vmsplice(p[1], BAD, 1, 0));
	show("vmsplice none", vmsplice(p[1], NULL, 0, 0));
	show("copy pipe", copy_file_range(p[0], NULL, b, NULL, 10, 0));
	show("copy flags", copy_file_range(a, NULL, b, NULL, 10, 1));
	show("copy append", copy_file_range(a, NULL, app, NULL, 10, 0));
	show("copy dir", copy_file_range(dir, NULL, b, NULL, 10, 0));
	show("copy bad", copy_file_range(a, BAD, b, NULL, 10, 0));
	show("copy negative", copy_file_range(a, &neg, b, NULL, 10, 0));
	off = 5;
	show("copy overlap", copy_file_range(a, NULL, a, &off, 10, 0));
	off = 1000000;
	show("copy beyond", copy_file_range(a, &off, b, NULL, 10, 0));
	show("sendfile append", sendfile(app, a, NULL, 10));
	show("sendfile pipe", sendfile(b, p[0], NULL, 10));
	show("sendfile negative", sendfile(b, a, &neg, 10));
	close(p[0]);
	handle(SIGPIPE, 0);
	show("broken", splice(a, NULL, p[1], NULL, 10, 0));
	printf("signal %d\n", got_signal);
	close(q[1]);
	show("end", splice(q[0], NULL, b, NULL, 10, 0));
	close(q[0]);
	close(p[1]);
	close(a);
	close(b);
	close(app);
	close(dir);
	close(fd[0]);
	close(fd[1]);
}

static void
moves(void)
{
	int a = file("splice.a", 0, 1), b = file("splice.b", 0, 0), p[2], q[2];
	struct iovec v[2] = { { "hello ", 6 }, { "world", 5 } };
	loff_t off = 7, to = 3;
	char buf[32] = "";
	int fd[2];

	if (pipe(p) || pipe(q))
		exit(1);
	show("to pipe", splice(a, NULL, p[1], NULL, 1000, 0));
	printf("at %ld\n", lseek(a, 0, SEEK_CUR));
	show("from offset", splice(a, &off, p[1], NULL, 500, 0));
	printf("offset %ld, at %ld\n", off, lseek(a, 0, SEEK_CUR));
	show("tee", tee(p[0], q[1], 600, 0));
	show("to file", splice(p[0], NULL, b, &to, 1200, 0));
	printf("offset %ld, at %ld\n", to, lseek(b, 0, SEEK_CUR));
	show("the rest", splice(p[0], NULL, b, NULL, 5000, 0));
	printf("at %ld\n", lseek(b, 0, SEEK_CUR));
	lseek(b, 0, SEEK_SET);
	sum("file", b);
	show("pipe to pipe", splice(q[0], NULL, p[1], NULL, 100, 0));
	show("that", read(p[0], buf, 31));
	show("drain", splice(q[0], NULL, p[1], NULL, 1000, 0));
	show("vmsplice", vmsplice(q[1], v, 2, 0));
	show("read", read(q[0], buf, 31));
	printf("%.11s\n", buf);
	if (write(q[1], "backwards", 9) != 9)
		exit(1);
	v[0].iov_base = buf;
	v[0].iov_len = 4;
	v[1].iov_base = buf + 10;
	v[1].iov_len = 20;
	show("vmsplice out", vmsplice(q[0], v, 2, 0));
	printf("%.4s %.5s\n", buf, buf + 10);
	/* More than a pipe holds. */
	lseek(a, 0, SEEK_SET);
	while (splice(p[0], NULL, b, NULL, 100000, SPLICE_F_NONBLOCK) > 0)
		;
	show("all", splice(a, NULL, p[1], NULL, 100000, 0));
	show("full", splice(a, NULL, p[1], NULL, 1000, SPLICE_F_NONBLOCK));
	pair(SOCK_STREAM, fd);
	show("to socket", splice(p[0], NULL, fd[0], NULL, 30000, 0));
	show("from socket", splice(fd[1], NULL, q[1], NULL, 20000, 0));
	show("sendfile", sendfile(fd[0], a, NULL, 5000));
	off = 99000;
	show("sendfile", sendfile(fd[0], a, &off, 5000));
	printf("offset %ld, at %ld\n", off, lseek(a, 0, SEEK_CUR));
	shutdown(fd[0], SHUT_WR);
	sum("socket", fd[1]);
	close(q[1]);
	sum("pipe", q[0]);
	close(fd[0]);
	close(fd[1]);
	/* Files. */
	off = 100;
	to = 50000;
	lseek(a, 0, SEEK_SET);
	show("copy", copy_file_range(a, &off, b, &to, 20000, 0));
	printf("%ld %ld\n", off, to);
	show("copy, own", copy_file_range(a, NULL, b, NULL, 200000, 0));
	printf("at %ld %ld\n", lseek(a, 0, SEEK_CUR), lseek(b, 0, SEEK_CUR));
	off = 0;
	to = 60000;
	show("copy within", copy_file_range(b, &off, b, &to, 5000, 0));
	show("copy end", copy_file_range(a, NULL, b, NULL, 10, 0));
	show("sendfile to file", sendfile(b, a, &(off_t){ 10 }, 90));
	lseek(b, 0, SEEK_SET);
	sum("file", b);
	close(a);
	close(b);
	close(p[0]);
	close(p[1]);
	close(q[0]);
	unlink("splice.a");
	unlink("splice.b");
	unlink("splice.c");
}

static int chan[2];

static void *
late(void *arg)
{
	(void)arg;
	until_asleep(getpid());
	if (write(chan[1], "late", 4) != 4)
		return (void *)1;
	until_asleep(getpid());
	close(chan[1]);
	return NULL;
}

static void
waits(void)
{
	int p[2], fd = file("splice.w", 0, 0);
	pthread_t t;
	char b[8];

	if (pipe(chan) || pipe(p))
		exit(1);
	start_thread(&t, late, NULL);
	show("waits", splice(chan[0], NULL, p[1], NULL, 100, 0));
	show("end", splice(chan[0], NULL, p[1], NULL, 100, 0));
	show("it", read(p[0], b, 8));
	pthread_join(t, NULL);
	close(p[0]);
	close(p[1]);
	close(chan[0]);
	close(fd);
	unlink("splice.w");
}

int
main(void)
{
	refusals();
	moves();
	waits();
	return 0;
}
