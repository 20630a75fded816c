/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-pci transport (virtio 1.2, 4.1), modern interface only.
 *
 * Interrupts: with MSI-X, a driver that asks for it (per_queue_irq) gets one
 * vector for each queue, spread over CPUs, as far as the table goes; all
 * other queues share entry 0.  Without MSI-X the INTx line and the ISR
 * register.
 */
#include <drivers/virtio/pci.h>

#include <abi/errno.h>
#include <arch/io.h>
#include <arch/smp.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <core/log.h>
#include <drivers/pci/pci.h>
#include <drivers/virtio/virtio.h>
#include <mem/heap.h>
#include <mem/page.h>

#define VENDOR_VIRTIO 0x1af4
#define ID_FIRST      0x1000
#define ID_MODERN     0x1040
#define ID_LAST	      0x107f

#define CAP_COMMON 1
#define CAP_NOTIFY 2
#define CAP_ISR	   3
#define CAP_DEVICE 4

#define C_DEV_FEAT_SEL 0
#define C_DEV_FEAT     4
#define C_DRV_FEAT_SEL 8
#define C_DRV_FEAT     12
#define C_MSIX_CONFIG  16
#define C_STATUS       20
#define C_GENERATION   21
#define C_Q_SELECT     22
#define C_Q_SIZE       24
#define C_Q_VECTOR     26
#define C_Q_ENABLE     28
#define C_Q_NOTIFY_OFF 30
#define C_Q_DESC       32
#define C_Q_DRIVER     40
#define C_Q_DEVICE     48
#define COMMON_LEN     56u
#define DEVICE_LEN     64u /* of configuration that drivers read */

#define NO_VECTOR 0xffff

#define ISR_CONFIG 2u

struct vpci {
	struct virtio_device v;
	struct pci_device *pci;
	volatile char *common, *isr, *device;
	uint32_t device_len;
	unsigned notify_bar;
	uint32_t notify_at, notify_len, notify_mult;
	volatile char *notify;
	unsigned next_entry; /* of the MSI-X table */
	bool config_shared;  /* entry 0 tells of the configuration, too */
};

static struct vpci *
vpci_of(struct virtio_device *v)
{
	return container_of(v, struct vpci, v);
}

static uint8_t
get_status(struct virtio_device *v)
{
	return mmio_read8(vpci_of(v)->common + C_STATUS);
}

static void
set_status(struct virtio_device *v, uint8_t status)
{
	mmio_write8(vpci_of(v)->common + C_STATUS, status);
}

static uint64_t
get_features(struct virtio_device *v)
{
	volatile char *c = vpci_of(v)->common;
	uint64_t hi;

	mmio_write32(c + C_DEV_FEAT_SEL, 1);
	hi = mmio_read32(c + C_DEV_FEAT);
	mmio_write32(c + C_DEV_FEAT_SEL, 0);
	return hi << 32 | mmio_read32(c + C_DEV_FEAT);
}

static void
set_features(struct virtio_device *v, uint64_t f)
{
	volatile char *c = vpci_of(v)->common;

	mmio_write32(c + C_DRV_FEAT_SEL, 1);
	mmio_write32(c + C_DRV_FEAT, (uint32_t)(f >> 32));
	mmio_write32(c + C_DRV_FEAT_SEL, 0);
	mmio_write32(c + C_DRV_FEAT, (uint32_t)f);
}

static uint16_t
queue_max(struct virtio_device *v, unsigned i)
{
	volatile char *c = vpci_of(v)->common;

	mmio_write16(c + C_Q_SELECT, (uint16_t)i);
	return mmio_read16(c + C_Q_SIZE);
}

static void
interrupt_queue(void *arg)
{
	virtq_interrupt(arg);
}

static void
interrupt_all(void *arg)
{
	struct vpci *d = arg;

	if (d->config_shared)
		virtio_config_interrupt(&d->v);
	virtio_interrupt(&d->v);
}

static void
interrupt_config(void *arg)
{
	virtio_config_interrupt(arg);
}

