/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts.  A workload runs once on a disk that remembers every write and
 * flush; then, for every moment asked for, the disk as it would be after a
 * cut there is made: all that was flushed, and of what was not, all (in
 * order), nothing, or any part.  Each is recovered by our mount and judged:
 *	e2fsck -fn finds nothing after our recovery and a clean unmount;
 *	e2fsck -fy on a copy repairs nothing but the journal and orphans, and
 *	its tree is the same as ours;
 *	files that were synced and not touched since hold what they held;
 *	a file that is replaced by rename is whole, old or new;
 *	no file shows another's bytes where the disk refused some (refuse.c).
 *
 *	crash IMAGE WORKLOAD SEED CUTS DIR	CUTS 0: after every write, each way
 */
#include "host.h"

#include "fs.h"
#include "refuse.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <fs/attr.h>
#include <fs/namei.h>
#include <fs/vfs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FILES 64
#define MAX_NOTES 8192

static struct host_disk disk;

static void
fail(const char *what, const char *path)
{
	printf("FAILED: %s: %s\n", what, path);
	fflush(stdout);
	_Exit(1);
}

/* ---- what must hold ---- */

/*
 * At mark `from` path was known to be on the disk with these contents, and
 * nothing touched it before mark `to` (0: to the end).  A file that is
 * replaced by renames is never anything but one of its versions.
 */
struct promise {
	char path[64];
	uint64_t hash, size;
	uint32_t from, to;
	bool gone;
};
static struct promise notes[MAX_NOTES];
static unsigned nnotes;
static uint32_t mark;
static bool orphans, refusing; /* the workload of that name */

struct version {
	uint64_t hash, size;
};
static struct version versions[256]; /* of /atomic */
static unsigned nversions;

static void
step(void)
{
	host_disk_mark(&disk, ++mark);
}

static void
touches(const char *path)
{
	for (unsigned k = 0; k < nnotes; k++)
		if (!notes[k].to && !strcmp(notes[k].path, path))
			notes[k].to = mark + 1;
	step();
}

static void
promise(const char *path, bool gone)
{
	struct promise *p = &notes[nnotes++];

	if (nnotes == MAX_NOTES)
		fail("too many promises", path);
	step();
	snprintf(p->path, sizeof(p->path), "%s", path);
	p->gone = gone;
	p->from = mark;
	if (!gone && fs_hash(path, &p->hash, &p->size))
		fail("cannot read what was synced", path);
}

/* ---- workloads ---- */

static void
must(int err, const char *what, const char *path)
{
	if (err < 0 && err != -ENOSPC) {
		printf("%s %s: %d\n", what, path, err);
		fail(what, path);
	}
}

static void
write_at(const char *path, uint64_t pos, size_t len, unsigned fill)
{
	touches(path);
	must(fs_write(path, pos, len, fill), "write", path);
}

static void
sync_file(const char *path)
{
	if (!fs_fsync(path, rnd(2)))
		promise(path, false);
}

static int
chown_at(const char *path, unsigned uid, unsigned gid)
{
	struct inode_attr a = { .valid = ATTR_UID | ATTR_GID,
				.uid = uid,
				.gid = gid };

	return path_setattr(AT_FDCWD, path, 0, &a);
}

/* Files appended, synced, removed, given to others. */
static void
load_files(unsigned n)
{
	char path[64];

	for (unsigned k = 0; k < n; k++) {
		snprintf(path, sizeof(path), "/f%u", rnd(8));
		switch (rnd(7)) {
		case 6:
			ignore(chown_at(path, rnd(40) * 997, rnd(300)));
			break;
		case 0:
			touches(path);
			if (!path_unlink(AT_FDCWD, path, false) && !rnd(3)) {
				must(fs_sync(), "sync", path);
				promise(path, true);
			}
			break;
		case 1:
			touches(path);
			ignore(path_truncate(path, rnd(60000)));
			break;
		default:
			write_at(path, rnd(50000), 1 + rnd(20000), k);
			if (!rnd(3))
				fs_forget();
			if (rnd(2))
				sync_file(path);
		}
	}
}

/* A file replaced again and again, as editors do. */
static void
load_rename(unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		write_at("/new", 0, 1 + rnd(30000), k);
		if (rnd(2) || !k) /* a first one has nothing to replace */
			must(fs_fsync("/new", false), "fsync", "/new");
		if (fs_hash("/new", &versions[nversions].hash,
			    &versions[nversions].size))
			fail("read", "/new");
		nversions++;
		touches("/atomic");
		touches("/new");
		must(path_rename(AT_FDCWD, "/new", AT_FDCWD, "/atomic", 0),
		     "rename", "/atomic");
		if (!rnd(4)) {
			must(fs_sync(), "sync", "/");
			promise("/atomic", false);
		}
	}
}

