/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of System V IPC.
 */
#include <abi/errno.h>
#include <abi/ipc.h>
#include <ipc/ipc.h>
#include <linux/syscalls_gen.h>
#include <linux/usertime.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define FAST_OPS 16

/* What a command found goes to the program, unless it failed. */
static long
answer(int r, void __user *buf, const void *data, size_t len)
{
	return r >= 0 && copy_to_user(buf, data, len) ? -EFAULT : r;
}

/* ---- shared memory ---- */

long
sys_shmget(struct thread *t, int key, size_t size, int flags)
{
	(void)t;
	return shm_get(key, size, flags);
}

long
sys_shmat(struct thread *t, int id, uint64_t addr, int flags)
{
	(void)t;
	return shm_attach(id, addr, flags);
}

long
sys_shmdt(struct thread *t, uint64_t addr)
{
	(void)t;
	return shm_detach(addr);
}

long
sys_shmctl(struct thread *t, int id, int cmd, void __user *buf)
{
	struct shmid64_ds ds;
	struct shminfo64 limits;
	struct shm_info usage;
	int r;

	(void)t;
	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
		r = shm_limits(&limits);
		return answer(r, buf, &limits, sizeof(limits));
	case SHM_INFO:
		r = shm_usage(&usage);
		return answer(r, buf, &usage, sizeof(usage));
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		r = shm_stat(id, cmd != IPC_STAT, cmd == SHM_STAT_ANY, &ds);
		return answer(r, buf, &ds, sizeof(ds));
	case IPC_SET:
		r = copy_from_user(&ds, buf, sizeof(ds));
		return r ? r : shm_set(id, &ds.perm);
	case IPC_RMID:
		return shm_remove(id);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return shm_lock(id, cmd == SHM_LOCK);
	default:
		return -EINVAL;
	}
}

/* ---- semaphores ---- */

long
sys_semget(struct thread *t, int key, int nsems, int flags)
{
	(void)t;
	return sem_get(key, nsems, flags);
}

static long
do_semop(int id, const void __user *uops, uint32_t n, uint64_t deadline)
{
	struct sembuf fast[FAST_OPS], *ops = fast;
	long r;

	if (n > FAST_OPS) {
		ops = kcalloc(n, sizeof(*ops), ALLOC_KERNEL);
		if (!ops)
			return -ENOMEM;
	}
	r = copy_from_user(ops, uops, n * sizeof(*ops));
	if (!r && id < 0)
		r = -EINVAL;
	if (!r)
		r = sem_op(id, ops, n, deadline);
	if (ops != fast)
		kfree(ops);
	return r;
}

long
sys_semtimedop(struct thread *t, int id, const void __user *ops, uint32_t n,
	       const void __user *timeout)
{
	uint64_t deadline;
	int err = get_user_timeout(timeout, &deadline);

	(void)t;
	if (err)
		return err;
	if (n < 1)
		return -EINVAL;
	if (n > SEM_MAX_OPS)
		return -E2BIG;
	return do_semop(id, ops, n, deadline);
}

long
sys_semop(struct thread *t, int id, const void __user *ops, uint32_t n)
{
	return sys_semtimedop(t, id, ops, n, NULL);
}

/* SEM_GETALL and SEM_SETALL. */
static long
all_values(int id, void __user *buf, bool set)
{
	int n = sem_count(id, set);
	uint16_t *val;
	long r;

	if (n < 0)
		return n;
	val = kcalloc((size_t)n, sizeof(*val), ALLOC_KERNEL);
	if (!val)
		return -ENOMEM;
	if (set) {
		r = copy_from_user(val, buf, (size_t)n * sizeof(*val));
		if (!r)
			r = sem_set_all(id, val, (unsigned)n);
	} else {
		r = sem_get_all(id, val, (unsigned)n);
		if (!r)
			r = copy_to_user(buf, val, (size_t)n * sizeof(*val));
	}
	kfree(val);
	return r;
}

long
sys_semctl(struct thread *t, int id, int num, int cmd, uint64_t arg)
{
	void __user *buf = (void __user *)arg;
	struct semid64_ds ds;
	struct seminfo info;
	int r;

	(void)t;
	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case SEM_INFO:
		r = sem_limits(&info, cmd == SEM_INFO);
		return answer(r, buf, &info, sizeof(info));
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		r = sem_stat(id, cmd != IPC_STAT, cmd == SEM_STAT_ANY, &ds);
		return answer(r, buf, &ds, sizeof(ds));
	case SEM_GETALL:
	case SEM_SETALL:
		return all_values(id, buf, cmd == SEM_SETALL);
	case SEM_GETVAL:
	case SEM_GETPID:
	case SEM_GETNCNT:
	case SEM_GETZCNT:
		return sem_query(id, num, cmd);
	case SEM_SETVAL:
		return sem_set_value(id, num, (int)arg);
	case IPC_SET:
		r = copy_from_user(&ds, buf, sizeof(ds));
		return r ? r : sem_set_perm(id, &ds.perm);
	case IPC_RMID:
		return sem_remove(id);
	default:
		return -EINVAL;
	}
}

/* ---- message queues ---- */

long
sys_msgget(struct thread *t, int key, int flags)
{
	(void)t;
	return msg_get(key, flags);
}

long
sys_msgsnd(struct thread *t, int id, const void __user *msg, size_t size,
	   int flags)
{
	const char __user *text = (const char __user *)msg + sizeof(int64_t);
	int64_t type;
	void *data;
	long r;

	(void)t;
	if (copy_from_user(&type, msg, sizeof(type)))
		return -EFAULT;
	if (size > MSG_MAX_BYTES || id < 0 || type < 1)
		return -EINVAL;
	data = kmalloc(size ? size : 1, ALLOC_KERNEL);
	if (!data)
		return -ENOMEM;
	r = copy_from_user(data, text, size);
	if (!r)
		r = msg_send(id, type, data, size, flags);
	kfree(data);
	return r;
}

long
sys_msgrcv(struct thread *t, int id, void __user *msg, size_t size,
	   int64_t type, int flags)
{
	char __user *text = (char __user *)msg + sizeof(int64_t);
	struct ipc_msg *m;
	int64_t got;
	size_t len;
	long r;

	(void)t;
	if (id < 0 || (int64_t)size < 0)
		return -EINVAL;
	r = msg_receive(id, type, size, flags, &m, &len);
	if (r)
		return r;
	/* What cannot be copied out is lost, as on Linux. */
	got = msg_type(m);
	r = (long)len;
	if (copy_to_user(msg, &got, sizeof(got)) ||
	    copy_to_user(text, msg_data(m), len))
		r = -EFAULT;
	kfree(m);
	return r;
}

long
sys_msgctl(struct thread *t, int id, int cmd, void __user *buf)
{
	struct msqid64_ds ds;
	struct msginfo info;
	int r;

	(void)t;
	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case MSG_INFO:
		r = msg_limits(&info, cmd == MSG_INFO);
		return answer(r, buf, &info, sizeof(info));
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		r = msg_stat(id, cmd != IPC_STAT, cmd == MSG_STAT_ANY, &ds);
		return answer(r, buf, &ds, sizeof(ds));
	case IPC_SET:
		r = copy_from_user(&ds, buf, sizeof(ds));
		return r ? r : msg_set(id, &ds.perm, ds.qbytes);
	case IPC_RMID:
		return msg_remove(id);
	default:
		return -EINVAL;
	}
}
