/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupt routing, for core/irq.c only; drivers use core/irq.h.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

#define IRQ_VECTOR_FIRST 0x30 /* vectors for devices */
#define IRQ_VECTOR_LAST	 0xef
#define IRQ_VECTOR_TIMER 0xfe

void irqchip_init(void);
/* Legacy line gsi raises vector on CPU 0: 0, -ENODEV, -ENOMEM. */
MUST_CHECK int irqchip_route(uint32_t gsi, bool level, uint8_t vector);
void irqchip_msi(uint8_t vector, unsigned cpu, uint64_t *addr, uint32_t *data);
