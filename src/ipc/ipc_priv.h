/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What shared memory, semaphores and message queues have in common: a table
 * of objects with keys, owners and permissions.
 */
#pragma once

#include <base/compiler.h>
#include <base/refcount.h>
#include <base/types.h>
#include <ipc/ipc.h>
#include <sched/mutex.h>

struct seq_buf;

/*
 * Life: ipc_add() gives the table's reference; each call in progress has one.
 * ipc_unlink() takes the object out of the table and gives the table's
 * reference to the caller.
 */
struct ipc_object {
	struct refcount refs;
	int id;			 /* [I] */
	int key;		 /* [table] */
	uint16_t seq;		 /* [I] */
	uint32_t uid, gid;	 /* [table] */
	uint32_t cuid, cgid;	 /* [I] */
	uint32_t mode;		 /* [table] */
	int64_t ctime;		 /* [table] seconds */
};

struct ipc_table {
	struct mutex lock;	 /* RANK_SLEEP_LEAF */
	struct ipc_object **slot; /* [lock] */
	unsigned cap, used;	 /* [lock] */
	unsigned max;		 /* [I] */
	unsigned next;		 /* [lock] slot to try first */
	uint16_t seq;		 /* [lock] */
	void (*free)(struct ipc_object *o); /* [I] the last reference */
};

#define IPC_TABLE_INIT(name, n, fn)                                            \
	{ .lock = { .rank = RANK_SLEEP_LEAF,                                   \
		    .wq = WAITQ_INIT((name).lock.wq) },                        \
	  .max = (n), .free = (fn) }

void ipc_put(struct ipc_table *t, struct ipc_object *o);

/* All with the table's lock. */
MUST_CHECK int ipc_add(struct ipc_table *t, struct ipc_object *o, int key,
		       int mode);
struct ipc_object *ipc_find_key(struct ipc_table *t, int key);
/* No reference; -EINVAL. */
MUST_CHECK int ipc_find(struct ipc_table *t, int id, struct ipc_object **out);
MUST_CHECK int ipc_find_index(struct ipc_table *t, int index,
			      struct ipc_object **out);
void ipc_unlink(struct ipc_table *t, struct ipc_object *o);
/* The highest slot in use; 0 when there is none. */
int ipc_top(const struct ipc_table *t);
/* bits as of a file's mode: 0444 to read, 0222 to write.  -EACCES. */
MUST_CHECK int ipc_may(const struct ipc_object *o, int bits);
/* The owner's commands: -EPERM. */
MUST_CHECK int ipc_may_control(const struct ipc_object *o);
void ipc_set_perm(struct ipc_object *o, const struct ipc64_perm *p);
void ipc_get_perm(const struct ipc_object *o, struct ipc64_perm *p);

/* A reference to the object of id, if the program may: takes the lock. */
MUST_CHECK int ipc_get_ref(struct ipc_table *t, int id, int bits,
			   struct ipc_object **out);
/* The object for *_STAT; returned locked on success, 0 or its id. */
MUST_CHECK int ipc_stat_lock(struct ipc_table *t, int id, bool index, bool any,
			     struct ipc_object **out);
int64_t ipc_now(void); /* seconds */
int ipc_pid(void);
#define CAP_IPC_LOCK  14
#define CAP_IPC_OWNER 15

/* Lines of /proc/sysvipc. */
int shm_show(struct seq_buf *s, void *arg);
int sem_show(struct seq_buf *s, void *arg);
int msg_show(struct seq_buf *s, void *arg);
