/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of files that will be an image's root; fileset.h has the rules.
 *
 * Children are found through one hash table keyed by (directory, name).  A
 * walk looks up the host only for names it has not seen, so adding thousands
 * of paths of one package costs one lstat each.
 */
#include "fileset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40  /* as Linux: more is ELOOP */
#define DEPTH_MAX 200 /* directories below each other in a tree */

enum {
	WALK_FOLLOW = 1, /* a link at the end is followed */
	WALK_MAKE = 2,	 /* what is not there becomes a directory */
	WALK_LINK = 4,	 /* the path is itself a link's target */
};

/* FNV-1a over the name, seeded with the directory. */
static size_t
hash_slot(const struct fileset *fs, const struct node *dir, const char *name,
	  size_t len)
{
	uint64_t h = (uintptr_t)dir * 0x9e3779b97f4a7c15ull;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 0x100000001b3ull;
	return (h >> 17) % fs->nhash;
}

static struct node *
child_len(struct fileset *fs, struct node *dir, const char *name, size_t len)
{
	struct node *n = fs->hash[hash_slot(fs, dir, name, len)];

	while (n && (n->parent != dir || strncmp(n->name, name, len) ||
		     n->name[len]))
		n = n->hash_next;
	return n;
}

struct node *
node_child(struct fileset *fs, struct node *dir, const char *name)
{
	return child_len(fs, dir, name, strlen(name));
}

static struct node *
node_new(struct fileset *fs, struct node *dir, const char *name, size_t len)
{
	struct node *n = xcalloc(1, sizeof(*n));
	size_t slot;

	n->name = xstrndup(name, len);
	n->parent = dir ? dir : n;
	fs->nnodes++;
	if (!dir)
		return n;
	slot = hash_slot(fs, dir, name, len);
	n->hash_next = fs->hash[slot];
	fs->hash[slot] = n;
	if (dir->nkids == dir->kids_cap) {
		dir->kids_cap = dir->kids_cap ? dir->kids_cap * 2 : 8;
		dir->kids =
			xrealloc(dir->kids, dir->kids_cap * sizeof(*dir->kids));
	}
	dir->kids[dir->nkids++] = n;
	return n;
}

/* A directory that the host does not have, or that is not the host's. */
static void
make_dir(struct node *n, unsigned mode)
{
	n->st.st_mode = S_IFDIR | mode;
	n->st.st_nlink = 1;
}

void
fileset_init(struct fileset *fs, const char *host_root)
{
	size_t len = strlen(host_root);

	*fs = (struct fileset){ .nhash = 65537 };
	while (len && host_root[len - 1] == '/')
		len--;
	fs->host_root = xstrndup(host_root, len);
	fs->foreign = len != 0;
	fs->hash = xcalloc(fs->nhash, sizeof(*fs->hash));
	fs->root = node_new(fs, NULL, "", 0);
	fs->root->host = xstrdup(len ? fs->host_root : "/");
	/* The caller made sure that it is a directory. */
	if (lstat(fs->root->host, &fs->root->st) < 0)
		make_dir(fs->root, 0755);
}

char *
node_path(const struct node *n)
{
	char path[PATH_MAX * 2];
	size_t at = sizeof(path) - 1;

	path[at] = '\0';
	if (n->parent == n)
		return xstrdup("/");
	for (; n->parent != n; n = n->parent) {
		size_t len = strlen(n->name);

		if (len + 1 > at)
			die(STATUS_FAILED, "a path is longer than %zu bytes",
			    sizeof(path));
		at -= len;
		memcpy(path + at, n->name, len);
		path[--at] = '/';
	}
	return xstrdup(path + at);
}

/* These are the kernel's own in the guest; the host's never go in. */
static bool
is_kernel_dir(const struct fileset *fs, const struct node *dir,
	      const char *name, size_t len)
{
	static const char *const names[] = { "proc", "sys", "dev" };

	if (dir != fs->root)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == len && !strncmp(names[i], name, len))
			return true;
	return false;
}

/* Fills n from the host file `host`, of which it takes the string. */
static int
node_load(struct fileset *fs, struct node *n, char *host)
{
	char target[PATH_MAX];
	ssize_t len;

	n->host = host;
	if (S_ISLNK(n->st.st_mode)) {
		len = readlink(host, target, sizeof(target) - 1);
		if (len < 0)
			return -errno;
		n->data = xstrndup(target, len);
		n->st.st_size = len;
	} else if (S_ISREG(n->st.st_mode)) {
		fs->bytes += n->st.st_size;
	}
	return 0;
}

/* The child `name` of dir, taken from the host when it is not there yet. */
static int
take_child(struct fileset *fs, struct node *dir, const char *name, size_t len,
	   struct node **out)
{
	struct node *n = child_len(fs, dir, name, len);
	struct stat st;
	char *host;
	int err;

