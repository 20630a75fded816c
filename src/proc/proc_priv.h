/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of proc share.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>
#include <proc/process.h>
#include <sched/thread.h>

struct elf64_ehdr;
struct elf64_phdr;
struct regs;

/* ---- elf.c: files into an address space ---- */

struct elf_file {
	struct file *file; /* not owned */
	struct elf64_ehdr *ehdr;
	struct elf64_phdr *phdrs; /* owned */
	bool has_interp;
	bool exec_stack;
	vaddr_t low, high; /* span of the PT_LOADs, page aligned */
	uint64_t align;	   /* largest p_align */
	/* set by elf_map() */
	vaddr_t bias;		  /* added to the file's addresses */
	vaddr_t entry, phdr, end; /* end: of the last byte, bss included */
};

#define BINPRM_SIZE 256 /* bytes of a "#!" line that count, as on Linux */

/* Reads len bytes at pos: 0, or -ENOEXEC when the file is shorter. */
MUST_CHECK int elf_read_at(struct file *f, void *buf, size_t len, uint64_t pos);
/* Reads and checks headers; e is to be given to elf_close() only on success.
 * -ENOEXEC, -ENOMEM, -EIO. */
MUST_CHECK int elf_open(struct file *f, struct elf_file *e);
void elf_close(struct elf_file *e);
/* The PT_INTERP string into buf: 0, -ENOEXEC. */
MUST_CHECK int elf_interp(const struct elf_file *e, char *buf, size_t size);
/* Maps all segments; base: where a position-independent file shall start,
 * 0: where mmap finds room. */
MUST_CHECK int elf_map(struct elf_file *e, struct vm_space *s, vaddr_t base);
/* Pure check of the headers (fuzzed): 0 or -ENOEXEC. */
MUST_CHECK int elf_check_ehdr(const struct elf64_ehdr *h);
MUST_CHECK int elf_check_phdrs(struct elf_file *e);

/* ---- vdso.c ---- */
/* Maps vvar and vDSO; its address or -errno. */
MUST_CHECK long vdso_map(struct vm_space *s);

/* ---- stack.c: the program's first stack ---- */

struct exec_stack {
	char *const *argv;
	char *const *envp;
	const char *execfn;
	const struct elf_file *program, *interp; /* interp NULL: none */
	vaddr_t vdso;
	bool secure;
};
/* Maps and fills it; the stack pointer in *sp; sets arg_start ... of s and
 * auxv of p. */
MUST_CHECK int stack_build(struct process *p, struct vm_space *s,
			   const struct exec_stack *x, vaddr_t *sp);
/* Bytes that strings and pointers need, or -E2BIG. */
MUST_CHECK long stack_size(char *const argv[], char *const envp[],
			   const char *execfn);

/* ---- process.c ---- */
/* Ends all other threads of the caller's process and waits for them.
 * -EAGAIN: somebody else is at it, or the process exits. */
MUST_CHECK int process_kill_others(struct thread *t);
/* Adds a thread, not yet started: 0; -EAGAIN: it is ending. */
MUST_CHECK int process_add_thread(struct process *p, struct thread *t);

/* ---- signal.c ---- */
MUST_CHECK int signal_thread_init(struct thread *t, const struct thread *from);
void signal_process_init(struct process *p);
void signal_exec(struct process *p, struct thread *t);
void signal_thread_exit_locked(struct thread *t); /* sig.lock */

/* ---- crash.c ---- */
void crash_report(struct thread *t, const struct regs *r, int sig,
		  const struct siginfo *info);

/* ---- timers.c ---- */
MUST_CHECK int timers_init(struct process *p);
void timers_exec(struct process *p);

/* ---- rseq.c ---- */
/* On the way to user mode after a switch; SIGSEGV when it can't. */
void rseq_update(struct thread *t, struct regs *r);
