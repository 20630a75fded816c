/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an idle CPU does with devices before it halts.
 *
 * It lets them look at their rings once more.  A hypervisor may leave out
 * memory barriers of a machine with one CPU (QEMU's TCG does), and then
 * "enable the interrupt, look again" can lose a notification; by the time of
 * a halt every store is visible, so one more look finds what was lost.
 *
 * And it may wait awake, for a short while, for an answer that a device owes
 * to this very CPU: that saves the halt, the interrupt and what a hypervisor
 * needs to start a halted CPU again (sched/idle.c says for how long).
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

#define IDLE_DUE_MAX 4u

/* Who owes this CPU an answer; on the stack of the idle thread. */
struct idle_due {
	bool awake; /* the caller's: the answers cause no interrupts */
	unsigned n;
	void *who[IDLE_DUE_MAX];     /* the hooks' */
	uint32_t mark[IDLE_DUE_MAX]; /* the hooks': of its answers so far */
};

struct idle_hooks {
	/* Interrupts disabled, no lock held; never sleeps, may make threads
	 * runnable. */
	void (*poll)(void);
	/* The three of a wait, interrupts enabled, no lock held.  begin fills
	 * due.  look, of who is awake, takes what has come; true: something
	 * has.  end: has any answer come since begin? */
	void (*begin)(struct idle_due *due);
	bool (*look)(struct idle_due *due);
	bool (*end)(struct idle_due *due);
};

/* dev hands them down at boot; one set. */
void idle_set_hooks(const struct idle_hooks *hooks);

void idle_poll(void);
/* false: nothing is due.  true: idle_end() must follow. */
bool idle_begin(struct idle_due *due, bool awake);
bool idle_look(struct idle_due *due);
bool idle_end(struct idle_due *due);
