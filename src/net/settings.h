/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program can set in /proc/sys/net (netsys.c).  Single words, read
 * without a lock when they are needed; a socket takes most of them when it is
 * made.
 */
#pragma once

#include <stdbool.h>

struct net_settings {
	int somaxconn;
	int dgram_qlen;	   /* unix/max_dgram_qlen */
	int ports[2];	   /* ip_local_port_range: the first and the last */
	int port_priv;	   /* ip_unprivileged_port_start */
	int nonlocal_bind; /* of IPv4 */
	int keepalive_time, keepalive_intvl, keepalive_probes;
	int bindv6only;
	int tw_reuse;	      /* tcp_tw_reuse: 1 always, 2 within the machine */
	int start_after_idle; /* tcp_slow_start_after_idle */
	bool reno;	      /* tcp_congestion_control of new sockets */
};

extern struct net_settings net_settings;

/* Congestion control of TCP by its name: true for reno, or -ENOENT. */
int tcp_congestion_find(const char *name);
const char *tcp_congestion_name(bool reno);
