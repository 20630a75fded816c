/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: extended attributes: set, get, list and remove, by path, link and
 * descriptor.  Of a trusted.* name, which every file system has.
 * CALLS: setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr
 * CALLS: llistxattr flistxattr removexattr lremovexattr fremovexattr
 * NEEDS: root
 */
#define _GNU_SOURCE
#include "path_common.h"
#include <sys/xattr.h>

#define N "trusted.abi"

static int
has(const char *list, long n, const char *name)
{
	for (long at = 0; at < n; at += (long)strlen(list + at) + 1)
		if (!strcmp(list + at, name))
			return 1;
	return 0;
}

int
main(void)
{
	char buf[300], big[70000], long_name[300] = "trusted.";
	int fd, ro;
	long n;

	path_setup();
	PATHS("setxattr", outside(p) ? 0 : setxattr(p, N, "v", 1, 0), (void)0);
	PATHS("lsetxattr", outside(p) ? 0 : lsetxattr(p, N, "v", 1, 0),
	      (void)0);
	PATHS("getxattr", getxattr(p, N, buf, sizeof(buf)), (void)0);
	PATHS("lgetxattr", lgetxattr(p, N, buf, sizeof(buf)), (void)0);
	PATHS("listxattr", outside(p) ? 0 : listxattr(p, buf, sizeof(buf)),
	      (void)0);
	PATHS("llistxattr", outside(p) ? 0 : llistxattr(p, buf, sizeof(buf)),
	      (void)0);
	PATHS("removexattr", removexattr(p, N), (void)0);
	PATHS("lremovexattr", lremovexattr(p, N), (void)0);

	path_remake();
	fd = open("f", O_RDWR), ro = open("f", O_RDONLY);
	SHOW(fgetxattr(fd, N, buf, 10));
	SHOW(fsetxattr(fd, N, "value", 5, XATTR_REPLACE));
	SHOW(fsetxattr(ro, N, "value", 5, XATTR_CREATE));
	SHOW(fsetxattr(fd, N, "value", 5, XATTR_CREATE));
	SHOW(fsetxattr(fd, N, "longer value", 12, XATTR_REPLACE));
	SHOW(fsetxattr(fd, N, "x", 1, 3));
	SHOW(fsetxattr(fd, N, "x", 1, 8));
	memset(buf, '#', 20);
	SHOW(getxattr("lf", N, buf, 0));
	SHOW(getxattr("lf", N, buf, 5));
	SHOW(getxattr("lf", N, buf, 12));
	printf("%.14s\n", buf);
	SHOW(getxattr("f", N, BAD, 12));
	SHOW(getxattr("f", BAD, buf, 12));
	SHOW(getxattr("f", "", buf, 12));
	SHOW(getxattr("f", "noprefix", buf, 12));
	SHOW(getxattr("f", "unknown.x", buf, 12));
	SHOW(setxattr("f", "unknown.x", buf, 1, 0));
	SHOW(setxattr("f", "", buf, 1, 0));
	SHOW(setxattr("f", N, BAD, 10, 0));
	SHOW(setxattr("f", N, big, 65537, 0));
	memset(long_name + 8, 'x', 290);
	SHOW(setxattr("f", long_name, "v", 1, 0));
	long_name[256] = 0;
	SHOW(getxattr("f", long_name, buf, 10));
	long_name[255] = 0;
	SHOW(getxattr("f", long_name, buf, 10));
	SHOW(setxattr("f", "trusted.empty", NULL, 0, 0));
	SHOW(getxattr("f", "trusted.empty", buf, 10));
	n = flistxattr(ro, buf, sizeof(buf));
	printf("list: %d %d %d\n", has(buf, n, N), has(buf, n, "trusted.empty"),
	       has(buf, n, "trusted.no"));
	SHOW(flistxattr(ro, NULL, 0) == n);
	SHOW(flistxattr(ro, buf, 3));
	SHOW(flistxattr(ro, BAD, sizeof(buf)));
	SHOW(flistxattr(99, buf, 3));
	SHOW(fgetxattr(99, N, buf, 3));
	SHOW(fsetxattr(99, N, buf, 3, 0));
	SHOW(fremovexattr(99, N));
	SHOW(fremovexattr(ro, N));
	SHOW(fremovexattr(fd, N));
	SHOW(fremovexattr(fd, "trusted.empty"));
	SHOW(lsetxattr("lf", N, "of link", 7, 0));
	SHOW(lgetxattr("lf", N, buf, 20));
	SHOW(getxattr("lf", N, buf, 20));
	SHOW(fgetxattr(open("f", O_PATH), N, buf, 20));
	/* user.* is for files and directories only. */
	SHOW(lsetxattr("lf", "user.x", "v", 1, 0));
	SHOW(setxattr("/dev/null", "user.x", "v", 1, 0));

	/* Without the capability there is no trusted.*. */
	SHOW(chmod("f", 0666));
	SHOW(setxattr("f", N, "secret", 6, 0));
	for (int i = 3; i < 32; i++)
		close(i);
	SHOW(setresuid(1000, 1000, 0));
	SHOW(getxattr("f", N, buf, 10));
	SHOW(setxattr("f", N, "x", 1, 0));
	SHOW(removexattr("f", N));
	n = listxattr("f", buf, sizeof(buf));
	printf("seen: %d\n", n > 0 && has(buf, n, N));
	SHOW(setresuid(0, 0, 0));
	return 0;
}
