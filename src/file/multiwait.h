/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for several files at once (poll.c).
 *
 *	multiwait_init(&w);
 *	for (;;) {
 *		look at each file with file_poll(f, multiwait_table(&w));
 *		if (something is ready) break;
 *		err = multiwait_sleep(&w, deadline);
 *		if (err) break;		-EINTR, -ETIMEDOUT, -ENOMEM
 *	}
 *	multiwait_fini(&w);
 *
 * The files must stay referenced until multiwait_fini().
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>
#include <file/poll.h>

struct multiwait_entry;
struct thread;

struct multiwait {
	struct poll_table pt;
	struct thread *thread;
	bool woken; /* [a] */
	int err;
	struct multiwait_entry *entries;
};

void multiwait_init(struct multiwait *w);
/* To hand to file_poll(): NULL after the first sleep. */
struct poll_table *multiwait_table(struct multiwait *w);
MUST_CHECK int multiwait_sleep(struct multiwait *w, uint64_t deadline_ns);
void multiwait_fini(struct multiwait *w);
