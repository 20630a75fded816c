/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux's io_uring (io_uring(7), io_uring_enter(2)): what is implemented of
 * it, by Linux's names.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct io_uring_sqe {
	uint8_t opcode, flags;
	uint16_t ioprio;
	int32_t fd;
	uint64_t off;  /* addr2 */
	uint64_t addr; /* splice_off_in */
	uint32_t len;
	uint32_t op_flags;
	uint64_t user_data;
	uint16_t buf_index; /* buf_group */
	uint16_t personality;
	uint32_t file_index; /* splice_fd_in; addr_len, 16 bits */
	uint64_t addr3;
	uint64_t pad;
};
static_assert(sizeof(struct io_uring_sqe) == 64, "struct io_uring_sqe");

struct io_uring_cqe {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
};
static_assert(sizeof(struct io_uring_cqe) == 16, "struct io_uring_cqe");

#define IOSQE_FIXED_FILE       (1u << 0)
#define IOSQE_IO_DRAIN	       (1u << 1)
#define IOSQE_IO_LINK	       (1u << 2)
#define IOSQE_IO_HARDLINK      (1u << 3)
#define IOSQE_ASYNC	       (1u << 4)
#define IOSQE_BUFFER_SELECT    (1u << 5)
#define IOSQE_CQE_SKIP_SUCCESS (1u << 6)

#define IORING_SETUP_SQPOLL	   (1u << 1)
#define IORING_SETUP_SQ_AFF	   (1u << 2)
#define IORING_SETUP_CQSIZE	   (1u << 3)
#define IORING_SETUP_CLAMP	   (1u << 4)
#define IORING_SETUP_ATTACH_WQ	   (1u << 5)
#define IORING_SETUP_R_DISABLED	   (1u << 6)
#define IORING_SETUP_SUBMIT_ALL	   (1u << 7)
#define IORING_SETUP_COOP_TASKRUN  (1u << 8)
#define IORING_SETUP_TASKRUN_FLAG  (1u << 9)
#define IORING_SETUP_SQE128	   (1u << 10)
#define IORING_SETUP_CQE32	   (1u << 11)
#define IORING_SETUP_SINGLE_ISSUER (1u << 12)
#define IORING_SETUP_DEFER_TASKRUN (1u << 13)

enum io_uring_op {
	IORING_OP_NOP,
	IORING_OP_READV,
	IORING_OP_WRITEV,
	IORING_OP_FSYNC,
	IORING_OP_READ_FIXED,
	IORING_OP_WRITE_FIXED,
	IORING_OP_POLL_ADD,
	IORING_OP_POLL_REMOVE,
	IORING_OP_SYNC_FILE_RANGE,
	IORING_OP_SENDMSG,
	IORING_OP_RECVMSG,
	IORING_OP_TIMEOUT,
	IORING_OP_TIMEOUT_REMOVE,
	IORING_OP_ACCEPT,
	IORING_OP_ASYNC_CANCEL,
	IORING_OP_LINK_TIMEOUT,
	IORING_OP_CONNECT,
	IORING_OP_FALLOCATE,
	IORING_OP_OPENAT,
	IORING_OP_CLOSE,
	IORING_OP_FILES_UPDATE,
	IORING_OP_STATX,
	IORING_OP_READ,
	IORING_OP_WRITE,
	IORING_OP_FADVISE,
	IORING_OP_MADVISE,
	IORING_OP_SEND,
	IORING_OP_RECV,
	IORING_OP_OPENAT2,
	IORING_OP_EPOLL_CTL,
	IORING_OP_SPLICE,
	IORING_OP_PROVIDE_BUFFERS,
	IORING_OP_REMOVE_BUFFERS,
	IORING_OP_TEE,
	IORING_OP_SHUTDOWN,
	IORING_OP_RENAMEAT,
	IORING_OP_UNLINKAT,
	IORING_OP_MKDIRAT,
	IORING_OP_SYMLINKAT,
	IORING_OP_LINKAT,
	IORING_OP_MSG_RING,
	IORING_OP_FSETXATTR,
	IORING_OP_SETXATTR,
	IORING_OP_FGETXATTR,
	IORING_OP_GETXATTR,
	IORING_OP_SOCKET,
	IORING_OP_URING_CMD,
	IORING_OP_SEND_ZC,
	IORING_OP_SENDMSG_ZC,
	IORING_OP_LAST,
};

