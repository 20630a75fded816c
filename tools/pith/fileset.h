/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of files that will be an image's root.
 *
 * A fileset grows by walking paths of a host root ("/" or the directory of
 * --root) the way the guest's kernel will walk them: every directory and
 * every symbolic link that a path passes becomes a node, so that the path
 * resolves in the image as it does on the host.  Nothing is read by the
 * host's own link resolution, so a link can not lead out of --root.
 *
 * A node takes its content and extended attributes from `host` when the image
 * is written, or from `data` (generated files, targets of links).
 */
#pragma once

#include "util.h"

#include <sys/stat.h>
#include <time.h>

struct node {
	struct node *parent; /* the root's is itself */
	struct node *hash_next;
	struct node **kids;
	unsigned nkids, kids_cap;
	char *name;
	char *host;	/* where it comes from, or NULL */
	char *data;	/* link target, or generated content */
	struct stat st; /* mode, owner, size, times, dev and ino */
	bool listed;	/* a directory taken with what it holds */
	bool whole;	/* and nothing of that was skipped */
	bool checked;	/* its ELF closure has been added */
	uint32_t ino;	/* in the image, set by the writer */
};

struct fileset {
	struct node *root;
	char *host_root; /* "" for "/" */
	bool foreign;	 /* --root: links may not climb out of it */
	struct node **hash;
	size_t nhash, nnodes;
	uint64_t bytes;	     /* of all regular files */
	size_t unreadable;   /* files of trees that were left out */
	char *climber;	     /* the link that led out of the root */
	struct strv deps;    /* other host files the choice depends on */
	struct strv scripts; /* postinst of the packages that came in */
};

void fileset_init(struct fileset *fs, const char *host_root);

/* Adds all that `path` passes and the file at its end, links followed; sets
 * *out (may be NULL) to that last node.  -ENOENT, -ELOOP, -ENOTDIR, -EACCES,
 * -EXDEV (a link climbs out of --root, see climber). */
int fileset_add(struct fileset *fs, const char *path, struct node **out);
/* The same, but a symbolic link at the end is not followed. */
int fileset_add_nofollow(struct fileset *fs, const char *path,
			 struct node **out);

/* Which paths of a tree stay out; the path is the guest's. */
typedef bool (*skip_fn)(const char *path, const void *arg);

/* Adds the directory at `path` and everything below, links' targets too. */
int fileset_add_tree(struct fileset *fs, const char *path, skip_fn skip,
		     const void *arg);
/* Places the host's file or tree at `host` at the guest's path `guest`. */
int fileset_map(struct fileset *fs, const char *host, const char *guest);

/* The node at a guest path, which is added where the host has it and the set
 * has not; NULL where neither does. */
struct node *fileset_find(struct fileset *fs, const char *path);
struct node *fileset_mkdir(struct fileset *fs, const char *path, unsigned mode);
struct node *fileset_put(struct fileset *fs, const char *path, unsigned mode,
			 const void *data, size_t len);
struct node *fileset_link(struct fileset *fs, const char *path,
			  const char *target);

char *node_path(const struct node *n); /* guest path; caller frees */
struct node *node_child(struct fileset *fs, struct node *dir, const char *name);
void fileset_each(struct fileset *fs, void (*fn)(struct node *n, void *arg),
		  void *arg);
void fileset_sort(struct fileset *fs);
