/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execve: a new program for the process.
 *
 * Everything that can fail for the file's sake is checked first, in the old
 * program.  Then the point of no return: other threads end, the old address
 * space goes (there is one page table), the new one is built.  An error
 * after it ends the process by SIGKILL, as on Linux.
 *
 * "#!" lines follow Linux's rules: 256 bytes count, one optional argument,
 * LIMIT_INTERP_DEPTH scripts deep.
 */
#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/pith.h>
#include <abi/prctl.h>
#include <abi/resource.h>
#include <abi/signal.h>
#include <arch/mmu.h>
#include <base/fmt.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/string.h>
#include <dev/control.h>
#include <dev/random.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <fs/namei.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <proc/futex.h>
#include <proc/profile.h>
#include <vm/space.h>
#include <vm/uio.h>

#define PIE_BASE	 0x555555554000ull /* two thirds of the space */
#define PIE_RANDOM_PAGES (1ull << 28)
#define BRK_RANDOM_PAGES (1ull << 13)
#define AT_FDCWD	 (-100)
#define O_PATH_EXEC	 0 /* read-only */
#define MODE_TYPE	 0170000u
#define MODE_REGULAR	 0100000u
#define MODE_SETUID	 04000u
#define MODE_SETGID	 02000u
#define MODE_GROUP_EXEC	 010u

struct script {
	char line[BINPRM_SIZE + 1];
	char *interp, *arg; /* into line; arg may be NULL */
};

struct exec {
	struct file *file; /* what is executed in the end */
	struct file *interp_file;
	struct elf_file program, interp;
	bool program_open, interp_open;
	char *const *argv;
	char **own_argv; /* argv, when we made it */
	struct script *scripts[LIMIT_INTERP_DEPTH];
	unsigned nscripts;
	const char *path; /* as the caller named it */
	char fd_path[32];
	struct cred *cred; /* new, or NULL: unchanged */
	bool secure;
};

static char *const empty_argv[] = { (char *)(uintptr_t) "", NULL };

/* ---- finding the file ---- */

/* A regular file with the right to execute. */
static int
check_executable(struct file *f)
{
	struct inode *i = f->inode;

	if (!i || (i->mode & MODE_TYPE) != MODE_REGULAR)
		return -EACCES;
	/* Even for root some execute bit must be set. */
	if (!(i->mode & 0111))
		return -EACCES;
	return inode_permission(i, 1);
}

static int
open_program(int dfd, const char *path, unsigned flags, struct file **out)
{
	unsigned lookup = LOOKUP_FOLLOW;
	struct dentry *d;
	int err;

	if (flags & 0x100) /* AT_SYMLINK_NOFOLLOW */
		lookup = 0;
	if (flags & 0x1000) /* AT_EMPTY_PATH */
		lookup |= LOOKUP_EMPTY;
	err = path_lookup(dfd, path, lookup, &d);
	if (err)
		return err;
	if (d->inode && (d->inode->mode & MODE_TYPE) == 0120000)
		err = -ELOOP; /* a link that was not to be followed */
	else if (d->inode && (d->inode->mode & MODE_TYPE) != MODE_REGULAR)
		err = -EACCES;
	/* Execution needs no right to read: open for the kernel. */
	if (!err)
		err = dentry_open(d, O_PATH_EXEC, out);
	dentry_put(d);
	if (err)
		return err;
	err = check_executable(*out);
	if (err)
		file_put(*out);
	return err;
}

/* ---- scripts ---- */

/* For the first program, where the error number alone would point to the
 * program itself. */
