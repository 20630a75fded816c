/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile disks.  An image is filled, then again and again some of its bytes
 * are changed where metadata lie (blocks that filling it wrote, the
 * superblock, the log), and a process mounts it, walks it, writes to it and
 * unmounts it.  Errors are the answer wanted; a report of the sanitizers, an
 * assertion, a lock left held or a hang is a failure.
 *
 *	fuzz IMAGE SEED ROUNDS [FIRST]
 * No rounds: the image as it is; status 2: not mounted.
 */
#include "host.h"

#include "fs.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <file/file.h>
#include <fs/acl.h>
#include <fs/attr.h>
#include <fs/namei.h>
#include <fs/vfs.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_DEPTH 4
#define LIMIT_S	  60

static struct host_disk disk;

/* Leaks are not what is looked for: processes end with much in use. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0:allocator_may_return_null=1";
}

/* What is made below has an ACL, too. */
static void
default_acl(const char *path)
{
	static const struct {
		uint16_t tag, perm;
		uint32_t id;
	} e[] = { { ACL_USER_OBJ, 7, UINT32_MAX },
		  { ACL_USER, 5, 1000 },
		  { ACL_GROUP_OBJ, 5, UINT32_MAX },
		  { ACL_MASK, 7, UINT32_MAX },
		  { ACL_OTHER, 5, UINT32_MAX } };
	uint8_t v[4 + sizeof(e)] = { 2 };
	struct dentry *d;

	memcpy(v + 4, e, sizeof(e));
	if (path_lookup(AT_FDCWD, path, 0, &d))
		return;
	ignore(inode_setxattr(d, acl_names[ACL_DEFAULT], v, sizeof(v), 0));
	dentry_put(d);
}

static void
fill(void)
{
	char path[200], text[200];

	for (unsigned k = 0; k < 6; k++) {
		snprintf(path, sizeof(path), "/d%u", k);
		ignore(path_mknod(AT_FDCWD, path, S_IFDIR | 0755, 0));
		if (k == 1)
			default_acl(path);
		for (unsigned m = 0; m < (k == 0 ? 300u : 12u); m++) {
			snprintf(path, sizeof(path),
				 "/d%u/a-name-that-is-long-enough-%u", k, m);
			ignore(fs_write(path, rnd(3) * 100000, 1 + rnd(9000),
					m));
		}
		snprintf(path, sizeof(path), "/d%u/link", k);
		memset(text, 'l', sizeof(text) - 1);
		text[k % 2 ? 20 : 150] = '\0';
		ignore(path_symlink(text, AT_FDCWD, path));
	}
	/* A tree of extents with two levels, and holes. */
	for (unsigned k = 0; k < 120; k++)
		ignore(fs_write("/holes", k * 20000ull, 10, k));
	ignore(fs_xattr("/holes", "user.one", 20));
	ignore(fs_xattr("/holes", "user.two", 700));
	ignore(fs_fallocate("/room", 0, 0, 300000));
	fs_hold_unlinked("/room");
	ignore(fs_sync());
}

struct names {
	struct dir_emit e; /* first */
	char name[64][256];
	unsigned n;
};

static bool
collect(struct dir_emit *e, const char *name, size_t len, uint64_t ino,
	int64_t next, uint8_t type)
{
	struct names *v = (struct names *)e;

	(void)ino, (void)next, (void)type;
	if ((len <= 2 && name[0] == '.') || v->n == 64)
		return v->n < 64;
	memcpy(v->name[v->n], name, len);
	v->name[v->n++][len] = '\0';
	return true;
}

