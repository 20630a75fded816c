/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the machine's disk and the run block to a mounted root.
 *
 * The manifest is in a partition of its own, so that it is read before the
 * root is mounted; the run block is the first boot module.
 */
#include "boot_priv.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <abi/stat.h>
#include <arch/mmu.h>
#include <base/math.h>
#include <base/string.h>
#include <boot/runinfo.h>
#include <core/bootinfo.h>
#include <core/log.h>
#include <dev/blk.h>
#include <fs/namei.h>
#include <fs/vfs.h>
#include <mem/alloc.h>
#include <mem/heap.h>
#include <mem/kmap.h>

/* What is read of it first: most manifests are shorter, and each request is
 * a round trip to the host. */
#define MANIFEST_FIRST 4096u

/* The first `len` bytes of dev, to be freed with vfree(). */
static int
read_start(struct blk_device *dev, size_t len, void **out)
{
	void *buf = vmalloc(len, ALLOC_KERNEL);
	int err;

	if (!buf)
		return -ENOMEM;
	err = blk_read(dev, 0, buf, len);
	if (err)
		vfree(buf);
	else
		*out = buf;
	return err;
}

/* Reads the manifest; *out NULL with 0 where the disk has none. */
static int
read_manifest(void **out, size_t *len)
{
	struct blk_device *dev = blk_find_type(PITH_GPT_MANIFEST);
	struct pith_block_header h;
	size_t first;
	void *buf;
	int err;

	*out = NULL;
	*len = 0;
	if (!dev)
		return 0;
	first = min_u64(MANIFEST_FIRST, dev->sectors << BLK_SECTOR_SHIFT);
	err = read_start(dev, first, &buf);
	if (err)
		return err;
	memcpy(&h, buf, sizeof(h)); /* a sector is more */
	if (h.magic != PITH_BLOCK_MAGIC ||
	    h.len_bytes > PITH_BLOCK_MAX - sizeof(h)) {
		log_err("the image's manifest is not one");
		vfree(buf);
		return -EINVAL;
	}
	if (sizeof(h) + h.len_bytes > first) {
		vfree(buf);
		err = read_start(dev, sizeof(h) + h.len_bytes, &buf);
		if (err)
			return err;
	}
	*out = buf;
	*len = sizeof(h) + h.len_bytes;
	return 0;
}

int
boot_read_run_info(struct run_info *ri)
{
	const struct boot_range *m = &boot_info.module[0];
	const void *run = boot_info.nmodules ? phys_to_virt(m->start) : NULL;
	void *manifest;
	size_t len;
	int err = read_manifest(&manifest, &len);

	if (err)
		return err;
	err = run_info_parse(manifest, len, run,
			     run ? (size_t)(m->end - m->start) : 0, ri);
	vfree(manifest); /* what is kept was copied */
	return err;
}

/* The file systems that every program expects; a directory that the image
 * does not have is left out with a line in the log. */
static void
mount_usual(void)
{
	static const struct {
		const char *type, *target, *options;
	} usual[] = {
		{ "proc", "/proc", "" },
		{ "sysfs", "/sys", "" },
		{ "devtmpfs", "/dev", "" },
		{ "devpts", "/dev/pts", "" },
		{ "tmpfs", "/dev/shm", "mode=1777" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(usual); i++) {
		int err = vfs_mount(usual[i].type, usual[i].type,
				    usual[i].target, 0, usual[i].options);

		if (err)
			log_warn("mounting %s on %s: error %d", usual[i].type,
				 usual[i].target, -err);
	}
}

/* The directory of a mount, and those above it, where the root can take
 * them; what is missing then is found by the mount. */
static void
make_target(const char *target)
{
	char *path = kstrdup(target, ALLOC_KERNEL);

	for (size_t i = 1; path && *path && target[i - 1]; i++) {
		if (target[i] && target[i] != '/')
			continue;
		path[i] = '\0';
		ignore(path_mknod(-100, path, S_IFDIR | 0755, 0));
		path[i] = target[i];
	}
	kfree(path);
}

#define SERIAL "SERIAL="

/* Options of ours among those of the file system: "ro". */
static int
mount_one(const struct run_mount *m)
{
	const char *source = m->source, *options = m->options;
	unsigned flags = 0;

	if (!strncmp(options, "ro", 2) && (!options[2] || options[2] == ',')) {
		flags = MS_RDONLY;
		options += options[2] ? 3 : 2;
	}
	if (!strncmp(source, SERIAL, strlen(SERIAL))) {
		struct blk_device *dev =
			blk_find_serial(source + strlen(SERIAL));

		if (!dev)
			return -ENXIO;
		source = dev->name;
	}
	make_target(m->target);
	return vfs_mount(m->type, source, m->target, flags, options);
}

int
boot_mount(const struct run_info *ri)
{
	struct blk_device *dev = blk_find_type(PITH_GPT_ROOT);
	int err;

	if (!dev) {
		log_err("no disk has a root partition");
		return -ENODEV;
	}
	err = fs_mount_root(dev->name, ri->root_mode);
	if (err) {
		log_err("mounting the root %s: error %d", dev->name, -err);
		return err;
	}
	mount_usual();
	for (unsigned i = 0; i < ri->nmounts; i++) {
		const struct run_mount *m = &ri->mounts[i];

		err = mount_one(m);
		if (err) {
			log_err("mounting %s on %s: error %d", m->type,
				m->target, -err);
			return err;
		}
	}
	return 0;
}
