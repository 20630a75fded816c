/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: statfs and fstatfs answer on every kind of path, with numbers that
 * fit each other; /proc says what it is.
 * CALLS: statfs fstatfs
 */
#define _GNU_SOURCE
#include "path_common.h"
#include <sys/statfs.h>

int
main(void)
{
	struct statfs s, t;
	int fd;

	path_setup();
	PATHS("statfs", syscall(SYS_statfs, p, &s), (void)0);
	SHOW(syscall(SYS_statfs, "f", BAD));
	SHOW(syscall(SYS_fstatfs, 99, &s));
	SHOW(syscall(SYS_fstatfs, 0, BAD));
	SHOW(statfs("f", &s));
	fd = open("f", O_PATH);
	SHOW(fstatfs(fd, &t));
	printf("same %d\n",
	       s.f_type == t.f_type && s.f_bsize == t.f_bsize &&
		       !memcmp(&s.f_fsid, &t.f_fsid, sizeof(s.f_fsid)));
	printf("sane %d %d %d %ld\n", s.f_bsize >= 512, s.f_bfree <= s.f_blocks,
	       s.f_bavail <= s.f_bfree, (long)s.f_namelen);
	SHOW(statfs("/proc", &s));
	printf("proc %lx bsize %ld namelen %ld\n", (long)s.f_type,
	       (long)s.f_bsize, (long)s.f_namelen);
	int p[2];
	SHOW(pipe(p));
	SHOW(fstatfs(p[0], &s));
	printf("pipe %lx bsize %ld namelen %ld\n", (long)s.f_type,
	       (long)s.f_bsize, (long)s.f_namelen);
	SHOW(fstatfs(memfd_create("m", 0), &s));
	printf("memfd %lx bsize %ld namelen %ld\n", (long)s.f_type,
	       (long)s.f_bsize, (long)s.f_namelen);
	return 0;
}
