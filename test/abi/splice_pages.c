/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: pages that go by reference: what splice, tee, vmsplice and sendfile
 * put into a pipe is counted in pages, shows what is written to the file
 * meanwhile, outlives its file, and is never written to through the pipe;
 * who is asked first when nothing can move.
 * CALLS: splice tee vmsplice sendfile
 */
#define _GNU_SOURCE
#include "pipe_common.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Single bytes that still fit. */
static int
room(const int *p)
{
	int k = 0;

	while (write(p[1], "r", 1) == 1)
		k++;
	return k;
}

static void
show_bytes(const int *p, int n)
{
	ssize_t r = read(p[0], buf, (size_t)n);

	printf("%zd:", r);
	for (ssize_t i = 0; i < r; i++)
		printf(" %02x", (unsigned char)buf[i]);
	printf("\n");
}

static int
file(const char *name, char c)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(buf, c, SIZE);
	if (write(fd, buf, SIZE) != SIZE)
		printf("no file\n");
	return fd;
}

static void
slots(const int *p)
{
	int f = file("slots", 'a');
	loff_t off = 7;

	SHOW(splice(f, &off, p[1], NULL, 65536, 0));
	printf("off %ld avail %d ready %x\n", (long)off, avail(p[0]),
	       ready(p[1]));
	SHOW(splice(f, &off, p[1], NULL, 65536, 0));
	SHOW(write(p[1], "x", 1));
	drain(p);
	off = 0;
	for (int i = 0; i < 16; i++)
		splice(f, &off, p[1], NULL, 10, 0);
	printf("off %ld avail %d\n", (long)off, avail(p[0]));
	SHOW(splice(f, &off, p[1], NULL, 10, 0));
	drain(p);
	off = SIZE - 5;
	SHOW(splice(f, &off, p[1], NULL, 10, 0));
	SHOW(splice(f, &off, p[1], NULL, 10, 0));
	drain(p);
	off = 0;
	SHOW(sendfile(p[1], f, &off, SIZE));
	SHOW(sendfile(p[1], f, &off, SIZE));
	drain(p);
	fcntl(p[1], F_SETFL, 0);
	SHOW(sendfile(p[1], f, &off, SIZE));
	printf("off %ld\n", (long)off);
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	drain(p);
	SHOW(lseek(f, 5, SEEK_SET));
	SHOW(sendfile(p[1], f, NULL, 100));
	SHOW(splice(f, NULL, p[1], NULL, 100, 0));
	SHOW(lseek(f, 0, SEEK_CUR));
	drain(p);
	/* A larger pipe, in one go there and back. */
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 1 << 20));
	off = 0;
	SHOW(splice(f, &off, p[1], NULL, 1 << 20, 0));
	SHOW(splice(p[0], NULL, open("big", O_RDWR | O_CREAT, 0600), NULL,
		    1 << 20, 0));
	SHOW(splice(open("/dev/zero", O_RDONLY), NULL, p[1], NULL, 500000, 0));
	SHOW(splice(p[0], NULL, open("/dev/null", O_WRONLY), NULL, 1 << 20, 0));
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 65536));
	SHOW(splice(open(".", O_RDONLY), NULL, p[1], NULL, 100, 0));
	close(f);
}

static void
sharing(const int *p)
{
	int f = file("shared", 'a');
	loff_t off = 0;

	/* A write behind them does not go into the file. */
	SHOW(splice(f, &off, p[1], NULL, 10, 0));
	SHOW(write(p[1], "xyz", 3));
	show_bytes(p, 100);
	SHOW(pread(f, buf, 4, 10));
	printf("%.4s\n", buf);
	/* What is written to the file shows. */
	off = 0;
	SHOW(splice(f, &off, p[1], NULL, 10, 0));
	SHOW(pwrite(f, "NEW", 3, 2));
	show_bytes(p, 100);
	off = 0;
	SHOW(splice(f, &off, p[1], NULL, 10, 0));
	SHOW(ftruncate(f, 5));
	show_bytes(p, 100);
	/* What was cut off lives on, whatever comes in its place. */
	close(f);
	f = file("shared", 'b');
	off = 4096;
	SHOW(splice(f, &off, p[1], NULL, 10, 0));
	SHOW(ftruncate(f, 0));
	SHOW(pwrite(f, "cccccccccc", 10, 4096));
	show_bytes(p, 100);
	close(f);
	f = file("shared", 'd');
	off = 8192;
	SHOW(splice(f, &off, p[1], NULL, 10, 0));
	unlink("shared");
	close(f);
	show_bytes(p, 100);
}