static void
interrupt_line(void *arg)
{
	struct vpci *d = arg;
	uint8_t isr = mmio_read8(d->isr); /* reading acknowledges */

	if (isr & ISR_CONFIG)
		virtio_config_interrupt(&d->v);
	if (isr)
		virtio_interrupt(&d->v);
}

/* The MSI-X table entry for q. */
static uint16_t
pick_entry(struct vpci *d, struct virtq *q)
{
	unsigned e = d->next_entry;

	if (!d->pci->msix_table || !q->done)
		return NO_VECTOR;
	if (!d->v.per_queue_irq || e >= d->pci->msix_count)
		return 0;
	q->vector = pci_msix_set(
		d->pci, e, q->index / (d->v.queue_pairs ? 2 : 1) % smp_count(),
		interrupt_queue, q);
	if (q->vector < 0)
		return 0;
	d->next_entry++;
	return (uint16_t)e;
}

static int
set_notify(struct vpci *d, struct virtq *q)
{
	uint64_t at = (uint64_t)mmio_read16(d->common + C_Q_NOTIFY_OFF) *
		      d->notify_mult;

	if (at + 2 > d->notify_len)
		return -EINVAL;
	/* All of a device's doorbells are in one mapping if that is small,
	 * as they are with QEMU. */
	if (d->notify)
		q->notify_addr = d->notify + at;
	else
		q->notify_addr =
			pci_map(d->pci, d->notify_bar, d->notify_at + at, 2);
	return q->notify_addr ? 0 : -ENOMEM;
}

/* queue_max() of the same queue came just before and selected it. */
static int
queue_enable(struct virtio_device *v, struct virtq *q)
{
	struct vpci *d = vpci_of(v);
	volatile char *c = d->common;
	uint64_t at[3] = {
		virt_to_phys(q->desc),
		virt_to_phys((void *)(uintptr_t)q->avail),
		virt_to_phys((void *)(uintptr_t)q->used),
	};
	uint16_t entry = pick_entry(d, q);
	unsigned i;
	int err;

	mmio_write16(c + C_Q_SIZE, q->num);
	mmio_write16(c + C_Q_VECTOR, entry);
	if (entry != NO_VECTOR && mmio_read16(c + C_Q_VECTOR) != entry)
		return -ENOSPC; /* the device has no resources for it */
	for (i = 0; i < 3; i++) {
		mmio_write32(c + C_Q_DESC + 8 * i, (uint32_t)at[i]);
		mmio_write32(c + C_Q_DESC + 8 * i + 4, (uint32_t)(at[i] >> 32));
	}
	err = set_notify(d, q);
	if (err)
		return err;
	mmio_write16(c + C_Q_ENABLE, 1);
	return 0;
}

static void
notify(struct virtq *q)
{
	mmio_write16(q->notify_addr, (uint16_t)q->index);
}

static void
config_read(struct virtio_device *v, unsigned off, void *buf, unsigned len)
{
	struct vpci *d = vpci_of(v);
	uint8_t *out = buf;

	memset(buf, 0, len);
	if (off + len > d->device_len)
		return; /* a short configuration reads as zeroes */
	while (len) {
		if (len >= 4 && off % 4 == 0) {
			uint32_t x = mmio_read32(d->device + off);

			memcpy(out, &x, 4);
			off += 4;
			out += 4;
			len -= 4;
		} else if (len >= 2 && off % 2 == 0) {
			uint16_t x = mmio_read16(d->device + off);

			memcpy(out, &x, 2);
			off += 2;
			out += 2;
			len -= 2;
		} else {
			*out++ = mmio_read8(d->device + off++);
			len--;
		}
	}
}

static uint32_t
config_generation(struct virtio_device *v)
{
	return mmio_read8(vpci_of(v)->common + C_GENERATION);
}

/* An entry of its own, as the queues' interrupts say nothing of what they
 * are for and reading the configuration each time costs machine exits. */
static int
config_irq(struct virtio_device *v)
{
	struct vpci *d = vpci_of(v);
	unsigned e = d->next_entry;

	if (!d->pci->msix_table)
		return 0; /* the ISR register tells */
	if (e < d->pci->msix_count &&
	    pci_msix_set(d->pci, e, 0, interrupt_config, v) >= 0) {
		d->next_entry++;
	} else {
		e = 0;
		d->config_shared = true;
	}
	mmio_write16(d->common + C_MSIX_CONFIG, (uint16_t)e);
	return mmio_read16(d->common + C_MSIX_CONFIG) == e ? 0 : -ENOSPC;
}

