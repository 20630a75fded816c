/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the names that uname gives are set, within their bounds.
 * Method: in a namespace of its own where there are namespaces, so that the
 * host keeps its name; the machine of Pith is its own.
 * NEEDS: root
 * CALLS: setdomainname
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sched.h>
#include <sys/utsname.h>

#define SETHOST(p, n)	syscall(SYS_sethostname, p, n)
#define SETDOMAIN(p, n) syscall(SYS_setdomainname, p, n)
#define SHOW(x)		(errno = 0, show(#x, (long)(x)))

static void
names(void)
{
	struct utsname u;

	uname(&u);
	printf("\"%s\" \"%s\"\n", u.nodename, u.domainname);
}

int
main(void)
{
	char name[100];

	memset(name, 'n', sizeof(name));
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (unshare(CLONE_NEWUTS) && errno != ENOSYS) {
		printf("no namespace: %s\n", strerror(errno));
		return 1;
	}
	SHOW(SETHOST("one.example", 3));
	SHOW(SETDOMAIN("two.example", 11));
	names();
	SHOW(SETHOST(name, 64));
	SHOW(SETDOMAIN(name, 64));
	names();
	SHOW(SETHOST(name, 65));
	SHOW(SETHOST(name, -1));
	SHOW(SETHOST(BAD, 3));
	SHOW(SETHOST(BAD, 0));
	names();
	SHOW(SETDOMAIN(name, 65));
	SHOW(SETDOMAIN(name, -1));
	SHOW(SETDOMAIN(NULL, 1));
	SHOW(SETDOMAIN("", 0));
	names();
	SHOW(SETHOST("last", 5));
	names();
	SHOW(setresuid(1000, 1000, 1000));
	SHOW(SETHOST("other", 5));
	SHOW(SETDOMAIN("other", 5));
	SHOW(SETHOST(BAD, -1));
	names();
	return 0;
}
