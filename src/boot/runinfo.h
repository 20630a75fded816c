/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merged manifest and run block (abi/pith.h), parsed and checked: what
 * to run and how.  Built once by kmain(), constant afterwards.
 */
#pragma once

#include <abi/pith.h>
#include <base/compiler.h>
#include <base/types.h>
#include <net/netif.h>

struct run_mount {
	const char *type, *source, *target, *options;
};

struct run_klib {
	char *name;
	const char *args; /* behind the name */
	void *file;	  /* NULL: there is none */
	size_t len;
};

struct run_rlimit {
	uint32_t resource;
	uint64_t soft, hard;
};

struct run_info {
	const char *program;
	char **argv, **envp; /* NULL-terminated */
	unsigned argc, envc;
	const char *cwd; /* "/" by default */
	uint32_t uid, gid;
	uint32_t *groups;
	unsigned ngroups;
	uint32_t root_mode; /* enum pith_root_mode */
	const char *hostname;
	uint32_t flags; /* PITH_FLAG_* */
	struct pith_streams streams;
	bool has_termios, has_winsize;
	uint8_t termios[36], winsize[8];
	unsigned profile_hz; /* 0: off */
	bool trace;
	const char *trace_filter;
	uint32_t umask;
	struct run_mount *mounts;
	unsigned nmounts;
	struct run_rlimit *rlimits;
	unsigned nrlimits;
	struct run_klib *klibs;
	unsigned nklibs;
	int64_t time_sec; /* 0: not given */
	uint32_t time_nsec;
	const void *seed;
	size_t seed_len;
	struct net_config net; /* NICs, name servers */
};

/* Parses the two blocks (either may be NULL) into *out; memory from the
 * heap.  -EINVAL: malformed (what is logged), -ENOMEM, -ENOEXEC: no program. */
MUST_CHECK int run_info_parse(const void *manifest, size_t manifest_len,
			      const void *run, size_t run_len,
			      struct run_info *out);
