/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of packaged programs.
 *
 * KEY is a hash of everything the user said that decides what goes in.
 * KEY.img is the image, KEY.deps lists every host file that went in with its
 * inode, size and mtime, files that were looked for and are not there, and the
 * image's own inode.  A run lstats them all; when all agree, the image is used
 * as it is and nothing else is read.
 *
 * Images are made as unnamed files and named when complete, so a run that is
 * killed leaves nothing.  Writers of one KEY hold a lock on KEY.lock; readers
 * need none: the pair is replaced by rename, and a reader that meets an image
 * which its list does not name goes the way of a writer.
 */
#include "cache.h"

#include "block.h"
#include "image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DEPS_MAGIC    "pith-deps 2"
#define LIMIT_DEFAULT (8ull << 30)
#define FREE_BYTES    (16 * MIB) /* room in the root of a cached image */

/* Relative values of the variables are ignored, as the XDG specification
 * asks. */
static char *
plain_dir(void)
{
	const char *own = getenv("PITH_CACHE");
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (own && own[0] == '/')
		return xstrdup(own);
	if (xdg && xdg[0] == '/')
		return path_join(xdg, "pith");
	if (home && home[0] == '/')
		return path_join(home, ".cache/pith");
	return NULL;
}

const char *
cache_dir(const char **why)
{
	static char *dir;
	static const char *reason;
	int err;

	if (!dir && !reason) {
		dir = plain_dir();
		err = dir ? mkdir_p(dir, 0700) : -ENOENT;
		if (!err && access(dir, W_OK | X_OK) < 0)
			err = -errno;
		if (err) {
			reason = xasprintf("%s: %s",
					   dir ? printable(dir) : "no HOME",
					   strerror(-err));
			free(dir);
			dir = NULL;
		}
	}
	if (why)
		*why = reason;
	return dir;
}

static char *
cache_path(const char *key, const char *suffix)
{
	return xasprintf("%s/%s%s", cache_dir(NULL), key, suffix);
}

char *
cache_get(const char *name)
{
	struct buf b = { 0 };
	char *path;
	int err;

	if (!cache_dir(NULL))
		return NULL;
	path = cache_path(name, "");
	err = read_file(path, &b);
	free(path);
	if (err)
		return NULL;
	return b.p;
}

/* Writes through a temporary name, so a reader never sees half of it.
 * Failing is not fatal: the cache only saves work. */
static int
replace_file(const char *path, const void *p, size_t len)
{
	char *tmp = xasprintf("%s.%d.tmp", path, getpid());
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : write_all(fd, p, len);

	if (fd >= 0)
		close(fd);
	if (!err && rename(tmp, path) < 0)
		err = -errno;
	if (err)
		unlink(tmp);
	free(tmp);
	return err;
}

void
cache_set(const char *name, const char *value)
{
	char *path;

	if (!cache_dir(NULL))
		return;
	path = cache_path(name, "");
	replace_file(path, value, strlen(value));
	free(path);
}

static void
add_number(struct sha256 *h, uint64_t v)
{
	sha256_add(h, &v, sizeof(v));
}

/* Told apart from an empty string. */
static void
add_opt(struct sha256 *h, const char *s)
{
	add_number(h, s != NULL);
	if (s)
		sha256_add_str(h, s);
}

/* Whatever decides which files go in must be here; what they hold need not,
 * the list of facts says that. */
static void
make_key(const struct options *o, const struct target *t, char key[65])
{
	unsigned char out[32];
	struct sha256 h;
	struct stat st;
	char *cwd = path_absolute(".");

	sha256_init(&h);
	sha256_add_str(&h, DEPS_MAGIC);
	/* Another pith may choose other files. */
	if (!stat("/proc/self/exe", &st)) {
		add_number(&h, st.st_size);
		add_number(&h, st.st_mtim.tv_sec);
		add_number(&h, st.st_mtim.tv_nsec);
	}
	add_number(&h, geteuid());
	sha256_add_str(&h, t->path);
	add_opt(&h, o->root);
	add_opt(&h, o->workdir);
	add_opt(&h, o->hostname);
	add_number(&h, o->have_user ? o->uid + 1ull : 0);
	add_number(&h, o->have_user ? o->gid + 1ull : 0);
	add_number(&h, t->relative);
	if (t->relative || o->nincludes || o->root)
		sha256_add_str(&h, cwd);
	for (unsigned i = 0; i < o->nincludes; i++) {
		add_opt(&h, o->includes[i].host);
		add_opt(&h, o->includes[i].guest);
	}
	for (size_t i = 0; i < t->paths.n; i++)
		sha256_add_str(&h, t->paths.v[i]);
	/* env finds a script's interpreter by PATH. */
	add_opt(&h, getenv("PATH"));
	add_opt(&h, getenv("LANG"));
	sha256_end(&h, out);
	for (int i = 0; i < 32; i++)
		sprintf(key + 2 * i, "%02x", out[i]);
	free(cwd);
}

