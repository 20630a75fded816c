/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals as open files.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct file;
struct inode;
struct tty;

/* /dev/tty and /dev/console; -ENXIO: there is no such terminal. */
MUST_CHECK int tty_file_open(struct inode *i, unsigned flags, struct file **out,
			     void *arg);
MUST_CHECK int console_open(struct inode *i, unsigned flags, struct file **out,
			    void *arg);
/* Of a terminal that tty_open() has counted; takes that over, on failure
 * too. */
MUST_CHECK int tty_file_create(struct tty *t, uint32_t era, unsigned flags,
			       struct file **out);

/* For the masters of ptys. */
long tty_ioctl_shared(struct tty *t, unsigned cmd, uint64_t arg);
int tty_get_int(uint64_t arg, int *v);
int tty_put_int(uint64_t arg, int v);
/* O_ASYNC without an owner: it is the terminal's group, or the caller. */
void tty_default_owner(struct tty *t, struct file *f, unsigned flags);
bool tty_privileged(void); /* CAP_SYS_ADMIN */
