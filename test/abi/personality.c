/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the value is told. Method: the query.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/personality.h>

int
main(void)
{
	show("get", personality(0xffffffff));
	show("no randomisation", personality(ADDR_NO_RANDOMIZE));
	printf("%x\n", personality(0xffffffff));
	return 0;
}
