/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong without a power cut: writes that fail, memory that is not
 * there.  A small workload runs again and again, each time in a process of
 * its own where every nth request or allocation fails.  Any error may be the
 * answer; no assertion, no lock and no handle may be left, after a journal's
 * error everything answers EROFS, and after recovery e2fsck finds nothing.
 *
 *	faults IMAGE (writes | memory) FIRST LAST DIR	n from FIRST to LAST
 *
 * And ends that are reached without a fault; the image stays unmounted:
 *	faults IMAGE full 0 0 DIR	the last block and the last inode
 *	faults IMAGE many N 0 DIR	a directory of N names
 *	faults IMAGE lists 0 0 DIR	/old has a block list, /empty none
 *	faults IMAGE log N 0 DIR	N small transactions: the log goes round
 */
#include "host.h"

#include "fs.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <abi/statfs.h>
#include <file/file.h>
#include <fs/attr.h>
#include <fs/namei.h>
#include <fs/vfs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_S 60
#define NFILES	12u

static bool memory;
static unsigned reported; /* fsync or sync said so */

const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

static void
fail(const char *what, unsigned n)
{
	printf("FAILED: %s, every %u\n", what, n);
	fflush(stdout);
	_Exit(1);
}

static int
did(int err)
{
	host_check_unlocked();
	return err;
}

static void
one_file(unsigned k)
{
	char a[64], b[64];

	snprintf(a, sizeof(a), "/d%u/file-%u", k % 3, k);
	snprintf(b, sizeof(b), "/d%u/other-%u", (k + 1) % 3, k);
	ignore(did(fs_write(a, k * 9000, 20000, k)));
	ignore(did(fs_xattr(a, "user.a", k % 2 ? 20 : 700)));
	if (did(fs_fsync(a, k & 1)))
		reported++;
	ignore(did(path_link(AT_FDCWD, a, AT_FDCWD, b, 0)));
	ignore(did(fs_fallocate(a, 0, 100000, 50000)));
	ignore(did(fs_fallocate(a, 3, 8192, 8192)));
	ignore(did(path_truncate(a, k * 5000)));
	if (k % 4 == 1)
		ignore(did(path_unlink(AT_FDCWD, a, false)));
	ignore(did(path_rename(AT_FDCWD, b, AT_FDCWD, "/moved", 0)));
	snprintf(b, sizeof(b), "/d%u/link-%u", k % 3, k);
	ignore(did(path_symlink("a/text/that/does/not/fit/into/the/inode/and/"
				"needs/a/block",
				AT_FDCWD, b)));
	if (k % 5 == 4)
		ignore(did(path_unlink(AT_FDCWD, b, false)));
	if (k % 6 == 5)
		fs_hold_unlinked("/moved");
}

static void
work(void)
{
	char path[64];

	for (unsigned k = 0; k < 3; k++) {
		snprintf(path, sizeof(path), "/d%u", k);
		ignore(did(path_mknod(AT_FDCWD, path, S_IFDIR | 0755, 0)));
	}
	for (unsigned k = 0; k < NFILES; k++)
		one_file(k);
	ignore(did(path_unlink(AT_FDCWD, "/d2", true)));
	if (did(fs_sync()))
		reported++;
}

/* In a process of its own: the workload with failures. */
static void
suffer(const char *image, unsigned n)
{
	struct host_disk d = { 0 };
	size_t size;
	uint8_t *img = host_map_file(image, &size);
	bool ro;

	host_limit(LIMIT_S);
	host_disk_add(&d, "vdb", img, size);
	if (fs_mount("vdb") || fs_write("/kept", 0, 5000, 1) || fs_sync())
		fail("mount", n);
	if (memory)
		host_fail_every = n;
	else
		d.fail_writes = n, d.nwrites = 0;
	work();
	host_fail_every = d.fail_writes = 0;
	ro = path_mknod(AT_FDCWD, "/after", S_IFREG | 0644, 0) == -EROFS;
	if (ro && !reported)
		fail("read-only, and nobody was told", n);
	if (ro && (path_unlink(AT_FDCWD, "/kept", false) != -EROFS ||
		   fs_write("/kept", 0, 10, 1) != -EROFS))
		fail("not everything is read-only", n);
	if (fs_unmount() && !ro)
		fail("unmount", n);
	host_check_unlocked();
	fflush(stdout);
	_Exit(ro ? 3 : 0);
}

static void
recover(const char *image, unsigned n)
{
	struct host_disk d = { 0 };
	size_t size;
	uint8_t *img = host_map_file(image, &size);

	host_limit(LIMIT_S);
	host_disk_add(&d, "vdb", img, size);
	if (fs_mount("vdb"))
		fail("recovery", n);
	if (fs_write("/again", 0, 100, 1) || fs_unmount())
		fail("writing after recovery", n);
	fflush(stdout);
	_Exit(0);
}

static int
child(void (*fn)(const char *image, unsigned n), const char *image, unsigned n)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		fn(image, n);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void
judge(const char *image, unsigned n)
{
	static char out[65536];
	int rc = host_run((char *[]){ "e2fsck", "-fn", (char *)image, NULL },
			  out, sizeof(out));

	if (strstr(out, "? no") || (rc & ~4)) {
		printf("%s\n", out);
		fail("e2fsck", n);
	}
}

/* ---- without faults ---- */

static struct host_disk disk;

static void
want(bool ok, const char *what, unsigned n)
{
	host_check_unlocked();
	if (!ok)
		fail(what, n);
}

static struct statfs
room(void)
{
	struct statfs st;
	struct dentry *d;

	memset(&st, 0, sizeof(st));
	want(!path_lookup(AT_FDCWD, "/", 0, &d), "lookup", 0);
	want(!d->sb->ops->statfs(d->sb, &st), "statfs", 0);
	dentry_put(d);
	return st;
}