static void
pipes(const int *p, const int *q)
{
	memset(buf, 'z', sizeof(buf));
	SHOW(write(p[1], "hello", 5));
	SHOW(tee(p[0], q[1], 100, 0));
	SHOW(tee(p[0], q[1], 2, 0));
	SHOW(avail(q[0]));
	SHOW(write(p[1], " more", 5));
	SHOW(write(q[1], "Q", 1));
	show_bytes(p, 100);
	show_bytes(q, 100);
	writes(p, 1, 65536);
	SHOW(tee(p[0], q[1], 100000, 0));
	SHOW(tee(p[0], q[1], 100000, 0));
	drain(p);
	SHOW(tee(p[0], q[1], 100, 0));
	SHOW(splice(p[0], NULL, q[1], NULL, 100, 0));
	drain(q);
	SHOW(splice(p[0], NULL, q[1], NULL, 100, 0));
	writes(p, 10, 4096);
	SHOW(splice(p[0], NULL, q[1], NULL, 6000, 0));
	SHOW(splice(p[0], NULL, q[1], NULL, 100000, 0));
	writes(p, 10, 4096);
	SHOW(splice(p[0], NULL, q[1], NULL, 100000, 0));
	printf("%d %d\n", avail(p[0]), avail(q[0]));
	drain(p);
	drain(q);
	/* Who may go on in the page: whoever has the end of it. */
	writes(p, 1, 100);
	SHOW(splice(p[0], NULL, q[1], NULL, 100, 0));
	printf("moved: %d %d\n", room(q), room(p));
	drain(p);
	drain(q);
	writes(p, 1, 100);
	SHOW(splice(p[0], NULL, q[1], NULL, 50, 0));
	printf("part: %d %d\n", room(q), room(p));
	drain(p);
	drain(q);
	writes(p, 1, 100);
	SHOW(tee(p[0], q[1], 100, 0));
	printf("shared: %d %d\n", room(q), room(p));
	drain(p);
	drain(q);
	/* 20 pieces and more at once. */
	fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
	fcntl(q[1], F_SETPIPE_SZ, 1 << 20);
	for (int i = 0; i < 50; i++) {
		memset(buf, 'A' + i, 4096);
		writes(p, 1, 4096);
	}
	SHOW(tee(p[0], q[1], 45 * 4096 + 7, 0));
	SHOW(splice(p[0], NULL, q[1], NULL, 45 * 4096 + 7, 0));
	SHOW(avail(q[0]));
	SHOW(read(q[0], buf, sizeof(buf)));
	for (int i = 0; i < 46; i++)
		putchar(buf[i * 4096 + 3]);
	putchar('\n');
	SHOW(read(q[0], buf, sizeof(buf)));
	printf("%c %c\n", buf[0], buf[100000]);
	drain(p);
	fcntl(p[1], F_SETPIPE_SZ, 65536);
	fcntl(q[1], F_SETPIPE_SZ, 65536);
}

static void
memory(const int *p)
{
	char *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static const char text[] = "a page of the program file";
	struct iovec v[40];

	memset(m, 'm', 1 << 20);
	for (int i = 0; i < 40; i++)
		v[i] = (struct iovec){ m + i * 100, 10 };
	SHOW(vmsplice(p[1], v, 40, SPLICE_F_NONBLOCK));
	SHOW(vmsplice(p[1], v, 40, SPLICE_F_NONBLOCK));
	m[0] = 'X';
	show_bytes(p, 12);
	drain(p);
	v[0] = (struct iovec){ m, 1 << 20 };
	SHOW(vmsplice(p[1], v, 1, 0));
	drain(p);
	v[0] = (struct iovec){ m + 5, (1 << 20) - 5 };
	SHOW(vmsplice(p[1], v, 1, 0));
	munmap(m, 8192); /* they live on */
	SHOW(read(p[0], buf, 8191));
	printf("%c %c\n", buf[0], buf[8190]);
	drain(p);
	v[0] = (struct iovec){ m + 8192, 8 };
	v[1] = (struct iovec){ BAD, 8 };
	SHOW(vmsplice(p[1], v, 2, 0));
	SHOW(vmsplice(p[1], v + 1, 1, 0));
	SHOW(write(p[1], "abc", 3));
	show_bytes(p, 100);
	v[0] = (struct iovec){ (char *)text, sizeof(text) };
	v[1] = (struct iovec){ m + 8192, 0 };
	v[2] = (struct iovec){ m + 8192, 3 };
	SHOW(vmsplice(p[1], v, 3, 0));
	SHOW(read(p[0], buf, 100));
	printf("%s %.3s\n", buf, buf + sizeof(text));
	writes(p, 1, 5);
	v[0] = (struct iovec){ BAD, 8 };
	SHOW(vmsplice(p[0], v, 1, 0));
	v[0] = (struct iovec){ m + 8192, 3 };
	SHOW(vmsplice(p[0], v, 1, 0));
	SHOW(avail(p[0]));
	drain(p);
	SHOW(vmsplice(p[0], v, 1, SPLICE_F_NONBLOCK));
	munmap(m + 8192, (1 << 20) - 8192);
}

