/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of a package's service (places.h), from three sources: keys of
 * its systemd units (systemd.exec(5), RuntimeDirectory= and its like), lines
 * of type `d` and `D` of its tmpfiles.d(5) files, and paths below /var that
 * its postinst names and this machine has.
 *
 * Only the directory itself goes in: what a service of this machine keeps
 * there is its own.  Owners are system accounts, the only ones of this
 * machine that go into an image.
 */
#include "places.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS	   " \t"
#define MAX_SYSTEM 999u /* the largest number of a system account */

static const struct {
	const char *key, *base;
} kinds[] = {
	{ "RuntimeDirectory", "/run" },
	{ "StateDirectory", "/var/lib" },
	{ "CacheDirectory", "/var/cache" },
	{ "LogsDirectory", "/var/log" },
};

struct unit {
	char *user, *group;
	char *names[ARRAY_LEN(kinds)];
	unsigned mode[ARRAY_LEN(kinds)];
};

static unsigned
user_number(const char *name, unsigned *group)
{
	struct passwd *pw = name ? getpwnam(name) : NULL;

	if (!pw || pw->pw_uid > MAX_SYSTEM)
		return 0;
	if (group)
		*group = pw->pw_gid;
	return pw->pw_uid;
}

static unsigned
group_number(const char *name)
{
	struct group *gr = getgrnam(name);

	return gr && gr->gr_gid <= MAX_SYSTEM ? gr->gr_gid : 0;
}

/* What is in the set already stays as it is. */
static void
place(struct fileset *fs, const char *path, unsigned mode, unsigned uid,
      unsigned gid)
{
	struct node *n;

	/* /var/run is a link to /run, made later. */
	if (!strncmp(path, "/var/run/", 9))
		path += 4;
	if (strchr(path, '%') || strstr(path, "..") || fileset_find(fs, path))
		return;
	n = fileset_mkdir(fs, path, mode & 07777);
	if (!n || n->host)
		return;
	n->st.st_uid = uid;
	n->st.st_gid = gid;
}

/* ---- units ---- */

static void
set_string(char **s, const char *value)
{
	free(*s);
	*s = xstrdup(value);
}

static void
unit_line(struct unit *u, const char *line)
{
	size_t len = strcspn(line, "=");
	const char *value = line + len + 1;

	if (!line[len])
		return;
	if (len == 4 && !strncmp(line, "User", len))
		set_string(&u->user, value);
	if (len == 5 && !strncmp(line, "Group", len))
		set_string(&u->group, value);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t n = strlen(kinds[i].key);

		if (len < n || strncmp(line, kinds[i].key, n))
			continue;
		if (len == n)
			set_string(&u->names[i], value);
		else if (len == n + 4 && !strncmp(line + n, "Mode", 4))
			u->mode[i] = (unsigned)strtoul(value, NULL, 8);
	}
}

static void
unit_places(struct fileset *fs, const struct unit *u)
{
	unsigned gid = 0, uid = user_number(u->user, &gid);

	if (u->group)
		gid = group_number(u->group);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		char *name, *at = u->names[i];

		while ((name = strsep(&at, BLANKS))) {
			char *path = path_join(kinds[i].base, name);

			if (*name)
				place(fs, path, u->mode[i] ? u->mode[i] : 0755,
				      uid, gid);
			free(path);
		}
	}
}

/* ---- tmpfiles.d ---- */

/* Type, path, mode, user, group, age. */
static void
tmpfiles_line(struct fileset *fs, const char *line)
{
	char type[8], path[256], mode[16] = "-", user[64] = "-",
				 group[64] = "-";
	unsigned bits = 0755;

	if (sscanf(line, "%7s %255s %15s %63s %63s", type, path, mode, user,
		   group) < 2 ||
	    (type[0] != 'd' && type[0] != 'D') || path[0] != '/')
		return;
	if (strcmp(mode, "-"))
		bits = (unsigned)strtoul(mode + strspn(mode, "~:"), NULL, 8);
	place(fs, path, bits, user_number(user, NULL), group_number(group));
}

/* ---- files ---- */

static void
read_unit(struct fileset *fs, const char *path)
{
	struct buf text = { 0 };
	struct unit u = { 0 };
	char *line, *at = read_file(path, &text) ? NULL : text.p;

	while ((line = strsep(&at, "\n")))
		unit_line(&u, line);
	unit_places(fs, &u);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		free(u.names[i]);
	free(u.user);
	free(u.group);
	buf_free(&text);
}

static void
read_tmpfiles(struct fileset *fs, const char *path)
{
	struct buf text = { 0 };
	char *line, *at = read_file(path, &text) ? NULL : text.p;

	while ((line = strsep(&at, "\n")))
		tmpfiles_line(fs, line);
	buf_free(&text);
}

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && !strcmp(s + n - k, end);
}

void
places_of_list(struct fileset *fs, const char *list)
{
	struct buf text = { 0 };
	char *path, *at = read_file(list, &text) ? NULL : text.p;

	while ((path = strsep(&at, "\n"))) {
		if (strstr(path, "/systemd/system/") &&
		    ends_with(path, ".service"))
			read_unit(fs, path);
		else if (strstr(path, "/tmpfiles.d/") &&
			 ends_with(path, ".conf"))
			read_tmpfiles(fs, path);
	}
	buf_free(&text);
}

void
places_of_script(struct fileset *fs, const char *script)
{
	static const char *const bases[] = { "/var/lib/", "/var/cache/",
					     "/var/log/", "/var/spool/" };
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._+-/";
	struct buf text = { 0 };

	if (read_file(script, &text))
		return;
	for (char *p = text.p; (p = strstr(p, "/var/")); p++) {
		size_t len = strspn(p, chars);
		char *path = xstrndup(p, len);
		struct stat st;

		for (size_t i = 0; i < ARRAY_LEN(bases); i++)
			if (!strncmp(path, bases[i], strlen(bases[i])) &&
			    strlen(path) > strlen(bases[i]) &&
			    !strstr(path, "..") && !lstat(path, &st) &&
			    S_ISDIR(st.st_mode))
				place(fs, path, st.st_mode,
				      st.st_uid <= MAX_SYSTEM ? st.st_uid : 0,
				      st.st_gid <= MAX_SYSTEM ? st.st_gid : 0);
		free(path);
	}
	buf_free(&text);
}