#define IORING_FILE_INDEX_ALLOC (~0u) /* any free place of the table */

#define IORING_FSYNC_DATASYNC	     1u
#define IORING_TIMEOUT_ABS	     (1u << 0)
#define IORING_TIMEOUT_UPDATE	     (1u << 1)
#define IORING_TIMEOUT_BOOTTIME	     (1u << 2)
#define IORING_TIMEOUT_REALTIME	     (1u << 3)
#define IORING_LINK_TIMEOUT_UPDATE   (1u << 4)
#define IORING_TIMEOUT_ETIME_SUCCESS (1u << 5)

/* In len, of polls. */
#define IORING_POLL_ADD_MULTI	     (1u << 0)
#define IORING_POLL_UPDATE_EVENTS    (1u << 1)
#define IORING_POLL_UPDATE_USER_DATA (1u << 2)
#define IORING_POLL_ADD_LEVEL	     (1u << 3)

#define IORING_ASYNC_CANCEL_ALL	     (1u << 0)
#define IORING_ASYNC_CANCEL_FD	     (1u << 1)
#define IORING_ASYNC_CANCEL_ANY	     (1u << 2)
#define IORING_ASYNC_CANCEL_FD_FIXED (1u << 3)
#define IORING_ASYNC_CANCEL_USERDATA (1u << 4)
#define IORING_ASYNC_CANCEL_OP	     (1u << 5)

/* In ioprio, of what sends and receives, and of accept. */
#define IORING_RECVSEND_POLL_FIRST  (1u << 0)
#define IORING_RECV_MULTISHOT	    (1u << 1)
#define IORING_RECVSEND_FIXED_BUF   (1u << 2)
#define IORING_SEND_ZC_REPORT_USAGE (1u << 3)
#define IORING_ACCEPT_MULTISHOT	    (1u << 0)

#define IORING_NOTIF_USAGE_ZC_COPIED (1u << 31)

/* In addr, of MSG_RING. */
#define IORING_MSG_DATA	   0u
#define IORING_MSG_SEND_FD 1u

#define IORING_MSG_RING_CQE_SKIP   (1u << 0)
#define IORING_MSG_RING_FLAGS_PASS (1u << 1)

#define IORING_CQE_F_BUFFER	   (1u << 0)
#define IORING_CQE_F_MORE	   (1u << 1)
#define IORING_CQE_F_SOCK_NONEMPTY (1u << 2)
#define IORING_CQE_F_NOTIF	   (1u << 3)
#define IORING_CQE_BUFFER_SHIFT	   16

#define IORING_OFF_SQ_RING 0ull
#define IORING_OFF_CQ_RING 0x8000000ull
#define IORING_OFF_SQES	   0x10000000ull

#define IORING_SQ_NEED_WAKEUP (1u << 0)
#define IORING_SQ_CQ_OVERFLOW (1u << 1)
#define IORING_SQ_TASKRUN     (1u << 2)

#define IORING_CQ_EVENTFD_DISABLED (1u << 0) /* the program's, in cq_flags */

#define IORING_ENTER_GETEVENTS (1u << 0)
#define IORING_ENTER_SQ_WAKEUP (1u << 1)
#define IORING_ENTER_SQ_WAIT   (1u << 2)
#define IORING_ENTER_EXT_ARG   (1u << 3)

struct io_sqring_offsets {
	uint32_t head, tail, ring_mask, ring_entries, flags, dropped, array;
	uint32_t resv1;
	uint64_t user_addr;
};

struct io_cqring_offsets {
	uint32_t head, tail, ring_mask, ring_entries, overflow, cqes, flags;
	uint32_t resv1;
	uint64_t user_addr;
};

struct io_uring_params {
	uint32_t sq_entries, cq_entries, flags, sq_thread_cpu;
	uint32_t sq_thread_idle, features, wq_fd, resv[3];
	struct io_sqring_offsets sq_off;
	struct io_cqring_offsets cq_off;
};
static_assert(sizeof(struct io_uring_params) == 120, "io_uring_params");

