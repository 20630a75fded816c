/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system call gate, for boot and for the end of the program.
 */
#pragma once

#include <base/types.h>

/* trace_filter: names of calls to trace, "" for all; NULL: no tracing.
 * missing_files: tell the host what paths were not there. */
void gate_init(const char *trace_filter, bool missing_files);

/* The end of the program: the tracer's last lines, and an ENOSYS frame with
 * its count for each missing call that was made. */
void gate_end(void);
