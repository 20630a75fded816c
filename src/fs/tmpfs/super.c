/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting tmpfs: its options, its limits; and the overlay over another file
 * system.  Without size= half of the memory may be used, without nr_inodes=
 * one inode per two pages of that.
 */
#include "tmpfs.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <abi/statfs.h>
#include <base/atomic.h>
#include <base/fmt.h>
#include <base/string.h>
#include <core/log.h>
#include <file/cred.h>
#include <fs/acl.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <mem/page.h>

static int
tmpfs_statfs(struct super *sb, struct statfs *st)
{
	struct tmpfs_super *s = sb->priv;
	uint64_t used = atomic_load_relaxed(&s->npages);
	uint64_t inodes = atomic_load_relaxed(&s->ninodes);

	st->f_bsize = st->f_frsize = PAGE_SIZE;
	st->f_blocks = s->max_pages;
	st->f_bfree = st->f_bavail =
		used < s->max_pages ? s->max_pages - used : 0;
	st->f_files = s->max_inodes;
	st->f_ffree = inodes < s->max_inodes ? s->max_inodes - inodes : 0;
	return 0;
}

static void
tmpfs_unmount(struct super *sb)
{
	struct tmpfs_super *s = sb->priv;
	struct super *lower = s->lower;

	kfree(s);
	if (!lower)
		return;
	inode_put(lower->root);
	if (lower->ops->unmount)
		lower->ops->unmount(lower);
}

static const struct super_ops tmpfs_super_ops = {
	.evict = tmpfs_evict,
	.statfs = tmpfs_statfs,
	.unmount = tmpfs_unmount,
};

static struct tmpfs_super *
new_super(const struct fs_type *t)
{
	struct tmpfs_super *s = kzalloc(sizeof(*s), ALLOC_KERNEL);

	if (!s)
		return NULL;
	s->sb.type = t;
	s->sb.ops = &tmpfs_super_ops;
	s->sb.block_size = PAGE_SIZE;
	s->sb.cache_names = true;
	s->sb.magic = TMPFS_MAGIC;
	s->sb.priv = s;
	s->max_pages = mem_total_pages() / 2;
	s->max_inodes = s->max_pages / 2 + 64;
	s->next_ino = 1;
	s->mode = 01777;
	list_init(&s->graves);
	return s;
}

/* A number with k, m, g or (for size) %. */
static int
parse_amount(const char *v, size_t len, bool percent, uint64_t *out)
{
	uint64_t unit = 1;
	int err;

	if (!len)
		return -EINVAL;
	switch (v[len - 1]) {
	case 'k':
	case 'K':
		unit = 1024;
		break;
	case 'm':
	case 'M':
		unit = 1024 * 1024;
		break;
	case 'g':
	case 'G':
		unit = 1024 * 1024 * 1024;
		break;
	case '%':
		if (!percent)
			return -EINVAL;
		unit = mem_total_pages() * PAGE_SIZE / 100;
		break;
	}
	err = parse_u64(v, unit > 1 ? len - 1 : len, 0, out);
	if (err)
		return -EINVAL;
	return __builtin_mul_overflow(*out, unit, out) ? -EINVAL : 0;
}

static bool
is_key(const char *s, size_t len, const char *key)
{
	return strlen(key) == len && !memcmp(s, key, len);
}

static int
set_option(struct tmpfs_super *s, const char *k, size_t klen, const char *v,
	   size_t vlen)
{
	uint64_t n;
	int err;

	if (is_key(k, klen, "mode")) {
		err = parse_u64(v, vlen, 8, &n);
		if (err || n > 07777)
			return -EINVAL;
		s->mode = (uint32_t)n;
		return 0;
	}
	if (is_key(k, klen, "uid") || is_key(k, klen, "gid")) {
		err = parse_u64(v, vlen, 10, &n);
		if (err || n >= UINT32_MAX)
			return -EINVAL;
		*(k[0] == 'u' ? &s->uid : &s->gid) = (uint32_t)n;
		return 0;
	}
	err = parse_amount(v, vlen, is_key(k, klen, "size"), &n);
	if (err)
		return err;
	if (is_key(k, klen, "size"))
		s->max_pages =
			n ? (n + PAGE_SIZE - 1) / PAGE_SIZE : UINT64_MAX / 2;
	else if (is_key(k, klen, "nr_blocks"))
		s->max_pages = n ? n : UINT64_MAX / 2;
	else if (is_key(k, klen, "nr_inodes"))
		s->max_inodes = n ? n : UINT64_MAX / 2;
	else
		return -EINVAL;
	return 0;
}

static int
parse_options(struct tmpfs_super *s, const char *o)
{
	while (*o) {
		const char *end = strchr(o, ',');
		size_t len = end ? (size_t)(end - o) : strlen(o);
		const char *eq = memchr(o, '=', len);
		int err = len ? -EINVAL : 0;

		if (eq)
			err = set_option(s, o, (size_t)(eq - o), eq + 1,
					 len - (size_t)(eq - o) - 1);
		if (err) {
			log_warn("tmpfs: option \"%s\" is not known or wrong",
				 o);
			return err;
		}
		o += len + (end != NULL);
	}
	return 0;
}

