/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_VSOCK: addresses and options (vsock(7), linux/vm_sockets.h), and the
 * packets and events of virtio-vsock (virtio 1.2, 5.10.6).
 */
#pragma once

#include <stdint.h>

#define VMADDR_CID_ANY	     UINT32_MAX
#define VMADDR_CID_LOCAL     1u
#define VMADDR_CID_HOST	     2u
#define VMADDR_PORT_ANY	     UINT32_MAX
#define VMADDR_FLAG_TO_HOST  1u
#define VSOCK_PORT_RESERVED  1023u /* and below: CAP_NET_BIND_SERVICE */
#define VSOCK_BUFFER_DEFAULT (256u << 10)
#define VSOCK_BUFFER_MIN     128u

#define SO_VM_SOCKETS_BUFFER_SIZE	  0
#define SO_VM_SOCKETS_BUFFER_MIN_SIZE	  1
#define SO_VM_SOCKETS_BUFFER_MAX_SIZE	  2
#define SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD 6
#define SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW 8

#define IOCTL_VM_SOCKETS_GET_LOCAL_CID 0x7b9

struct sockaddr_vm {
	uint16_t family, reserved;
	uint32_t port, cid;
	uint8_t flags, zero[3];
};

#define VIRTIO_VSOCK_TYPE_STREAM    1
#define VIRTIO_VSOCK_TYPE_SEQPACKET 2

#define VIRTIO_VSOCK_OP_REQUEST	       1
#define VIRTIO_VSOCK_OP_RESPONSE       2
#define VIRTIO_VSOCK_OP_RST	       3
#define VIRTIO_VSOCK_OP_SHUTDOWN       4
#define VIRTIO_VSOCK_OP_RW	       5
#define VIRTIO_VSOCK_OP_CREDIT_UPDATE  6
#define VIRTIO_VSOCK_OP_CREDIT_REQUEST 7

#define VIRTIO_VSOCK_SHUTDOWN_RECEIVE 1u
#define VIRTIO_VSOCK_SHUTDOWN_SEND    2u
#define VIRTIO_VSOCK_SHUTDOWN_BOTH    3u

#define VIRTIO_VSOCK_SEQ_EOM 1u /* the last piece of a message */
#define VIRTIO_VSOCK_SEQ_EOR 2u /* it was sent with MSG_EOR */

#define VIRTIO_VSOCK_EVENT_TRANSPORT_RESET 0

/* Little-endian, and not aligned to 8 where it ends. */
struct virtio_vsock_hdr {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, len;
	uint16_t type, op;
	uint32_t flags, buf_alloc, fwd_cnt;
} __attribute__((packed));

_Static_assert(sizeof(struct sockaddr_vm) == 16, "sockaddr_vm");
_Static_assert(sizeof(struct virtio_vsock_hdr) == 44, "virtio_vsock_hdr");
