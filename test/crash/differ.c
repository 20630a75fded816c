/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random operations on ext4, here and on a directory of the host: results,
 * errors and what is there after must be the same, also after all was written
 * and mounted again; e2fsck finds nothing.
 *
 *	differ IMAGE HOSTDIR SEED COUNT
 */
#include "host.h"

#include "fs.h"
#include "linux.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <dev/blk.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <fs/attr.h>
#include <fs/namei.h>
#include <fs/pagecache.h>
#include <fs/vfs.h>
#include <sched/thread.h>
#include <vm/uio.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NPATHS 60u

static struct host_disk disk;
static char paths[NPATHS][300];
static char text[400]; /* the operation, for the report */
static uint8_t data[300000];

const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* ---- our side ---- */

static int
our_write(const char *p, uint64_t pos, const void *buf, size_t len, bool append)
{
	int64_t at = (int64_t)pos;
	struct file *f;
	struct uio u;
	ssize_t r;
	int err = path_open(AT_FDCWD, p,
			    O_RDWR | O_CREAT | (append ? O_APPEND : 0), 0644, 0,
			    &f);

	if (err)
		return err;
	uio_init_kernel(&u, (void *)(uintptr_t)buf, len);
	r = f->ops->write(f, &u, &at);
	file_put(f);
	return (int)r;
}

static int
our_fallocate(const char *p, int mode, int64_t off, int64_t len)
{
	struct file *f;
	int err = path_open(AT_FDCWD, p, O_RDWR, 0, 0, &f);

	if (err)
		return err;
	err = f->ops->fallocate ? f->ops->fallocate(f, mode, off, len) :
				  -ENODEV;
	file_put(f);
	return err;
}

static int
on_dentry(const char *p, bool follow, struct dentry **d)
{
	return path_lookup(AT_FDCWD, p, follow ? LOOKUP_FOLLOW : 0, d);
}

static int
our_chmod(const char *p, uint32_t mode)
{
	struct dentry *d;
	int err = on_dentry(p, true, &d);

	if (!err) {
		err = dentry_chmod(d, mode);
		dentry_put(d);
	}
	return err;
}

static int
our_chown(const char *p, uint32_t uid, uint32_t gid)
{
	struct dentry *d;
	int err = on_dentry(p, false, &d);

	if (!err) {
		err = dentry_chown(d, uid, gid);
		dentry_put(d);
	}
	return err;
}

static int
our_utime(const char *p, int64_t sec)
{
	struct timespec64 ts[2] = { { .sec = sec }, { .sec = sec } };
	struct dentry *d;
	int err = on_dentry(p, false, &d);

	if (!err) {
		err = dentry_utimes(d, ts, false);
		dentry_put(d);
	}
	return err;
}

enum xop { XSET, XREMOVE, XGET };

static int
our_xattr(enum xop op, const char *p, const char *name, void *v, size_t len,
	  int flags)
{
	struct dentry *d;
	int err = on_dentry(p, false, &d);

	if (err)
		return err;
	if (op == XSET)
		err = inode_setxattr(d, name, v, len, flags);
	else if (op == XREMOVE)
		err = inode_removexattr(d, name);
	else
		err = (int)inode_getxattr(d->inode, name, v, len);
	dentry_put(d);
	return err;
}

struct names {
	struct dir_emit e; /* first */
	char *name[8192];
	unsigned n;
};