/* Names: directories, links, renames. */
static void
load_names(unsigned n)
{
	char a[64], b[64];

	for (unsigned k = 0; k < n; k++) {
		snprintf(a, sizeof(a), "/d%u", rnd(6));
		snprintf(b, sizeof(b), "/d%u/n%u", rnd(6), rnd(30));
		step();
		switch (rnd(10)) {
		case 0:
		case 1:
			ignore(path_mknod(AT_FDCWD, a, S_IFDIR | 0755, 0));
			break;
		case 2:
			ignore(path_unlink(AT_FDCWD, a, true));
			break;
		case 3:
			snprintf(a, sizeof(a), "/d%u/n%u", rnd(6), rnd(30));
			ignore(path_rename(AT_FDCWD, a, AT_FDCWD, b,
					   rnd(3) ? 0 : RENAME_EXCHANGE));
			break;
		case 4:
			snprintf(a, sizeof(a), "/d%u/n%u", rnd(6), rnd(30));
			ignore(path_link(AT_FDCWD, a, AT_FDCWD, b, 0));
			break;
		case 5:
			ignore(path_symlink("some/where/else/that/is/longer/"
					    "than/an/inode/has/room/for/it",
					    AT_FDCWD, b));
			break;
		case 6:
			ignore(path_unlink(AT_FDCWD, b, false));
			break;
		default:
			if (!fs_write(b, 0, 1 + rnd(3000), k) && !rnd(6))
				must(fs_fsync(b, false), "fsync", b);
		}
	}
}

/* Open files without a name, holes, preallocation. */
static void
load_space(unsigned n)
{
	char path[64];

	for (unsigned k = 0; k < n; k++) {
		uint64_t off = rnd(400000), len = 1 + rnd(100000);

		snprintf(path, sizeof(path), "/s%u", rnd(4));
		switch (rnd(8)) {
		case 0:
			touches(path);
			ignore(fs_fallocate(path, 0, off, len));
			break;
		case 1:
			touches(path);
			ignore(fs_fallocate(path,
					    FALLOC_FL_KEEP_SIZE |
						    FALLOC_FL_PUNCH_HOLE,
					    off, len));
			break;
		case 2:
			touches(path);
			ignore(fs_fallocate(path, FALLOC_FL_ZERO_RANGE, off,
					    len));
			break;
		case 3:
			touches(path);
			fs_hold_unlinked(path);
			break;
		case 4:
			touches(path);
			ignore(fs_fallocate(path,
					    rnd(2) ? FALLOC_FL_COLLAPSE_RANGE :
						     FALLOC_FL_INSERT_RANGE,
					    off & ~4095ull,
					    (len & ~4095ull) + 4096));
			break;
		default:
			write_at(path, off, len / 4 + 1, k);
			if (!rnd(2))
				sync_file(path);
		}
	}
}

/* Another system's orphans are in the disk's file of orphans (made by
 * test_crash.py): those without a link go, those that have one are cut. */
static void
load_orphans(unsigned n)
{
	char path[64];
	struct dentry *d;

	for (unsigned k = 0; k < n; k++) {
		snprintf(path, sizeof(path), "/cut%u", k);
		must(path_lookup(AT_FDCWD, path, 0, &d), "lookup", path);
		if (d->inode->size != 5000 || d->inode->blocks > 16)
			fail("not cut", path);
		dentry_put(d);
		write_at(path, 6000, 100, k);
		sync_file(path);
	}
}

/* Many names in one directory: its tree grows. */
static void
load_many(unsigned n)
{
	char path[64];

	must(path_mknod(AT_FDCWD, "/many", S_IFDIR | 0755, 0), "mkdir",
	     "/many");
	for (unsigned k = 0; k < n * 8; k++) {
		snprintf(path, sizeof(path), "/many/a-rather-long-name-%u",
			 rnd(n * 6));
		step();
		if (rnd(3))
			ignore(path_mknod(AT_FDCWD, path, S_IFREG | 0644, 0));
		else
			ignore(path_unlink(AT_FDCWD, path, false));
		if (!rnd(40))
			must(fs_sync(), "sync", path);
	}
}

