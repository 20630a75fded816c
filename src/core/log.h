/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's log: a ring of lines, written from any context, shown by the
 * sinks that are registered (UART, control port).  Levels as in syslog.
 * Hot paths do not log; they trace (core/trace.h).
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

enum log_level { LOG_ERR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

void log_printf(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_err(...)   log_printf(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_printf(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_printf(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_printf(LOG_DEBUG, __VA_ARGS__)

/* Adds a sink; it is first given what the ring holds.  fn may be called from
 * any context with the log lock held, and must not log. */
int log_add_sink(void (*fn)(enum log_level, const char *line, size_t len));
void log_set_level(enum log_level max); /* lines above are dropped early */

/* Copies the newest bytes of the ring (for /dev/kmsg and panics). */
size_t log_copy(char *buf, size_t size);
