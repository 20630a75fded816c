/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pseudo-terminals: /dev/ptmx and /dev/pts, the lock, the peer, both sides'
 * readiness and ioctls, packet mode, closing, hanging up, the controlling
 * terminal and its signals.
 *
 * Linux's line discipline works in a thread of its own: what one side wrote
 * is waited for by poll(), never assumed.
 *
 * CALLS: vhangup
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "wait_common.h"

#define IO (O_RDWR | O_NOCTTY | O_NONBLOCK)

static void
show(const char *what, long r)
{
	if (r < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %ld\n", what, r);
}

#define DO(x) (errno = 0, show(#x, (long)(x)))

static void
polled(const char *what, int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI, 0 };
	int r = poll(&p, 1, 0);

	printf("%s polls %d %#x\n", what, r, (unsigned)p.revents);
}

/* Waits for something to read, and reads it. */
static void
got(const char *what, int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	unsigned char b[200];
	ssize_t n, i;

	poll(&p, 1, 200000);
	n = read(fd, b, sizeof(b));
	if (n < 0) {
		show(what, n);
		return;
	}
	printf("%s: %zd [", what, n);
	for (i = 0; i < n; i++)
		printf(b[i] < 32 || b[i] > 126 ? "\\x%02x" : "%c", b[i]);
	printf("]\n");
}

static void
nothing(const char *what, int fd)
{
	char b[8];

	show(what, read(fd, b, sizeof(b)));
}

static int
master(char path[32], int *n)
{
	int m = open("/dev/ptmx", IO), zero = 0;

	if (m < 0 || ioctl(m, TIOCGPTN, n) || ioctl(m, TIOCSPTLCK, &zero))
		show("a master", -1);
	sprintf(path, "/dev/pts/%d", *n);
	return m;
}

static void
making(void)
{
	struct stat st, st2;
	struct statfs sf;
	struct termios t;
	char path[32], name[64];
	int m, s, s2, n = -1, v = -1, i;

	DO(statfs("/dev/pts", &sf));
	printf("magic %lx\n", (long)sf.f_type);
	m = open("/dev/ptmx", IO);
	DO(ioctl(m, TIOCGPTN, &n));
	sprintf(path, "/dev/pts/%d", n);
	DO(ioctl(m, TIOCGPTLCK, &v));
	printf("locked %d\n", v);
	DO(open(path, IO));
	DO(ioctl(m, TIOCGPTPEER, IO));
	polled("a new master", m);
	nothing("a new master", m);
	/* The terminal works before anybody has opened it. */
	DO(write(m, "early\n", 6));
	got("its echo", m);
	DO(grantpt(m));
	DO(unlockpt(m));
	printf("%d\n", !strcmp(ptsname(m), path));
	DO(ioctl(m, TIOCGPTLCK, &v));
	printf("locked %d\n", v);
	s = open(path, IO);
	got("the slave", s);
	s2 = ioctl(m, TIOCGPTPEER, IO | O_CLOEXEC);
	printf("peer: %d %#x\n", fcntl(s2, F_GETFD), fcntl(s2, F_GETFL) & IO);
	fstat(s, &st);
	fstat(s2, &st2);
	printf("same inode %d, mode %o, major %u, minor is the number %d, "
	       "links %d, owner %d %d\n",
	       st.st_ino == st2.st_ino, st.st_mode, major(st.st_rdev),
	       (int)minor(st.st_rdev) == n, (int)st.st_nlink,
	       st.st_uid == geteuid(), st.st_ino == (ino_t)n + 3);
	fstat(m, &st);
	printf("master: %o %u:%u\n", st.st_mode & S_IFMT, major(st.st_rdev),
	       minor(st.st_rdev));
	printf("isatty %d %d, the name %d\n", isatty(m), isatty(s),
	       !ttyname_r(s, name, sizeof(name)) && !strcmp(name, path));
	DO(fchmod(s, 0620));
	stat(path, &st);
	printf("mode %o\n", st.st_mode);
	DO(chmod(path, 0600));
	DO(tcgetattr(m, &t));
	printf("%x %x %x %x line %d:", t.c_iflag, t.c_oflag, t.c_cflag,
	       t.c_lflag, t.c_line);
	for (i = 0; i < 19; i++)
		printf(" %d", t.c_cc[i]);
	printf("\n");
	DO(open("/dev/pts/077", IO));
	DO(open("/dev/pts/4999", IO));
	DO(open("/dev/pts/x", IO | O_CREAT));
	DO(unlink(path));
	DO(lseek(s, 0, SEEK_SET));
	DO(lseek(m, 0, SEEK_SET));
	DO(pread(m, name, 1, 0));
	close(s);
	close(s2);
	close(m);
}

