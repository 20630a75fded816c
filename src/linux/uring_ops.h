/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring's operations, handed down to src/aio at boot.
 */
#pragma once

#include <aio/uring.h>

void uring_ops_init(void);

/* ---- uring_sock.c ---- */
int uring_prep_send(struct uring_req *r);
int uring_prep_sendmsg(struct uring_req *r);
int uring_prep_recv(struct uring_req *r);
int uring_prep_recvmsg(struct uring_req *r);
int uring_prep_accept(struct uring_req *r);
int uring_prep_connect(struct uring_req *r);
long uring_send(struct uring_req *r);
long uring_sendmsg(struct uring_req *r);
long uring_recv(struct uring_req *r);
long uring_recvmsg(struct uring_req *r);
long uring_accept(struct uring_req *r);
long uring_connect(struct uring_req *r);
long uring_socket(struct uring_req *r);
long uring_shutdown(struct uring_req *r);
