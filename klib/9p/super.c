/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The klib's beginning: its driver, and the file system "9p", whose source is
 * the tag that the host gave the device, and whose options are "", "ro" or
 * "rw".
 */
#include "p9.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <abi/stat.h>
#include <abi/statfs.h>
#include <base/string.h>
#include <core/log.h>
#include <dev/device.h>
#include <drivers/virtio/virtio.h>
#include <klib/klib.h>
#include <mem/heap.h>

#define V9FS_MAGIC 0x01021997

static int
statfs(struct super *sb, struct statfs *st)
{
	return p9_statfs(sb->priv, p9_i(sb->root)->fid, st);
}

static int
remount(struct super *sb, unsigned flags)
{
	sb->flags = flags;
	return 0;
}

static void
unmount(struct super *sb)
{
	p9_client_close(sb->priv);
	kfree(sb);
}

static const struct super_ops p9_super_ops = {
	.evict = p9_evict,
	.statfs = statfs,
	.fsync = p9_fsync_inode,
	.remount = remount,
	.unmount = unmount,
};

static int
attach_root(struct super *sb)
{
	struct p9_client *c = sb->priv;
	struct p9_qid q;
	uint32_t fid;
	int err = p9_fid_get(c, &fid);

	if (err)
		return err;
	err = p9_attach(c, fid, &q);
	if (err) {
		p9_fid_put(c, fid);
		return err;
	}
	err = p9_iget(sb, fid, &sb->root);
	if (!err && !S_ISDIR(sb->root->mode)) {
		inode_put(sb->root);
		err = -ENOTDIR;
	}
	return err;
}

static int
mount(const struct fs_type *t, const char *source, unsigned flags,
      const char *options, struct super **out)
{
	static unsigned minor = 32; /* of unnamed devices: mounts are rare */
	struct super *sb;
	int err;

	if (*options && strcmp(options, "ro") && strcmp(options, "rw"))
		return -EINVAL;
	sb = kzalloc(sizeof(*sb), ALLOC_KERNEL);
	if (!sb)
		return -ENOMEM;
	list_init(&sb->dirty);
	sb->type = t;
	sb->ops = &p9_super_ops;
	sb->flags = flags | (!strcmp(options, "ro") ? MS_RDONLY : 0);
	sb->cache_names = false;
	sb->magic = V9FS_MAGIC;
	sb->dev = DEV_MAKE(0, __atomic_fetch_add(&minor, 1, __ATOMIC_RELAXED));
	err = p9_client_open(source, (struct p9_client **)&sb->priv);
	if (err) {
		log_err("9p %s: error %d", source, -err);
		kfree(sb);
		return err;
	}
	err = attach_root(sb);
	if (!err && !(sb->flags & MS_RDONLY)) {
		err = super_start_writer(sb);
		if (err)
			inode_put(sb->root);
	}
	if (err) {
		p9_client_close(sb->priv);
		kfree(sb);
		return err;
	}
	*out = sb;
	return 0;
}

static const struct fs_type p9_type = {
	.name = "9p",
	.nodev = true,
	.mount = mount,
};

static int
init(const char *args)
{
	int err;

	if (*args)
		return -EINVAL; /* there are none */
	err = device_add_driver(&virtio_9p.drv);
	if (!err)
		fs_register(&p9_type);
	return err;
}

KLIB("9p", init);
