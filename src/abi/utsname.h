/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uname(2) and sysinfo(2).
 */
#pragma once

#include <stdint.h>

#define UTS_LEN 64

struct utsname {
	char sysname[UTS_LEN + 1];
	char nodename[UTS_LEN + 1];
	char release[UTS_LEN + 1];
	char version[UTS_LEN + 1];
	char machine[UTS_LEN + 1];
	char domainname[UTS_LEN + 1];
};

#define SI_LOAD_SHIFT 16

struct sysinfo {
	int64_t uptime; /* seconds */
	uint64_t loads[3];
	uint64_t totalram, freeram, sharedram, bufferram;
	uint64_t totalswap, freeswap;
	uint16_t procs, pad;
	uint64_t totalhigh, freehigh;
	uint32_t mem_unit;
};

_Static_assert(sizeof(struct utsname) == 390, "utsname");
_Static_assert(sizeof(struct sysinfo) == 112, "sysinfo");