static uint32_t
next_mark(void)
{
	step();
	return mark;
}

static void
load_refuse(unsigned n)
{
	refuse_load(&disk, n, next_mark);
}

static const struct {
	const char *name;
	void (*fn)(unsigned n);
	unsigned n;
} loads[] = {
	{ "files", load_files, 60 },	{ "rename", load_rename, 40 },
	{ "names", load_names, 150 },	{ "space", load_space, 50 },
	{ "many", load_many, 60 },	{ "orphans", load_orphans, 3 },
	{ "refuse", load_refuse, 150 },
};

/* ---- the disk after a cut ---- */

enum how { ORDERED, LOST, ANY };

static void
apply(uint8_t *img, const struct host_event *e)
{
	memcpy(img + e->offset, e->data, e->len);
}

/* The superblock is two sectors with one checksum over both, which Linux, too,
 * wants to be right before it looks at the journal: the format relies on a
 * device that does not write one of them only. */
static bool
has_superblock(const struct host_event *e)
{
	return e->offset < 2048 && e->offset + e->len > 1024;
}

/* The contents after the first `at` events; returns the last mark. */
static uint32_t
make_cut(uint8_t *img, size_t at, enum how how)
{
	size_t flushed = 0;
	uint32_t last = 0;

	for (size_t k = 0; k < at; k++) {
		if (disk.log[k].kind == EV_FLUSH)
			flushed = k;
		if (disk.log[k].kind == EV_MARK)
			last = disk.log[k].mark;
	}
	for (size_t k = 0; k < at; k++) {
		const struct host_event *e = &disk.log[k];

		if (e->kind != EV_WRITE)
			continue;
		if (k < flushed || how == ORDERED) {
			apply(img, e);
		} else if (how == ANY && rnd(2)) {
			struct host_event part = *e;

			/* Sectors are whole, requests need not be. */
			if (!rnd(3) && !has_superblock(e)) {
				uint32_t n = e->len / 512;
				uint32_t from = rnd(n);

				part.offset += from * 512ull;
				part.data += from * 512ull;
				part.len = (1 + rnd(n - from)) * 512;
			}
			apply(img, &part);
		}
	}
	return last;
}

/* ---- judging ---- */

static char out[65536]; /* of the host's programs */

static void
check_promises(uint32_t at)
{
	for (unsigned k = 0; k < nnotes; k++) {
		struct promise *p = &notes[k];
		uint64_t hash, size;
		int err;

		if (p->from > at || (p->to && p->to <= at))
			continue;
		err = fs_hash(p->path, &hash, &size);
		if (p->gone ? err != -ENOENT :
			      err || hash != p->hash || size != p->size) {
			printf("mark %u, promised at %u, until %u: error %d, "
			       "size %lu for %lu\n",
			       at, p->from, p->to, err, (unsigned long)size,
			       (unsigned long)p->size);
			fail("not what was synced", p->path);
		}
	}
}

static void
check_atomic(void)
{
	uint64_t hash, size;

	if (!nversions || fs_hash("/atomic", &hash, &size))
		return;
	for (unsigned k = 0; k < nversions; k++)
		if (versions[k].hash == hash && versions[k].size == size)
			return;
	printf("size %lu\n", (unsigned long)size);
	fail("half of a file", "/atomic");
}

/* In a process of its own: mounts, checks, writes the tree, unmounts; the
 * disk is the file. */
static void
recover(const char *path, uint32_t at, const char *tree)
{
	struct host_disk d = { 0 };
	size_t n;
	uint8_t *img = host_map_file(path, &n);
	int err;

	host_disk_add(&d, "vdb", img, n);
	err = fs_mount("vdb");
	if (err) {
		printf("mount: %d\n", err);
		fail("recovery", path);
	}
	check_promises(at);
	check_atomic();
	if (refusing)
		refuse_check(at);
	fs_tree(tree);
	err = fs_unmount();
	if (err)
		fail("unmount", path);
}

static void
in_child(const char *path, uint32_t at, const char *tree)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		recover(path, at, tree);
		fflush(stdout);
		_Exit(0);
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fail("recovery, see above", path);
	}
}

/* e2fsck, with this option, on a file: its status; out: what it said. */
static int
e2fsck(const char *how, char *path)
{
	return host_run((char *[]){ "e2fsck", (char *)how, path, NULL }, out,
			sizeof(out));
}

