/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything the command line and a configuration file can say.
 *
 * One table (options.c) lists each option once: the parser, --help, the
 * configuration file's keys, bash completion and the test of the manual page
 * are all driven by it.
 */
#pragma once

#include "util.h"

enum command_bit {
	CMD_RUN = 1,
	CMD_BUILD = 2,
	CMD_BOTH = CMD_RUN | CMD_BUILD,
};

enum machine { MACHINE_MICROVM, MACHINE_Q35, MACHINE_PC };
enum accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };

struct include {
	char *host, *guest; /* guest NULL: the same path */
};

/* -v: a named volume, or a directory of the host (source has a '/'). */
struct volume {
	char *source, *target;
	bool read_only;
};

#define VOLUMES_MAX 8
/* Below 2M QEMU hangs without a word, and the kernel does not find room for
 * itself. */
#define MEMORY_MIN (3ull << 20)
#define MEMORY_MAX (1ull << 40)

struct options {
	/* what runs, and what goes in */
	char *program;
	struct strv args; /* without argv[0] */
	struct strv env;  /* "K=V", later ones win */
	struct include *includes;
	unsigned nincludes;
	char *root, *workdir, *hostname;
	bool have_user;
	uint32_t uid, gid;
	bool have_umask;
	uint32_t umask;
	bool no_aslr;
	int root_mode;	    /* enum pith_root_mode, -1: not said */
	struct strv mounts; /* "TYPE:SOURCE:TARGET[:OPTIONS]" */
	struct volume volumes[VOLUMES_MAX];
	unsigned nvolumes;
	struct strv klibs;   /* "NAME[=ARGUMENTS]"; klib.h */
	struct strv rlimits; /* "NAME=SOFT[:HARD]" */
	uint64_t free_bytes; /* room beyond the files, of build */
	/* the machine */
	uint64_t memory_bytes; /* 0: not said */
	uint32_t cpus;	       /* 0: not said */
	enum machine machine;
	enum accel accel;
	uint32_t timeout_s;
	bool persist, gdb, print_qemu;
	uint32_t gdb_port;
	/* its network; net.h reads them */
	struct strv nets, ips, macs, dns, publish;
	char *pcap;
	uint32_t vsock_cid; /* 0: not said; vsock.h */
	char *vsock_path;
	/* seeing inside */
	bool trace, missing_files;
	char *trace_filter, *trace_file;
	uint32_t profile_hz; /* 0: no profile */
	char *profile_file;
	/* the command itself */
	char *output, *config;
	bool looking; /* a first pass, which opens no file */
};

#define MEMORY_DEFAULT (512ull << 20)
#define CPUS_DEFAULT   1

enum option_kind {
	KIND_FLAG, /* no argument; true or false in a file */
	KIND_STRING,
	KIND_SIZE, /* a number of bytes or a string such as "512M" */
	KIND_NUMBER,
	KIND_LIST,     /* repeatable; an array of strings in a file */
	KIND_MAP,      /* repeatable K=V; an object in a file */
	KIND_OPTIONAL, /* --opt[=VALUE]; true or a string in a file */
};

struct option_def {
	const char *name;
	char letter;
	unsigned commands; /* enum command_bit */
	enum option_kind kind;
	const char *arg; /* what --help calls the argument */
	const char *help;
	/* NULL when it is fine, else what is wrong with the value. */
	const char *(*set)(struct options *o, const char *value);
	bool file; /* also a key of a configuration file */
};

extern const struct option_def option_table[];

/* A volume's words: "SOURCE:TARGET[:ro]".  NULL, or what is wrong. */
const char *options_add_volume(struct options *o, const char *words);

/* Parses argv (after the command's name) up to the program; what is wrong is
 * told and ends pith with status 125.  Answers --help itself. */
void options_parse(struct options *o, unsigned command, int argc, char **argv);
void options_help(unsigned command);
void options_list(unsigned command); /* long names, a line each */

/* Reads a configuration file into o (config.c). */
void config_read(struct options *o, const char *path, unsigned command);
