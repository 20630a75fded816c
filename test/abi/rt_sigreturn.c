/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: after a handler all registers are as before, vector registers too; a
 * handler may change them through its context. Method: values in registers
 * across a signal; a fault that the handler steps over.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <ucontext.h>

static void
skip(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;

	got_signal = sig;
	got_code = info->si_code;
	/* ud2 is two bytes */
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RAX] = 99;
}

static void
disturb(int sig)
{
	double d = sig * 1.5;

	__asm__ volatile("movsd %0, %%xmm15; movsd %0, %%xmm3"
			 :
			 : "m"(d)
			 : "xmm15", "xmm3");
}

int
main(void)
{
	struct sigaction a = { .sa_sigaction = skip, .sa_flags = SA_SIGINFO };
	struct sigaction b = { .sa_handler = disturb };
	double in = 3.25, out3 = 0, out15 = 0;
	long rax = 1, r12 = 0;

	sigaction(SIGILL, &a, NULL);
	sigaction(SIGUSR1, &b, NULL);
	__asm__ volatile("movq $0x1234, %%r12; ud2; movq %%r12, %1"
			 : "+a"(rax), "=r"(r12)
			 :
			 : "r12", "memory");
	printf("rax %ld r12 %lx sig %d\n", rax, r12, got_signal == SIGILL);
	__asm__ volatile(
		"movsd %2, %%xmm3; movsd %2, %%xmm15\n\t"
		"movl %3, %%edi; movl %4, %%esi; movl %5, %%eax\n\t"
		"syscall\n\t"
		"movsd %%xmm3, %0; movsd %%xmm15, %1"
		: "=m"(out3), "=m"(out15)
		: "m"(in), "r"((int)gettid()), "i"(SIGUSR1), "i"(SYS_tkill)
		: "xmm3", "xmm15", "rax", "rdi", "rsi", "rcx", "r11", "memory");
	printf("xmm %.2f %.2f\n", out3, out15);
	return 0;
}
