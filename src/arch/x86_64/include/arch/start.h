/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kmain() asks of the architecture, once.
 */
#pragma once

/* Firmware tables, interrupt controllers, clock: after mem_init(). */
void arch_init_late(void);