#define IORING_FEAT_SINGLE_MMAP	    (1u << 0)
#define IORING_FEAT_NODROP	    (1u << 1)
#define IORING_FEAT_RW_CUR_POS	    (1u << 3)
#define IORING_FEAT_CUR_PERSONALITY (1u << 4)
#define IORING_FEAT_FAST_POLL	    (1u << 5)
#define IORING_FEAT_POLL_32BITS	    (1u << 6)
#define IORING_FEAT_SQPOLL_NONFIXED (1u << 7)
#define IORING_FEAT_EXT_ARG	    (1u << 8)
#define IORING_FEAT_RSRC_TAGS	    (1u << 10)
#define IORING_FEAT_CQE_SKIP	    (1u << 11)
#define IORING_FEAT_LINKED_FILE	    (1u << 12)

#define IORING_REGISTER_BUFFERS		 0
#define IORING_UNREGISTER_BUFFERS	 1
#define IORING_REGISTER_FILES		 2
#define IORING_UNREGISTER_FILES		 3
#define IORING_REGISTER_EVENTFD		 4
#define IORING_UNREGISTER_EVENTFD	 5
#define IORING_REGISTER_FILES_UPDATE	 6
#define IORING_REGISTER_EVENTFD_ASYNC	 7
#define IORING_REGISTER_PROBE		 8
#define IORING_REGISTER_ENABLE_RINGS	 12
#define IORING_REGISTER_FILES2		 13
#define IORING_REGISTER_FILES_UPDATE2	 14
#define IORING_REGISTER_BUFFERS2	 15
#define IORING_REGISTER_BUFFERS_UPDATE	 16
#define IORING_REGISTER_PBUF_RING	 22
#define IORING_UNREGISTER_PBUF_RING	 23
#define IORING_REGISTER_SYNC_CANCEL	 24
#define IORING_REGISTER_FILE_ALLOC_RANGE 25

#define IORING_RSRC_REGISTER_SPARSE (1u << 0)

struct io_uring_rsrc_register {
	uint32_t nr, flags;
	uint64_t resv2, data, tags;
};
static_assert(sizeof(struct io_uring_rsrc_register) == 32, "rsrc_register");

/* The short form (FILES_UPDATE) ends behind data. */
struct io_uring_rsrc_update2 {
	uint32_t offset, resv;
	uint64_t data, tags;
	uint32_t nr, resv2;
};
static_assert(sizeof(struct io_uring_rsrc_update2) == 32, "rsrc_update2");
static_assert(offsetof(struct io_uring_rsrc_update2, tags) == 16, "update");

struct io_uring_buf {
	uint64_t addr;
	uint32_t len;
	uint16_t bid;
	uint16_t resv; /* of the first one: the ring's tail */
};
static_assert(sizeof(struct io_uring_buf) == 16, "io_uring_buf");

struct io_uring_buf_reg {
	uint64_t ring_addr;
	uint32_t ring_entries;
	uint16_t bgid, pad;
	uint64_t resv[3];
};
static_assert(sizeof(struct io_uring_buf_reg) == 40, "io_uring_buf_reg");

struct io_uring_sync_cancel_reg {
	uint64_t addr;
	int32_t fd;
	uint32_t flags;
	int64_t sec, nsec; /* of the time-out; -1, -1: none */
	uint64_t pad[4];
};
static_assert(sizeof(struct io_uring_sync_cancel_reg) == 64, "sync_cancel");

struct io_uring_file_index_range {
	uint32_t off, len;
	uint64_t resv;
};

struct io_uring_recvmsg_out {
	uint32_t namelen, controllen, payloadlen, flags;
};

struct io_uring_probe_op {
	uint8_t op, resv;
	uint16_t flags;
	uint32_t resv2;
};
#define IO_URING_OP_SUPPORTED 1u

struct io_uring_probe {
	uint8_t last_op, ops_len;
	uint16_t resv;
	uint32_t resv2[3];
};
static_assert(sizeof(struct io_uring_probe) == 16, "io_uring_probe");

struct io_uring_getevents_arg {
	uint64_t sigmask;
	uint32_t sigmask_sz, pad;
	uint64_t ts;
};
static_assert(sizeof(struct io_uring_getevents_arg) == 24, "getevents_arg");
