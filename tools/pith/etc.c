/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small /etc that programs expect, and the directories every root has.
 * A file that the packages or the user put in stays as it is; with --root
 * nothing is generated but mount points.
 *
 * Accounts are those that every Debian has (package base-passwd), and of the
 * host's system accounts those that the program's own packages made: a server
 * that goes over to its user finds it.  The host's people stay out.
 */
#include "pack.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *path;
	unsigned mode;
} dirs[] = {
	{ "/dev", 0755 },	{ "/proc", 0555 },    { "/sys", 0555 },
	{ "/tmp", 01777 },	{ "/run", 0755 },     { "/root", 0700 },
	{ "/etc", 0755 },	{ "/home", 0755 },    { "/mnt", 0755 },
	{ "/var/tmp", 01777 },	{ "/var/lib", 0755 }, { "/var/log", 0755 },
	{ "/run/lock", 01777 },
};

/* As base-files has them on every Debian. */
static const struct {
	const char *path, *target;
} links[] = {
	{ "/var/run", "/run" },
	{ "/var/lock", "/run/lock" },
	{ "/etc/mtab", "/proc/mounts" },
	/* The name servers of the run, or of DHCP: the kernel knows. */
	{ "/etc/resolv.conf", "/proc/net/pnp" },
};

#define WORD "abcdefghijklmnopqrstuvwxyz0123456789_-"

static const char passwd_base[] =
	"root:x:0:0:root:/root:/bin/sh\n"
	"daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
	"bin:x:2:2:bin:/bin:/usr/sbin/nologin\n"
	"sys:x:3:3:sys:/dev:/usr/sbin/nologin\n"
	"sync:x:4:65534:sync:/bin:/bin/sync\n"
	"games:x:5:60:games:/usr/games:/usr/sbin/nologin\n"
	"man:x:6:12:man:/var/cache/man:/usr/sbin/nologin\n"
	"lp:x:7:7:lp:/var/spool/lpd:/usr/sbin/nologin\n"
	"mail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n"
	"news:x:9:9:news:/var/spool/news:/usr/sbin/nologin\n"
	"uucp:x:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin\n"
	"proxy:x:13:13:proxy:/bin:/usr/sbin/nologin\n"
	"www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
	"backup:x:34:34:backup:/var/backups:/usr/sbin/nologin\n"
	"list:x:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin\n"
	"irc:x:39:39:ircd:/run/ircd:/usr/sbin/nologin\n"
	"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";

static const char group_base[] =
	"root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\n"
	"disk:x:6:\nlp:x:7:\nmail:x:8:\nnews:x:9:\nuucp:x:10:\nman:x:12:\n"
	"proxy:x:13:\nkmem:x:15:\ndialout:x:20:\nfax:x:21:\nvoice:x:22:\n"
	"cdrom:x:24:\nfloppy:x:25:\ntape:x:26:\nsudo:x:27:\naudio:x:29:\n"
	"dip:x:30:\nwww-data:x:33:\nbackup:x:34:\noperator:x:37:\nlist:x:38:\n"
	"irc:x:39:\nsrc:x:40:\nshadow:x:42:\nutmp:x:43:\nvideo:x:44:\n"
	"sasl:x:45:\nplugdev:x:46:\nstaff:x:50:\ngames:x:60:\nusers:x:100:\n"
	"nogroup:x:65534:\n";

static const struct {
	const char *path, *text;
} files[] = {
	{ "/etc/nsswitch.conf",
	  "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
	  "networks: files\nprotocols: files\nservices: files\n" },
	{ "/etc/host.conf", "multi on\n" },
};

/* Generates a file unless one came in. */
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

/* Does one of the packages' scripts speak of this account? */
static bool
script_names(const struct fileset *fs, const char *name, size_t len)
{
	bool found = false;

	for (size_t i = 0; i < fs->scripts.n && !found; i++) {
		struct buf b = { 0 };

		if (!read_file(fs->scripts.v[i], &b))
			for (char *p = b.p; !found && (p = strstr(p, name));
			     p += len)
				found = (p == b.p || !strchr(WORD, p[-1])) &&
					(!p[len] || !strchr(WORD, p[len]));
		buf_free(&b);
	}
	return found;
}

