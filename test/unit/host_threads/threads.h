/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX threads as the kernel's, for tests under ThreadSanitizer: threads.c.
 */
#pragma once

#include <base/types.h>

/* Runs fn(arg) in n threads at once, each with a number of its own, and waits
 * for their end. */
void host_threads_run(unsigned n, void (*fn)(unsigned self, void *arg),
		      void *arg);
