/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's first stack, from the top down (System V ABI AMD64, 3.4.1):
 *
 *	8 zero bytes, path of the program, environment strings, argument
 *	strings, platform name, 16 random bytes, padding, auxiliary vector,
 *	NULL, environment pointers, NULL, argument pointers, argument count
 *
 * Strings lie in ascending order without gaps, as /proc/self/cmdline reads
 * them.
 */
#include "proc_priv.h"

#include <abi/auxv.h>
#include <abi/elf.h>
#include <abi/errno.h>
#include <abi/time.h>
#include <arch/context.h>
#include <arch/user.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/string.h>
#include <dev/random.h>
#include <file/cred.h>
#include <mem/heap.h>
#include <vm/space.h>
#include <vm/uaccess.h>

#define STACK_ROOM     (128u << 10) /* mapped at once below the strings */
#define AUXV_PAIRS     24
#define ARG_STRING_MAX (128u << 10) /* one string, as on Linux */

static const char platform_name[] = "x86_64";

struct builder {
	vaddr_t strings;  /* where the next string goes */
	uint64_t *vector; /* argc, argv ..., in the kernel */
	size_t nwords;
	uint64_t *auxv; /* within vector */
	unsigned nauxv;
};

static long
count_strings(char *const v[], uint64_t *bytes)
{
	long n;

	for (n = 0; v[n]; n++) {
		size_t len = strlen(v[n]) + 1;

		if (len > ARG_STRING_MAX)
			return -E2BIG;
		*bytes += len + sizeof(uint64_t);
		if (*bytes > LIMIT_ARG_BYTES)
			return -E2BIG;
	}
	return n;
}

long
stack_size(char *const argv[], char *const envp[], const char *execfn)
{
	uint64_t bytes = strlen(execfn) + 1;
	long n = count_strings(argv, &bytes);

	if (n >= 0)
		n = count_strings(envp, &bytes);
	return n < 0 ? n : (long)bytes;
}

static int
put_strings(struct builder *b, char *const v[])
{
	size_t i;

	for (i = 0; v[i]; i++) {
		size_t len = strlen(v[i]) + 1;
		int err = copy_to_user((void __user *)b->strings, v[i], len);

		if (err)
			return err;
		b->vector[b->nwords++] = b->strings;
		b->strings += len;
	}
	b->vector[b->nwords++] = 0;
	return 0;
}

static void
aux(struct builder *b, uint64_t key, uint64_t value)
{
	b->vector[b->nwords++] = key;
	b->vector[b->nwords++] = value;
}

static void
put_auxv(struct builder *b, const struct exec_stack *x, vaddr_t random,
	 vaddr_t platform, vaddr_t execfn)
{
	const struct cred *c = thread_current()->cred;
	const struct elf_file *e = x->program;

	b->auxv = &b->vector[b->nwords];
	if (x->vdso)
		aux(b, AT_SYSINFO_EHDR, x->vdso);
	aux(b, AT_MINSIGSTKSZ, arch_minsigstksz());
	aux(b, AT_HWCAP, arch_hwcap(0));
	aux(b, AT_PAGESZ, PAGE_SIZE);
	aux(b, AT_CLKTCK, USER_HZ);
	aux(b, AT_PHDR, e->phdr);
	aux(b, AT_PHENT, sizeof(struct elf64_phdr));
	aux(b, AT_PHNUM, e->ehdr->e_phnum);
	aux(b, AT_BASE, x->interp ? x->interp->bias + x->interp->low : 0);
	aux(b, AT_FLAGS, 0);
	aux(b, AT_ENTRY, e->entry);
	aux(b, AT_UID, c->uid);
	aux(b, AT_EUID, c->euid);
	aux(b, AT_GID, c->gid);
	aux(b, AT_EGID, c->egid);
	aux(b, AT_SECURE, x->secure);
	aux(b, AT_RANDOM, random);
	aux(b, AT_HWCAP2, arch_hwcap(1));
	aux(b, AT_EXECFN, execfn);
	aux(b, AT_PLATFORM, platform);
	aux(b, AT_RSEQ_FEATURE_SIZE, 28);
	aux(b, AT_RSEQ_ALIGN, 32);
	aux(b, AT_NULL, 0);
	b->nauxv = (unsigned)(&b->vector[b->nwords] - b->auxv);
}

