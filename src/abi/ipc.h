/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux's System V IPC and POSIX message queues: constants and structures
 * (x86-64 and aarch64 are alike).
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

#define IPC_PRIVATE 0
#define IPC_CREAT   01000
#define IPC_EXCL    02000
#define IPC_NOWAIT  04000

#define IPC_RMID 0
#define IPC_SET	 1
#define IPC_STAT 2
#define IPC_INFO 3

struct ipc64_perm {
	int32_t key;
	uint32_t uid, gid, cuid, cgid;
	uint32_t mode;
	uint16_t seq, pad;
	uint64_t unused[2];
};
static_assert(sizeof(struct ipc64_perm) == 48, "struct ipc64_perm");

/* ---- shared memory ---- */
#define SHM_RDONLY    010000
#define SHM_RND	      020000
#define SHM_REMAP     040000
#define SHM_EXEC      0100000
#define SHM_HUGETLB   04000
#define SHM_NORESERVE 010000
#define SHM_DEST      01000
#define SHM_LOCKED    02000

#define SHM_LOCK     11
#define SHM_UNLOCK   12
#define SHM_STAT     13
#define SHM_INFO     14
#define SHM_STAT_ANY 15

struct shmid64_ds {
	struct ipc64_perm perm;
	uint64_t segsz;
	int64_t atime, dtime, ctime;
	int32_t cpid, lpid;
	uint64_t nattch;
	uint64_t unused[2];
};
static_assert(sizeof(struct shmid64_ds) == 112, "struct shmid64_ds");

struct shminfo64 {
	uint64_t shmmax, shmmin, shmmni, shmseg, shmall;
	uint64_t unused[4];
};
static_assert(sizeof(struct shminfo64) == 72, "struct shminfo64");

struct shm_info {
	int32_t used_ids;
	uint64_t tot, rss, swp, attempts, successes;
};
static_assert(sizeof(struct shm_info) == 48, "struct shm_info");

/* ---- semaphores ---- */
#define SEM_UNDO 010000

#define SEM_GETPID   11
#define SEM_GETVAL   12
#define SEM_GETALL   13
#define SEM_GETNCNT  14
#define SEM_GETZCNT  15
#define SEM_SETVAL   16
#define SEM_SETALL   17
#define SEM_STAT     18
#define SEM_INFO     19
#define SEM_STAT_ANY 20

#define SEMVMX 32767

struct sembuf {
	uint16_t num;
	int16_t op;
	int16_t flags;
};
static_assert(sizeof(struct sembuf) == 6, "struct sembuf");

struct semid64_ds {
	struct ipc64_perm perm;
	int64_t otime;
	uint64_t unused1;
	int64_t ctime;
	uint64_t unused2;
	uint64_t nsems;
	uint64_t unused[2];
};
static_assert(sizeof(struct semid64_ds) == 104, "struct semid64_ds");

struct seminfo {
	int32_t semmap, semmni, semmns, semmnu, semmsl, semopm, semume;
	int32_t semusz, semvmx, semaem;
};
static_assert(sizeof(struct seminfo) == 40, "struct seminfo");

/* ---- message queues ---- */
#define MSG_NOERROR 010000
#define MSG_EXCEPT  020000
#define MSG_COPY    040000

#define MSG_STAT     11
#define MSG_INFO     12
#define MSG_STAT_ANY 13

struct msqid64_ds {
	struct ipc64_perm perm;
	int64_t stime, rtime, ctime;
	uint64_t cbytes, qnum, qbytes;
	int32_t lspid, lrpid;
	uint64_t unused[2];
};
static_assert(sizeof(struct msqid64_ds) == 120, "struct msqid64_ds");

struct msginfo {
	int32_t msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql;
	uint16_t msgseg;
};
static_assert(sizeof(struct msginfo) == 32, "struct msginfo");

/* ---- POSIX message queues ---- */
#define MQ_PRIO_MAX 32768

struct mq_attr {
	int64_t flags, maxmsg, msgsize, curmsgs;
	int64_t reserved[4];
};
static_assert(sizeof(struct mq_attr) == 64, "struct mq_attr");
