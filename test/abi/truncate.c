/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: sizes and times of files, and the calls that put them on disk.
 * CALLS: truncate ftruncate utime utimes futimesat utimensat sync syncfs
 * CALLS: fsync fdatasync sync_file_range fadvise64 readahead
 */
#define _GNU_SOURCE
#include "path_common.h"
#include <sys/time.h>
#include <utime.h>

static void
show_times(const char *name)
{
	struct stat st;

	if (lstat(name, &st)) {
		printf("  %s: %s\n", name, strerrorname_np(errno));
		return;
	}
	/* Now, or a time that was given. */
	printf("  %s: a %ld.%09ld m %ld.%09ld\n", name,
	       st.st_atime > 1500000000 ? -1 : (long)st.st_atime,
	       st.st_atime > 1500000000 ? 0 : st.st_atim.tv_nsec,
	       st.st_mtime > 1500000000 ? -1 : (long)st.st_mtime,
	       st.st_mtime > 1500000000 ? 0 : st.st_mtim.tv_nsec);
}

int
main(void)
{
	struct utimbuf ub = { 1000, 2000 };
	struct timeval tv[2] = { { 3000, 4 }, { 5000, 999999 } };
	struct timespec ts[2] = { { 6000, 7 }, { 8000, 999999999 } };
	struct stat a, b;
	int fd, r, p[2];

	path_setup();
	PATHS("truncate", syscall(SYS_truncate, p, 5l), show_file("f"));
	PATHS("utime", outside(p) ? 0 : syscall(SYS_utime, p, &ub),
	      show_times("f"));
	PATHS("utimes", outside(p) ? 0 : syscall(SYS_utimes, p, tv),
	      show_times("f"));
	PATHS("futimesat",
	      outside(p) ? 0 :
	      !p	 ? 0 :
			   syscall(SYS_futimesat, AT_FDCWD, p, tv),
	      show_times("f"));
	PATHS("utimensat",
	      outside(p) ? 0 :
	      !p	 ? 0 :
		   syscall(SYS_utimensat, AT_FDCWD, p, ts, AT_SYMLINK_NOFOLLOW),
	      (show_times("f"), show_times("lf")));

	SHOW(syscall(SYS_truncate, "f", -1l));
	SHOW(syscall(SYS_ftruncate, 99, 0l));
	SHOW(syscall(SYS_ftruncate, -1, -1l));
	fd = open("f", O_RDWR);
	SHOW(syscall(SYS_ftruncate, fd, -1l));
	SHOW(syscall(SYS_ftruncate, fd, 100000l));
	show_stat("f");
	SHOW(syscall(SYS_ftruncate, fd, 3l));
	show_file("f");
	SHOW(lseek(fd, 2, SEEK_SET));
	SHOW(ftruncate(fd, 0));
	SHOW(write(fd, "x", 1));
	show_stat("f");
	/* A truncation to the same size is a change too; one that fails is
	 * not. */
	stat("f", &a);
	usleep(20000);
	SHOW(ftruncate(fd, 3));
	stat("f", &b);
	printf("mtime %s\n", a.st_mtim.tv_nsec != b.st_mtim.tv_nsec ||
					     a.st_mtime != b.st_mtime ?
				     "changed" :
				     "same");
	r = open("f", O_RDONLY);
	SHOW(syscall(SYS_ftruncate, r, 0l));
	SHOW(pipe(p));
	SHOW(syscall(SYS_ftruncate, p[1], 0l));
	SHOW(syscall(SYS_ftruncate, open("d", O_RDONLY), 0l));
	SHOW(syscall(SYS_truncate, "/dev/null", 0l));
	SHOW(mkfifo("fifo", 0600));
	SHOW(syscall(SYS_truncate, "fifo", 0l));

	/* Times. */
	make_file("t", "t");
	SHOW(syscall(SYS_utime, "t", NULL));
	show_times("t");
	SHOW(syscall(SYS_utime, "t", BAD));
	SHOW(syscall(SYS_utimes, "t", BAD));
	tv[0].tv_usec = 1000000;
	SHOW(syscall(SYS_utimes, "t", tv));
	tv[0].tv_usec = -1;
	SHOW(syscall(SYS_futimesat, AT_FDCWD, "t", tv));
	SHOW(syscall(SYS_futimesat, 99, "t", NULL));
	SHOW(syscall(SYS_utimensat, 99, "t", NULL, 0));
	SHOW(syscall(SYS_utimensat, AT_FDCWD, "t", BAD, 0));
	SHOW(syscall(SYS_utimensat, AT_FDCWD, "t", ts, 1));
	SHOW(syscall(SYS_utimensat, AT_FDCWD, NULL, ts, 0));
	SHOW(syscall(SYS_utimensat, fd, NULL, ts, 0));
	show_times("f");
	ts[0].tv_nsec = UTIME_OMIT, ts[1].tv_sec = 12, ts[1].tv_nsec = 34;
	SHOW(utimensat(AT_FDCWD, "t", ts, 0));
	show_times("t");
	ts[1].tv_nsec = UTIME_OMIT;
	SHOW(utimensat(AT_FDCWD, "t", ts, 0));
	show_times("t");
	/* With nothing to do, nothing is looked at. */
	SHOW(utimensat(AT_FDCWD, "no", ts, 0));
	SHOW(utimensat(99, "no", ts, 0));
	ts[0].tv_nsec = UTIME_NOW;
	SHOW(utimensat(AT_FDCWD, "t", ts, 0));
	show_times("t");
	ts[0].tv_nsec = 1000000000;
	SHOW(utimensat(AT_FDCWD, "t", ts, 0));
	ts[0].tv_nsec = -1;
	SHOW(utimensat(AT_FDCWD, "t", ts, 0));
	ts[0].tv_nsec = 0, ts[0].tv_sec = -100;
	SHOW(utimensat(AT_FDCWD, "t", ts, 0));
	show_times("t");
	SHOW(syscall(SYS_utimensat, fd, "", ts, AT_EMPTY_PATH));

	/* A write changes mtime, a read does not. */
	ts[0].tv_sec = ts[1].tv_sec = 77, ts[0].tv_nsec = ts[1].tv_nsec = 0;
	SHOW(futimens(fd, ts));
	SHOW(pwrite(fd, "w", 1, 0));
	show_times("f");
	SHOW(chmod("f", 0600));

	/* To the disk. */
	SHOW(syscall(SYS_sync));
	SHOW(syscall(SYS_syncfs, fd));
	SHOW(syscall(SYS_syncfs, 99));
	SHOW(syscall(SYS_fsync, fd));
	SHOW(syscall(SYS_fsync, r));
	SHOW(syscall(SYS_fsync, 99));
	SHOW(syscall(SYS_fsync, p[0]));
	SHOW(syscall(SYS_fsync, open("d", O_RDONLY)));
	SHOW(syscall(SYS_fdatasync, fd));
	SHOW(syscall(SYS_fdatasync, -1));
	SHOW(syscall(SYS_fdatasync, p[1]));
	SHOW(syscall(SYS_fsync, open("/dev/null", O_RDWR)));
	SHOW(syscall(SYS_sync_file_range, fd, 0l, 0l, 7));
	SHOW(syscall(SYS_sync_file_range, fd, 0l, 0l, 8));
	SHOW(syscall(SYS_sync_file_range, fd, -1l, 0l, 2));
	SHOW(syscall(SYS_sync_file_range, fd, 1l, 1l << 63, 2));
	SHOW(syscall(SYS_sync_file_range, 99, 0l, 0l, 2));
	SHOW(syscall(SYS_sync_file_range, p[1], 0l, 0l, 2));
	SHOW(syscall(SYS_fadvise64, fd, 0l, 0l, POSIX_FADV_WILLNEED));
	SHOW(syscall(SYS_fadvise64, fd, 0l, -1l, POSIX_FADV_DONTNEED));
	SHOW(syscall(SYS_fadvise64, fd, -1l, 10l, POSIX_FADV_NORMAL));
	SHOW(syscall(SYS_fadvise64, fd, 0l, 10l, 6));
	SHOW(syscall(SYS_fadvise64, fd, 0l, 10l, -1));
	SHOW(syscall(SYS_fadvise64, 99, 0l, 10l, 0));
	SHOW(syscall(SYS_fadvise64, p[0], 0l, 10l, 0));
	SHOW(syscall(SYS_readahead, fd, 0l, 4096l));
	SHOW(syscall(SYS_readahead, 99, 0l, 4096l));
	SHOW(syscall(SYS_readahead, p[0], 0l, 4096l));
	SHOW(syscall(SYS_readahead, open("f", O_WRONLY), 0l, 4096l));
	return 0;
}
