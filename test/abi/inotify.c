/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: watches on files and directories: which call makes which events, in
 * which order, and what a watch's flags do.
 * Method: one instance; after each step the events that wait are printed by
 * name.  Cookies are printed as numbers from 1 in order of appearance.
 * CALLS: inotify_init inotify_init1 inotify_add_watch inotify_rm_watch
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include "wait_common.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

static int in;
static void *volatile bad = BAD;
static uint32_t cookies[64];
static int ncookies;

static int
cookie(uint32_t c)
{
	if (!c)
		return 0;
	for (int i = 0; i < ncookies; i++)
		if (cookies[i] == c)
			return i + 1;
	cookies[ncookies] = c;
	return ++ncookies;
}

static void
print_mask(uint32_t m)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} n[] = {
		{ IN_ACCESS, "ACCESS" },
		{ IN_MODIFY, "MODIFY" },
		{ IN_ATTRIB, "ATTRIB" },
		{ IN_CLOSE_WRITE, "CLOSE_WRITE" },
		{ IN_CLOSE_NOWRITE, "CLOSE_NOWRITE" },
		{ IN_OPEN, "OPEN" },
		{ IN_MOVED_FROM, "MOVED_FROM" },
		{ IN_MOVED_TO, "MOVED_TO" },
		{ IN_CREATE, "CREATE" },
		{ IN_DELETE, "DELETE" },
		{ IN_DELETE_SELF, "DELETE_SELF" },
		{ IN_MOVE_SELF, "MOVE_SELF" },
		{ IN_UNMOUNT, "UNMOUNT" },
		{ IN_Q_OVERFLOW, "OVERFLOW" },
		{ IN_IGNORED, "IGNORED" },
		{ IN_ISDIR, "ISDIR" },
	};

	for (unsigned i = 0; i < sizeof(n) / sizeof(n[0]); i++)
		if (m & n[i].bit) {
			printf(" %s", n[i].name);
			m &= ~n[i].bit;
		}
	if (m)
		printf(" %#x", m);
}

static void
events(const char *what)
{
	char buf[8192] __attribute__((aligned(8)));
	int bytes = -1, total = 0;
	long n;

	printf("%s:\n", what);
	ioctl(in, FIONREAD, &bytes);
	while ((n = read(in, buf, sizeof(buf))) > 0) {
		total += n;
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *e = (void *)p;

			printf("  wd %d", e->wd);
			print_mask(e->mask);
			printf(" cookie %d len %u", cookie(e->cookie), e->len);
			if (e->len)
				printf(" \"%s\"", e->name);
			printf("\n");
			p += sizeof(*e) + e->len;
		}
	}
	printf("  FIONREAD %s\n", bytes == total ? "right" : "wrong");
}
#define STEP(call)             \
	do {                   \
		SHOW_OK(call); \
		events("->");  \
	} while (0)

static int
add(const char *path, uint32_t mask)
{
	int wd = inotify_add_watch(in, path, mask);

	printf("add %s %#x: %s\n", path, mask,
	       wd < 0 ? strerrorname_np(errno) : "ok");
	return wd;
}

