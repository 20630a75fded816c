/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of prctl(2) that concern capabilities: sys_cred.c has them.
 */
#pragma once

#include <base/types.h>

struct thread;

long cred_prctl(struct thread *t, int option, const uint64_t a[4]);
