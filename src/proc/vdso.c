/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vDSO and its data page in the program: two special mappings, the data
 * page right below the code.  Their pages are made once, at the first exec,
 * and live as long as the kernel; so the objects need no release.
 */
#include "proc_priv.h"

#include <abi/errno.h>
#include <arch/vdso.h>
#include <base/string.h>
#include <mem/page.h>
#include <vm/object.h>
#include <vm/space.h>

#define VDSO_MAX_PAGES 8

static struct page *code_pages[VDSO_MAX_PAGES]; /* [I] after the first exec */
static unsigned ncode;
static struct page *data_page;
static struct vm_object code_object, data_object;

static int
code_fault(struct vm_object *o, uint64_t index, bool write, struct page **out)
{
	(void)o;
	if (index >= ncode || write)
		return -ENXIO;
	page_get(code_pages[index]);
	*out = code_pages[index];
	return 0;
}

static struct page *
code_peek(struct vm_object *o, uint64_t index)
{
	struct page *p;

	return code_fault(o, index, false, &p) ? NULL : p;
}

static int
data_fault(struct vm_object *o, uint64_t index, bool write, struct page **out)
{
	(void)o;
	if (index || write)
		return -ENXIO;
	page_get(data_page);
	*out = data_page;
	return 0;
}

static struct page *
data_peek(struct vm_object *o, uint64_t index)
{
	struct page *p;

	return data_fault(o, index, false, &p) ? NULL : p;
}

static int
never_writable(struct vm_object *o, uint64_t index, struct page *p)
{
	(void)o;
	(void)index;
	(void)p;
	return -EACCES;
}

static void
never_dirty(struct vm_object *o, struct page *p)
{
	(void)o;
	(void)p;
}

static int
nothing_to_write(struct vm_object *o, struct file *f, uint64_t first,
		 uint64_t end)
{
	(void)o;
	(void)f;
	(void)first;
	(void)end;
	return 0; /* the pages have no file behind them */
}

static void
keep(struct vm_object *o)
{
	(void)o; /* static */
}

static const struct vm_object_ops code_ops = {
	.fault = code_fault,
	.peek = code_peek,
	.make_writable = never_writable,
	.set_dirty = never_dirty,
	.writeback = nothing_to_write,
	.release = keep,
};

static const struct vm_object_ops data_ops = {
	.fault = data_fault,
	.peek = data_peek,
	.make_writable = never_writable,
	.set_dirty = never_dirty,
	.writeback = nothing_to_write,
	.release = keep,
};

static int
make_pages(void)
{
	unsigned n = (unsigned)(vdso_image_size() >> PAGE_SHIFT);
	unsigned i;

	if (ncode)
		return 0;
	if (n > VDSO_MAX_PAGES)
		return -ENOSPC;
	data_page = page_from_phys(vdso_data_page());
	if (!data_page)
		return -ENOSPC;
	/* It lies in the kernel's image, which no allocator owns. */
	refcount_set(&data_page->refs, 1);
	data_page->flags = PG_RESERVED | PG_UPTODATE;
	for (i = 0; i < n; i++) {
		if (!code_pages[i])
			code_pages[i] = page_alloc(0, ALLOC_KERNEL);
		if (!code_pages[i])
			return -ENOMEM;
		memcpy(page_addr(code_pages[i]), vdso_image + i * PAGE_SIZE,
		       PAGE_SIZE);
		code_pages[i]->flags |= PG_UPTODATE;
	}
	vm_object_init(&code_object, &code_ops);
	vm_object_init(&data_object, &data_ops);
	ncode = n;
	return 0;
}

static bool
name_vma(struct vma *v, void *arg)
{
	if (v->object == &code_object)
		v->name = "[vdso]";
	if (v->object == &data_object)
		v->name = "[vvar]";
	(void)arg;
	return true;
}

long
vdso_map(struct vm_space *s)
{
	size_t len;
	long at, data;
	int err = make_pages();

	if (err)
		return err;
	len = (ncode + 1) * PAGE_SIZE;
	at = vm_map(s, 0, len, VMA_SPECIAL, NULL, NULL, 0, 0);
	if (at < 0)
		return at;
	data = vm_map(s, (vaddr_t)at, PAGE_SIZE,
		      VMA_READ | VMA_SPECIAL | VMA_DONTDUMP, &data_object, NULL,
		      0, VM_FIXED);
	if (data < 0)
		return data;
	at = vm_map(s, (vaddr_t)at + PAGE_SIZE, len - PAGE_SIZE,
		    VMA_READ | VMA_EXEC | VMA_SPECIAL, &code_object, NULL, 0,
		    VM_FIXED);
	if (at < 0)
		return at;
	vm_for_each(s, name_vma, NULL);
	s->vdso = (vaddr_t)at;
	return at;
}