static void
arguments(void)
{
	int fd = open("/", O_RDONLY), other;

	SHOW(inotify_init1(1));
	SHOW(inotify_init1(0x40000000));
	SHOW(inotify_add_watch(-1, "f", IN_OPEN));
	SHOW(inotify_add_watch(fd, "f", IN_OPEN));
	SHOW(inotify_add_watch(in, "f", 0));
	SHOW(inotify_add_watch(in, "f", 0x1000));
	SHOW(inotify_add_watch(in, "f", 0x08000000 | IN_OPEN));
	SHOW(inotify_add_watch(in, BAD, IN_OPEN));
	SHOW(inotify_add_watch(in, "none", IN_OPEN));
	SHOW(inotify_add_watch(in, "", IN_OPEN));
	SHOW(inotify_add_watch(in, "f", IN_OPEN | IN_ONLYDIR));
	SHOW(inotify_add_watch(in, "f", IN_MASK_ADD | IN_MASK_CREATE));
	SHOW(inotify_add_watch(fd, "f", IN_MASK_ADD | IN_MASK_CREATE));
	SHOW(inotify_rm_watch(in, 1));
	SHOW(inotify_rm_watch(in, -1));
	SHOW(inotify_rm_watch(fd, 1));
	SHOW(inotify_rm_watch(-1, 1));
	SHOW(read(in, BAD, 0));
	SHOW(write(in, "x", 1));
	SHOW(lseek(in, 0, SEEK_SET));
	SHOW(pread(in, bad, 1, 0));
	SHOW(syscall(SYS_inotify_init1, O_CLOEXEC) < 0);
	other = syscall(SYS_inotify_init);
	SHOW(fcntl(other, F_GETFL));
	SHOW(fcntl(other, F_GETFD));
	close(other);
	close(fd);
}

static void
one_file(void)
{
	int wd = add("f", IN_ALL_EVENTS), fd, ro;
	char buf[16];
	struct timespec ts[2] = { { 5, 0 }, { 6, 0 } };

	STEP(fd = open("f", O_RDWR));
	STEP(read(fd, buf, 2));
	STEP(read(fd, buf, 2));
	STEP(write(fd, "abc", 3));
	STEP(write(fd, "", 0));
	STEP(pwrite(fd, "abc", 3, 1));
	STEP(ftruncate(fd, 100));
	STEP(truncate("f", 50));
	STEP(fallocate(fd, 0, 0, 4096));
	STEP(fchmod(fd, 0600));
	STEP(chmod("f", 0644));
	STEP(chown("f", 0, -1));
	STEP(chown("f", -1, -1));
	STEP(futimens(fd, ts));
	ts[1].tv_nsec = UTIME_OMIT;
	STEP(futimens(fd, ts));
	ts[0].tv_nsec = UTIME_OMIT, ts[1].tv_nsec = 0;
	STEP(futimens(fd, ts));
	ts[1].tv_nsec = UTIME_OMIT;
	STEP(futimens(fd, ts));
	STEP(fsync(fd));
	STEP(ro = open("f", O_RDONLY));
	STEP(close(ro));
	STEP(ro = dup(fd));
	STEP(close(fd));
	STEP(close(ro));
	STEP(fd = open("f", O_WRONLY | O_TRUNC));
	STEP(close(fd));
	STEP(fd = open("f", O_PATH));
	STEP(close(fd));
	STEP(link("f", "f2"));
	STEP(rename("f2", "f3"));
	STEP(unlink("f3"));
	STEP(rename("f", "g"));
	STEP(access("g", R_OK));
	STEP(symlink("g", "lf"));
	SHOW(inotify_add_watch(in, "g", IN_OPEN) == wd);
	STEP(chmod("g", 0640));
	SHOW(inotify_add_watch(in, "lf", IN_ATTRIB | IN_MASK_ADD) == wd);
	STEP(chmod("g", 0644));
	SHOW(inotify_add_watch(in, "g", IN_ATTRIB | IN_MASK_CREATE));
	SHOW(inotify_add_watch(in, "g", IN_ALL_EVENTS) == wd);
	fd = open("g", O_RDONLY);
	STEP(unlink("g"));
	STEP(close(fd));
	SHOW(inotify_rm_watch(in, wd));
	wd = add("lf", IN_ALL_EVENTS | IN_DONT_FOLLOW);
	STEP(lchown("lf", 0, 0));
	STEP(inotify_rm_watch(in, wd));
	STEP(unlink("lf"));
}

