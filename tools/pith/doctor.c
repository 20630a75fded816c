/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `pith doctor`: what this machine lacks to run pith, and how to mend it.
 * Status 0 when everything needed is there; a slow or partial answer (no
 * KVM, no cache) is a remark.
 */
#include "run.h"

#include "cache.h"
#include "qemu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool bad;

static void
good(const char *what, const char *detail)
{
	printf("ok      %s: %s\n", what, detail);
}

static void
remark(const char *what, const char *detail)
{
	printf("remark  %s: %s\n", what, detail);
}

static void
lack(const char *what, const char *detail)
{
	printf("LACKS   %s: %s\n", what, detail);
	bad = true;
}

/* Unlike qemu_find, this one reports and goes on. */
static char *
find_in_path(const char *name)
{
	const char *p = getenv("PATH"), *own = getenv("PITH_QEMU");

	if (own && *own)
		return access(own, X_OK) ? NULL : xstrdup(own);
	for (; p;) {
		size_t len = strcspn(p, ":");
		char *full = xasprintf("%.*s/%s", (int)len, p, name);

		if (access(full, X_OK) == 0)
			return full;
		free(full);
		p = p[len] ? p + len + 1 : NULL;
	}
	return NULL;
}

static void
check_qemu(void)
{
	char *qemu = find_in_path("qemu-system-x86_64");
	const char *why;

	if (!qemu) {
		lack("QEMU", "qemu-system-x86_64 is not installed; on Debian: "
			     "apt install qemu-system-x86");
		return;
	}
	good("QEMU", qemu);
	free(qemu);
	if (kvm_works(&why))
		good("KVM", "a guest runs");
	else
		remark("KVM", xasprintf("%s; programs run under QEMU's TCG, "
					"ten times slower",
					why));
}

/* The same places as kernel_find, which would end pith. */
static void
check_kernel(void)
{
	static const char *const places[] = {
		"pith-kernel.elf",
		"../lib/pith/pith-kernel.elf",
	};
	const char *own = getenv("PITH_KERNEL");
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (own && *own && access(own, R_OK) == 0) {
		good("kernel", own);
		return;
	}
	self[n < 0 ? 0 : n] = '\0';
	if (strrchr(self, '/'))
		*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char *full = path_join(self, places[i]);

		if (access(full, R_OK) == 0) {
			good("kernel", full);
			return;
		}
		free(full);
	}
	lack("kernel", "pith-kernel.elf is neither beside pith nor in "
		       "../lib/pith; run make, or make install");
}

/* MemAvailable counts the page cache that the host would give up. */
static void
check_memory(void)
{
	long page = sysconf(_SC_PAGESIZE), pages = sysconf(_SC_AVPHYS_PAGES);
	struct buf b = { 0 };
	long long kb = (long long)page * pages / 1024;
	const char *at;
	char *text;

	if (!read_file("/proc/meminfo", &b) &&
	    (at = strstr(b.p, "MemAvailable:")))
		kb = strtoll(at + 13, NULL, 10);
	text = xasprintf("%lld MB available", kb / 1024);
	if (kb < (long long)(MEMORY_DEFAULT >> 10))
		remark("memory", xasprintf("%s, less than a machine's default "
					   "of 512 MB; use -m",
					   text));
	else
		good("memory", text);
	free(text);
	buf_free(&b);
}

static void
check_cache(void)
{
	const char *why, *dir = cache_dir(&why);
	uint64_t room;

	if (!dir) {
		remark("cache", xasprintf("%s; every run packages its program "
					  "again, in memory",
					  why));
		return;
	}
	if (cache_room(&room) && room < 1ull << 30)
		remark("cache", xasprintf("less than 1 GB is free in %s", dir));
	else
		good("cache", dir);
}

int
command_doctor(int argc, char **argv)
{
	if (argc) {
		bool asked =
			!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h");

		fprintf(asked ? stdout : stderr,
			"Usage: pith doctor\nSay "
			"what this machine lacks to run pith.\n");
		return asked ? 0 : STATUS_FAILED;
	}
	check_qemu();
	check_kernel();
	check_memory();
	check_cache();
	if (access("/var/lib/dpkg/status", R_OK) < 0)
		remark("dpkg", "no Debian package database; programs go in "
			       "with their libraries only");
	else
		good("dpkg", "/var/lib/dpkg");
	fflush(stdout);
	if (bad)
		die(STATUS_FAILED, "something is lacking; see above");
	return 0;
}
