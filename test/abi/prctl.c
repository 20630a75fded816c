/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: names, and the flags that are kept. Method: set, get, errors.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/prctl.h>

int
main(void)
{
	char name[32] = "";
	int v = 9;

	show("name", prctl(PR_SET_NAME, "a name that is too long"));
	show("get", prctl(PR_GET_NAME, name));
	printf("%s\n", name);
	show("dumpable", prctl(PR_GET_DUMPABLE));
	show("not", prctl(PR_SET_DUMPABLE, 0));
	show("dumpable", prctl(PR_GET_DUMPABLE));
	show("what", prctl(PR_SET_DUMPABLE, 7));
	show("death", prctl(PR_SET_PDEATHSIG, SIGTERM));
	prctl(PR_GET_PDEATHSIG, &v);
	printf("%d\n", v);
	show("keep", prctl(PR_SET_KEEPCAPS, 1));
	show("keep", prctl(PR_GET_KEEPCAPS));
	show("privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	show("none", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	show("privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	show("off", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	show("slack", prctl(PR_SET_TIMERSLACK, 1234));
	show("slack", prctl(PR_GET_TIMERSLACK));
	show("cap", prctl(PR_CAPBSET_READ, 77));
	show("thp", prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	show("thp", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	show("option", prctl(77777));
	return 0;
}