static void
directory(void)
{
	int d = add("d", IN_ALL_EVENTS), top = add(".", IN_ALL_EVENTS), fd;
	DIR *dir;

	STEP(mkdir("d/sub", 0755));
	STEP(rmdir("d/sub"));
	STEP(fd = open("d/f", O_CREAT | O_RDWR, 0644));
	STEP(write(fd, "x", 1));
	STEP(close(fd));
	STEP(symlink("f", "d/l"));
	STEP(link("d/f", "d/f2"));
	STEP(mkfifo("d/fifo", 0644));
	STEP(chmod("d/f", 0600));
	STEP(setxattr("d/f", "user.a", "b", 1, 0));
	STEP(removexattr("d/f", "user.a"));
	STEP(rename("d/f", "d/e"));
	STEP(rename("d/f2", "d/e"));
	STEP(rename("d/e", "moved"));
	STEP(rename("moved", "d/back"));
	make_file("d/victim", "v");
	events("made");
	STEP(rename("d/back", "d/victim"));
	make_file("d/a", "v");
	events("made");
	STEP(renameat2(AT_FDCWD, "d/a", AT_FDCWD, "d/victim", RENAME_EXCHANGE));
	STEP(dir = opendir("d"));
	STEP(readdir(dir));
	STEP(closedir(dir));
	STEP(chmod("d", 0700));
	STEP(unlink("d/a"));
	STEP(unlink("d/victim"));
	STEP(unlink("d/l"));
	STEP(unlink("d/fifo"));
	STEP(rename("d", "d2"));
	STEP(mkdir("d2/sub", 0755));
	STEP(rename("d2/sub", "sub"));
	STEP(rmdir("sub"));
	STEP(rmdir("d2"));
	SHOW(inotify_rm_watch(in, d));
	STEP(inotify_rm_watch(in, top));
}

static void
both(void)
{
	int fd;

	mkdir("d", 0755);
	make_file("d/f", "text");
	add("d", IN_ALL_EVENTS);
	add("d/f", IN_ALL_EVENTS);
	STEP(fd = open("d/f", O_RDWR));
	STEP(write(fd, "x", 1));
	STEP(unlink("d/f"));
	STEP(write(fd, "x", 1));
	STEP(close(fd));
	STEP(rmdir("d"));
}

static void
flags(void)
{
	int wd, fd;

	mkdir("d", 0755);
	make_file("d/f", "text");
	add("d", IN_ALL_EVENTS | IN_EXCL_UNLINK);
	fd = open("d/f", O_RDWR);
	unlink("d/f");
	events("opened, unlinked");
	STEP(write(fd, "x", 1));
	STEP(close(fd));
	wd = add("d", IN_CREATE | IN_ONESHOT);
	make_file("d/a", "1");
	events("oneshot");
	make_file("d/b", "1");
	events("oneshot is over");
	SHOW(inotify_rm_watch(in, wd));
	wd = add("d", IN_CREATE | IN_DELETE);
	STEP(inotify_rm_watch(in, wd));
	unlink("d/a"), unlink("d/b");
	add("d", 0x20000000 | IN_CREATE);
	SHOW(rmdir("d"));
	events("not asked for");
}

/* Equal events in a row are one; others are not. */
static void
coalesce(void)
{
	int wd, fd;
	char c;

	make_file("f", "0123456789");
	make_file("g", "0123456789");
	wd = add("f", IN_ALL_EVENTS);
	fd = open("f", O_RDWR);
	for (int i = 0; i < 3; i++)
		SHOW(write(fd, "x", 1));
	SHOW(read(fd, &c, 1));
	SHOW(read(fd, &c, 1));
	SHOW(write(fd, "x", 1));
	SHOW(close(fd));
	events("one file");
	inotify_rm_watch(in, wd);
	wd = add(".", IN_ALL_EVENTS);
	for (int i = 0; i < 2; i++) {
		chmod("f", 0600), chmod("f", 0640);
		chmod("g", 0600), chmod("g", 0640);
	}
	events("two names");
	inotify_rm_watch(in, wd);
	events("removed");
}

