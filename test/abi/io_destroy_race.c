/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a context of asynchronous I/O ends, and its polls are called off,
 * while another thread is about to start them.  Method: two threads, many
 * contexts; who comes first is chance, that both come to an end is not.
 * CALLS: io_destroy io_cancel
 */
#define _GNU_SOURCE
#include "proc_common.h"

#include <linux/aio_abi.h>
#include <poll.h>

#define ROUNDS 40

static volatile aio_context_t ctx;
static volatile int over;
static int ends[2];

static void *
submit(void *arg)
{
	struct iocb io = { .aio_lio_opcode = IOCB_CMD_POLL,
			   .aio_buf = POLLIN,
			   .aio_fildes = (unsigned)ends[0] },
		    *v[1] = { &io };

	while (!over)
		syscall(SYS_io_submit, ctx, 1L, v);
	return arg;
}

static void *
cancel(void *arg)
{
	struct io_event ev;
	struct iocb io = { 0 };

	while (!over)
		syscall(SYS_io_cancel, ctx, &io, &ev);
	return arg;
}

int
main(void)
{
	int failed = 0;
	pthread_t p[2];

	if (pipe(ends))
		return 1;
	start_thread(&p[0], submit, NULL);
	start_thread(&p[1], cancel, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		aio_context_t c = 0;

		failed += syscall(SYS_io_setup, 8L, &c) != 0;
		ctx = c;
		sched_yield();
		failed += syscall(SYS_io_destroy, c) != 0;
	}
	over = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(p[i], NULL);
	show("contexts that did not come or go", failed);
	return 0;
}