/* A directory only passed through may change its mtime at any time. */
static void
add_facts(struct buf *b, const char *path, const struct stat *st, bool passed)
{
	buf_addf(b, "%llx %llx %x %x %x %llx %llx %lx %s",
		 (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
		 st->st_mode, st->st_uid, st->st_gid,
		 passed ? 0 : (unsigned long long)st->st_size,
		 passed ? 0 : (unsigned long long)st->st_mtim.tv_sec,
		 passed ? 0 : st->st_mtim.tv_nsec, path);
	buf_add(b, "", 1);
}

static void
node_facts(struct node *n, void *arg)
{
	if (n->host)
		add_facts(arg, n->host, &n->st,
			  S_ISDIR(n->st.st_mode) && !n->listed);
}

/* Whether the file named in this line is as it was. */
static bool
same_facts(const char *line)
{
	struct buf now = { 0 };
	const char *path = line, *size = NULL;
	struct stat st;
	bool same;

	/* Eight fields before the path, which may hold spaces. */
	for (int i = 0; i < 8; i++) {
		path = strchr(path, ' ');
		if (!path)
			return false;
		if (i == 4)
			size = path + 1;
		path++;
	}
	if (lstat(path, &st) < 0)
		st = (struct stat){ 0 };
	add_facts(&now, path, &st,
		  S_ISDIR(st.st_mode) && !strncmp(size, "0 0 0 ", 6));
	same = !strcmp(now.p, line);
	buf_free(&now);
	return same;
}

/* The cached image when it is right, else -1. */
static int
try_cached(const char *key)
{
	char *deps_path = cache_path(key, ".deps");
	char *image_path = cache_path(key, ".img");
	struct buf deps = { 0 };
	const char *p, *end;
	struct stat st;
	char *head;
	int fd = -1;

	if (read_file(deps_path, &deps))
		goto out;
	fd = open(image_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		goto out;
	fstat(fd, &st);
	head = xasprintf(DEPS_MAGIC " %llx %llx", (unsigned long long)st.st_ino,
			 (unsigned long long)st.st_size);
	p = deps.p;
	end = deps.p + deps.len;
	if (p == end || strcmp(p, head) || strcmp(end - 4, "end")) {
		p = end + 1;
	} else {
		p += strlen(p) + 1;
		while (p < end - 4 && same_facts(p))
			p += strlen(p) + 1;
	}
	free(head);
	if (p != end - 4) {
		close(fd);
		fd = -1;
	} else {
		utimensat(AT_FDCWD, deps_path, NULL, 0); /* last use */
	}
out:
	buf_free(&deps);
	free(deps_path);
	free(image_path);
	return fd;
}

/* With dir NULL, in memory. */
static int
unnamed_file(const char *dir)
{
	int fd;

	if (!dir)
		return memfd_create("pith-image", MFD_CLOEXEC);
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		/* A file system without O_TMPFILE: a name for a moment. */
		char *path = xasprintf("%s/.pith.%d.tmp", dir, getpid());

		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0)
			unlink(path);
		free(path);
	}
	return fd;
}

/* Data only: what is a hole stays one. */
static int
copy_all(int from, int to)
{
	off_t size = lseek(from, 0, SEEK_END), at = 0, end;
	char chunk[1 << 16];
	ssize_t n;
	int err;

	if (ftruncate(to, size) < 0)
		return -errno;
	while (at < size) {
		at = lseek(from, at, SEEK_DATA);
		if (at < 0)
			return errno == ENXIO ? 0 : -errno;
		end = lseek(from, at, SEEK_HOLE);
		while (at < end) {
			n = pread(from, chunk,
				  end - at < (off_t)sizeof(chunk) ?
					  end - at :
					  (off_t)sizeof(chunk),
				  at);
			if (n <= 0)
				return n ? -errno : -EIO;
			err = pwrite_all(to, chunk, n, at);
			if (err)
				return err;
			at += n;
		}
	}
	return 0;
}

