/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of AF_VSOCK: the kernel's vhost-vsock (--vsock), or another
 * program that speaks vhost-user (--vsock-path).
 */
#pragma once

#include "options.h"

/* NULL, or what is wrong. */
const char *vsock_set_cid(struct options *o, const char *v);
const char *vsock_set_path(struct options *o, const char *v);

/* Ends pith where two things were asked for; true: any. */
bool vsock_wanted(const struct options *o);
/* What QEMU gets: /dev/vhost-vsock, or a connection to the program; -1 where
 * nothing was asked for.  Ends pith (125) when it can not be had. */
int vsock_open(const struct options *o);
