/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The per-CPU blocks; the boot CPU's is static, so that this_cpu() works
 * from the first moment.
 */
#include <core/percpu.h>

static struct cpu boot_cpu = { .self = &boot_cpu, .online = true };

struct cpu *cpus[ARCH_MAX_CPUS] = { &boot_cpu };
unsigned cpu_online_count = 1;