static bool
same(const char *a, const char *b)
{
	size_t na, nb;
	uint8_t *p = host_read_file(a, &na), *q = host_read_file(b, &nb);
	bool equal = na == nb && !memcmp(p, q, na);

	free(p);
	free(q);
	return equal;
}

static unsigned
count(const char *what)
{
	unsigned n = 0;

	for (const char *p = out; (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* What e2fsck found wrong.  Orphans in the file of orphans that it has dealt
 * with make it say so once more, and it leaves what it cuts as deep trees. */
static unsigned
repairs(void)
{
	return count("? yes") -
	       (orphans ? count("could be shorter.  Optimize? yes") +
				  count("is not clean.\nClear? yes") :
			  0);
}

static void
judge(const uint8_t *img, uint32_t at, const char *dir)
{
	char ours[200], theirs[200], tree[2][200];
	int rc;

	snprintf(ours, sizeof(ours), "%s/ours.img", dir);
	snprintf(theirs, sizeof(theirs), "%s/theirs.img", dir);
	snprintf(tree[0], sizeof(tree[0]), "%s/ours.tree", dir);
	snprintf(tree[1], sizeof(tree[1]), "%s/theirs.tree", dir);
	host_write_file(ours, img, disk.size);
	host_write_file(theirs, img, disk.size);
	in_child(ours, at, tree[0]);
	if (e2fsck("-fn", ours)) {
		printf("%s\n", out);
		fail("e2fsck -fn after our recovery", ours);
	}
	rc = e2fsck("-fy", theirs);
	if ((rc & ~1) || repairs()) {
		printf("%s\n", out);
		fail("e2fsck -fy had to repair", theirs);
	}
	in_child(theirs, at, tree[1]);
	if (!same(tree[0], tree[1])) {
		host_run((char *[]){ "diff", tree[0], tree[1], NULL }, out,
			 sizeof(out));
		printf("%s\n", out);
		fail("our recovery and e2fsck's differ", dir);
	}
}

/* ---- main ---- */

/* Leaks are not what is looked for: processes end with much in use. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* Returns what the disk held before. */
static uint8_t *
run_load(const char *image, const char *name)
{
	size_t n;
	uint8_t *img = host_read_file(image, &n), *base = malloc(n);
	unsigned k;

	host_disk_add(&disk, "vda", img, n);
	/* Mounting writes to it: of interest where it has orphans only. */
	orphans = !strcmp(name, "orphans");
	disk.record = orphans;
	if (orphans)
		memcpy(base, img, n);
	must(fs_mount("vda"), "mount", image);
	refusing = !strcmp(name, "refuse");
	if (refusing)
		refuse_prepare();
	if (!orphans)
		memcpy(base, img, n);
	disk.record = true;
	for (k = 0; k < sizeof(loads) / sizeof(loads[0]); k++)
		if (!strcmp(loads[k].name, name))
			break;
	if (k == sizeof(loads) / sizeof(loads[0]))
		fail("no such workload", name);
	loads[k].fn(loads[k].n);
	must(fs_sync(), "sync", "/");
	host_check_unlocked();
	disk.record = false;
	return base;
}

static void
one_cut(const uint8_t *base, size_t at, enum how how, const char *dir)
{
	static const char *const words[] = { "in order", "lost", "any" };
	uint8_t *img = malloc(disk.size);
	uint32_t last;

	printf("cut at %zu, %s\n", at, words[how]);
	memcpy(img, base, disk.size);
	last = make_cut(img, at, how);
	judge(img, last, dir);
	free(img);
}

int
main(int argc, char **argv)
{
	uint8_t *base;
	size_t ncuts;

	if (argc != 6) {
		printf("usage: crash IMAGE WORKLOAD SEED CUTS DIR\n");
		return 2;
	}
	rnd_seed = (uint64_t)atoll(argv[3]);
	ncuts = (size_t)atoll(argv[4]);
	host_init();
	base = run_load(argv[1], argv[2]);
	printf("%s, seed %s: %zu events, %u promises\n", argv[2], argv[3],
	       disk.nlog, nnotes);
	for (size_t k = 0; k < ncuts; k++) {
		size_t at = rnd((unsigned)disk.nlog + 1);

		one_cut(base, at, (enum how)rnd(3), argv[5]);
	}
	for (size_t k = 0; !ncuts && k < disk.nlog; k++)
		for (enum how how = ORDERED;
		     disk.log[k].kind == EV_WRITE && how <= ANY; how++)
			one_cut(base, k + 1, how, argv[5]);
	printf("ok\n");
	return 0;
}
