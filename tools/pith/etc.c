/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small /etc that programs expect, and the directories every root has.
 * A file that the packages or the user put in stays as it is; with --root
 * nothing is generated but mount points.
 */
#include "pack.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *path;
	unsigned mode;
} dirs[] = {
	{ "/dev", 0755 },  { "/proc", 0555 }, { "/sys", 0555 },
	{ "/tmp", 01777 }, { "/run", 0755 },  { "/root", 0700 },
	{ "/etc", 0755 },  { "/home", 0755 }, { "/mnt", 0755 },
	{ "/var/tmp", 01777 }, { "/var/lib", 0755 }, { "/var/log", 0755 },
	{ "/run/lock", 01777 },
};

/* As base-files has them on every Debian. */
static const struct {
	const char *path, *target;
} links[] = {
	{ "/var/run", "/run" }, { "/var/lock", "/run/lock" },
	/* The name servers of the run, or of DHCP: the kernel knows. */
	{ "/etc/resolv.conf", "/proc/net/pnp" },
};

static const struct {
	const char *path, *text;
} files[] = {
	{ "/etc/passwd",
	  "root:x:0:0:root:/root:/bin/sh\n"
	  "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
	{ "/etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n" },
	{ "/etc/nsswitch.conf",
	  "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
	  "networks: files\nprotocols: files\nservices: files\n" },
	{ "/etc/host.conf", "multi on\n" },
};

/* Generates a file unless one came in; the host's own is not looked at. */
static void
put_text(struct fileset *fs, const char *path, const char *text)
{
	struct node *etc = fileset_find(fs, "/etc");

	if (etc && !node_child(fs, etc, strrchr(path, '/') + 1))
		fileset_put(fs, path, 0644, text, strlen(text));
}

static void
put_link(struct fileset *fs, const char *path, const char *target)
{
	const char *name = strrchr(path, '/') + 1;
	char *dir = xstrndup(path, name - 1 - path);
	struct node *n = fileset_find(fs, dir);

	if (n && !node_child(fs, n, name))
		fileset_link(fs, path, target);
	free(dir);
}

/* A user that --user names by number gets a line, so that tools that ask
 * for a name find one. */
static void
put_users(const struct options *o, struct fileset *fs)
{
	char *text;

	if (!o->have_user || o->uid == 0 || o->uid == 65534)
		return;
	text = xasprintf("%suser:x:%u:%u:user:/home:/bin/sh\n", files[0].text,
			 o->uid, o->gid);
	fileset_put(fs, "/etc/passwd", 0644, text, strlen(text));
	free(text);
	if (o->gid == 0 || o->gid == 5 || o->gid == 65534)
		return;
	text = xasprintf("%suser:x:%u:\n", files[1].text, o->gid);
	fileset_put(fs, "/etc/group", 0644, text, strlen(text));
	free(text);
}

void
etc_generate(const struct options *o, struct fileset *fs)
{
	static const char *const merged[] = { "/bin", "/sbin", "/lib",
					      "/lib64" };
	const char *host = o->hostname ? o->hostname : "pith";
	char *text;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		fileset_mkdir(fs, dirs[i].path, dirs[i].mode);
	/* An image that is built may be run with a root that is read only. */
	for (unsigned i = 0; o->output && i < o->nvolumes; i++)
		fileset_mkdir(fs, o->volumes[i].target, 0755);
	if (fs->foreign)
		return;
	for (size_t i = 0; i < ARRAY_LEN(merged); i++)
		fileset_add(fs, merged[i], NULL);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		put_text(fs, files[i].path, files[i].text);
	put_users(o, fs);
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		put_link(fs, links[i].path, links[i].target);
	text = xasprintf("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"
			 "127.0.1.1\t%s\n", host);
	put_text(fs, "/etc/hosts", text);
	free(text);
	text = xasprintf("%s\n", host);
	put_text(fs, "/etc/hostname", text);
	free(text);
	/* /etc/localtime is the host's zone: a link into zoneinfo. */
	fileset_add(fs, "/etc/localtime", NULL);
}
