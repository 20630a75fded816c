/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the calls that take a path: every kind of path that a call meets, made
 * afresh for each step, so that one step leaves nothing to the next.
 */
#pragma once

#include "fs_common.h"

static char path_name255[256], path_name256[257], path_4095[4096],
	path_4096[4097];

struct path_case {
	const char *what;
	const char *path;
};

static const struct path_case path_cases[] = {
	{ "file", "f" },
	{ "directory", "d" },
	{ "directory/", "d/" },
	{ "full directory", "full" },
	{ "file/", "f/" },
	{ "file/x", "f/x" },
	{ "file/..", "f/.." },
	{ "missing", "no" },
	{ "missing/", "no/" },
	{ "missing/x", "no/x" },
	{ "link to file", "lf" },
	{ "link to file/", "lf/" },
	{ "link to directory", "ld" },
	{ "link to directory/", "ld/" },
	{ "link to nothing", "ln" },
	{ "link to nothing/", "ln/" },
	{ "loop", "loop" },
	{ "loop/x", "loop/x" },
	{ "name of 255", path_name255 },
	{ "name of 256", path_name256 },
	{ "path of 4095", path_4095 },
	{ "path of 4096", path_4096 },
	{ "empty", "" },
	{ ".", "." },
	{ "d/..", "d/.." },
	{ "d/.", "d/." },
	{ "d//./../f", "d//./../f" },
	{ "/", "/" },
	{ "//", "//" },
	{ "bad pointer", BAD },
	{ "null", NULL },
};

#define PATH_CASES (sizeof(path_cases) / sizeof(path_cases[0]))

/* The root directory is the machine's: not to be changed. */
static inline int
outside(const char *path)
{
	return path && path != BAD && *path == '/';
}

static inline void
path_remake(void)
{
	DIR *dir = opendir(".");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		nftw(e->d_name, fs_remove, 16, FTW_DEPTH | FTW_PHYS);
	}
	if (dir)
		closedir(dir);
	make_file("f", "text of f");
	mkdir("d", 0755);
	mkdir("full", 0755);
	make_file("full/in", "");
	if (symlink("f", "lf") || symlink("d", "ld") || symlink("no", "ln") ||
	    symlink("loop", "loop"))
		printf("symlink: %s\n", strerror(errno));
}

static inline void
path_setup(void)
{
	fs_setup();
	memset(path_name255, 'n', 255);
	memset(path_name256, 'n', 256);
	for (int i = 0; i < 4096; i++)
		path_4096[i] = i % 2 ? '/' : '.';
	memcpy(path_4095, path_4096, 4094);
	path_4095[4094] = 'f';
	path_remake();
}

/*
 * Runs EXPR with `p` set to each path; prints the result or the error's name.
 * AFTER runs when the call succeeded, before the files are made afresh.
 */
#define PATHS(name, expr, after)                                              \
	do {                                                                  \
		for (size_t path_i = 0; path_i < PATH_CASES; path_i++) {      \
			const char *p = path_cases[path_i].path;              \
			errno = 0;                                            \
			long r = (long)(expr);                                \
			printf("%s, %s: %s\n", name, path_cases[path_i].what, \
			       r == -1 ? strerrorname_np(errno) : "ok");      \
			if (r != -1) {                                        \
				after;                                        \
				path_remake();                                \
			}                                                     \
		}                                                             \
	} while (0)
