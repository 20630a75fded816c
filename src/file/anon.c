/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files without a path.
 */
#include <abi/stat.h>
#include <base/atomic.h>
#include <base/string.h>
#include <file/anon.h>
#include <file/cred.h>
#include <sched/thread.h>

uint64_t
anon_ino(void)
{
	static uint64_t last = 1000; /* [a] */

	return atomic_add(&last, 1);
}

void
anon_stat(struct kstat *st, uint64_t ino, uint32_t mode)
{
	const struct cred *c = thread_current()->cred;

	memset(st, 0, sizeof(*st));
	st->dev = 15; /* as Linux's anonymous devices: a small minor */
	st->ino = ino;
	st->mode = mode;
	st->nlink = 1;
	st->blksize = 4096;
	if (c) {
		st->uid = c->fsuid;
		st->gid = c->fsgid;
	}
}

int64_t
anon_seek(struct file *f, int64_t off, int whence)
{
	(void)f, (void)off, (void)whence;
	return 0;
}
