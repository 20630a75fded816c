/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports to the host (report.h).
 */
#include "report.h"

#include <base/fmt.h>
#include <base/math.h>
#include <dev/control.h>
#include <file/file.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <vm/space.h>

#define BUF_SIZE 8192u
#define LINE_MAX 1200u /* what one line may need */

struct report {
	char buf[BUF_SIZE];
	size_t len;
	uint16_t frame;
	struct vm_space *space;
	char path[1024];
};

struct report *
report_begin(uint16_t frame, struct vm_space *space)
{
	struct report *r;

	if (!space)
		return NULL;
	r = kmalloc(sizeof(*r), ALLOC_KERNEL);
	if (!r)
		return NULL;
	r->len = 0;
	r->frame = frame;
	r->space = space;
	return r;
}

static void
flush(struct report *r)
{
	if (r->len)
		control_send(r->frame, r->buf, r->len);
	r->len = 0;
}

void
report_line(struct report *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (r->len + LINE_MAX > BUF_SIZE)
		flush(r);
	va_start(ap, fmt);
	n = kvsnprintf(r->buf + r->len, LINE_MAX - 1, fmt, ap);
	va_end(ap);
	r->len += min_size((size_t)n, LINE_MAX - 2);
	r->buf[r->len++] = '\n';
}

static bool
report_map(struct vma *v, void *arg)
{
	struct report *r = arg;
	char *path;

	if (!(v->flags & VMA_EXEC) || !v->file || !v->file->dentry)
		return true;
	path = dentry_path(v->file->dentry, NULL, r->path, sizeof(r->path));
	if (path)
		report_line(r, "map %lx %lx %lx %s", (unsigned long)v->start,
			    (unsigned long)v->end,
			    (unsigned long)(v->pgoff << PAGE_SHIFT), path);
	return true;
}

void
report_maps(struct report *r)
{
	vm_for_each(r->space, report_map, r);
}

void
report_end(struct report *r)
{
	report_line(r, "end");
	flush(r);
	kfree(r);
}
