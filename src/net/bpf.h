/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket filters in classic BPF (SO_ATTACH_FILTER): checked when they are
 * attached, so that running one needs no checks but those of the packet's
 * bounds.  Any context may run one.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct socket;
struct sock_prog;

/* The packet, and what else a filter may ask of it. */
struct bpf_packet {
	/* Copies n bytes at off; false: beyond the end. */
	bool (*load)(const void *ctx, uint32_t off, void *to, uint32_t n);
	const void *ctx;
	uint32_t len;
	uint16_t protocol; /* ethertype */
	uint8_t pkttype;
	uint32_t ifindex;
};

/* SO_BPF_EXTENSIONS: ancillary loads below this are there. */
#define BPF_EXTENSIONS 52

/* The options of filters, for a family's setopt: -ENOPROTOOPT when the
 * name is none of them. */
MUST_CHECK int sock_filter_setopt(struct socket *s, int name, const void *val,
				  uint32_t len);
/* Bytes of the packet to keep; 0: none of it.  Without a filter: all. */
uint32_t sock_filter_run(const struct socket *s, const struct bpf_packet *p);
/* A program that an option's value points to, checked; free takes NULL, too, and
 * waits for those who run it. */
MUST_CHECK int sock_prog_load(const void *val, uint32_t len,
			      struct sock_prog **out);
void sock_prog_free(struct sock_prog *p);
uint32_t sock_prog_run(const struct sock_prog *prog,
		       const struct bpf_packet *p);
/* At the socket's end. */
void sock_filter_drop(struct socket *s);