/* Writes block by block until there is no more: how many. */
static unsigned
grow(const char *path)
{
	unsigned n = 0;
	int err;

	while (!(err = fs_write(path, n * 4096ull, 4096, n)))
		n++;
	want(err == -ENOSPC, "the disk is full", n);
	return n;
}

static void
full(unsigned unused)
{
	char path[64];
	unsigned n, again, k;
	int err;

	(void)unused;
	n = grow("/big");
	want(!fs_sync(), "sync of a full disk", n);
	want(room().f_bavail == 0, "nothing is available", n);
	want(!path_unlink(AT_FDCWD, "/big", false), "unlink", n);
	again = grow("/big");
	want(again + 2 >= n, "freed space comes back", again);
	want(!path_unlink(AT_FDCWD, "/big", false), "unlink", n);
	for (k = 0;; k++) {
		snprintf(path, sizeof(path), "/i%u", k);
		err = path_mknod(AT_FDCWD, path, S_IFREG | 0644, 0);
		if (err)
			break;
	}
	want(err == -ENOSPC && !room().f_ffree, "the last inode", k);
	want(!path_unlink(AT_FDCWD, "/i0", false), "unlink", k);
	want(!path_mknod(AT_FDCWD, path, S_IFREG | 0644, 0), "a freed inode",
	     k);
}

static void
many(unsigned n)
{
	char path[64];
	struct dentry *d;

	want(!path_mknod(AT_FDCWD, "/m", S_IFDIR | 0755, 0), "mkdir", n);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned k = 0; k < n; k++) {
			int err;

			snprintf(path, sizeof(path), "/m/name-%u", k);
			if (round == 0) {
				err = path_mknod(AT_FDCWD, path, S_IFREG | 0644,
						 0);
			} else if (round == 1) {
				err = path_lookup(AT_FDCWD, path, 0, &d);
				if (!err)
					dentry_put(d);
			} else {
				err = path_unlink(AT_FDCWD, path, false);
			}
			want(!err, path, round);
		}
	want(path_lookup(AT_FDCWD, "/m/name-0", 0, &d) == -ENOENT,
	     "a removed name", n);
	want(!path_unlink(AT_FDCWD, "/m", true), "rmdir", n);
}

static void
lists(unsigned unused)
{
	uint64_t hash, size;

	(void)unused;
	want(!fs_hash("/old", &hash, &size) && size, "reading", 0);
	want(path_unlink(AT_FDCWD, "/old", false) == -EOPNOTSUPP,
	     "unlink of a block list", 0);
	want(!fs_write("/new", 0, 10, 1), "write", 0);
	want(path_rename(AT_FDCWD, "/new", AT_FDCWD, "/old", 0) == -EOPNOTSUPP,
	     "rename over a block list", 0);
	want(!path_link(AT_FDCWD, "/old", AT_FDCWD, "/second", 0) &&
		     !path_unlink(AT_FDCWD, "/old", false),
	     "a name that is not the last", 0);
	want(!path_unlink(AT_FDCWD, "/empty", false), "an empty file", 0);
}

static void
set_mode(const char *path, uint32_t mode, unsigned n)
{
	struct dentry *d;

	want(!path_lookup(AT_FDCWD, path, 0, &d), "lookup", n);
	want(!did(dentry_chmod(d, mode)), "chmod", n);
	dentry_put(d);
}

/* The log is full while the transaction that runs has all blocks that are
 * left of the oldest: a small change, then one that needs more room. */
static void
log_full(unsigned n)
{
	want(!fs_write("/f", 0, 1000, 1) && !fs_sync(), "making it", 0);
	for (unsigned k = 0; k < n; k++) {
		set_mode("/", 0700 + k % 8, k);
		want(!did(path_rename(AT_FDCWD, k % 2 ? "/g" : "/f", AT_FDCWD,
				      k % 2 ? "/f" : "/g", 0)),
		     "rename", k);
		want(!fs_fsync(k % 2 ? "/f" : "/g", false), "fsync", k);
	}
}

static int
whole(const char *image, void (*fn)(unsigned n), unsigned n)
{
	size_t size;
	uint8_t *img = host_read_file(image, &size);

	host_init();
	host_disk_add(&disk, "vda", img, size);
	want(!fs_mount("vda"), "mount", n);
	fn(n);
	want(!fs_unmount(), "unmount", n);
	host_write_file(image, img, size);
	judge(image, n);
	printf("ok\n");
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned aborted = 0, first, last;
	char work_on[300];
	uint8_t *base;
	size_t size;

	if (argc != 6)
		return 2;
	memory = !strcmp(argv[2], "memory");
	first = (unsigned)atoi(argv[3]);
	if (!strcmp(argv[2], "full"))
		return whole(argv[1], full, first);
	if (!strcmp(argv[2], "many"))
		return whole(argv[1], many, first);
	if (!strcmp(argv[2], "log"))
		return whole(argv[1], log_full, first);
	if (!strcmp(argv[2], "lists"))
		return whole(argv[1], lists, first);
	last = (unsigned)atoi(argv[4]);
	base = host_read_file(argv[1], &size);
	snprintf(work_on, sizeof(work_on), "%s/work.img", argv[5]);
	host_init();
	for (unsigned n = first; n <= last; n++) {
		int rc;

		host_write_file(work_on, base, size);
		rc = child(suffer, work_on, n);
		if (rc && rc != 3)
			fail("the workload", n);
		aborted += rc == 3;
		if (child(recover, work_on, n))
			fail("recovery", n);
		judge(work_on, n);
	}
	printf("ok: %u, journal aborted in %u\n", last - first + 1, aborted);
	return 0;
}