int
name_file(int fd, const char *path)
{
	char *tmp = xasprintf("%s.%d.tmp", path, getpid());
	char self[40];
	int err = 0, out;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	unlink(tmp);
	if (linkat(AT_FDCWD, self, AT_FDCWD, tmp, AT_SYMLINK_FOLLOW) < 0) {
		/* It never had a name to link from: copy it. */
		out = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		err = out < 0 ? -errno : copy_all(fd, out);
		if (out >= 0)
			close(out);
	}
	if (!err && rename(tmp, path) < 0)
		err = -errno;
	if (err)
		unlink(tmp);
	free(tmp);
	return err;
}

/* A cached image serves all runs of its program, and each says in its run
 * block how; the manifest only makes the image complete. */
static void
small_manifest(struct buf *m, const struct options *o, const struct target *t)
{
	block_start(m);
	block_put_str(m, PITH_REC_PROGRAM, t->path);
	block_put_str(m, PITH_REC_ARG, o->program);
	block_finish(m);
}

struct entry {
	char key[65];
	uint64_t bytes;
	struct timespec used;
};

static int
by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->used;
	const struct timespec *y = &((const struct entry *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* All images, least recently used first. */
static struct entry *
list_cache(size_t *count, uint64_t *total)
{
	struct entry *list = NULL;
	struct dirent *d;
	struct stat st;
	DIR *dir = opendir(cache_dir(NULL));

	*count = 0;
	*total = 0;
	while (dir && (d = readdir(dir))) {
		struct entry *e;
		char *path;

		if (strlen(d->d_name) != 68 || strcmp(d->d_name + 64, ".img"))
			continue;
		list = xrealloc(list, (*count + 1) * sizeof(*list));
		e = &list[(*count)++];
		memcpy(e->key, d->d_name, 64);
		e->key[64] = '\0';
		path = cache_path(e->key, ".img");
		e->bytes = stat(path, &st) ? 0 : st.st_blocks * 512ull;
		free(path);
		path = cache_path(e->key, ".deps");
		e->used = (struct timespec){ 0 };
		if (!stat(path, &st))
			e->used = st.st_mtim;
		free(path);
		*total += e->bytes;
	}
	if (dir)
		closedir(dir);
	if (list)
		qsort(list, *count, sizeof(*list), by_use);
	return list;
}

static void
remove_entry(const char *key)
{
	static const char *const suffix[] = { ".deps", ".img", ".lock" };

	/* The list first: an image without one is never used. */
	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		char *path = cache_path(key, suffix[i]);

		unlink(path);
		free(path);
	}
}

bool
cache_room(uint64_t *bytes)
{
	struct statvfs v;
	bool known = !statvfs(cache_dir(NULL), &v);

	*bytes = known ? (uint64_t)v.f_bavail * v.f_frsize : 0;
	return known;
}

/* What the cache may hold when it holds `total` bytes.  Without the user's
 * word it leaves half of the room there is to others. */
static uint64_t
bound(uint64_t total)
{
	const char *s = getenv("PITH_CACHE_LIMIT");
	uint64_t limit = LIMIT_DEFAULT, room, half;

	if (s && !parse_size(s, &limit))
		return limit;
	if (s)
		warn("PITH_CACHE_LIMIT is no size; at most 8G is used");
	if (!cache_room(&room))
		return limit;
	half = (total + room) / 2;
	return half < limit ? half : limit;
}

/* Brings the cache below its bound; `keep` has just been made. */
static void
shrink(const char *keep)
{
	uint64_t limit, total;
	struct entry *list;
	size_t n;

	list = list_cache(&n, &total);
	limit = bound(total);
	for (size_t i = 0; i < n && total > limit; i++) {
		if (!strcmp(list[i].key, keep))
			continue;
		remove_entry(list[i].key);
		total -= list[i].bytes;
	}
	free(list);
}

/* Removes what was used least lately until `bytes` are free.  Returns false,
 * and removes nothing, when the whole cache is too little for that. */
static bool
give_back(uint64_t bytes)
{
	uint64_t total, room;
	struct entry *list;
	size_t n;

	cache_room(&room);
	list = list_cache(&n, &total);
	if (!n || room + total < bytes)
		n = 0;
	/* One at least: the file system may know a reason that this does
	 * not, a quota say. */
	for (size_t i = 0; i < n && (!i || room < bytes); i++) {
		remove_entry(list[i].key);
		room += list[i].bytes;
	}
	free(list);
	return n > 0;
}

/* An image of `bytes` of files did not fit into `dir`: when that is the
 * cache's own directory, older images make room for it. */
static bool
make_room(int fd, const char *dir, uint64_t bytes)
{
	const char *cache = cache_dir(NULL);

	/* Beside the files' blocks: inodes, directories, what else is in. */
	bytes += bytes / 16 + MIB;
	return dir && cache && !strcmp(dir, cache) && !ftruncate(fd, 0) &&
	       give_back(bytes);
}

int
build_image(const struct options *o, const struct target *t, struct fileset *fs,
	    const char *dir, const struct buf *manifest, uint64_t free_bytes)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	struct node *n;
	int64_t when = 1;
	int fd, err;

	pack_files(o, t, fs);
	/* What has no time of its own gets the program's. */
	n = fileset_find(fs, t->path);
	if (n && n->host)
		when = n->st.st_mtim.tv_sec;
	if (epoch && *epoch)
		when = strtoll(epoch, NULL, 10);
	fd = unnamed_file(dir);
	if (fd < 0)
		die(STATUS_FAILED, "can not make an image in %s: %s",
		    dir ? printable(dir) : "memory", strerror(errno));
	err = image_write(fd, fs, manifest, free_bytes, when);
	if (err == -ENOSPC && make_room(fd, dir, fs->bytes))
		err = image_write(fd, fs, manifest, free_bytes, when);
	if (err == -ENOSPC)
		die(STATUS_FAILED,
		    "no room for the image (%llu MB of files) "
		    "in %s; make room, or set XDG_CACHE_HOME",
		    (unsigned long long)(fs->bytes >> 20),
		    dir ? printable(dir) : "memory");
	if (err)
		die(STATUS_FAILED, "can not write the image: %s",
		    strerror(-err));
	return fd;
}

