/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this CPU can do, and its control registers.
 */
#include "arch_priv.h"

#include <arch/context.h>
#include <arch/mmu.h>
#include <base/fmt.h>
#include <base/string.h>
#include <core/percpu.h>

struct cpu_features cpu_features;
bool cpu_relax_costly;

extern const int32_t stac_start[] HIDDEN, stac_end[] HIDDEN,
	clac_start[] HIDDEN, clac_end[] HIDDEN;

void
cpu_detect(void)
{
	struct cpu_features *f = &cpu_features;
	uint32_t a, b, c, d, max;

	cpuid(0, 0, &max, &b, &c, &d);
	cpuid(1, 0, &a, &b, &c, &d);
	f->hwcap = d;
	f->x2apic = c & CPUID_1_ECX_X2APIC;
	f->deadline = c & CPUID_1_ECX_DEADLINE;
	f->xsave = c & CPUID_1_ECX_XSAVE;
	f->rdrand = c & CPUID_1_ECX_RDRAND;
	f->crc32 = c & CPUID_1_ECX_SSE42;
	f->hypervisor = c & CPUID_1_ECX_HYPERVISOR;
	if (max >= 7) {
		cpuid(7, 0, &a, &b, &c, &d);
		f->smep = b & CPUID_7_EBX_SMEP;
		f->smap = b & CPUID_7_EBX_SMAP;
		f->umip = c & CPUID_7_ECX_UMIP;
		f->rdseed = b & CPUID_7_EBX_RDSEED;
	}
	if (f->hypervisor) {
		char sig[13] = "";

		cpuid(0x40000000, 0, &a, &b, &c, &d);
		memcpy(sig, &b, 4);
		memcpy(sig + 4, &c, 4);
		memcpy(sig + 8, &d, 4);
		f->tcg = !strcmp(sig, "TCGTCGTCGTCG");
		cpu_relax_costly = f->tcg;
		f->kvm = !memcmp(sig, "KVMKVMKVM\0\0\0", 12);
	}
	f->fpu_size = 512;
	if (f->xsave) {
		cpuid(13, 0, &a, &b, &c, &d);
		/* x87, SSE, AVX, AVX-512; PKRU and AMX stay off. */
		f->xcr0 = a & 0xe7;
		cpuid(13, 1, &a, &b, &c, &d);
		f->xsaveopt = a & CPUID_D1_EAX_XSAVEOPT;
	}
}

/* Writes STAC (0f 01 cb) or CLAC (0f 01 ca) over the NOPs of the user
 * copies, through the direct map, before any other CPU runs. */
static void
patch(const int32_t *from, const int32_t *to, uint8_t last)
{
	for (const int32_t *p = from; p < to; p++) {
		uint64_t at = (uint64_t)((const char *)p + *p) - image_slide;
		uint8_t *code = phys_to_virt(at);

		code[0] = 0x0f;
		code[1] = 0x01;
		code[2] = last;
	}
}

void
cpu_init_this(void)
{
	struct cpu_features *f = &cpu_features;
	uint64_t cr4 = read_cr4() | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	uint64_t cr0;

	if (f->smep)
		cr4 |= CR4_SMEP;
	if (f->umip)
		cr4 |= CR4_UMIP;
	if (f->xsave)
		cr4 |= CR4_OSXSAVE;
	if (f->smap) {
		if (this_cpu()->id == 0) {
			patch(stac_start, stac_end, 0xcb);
			patch(clac_start, clac_end, 0xca);
		}
		cr4 |= CR4_SMAP;
	}
	write_cr4(cr4);
	/* Monitor coprocessor and native errors, no emulation, no trap. */
	__asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
	cr0 = (cr0 | 1u << 1 | 1u << 5) & ~(1ull << 2 | 1ull << 3);
	__asm__ volatile("movq %0, %%cr0; fninit" : : "r"(cr0));
	if (f->xsave) {
		uint32_t a, b, c, d;

		__asm__ volatile("xsetbv"
				 :
				 : "c"(0), "a"((uint32_t)f->xcr0), "d"(0));
		cpuid(13, 0, &a, &b, &c, &d);
		f->fpu_size = b;
	}
	wrmsr(MSR_STAR,
	      (uint64_t)SEL_KCODE << 32 | (uint64_t)SEL_UCODE32 << 48);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_CSTAR, 0);
	/* TF, IF, DF, IOPL, NT, AC are cleared on entry. */
	wrmsr(MSR_SFMASK, 0x47700);
}

uint64_t
arch_hwcap(unsigned n)
{
	/* AT_HWCAP2: ring 3 MWAIT and FSGSBASE are off. */
	return n ? 0 : cpu_features.hwcap;
}

size_t
cpu_hw_random(void *buf, size_t len)
{
	uint8_t *p = buf;
	size_t done = 0;

	if (!cpu_features.rdrand)
		return 0;
	while (done < len) {
		uint64_t v;
		uint8_t ok = 0;
		size_t n = len - done < 8 ? len - done : 8;

		for (int i = 0; i < 10 && !ok; i++)
			__asm__ volatile("rdrand %0; setc %1"
					 : "=r"(v), "=qm"(ok)
					 :
					 : "cc");
		if (!ok)
			break;
		memcpy(p + done, &v, n);
		done += n;
	}
	return done;
}

