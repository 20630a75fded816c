/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal frames, byte for byte as Linux puts them on an x86-64 program's
 * stack (uapi asm/sigcontext.h, asm/ucontext.h): return address, ucontext,
 * siginfo, and the XSAVE image on a 64-byte boundary above them, with the
 * software words and the two magic numbers that say that it is complete.
 */
#include "arch_priv.h"

#include <abi/errno.h>
#include <abi/signal.h>
#include <arch/context.h>
#include <arch/mmu.h>
#include <arch/sigframe.h>
#include <arch/upcall.h>
#include <arch/user.h>
#include <base/math.h>
#include <base/string.h>

#define FP_XSTATE_MAGIC1     0x46505853u
#define FP_XSTATE_MAGIC2     0x46505845u
#define UC_FP_XSTATE	     1ull
#define UC_SIGCONTEXT_SS     2ull
#define UC_STRICT_RESTORE_SS 4ull
#define RED_ZONE	     128
#define SW_OFFSET	     464 /* software bytes of the FXSAVE area */
#define MXCSR_MASK	     0xffffu

/* What a program may change of its flags by sigreturn. */
#define FLAGS_USER 0x250dd5ull

struct sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx,
		rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
};
static_assert(sizeof(struct sigcontext) == 256, "sigcontext");

struct user_stack {
	uint64_t sp;
	int32_t flags, pad;
	uint64_t size;
};

struct ucontext {
	uint64_t flags, link;
	struct user_stack stack;
	struct sigcontext mc;
	uint64_t sigmask;
};
static_assert(sizeof(struct ucontext) == 304, "ucontext");

struct rt_sigframe {
	uint64_t pretcode;
	struct ucontext uc;
	uint8_t info[128];
};
static_assert(sizeof(struct rt_sigframe) == 440, "rt_sigframe");

struct fpx_sw_bytes {
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size, padding[7];
};
static_assert(sizeof(struct fpx_sw_bytes) == 48, "fpx_sw_bytes");

static uint32_t
image_size(void)
{
	return cpu_features.fpu_size + (cpu_features.xsave ? 4 : 0);
}

static int
put_fpu(struct arch_thread *at, uint64_t addr)
{
	struct fpx_sw_bytes sw = {
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = image_size(),
		.xfeatures = cpu_features.xcr0,
		.xstate_size = cpu_features.fpu_size,
	};
	uint32_t magic2 = FP_XSTATE_MAGIC2;
	irqflags_t f;

	/* Not switched away between: then the area would be current anyway. */
	f = irq_save();
	fpu_sync(at);
	irq_restore(f);
	if (arch_copy_to_user(addr, at->fpu, cpu_features.fpu_size))
		return -EFAULT;
	if (!cpu_features.xsave)
		return 0;
	if (arch_copy_to_user(addr + SW_OFFSET, &sw, sizeof(sw)) ||
	    arch_copy_to_user(addr + cpu_features.fpu_size, &magic2, 4))
		return -EFAULT;
	return 0;
}

static void
fill_context(struct rt_sigframe *fr, const struct regs *r,
	     const struct sigframe_args *a, uint64_t fpstate)
{
	struct sigcontext *m = &fr->uc.mc;

	fr->pretcode = a->restorer;
	fr->uc.flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
		       (cpu_features.xsave ? UC_FP_XSTATE : 0);
	fr->uc.stack.sp = a->alt->sp;
	fr->uc.stack.flags = a->alt->flags;
	fr->uc.stack.size = a->alt->size;
	fr->uc.sigmask = a->oldmask;
	*m = (struct sigcontext){
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.rdi = r->rdi,
		.rsi = r->rsi,
		.rbp = r->rbp,
		.rbx = r->rbx,
		.rdx = r->rdx,
		.rax = r->rax,
		.rcx = r->rcx,
		.rsp = r->rsp,
		.rip = r->rip,
		.eflags = r->rflags,
		.cs = (uint16_t)r->cs,
		.ss = (uint16_t)r->ss,
		.err = a->err,
		.trapno = (uint64_t)a->trapno,
		.oldmask = a->oldmask,
		.cr2 = a->cr2,
		.fpstate = fpstate,
	};
	memcpy(fr->info, a->info, sizeof(fr->info));
}

