/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel 6300ESB watchdog (datasheet 300641, chapter 16), as QEMU has it.
 *
 * A timer of this CPU reloads it every PET_NS.  When that stops, because the
 * CPU does not take interrupts any more, the device acts after two stages of
 * STAGE_TICKS: an NMI with QEMU's -action watchdog=inject-nmi, which becomes
 * the report of a panic, or a reset.
 */
#include <drivers/watchdog/i6300esb.h>

#include <abi/errno.h>
#include <arch/io.h>
#include <core/clock.h>
#include <core/timer.h>
#include <drivers/pci/pci.h>

#define VENDOR 0x8086
#define ID     0x25ab

/* Configuration space */
#define C_CONFIG      0x60
#define CONFIG_NO_IRQ 0x0003u /* stage one: nothing; stage two acts */
#define C_LOCK	      0x68
#define LOCK_ENABLE   0x02u

/* Memory */
#define M_TIMER1 0x00
#define M_TIMER2 0x04
#define M_RELOAD 0x0c
#define M_LEN	 0x10
#define UNLOCK1	 0x80
#define UNLOCK2	 0x86
#define RELOAD	 0x100

#define PET_NS	    (2 * NSEC_PER_SEC)
#define STAGE_TICKS 5035u /* 5 s at 33 MHz / 2^15 */

static volatile char *regs; /* [I] after attach */
static struct timer timer;

static void
write(unsigned reg, uint32_t v)
{
	mmio_write16(regs + M_RELOAD, UNLOCK1);
	mmio_write16(regs + M_RELOAD, UNLOCK2);
	if (reg == M_RELOAD)
		mmio_write16(regs + reg, (uint16_t)v);
	else
		mmio_write32(regs + reg, v);
}

static void
pet(struct timer *t)
{
	write(M_RELOAD, RELOAD);
	timer_set(t, clock_mono_ns() + PET_NS);
}

static int
attach(struct device *dev)
{
	struct pci_device *p = pci_device_of(dev);
	int err = pci_probe(p);

	if (err)
		return err;
	pci_enable(p);
	regs = pci_map(p, 0, 0, M_LEN);
	if (!regs)
		return -ENOMEM;
	pci_write16(p, C_CONFIG, CONFIG_NO_IRQ);
	write(M_TIMER1, STAGE_TICKS);
	write(M_TIMER2, STAGE_TICKS);
	pci_write8(p, C_LOCK, LOCK_ENABLE);
	timer_init(&timer, pet);
	pet(&timer);
	return 0;
}

static bool
match(const struct device *dev)
{
	static_assert(offsetof(struct pci_device, dev) == 0, "first");
	const struct pci_device *p = (const void *)dev;

	return p->vendor == VENDOR && p->id == ID;
}

const struct driver i6300esb = {
	.name = "i6300esb",
	.bus = BUS_PCI,
	.match = match,
	.attach = attach,
};