	*out = n;
	if (n)
		return 0;
	if (is_kernel_dir(fs, dir, name, len)) {
		*out = n = node_new(fs, dir, name, len);
		make_dir(n, 0755);
		return 0;
	}
	if (!dir->host)
		return -ENOENT;
	host = xasprintf("%s/%.*s", dir->host[1] ? dir->host : "", (int)len,
			 name);
	if (lstat(host, &st) < 0) {
		err = -errno;
		free(host);
		return err;
	}
	if (S_ISSOCK(st.st_mode)) {
		free(host);
		return -ENOENT;
	}
	/* Of the host's own files those that we may not read stay out; a
	 * --root of which something is missing would not be the user's. */
	if (S_ISREG(st.st_mode) && !fs->foreign && geteuid() &&
	    faccessat(AT_FDCWD, host, R_OK, AT_EACCESS) < 0) {
		strv_add(&fs->deps, host); /* its mode may change */
		free(host);
		return -EACCES;
	}
	*out = n = node_new(fs, dir, name, len);
	n->st = st;
	return node_load(fs, n, host);
}

/* The kernel's path walk, on the set, taking from the host what is not in it
 * yet.  A link's target replaces the text that led to it. */
static int
walk(struct fileset *fs, struct node *at, const char *path, unsigned how,
     struct node **out)
{
	char *rest = xstrdup(path), *p = rest, *joined;
	struct node *n;
	unsigned links = how & WALK_LINK ? 1 : 0;
	int err = 0;

	if (*p == '/')
		at = fs->root;
	for (;;) {
		size_t len;

		while (*p == '/')
			p++;
		if (!*p)
			break;
		len = strcspn(p, "/");
		if (!S_ISDIR(at->st.st_mode)) {
			err = -ENOTDIR;
			break;
		}
		if (len == 1 && *p == '.') {
			p += len;
			continue;
		}
		if (len == 2 && !memcmp(p, "..", 2)) {
			/* Only links can climb here: the caller's own path
			 * may start with ".." and stay at the root. */
			if (at == fs->root && fs->foreign && links) {
				err = -EXDEV;
				break;
			}
			at = at->parent;
			p += len;
			continue;
		}
		err = take_child(fs, at, p, len, &n);
		if (err == -ENOENT && (how & WALK_MAKE)) {
			n = node_new(fs, at, p, len);
			make_dir(n, 0755);
			err = 0;
		}
		if (err)
			break;
		p += len;
		if (S_ISLNK(n->st.st_mode) &&
		    ((how & WALK_FOLLOW) || p[strspn(p, "/")])) {
			if (++links > LINKS_MAX) {
				err = -ELOOP;
				break;
			}
			joined = xasprintf("%s/%s", n->data, p);
			if (n->data[0] == '/')
				at = fs->root;
			if (fs->foreign) {
				free(fs->climber);
				fs->climber = node_path(n);
			}
			free(rest);
			p = rest = joined;
			continue;
		}
		at = n;
	}
	free(rest);
	if (!err && out)
		*out = at;
	return err;
}

int
fileset_add(struct fileset *fs, const char *path, struct node **out)
{
	return walk(fs, fs->root, path, WALK_FOLLOW, out);
}

int
fileset_add_nofollow(struct fileset *fs, const char *path, struct node **out)
{
	return walk(fs, fs->root, path, 0, out);
}

static int add_below(struct fileset *fs, struct node *dir, skip_fn skip,
		     const void *arg, unsigned depth);

/* A link in a tree: what it leads to goes in as well, but not what that
 * holds.  A dangling link is kept as it is. */
static int
follow_link(struct fileset *fs, struct node *dir, struct node *n,
	    const char *path)
{
	int err = walk(fs, dir, n->data, WALK_FOLLOW | WALK_LINK, NULL);

	if (err != -EXDEV)
		return 0;
	free(fs->climber);
	fs->climber = xstrdup(path);
	return err;
}

/* One entry of a directory that is taken whole. */
static int
add_entry(struct fileset *fs, struct node *dir, const char *name,
	  const char *path, skip_fn skip, const void *arg, unsigned depth)
{
	struct node *n;
	int err;

	if (skip && skip(path, arg))
		return 0;
	err = take_child(fs, dir, name, strlen(name), &n);
	if (err == -EACCES && !fs->unreadable++)
		warn("%s: not readable, left out", printable(path));
	if (err)
		return 0; /* gone meanwhile, or a socket */
	if (S_ISLNK(n->st.st_mode))
		return follow_link(fs, dir, n, path);
	if (!S_ISDIR(n->st.st_mode))
		return 0;
	err = add_below(fs, n, skip, arg, depth + 1);
	if (err == -EACCES && !fs->foreign) {
		say("%s: not readable, left empty", printable(path));
		err = 0;
	}
	return err;
}

