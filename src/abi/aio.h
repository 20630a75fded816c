/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux's asynchronous I/O (io_submit(2)).
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

#define IOCB_CMD_PREAD	 0
#define IOCB_CMD_PWRITE	 1
#define IOCB_CMD_FSYNC	 2
#define IOCB_CMD_FDSYNC	 3
#define IOCB_CMD_POLL	 5
#define IOCB_CMD_NOOP	 6
#define IOCB_CMD_PREADV	 7
#define IOCB_CMD_PWRITEV 8

#define IOCB_FLAG_RESFD	 1u
#define IOCB_FLAG_IOPRIO 2u

struct iocb {
	uint64_t data;
	uint32_t key;
	int32_t rw_flags;
	uint16_t opcode;
	int16_t reqprio;
	uint32_t fildes;
	uint64_t buf;
	uint64_t nbytes;
	int64_t offset;
	uint64_t reserved2;
	uint32_t flags;
	uint32_t resfd;
};
static_assert(sizeof(struct iocb) == 64, "struct iocb");

struct io_event {
	uint64_t data;
	uint64_t obj;
	int64_t res;
	int64_t res2;
};
static_assert(sizeof(struct io_event) == 32, "struct io_event");
