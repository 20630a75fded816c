/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assert() stays in release builds.  It states what only our own mistake can
 * break; input from a program, a disk, a packet or a device is an errno.
 */
#pragma once

#include <base/compiler.h>

/* Defined by core, and by the host platform for unit tests. */
NORETURN void assert_fail(const char *file, int line, const char *expr);

#undef assert
#define assert(x) (likely(x) ? (void)0 : assert_fail(__FILE__, __LINE__, #x))