static int
add_below(struct fileset *fs, struct node *dir, skip_fn skip, const void *arg,
	  unsigned depth)
{
	struct dirent *e;
	char *here, *path;
	int err = 0;
	DIR *d;

	/* A user's own include is not satisfied by what a table took. */
	if (!dir->host || (skip ? dir->listed : dir->whole))
		return 0;
	if (depth > DEPTH_MAX)
		return -ELOOP;
	d = opendir(dir->host);
	if (!d)
		return -errno;
	dir->listed = true;
	dir->whole = !skip;
	here = node_path(dir);
	while (!err && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		path = path_join(here, e->d_name);
		err = add_entry(fs, dir, e->d_name, path, skip, arg, depth);
		free(path);
	}
	closedir(d);
	free(here);
	return err;
}

int
fileset_add_tree(struct fileset *fs, const char *path, skip_fn skip,
		 const void *arg)
{
	struct node *n;
	int err = fileset_add(fs, path, &n);

	if (err || !S_ISDIR(n->st.st_mode))
		return err;
	return add_below(fs, n, skip, arg, 0);
}

/* The host's path is resolved by the host: the user named it. */
int
fileset_map(struct fileset *fs, const char *host, const char *guest)
{
	char *real = realpath(host, NULL), *dir, *base;
	struct node *parent, *n;
	struct stat st;
	int err = 0;

	if (!real || stat(real, &st) < 0) {
		free(real);
		return -errno;
	}
	dir = path_absolute(guest);
	base = strrchr(dir, '/');
	*base++ = '\0';
	if (!*base || !strcmp(base, "..")) {
		err = -EINVAL;
		goto out;
	}
	err = walk(fs, fs->root, dir, WALK_FOLLOW | WALK_MAKE, &parent);
	if (err)
		goto out;
	n = node_child(fs, parent, base);
	if (n && S_ISREG(n->st.st_mode))
		fs->bytes -= n->st.st_size;
	if (n && n->nkids && !S_ISDIR(st.st_mode)) {
		err = -EISDIR;
		goto out;
	}
	if (!n)
		n = node_new(fs, parent, base, strlen(base));
	n->st = st;
	err = node_load(fs, n, xstrdup(real));
	if (!err && S_ISDIR(st.st_mode))
		err = add_below(fs, n, NULL, NULL, 0);
out:
	free(dir);
	free(real);
	return err;
}

struct node *
fileset_find(struct fileset *fs, const char *path)
{
	struct node *n;

	return fileset_add(fs, path, &n) ? NULL : n;
}

struct node *
fileset_mkdir(struct fileset *fs, const char *path, unsigned mode)
{
	struct node *n;

	if (walk(fs, fs->root, path, WALK_FOLLOW | WALK_MAKE, &n))
		return NULL;
	if (!n->host && S_ISDIR(n->st.st_mode))
		n->st.st_mode = S_IFDIR | mode;
	return n;
}

/* A node without a host file at `path`; the directories are made. */
static struct node *
plain_node(struct fileset *fs, const char *path)
{
	char *copy = xstrdup(path), *base = strrchr(copy, '/');
	struct node *dir = NULL, *n = NULL;

	*base++ = '\0';
	if (!walk(fs, fs->root, copy, WALK_FOLLOW | WALK_MAKE, &dir)) {
		n = node_child(fs, dir, base);
		if (!n)
			n = node_new(fs, dir, base, strlen(base));
		else if (S_ISREG(n->st.st_mode))
			fs->bytes -= n->st.st_size;
		n->host = NULL;
		n->st = (struct stat){ .st_nlink = 1 };
	}
	free(copy);
	return n;
}

struct node *
fileset_put(struct fileset *fs, const char *path, unsigned mode,
	    const void *data, size_t len)
{
	struct node *n = plain_node(fs, path);

	if (!n)
		return NULL;
	n->st.st_mode = S_IFREG | mode;
	n->st.st_size = len;
	n->data = xmalloc(len + 1);
	memcpy(n->data, data, len);
	fs->bytes += len;
	return n;
}

struct node *
fileset_link(struct fileset *fs, const char *path, const char *target)
{
	struct node *n = plain_node(fs, path);

	if (!n)
		return NULL;
	n->st.st_mode = S_IFLNK | 0777;
	n->st.st_size = strlen(target);
	n->data = xstrdup(target);
	return n;
}

static void
each(struct node *n, void (*fn)(struct node *, void *), void *arg)
{
	fn(n, arg);
	/* By index: fn may add nodes, here too. */
	for (unsigned i = 0; i < n->nkids; i++)
		each(n->kids[i], fn, arg);
}

void
fileset_each(struct fileset *fs, void (*fn)(struct node *, void *), void *arg)
{
	each(fs->root, fn, arg);
}

static int
by_name(const void *a, const void *b)
{
	struct node *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void
sort_node(struct node *n, void *arg)
{
	(void)arg;
	if (n->nkids)
		qsort(n->kids, n->nkids, sizeof(*n->kids), by_name);
}

void
fileset_sort(struct fileset *fs)
{
	fileset_each(fs, sort_node, NULL);
}
