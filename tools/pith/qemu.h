/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine: QEMU's command line, and whether KVM can be used.
 */
#pragma once

#include "net.h"
#include "options.h"

/* A disk with a serial number, or a directory with a tag: both are id. */
struct qemu_volume {
	char id[8];
	int fd; /* the disk's; -1: a directory */
	char *dir;
	bool writable;
};

/* The descriptors QEMU gets; -1 where there is none. */
struct qemu_fds {
	int image; /* the root disk */
	bool writable;
	int run_block; /* a memfd */
	int control;
	int stream[3];
	const struct net *net;
	int vsock; /* vsock.h */
	int uart;  /* -1 but under --verbose: the kernel's early log */
	struct qemu_volume volumes[VOLUMES_MAX];
	unsigned nvolumes;
};

#define QEMU_ARGV_MAX 128

struct qemu {
	char *argv[QEMU_ARGV_MAX];
	unsigned argc;
	bool kvm;
};

/* From where the kernel is linked to where it runs with "nokaslr"
 * (src/arch/x86_64/early.c): what gdb's symbol-file -o wants. */
#define KERNEL_GDB_OFFSET 0xffffffff7ff00000ull
/* Where the first klib then lies: KMAP_MODULE_START (arch/mmu.h), and a page
 * that is not mapped.  One such page is between two klibs. */
#define KLIB_GDB_START 0xffffffffc0001000ull
#define KLIB_GDB_GAP   0x1000ull

/* In bytes, the default when nothing was said. */
uint64_t machine_memory(const struct options *o);
/* Finds QEMU; ends pith (125) when it is not installed. */
char *qemu_find(void);
/* The kernel's ELF file; ends pith (125) when it is not there. */
char *kernel_find(void);
/* The same with its symbols, where it was built; it may not be there. */
char *kernel_debug(void);
void qemu_build(struct qemu *q, const struct options *o,
		const struct qemu_fds *f, bool kvm);
void qemu_print(const struct qemu *q);

/* Whether KVM really runs a guest here; *why says why not. */
bool kvm_works(const char **why);
/* What --accel comes to; ends pith when kvm was asked for and fails. */
bool accel_choose(const struct options *o);
