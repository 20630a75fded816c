/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's memory in /proc/self: maps, smaps, statm, and what it was
 * started with (cmdline, environ, auxv), read from its own memory, where the
 * program may have changed it.
 */
#include "procfs_priv.h"

#include <abi/errno.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <file/file.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <vm/space.h>

#define MAPS_NAME_COLUMN 73

static void
map_line(struct seq_buf *s, struct vma *v, char *path)
{
	const struct inode *i = v->file ? v->file->inode : NULL;
	uint64_t dev = i ? i->sb->dev : 0;
	const char *name = v->name;
	size_t start = s->len;

	seq_printf(s, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ",
		   (unsigned long)v->start, (unsigned long)v->end,
		   v->flags & VMA_READ ? 'r' : '-',
		   v->flags & VMA_WRITE ? 'w' : '-',
		   v->flags & VMA_EXEC ? 'x' : '-',
		   v->flags & VMA_SHARED ? 's' : 'p',
		   v->file ? (unsigned long)(v->pgoff << PAGE_SHIFT) : 0ul,
		   (unsigned)(dev >> 8 & 0xfff), (unsigned)(dev & 0xff),
		   i ? (unsigned long)i->ino : 0ul);
	if (v->file && v->file->dentry)
		name = dentry_path(v->file->dentry, NULL, path, PATH_MAX_BYTES);
	if (!name) {
		seq_printf(s, "\n");
		return;
	}
	while (!s->err && s->len - start < MAPS_NAME_COLUMN)
		seq_write(s, " ", 1);
	seq_escape(s, name, "\n");
	seq_write(s, "\n", 1);
}

static bool
maps_one(struct vma *v, void *arg)
{
	struct mem_usage *m = arg;

	map_line(m->out, v, m->path);
	return !m->out->err;
}

/* A file of lines about each vma, with names. */
static int
show_vmas(struct seq_buf *s, bool (*one)(struct vma *v, void *m))
{
	struct process *p = procfs_self();
	struct mem_usage m = { .out = s };

	if (!p || !p->space)
		return 0;
	m.path = kmalloc(PATH_MAX_BYTES, ALLOC_KERNEL);
	if (!m.path)
		return -ENOMEM;
	vm_for_each(p->space, one, &m);
	kfree(m.path);
	return 0;
}

int
procfs_show_maps(struct seq_buf *s, void *arg)
{
	(void)arg;
	return show_vmas(s, maps_one);
}

/* Resident pages are counted by looking at the page table. */
static bool
smaps_one(struct vma *v, void *arg)
{
	struct mem_usage *m = arg;
	uint64_t rss = 0, dirty = 0, kb = (v->end - v->start) >> 10;
	vaddr_t at;
	paddr_t pa;

	map_line(m->out, v, m->path);
	for (at = v->start; at < v->end; at += PAGE_SIZE) {
		unsigned prot = pt_query(at, &pa);

		if (!prot)
			continue;
		rss += PAGE_SIZE >> 10;
		if (prot & PTE_DIRTY)
			dirty += PAGE_SIZE >> 10;
	}
	seq_printf(m->out,
		   "Size:           %8lu kB\n"
		   "KernelPageSize:        4 kB\n"
		   "MMUPageSize:           4 kB\n"
		   "Rss:            %8lu kB\n"
		   "Pss:            %8lu kB\n"
		   "Shared_Clean:          0 kB\n"
		   "Shared_Dirty:          0 kB\n"
		   "Private_Clean:  %8lu kB\n"
		   "Private_Dirty:  %8lu kB\n"
		   "Referenced:     %8lu kB\n"
		   "Anonymous:      %8lu kB\n"
		   "Swap:                  0 kB\n"
		   "SwapPss:               0 kB\n"
		   "Locked:         %8lu kB\n",
		   (unsigned long)kb, (unsigned long)rss, (unsigned long)rss,
		   (unsigned long)(rss - dirty), (unsigned long)dirty,
		   (unsigned long)rss, (unsigned long)(v->object ? dirty : rss),
		   (unsigned long)(v->flags & VMA_LOCKED ? kb : 0));
	return !m->out->err;
}

int
procfs_show_smaps(struct seq_buf *s, void *arg)
{
	(void)arg;
	return show_vmas(s, smaps_one);
}

static bool
usage_one(struct vma *v, void *arg)
{
	struct mem_usage *m = arg;
	uint64_t n = (v->end - v->start) >> PAGE_SHIFT;

	if (v->flags & VMA_STACK)
		m->stack += n;
	else if (v->flags & VMA_WRITE && !(v->flags & VMA_SHARED))
		m->data += n;
	if (v->flags & VMA_EXEC && v->file)
		*(v->file == procfs_self()->exe ? &m->exe : &m->lib) += n;
	if (v->flags & VMA_LOCKED)
		m->locked += n;
	return true;
}

void
procfs_mem_usage(struct mem_usage *m)
{
	struct process *p = procfs_self();

	memset(m, 0, sizeof(*m));
	if (p->space)
		vm_for_each(p->space, usage_one, m);
}

uint64_t
procfs_rss_pages(const struct vm_space *s)
{
	return s ? s->rss_anon + s->rss_file : 0;
}

int
procfs_show_statm(struct seq_buf *s, void *arg)
{
	struct vm_space *sp = procfs_self()->space;
	struct mem_usage m;

	(void)arg;
	procfs_mem_usage(&m);
	seq_printf(s, "%lu %lu %lu %lu 0 %lu 0\n",
		   sp ? (unsigned long)sp->total_pages : 0ul,
		   (unsigned long)procfs_rss_pages(sp),
		   sp ? (unsigned long)sp->rss_file : 0ul, (unsigned long)m.exe,
		   (unsigned long)(m.data + m.stack));
	return 0;
}

/* ---- memory of the program: arguments, environment ---- */

static int
show_range(struct seq_buf *s, vaddr_t start, vaddr_t end)
{
	struct process *p = procfs_self();
	char *buf = kmalloc(PAGE_SIZE, ALLOC_KERNEL);
	size_t n;

	if (!buf)
		return -ENOMEM;
	while (start < end) {
		n = vm_peek(p->space, start, buf,
			    min_size(end - start, PAGE_SIZE));
		if (!n)
			break;
		seq_write(s, buf, n);
		start += n;
	}
	kfree(buf);
	return 0;
}

int
procfs_show_cmdline(struct seq_buf *s, void *arg)
{
	struct vm_space *sp = procfs_self()->space;

	(void)arg;
	return sp ? show_range(s, sp->arg_start, sp->arg_end) : 0;
}

int
procfs_show_environ(struct seq_buf *s, void *arg)
{
	struct vm_space *sp = procfs_self()->space;

	(void)arg;
	return sp ? show_range(s, sp->env_start, sp->env_end) : 0;
}

int
procfs_show_auxv(struct seq_buf *s, void *arg)
{
	struct process *p = procfs_self();

	(void)arg;
	seq_write(s, p->auxv, p->auxv_len);
	return 0;
}
