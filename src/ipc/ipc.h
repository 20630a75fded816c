/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V IPC and POSIX message queues.
 *
 * There is one process; what these give is communication between its
 * threads, and shared memory for programs that ask for it by this name.
 * Objects live until they are removed, or the machine ends.
 *
 * Identifiers, permissions and the order of checks are Linux's; `index`
 * forms (IPC's *_STAT) name a slot of the table and answer its identifier.
 */
#pragma once

#include <abi/ipc.h>
#include <base/compiler.h>
#include <base/types.h>

struct file;

/* Bounds, as Linux's defaults; told by the *_INFO commands and /proc. */
#define SHM_MAX_SEGMENTS 4096u
#define SHM_MAX_BYTES	 (UINT64_MAX - (1ull << 24))
#define SEM_MAX_SETS	 32000u
#define SEM_MAX_PER_SET	 32000u
#define SEM_MAX_OPS	 500u
#define MSG_MAX_QUEUES	 32000u
#define MSG_MAX_BYTES	 8192u	/* of one message */
#define MSG_QUEUE_BYTES	 16384u /* of one queue, at first */
#define MQ_MAX_QUEUES	 256u
#define MQ_DEFAULT_MSGS	 10
#define MQ_DEFAULT_SIZE	 8192

void ipc_init(void); /* boot: registers /proc/sysvipc */

MUST_CHECK int shm_get(int key, uint64_t size, int flags);
MUST_CHECK long shm_attach(int id, uint64_t addr, int flags);
MUST_CHECK int shm_detach(uint64_t addr);
MUST_CHECK int shm_stat(int id, bool index, bool any, struct shmid64_ds *out);
MUST_CHECK int shm_set(int id, const struct ipc64_perm *perm);
MUST_CHECK int shm_lock(int id, bool lock);
MUST_CHECK int shm_remove(int id);
/* Both answer the highest slot in use. */
int shm_limits(struct shminfo64 *out);
int shm_usage(struct shm_info *out);

MUST_CHECK int sem_get(int key, int nsems, int flags);
/* deadline_ns: of thread_sleep(). */
MUST_CHECK int sem_op(int id, const struct sembuf *ops, unsigned n,
		      uint64_t deadline_ns);
MUST_CHECK int sem_stat(int id, bool index, bool any, struct semid64_ds *out);
MUST_CHECK int sem_set_perm(int id, const struct ipc64_perm *perm);
MUST_CHECK int sem_remove(int id);
/* SEM_GETPID, GETVAL, GETNCNT, GETZCNT. */
MUST_CHECK int sem_query(int id, int num, int cmd);
MUST_CHECK int sem_set_value(int id, int num, int val);
/* How many; then all values, of and into an array of that length. */
MUST_CHECK int sem_count(int id, bool write);
MUST_CHECK int sem_get_all(int id, uint16_t *val, unsigned n);
MUST_CHECK int sem_set_all(int id, const uint16_t *val, unsigned n);
int sem_limits(struct seminfo *out, bool usage);

MUST_CHECK int msg_get(int key, int flags);
/* Consumes nothing; data is a kernel buffer. */
MUST_CHECK int msg_send(int id, int64_t type, const void *data, size_t len,
			int flags);
/* One message in *out, to be freed by kfree(); at most `max` bytes of it are
 * the caller's: *len. */
struct ipc_msg;
MUST_CHECK int msg_receive(int id, int64_t type, size_t max, int flags,
			   struct ipc_msg **out, size_t *len);
int64_t msg_type(const struct ipc_msg *m);
const void *msg_data(const struct ipc_msg *m);
MUST_CHECK int msg_stat(int id, bool index, bool any, struct msqid64_ds *out);
MUST_CHECK int msg_set(int id, const struct ipc64_perm *perm, uint64_t qbytes);
MUST_CHECK int msg_remove(int id);
int msg_limits(struct msginfo *out, bool usage);

/* POSIX: name without the slash; attr NULL: the defaults. */
MUST_CHECK int mq_open_file(const char *name, int oflags, uint32_t mode,
			    const struct mq_attr *attr, struct file **out);
MUST_CHECK int mq_unlink_name(const char *name);
/* -EBADF: no queue.  deadline as above. */
MUST_CHECK int mq_check(struct file *f, bool write, int64_t *msgsize);
MUST_CHECK int mq_send(struct file *f, const void *data, size_t len,
		       uint32_t prio, uint64_t deadline_ns);
MUST_CHECK ssize_t mq_receive(struct file *f, size_t room, uint32_t *prio,
			      uint64_t deadline_ns, void **data);

/* How who asked is told of a message: SIGEV_NONE, SIGEV_SIGNAL, or
 * SIGEV_THREAD: by a datagram to a socket, whose last byte says why. */
#define MQ_COOKIE_LEN 32
#define MQ_WOKEN      1
#define MQ_REMOVED    2
struct mq_notice {
	int how;
	int sig;
	uint64_t value;
	struct file *sock; /* a reference */
	uint8_t cookie[MQ_COOKIE_LEN];
	void (*tell)(struct file *sock, const void *cookie, uint32_t len);
};
/* Takes over the reference, unless it fails; NULL: the registration goes. */
MUST_CHECK int mq_notify_set(struct file *f, const struct mq_notice *notice);
MUST_CHECK int mq_attributes(struct file *f, struct mq_attr *out);