int
arch_sigframe_push(struct arch_thread *at, struct regs *r,
		   const struct sigframe_args *a)
{
	uint64_t sp = a->stack ? a->stack : r->rsp - RED_ZONE, fp;
	struct rt_sigframe fr;

	fp = align_down(sp - image_size(), 64);
	/* As after a call: 8 below a multiple of 16. */
	sp = align_down(fp - sizeof(fr), 16) - 8;
	if (fp >= USER_END || USER_END - fp < image_size() || sp > fp)
		return -EFAULT;
	memset(&fr, 0, sizeof(fr));
	fill_context(&fr, r, a, fp);
	if (put_fpu(at, fp) || arch_copy_to_user(sp, &fr, sizeof(fr)))
		return -EFAULT;
	r->rdi = (uint64_t)a->sig;
	r->rsi = sp + offsetof(struct rt_sigframe, info);
	r->rdx = sp + offsetof(struct rt_sigframe, uc);
	r->rax = 0;
	r->rip = a->handler;
	r->rsp = sp;
	r->cs = SEL_UCODE;
	r->ss = SEL_UDATA;
	r->rflags &= ~0x10500ull; /* RF, DF, TF */
	return 0;
}

/* The image in the frame into the thread's area and the registers. */
static int
get_fpu(struct arch_thread *at, uint64_t addr)
{
	struct fpx_sw_bytes sw = { 0 };
	uint32_t size = 512, magic2 = 0, *mxcsr;
	uint64_t *header = (uint64_t *)((char *)at->fpu + 512);
	irqflags_t f;

	/* All of what may be read: the copy itself checks no addresses. */
	if (addr >= USER_END || USER_END - addr < image_size())
		return -EFAULT;
	if (cpu_features.xsave) {
		if (arch_copy_from_user(&sw, addr + SW_OFFSET, sizeof(sw)))
			return -EFAULT;
		if (sw.magic1 == FP_XSTATE_MAGIC1 &&
		    sw.xstate_size == cpu_features.fpu_size) {
			size = sw.xstate_size;
			if (arch_copy_from_user(&magic2, addr + size, 4))
				return -EFAULT;
			if (magic2 != FP_XSTATE_MAGIC2)
				size = 512;
		}
	}
	/* A switch away may save registers over the area while the copy
	 * sleeps in a fault: touch all of it first, then copy at one go. */
	for (;;) {
		size_t left;

		f = irq_save();
		arch_this()->fpu_owner = NULL;
		left = arch_copy_from_user(at->fpu, addr, size);
		if (!left)
			break;
		irq_restore(f);
		if (upcall_user_touch(addr, size))
			return -EFAULT;
	}
	mxcsr = (uint32_t *)((char *)at->fpu + 24);
	*mxcsr &= MXCSR_MASK;
	if (cpu_features.xsave) {
		if (size == 512)
			header[0] = 3;
		header[0] &= cpu_features.xcr0;
		memset(header + 1, 0, 56);
	}
	fpu_reload(at);
	irq_restore(f);
	return 0;
}

/* No FPU image: the state that a program starts with. */
static void
clear_fpu(struct arch_thread *at)
{
	irqflags_t f = irq_save();

	memset(at->fpu, 0, cpu_features.fpu_size);
	*(uint16_t *)at->fpu = 0x37f;
	*(uint32_t *)((char *)at->fpu + 24) = 0x1f80;
	fpu_reload(at);
	irq_restore(f);
}

int
arch_sigframe_pop(struct arch_thread *at, struct regs *r, uint64_t *mask,
		  struct sigaltstack *alt)
{
	/* The handler's return popped pretcode. */
	uint64_t sp = r->rsp - 8;
	const struct sigcontext *m;
	struct rt_sigframe fr;

	if (sp >= USER_END - sizeof(fr) ||
	    arch_copy_from_user(&fr, sp, sizeof(fr)))
		return -EFAULT;
	m = &fr.uc.mc;
	if (m->rip >= USER_END || m->rsp >= USER_END)
		return -EINVAL;
	*r = (struct regs){
		.r8 = m->r8,
		.r9 = m->r9,
		.r10 = m->r10,
		.r11 = m->r11,
		.r12 = m->r12,
		.r13 = m->r13,
		.r14 = m->r14,
		.r15 = m->r15,
		.rdi = m->rdi,
		.rsi = m->rsi,
		.rbp = m->rbp,
		.rbx = m->rbx,
		.rdx = m->rdx,
		.rax = m->rax,
		.rcx = m->rcx,
		.rsp = m->rsp,
		.rip = m->rip,
		.orig_rax = (uint64_t)-1,
		.rflags = (m->eflags & FLAGS_USER) | 0x202,
		.cs = SEL_UCODE,
		.ss = SEL_UDATA,
	};
	*mask = fr.uc.sigmask;
	alt->sp = fr.uc.stack.sp;
	alt->flags = fr.uc.stack.flags;
	alt->size = fr.uc.stack.size;
	/* Last: Linux leaves the rest restored when this fails. */
	if (m->fpstate)
		return get_fpu(at, m->fpstate);
	clear_fpu(at);
	return 0;
}
