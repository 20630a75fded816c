/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network interface class: the list of NICs and their names.
 *
 * NICs register at boot, from the one thread that attaches devices, and
 * stay; the stack asks for them once, before or after.  So the list is read
 * without a lock.
 */
#include <dev/nic.h>

#include <abi/errno.h>
#include <arch/cpu.h>
#include <base/atomic.h>
#include <base/fmt.h>

static struct nic *nics[NIC_MAX];
static unsigned nnics; /* [a] */
static void (*on_register)(struct nic *n);

/* Shows n to the stack.  Packets may have come before somebody listened:
 * their notification was lost on nobody. */
static void
show(struct nic *n)
{
	irqflags_t f;
	unsigned q;

	on_register(n);
	f = irq_save(); /* as in an interrupt */
	for (q = 0; n->rx_notify && q < n->nrxq; q++)
		n->rx_notify(n, q);
	irq_restore(f);
}

int
nic_register(struct nic *n)
{
	if (nnics == NIC_MAX)
		return -ENOSPC;
	ksnprintf(n->name, sizeof(n->name), "eth%u", nnics);
	nics[nnics] = n;
	atomic_store_release(&nnics, nnics + 1);
	if (on_register)
		show(n);
	return 0;
}

struct nic *
nic_get(unsigned i)
{
	return i < atomic_load_acquire(&nnics) ? nics[i] : NULL;
}

void
nic_on_register(void (*fn)(struct nic *n))
{
	unsigned i;

	on_register = fn;
	for (i = 0; i < nnics; i++)
		show(nics[i]);
}
