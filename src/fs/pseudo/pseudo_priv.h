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

void devpts_init(void);	      /* devpts.c */
int ptmx_open(struct inode *i, unsigned flags, struct file **out, void *arg);

/* A buffer between a device and the program's memory: the largest that can
 * be had, at most *size; the caller's small one at last (ttyfile.c). */
#define BOUNCE_SMALL 256u
char *bounce_get(char *small, size_t *size);
void bounce_put(char *p, char *small);

/* Registers n entries; a failure is logged. */
void register_table(int (*fn)(const struct pseudo_entry *),
		    const struct pseudo_entry *e, size_t n);