static void
small_buffers(void)
{
	char buf[100];
	int wd = add(".", IN_CREATE | IN_DELETE);

	mkdir("a", 0755);
	mkdir("a_longer_name_of_twenty", 0755);
	SHOW(read(in, buf, 15));
	SHOW(read(in, buf, 16));
	SHOW(read(in, buf, 31));
	SHOW(read(in, bad, 100));
	SHOW(read(in, buf, 40));
	SHOW(read(in, buf, 48));
	SHOW(read(in, buf, 48));
	rmdir("a");
	rmdir("a_longer_name_of_twenty");
	SHOW(read(in, buf, 79));
	SHOW(read(in, buf, 80));
	inotify_rm_watch(in, wd);
	events("rest");
}

static void *
make_later(void *arg)
{
	until_asleep(getpid());
	mkdir(arg, 0755);
	return NULL;
}

static void
waiting(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct pollfd p = { .fd = in, .events = POLLIN | POLLOUT };
	int ep = epoll_create1(0), wd = add(".", IN_CREATE);
	pthread_t t;

	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, in, &ev));
	SHOW(poll(&p, 1, 0));
	SHOW(epoll_wait(ep, &ev, 1, 0));
	pthread_create(&t, NULL, make_later, "w1");
	SHOW(epoll_wait(ep, &ev, 1, -1));
	SHOW(poll(&p, 1, 0));
	printf("revents %#x\n", p.revents);
	events("woken");
	pthread_join(t, NULL);
	SHOW(epoll_wait(ep, &ev, 1, 0));
	fcntl(in, F_SETFL, 0);
	pthread_create(&t, NULL, make_later, "w2");
	char buf[64];
	SHOW(read(in, buf, sizeof(buf)));
	pthread_join(t, NULL);
	fcntl(in, F_SETFL, O_NONBLOCK);
	inotify_rm_watch(in, wd);
	rmdir("w1"), rmdir("w2");
	events("end");
	close(ep);
}

static void
full_queue(void)
{
	char buf[65536] __attribute__((aligned(8)));
	int wd = add(".", IN_ATTRIB), last = 0, n = 0, max = 0;
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	long r;

	SHOW(fscanf(f, "%d", &max));
	fclose(f);
	mkdir("a", 0755), mkdir("b", 0755);
	for (int i = 0; i < max + 10; i++)
		chmod(i & 1 ? "a" : "b", 0755);
	while ((r = read(in, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + r;) {
			struct inotify_event *e = (void *)p;

			last = e->mask;
			n++;
			p += sizeof(*e) + e->len;
		}
	printf("max + %d, last %#x\n", n - max, last);
	chmod("a", 0755);
	events("afterwards");
	inotify_rm_watch(in, wd);
	events("removed");
}

/* fdinfo tells all of them, the newest first. */
static void
many_in_fdinfo(void)
{
	char name[64], line[256], *at;
	int fd = inotify_init(), i, wd, n = 0;
	FILE *f;

	for (i = 0; i < 40; i++) {
		sprintf(name, "fdinfo%d", i);
		close(open(name, O_CREAT | O_RDWR, 0600));
		wd = inotify_add_watch(fd, name, IN_MODIFY);
		if (i % 7 == 3)
			inotify_rm_watch(fd, wd);
	}
	sprintf(name, "/proc/self/fdinfo/%d", fd);
	f = fopen(name, "r");
	while (fgets(line, sizeof(line), f))
		if ((at = strstr(line, "wd:")) && sscanf(at, "wd:%x", &wd)) {
			printf(" %d", wd);
			n++;
		}
	printf(": %d\n", n);
	fclose(f);
	close(fd);
	for (i = 0; i < 40; i++) {
		sprintf(name, "fdinfo%d", i);
		unlink(name);
	}
}

int
main(void)
{
	fs_setup();
	make_file("f", "text of f");
	mkdir("d", 0755);
	in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	SHOW(fcntl(in, F_GETFL));
	arguments();
	one_file();
	directory();
	both();
	flags();
	coalesce();
	small_buffers();
	waiting();
	full_queue();
	add(".", IN_ALL_EVENTS);
	SHOW(close(in));
	many_in_fdinfo();
	return 0;
}
