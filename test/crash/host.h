/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file layers as a Linux program: what they stand on, and a disk in
 * memory that remembers what was written to it and when it was flushed.
 */
#pragma once

#include "../unit/host/core.h"

#include <base/types.h>

struct blk_device;

/* One thing that happened to a disk. */
struct host_event {
	enum { EV_WRITE, EV_FLUSH, EV_MARK } kind;
	uint64_t offset;
	uint32_t len;
	uint32_t mark; /* EV_MARK: the test's number */
	uint8_t *data;
};

struct host_disk {
	uint8_t *data;
	size_t size;
	bool record;
	struct host_event *log;
	size_t nlog, room;
	unsigned fail_reads, fail_writes; /* every nth request fails; 0 */
	unsigned nreads, nwrites, nflushes;
	bool (*refuses)(const void *data, size_t len); /* a piece; NULL */
	struct blk_device *dev;
};

void host_init(void);
/* A disk with these contents, which it takes over. */
void host_disk_add(struct host_disk *d, const char *name, uint8_t *data,
		   size_t size);
void host_disk_mark(struct host_disk *d, uint32_t mark);
/* Memory: an allocation in so many fails; 0: none. */
extern unsigned host_fail_every;
/* The contents of a file; ends the program where that fails. */
uint8_t *host_read_file(const char *path, size_t *size);
/* Ends the process after so much CPU time: a loop, not a slow machine. */
void host_limit(unsigned seconds);
/* Pages that are zero become holes. */
void host_write_file(const char *path, const void *data, size_t size);
/* A file as memory: what is written there is in the file. */
uint8_t *host_map_file(const char *path, size_t *size);
/* Runs a program of the host's; its status, and what it printed. */
int host_run(char *const argv[], char *out, size_t size);
/* The test's dice: below n; rnd_seed chooses the sequence. */
unsigned rnd(unsigned n);
extern uint64_t rnd_seed;
extern uint64_t host_clock_ns;
