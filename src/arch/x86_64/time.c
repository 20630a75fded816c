/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock source and the one-shot timer.
 *
 * Source: the TSC.  Its frequency comes from where it can be had exactly and
 * at once (KVM's paravirtual clock, the hypervisor's CPUID leaves, CPUID
 * 15H); else it is measured for 100 us against the APIC timer, whose rate is
 * known under the emulators that need this (within 1 %: docs/limits.md).
 *
 * The scale (mult, shift) and its base lie in the vvar page that the vDSO
 * reads, under a sequence count.
 */
#include "arch_priv.h"
#include "vvar.h"

#include <arch/io.h>
#include <arch/mmu.h>
#include <arch/timer.h>
#include <arch/vdso.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/bootinfo.h>

#define CALIBRATE_NS	    100000ull
#define MSR_KVM_WALL_CLOCK  0x4b564d00
#define MSR_KVM_SYSTEM_TIME 0x4b564d01

/* KVM's pvclock structures (Documentation/virt/kvm/x86/msr). */
struct pvclock_time {
	uint32_t version, pad0;
	uint64_t tsc_timestamp, system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags, pad[2];
} PACKED;
static_assert(sizeof(struct pvclock_time) == 32, "pvclock");

struct pvclock_wall {
	uint32_t version, sec, nsec;
} PACKED;

union vvar_page {
	struct vvar v;
	uint8_t bytes[PAGE_SIZE];
};
static union vvar_page vvar_page ALIGNED(4096);
static struct pvclock_time pvclock ALIGNED(32);
static struct pvclock_wall pvwall ALIGNED(16);
static uint64_t apic_hz = 1000000000ull;
/* Ticks of a nanosecond, in 1 / 2^24: no division when a timer is set. */
static uint64_t apic_mult, tsc_mult;

uint64_t
lapic_hz(void)
{
	return apic_hz;
}

paddr_t
vdso_data_page(void)
{
	return (uint64_t)&vvar_page - image_slide;
}

static uint64_t
scale(uint64_t ticks, uint32_t mult, uint32_t shift)
{
	return (uint64_t)((unsigned __int128)ticks * mult >> shift);
}

/* The monotonic clock, or the wall clock. */
static ALWAYS_INLINE uint64_t
read_clock(bool wall)
{
	const struct vvar *v = &vvar_page.v;
	uint64_t ns;
	uint32_t seq;

	do {
		seq = atomic_load_acquire(&v->seq);
		ns = v->base_ns +
		     scale(cpu_cycles() - v->base_tsc, v->mult, v->shift);
		if (wall)
			ns = arch_wall_at(&v->wall, ns);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (unlikely(seq & 1 || seq != atomic_load_relaxed(&v->seq)));
	return ns;
}

uint64_t
arch_clock_ns(void)
{
	return read_clock(false);
}

uint64_t
arch_wall_ns(void)
{
	return read_clock(true);
}

/* Sets the rate from now on; the clock goes on from where it is. */
static void
set_rate(uint64_t tsc_hz)
{
	struct vvar *v = &vvar_page.v;
	irqflags_t f = irq_save();
	uint64_t now = v->mult ? arch_clock_ns() : 0, tsc = cpu_cycles();

	atomic_store(&v->seq, v->seq + 1);
	v->base_ns = now;
	v->base_tsc = tsc;
	/* 2^24 leaves room for rates from 4 MHz up. */
	v->shift = 24;
	v->mult = (uint32_t)((1000000000ull << 24) / tsc_hz);
	tsc_mult = (tsc_hz << 24) / 1000000000u;
	atomic_store(&v->seq, v->seq + 1);
	irq_restore(f);
}

/* 0 where the hypervisor or the CPU does not say. */
static uint64_t
known_tsc_hz(void)
{
	uint32_t a, b, c, d, max;

	if (cpu_features.hypervisor) {
		cpuid(0x40000000, 0, &max, &b, &c, &d);
		if (max >= 0x40000010 && max < 0x40010000) {
			cpuid(0x40000010, 0, &a, &b, &c, &d);
			if (b)
				apic_hz = (uint64_t)b * 1000; /* < 2^42 */
			if (a)
				return (uint64_t)a * 1000;
		}
	}
	if (cpu_features.kvm) {
		wrmsr(MSR_KVM_SYSTEM_TIME,
		      ((uint64_t)&pvclock - image_slide) | 1);
		if (pvclock.tsc_to_system_mul) {
			/* ns = (ticks << shift) * mul >> 32 */
			int s = 32 - pvclock.tsc_shift;

			wrmsr(MSR_KVM_SYSTEM_TIME, 0);
			return (uint64_t)(((unsigned __int128)1000000000u
					   << s) /
					  pvclock.tsc_to_system_mul);
		}
	}
	cpuid(0, 0, &max, &b, &c, &d);
	if (max >= 0x15) {
		cpuid(0x15, 0, &a, &b, &c, &d);
		if (a && b && c)
			return (uint64_t)c * b / a;
	}
	return 0;
}

/* A reading of both counters, with the least delay between of a few. */
static void
read_both(uint64_t *tsc, uint64_t *apic)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t t0 = cpu_cycles();
		uint32_t count = lapic_timer_count();
		uint64_t t1 = cpu_cycles();

		if (t1 - t0 < best) {
			best = t1 - t0;
			*tsc = t0 + best / 2;
			*apic = UINT32_MAX - count;
		}
	}
}