/* Names the image and writes its list.  Failing costs only the next run's
 * time, so it is a remark. */
static void
store(int fd, const char *key, struct fileset *fs)
{
	char *deps_path = cache_path(key, ".deps");
	char *image_path = cache_path(key, ".img");
	struct buf deps = { 0 };
	struct stat st;
	int err;

	fchmod(fd, 0400);
	err = name_file(fd, image_path);
	if (!err && stat(image_path, &st) < 0)
		err = -errno;
	if (!err) {
		buf_addf(&deps, DEPS_MAGIC " %llx %llx",
			 (unsigned long long)st.st_ino,
			 (unsigned long long)st.st_size);
		buf_add(&deps, "", 1);
		fileset_each(fs, node_facts, &deps);
		/* What is not there has zeros. */
		for (size_t i = 0; i < fs->deps.n; i++) {
			if (lstat(fs->deps.v[i], &st) < 0)
				st = (struct stat){ 0 };
			add_facts(&deps, fs->deps.v[i], &st, false);
		}
		buf_add(&deps, "end", 4);
		err = replace_file(deps_path, deps.p, deps.len);
	}
	if (err)
		warn("the image is not kept in the cache: %s", strerror(-err));
	else
		shrink(key);
	buf_free(&deps);
	free(deps_path);
	free(image_path);
}

bool
cache_has(const char *key, const char *path)
{
	char *deps_path = cache_path(key, ".deps");
	struct buf deps = { 0 };
	bool has = !cache_dir(NULL) || read_file(deps_path, &deps);
	size_t len = strlen(path);

	for (const char *p = deps.p, *end = p + deps.len; !has && p < end;) {
		size_t n = strlen(p);

		/* Zeros are of what was not there. */
		has = n > len && p[n - len - 1] == ' ' &&
		      !strcmp(p + n - len, path) && strncmp(p, "0 0 0 ", 6);
		p += n + 1;
	}
	buf_free(&deps);
	free(deps_path);
	return has;
}