static void
order(void)
{
	int p[2], q[2], f = file("order", 'o');
	struct iovec v = { buf, 10 };
	loff_t off = SIZE;

	if (pipe2(p, O_NONBLOCK) || pipe2(q, O_NONBLOCK))
		exit(1);
	close(q[0]);
	SHOW(write(p[1], "a", 1));
	SHOW(splice(p[0], NULL, q[1], NULL, 1, 0));
	SHOW(tee(p[0], q[1], 1, 0));
	SHOW(sendfile(q[1], f, &off, 10));
	SHOW(splice(f, &off, q[1], NULL, 10, 0));
	SHOW(vmsplice(q[1], &v, 1, 0));
	drain(p);
	SHOW(splice(p[0], NULL, q[1], NULL, 1, 0));
	SHOW(tee(p[0], q[1], 1, 0));
	close(p[1]);
	SHOW(splice(p[0], NULL, q[1], NULL, 1, 0));
	SHOW(tee(p[0], q[1], 1, 0));
	close(q[1]);
	if (pipe2(q, O_NONBLOCK))
		exit(1);
	SHOW(splice(p[0], NULL, q[1], NULL, 1, 0));
	SHOW(tee(p[0], q[1], 1, 0));
	writes(q, 16, 4096);
	SHOW(splice(p[0], NULL, q[1], NULL, 1, 0));
	SHOW(tee(p[0], q[1], 1, 0));
	SHOW(splice(p[0], NULL, f, NULL, 1, 0));
	close(q[0]);
	close(q[1]);
	close(p[0]);
	/* One end that does not wait is enough. */
	if (pipe(p) || pipe2(q, O_NONBLOCK))
		exit(1);
	SHOW(splice(p[0], NULL, q[1], NULL, 10, 0));
	SHOW(tee(p[0], q[1], 10, 0));
	writes(p, 1, 1);
	writes(q, 16, 4096);
	fcntl(q[1], F_SETFL, 0);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	SHOW(splice(p[0], NULL, q[1], NULL, 10, 0));
	SHOW(tee(p[0], q[1], 10, 0));
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
	close(f);
}

/* A megabyte: file, pipe, TCP, pipe, file. */
#define MUCH (1 << 20)

static int from_sock, to_pipe[2];

static void *
receive(void *arg)
{
	int out = *(int *)arg;
	long total = 0;
	ssize_t n;

	while ((n = splice(from_sock, NULL, to_pipe[1], NULL, 65536, 0)) > 0) {
		while (n > 0) {
			ssize_t k = splice(to_pipe[0], NULL, out, NULL,
					   (size_t)n, SPLICE_F_MOVE);

			if (k <= 0)
				return (void *)-1l;
			n -= k;
			total += k;
		}
	}
	return (void *)total;
}

static int
tcp_pair(int *a, int *b)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*a = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(l, (void *)&sa, len) || listen(l, 1) ||
	    getsockname(l, (void *)&sa, &len) || connect(*a, (void *)&sa, len))
		return -1;
	*b = accept(l, NULL, NULL);
	close(l);
	return 0;
}

static void
through(void)
{
	int in = open("in", O_RDWR | O_CREAT, 0600), p[2], a;
	int out = open("out", O_RDWR | O_CREAT, 0600);
	static char x[MUCH], y[MUCH];
	pthread_t t;
	void *total;
	long sent = 0;

	for (unsigned i = 0; i < MUCH; i++)
		x[i] = (char)((i * 2654435761u) >> 24);
	if (write(in, x, MUCH) != MUCH || pipe(p) || pipe(to_pipe) ||
	    tcp_pair(&a, &from_sock))
		exit(1);
	lseek(in, 0, SEEK_SET);
	pthread_create(&t, NULL, receive, &out);
	for (;;) {
		ssize_t n = splice(in, NULL, p[1], NULL, 50000, 0);

		if (n <= 0)
			break;
		while (n > 0) {
			ssize_t k = splice(p[0], NULL, a, NULL, (size_t)n,
					   SPLICE_F_MORE);

			if (k <= 0) {
				printf("splice: %s\n", strerrorname_np(errno));
				exit(1);
			}
			n -= k;
			sent += k;
		}
	}
	shutdown(a, SHUT_WR);
	pthread_join(t, &total);
	printf("sent %ld, received %ld\n", sent, (long)total);
	SHOW(pread(out, y, MUCH, 0));
	SHOW(memcmp(x, y, MUCH));
	close(a);
	close(from_sock);
}

int
main(void)
{
	int p[2], q[2];

	fs_setup();
	signal(SIGPIPE, SIG_IGN);
	if (pipe2(p, O_NONBLOCK) || pipe2(q, O_NONBLOCK))
		return 1;
	slots(p);
	sharing(p);
	pipes(p, q);
	memory(p);
	order();
	through();
	return 0;
}
