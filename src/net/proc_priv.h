/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the families and files of /proc/net, /proc/sys/net and /sys/class/net
 * say to each other.
 */
#pragma once

#include <fs/pseudo.h>

int proc_show_unix(struct seq_buf *s, void *arg);    /* unix_proc.c */
int proc_show_netlink(struct seq_buf *s, void *arg); /* netlink.c */
int proc_show_packet(struct seq_buf *s, void *arg);  /* packet.c */
void netsys_init(void);				     /* netsys.c */
