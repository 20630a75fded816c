/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device interrupts.  A vector number is the architecture's; drivers get
 * theirs from the bus (MSI-X) or the platform (legacy line) by irq_alloc.
 * Handlers run with interrupts disabled and do not sleep.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

/* Allocates a vector on CPU cpu and installs the handler.  Returns it, or
 * -ENOSPC. */
MUST_CHECK int irq_alloc(unsigned cpu, void (*fn)(void *arg), void *arg);
void irq_free(int vector);

/* Routes legacy line gsi (I/O APIC pin) to a fresh vector on CPU 0.
 * level: level-triggered, active low as for PCI.  Vector or -errno.  Lines
 * can be shared: the handlers are called in turn. */
MUST_CHECK int irq_route_gsi(unsigned gsi, bool level, void (*fn)(void *arg),
			     void *arg);

/* MSI message that raises vector on cpu. */
void irq_msi_message(int vector, unsigned cpu, uint64_t *addr, uint32_t *data);

/* For /proc/interrupts. */
uint64_t irq_count(int vector);