static void
visit(const char *path, unsigned depth)
{
	struct names *v = calloc(1, sizeof(*v));
	static char buf[65536];
	char sub[2048];
	struct dentry *d;
	int64_t pos = 0;

	v->e.fn = collect;
	if (path_lookup(AT_FDCWD, path, 0, &d)) {
		free(v);
		return;
	}
	if (d->inode->ops->iterate) {
		read_lock(&d->inode->lock);
		ignore(d->inode->ops->iterate(d->inode, &pos, 0, &v->e));
		read_unlock(&d->inode->lock);
	}
	dentry_put(d);
	host_check_unlocked();
	for (unsigned k = 0; k < v->n; k++) {
		snprintf(sub, sizeof(sub), "%s/%s", depth ? path : "",
			 v->name[k]);
		ignore(fs_read(sub, 0, buf, sizeof(buf)));
		ignore(fs_xattrs(sub));
		ignore(path_readlink(AT_FDCWD, sub, buf, 4096));
		switch (rnd(8)) {
		case 0:
			ignore(fs_write(sub, rnd(200000), 1 + rnd(20000), k));
			break;
		case 1:
			ignore(path_truncate(sub, rnd(100000)));
			break;
		case 2:
			ignore(path_unlink(AT_FDCWD, sub, false));
			break;
		case 3:
			ignore(fs_xattr(sub, "user.x", rnd(300)));
			break;
		case 4:
			ignore(fs_fallocate(sub, rnd(2) ? 0 : 3, rnd(90000),
					    1 + rnd(90000)));
			break;
		}
		host_check_unlocked();
		if (depth < MAX_DEPTH)
			visit(sub, depth + 1);
	}
	snprintf(sub, sizeof(sub), "%s/new-name-here", depth ? path : "");
	ignore(path_mknod(AT_FDCWD, sub, S_IFREG | 0644, 0));
	ignore(path_rename(AT_FDCWD, sub, AT_FDCWD, "/moved", 0));
	free(v);
}

static void
change(uint8_t *img, const struct host_disk *src)
{
	unsigned n = 1 + rnd(6);

	while (n--) {
		const struct host_event *e;
		size_t at;

		do
			e = &src->log[rnd((unsigned)src->nlog)];
		while (e->kind != EV_WRITE);
		at = e->offset + rnd(e->len < 65536 ? e->len : 65536);
		if (!rnd(8))
			at = 1024 + rnd(1024);
		switch (rnd(4)) {
		case 0:
			img[at] ^= (uint8_t)(1u << rnd(8));
			break;
		case 1:
			img[at] = (uint8_t)rnd(256);
			break;
		case 2:
			memset(img + at, rnd(2) ? 0xff : 0, 1 + rnd(8));
			break;
		default:
			memcpy(img + at, img + (rnd(400) + 1) * 512, 4);
		}
	}
}

static void
one(uint8_t *img, size_t size)
{
	struct host_disk d = { 0 };

	host_limit(LIMIT_S);
	host_disk_add(&d, "vdb", img, size);
	if (!fs_mount("vdb")) {
		visit("/", 0);
		ignore(fs_unmount());
	}
	host_check_unlocked();
	_Exit(0);
}

int
main(int argc, char **argv)
{
	uint8_t *base, *img;
	size_t n;

	if (argc != 4 && argc != 5)
		return 2;
	base = host_read_file(argv[1], &n);
	host_init();
	host_disk_add(&disk, "vda", base, n);
	disk.record = true;
	if (fs_mount("vda"))
		return 2;
	rnd_seed = 1;
	fill();
	disk.record = false;
	img = malloc(n);
	for (unsigned k = argc == 5 ? (unsigned)atoi(argv[4]) : 0;
	     k < (unsigned)atoi(argv[3]); k++) {
		int status;
		pid_t pid;

		rnd_seed = (uint64_t)atoll(argv[2]) * 1000003 + k;
		memcpy(img, base, n);
		change(img, &disk);
		fflush(stdout);
		pid = fork();
		if (!pid)
			one(img, n);
		waitpid(pid, &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status)) {
			printf("round %u of seed %s: status %x\n", k, argv[2],
			       (unsigned)status);
			return 1;
		}
	}
	printf("ok\n");
	return 0;
}
