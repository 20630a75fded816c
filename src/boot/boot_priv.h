/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of boot share.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct run_info;

/* smp.c: starts the other CPUs. */
void boot_start_cpus(void);

/* klibs.c: loads what the image and the run ask for, and gives the files'
 * memory back; a failure ends the machine. */
void boot_load_klibs(struct run_info *ri);

/* vm_hooks.c */
void boot_vm_init(void);

/* root.c: finds the disk, reads its manifest and the run block into *ri,
 * mounts everything.  -errno, and why in the log. */
MUST_CHECK int boot_read_run_info(struct run_info *ri);
MUST_CHECK int boot_mount(const struct run_info *ri);
