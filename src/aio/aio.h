/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux's asynchronous I/O: contexts, and requests in them.
 */
#pragma once

#include <abi/aio.h>
#include <base/compiler.h>
#include <base/types.h>

#define AIO_MAX_EVENTS 65536u /* of all contexts: /proc/sys/fs/aio-max-nr */

struct aio_ctx;

/* *id: the address of a page of the program's, which names the context. */
MUST_CHECK int aio_create(unsigned nr, uint64_t *id);
/* Ends it: waits for what is under way.  -EINVAL. */
MUST_CHECK int aio_destroy(uint64_t id);
/* With a reference, or NULL. */
struct aio_ctx *aio_get(uint64_t id);
void aio_put(struct aio_ctx *c);
/* One request; iocb is the program's address of it. */
MUST_CHECK int aio_submit(struct aio_ctx *c, uint64_t iocb);
/* Between min and nr events, until the deadline: how many, or -errno. */
long aio_wait(struct aio_ctx *c, long min, long nr,
	      struct io_event __user *events, uint64_t deadline_ns);
MUST_CHECK int aio_cancel(struct aio_ctx *c, uint64_t iocb);

/* Ends all requests and contexts, those of io_uring too: the program's memory
 * is about to go. */
void aio_end_all(void);
