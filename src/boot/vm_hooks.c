/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What vm is handed from the layers above it (vm/space.h, struct vm_hooks):
 * references to files, random bytes for the layout, and what to do when the
 * program's memory is gone.
 */
#include "boot_priv.h"

#include <base/atomic.h>
#include <dev/control.h>
#include <dev/random.h>
#include <file/file.h>
#include <mem/page.h>
#include <proc/process.h>
#include <proc/signal.h>
#include <sched/thread.h>
#include <vm/space.h>

static void
get_file(struct file *f)
{
	file_get(f);
}

/* Says so once, however many threads meet it before they are gone. */
static void
out_of_memory(void)
{
	static bool told;
	struct thread *t = thread_current();

	if (t->proc == NULL)
		return;
	if (!atomic_xchg(&told, true))
		control_notice("out of memory: the program needs more than "
			       "the machine's %lu MB; it is ended. Give it "
			       "more with -m.",
			       (unsigned long)(mem_total_pages() >> 8));
	ignore(signal_send_process(t->proc, SIGKILL, NULL)); /* cannot fail */
}

static const struct vm_hooks hooks = {
	.file_get = get_file,
	.file_put = file_put,
	.random = random_bytes,
	.oom = out_of_memory,
};

void
boot_vm_init(void)
{
	vm_init(&hooks);
}