static const struct virtio_transport_ops vpci_ops = {
	.get_status = get_status,
	.set_status = set_status,
	.get_features = get_features,
	.set_features = set_features,
	.queue_max = queue_max,
	.queue_enable = queue_enable,
	.notify = notify,
	.config_read = config_read,
	.config_generation = config_generation,
	.config_irq = config_irq,
};

/* ---- attaching ---- */

static void
take_cap(struct vpci *d, unsigned cap)
{
	struct pci_device *p = d->pci;
	uint8_t len = pci_read8(p, cap + 2), type = pci_read8(p, cap + 3);
	uint8_t bar = pci_read8(p, cap + 4);
	uint32_t off, size;

	if (len < 16 || type < CAP_COMMON || type > CAP_DEVICE)
		return;
	off = pci_read32(p, cap + 8);
	size = pci_read32(p, cap + 12);
	switch (type) {
	case CAP_COMMON:
		if (size >= COMMON_LEN && !d->common)
			d->common = pci_map(p, bar, off, COMMON_LEN);
		break;
	case CAP_ISR:
		if (!d->isr)
			d->isr = pci_map(p, bar, off, 1);
		break;
	case CAP_DEVICE:
		if (d->device)
			break;
		d->device_len = (uint32_t)min_u64(size, DEVICE_LEN);
		d->device = pci_map(p, bar, off, d->device_len);
		break;
	case CAP_NOTIFY:
		if (d->notify_len || len < 20)
			break;
		d->notify_bar = bar;
		d->notify_at = off;
		d->notify_len = size;
		d->notify_mult = pci_read32(p, cap + 16);
		if (size <= 16 * PAGE_SIZE)
			d->notify = pci_map(p, bar, off, size);
		break;
	default:
		break;
	}
}

static int
setup_irq(struct vpci *d)
{
	int vector, err = pci_msix_enable(d->pci);

	if (!err) {
		d->next_entry = 1;
		vector = pci_msix_set(d->pci, 0, 0, interrupt_all, d);
	} else {
		vector = pci_intx(d->pci, interrupt_line, d);
	}
	mmio_write16(d->common + C_MSIX_CONFIG, NO_VECTOR);
	return vector < 0 ? vector : 0;
}

static int
attach(struct device *dev)
{
	struct pci_device *p = pci_device_of(dev);
	struct vpci *d;
	unsigned cap = 0, n;
	int err = pci_probe(p);

	if (err)
		return err;
	d = kzalloc(sizeof(*d), ALLOC_KERNEL);
	if (!d)
		return -ENOMEM;
	d->pci = p;
	d->v.ops = &vpci_ops;
	d->v.dev.parent = dev;
	d->v.device_id = p->id >= ID_MODERN ? p->id - ID_MODERN : p->subsystem;
	ksnprintf(d->v.dev.name, sizeof(d->v.dev.name), "virtio-%s", dev->name);
	pci_enable(p);
	for (n = 0; n < 16; n++) {
		cap = pci_find_cap(p, PCI_CAP_VENDOR, cap);
		if (!cap)
			break;
		take_cap(d, cap);
	}
	err = -ENODEV;
	if (!d->common || !d->isr || !d->notify_len) {
		log_err("%s: no modern virtio interface", dev->name);
		goto failed;
	}
	err = setup_irq(d);
	if (err)
		goto failed;
	dev->priv = d;
	virtio_add(&d->v);
	return 0;
failed:
	kfree(d);
	return err;
}

static bool
match(const struct device *dev)
{
	static_assert(offsetof(struct pci_device, dev) == 0, "first");
	const struct pci_device *p = (const void *)dev;

	return p->vendor == VENDOR_VIRTIO && p->id >= ID_FIRST &&
	       p->id <= ID_LAST;
}

const struct driver virtio_pci = {
	.name = "virtio-pci",
	.bus = BUS_PCI,
	.match = match,
	.attach = attach,
};
