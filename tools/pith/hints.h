/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a user can do about a program that Pith can not run as it was started.
 */
#pragma once

#include <stdbool.h>

/* The program asked for a second process, maybe to run another program: words
 * that follow a colon.  name is the kernel's, 15 bytes at most, and may be
 * that of a thread. */
const char *hint_for_fork(const char *name, bool other);
