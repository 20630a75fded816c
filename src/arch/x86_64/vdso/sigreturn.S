/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signal trampoline, for programs that give no restorer.
 */
	.text
	.globl __pith_sigreturn
	.hidden __pith_sigreturn
__pith_sigreturn:
	movl $15, %eax
	syscall
	ud2
