/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's network: what --net, --ip, --mac, --dns, --publish and --pcap
 * say, in QEMU's words and in the run block's.
 *
 * The n-th --ip, --mac belong to the n-th --net.
 */
#pragma once

#include "options.h"

#include <abi/pith.h>
#include <netinet/in.h>

#define NET_NICS_MAX	8
#define NET_QUEUES_MAX	8 /* of one NIC: what the kernel's driver uses */
#define NET_PUBLISH_MAX 64

enum net_kind { NET_USER, NET_TAP };

struct net_nic {
	enum net_kind kind;
	const char *tap; /* the interface's name */
	struct pith_net conf;
	int fd[NET_QUEUES_MAX]; /* NET_TAP: QEMU's */
	unsigned nfds;
	int pcap; /* QEMU's, or -1 */
};

struct net_publish {
	bool udp;
	struct in_addr addr;  /* of the host */
	uint16_t host, guest; /* ports; host 0: a free one */
	int probe;	      /* holds the port until QEMU takes it */
};

struct net {
	struct net_nic nic[NET_NICS_MAX];
	unsigned nnics;
	struct net_publish publish[NET_PUBLISH_MAX];
	unsigned npublish;
	struct pith_dns dns[4];
	unsigned ndns;
};

/* For the table of options: NULL, or what is wrong with the value. */
const char *net_check_net(const char *v);
const char *net_check_ip(const char *v);
const char *net_check_mac(const char *v);
const char *net_check_dns(const char *v);
const char *net_check_publish(const char *v);

/* Puts together what was said; ends pith (125) where it does not fit. */
void net_resolve(struct net *n, const struct options *o);
/* Opens taps and the capture, looks whether ports are free; ends pith (125)
 * with what is wrong.  queues: how many a tap should have. */
void net_open(struct net *n, const struct options *o, unsigned queues);
/* Numbers that stand for descriptors, for --print-qemu. */
void net_pretend(struct net *n, const struct options *o);
/* The name server of a user-mode network in which the machine has a. */
uint32_t net_user_dns(const struct pith_net_addr *a);
/* Just before QEMU starts: lets go of the ports. */
void net_release(struct net *n);
/* When QEMU listens: gives its sockets a queue that is worth the name. */
void net_raise_backlog(const struct net *n, int pid);

struct buf;
/* The records of the run block; none for what nothing was said about. */
void net_put_block(struct buf *b, const struct net *n);
/* The same for a manifest: only what was said, in no machine yet. */
void net_put_manifest(struct buf *b, const struct options *o);
/* What a manifest's record says, where the command line says nothing. */
void net_take_record(struct options *o, unsigned tag, const void *value,
		     uint32_t len);
/* The option that a record is, as text in a static buffer; NULL: none. */
const char *net_record_text(unsigned tag, const void *value, uint32_t len,
			    const char **title);
