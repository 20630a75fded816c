/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See linux.h.
 */
#include "linux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static char root[400];

void
linux_root(const char *dir)
{
	snprintf(root, sizeof(root), "%s", dir);
	umask(0);
}

static const char *
in(const char *p)
{
	static char buf[4][8192];
	static unsigned n;
	char *b = buf[n++ % 4];

	snprintf(b, sizeof(buf[0]), "%s%s", root, p);
	return b;
}

static int
done(long r)
{
	return r < 0 ? -errno : (int)r;
}

int
linux_write(const char *p, uint64_t pos, const void *buf, size_t len,
	    int append)
{
	int fd = open(in(p), O_RDWR | O_CREAT | (append ? O_APPEND : 0), 0644);
	int r;

	if (fd < 0)
		return -errno;
	r = done(append ? write(fd, buf, len) :
			  pwrite(fd, buf, len, (off_t)pos));
	close(fd);
	return r;
}

int
linux_truncate(const char *p, int64_t size)
{
	return done(truncate(in(p), size));
}
int
linux_unlink(const char *p)
{
	return done(unlink(in(p)));
}
int
linux_rmdir(const char *p)
{
	return done(rmdir(in(p)));
}
int
linux_mkdir(const char *p, uint32_t mode)
{
	return done(mkdir(in(p), mode));
}

int
linux_mknod(const char *p, uint32_t mode, uint64_t dev)
{
	return done(mknod(in(p), mode, makedev(dev >> 32, (uint32_t)dev)));
}

int
linux_rename(const char *a, const char *b, unsigned flags)
{
	return done(renameat2(AT_FDCWD, in(a), AT_FDCWD, in(b), flags));
}

int
linux_link(const char *a, const char *b)
{
	return done(link(in(a), in(b)));
}
int
linux_symlink(const char *t, const char *p)
{
	return done(symlink(t, in(p)));
}
int
linux_chmod(const char *p, uint32_t mode)
{
	return done(chmod(in(p), mode));
}

int
linux_chown(const char *p, uint32_t uid, uint32_t gid)
{
	return done(lchown(in(p), uid, gid));
}

int
linux_utime(const char *p, int64_t sec)
{
	struct timespec ts[2] = { { .tv_sec = sec }, { .tv_sec = sec } };

	return done(utimensat(AT_FDCWD, in(p), ts, AT_SYMLINK_NOFOLLOW));
}

int
linux_setxattr(const char *p, const char *name, const void *v, size_t len,
	       int flags)
{
	return done(lsetxattr(in(p), name, v, len, flags));
}

int
linux_removexattr(const char *p, const char *name)
{
	return done(lremovexattr(in(p), name));
}

int
linux_getxattr(const char *p, const char *name, void *v, size_t len)
{
	return done(lgetxattr(in(p), name, v, len));
}

int
linux_fallocate(const char *p, int mode, int64_t off, int64_t len)
{
	int fd = open(in(p), O_RDWR), r;

	if (fd < 0)
		return -errno;
	r = done(fallocate(fd, mode, off, len));
	close(fd);
	return r;
}

int
linux_fsync(const char *p)
{
	int fd = open(in(p), O_RDWR);

	if (fd < 0)
		return -errno;
	close(fd); /* the page cache of the host is good enough */
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static uint64_t
hash_dir(const char *p)
{
	static char *names[65536];
	unsigned n = 0;
	uint64_t h = 1;
	struct dirent *e;
	DIR *d = opendir(p);

	while (d && (e = readdir(d)))
		names[n++] = strdup(e->d_name);
	closedir(d);
	qsort(names, n, sizeof(names[0]), by_name);
	for (unsigned k = 0; k < n; k++) {
		h = seen_hash(h, names[k], strlen(names[k]) + 1);
		free(names[k]);
	}
	return h;
}

void
linux_look(const char *p, struct seen *s)
{
	static char buf[65536];
	struct stat st;
	ssize_t r;

	memset(s, 0, sizeof(*s));
	if (lstat(in(p), &st)) {
		s->err = -errno;
		return;
	}
	s->mode = st.st_mode;
	s->nlink = (uint32_t)st.st_nlink;
	s->uid = st.st_uid;
	s->gid = st.st_gid;
	s->mtime = st.st_mtime;
	s->hash = 1;
	if (S_ISDIR(st.st_mode)) {
		s->hash = hash_dir(in(p));
	} else if (S_ISLNK(st.st_mode)) {
		r = readlink(in(p), buf, sizeof(buf));
		s->hash = seen_hash(1, buf, r > 0 ? (size_t)r : 0);
		s->size = (uint64_t)st.st_size;
	} else if (S_ISREG(st.st_mode)) {
		int fd = open(in(p), O_RDONLY);

		while ((r = read(fd, buf, sizeof(buf))) > 0)
			s->hash = seen_hash(s->hash, buf, (size_t)r);
		close(fd);
		s->size = (uint64_t)st.st_size;
	}
}