/* Names as in Linux's /proc/cpuinfo; NULL: not shown. */
static const char *const flags_1d[32] = {
	"fpu",	"vme",	 "de",	 "pse",	    "tsc",  "msr", "pae",  "mce",
	"cx8",	"apic",	 NULL,	 "sep",	    "mtrr", "pge", "mca",  "cmov",
	"pat",	"pse36", "pn",	 "clflush", NULL,   "dts", "acpi", "mmx",
	"fxsr", "sse",	 "sse2", "ss",	    "ht",   "tm",  "ia64", "pbe",
};
static const char *const flags_1c[32] = {
	"pni",	  "pclmulqdq",	"dtes64", "monitor", "ds_cpl",
	"vmx",	  "smx",	"est",	  "tm2",     "ssse3",
	"cid",	  "sdbg",	"fma",	  "cx16",    "xtpr",
	"pdcm",	  NULL,		"pcid",	  "dca",     "sse4_1",
	"sse4_2", "x2apic",	"movbe",  "popcnt",  "tsc_deadline_timer",
	"aes",	  "xsave",	NULL,	  "avx",     "f16c",
	"rdrand", "hypervisor",
};
static const char *const flags_7b[32] = {
	NULL,	    "tsc_adjust", "sgx",      "bmi1",	    "hle",
	"avx2",	    NULL,	  "smep",     "bmi2",	    "erms",
	"invpcid",  "rtm",	  "cqm",      NULL,	    "mpx",
	"rdt_a",    "avx512f",	  "avx512dq", "rdseed",	    "adx",
	"smap",	    "avx512ifma", NULL,	      "clflushopt", "clwb",
	"intel_pt", "avx512pf",	  "avx512er", "avx512cd",   "sha_ni",
	"avx512bw", "avx512vl",
};
static const char *const flags_e1d[32] = {
	[11] = "syscall", [20] = "nx",	   [22] = "mmxext", [25] = "fxsr_opt",
	[26] = "pdpe1gb", [27] = "rdtscp", [29] = "lm",
};

struct text {
	char *buf;
	size_t size, len;
};

PRINTF_LIKE(2, 3)
static void
add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	size_t at = t->len < t->size ? t->len : t->size;

	va_start(ap, fmt);
	t->len += (size_t)kvsnprintf(t->buf ? t->buf + at : NULL, t->size - at,
				     fmt, ap);
	va_end(ap);
}

static void
add_flags(struct text *t, const char *const names[32], uint32_t bits)
{
	for (unsigned i = 0; i < 32; i++)
		if (bits >> i & 1 && names[i])
			add(t, " %s", names[i]);
}

size_t
cpu_describe(unsigned id, char *buf, size_t size)
{
	struct text t = { buf, size, 0 };
	uint32_t a, b, c, d, sig, max, emax;
	char vendor[13] = "", model[49] = "";
	unsigned family, mdl;

	cpuid(0, 0, &max, &b, &c, &d);
	memcpy(vendor, &b, 4);
	memcpy(vendor + 4, &d, 4);
	memcpy(vendor + 8, &c, 4);
	cpuid(0x80000000, 0, &emax, &b, &c, &d);
	for (uint32_t i = 0; i < 3 && emax >= 0x80000004; i++) {
		uint32_t w[4];

		cpuid(0x80000002 + i, 0, &w[0], &w[1], &w[2], &w[3]);
		memcpy(model + i * 16, w, 16);
	}
	cpuid(1, 0, &sig, &b, &c, &d);
	family = sig >> 8 & 15;
	mdl = sig >> 4 & 15;
	if (family == 15)
		family += sig >> 20 & 255;
	if (family >= 6)
		mdl += (sig >> 16 & 15) << 4;
	add(&t, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\n", id,
	    vendor, family);
	add(&t, "model\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", mdl,
	    model[0] ? model : "unknown", sig & 15);
	add(&t, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\n",
	    cpu_online_count, id);
	add(&t, "cpu cores\t: %u\napicid\t\t: %u\nfpu\t\t: yes\n",
	    cpu_online_count, cpus[id] ? arch_cpu_of(cpus[id])->apic_id : 0);
	add(&t,
	    "fpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n"
	    "flags\t\t:",
	    max);
	add_flags(&t, flags_1d, d);
	add_flags(&t, flags_1c, c);
	if (max >= 7) {
		cpuid(7, 0, &a, &b, &c, &d);
		add_flags(&t, flags_7b, b);
	}
	cpuid(0x80000001, 0, &a, &b, &c, &d);
	add_flags(&t, flags_e1d, d);
	add(&t, "\nclflush size\t: 64\ncache_alignment\t: 64\n"
		"address sizes\t: 48 bits physical, 48 bits virtual\n\n");
	return t.len;
}