/* The number behind the second colon of a line of passwd or group. */
static long
account_number(const char *line)
{
	const char *p = strchr(line, ':');

	p = p ? strchr(p + 1, ':') : NULL;
	return p ? strtol(p + 1, NULL, 10) : -1;
}

/* Has the text of passwd a line for this name? */
static bool
has_account(const char *text, const char *name, size_t len)
{
	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, name, len) && p[len] == ':')
			return true;
	}
	return false;
}

/* Those of a line's members (host's /etc/group) that the image knows. */
static char *
known_members(const char *line, const char *users)
{
	const char *p = strrchr(line, ':') + 1;
	char *out = xstrdup("");

	while (*p) {
		size_t len = strcspn(p, ",");

		if (len && has_account(users, p, len)) {
			char *more = xasprintf("%s%s%.*s", out, *out ? "," : "",
					       (int)len, p);

			free(out);
			out = more;
		}
		p += len + (p[len] == ',');
	}
	return out;
}

/* Is an account of the image a member?  Its services count on that group,
 * whether or not a package names it (ssl-cert, for freerad). */
static bool
has_known_member(const char *line, const char *users)
{
	char *m = known_members(line, users);
	bool any = *m;

	free(m);
	return any;
}

/* `base`, and the lines of the host's file that the packages made.  Of groups
 * (users: the image's passwd; else NULL) only members that are in the image
 * are named.  The caller frees it. */
static char *
with_accounts(struct fileset *fs, const char *base, const char *host_file,
	      const char *users)
{
	char *text = xstrdup(base), *line, *next;
	struct buf b = { 0 };

	if (!fs->scripts.n || read_file(host_file, &b)) {
		buf_free(&b);
		return text;
	}
	strv_add(&fs->deps, host_file);
	for (line = b.p; line && *line; line = next) {
		long number = account_number(line);
		size_t len = strcspn(line, ":");
		char *name, *more;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		/* What adduser --system gives. */
		if (number < 100 || number > 999 || !len)
			continue;
		name = xstrndup(line, len);
		if (script_names(fs, name, len) ||
		    (users && has_known_member(line, users))) {
			char *m = users ? known_members(line, users) : NULL;

			more = m ? xasprintf("%s%s:x:%ld:%s\n", text, name,
					     number, m) :
				   xasprintf("%s%s\n", text, line);
			free(m);
			free(text);
			text = more;
		}
		free(name);
	}
	buf_free(&b);
	return text;
}

/* A number that --user names and that has no line gets one, so that tools
 * that ask for a name find one. */
static char *
with_number(char *text, unsigned number, const char *line)
{
	bool found = false;
	char *more;

	for (const char *p = text; p && *p && !found;) {
		found = account_number(p) == (long)number;
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	if (found)
		return text;
	more = xasprintf("%s%s", text, line);
	free(text);
	return more;
}

static void
put_accounts(const struct options *o, struct fileset *fs)
{
	char *users = with_accounts(fs, passwd_base, "/etc/passwd", NULL);
	char *groups = with_accounts(fs, group_base, "/etc/group", users);

	if (o->have_user) {
		char *u = xasprintf("user:x:%u:%u:user:/home:/bin/sh\n", o->uid,
				    o->gid);
		char *g = xasprintf("user:x:%u:\n", o->gid);

		users = with_number(users, o->uid, u);
		groups = with_number(groups, o->gid, g);
		free(u);
		free(g);
	}
	put_text(fs, "/etc/passwd", users);
	put_text(fs, "/etc/group", groups);
	free(users);
	free(groups);
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
	put_accounts(o, fs);
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		put_link(fs, links[i].path, links[i].target);
	text = xasprintf("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"
			 "127.0.1.1\t%s\n",
			 host);
	put_text(fs, "/etc/hosts", text);
	free(text);
	text = xasprintf("%s\n", host);
	put_text(fs, "/etc/hostname", text);
	free(text);
	/* Debian's netbase: names of ports, for getservbyname(3). */
	fileset_add(fs, "/etc/services", NULL);
	fileset_add(fs, "/etc/protocols", NULL);
	/* Whose programs and libraries these are. */
	fileset_add(fs, "/etc/os-release", NULL);
	/* /etc/localtime is the host's zone: a link into zoneinfo. */
	fileset_add(fs, "/etc/localtime", NULL);
}
