/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of pseudo share.
 */
#pragma once

#include <base/compiler.h>
#include <fs/pseudo.h>
#include <fs/vfs.h>

void proc_machine_init(void); /* procfs.c */
void sys_machine_init(void);  /* sysfs.c */
void dev_nodes_init(void);    /* devfs.c */

/* Registers n entries; a failure is logged. */
void register_table(int (*fn)(const struct pseudo_entry *),
		    const struct pseudo_entry *e, size_t n);