static int
make_root(struct tmpfs_super *s)
{
	struct inode *root;
	int err = tmpfs_new_inode(&s->sb, NULL, S_IFDIR | s->mode, 0, &root);

	if (err)
		return err;
	root->uid = s->uid;
	root->gid = s->gid;
	s->sb.root = root;
	return 0;
}

static int
tmpfs_mount(const struct fs_type *t, const char *source, unsigned flags,
	    const char *options, struct super **out)
{
	struct tmpfs_super *s = new_super(t);
	int err;

	(void)source, (void)flags; /* a name only; MS_RDONLY is the caller's */
	if (!s)
		return -ENOMEM;
	err = parse_options(s, options);
	if (!err)
		err = make_root(s);
	if (err) {
		kfree(s);
		return err;
	}
	*out = &s->sb;
	return 0;
}

int
tmpfs_make_super(struct tmpfs_super **out)
{
	struct tmpfs_super *s = new_super(&tmpfs_type);
	int err;

	if (!s)
		return -ENOMEM;
	/* Memory itself is the limit, as for anonymous memory. */
	s->max_pages = s->max_inodes = UINT64_MAX / 2;
	err = make_root(s);
	if (err) {
		kfree(s);
		return err;
	}
	s->sb.dev = 1;
	*out = s;
	return 0;
}

/* ---- overlay ---- */

/* What the wrapper shows until it is changed. */
static int
fill_wrapper(struct inode *i, struct inode *lower)
{
	struct tmpfs_inode *t;
	int err;

	i->mode = lower->mode;
	err = tmpfs_setup(i);
	if (err)
		return err;
	t = tmpfs_i(i);
	t->lower = lower;
	i->uid = lower->uid;
	i->gid = lower->gid;
	i->nlink = lower->nlink;
	i->rdev = lower->rdev;
	i->size = lower->size;
	i->atime = lower->atime;
	i->mtime = lower->mtime;
	i->ctime = lower->ctime;
	i->btime = lower->btime;
	for (unsigned k = 0; k < 2; k++)
		i->acl[k] = acl_get(lower->acl[k]);
	if (i->cache && lower->cache)
		page_cache_set_lower(i->cache, lower->cache, lower->size);
	if (lower->link) {
		i->link = kstrdup(lower->link, ALLOC_KERNEL);
		if (!i->link)
			return -ENOMEM;
	}
	return 0;
}

int
overlay_wrap(struct super *sb, struct inode *lower, struct inode **out)
{
	struct inode *i;
	bool fresh;
	int err = inode_get_cached(sb, lower->ino, &i, &fresh);

	if (err || !fresh) {
		inode_put(lower);
		*out = i;
		return err;
	}
	err = fill_wrapper(i, lower);
	if (err) {
		struct tmpfs_inode *t = i->priv;

		if (t && !t->lower)
			t->lower = lower; /* evict gives it back */
		if (!t)
			inode_put(lower);
		tmpfs_evict(i);
		inode_fail(i, err);
		return err;
	}
	inode_ready(i);
	*out = i;
	return 0;
}

int
overlay_create(struct super *lower, const char *options, struct super **out)
{
	struct tmpfs_super *s = new_super(&overlay_type);
	struct statfs st = { .f_files = 0 };
	int err;

	if (!s)
		return -ENOMEM;
	err = parse_options(s, options);
	if (err)
		goto fail;
	if (lower->ops->statfs)
		err = lower->ops->statfs(lower, &st);
	if (err)
		goto fail;
	s->sb.magic = OVERLAYFS_SUPER_MAGIC;
	s->lower = lower;
	s->next_ino = st.f_files + 1; /* the lower numbers stay as they are */
	inode_get(lower->root);
	err = overlay_wrap(&s->sb, lower->root, &s->sb.root);
	if (err)
		goto fail;
	*out = &s->sb;
	return 0;
fail:
	kfree(s);
	return err;
}

/* Over a device, by its name: the form that mount(2) offers. */
static int
overlay_mount(const struct fs_type *t, const char *source, unsigned flags,
	      const char *options, struct super **out)
{
	struct super *lower;
	int err = ext4_type.mount(&ext4_type, source, flags | MS_RDONLY, "",
				  &lower);

	(void)t;
	if (err)
		return err;
	err = overlay_create(lower, options, out);
	if (err) {
		inode_put(lower->root);
		lower->ops->unmount(lower);
	}
	return err;
}

const struct fs_type tmpfs_type = { .name = "tmpfs",
				    .nodev = true,
				    .mount = tmpfs_mount };
const struct fs_type overlay_type = { .name = "overlay",
				      .nodev = true,
				      .mount = overlay_mount };
