/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For test_disk.py, in Pith and in the Linux guest: the flags of chattr(1),
 * by both interfaces, what they forbid, and times that a disk cannot store.
 *
 *	attributes (make | look) DIR
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static void
say(const char *what, long r)
{
	printf("at %s: %s\n", what, r < 0 ? strerrorname_np(errno) : "ok");
}

static long
get(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK), flags = 0;
	long r = ioctl(fd, FS_IOC_GETFLAGS, &flags);

	close(fd);
	return r ? -errno : flags;
}

/* Beside what it has of its form. */
static long
set(const char *path, int add)
{
	int fd = open(path, O_RDONLY);
	int flags = (int)get(path);
	long r;

	flags = (flags & ~0x203ff) | add;
	r = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	close(fd);
	return r;
}

static long
closing(int fd)
{
	return fd < 0 ? fd : close(fd);
}

static void
flags(void)
{
	static const int bits[] = {
		FS_SECRM_FL,  0x2,    FS_COMPR_FL, FS_IMMUTABLE_FL,
		FS_APPEND_FL, 0x40,   0x80,	   FS_TOPDIR_FL,
		FS_NOTAIL_FL, 0x2000, FS_NOCOW_FL, 0x40000000,
	};
	char name[32], in[48];

	for (unsigned k = 0; k < sizeof(bits) / sizeof(bits[0]); k++) {
		snprintf(name, sizeof(name), "f%u", k);
		close(open(name, O_CREAT | O_RDWR, 0644));
		say("set", set(name, bits[k]));
		printf("at %x: %lx", bits[k], get(name));
		snprintf(name, sizeof(name), "d%u", k);
		mkdir(name, 0755);
		if (set(name, bits[k]))
			printf(" dir %s", strerrorname_np(errno));
		snprintf(in, sizeof(in), "%s/in", name);
		close(open(in, O_CREAT | O_RDWR, 0644));
		printf(" %lx in it %lx", get(name), get(in));
		snprintf(in, sizeof(in), "%s/dir", name);
		mkdir(in, 0755);
		printf(" %lx\n", get(in));
	}
	printf("at none: %ld %ld\n", get("/dev/null"), get("nothing"));
}

static void
xflags(void)
{
	struct fsxattr x = { .fsx_xflags = 0 };
	int fd = open("x", O_CREAT | O_RDWR, 0644);

	say("fsxattr", ioctl(fd, FS_IOC_FSGETXATTR, &x));
	x.fsx_xflags = FS_XFLAG_APPEND | FS_XFLAG_NODUMP | FS_XFLAG_NOATIME;
	say("fsxattr", ioctl(fd, FS_IOC_FSSETXATTR, &x));
	memset(&x, 0, sizeof(x));
	ioctl(fd, FS_IOC_FSGETXATTR, &x);
	printf("at fsxattr: %x %lx\n", x.fsx_xflags, get("x"));
	memset(&x, 0, sizeof(x));
	say("fsxattr", ioctl(fd, FS_IOC_FSSETXATTR, &x));
	x.fsx_projid = 5;
	say("project", ioctl(fd, FS_IOC_FSSETXATTR, &x));
	say("clone", ioctl(fd, FICLONE, fd));
	say("empty name", setxattr("x", "user.", "v", 1, 0));
	seteuid(1000);
	say("not mine", set("x", FS_NODUMP_FL));
	seteuid(0);
	close(fd);
}

/* What may be done to a file and a directory with that flag. */
static void
forbids(int flag)
{
	static const struct timespec old[2] = { { 1, 1 }, { 1, 1 } };
	int fd, d;

	close(open("other", O_CREAT | O_RDWR, 0644));
	fd = open("file", O_CREAT | O_RDWR, 0644);
	mkdir("dir", 0755);
	close(open("dir/a", O_CREAT | O_RDWR, 0644));
	say("write", write(fd, "data", 4));
	say("flag", set("file", flag));
	say("flag", set("dir", flag));
	say("write", write(fd, "data", 4));
	say("truncate", ftruncate(fd, 2));
	say("fallocate", fallocate(fd, 0, 0, 9000));
	say("punch", fallocate(fd, 3, 0, 4096));
	say("map",
	    mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 :
									   0);
	close(fd);
	say("open", closing(open("file", O_WRONLY)));
	say("open", closing(open("file", O_WRONLY | O_TRUNC | O_APPEND)));
	fd = open("file", O_WRONLY | O_APPEND);
	say("append", fd);
	if (fd >= 0) {
		say("append", write(fd, "data", 4));
		say("no append", fcntl(fd, F_SETFL, 0));
		close(fd);
	}
	say("chmod", chmod("file", 0600));
	say("chown", chown("file", 5, 5));
	say("times", utimensat(AT_FDCWD, "file", NULL, 0));
	say("times", utimensat(AT_FDCWD, "file", old, 0));
	say("setxattr", setxattr("file", "user.a", "v", 1, 0));
	say("link", link("file", "linked"));
	say("rename", rename("file", "moved"));
	say("over", rename("other", "file"));
	say("unlink", unlink("file"));
	say("create", closing(open("dir/n", O_CREAT | O_RDWR, 0644)));
	say("mkdir", mkdir("dir/d", 0755));
	say("symlink", symlink("x", "dir/s"));
	say("tmpfile", closing(open("dir", O_TMPFILE | O_RDWR, 0600)));
	say("remove", unlink("dir/a"));
	say("away", rename("dir/a", "dir/b"));
	say("in it", closing(open("dir/a", O_WRONLY)));
	say("rmdir", rmdir("dir"));
	d = open("dir", O_RDONLY);
	say("chmod", fchmod(d, 0700));
	close(d);
	set("file", 0), set("dir", 0);
	say("after", rename("file", flag & FS_APPEND_FL ? "was.a" : "was.i"));
	say("after", rename("dir", flag & FS_APPEND_FL ? "dir.a" : "dir.i"));
}

static const long long times[] = {
	0,
	-1,
	-2147483648ll,
	-2147483649ll,
	2147483647,
	2147483648ll,
	4294967296ll,
	15032385534ll,
	15032385535ll,
	15032385536ll,
	1ll << 40,
	-(1ll << 40),
};
#define NTIMES (sizeof(times) / sizeof(times[0]))

static void
set_times(void)
{
	char name[16];

	for (unsigned k = 0; k < NTIMES; k++) {
		struct timespec t[2] = { { times[k], 5 }, { times[k], 7 } };

		snprintf(name, sizeof(name), "t%u", k);
		close(open(name, O_CREAT | O_RDWR, 0644));
		utimensat(AT_FDCWD, name, t, 0);
	}
}

static void
look(void)
{
	char name[16];
	struct stat st;

	for (unsigned k = 0; k < NTIMES; k++) {
		snprintf(name, sizeof(name), "t%u", k);
		if (stat(name, &st))
			perror(name);
		printf("at %lld: %lld.%ld %lld.%ld\n", times[k],
		       (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
		       (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	}
	printf("at flags: %lx %lx\n", get("f3"), get("d5/in"));
}

int
main(int argc, char **argv)
{
	if (argc < 3 || chdir(argv[2]))
		return 1;
	umask(022);
	if (!strcmp(argv[1], "make")) {
		flags();
		xflags();
		forbids(FS_IMMUTABLE_FL);
		forbids(FS_APPEND_FL);
		set_times();
	}
	look();
	fflush(stdout);
	sync();
	return 0;
}