static uint64_t
measured_tsc_hz(void)
{
	uint64_t ticks = CALIBRATE_NS * (apic_hz / 1000000) / 1000;
	uint64_t first_tsc, first_apic, t1, a1;

	lapic_timer_start(UINT32_MAX);
	read_both(&first_tsc, &first_apic);
	while (UINT32_MAX - lapic_timer_count() - first_apic < ticks)
		;
	read_both(&t1, &a1);
	lapic_timer_start(0);
	if (t1 <= first_tsc || a1 <= first_apic)
		return apic_hz;
	return (uint64_t)((unsigned __int128)(t1 - first_tsc) * apic_hz /
			  (a1 - first_apic));
}

void
time_init(void)
{
	uint64_t hz = known_tsc_hz();

	if (!hz)
		hz = measured_tsc_hz();
	if (hz < 10000000)
		hz = 1000000000ull; /* a counter that stands still */
	set_rate(hz);
	/* apic_hz is below 2^42: no more than 22 bits to the left */
	apic_mult = (apic_hz << 22) / 250000000u;
}

static uint8_t
cmos(uint8_t reg)
{
	port_out8(0x70, reg | 0x80);
	return port_in8(0x71);
}

static unsigned
from_bcd(unsigned v, bool bcd)
{
	return bcd ? (v >> 4) * 10 + (v & 15) : v;
}

/* Days since 1970 of a Gregorian date. */
static uint64_t
days_of(unsigned y, unsigned m, unsigned d)
{
	unsigned era_day;

	if (m <= 2) {
		y--;
		m += 12;
	}
	era_day = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m - 457) / 5 + d;
	return era_day - 719469;
}

uint64_t
arch_wallclock_ns(void)
{
	unsigned s, mi, h, d, mo, y, b;
	bool bcd;

	if (cpu_features.kvm) {
		wrmsr(MSR_KVM_WALL_CLOCK, (uint64_t)&pvwall - image_slide);
		if (pvwall.sec) /* of the boot */
			return (uint64_t)pvwall.sec * 1000000000ull +
			       pvwall.nsec + arch_clock_ns();
	}
	for (int i = 0; cmos(0x0a) & 0x80; i++)
		if (i == 10000)
			return 0;
	s = cmos(0);
	mi = cmos(2);
	h = cmos(4);
	d = cmos(7);
	mo = cmos(8);
	y = cmos(9);
	b = cmos(0x0b);
	if (b == 0xff)
		return 0; /* no such device */
	bcd = !(b & 4);
	if (!(b & 2) && h & 0x80) /* 12-hour form, afternoon */
		h = from_bcd(h & 0x7f, bcd) % 12 + 12;
	else
		h = from_bcd(h & 0x7f, bcd);
	d = from_bcd(d, bcd);
	mo = from_bcd(mo, bcd);
	if (mo < 1 || mo > 12 || d < 1 || d > 31)
		return 0;
	return (days_of(2000 + from_bcd(y, bcd), mo, d) * 86400 + h * 3600 +
		from_bcd(mi, bcd) * 60 + from_bcd(s, bcd)) *
	       1000000000ull;
}

void
arch_timer_set(uint64_t deadline_ns)
{
	uint64_t now, ns, ticks;

	if (deadline_ns == UINT64_MAX) {
		if (cpu_features.deadline)
			wrmsr(MSR_TSC_DEADLINE, 0);
		else
			lapic_timer_start(0);
		return;
	}
	now = arch_clock_ns();
	ns = deadline_ns > now ? deadline_ns - now : 0;
	/* An hour at most at once: the interrupt finds nothing and rearms. */
	if (ns > 3600000000000ull)
		ns = 3600000000000ull;
	if (cpu_features.deadline) {
		ticks = (uint64_t)((unsigned __int128)ns * tsc_mult >> 24);
		wrmsr(MSR_TSC_DEADLINE, cpu_cycles() + ticks + 1);
		return;
	}
	ticks = (uint64_t)((unsigned __int128)ns * apic_mult >> 24) + 1;
	lapic_timer_start(ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks);
}

/* ---- the wall clock's part of the page ---- */

void
arch_wall_set(const struct arch_wall *w)
{
	struct vvar *v = &vvar_page.v;
	irqflags_t f = irq_save();

	atomic_store(&v->seq, v->seq + 1);
	v->wall = *w;
	atomic_store(&v->seq, v->seq + 1);
	irq_restore(f);
}