static void
listing(void)
{
	char path[32], other[32];
	int a, b, m = master(path, &a), m2 = master(other, &b), seen = 0;
	struct dirent *d;
	DIR *dir = opendir("/dev/pts");

	while ((d = readdir(dir)))
		if (!strcmp(d->d_name, path + 9) ||
		    !strcmp(d->d_name, other + 9) || !strcmp(d->d_name, "ptmx"))
			seen += d->d_type == DT_CHR;
	closedir(dir);
	printf("seen %d, different %d\n", seen, a != b);
	close(m);
	DO(access(path, F_OK));
	DO(access(other, F_OK));
	m = master(path, &b);
	printf("the number again: %d\n", a == b);
	close(m);
	close(m2);
}

static void
talking(void)
{
	struct winsize w = { 1, 2, 3, 4 };
	char path[32];
	int n, v = -1, m = master(path, &n), s = open(path, IO);

	polled("master", m);
	polled("slave", s);
	DO(write(s, "out\n", 4));
	got("master", m);
	DO(write(m, "in\n", 3));
	got("echo", m);
	DO(ioctl(s, FIONREAD, &v));
	printf("readable %d\n", v);
	polled("slave", s);
	got("slave", s);
	nothing("slave", s);
	DO(write(m, "half", 4));
	got("echo", m);
	polled("slave with half a line", s);
	nothing("slave", s);
	DO(write(m, "\4", 1));
	got("slave", s);
	DO(write(m, "\4", 1));
	got("end of file", s);
	DO(ioctl(m, TIOCGWINSZ, &w));
	printf("%d %d %d %d\n", w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel);
	w = (struct winsize){ 10, 20, 30, 40 };
	DO(ioctl(m, TIOCSWINSZ, &w));
	memset(&w, 0, sizeof(w));
	DO(ioctl(s, TIOCGWINSZ, &w));
	printf("%d %d %d %d\n", w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel);
	DO(ioctl(s, TIOCGPTN, &v));
	DO(ioctl(s, TIOCPKT, &v));
	DO(ioctl(s, TIOCSIG, SIGINT));
	DO(ioctl(m, TIOCSIG, 0));
	DO(ioctl(m, TIOCSIG, SIGINT));
	DO(ioctl(s, TIOCMGET, &v));
	DO(ioctl(s, 0x12345678, 0));
	DO(ioctl(m, 0x12345678, 0));
	DO(ioctl(s, TIOCGETD, &v));
	printf("discipline %d\n", v);
	DO(ioctl(s, TIOCOUTQ, &v));
	DO(tcdrain(s));
	DO(tcdrain(m));
	DO(tcsendbreak(s, 0));
	DO(ioctl(s, TCXONC, 7));
	DO(ioctl(s, TCFLSH, 7));
	DO(tcflow(s, TCOOFF));
	DO(write(s, "x", 1));
	polled("a stopped slave", s);
	DO(tcflow(s, TCOON));
	DO(write(s, "x", 1));
	got("master", m);
	DO(tcflow(s, TCIOFF));
	got("stop", m);
	DO(tcflow(s, TCION));
	got("start", m);
	DO(ioctl(s, TIOCGEXCL, &v));
	DO(ioctl(s, TIOCEXCL));
	DO(ioctl(s, TIOCGEXCL, &v));
	printf("exclusive %d\n", v);
	DO(ioctl(s, TIOCNXCL));
	close(s);
	close(m);
}

static void
packets(void)
{
	struct termios t;
	char path[32];
	int n, v = -1, one = 1, zero = 0, m = master(path, &n);
	int s = open(path, IO);

	DO(ioctl(m, TIOCGPKT, &v));
	DO(ioctl(m, TIOCPKT, &one));
	DO(ioctl(m, TIOCGPKT, &v));
	printf("%d\n", v);
	DO(write(s, "data", 4));
	got("data", m);
	DO(tcflush(s, TCIFLUSH));
	polled("an event", m);
	got("flushed input", m);
	DO(tcflush(s, TCIOFLUSH));
	got("flushed both", m);
	DO(tcflow(s, TCOOFF));
	got("stopped", m);
	DO(tcflow(s, TCOON));
	got("started", m);
	tcgetattr(s, &t);
	t.c_iflag &= ~IXON;
	DO(tcsetattr(s, TCSANOW, &t));
	got("no flow control", m);
	t.c_iflag |= IXON;
	DO(tcsetattr(s, TCSANOW, &t));
	got("flow control", m);
	DO(ioctl(m, TIOCPKT, &zero));
	DO(write(s, "data", 4));
	got("data", m);
	close(s);
	close(m);
}

