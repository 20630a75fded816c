/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core and sched for a test program of one thread: see core.c.
 */
#pragma once

#include <base/types.h>

/* The kernel's log goes to standard output. */
extern bool host_verbose;
/* No lock may be held between calls, and no handle of a journal be open. */
void host_check_unlocked(void);
