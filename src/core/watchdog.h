/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog: turns a CPU that makes no progress for ten seconds into a
 * report of every CPU and the end of the machine (PITH_EXIT_WATCHDOG).
 */
#pragma once

struct regs;

void watchdog_init(void);
/* Called for an NMI that nobody else claims. */
void watchdog_nmi(struct regs *r);