int
cache_image(const struct options *o, const struct target *t, char key[65])
{
	const char *why, *dir = cache_dir(&why);
	struct buf manifest = { 0 };
	struct fileset fs;
	char *lock_path;
	int fd, lock;

	make_key(o, t, key);
	small_manifest(&manifest, o, t);
	if (!dir) {
		warn("no cache (%s): the image is made in memory, for this "
		     "run only",
		     why);
		return build_image(o, t, &fs, NULL, &manifest, FREE_BYTES);
	}
	fd = try_cached(key);
	if (fd >= 0)
		return fd;
	lock_path = cache_path(key, ".lock");
	lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock >= 0)
		flock(lock, LOCK_EX);
	/* Another run may have made it while we waited. */
	fd = try_cached(key);
	if (fd < 0) {
		fd = build_image(o, t, &fs, dir, &manifest, FREE_BYTES);
		store(fd, key, &fs);
		say("packaged %zu files, %llu KB", fs.nnodes,
		    (unsigned long long)(fs.bytes >> 10));
	}
	if (lock >= 0)
		close(lock);
	free(lock_path);
	buf_free(&manifest);
	return fd;
}

/* The disk of one program, made from its image where there is none.  It gets
 * its name when it is whole: who is killed meanwhile leaves nothing. */
static int
open_instance(int image, const char *dir, const char *path)
{
	char *lock_path = xasprintf("%s.lock", path);
	int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;
	int fd, err;

	if (lock >= 0)
		flock(lock, LOCK_EX);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !st.st_size)) {
		close(fd);
		fd = -1;
		errno = ENOENT;
	}
	if (fd < 0 && errno == ENOENT) {
		fd = unnamed_file(dir);
		err = fd < 0 ? -errno : copy_all(image, fd);
		if (!err)
			err = name_file(fd, path);
		if (err)
			die(STATUS_FAILED,
			    "can not make the disk to persist: %s",
			    strerror(-err));
		/* A name may have been given to a copy. */
		close(fd);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (fd < 0)
		die(STATUS_FAILED, "%s: %s", printable(path), strerror(errno));
	if (lock >= 0)
		close(lock);
	free(lock_path);
	return fd;
}

int
cache_instance(int image, const char *key)
{
	const char *why, *dir = cache_dir(&why);
	char *sub, *path;
	int fd;

	if (!dir)
		die(STATUS_FAILED, "--persist needs the cache directory: %s",
		    why);
	sub = path_join(dir, "instances");
	mkdir_p(sub, 0700);
	path = xasprintf("%s/%s.img", sub, key);
	fd = open_instance(image, sub, path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		die(STATUS_FAILED, "another run with --persist uses the disk "
				   "of this program; wait for it to end");
	free(path);
	free(sub);
	return fd;
}

int
command_cache(int argc, char **argv)
{
	const char *why, *dir = cache_dir(&why);
	const char *what = argc > 0 ? argv[0] : "";
	struct entry *list;
	uint64_t total;
	size_t n;

	if (argc != 1 || (strcmp(what, "ls") && strcmp(what, "clear") &&
			  strcmp(what, "size"))) {
		printf("Usage: pith cache ls|size|clear\n"
		       "List the cached images, print their size in bytes, or "
		       "remove them.\nPITH_CACHE names the directory, "
		       "PITH_CACHE_LIMIT its largest size (default 8G).\n");
		return argc == 1 && (!strcmp(what, "--help") ||
				     !strcmp(what, "-h")) ?
			       0 :
			       STATUS_FAILED;
	}
	if (!dir)
		die(STATUS_FAILED, "no cache: %s", why);
	list = list_cache(&n, &total);
	if (!strcmp(what, "size"))
		printf("%llu\n", (unsigned long long)total);
	for (size_t i = 0; i < n; i++) {
		char *path = cache_path(list[i].key, ".img");

		if (!strcmp(what, "clear"))
			remove_entry(list[i].key);
		else if (!strcmp(what, "ls"))
			printf("%10llu KB  %s\n",
			       (unsigned long long)(list[i].bytes >> 10), path);
		free(path);
	}
	free(list);
	return 0;
}
