/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the servers of the load tests share: the end at an error, and how much
 * memory the machine has left.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* KB */
static uint64_t
free_kb(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[200];
	unsigned long kb = 0;

	if (!f)
		die("/proc/meminfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %lu", &kb) == 1)
			break;
	fclose(f);
	return kb;
}
