/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an idle CPU does last before it halts: it lets the devices look at
 * their rings once more.  A hypervisor may leave out memory barriers of a
 * machine with one CPU (QEMU's TCG does), and then "enable the interrupt,
 * look again" can lose a notification; by the time of a halt every store is
 * visible, so one more look finds what was lost.
 */
#pragma once

/* dev hands this down at boot; one function. */
void idle_set_poll(void (*fn)(void));

/* Called with interrupts disabled and no lock held; never sleeps, may make
 * threads runnable. */
void idle_poll(void);
