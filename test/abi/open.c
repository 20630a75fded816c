/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: open, openat and creat of every kind of path with every kind of
 * flags, and what the flags leave behind.
 * CALLS: open openat creat
 */
#define _GNU_SOURCE
#include "path_common.h"
#include <sys/ioctl.h>

static void
flags_of(const char *what, int fd)
{
	int fl = fcntl(fd, F_GETFL), cl = fcntl(fd, F_GETFD);

	/* O_LARGEFILE is seen, or not, as the libc's ABI has it. */
	printf("%s: flags %#o, fd %d\n", what, fl & ~0100000, cl);
	close(fd);
}

int
main(void)
{
	static const struct {
		const char *name;
		int flags;
	} modes[] = {
		{ "O_RDONLY", O_RDONLY },
		{ "O_WRONLY", O_WRONLY },
		{ "O_RDWR", O_RDWR },
		{ "O_RDONLY|O_DIRECTORY", O_DIRECTORY },
		{ "O_RDWR|O_DIRECTORY", O_DIRECTORY | O_RDWR },
		{ "O_RDONLY|O_NOFOLLOW", O_NOFOLLOW },
		{ "O_PATH", O_PATH },
		{ "O_PATH|O_NOFOLLOW", O_PATH | O_NOFOLLOW },
		{ "O_PATH|O_DIRECTORY", O_PATH | O_DIRECTORY },
		{ "O_WRONLY|O_CREAT", O_WRONLY | O_CREAT },
		{ "O_RDONLY|O_CREAT", O_CREAT },
		{ "O_WRONLY|O_CREAT|O_EXCL", O_WRONLY | O_CREAT | O_EXCL },
		{ "O_WRONLY|O_CREAT|O_NOFOLLOW",
		  O_WRONLY | O_CREAT | O_NOFOLLOW },
		{ "O_WRONLY|O_TRUNC", O_WRONLY | O_TRUNC },
		{ "O_WRONLY|O_CREAT|O_TRUNC", O_WRONLY | O_CREAT | O_TRUNC },
	};
	struct stat st;
	char buf[32];
	long n;
	int fd;

	path_setup();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		PATHS(modes[i].name, syscall(SYS_open, p, modes[i].flags, 0640),
		      (fstat((int)r, &st),
		       printf("  mode %o%s\n", st.st_mode,
			      S_ISREG(st.st_mode) && !st.st_size ? " empty" :
								   ""),
		       close((int)r)));
	}
	PATHS("creat", syscall(SYS_creat, p, 0600), close((int)r));
	PATHS("openat d", syscall(SYS_openat, open("d", O_RDONLY), p, 0),
	      close((int)r));
	for (int i = 3; i < 1024; i++)
		close(i);

	path_remake();
	SHOW(syscall(SYS_openat, -1, "f", O_RDONLY));
	SHOW(syscall(SYS_openat, 99, "f", O_RDONLY));
	SHOW(syscall(SYS_openat, 99, "", O_RDONLY));
	SHOW_OK(close((int)syscall(SYS_openat, 99, "/", O_RDONLY)));
	fd = open("f", O_RDONLY);
	SHOW(syscall(SYS_openat, fd, "x", O_RDONLY));
	close(fd);
	fd = open("d", O_PATH);
	SHOW_OK(close((int)syscall(SYS_openat, fd, "../f", O_RDONLY)));
	close(fd);

	flags_of("r", open("f", O_RDONLY));
	flags_of("w cloexec", open("f", O_WRONLY | O_CLOEXEC));
	flags_of("rw append nonblock",
		 open("f", O_RDWR | O_APPEND | O_NONBLOCK));
	flags_of("creat trunc excl noctty",
		 open("new", O_RDWR | O_CREAT | O_TRUNC | O_EXCL | O_NOCTTY,
		      0644));
	flags_of("path", open("f", O_PATH | O_CLOEXEC));
	flags_of("path rw", open("f", O_PATH | O_RDWR));
	flags_of("sync", open("f", O_RDWR | O_SYNC));
	flags_of("dsync", open("f", O_RDWR | O_DSYNC));
	flags_of("noatime", open("f", O_RDONLY | O_NOATIME));

	/* Access mode 3 opens for neither, but asks for both. */
	fd = open("f", O_ACCMODE);
	SHOW(read(fd, buf, 1));
	SHOW(write(fd, buf, 1));
	close(fd);
	/* What may be done with O_PATH. */
	fd = open("f", O_PATH);
	SHOW(read(fd, buf, 1));
	SHOW(write(fd, buf, 1));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(fchmod(fd, 0600));
	SHOW(fchown(fd, 0, 0));
	SHOW(ftruncate(fd, 0));
	SHOW(fstat(fd, &st));
	SHOW(ioctl(fd, 0x5401, buf));
	SHOW(fsync(fd));
	SHOW(fcntl(fd, F_SETFL, O_APPEND));
	close(fd);

	/* The mode goes through the umask; the set-id bits stay. */
	umask(027);
	for (int m = 0; m <= 07777; m += 01111) {
		fd = open("m", O_CREAT | O_RDONLY | O_EXCL, m);
		fstat(fd, &st);
		printf("mode %o: %o\n", m, st.st_mode);
		close(fd);
		unlink("m");
	}
	umask(022);

	/* A created file of mode 0 may be written by who made it. */
	fd = open("zero", O_CREAT | O_RDWR, 0);
	SHOW(write(fd, "abc", 3));
	SHOW(pread(fd, buf, 3, 0));
	close(fd);

	/* Truncation. */
	make_file("t", "0123456789");
	close(open("t", O_RDONLY));
	show_file("t");
	close(open("t", O_WRONLY | O_TRUNC));
	show_file("t");

	/* O_TMPFILE has no name, until it is given one. */
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	if (fd < 0) {
		printf("O_TMPFILE: %s\n", strerrorname_np(errno));
	} else {
		n = write(fd, "hidden", 6);
		fstat(fd, &st);
		printf("O_TMPFILE: wrote %ld nlink %ld\n", n,
		       (long)st.st_nlink);
		snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
		SHOW(linkat(AT_FDCWD, buf, AT_FDCWD, "named",
			    AT_SYMLINK_FOLLOW));
		show_file("named");
		/* Only once, and nobody's who has lost his last. */
		SHOW(unlink("named"));
		SHOW(linkat(AT_FDCWD, buf, AT_FDCWD, "named",
			    AT_SYMLINK_FOLLOW));
		close(fd);
		fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
		snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
		SHOW(linkat(AT_FDCWD, buf, AT_FDCWD, "named",
			    AT_SYMLINK_FOLLOW));
		close(fd);
	}
	SHOW(open(".", O_TMPFILE | O_RDONLY, 0600));
	SHOW(open("f", O_TMPFILE | O_RDWR, 0600));

	/* The lowest free number. */
	fd = open("f", O_RDONLY);
	int fd2 = open("f", O_RDONLY);
	int fd3 = open("f", O_RDONLY);
	printf("next %d %d\n", fd2 - fd, fd3 - fd);
	close(fd2);
	printf("again %d\n", open("f", O_RDONLY) - fd);

	/* Devices. */
	SHOW_OK(close(open("/dev/null", O_RDWR | O_CREAT | O_TRUNC, 0)));
	SHOW(open("/dev/null", O_RDONLY | O_DIRECTORY));
	SHOW(open("/dev/null/x", O_RDONLY));
	mkfifo("fifo", 0600);
	SHOW(open("fifo", O_WRONLY | O_NONBLOCK));
	SHOW_OK(fd = open("fifo", O_RDONLY | O_NONBLOCK));
	SHOW(read(fd, buf, 1));
	SHOW_OK(open("fifo", O_WRONLY | O_NONBLOCK));
	SHOW(read(fd, buf, 1));
	SHOW_OK(open("fifo", O_RDWR));
	return 0;
}
