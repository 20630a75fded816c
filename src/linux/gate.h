/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system call gate, for boot and for the end of the program.
 */
#pragma once

/* trace_filter: names of calls to trace, "" for all; NULL: no tracing. */
void gate_init(const char *trace_filter);

/* Sends one ENOSYS frame for each missing call that was made, with its
 * count; at exit. */
void gate_report_missing(void);
