/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for tests of the scheduler: see smp.c.
 */
#pragma once

/* Starts n CPUs; fn(arg) runs in a kernel thread, and the program ends when
 * it returns. */
void host_smp_run(unsigned n, void (*fn)(void *), void *arg);