/* Maps the stack with room for `bytes` at its top. */
static int
map_stack(struct vm_space *s, uint64_t bytes, bool exec)
{
	uint64_t len = align_up(bytes, PAGE_SIZE) + STACK_ROOM;
	uint32_t flags =
		VMA_READ | VMA_WRITE | VMA_MAYWRITE | VMA_STACK | VMA_GROWSDOWN;
	long at;

	if (exec)
		flags |= VMA_EXEC;
	at = vm_map(s, s->stack_top - len, len, flags, NULL, NULL, 0,
		    VM_FIXED_NOREPLACE);
	return at < 0 ? (int)at : 0;
}

/* The path of the program at the top; b->strings: where the others start. */
static int
put_execfn(struct builder *b, struct vm_space *s, const struct exec_stack *x,
	   vaddr_t *execfn)
{
	size_t i, len = strlen(x->execfn) + 1;
	vaddr_t top = s->stack_top - 8;
	int err;

	/* The offset within the page varies too. */
	if (s->aslr)
		top -= random_u64() & 0xff0;
	*execfn = top - len;
	err = copy_to_user((void __user *)*execfn, x->execfn, len);
	b->strings = *execfn;
	for (i = 0; x->argv[i]; i++)
		b->strings -= strlen(x->argv[i]) + 1;
	for (i = 0; x->envp[i]; i++)
		b->strings -= strlen(x->envp[i]) + 1;
	return err;
}

static int
fill(struct process *p, struct vm_space *s, const struct exec_stack *x,
     struct builder *b, vaddr_t *sp)
{
	uint8_t seed[16];
	vaddr_t execfn, low, at;
	uint64_t argc = 0;
	int err = put_execfn(b, s, x, &execfn);

	if (err)
		return err;
	low = b->strings;
	while (x->argv[argc])
		argc++;
	b->vector[b->nwords++] = argc;
	s->arg_start = b->strings;
	err = put_strings(b, x->argv);
	if (err)
		return err;
	s->arg_end = s->env_start = b->strings;
	err = put_strings(b, x->envp);
	if (err)
		return err;
	s->env_end = b->strings;

	low -= sizeof(platform_name);
	at = low;
	err = copy_to_user((void __user *)low, platform_name,
			   sizeof(platform_name));
	if (err)
		return err;
	low = align_down(low - sizeof(seed), 16);
	random_bytes(seed, sizeof(seed));
	err = copy_to_user((void __user *)low, seed, sizeof(seed));
	if (err)
		return err;
	put_auxv(b, x, low, at, execfn);
	*sp = align_down(low - b->nwords * sizeof(uint64_t), 16);
	err = copy_to_user((void __user *)*sp, b->vector,
			   b->nwords * sizeof(uint64_t));
	if (err)
		return err;
	p->auxv_len = (unsigned)min_size(b->nauxv * sizeof(uint64_t),
					 sizeof(p->auxv));
	memcpy(p->auxv, b->auxv, p->auxv_len);
	return 0;
}

int
stack_build(struct process *p, struct vm_space *s, const struct exec_stack *x,
	    vaddr_t *sp)
{
	long bytes = stack_size(x->argv, x->envp, x->execfn);
	struct builder b = { 0 };
	size_t nwords = 0, i;
	int err;

	if (bytes < 0)
		return (int)bytes;
	while (x->argv[nwords])
		nwords++;
	for (i = 0; x->envp[i]; i++)
		nwords++;
	nwords += 3 + AUXV_PAIRS * 2;
	b.vector = kmalloc(nwords * sizeof(uint64_t), ALLOC_KERNEL);
	if (!b.vector)
		return -ENOMEM;
	err = map_stack(s, (uint64_t)bytes + 2 * PAGE_SIZE,
			x->program->exec_stack);
	if (!err)
		err = fill(p, s, x, &b, sp);
	kfree(b.vector);
	return err;
}
