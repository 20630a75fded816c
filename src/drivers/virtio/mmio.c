/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-mmio transport (virtio 1.2, 4.2), version 2 only, and how its
 * devices are found: by virtio_mmio.device= on the command line (Firecracker;
 * QEMU's microvm without ACPI), else at microvm's fixed addresses.
 *
 * A read of a register costs a machine exit, so a slot without a device
 * costs one read.  The fixed addresses lie where a PC has PCI memory: they
 * are looked at only where there is no PCI configuration port.
 */
#include <abi/errno.h>
#include <arch/io.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <core/bootinfo.h>
#include <core/irq.h>
#include <core/log.h>
#include <drivers/virtio/mmio.h>
#include <drivers/virtio/virtio.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <mem/page.h>

#define R_MAGIC		0x000
#define R_VERSION	0x004
#define R_DEVICE_ID	0x008
#define R_FEATURES	0x010
#define R_FEATURES_SEL	0x014
#define R_DRIVER	0x020
#define R_DRIVER_SEL	0x024
#define R_QUEUE_SEL	0x030
#define R_QUEUE_NUM_MAX 0x034
#define R_QUEUE_NUM	0x038
#define R_QUEUE_READY	0x044
#define R_QUEUE_NOTIFY	0x050
#define R_INT_STATUS	0x060
#define R_INT_ACK	0x064
#define R_STATUS	0x070
#define R_QUEUE_DESC	0x080
#define R_QUEUE_DRIVER	0x090
#define R_QUEUE_DEVICE	0x0a0
#define R_GENERATION	0x0fc
#define R_CONFIG	0x100

#define INT_CONFIG 2u /* of R_INT_STATUS */

#define MMIO_MAGIC 0x74726976u /* "virt" */
#define SLOT_SIZE  512u

/* microvm (QEMU docs, "virtio-mmio transports"). */
#define MICROVM_BASE	   0xfeb00000ull
#define MICROVM_SLOTS	   8u
#define MICROVM_SLOTS_ACPI 24u
#define MICROVM_GSI	   5u
#define MICROVM_GSI_ACPI   24u

#define MAX_CMDLINE_DEVICES 32u

struct mmio_dev {
	struct virtio_device v;
	volatile char *regs;
	unsigned gsi;
};

static struct mmio_dev *
mmio_of(struct virtio_device *v)
{
	return container_of(v, struct mmio_dev, v);
}

static uint32_t
rd(struct virtio_device *v, unsigned reg)
{
	return mmio_read32(mmio_of(v)->regs + reg);
}

static void
wr(struct virtio_device *v, unsigned reg, uint32_t x)
{
	mmio_write32(mmio_of(v)->regs + reg, x);
}

static void
wr64(struct virtio_device *v, unsigned reg, uint64_t x)
{
	wr(v, reg, (uint32_t)x);
	wr(v, reg + 4, (uint32_t)(x >> 32));
}

static uint8_t
get_status(struct virtio_device *v)
{
	return (uint8_t)rd(v, R_STATUS);
}

static void
set_status(struct virtio_device *v, uint8_t status)
{
	wr(v, R_STATUS, status);
}

static uint64_t
get_features(struct virtio_device *v)
{
	uint64_t hi, lo;

	wr(v, R_FEATURES_SEL, 1);
	hi = rd(v, R_FEATURES);
	wr(v, R_FEATURES_SEL, 0);
	lo = rd(v, R_FEATURES);
	return hi << 32 | lo;
}

static void
set_features(struct virtio_device *v, uint64_t f)
{
	wr(v, R_DRIVER_SEL, 1);
	wr(v, R_DRIVER, (uint32_t)(f >> 32));
	wr(v, R_DRIVER_SEL, 0);
	wr(v, R_DRIVER, (uint32_t)f);
}

static uint16_t
queue_max(struct virtio_device *v, unsigned i)
{
	wr(v, R_QUEUE_SEL, i);
	return (uint16_t)min_u64(rd(v, R_QUEUE_NUM_MAX), 0x8000);
}

/* queue_max() of the same queue came just before and selected it. */
static int
queue_enable(struct virtio_device *v, struct virtq *q)
{
	wr(v, R_QUEUE_NUM, q->num);
	wr64(v, R_QUEUE_DESC, virt_to_phys(q->desc));
	wr64(v, R_QUEUE_DRIVER, virt_to_phys((void *)(uintptr_t)q->avail));
	wr64(v, R_QUEUE_DEVICE, virt_to_phys((void *)(uintptr_t)q->used));
	wr(v, R_QUEUE_READY, 1);
	return 0;
}

static void
notify(struct virtq *q)
{
	wr(q->v, R_QUEUE_NOTIFY, q->index);
}

static void
config_read(struct virtio_device *v, unsigned off, void *buf, unsigned len)
{
	volatile char *p = mmio_of(v)->regs + R_CONFIG + off;
	uint8_t *out = buf;
	uint32_t x;

	while (len >= 4) {
		x = mmio_read32(p);
		memcpy(out, &x, 4);
		p += 4;
		out += 4;
		len -= 4;
	}
	if (len >= 2) {
		uint16_t h = mmio_read16(p);

		memcpy(out, &h, 2);
		p += 2;
		out += 2;
		len -= 2;
	}
	if (len)
		*out = mmio_read8(p);
}

static uint32_t
config_generation(struct virtio_device *v)
{
	return rd(v, R_GENERATION);
}

static const struct virtio_transport_ops mmio_ops = {
	.get_status = get_status,
	.set_status = set_status,
	.get_features = get_features,
	.set_features = set_features,
	.queue_max = queue_max,
	.queue_enable = queue_enable,
	.notify = notify,
	.config_read = config_read,
	.config_generation = config_generation,
};

static void
interrupt(void *arg)
{
	struct mmio_dev *m = arg;
	uint32_t status = rd(&m->v, R_INT_STATUS);

	if (!status)
		return; /* a shared line's other device */
	wr(&m->v, R_INT_ACK, status);
	if (status & INT_CONFIG)
		virtio_config_interrupt(&m->v);
	virtio_interrupt(&m->v);
}

/* A slot whose device id is known not to be zero. */
static void
add_slot(volatile char *regs, paddr_t pa, unsigned gsi, uint32_t id)
{
	uint32_t version = mmio_read32(regs + R_VERSION);
	struct mmio_dev *m;
	int vector;

	if (mmio_read32(regs + R_MAGIC) != MMIO_MAGIC)
		return;
	if (version != 2) {
		log_err("virtio-mmio at 0x%llx: version %u is not supported "
			"(QEMU: -global virtio-mmio.force-legacy=false)",
			(unsigned long long)pa, version);
		return;
	}
	m = kzalloc(sizeof(*m), ALLOC_KERNEL);
	if (!m) {
		log_err("virtio-mmio: no memory");
		return;
	}
	m->regs = regs;
	m->gsi = gsi;
	m->v.device_id = id;
	m->v.ops = &mmio_ops;
	ksnprintf(m->v.dev.name, sizeof(m->v.dev.name), "virtio-mmio%u", gsi);
	vector = irq_route_gsi(gsi, true, interrupt, m);
	if (vector < 0) {
		log_err("%s: no interrupt: error %d", m->v.dev.name, -vector);
		kfree(m);
		return;
	}
	virtio_add(&m->v);
}

/* ---- finding the slots ---- */

static void
scan_microvm(void)
{
	bool acpi = boot_info.acpi_rsdp != 0;
	unsigned n = acpi ? MICROVM_SLOTS_ACPI : MICROVM_SLOTS, i;
	unsigned gsi = acpi ? MICROVM_GSI_ACPI : MICROVM_GSI;
	volatile char *regs = kmap_io(MICROVM_BASE, n * SLOT_SIZE);

	if (!regs) {
		log_err("virtio-mmio: no address space");
		return;
	}
	/* QEMU fills them from the last one down: so the first device of its
	 * command line is the first here. */
	for (i = n; i-- > 0;) {
		volatile char *slot = regs + i * SLOT_SIZE;
		uint32_t id = mmio_read32(slot + R_DEVICE_ID);

		if (id && id != UINT32_MAX)
			add_slot(slot, MICROVM_BASE + i * SLOT_SIZE, gsi + i,
				 id);
	}
}

static size_t
span(const char *s, const char *stop)
{
	size_t n = 0;

	while (s[n] && !strchr(stop, s[n]))
		n++;
	return n;
}

/* SIZE@BASE:IRQ[:ID], as Linux takes it.  false: malformed. */
static bool
parse_device(const char *s, uint64_t *base, uint64_t *gsi)
{
	size_t n = span(s, "@ ");

	if (s[n] != '@')
		return false;
	s += n + 1;
	n = span(s, ": ");
	if (s[n] != ':' || parse_u64(s, n, 0, base))
		return false;
	s += n + 1;
	return !parse_u64(s, span(s, ": "), 0, gsi) && *gsi < 1024;
}

static bool
scan_cmdline(void)
{
	static const char key[] = "virtio_mmio.device=";
	const char *s = boot_info.cmdline;
	unsigned n = 0;
	uint64_t base, gsi;

	while ((s = strstr(s, key)) && n++ < MAX_CMDLINE_DEVICES) {
		volatile char *regs;
		uint32_t id;

		s += sizeof(key) - 1;
		if (!parse_device(s, &base, &gsi)) {
			log_err("malformed virtio_mmio.device=");
			continue;
		}
		if ((base & PAGE_MASK) > PAGE_SIZE - SLOT_SIZE) {
			log_err("virtio_mmio.device= lies across pages");
			continue;
		}
		regs = kmap_io(base & ~PAGE_MASK, PAGE_SIZE);
		if (!regs)
			continue;
		regs += base & PAGE_MASK;
		id = mmio_read32(regs + R_DEVICE_ID);
		if (id && id != UINT32_MAX)
			add_slot(regs, base, (unsigned)gsi, id);
	}
	return n != 0;
}

static bool
has_pci_ports(void)
{
	uint32_t old = port_in32(0xcf8), got;

	port_out32(0xcf8, 0x80000000u);
	got = port_in32(0xcf8);
	port_out32(0xcf8, old);
	return got == 0x80000000u;
}

static int
mmio_attach(struct device *dev)
{
	(void)dev;
	if (!scan_cmdline() && !has_pci_ports())
		scan_microvm();
	return 0;
}

const struct driver virtio_mmio = {
	.name = "virtio-mmio",
	.bus = BUS_PLATFORM,
	.attach = mmio_attach,
};