static void
closing(void)
{
	struct termios t;
	struct stat st;
	char path[32], link[40], name[80];
	int n, v = -1, m = master(path, &n), s = open(path, IO);
	ssize_t len;

	DO(write(s, "left", 4));
	close(s);
	polled("slave closed", m);
	got("left", m);
	got("nothing", m);
	polled("slave closed", m);
	DO(write(m, "q\n", 2));
	/* POLLHUP would not wait. */
	UNTIL(ioctl(m, FIONREAD, &v) || v >= 3);
	got("echo", m);
	nothing("and", m);
	s = open(path, IO);
	polled("open again", m);
	got("slave", s);
	nothing("master", m);
	tcgetattr(s, &t);
	t.c_lflag &= ~ECHO;
	DO(tcsetattr(s, TCSANOW, &t));
	close(s);
	s = open(path, IO);
	tcgetattr(s, &t);
	printf("settings stay: %d\n", !(t.c_lflag & ECHO));
	DO(write(s, "pending", 7));
	DO(write(m, "line\n", 5));
	close(m);
	polled("hung up", s);
	got("hung up", s);
	DO(write(s, "a", 1));
	DO(tcgetattr(s, &t));
	DO(ioctl(s, FIONREAD, &v));
	DO(ioctl(s, TIOCSPGRP, &v));
	DO(isatty(s));
	DO(fstat(s, &st));
	DO(open(path, IO));
	sprintf(link, "/proc/self/fd/%d", s);
	len = readlink(link, name, sizeof(name) - 1);
	name[len < 0 ? 0 : len] = 0;
	printf("deleted: %d\n", !!strstr(name, " (deleted)"));
	close(s);
}

static volatile sig_atomic_t signals[65];

static void
on_signal(int sig)
{
	signals[sig]++;
}

static void
signalled(const char *what, int sig)
{
	/* The discipline's thread sends it. */
	UNTIL(signals[sig]);
	printf("%s: %d\n", what, (int)signals[sig]);
	signals[sig] = 0;
}

static void
controlling(void)
{
	struct winsize w = { 5, 5, 0, 0 };
	struct stat st;
	char path[32], other[32];
	int n, v = -1, m = master(path, &n), m2 = master(other, &n), s, s2, t;

	setsid(); /* what starts tests in Pith has done it */
	signal(SIGHUP, on_signal);
	signal(SIGCONT, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGQUIT, on_signal);
	signal(SIGWINCH, on_signal);
	printf("leader %d\n", getsid(0) == getpid());
	DO(open("/dev/tty", O_RDWR));
	s = open(path, IO);
	DO(open("/dev/tty", O_RDWR));
	DO(ioctl(s, TIOCGPGRP, &v));
	DO(ioctl(s, TIOCGSID, &v));
	DO(ioctl(m, TIOCGPGRP, &v));
	printf("%d\n", v);
	DO(ioctl(m, TIOCGSID, &v));
	v = getpgrp();
	DO(ioctl(s, TIOCSPGRP, &v));
	DO(ioctl(s, TIOCNOTTY));
	DO(write(m, "\3", 1));
	got("echo", m);
	printf("nobody is interrupted: %d\n", (int)signals[SIGINT]);
	DO(ioctl(s, TIOCSCTTY, 0));
	DO(ioctl(s, TIOCSCTTY, 0));
	s2 = open(other, IO);
	DO(ioctl(s2, TIOCSCTTY, 0));
	DO(ioctl(s, TIOCGSID, &v));
	printf("%d\n", v == getpid());
	DO(ioctl(s, TIOCGPGRP, &v));
	printf("%d\n", v == getpid());
	DO(ioctl(m, TIOCGPGRP, &v));
	printf("%d\n", v == getpid());
	DO(ioctl(m, TIOCGSID, &v));
	printf("%d\n", v == getpid());
	DO(tcsetpgrp(s, getpgrp()));
	DO(tcsetpgrp(s, 999999));
	DO(tcsetpgrp(s, -3));
	t = open("/dev/tty", IO);
	fstat(t, &st);
	printf("tty %u:%u\n", major(st.st_rdev), minor(st.st_rdev));
	DO(write(t, "T", 1));
	got("master", m);
	DO(write(m, "\3", 1));
	signalled("SIGINT", SIGINT);
	got("echo", m);
	DO(write(m, "\34", 1));
	signalled("SIGQUIT", SIGQUIT);
	got("echo", m);
	DO(ioctl(m, TIOCSWINSZ, &w));
	signalled("SIGWINCH", SIGWINCH);
	DO(ioctl(m, TIOCSWINSZ, &w));
	DO(ioctl(m, TIOCSIG, SIGQUIT));
	signalled("SIGQUIT", SIGQUIT);
	printf("the same size: %d\n", (int)signals[SIGWINCH]);
	DO(ioctl(s, TIOCNOTTY));
	signalled("SIGHUP", SIGHUP);
	signalled("SIGCONT", SIGCONT);
	DO(open("/dev/tty", O_RDWR));
	DO(ioctl(s, TIOCNOTTY));
	close(t);
	close(s2);
	/* Opening makes it the terminal, until the master closes. */
	s2 = open(other, O_RDWR | O_NONBLOCK);
	t = open("/dev/tty", IO);
	printf("opened %d\n", t >= 0);
	close(t);
	close(s2);
	polled("all closed", m2);
	t = open("/dev/tty", IO);
	printf("opened %d\n", t >= 0);
	polled("opened", m2);
	close(m2);
	signalled("SIGHUP", SIGHUP);
	signalled("SIGCONT", SIGCONT);
	DO(open("/dev/tty", IO));
	close(t);
	DO(ioctl(s, TIOCSCTTY, 0));
	DO(vhangup());
	signalled("SIGHUP", SIGHUP);
	polled("after vhangup", s);
	got("after vhangup", s);
	s2 = open(path, IO);
	DO(write(s2, "again", 5));
	got("master", m);
	close(s);
	close(s2);
	close(m);
}