static bool
collect(struct dir_emit *e, const char *name, size_t len, uint64_t ino,
	int64_t next, uint8_t type)
{
	struct names *v = (struct names *)e;

	(void)ino, (void)next, (void)type;
	if (!(len == 10 && !memcmp(name, "lost+found", 10)))
		v->name[v->n++] = strndup(name, len);
	return true;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
our_look(const char *p, struct seen *s)
{
	static char buf[65536];
	struct names *v;
	struct dentry *d;
	struct inode *i;
	int64_t pos = 0;
	ssize_t r;

	memset(s, 0, sizeof(*s));
	s->err = on_dentry(p, false, &d);
	if (s->err)
		return;
	i = d->inode;
	s->mode = i->mode;
	s->nlink = i->nlink;
	s->uid = i->uid;
	s->gid = i->gid;
	s->mtime = i->mtime.sec;
	s->hash = 1;
	if (S_ISDIR(i->mode)) {
		v = calloc(1, sizeof(*v));
		v->e.fn = collect;
		s->err = i->ops->iterate(i, &pos, 0, &v->e);
		qsort(v->name, v->n, sizeof(v->name[0]), by_name);
		for (unsigned k = 0; k < v->n; k++) {
			s->hash = seen_hash(s->hash, v->name[k],
					    strlen(v->name[k]) + 1);
			free(v->name[k]);
		}
		free(v);
	} else if (S_ISLNK(i->mode)) {
		r = path_readlink(AT_FDCWD, p, buf, sizeof(buf));
		s->hash = seen_hash(1, buf, r > 0 ? (size_t)r : 0);
		s->size = i->size;
	} else if (S_ISREG(i->mode)) {
		while ((r = page_cache_read_kernel(i->cache, buf, sizeof(buf),
						   (uint64_t)pos)) > 0) {
			s->hash = seen_hash(s->hash, buf, (size_t)r);
			pos += r;
		}
		s->size = i->size;
	}
	dentry_put(d);
}

/* ---- both ---- */

static const char *const acl_names_here[] = { "system.posix_acl_access",
					      "system.posix_acl_default" };

/* An ACL in the form of calls, now and then one that must be refused. */
static size_t
make_acl(uint8_t *out)
{
	static const uint16_t tags[] = { 1, 2, 2, 4, 8, 8, 16, 32 };
	uint32_t version = rnd(50) ? 2 : 1;
	bool named = rnd(4);
	size_t n = 4;

	memcpy(out, &version, 4);
	for (unsigned k = 0; k < 8; k++) {
		bool id = tags[k] == 2 || tags[k] == 8;
		uint16_t e[2] = { tags[k], (uint16_t)rnd(8) };
		uint32_t who = id ? rnd(3000) : UINT32_MAX;

		if ((id && (!named || rnd(3) == 0)) || rnd(40) == 0 ||
		    (tags[k] == 16 && !named && rnd(2)))
			continue;
		memcpy(out + n, e, 4);
		memcpy(out + n + 4, &who, 4);
		n += 8;
	}
	return n;
}

/* What one side has of ACLs, into its hash. */
static void
look_acls(const char *p, struct seen *s, bool ours)
{
	uint8_t v[2000];

	for (unsigned k = 0; k < 2 && !s->err && !S_ISLNK(s->mode); k++) {
		int r = ours ? our_xattr(XGET, p, acl_names_here[k], v,
					 sizeof(v), 0) :
			       linux_getxattr(p, acl_names_here[k], v,
					      sizeof(v));

		s->hash = seen_hash(s->hash, &r, sizeof(r));
		s->hash = seen_hash(s->hash, v, r > 0 ? (size_t)r : 0);
	}
}

static void
compare(const char *p, bool times)
{
	struct seen a, b;

	our_look(p, &a);
	linux_look(p, &b);
	look_acls(p, &a, true);
	look_acls(p, &b, false);
	if (!times || S_ISDIR(a.mode))
		a.mtime = b.mtime = 0;
	if (!strcmp(p, "/")) /* the host's has another owner and mode */
		a.mode = b.mode = a.nlink = b.nlink = a.gid = b.gid = 0;
	if (!memcmp(&a, &b, sizeof(a)))
		return;
	printf("after %s: %s\n"
	       "ours:  error %d mode %o links %u owner %u %u size %lu %lx %ld\n"
	       "linux: error %d mode %o links %u owner %u %u size %lu %lx "
	       "%ld\n",
	       text, p, a.err, a.mode, a.nlink, a.uid, a.gid,
	       (unsigned long)a.size, (unsigned long)a.hash, (long)a.mtime,
	       b.err, b.mode, b.nlink, b.uid, b.gid, (unsigned long)b.size,
	       (unsigned long)b.hash, (long)b.mtime);
	exit(1);
}

static void
same(int ours, int theirs)
{
	host_check_unlocked();
	if (ours == theirs)
		return;
	printf("%s: %d here, %d on Linux\n", text, ours, theirs);
	exit(1);
}

static void
make_paths(void)
{
	for (unsigned k = 0; k < NPATHS; k++) {
		const char *up = k < 8 ? "" : paths[rnd(k < 30 ? 8 : 30)];

		snprintf(paths[k], 250, "%.200s/%c%s%u", up, 'a' + rnd(4),
			 rnd(10) ? "" : "-with-a-name-of-some-length-", k);
	}
}

static const char *const xnames[] = { "user.a", "user.bb", "trusted.t",
				      "security.s", "user.long-name-here" };

static void
one(void)
{
	const char *p = paths[rnd(NPATHS)], *q = paths[rnd(NPATHS)];
	const char *x = xnames[rnd(5)];
	unsigned len = rnd(4) ? rnd(9000) : rnd(sizeof(data));
	unsigned pos = rnd(3) ? rnd(20000) : rnd(2000000);
	static uint8_t v1[70000], v2[70000];
	unsigned f, op = rnd(30);
	struct seen now;
	int r1, r2;

	snprintf(text, sizeof(text), "operation %u on %s, %s (%u, %u)", op, p,
		 q, pos, len);
	for (unsigned k = 0; k < len; k++)
		data[k] = (uint8_t)(rnd_seed >> (k % 7 * 8)) ^ (uint8_t)k;
	/* Nobody is behind a FIFO or a device here. */
	our_look(p, &now);
	if ((op < 5 || op == 22 || op == 23 || op == 25) && !now.err &&
	    !S_ISREG(now.mode) && !S_ISDIR(now.mode) && !S_ISLNK(now.mode))
		return;
	switch (op) {
	case 0 ... 4:
		same(our_write(p, pos, data, len, op == 4),
		     linux_write(p, pos, data, len, op == 4));
		break;
	case 5:
		same(path_truncate(p, pos), linux_truncate(p, pos));
		break;
	case 6:
		same(path_unlink(AT_FDCWD, p, false), linux_unlink(p));
		break;
	case 7:
		same(path_unlink(AT_FDCWD, p, true), linux_rmdir(p));
		break;
	case 8 ... 10:
		f = rnd(8) ? 0755 : 01777;
		same(path_mknod(AT_FDCWD, p, S_IFDIR | f, 0),
		     linux_mkdir(p, f));
		break;
	case 11:
	case 12:
		f = rnd(4) ? 0 : rnd(2) ? RENAME_NOREPLACE : RENAME_EXCHANGE;
		same(path_rename(AT_FDCWD, p, AT_FDCWD, q, f),
		     linux_rename(p, q, f));
		break;
	case 13:
		same(path_link(AT_FDCWD, p, AT_FDCWD, q, 0), linux_link(p, q));
		break;
	case 14:
		/* Relative, so that both sides mean the same; often in vain. */
		snprintf((char *)v1, 300, "%.*s", (int)(1 + rnd(200)),
			 "no/such/file/at/all/and/a/rather/long/text/that/"
			 "does/not/fit/into/an/inode/anywhere/in/the/world");
		same(path_symlink((char *)v1, AT_FDCWD, p),
		     linux_symlink((char *)v1, p));
		break;
	case 15:
		f = rnd(010000);
		same(our_chmod(p, f), linux_chmod(p, f));
		break;
	case 16:
		f = rnd(70000);
		same(our_chown(p, f, f + 1), linux_chown(p, f, f + 1));
		break;
	case 17: {
		int64_t t = (int64_t)rnd(2000000000) * (rnd(4) ? 1 : 4) -
			    (rnd(4) ? 0 : 1000000000);

		same(our_utime(p, t), linux_utime(p, t));
		break;
	}
	case 18:
	case 19:
		f = rnd(3);
		r1 = our_xattr(XSET, p, x, data, len % 1500, (int)f);
		r2 = linux_setxattr(p, x, data, len % 1500, (int)f);
		same(r1, r2);
		break;
	case 20:
		same(our_xattr(XREMOVE, p, x, NULL, 0, 0),
		     linux_removexattr(p, x));
		break;
	case 21:
		r1 = our_xattr(XGET, p, x, v1, sizeof(v1) - 5000, 0);
		r2 = linux_getxattr(p, x, v2, sizeof(v2) - 5000);
		same(r1, r2);
		if (r1 > 0 && memcmp(v1, v2, (size_t)r1))
			same(0, 1);
		break;
	case 22:
	case 23: {
		static const int modes[] = {
			0,
			FALLOC_FL_KEEP_SIZE,
			FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
			FALLOC_FL_ZERO_RANGE,
			FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
			FALLOC_FL_PUNCH_HOLE
		};
		int mode = modes[rnd(6)];

		same(our_fallocate(p, mode, pos, len + 1),
		     linux_fallocate(p, mode, pos, len + 1));
		break;
	}
	case 24:
		f = rnd(2) ? S_IFIFO : S_IFCHR;
		same(path_mknod(AT_FDCWD, p, f | 0600,
				f == S_IFCHR ? DEV_MAKE(300, 70000) : 0),
		     linux_mknod(p, f | 0600,
				 f == S_IFCHR ? 300ull << 32 | 70000 : 0));
		break;
	case 26:
	case 27: {
		size_t n = make_acl(v1);
		const char *name = acl_names_here[rnd(2)];

		same(our_xattr(XSET, p, name, v1, n, 0),
		     linux_setxattr(p, name, v1, n, 0));
		break;
	}
	case 28: {
		const char *name = acl_names_here[rnd(2)];

		if (rnd(3) == 0)
			same(our_xattr(XREMOVE, p, name, NULL, 0, 0),
			     linux_removexattr(p, name));
		break;
	}
	default:
		if (rnd(2))
			ignore(fs_sync());
		else
			ignore(fs_fsync(p, rnd(2)));
	}
	compare(p, false);
	compare(q, false);
}

static void
compare_all(void)
{
	for (unsigned k = 0; k < NPATHS; k++)
		compare(paths[k], false);
	compare("/", false);
}

/* In a process of its own: the image as it lies on the disk. */
static void
again(const char *image)
{
	struct host_disk d = { 0 };
	size_t n;
	uint8_t *img = host_read_file(image, &n);

	host_disk_add(&d, "vdb", img, n);
	if (fs_mount("vdb"))
		_Exit(1);
	snprintf(text, sizeof(text), "mounting again");
	compare_all();
	fflush(stdout);
	_Exit(0);
}

int
main(int argc, char **argv)
{
	char cmd[600];
	size_t n;
	uint8_t *img;
	int status;

	if (argc != 5)
		return 2;
	img = host_read_file(argv[1], &n);
	linux_root(argv[2]);
	rnd_seed = (uint64_t)atoll(argv[3]);
	host_init();
	host_disk_add(&disk, "vda", img, n);
	if (fs_mount("vda"))
		return 2;
	make_paths();
	for (unsigned k = 0; k < (unsigned)atoi(argv[4]); k++)
		one();
	compare_all();
	if (fs_unmount()) {
		printf("unmount\n");
		return 1;
	}
	host_write_file(argv[1], img, n);
	snprintf(cmd, sizeof(cmd), "e2fsck -fn %s 2>&1", argv[1]);
	fflush(stdout);
	if (system(cmd))
		return 1;
	if (!fork())
		again(argv[1]);
	wait(&status);
	if (status)
		return 1;
	printf("ok\n");
	return 0;
}