static void
tell_interp(const struct exec *x, const char *interp, int err)
{
	if (err == -ENOENT && !thread_current()->space)
		control_notice("%s needs %s to run, which is not in the image",
			       x->path, interp);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Splits "#! interp arg": 0, -ENOEXEC. */
static int
parse_script(struct script *s, size_t len)
{
	char *p = s->line + 2, *end = memchr(s->line, '\n', len);

	if (!end) {
		/* A truncated interpreter path must not be run. */
		end = s->line + len;
		while (p < end && is_blank(*p))
			p++;
		while (p < end && !is_blank(*p) && *p)
			p++;
		if (p == end && len == BINPRM_SIZE)
			return -ENOEXEC;
		p = s->line + 2;
	}
	while (end > p && is_blank(end[-1]))
		end--;
	*end = '\0';
	while (is_blank(*p))
		p++;
	if (!*p)
		return -ENOEXEC;
	s->interp = p;
	while (*p && !is_blank(*p))
		p++;
	if (*p) {
		*p++ = '\0';
		while (is_blank(*p))
			p++;
		s->arg = *p ? p : NULL;
	}
	return 0;
}

/* New argument vector: interpreter, its argument, the script, the rest. */
static int
script_argv(struct exec *x, struct script *s, const char *script_path)
{
	size_t n = 0, k = 0, i;
	char **v;

	while (x->argv[n])
		n++;
	v = kcalloc(n + 4, sizeof(*v), ALLOC_KERNEL);
	if (!v)
		return -ENOMEM;
	v[k++] = s->interp;
	if (s->arg)
		v[k++] = s->arg;
	v[k++] = (char *)(uintptr_t)script_path;
	for (i = 1; i < n; i++)
		v[k++] = x->argv[i];
	kfree(x->own_argv);
	x->argv = x->own_argv = v;
	return 0;
}

/* Reads the start of the file; a "#!" line replaces file and arguments.
 * 1: replaced, look again; 0: not a script; -errno. */
static int
try_script(struct exec *x, const char *script_path)
{
	struct script *s = kzalloc(sizeof(*s), ALLOC_KERNEL);
	struct file *f;
	struct uio u UNINIT;
	ssize_t n;
	int err;

	if (!s)
		return -ENOMEM;
	uio_init_kernel(&u, s->line, BINPRM_SIZE);
	n = file_pread(x->file, &u, 0);
	err = n < 0 ? (int)n : 0;
	if (n < 2 || s->line[0] != '#' || s->line[1] != '!')
		goto out;
	err = -ELOOP;
	if (x->nscripts == LIMIT_INTERP_DEPTH)
		goto out;
	err = parse_script(s, (size_t)n);
	if (err)
		goto out;
	err = script_argv(x, s, script_path);
	if (err)
		goto out;
	err = open_program(AT_FDCWD, s->interp, 0, &f);
	tell_interp(x, s->interp, err);
	if (err)
		goto out;
	file_put(x->file);
	x->file = f;
	x->scripts[x->nscripts++] = s;
	return 1;
out:
	kfree(s);
	return err;
}

/* ---- preparation: all that may fail ---- */

static int
open_interp(struct exec *x)
{
	char *path = kmalloc(PATH_MAX_BYTES, ALLOC_KERNEL);
	int err;

	if (!path)
		return -ENOMEM;
	err = elf_interp(&x->program, path, PATH_MAX_BYTES);
	if (!err)
		err = open_program(AT_FDCWD, path, 0, &x->interp_file);
	tell_interp(x, path, err);
	kfree(path);
	if (err)
		return err;
	err = elf_open(x->interp_file, &x->interp);
	if (err)
		return err == -ENOEXEC ? -ELIBBAD : err;
	x->interp_open = true;
	return 0;
}

/* Set-user-ID bits, and what the change of users does to capabilities.
 * (Capabilities of files, security.capability, are not honoured.) */
static int
prepare_cred(struct exec *x)
{
	struct thread *t = thread_current();
	const struct cred *c = t->cred;
	const struct inode *i = x->file->inode;
	struct cred *n = cred_dup(c);

	if (!n)
		return -ENOMEM;
	if (!t->proc->no_new_privs && i->mode & MODE_SETUID)
		n->euid = i->uid;
	if (!t->proc->no_new_privs && (i->mode & MODE_SETGID) &&
	    (i->mode & MODE_GROUP_EXEC))
		n->egid = i->gid;
	n->suid = n->fsuid = n->euid;
	n->sgid = n->fsgid = n->egid;
	if (n->euid == 0 || n->uid == 0) {
		n->cap_permitted = n->cap_inheritable | n->cap_bounding;
		n->cap_effective = n->euid == 0 ? n->cap_permitted : 0;
	} else {
		n->cap_permitted = n->cap_effective = n->cap_ambient;
	}
	n->securebits &= ~(1u << 4); /* SECBIT_KEEP_CAPS */
	x->secure = n->euid != n->uid || n->egid != n->gid;
	x->cred = n;
	return 0;
}

static int
prepare(struct exec *x, int dfd, const char *path, unsigned flags,
	char *const envp[])
{
	long size;
	int err = open_program(dfd, path, flags, &x->file);

	if (err)
		return err;
	do {
		err = try_script(
			x, x->nscripts ? x->scripts[x->nscripts - 1]->interp :
					 x->path);
	} while (err == 1);
	if (err)
		return err;
	size = stack_size(x->argv, envp, x->path);
	if (size < 0)
		return (int)size;
	if ((uint64_t)size > rlimit_soft(RLIMIT_STACK) / 4)
		return -E2BIG;
	err = elf_open(x->file, &x->program);
	if (err)
		return err;
	x->program_open = true;
	if (x->program.has_interp) {
		err = open_interp(x);
		if (err)
			return err;
	}
	return prepare_cred(x);
}

static void
cleanup(struct exec *x)
{
	if (x->program_open)
		elf_close(&x->program);
	if (x->interp_open)
		elf_close(&x->interp);
	if (x->interp_file)
		file_put(x->interp_file);
	if (x->file)
		file_put(x->file);
	if (x->cred)
		cred_put(x->cred);
	while (x->nscripts)
		kfree(x->scripts[--x->nscripts]);
	kfree(x->own_argv);
	kfree(x);
}

/* ---- the new program ---- */

static uint64_t
random_pages(const struct vm_space *s, uint64_t limit)
{
	return s->aslr ? (random_u64() & (limit - 1)) << PAGE_SHIFT : 0;
}

static int
map_files(struct exec *x, struct vm_space *s)
{
	int err = elf_map(&x->program, s,
			  PIE_BASE + random_pages(s, PIE_RANDOM_PAGES));

	if (err)
		return err;
	s->brk_start = s->brk = align_up(x->program.end, PAGE_SIZE) +
				random_pages(s, BRK_RANDOM_PAGES);
	if (x->interp_open)
		err = elf_map(&x->interp, s, 0);
	return err;
}

static int
load(struct exec *x, struct process *p, struct vm_space *s, char *const envp[],
     struct thread *t)
{
	struct exec_stack st = {
		.argv = x->argv,
		.envp = envp,
		.execfn = x->path,
		.program = &x->program,
		.interp = x->interp_open ? &x->interp : NULL,
		.secure = x->secure,
	};
	vaddr_t sp, entry = x->program.entry;
	long vdso;
	int err = map_files(x, s);

	if (err)
		return err;
	vdso = vdso_map(s);
	if (vdso < 0)
		return (int)vdso;
	st.vdso = (vaddr_t)vdso;
	err = stack_build(p, s, &st, &sp);
	if (err)
		return err;
	entry = x->interp_open ? x->interp.entry : x->program.entry;
	arch_regs_exec(&t->arch, arch_user_regs(&t->arch), entry, sp);
	return 0;
}

/* The thread's ties to the old program, and its name. */
static void
reset_thread(struct exec *x, struct process *p, struct thread *t)
{
	const char *base = strrchr(x->path, '/');
	struct file *old;
	struct cred *c = t->cred;

	t->clear_tid = t->robust_list = 0;
	t->rseq_addr = 0;
	t->rseq_len = t->rseq_sig = 0;
	strlcpy(t->name, base ? base + 1 : x->path, sizeof(t->name));
	signal_exec(p, t);
	timers_exec(p);
	if (t->fds)
		fdtable_exec(t->fds);
	t->cred = x->cred;
	x->cred = NULL;
	cred_put(c);
	p->dumpable = !x->secure;
	p->membarrier = 0; /* the old program's registrations */
	p->pdeath_sig = x->secure ? 0 : p->pdeath_sig;
	mutex_lock(&p->lock);
	old = p->exe;
	file_get(x->file);
	p->exe = x->file;
	mutex_unlock(&p->lock);
	if (old)
		file_put(old);
}

static struct vm_space *
new_space(struct process *p)
{
	struct vm_space *s;
	bool aslr = p->aslr && !(p->personality & ADDR_NO_RANDOMIZE);

	if (vm_space_create(aslr, &s))
		return NULL;
	s->stack_limit = rlimit_soft(RLIMIT_STACK);
	s->as_limit = rlimit_soft(RLIMIT_AS);
	s->data_limit = rlimit_soft(RLIMIT_DATA);
	s->no_huge = p->thp_disabled;
	return s;
}

/* From here on there is no way back. */
static int
commit(struct exec *x, char *const envp[])
{
	struct thread *t = thread_current();
	struct process *p = t->proc;
	struct vm_space *s = new_space(p), *old = t->space;
	int err;

	if (!s)
		return -ENOMEM;
	err = process_kill_others(t);
	if (err) {
		vm_space_put(s);
		return err;
	}
	if (t->robust_list)
		futex_exit_robust(t);
	reset_thread(x, p, t);
	if (old) {
		profile_mapped(old);
		process_stop_io();
		vm_unmap_all(old);
		p->space = t->space = NULL;
		vm_space_put(old);
	}
	p->space = t->space = s;
	err = load(x, p, s, envp, t);
	/* Before the first program has run there is someone to tell. */
	if (!err || !old)
		return err;
	cleanup(x);
	process_exit(PITH_EXIT_SIGNAL, SIGKILL);
}

int
process_exec(int dfd, const char *path, char *const argv[], char *const envp[],
	     unsigned flags)
{
	struct exec *x = kzalloc(sizeof(*x), ALLOC_KERNEL);
	int err;

	if (!x)
		return -ENOMEM;
	x->argv = argv[0] ? argv : empty_argv;
	x->path = path;
	if (dfd != AT_FDCWD && path[0] != '/') {
		ksnprintf(x->fd_path, sizeof(x->fd_path), "/dev/fd/%d", dfd);
		if (!*path)
			x->path = x->fd_path;
	}
	err = prepare(x, dfd, path, flags, envp);
	if (!err)
		err = commit(x, envp);
	cleanup(x);
	return err;
}
