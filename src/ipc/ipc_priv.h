/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What shared memory, semaphores and message queues have in common: a table
 * of objects with keys, owners and permissions.
 */
#pragma once

#include <abi/prctl.h>
#include <base/compiler.h>
#include <base/refcount.h>
#include <base/types.h>
#include <ipc/ipc.h>
#include <sched/mutex.h>

struct seq_buf;

/*
 * Life: ipc_get() makes one, with the table's reference; each call in progress
 * has one too.  ipc_unlink() takes the object out of the table and gives the
 * table's reference to the caller.
 */
struct ipc_object {
	struct refcount refs;
	int id;		     /* [I] */
	int key;	     /* [table] */
	uint16_t seq;	     /* [I] */
	uint32_t uid, gid;   /* [table] */
	uint32_t cuid, cgid; /* [I] */
	uint32_t mode;	     /* [table] */
	int64_t ctime;	     /* [table] seconds */
};

/* What tells the three kinds of objects apart; size: bytes or semaphores. */
struct ipc_kind {
	unsigned max; /* objects */
	/* A new one, before it has an identifier.  Sleeps. */
	int (*make)(int key, uint64_t size, struct ipc_object **out);
	/* The last reference went. */
	void (*free)(struct ipc_object *o);
	/* How large it is, for who asks for one that exists. */
	uint64_t (*size)(struct ipc_object *o);
	/* /proc/sysvipc: the heading, and an object's line. */
	const char *heading;
	void (*show)(struct seq_buf *b, struct ipc_object *o);
};

struct ipc_table {
	const struct ipc_kind *kind; /* [I] */
	struct mutex lock;	     /* RANK_SLEEP_LEAF */
	struct ipc_object **slot;    /* [lock] */
	unsigned cap, used;	     /* [lock] */
	uint16_t seq;		     /* [lock] */
};

#define IPC_TABLE_INIT(name, of)                         \
	{                                                \
		.kind = (of), .lock = {                  \
			.rank = RANK_SLEEP_LEAF,         \
			.wq = WAITQ_INIT((name).lock.wq) \
		}                                        \
	}

/* shmget() and its kin: the identifier of the key's object, or of a new one.
 * -EEXIST, -ENOENT, -EINVAL (smaller than asked for), -EACCES, -ENOSPC. */
MUST_CHECK int ipc_get(struct ipc_table *t, int key, uint64_t size, int flags);
void ipc_put(struct ipc_table *t, struct ipc_object *o);
/* A reference to the object of id, if the program may: bits as of a file's
 * mode, 0444 to read, 0222 to write.  -EINVAL, -EACCES. */
MUST_CHECK int ipc_get_ref(struct ipc_table *t, int id, int bits,
			   struct ipc_object **out);
MUST_CHECK int ipc_may(const struct ipc_object *o, int bits);
/* IPC_SET where that is all.  -EINVAL, -EPERM. */
MUST_CHECK int ipc_set(struct ipc_table *t, int id, const struct ipc64_perm *p);
/* IPC_RMID: out of the table, whose reference is the caller's. */
MUST_CHECK int ipc_remove(struct ipc_table *t, int id, struct ipc_object **out);
int ipc_show(struct ipc_table *t, struct seq_buf *b);

/* The object without a reference, the table locked where they succeed: to
 * look at it (0444, 0222, 0: as ipc_get_ref()), for a command of its owner's
 * (-EPERM), for *_STAT (0 or its id; the permissions are copied). */
MUST_CHECK int ipc_lock(struct ipc_table *t, int id, int bits,
			struct ipc_object **out);
MUST_CHECK int ipc_control_lock(struct ipc_table *t, int id,
				struct ipc_object **out);
MUST_CHECK int ipc_stat_lock(struct ipc_table *t, int id, bool index, bool any,
			     struct ipc64_perm *p, struct ipc_object **out);
static inline void
ipc_unlock(struct ipc_table *t)
{
	mutex_unlock(&t->lock);
}

/* With the table's lock. */
void ipc_unlink(struct ipc_table *t, struct ipc_object *o);
void ipc_set_perm(struct ipc_object *o, const struct ipc64_perm *p);
/* The highest slot in use; 0 when there is none. */
int ipc_top(const struct ipc_table *t);
/* The next object from slot *at on, which it moves; NULL: no more. */
struct ipc_object *ipc_next(const struct ipc_table *t, unsigned *at);

int64_t ipc_now(void); /* seconds */
int ipc_pid(void);

/* Lines of /proc/sysvipc. */
int shm_show(struct seq_buf *s, void *arg);
int sem_show(struct seq_buf *s, void *arg);
int msg_show(struct seq_buf *s, void *arg);