static void *
read_line(void *arg)
{
	char b[64];
	ssize_t n = read(*(int *)arg, b, sizeof(b));

	/* A hang-up that comes while it sleeps may be an error or the end. */
	printf("thread: %zd\n", n > 0 ? n : 0);
	return NULL;
}

/* Sleepers are woken; epoll sees both sides. */
static void
waiting(void)
{
	struct epoll_event ev = { EPOLLIN, { 0 } };
	char path[32];
	int n, m = master(path, &n), s = open(path, O_RDWR | O_NOCTTY);
	int ep = epoll_create1(0);
	pthread_t th;

	DO(epoll_ctl(ep, EPOLL_CTL_ADD, m, &ev));
	DO(epoll_wait(ep, &ev, 1, 0));
	pthread_create(&th, NULL, read_line, &s);
	until_others_asleep(1);
	if (write(m, "wake\n", 5) != 5) /* the other one prints */
		return;
	pthread_join(th, NULL);
	DO(epoll_wait(ep, &ev, 1, 200000));
	printf("%#x\n", ev.events);
	got("echo", m);
	pthread_create(&th, NULL, read_line, &s);
	until_others_asleep(1);
	close(m); /* the one who sleeps gets the end */
	pthread_join(th, NULL);
	close(s);
	m = master(path, &n);
	s = open(path, O_RDWR | O_NOCTTY);
	fcntl(m, F_SETFL, 0);
	pthread_create(&th, NULL, read_line, &m);
	until_others_asleep(1);
	close(s);
	pthread_join(th, NULL);
	close(m);
	close(ep);
}

/* More than any buffer holds, in both directions: nothing is lost. */
static void
volume(void)
{
	static char big[60000], back[70000];
	struct termios t;
	char path[32];
	int n, m = master(path, &n), s = open(path, IO), i, side;
	size_t in, out;
	ssize_t k;

	tcgetattr(s, &t);
	cfmakeraw(&t);
	DO(tcsetattr(s, TCSANOW, &t));
	for (i = 0; i < (int)sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 256);
	for (side = 0; side < 2; side++) {
		int from = side ? s : m, to = side ? m : s;

		for (in = out = 0; out < sizeof(big);) {
			struct pollfd p = { to, POLLIN, 0 };

			k = write(from, big + in, sizeof(big) - in);
			if (k > 0)
				in += (size_t)k;
			else if (k < 0 && errno != EAGAIN)
				break;
			if (poll(&p, 1, 200000) != 1)
				break;
			k = read(to, back + out, sizeof(back) - out);
			if (k > 0)
				out += (size_t)k;
		}
		printf("%zu, the same %d\n", out,
		       !memcmp(big, back, sizeof(big)));
	}
	close(s);
	close(m);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	making();
	listing();
	talking();
	packets();
	closing();
	waiting();
	volume();
	controlling();
	return 0;
}
