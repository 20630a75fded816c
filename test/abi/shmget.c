/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: System V shared memory: keys and permissions, attaching in every
 * way, parts unmapped, removal while attached, the numbers of shmctl.
 * CALLS: shmat shmdt shmctl
 * NEEDS: root
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

static key_t key;
static sigjmp_buf jump;

static void
on_fault(int sig)
{
	siglongjmp(jump, sig);
}

static void
touch(const char *what, volatile char *p, int write)
{
	int sig = sigsetjmp(jump, 1);

	if (!sig) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
	printf("%s: %s\n", what, sig ? sigabbrev_np(sig) : "ok");
}

static void
stat_of(const char *what, int id)
{
	struct shmid_ds d;
	int r = shmctl(id, IPC_STAT, &d);

	if (r) {
		printf("%s: %s\n", what, strerrorname_np(errno));
		return;
	}
	printf("%s: key %s size %lu mode %o nattch %lu uid %u gid %u cuid %u "
	       "cpid %d lpid %d atime %d dtime %d ctime %d\n",
	       what,
	       d.shm_perm.__key == key ? "ours" :
	       d.shm_perm.__key	       ? "other" :
					 "none",
	       d.shm_segsz, d.shm_perm.mode, d.shm_nattch, d.shm_perm.uid,
	       d.shm_perm.gid, d.shm_perm.cuid, d.shm_cpid == getpid(),
	       d.shm_lpid == getpid(), !!d.shm_atime, !!d.shm_dtime,
	       !!d.shm_ctime);
}

static void
proc_line(int id)
{
	FILE *f = fopen("/proc/sysvipc/shm", "r");
	char line[512];
	int n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		int k, i, mode, cpid, lpid, natt;
		unsigned long size;

		if (!n++)
			printf("%s", line);
		else if (sscanf(line, "%d %d %o %lu %d %d %d", &k, &i, &mode,
				&size, &cpid, &lpid, &natt) == 7 &&
			 i == id)
			printf("line: mode %o size %lu nattch %d, %zu long\n",
			       mode, size, natt, strlen(line));
	}
	if (f)
		fclose(f);
}

static void
getting(void)
{
	int id, other;

	SHOW(shmget(key, 100, 0600));
	SHOW_OK(id = shmget(key, 10000, IPC_CREAT | 0640));
	stat_of("new", id);
	SHOW(shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0640));
	SHOW(shmget(key, 10000, 0) == id);
	SHOW(shmget(key, 0, 0) == id);
	SHOW(shmget(key, 10001, 0));
	SHOW(shmget(key, 20000, IPC_CREAT | 0640));
	SHOW(shmget(IPC_PRIVATE, 0, 0600));
	SHOW(shmget(IPC_PRIVATE, (size_t)1 << 50, 0600));
	SHOW(shmget(IPC_PRIVATE, (size_t)-1, 0600));
	SHOW_OK(other = shmget(IPC_PRIVATE, 1, 0600));
	stat_of("private", other);
	SHOW(other != id);
	SHOW(shmctl(other, IPC_RMID, NULL));
	stat_of("removed", other);
	SHOW(shmctl(other, IPC_RMID, NULL));
	SHOW(shmctl(id, IPC_RMID, NULL));
}

static void
attaching(void)
{
	const size_t len = 4 * 4096;
	int id = shmget(key, len - 100, IPC_CREAT | 0600);
	char *a, *b, *r, *m;

	SHOW_OK(a = shmat(id, NULL, 0));
	SHOW_OK(b = shmat(id, NULL, 0));
	SHOW(a != b);
	strcpy(a + 5000, "text");
	printf("%s, zero %d\n", b + 5000, b[0]);
	stat_of("twice", id);
	proc_line(id);
	SHOW_OK(r = shmat(id, NULL, SHM_RDONLY));
	touch("read", r, 0);
	touch("write", r, 1);
	SHOW(mprotect(r, 4096, PROT_READ | PROT_WRITE));
	touch("the end of the page", a + len - 1, 1);
	touch("read-only sees it", r + len - 1, 0);
	SHOW(shmdt(a + 4096));
	SHOW(shmdt(a + 1));
	SHOW(shmdt(NULL));
	SHOW(shmdt((void *)0x1000));
	SHOW(shmdt(a));
	SHOW(shmdt(a));
	touch("gone", a, 0);
	/* At an address of ours. */
	m = mmap(NULL, 16 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0);
	SHOW(shmat(id, m, 0));
	SHOW(shmat(id, m + 10, 0));
	SHOW(shmat(id, NULL, SHM_REMAP));
	SHOW(shmat(id, m + 10, SHM_REMAP));
	SHOW((char *)shmat(id, m + 10, SHM_REMAP | SHM_RND) == m);
	printf("%s\n", m + 5000);
	SHOW(munmap(m + 8 * 4096, 8 * 4096));
	SHOW((char *)shmat(id, m + 8 * 4096 + 77, SHM_RND) == m + 8 * 4096);
	SHOW(shmat(id, m + 7 * 4096, 0));
	SHOW(shmat(-1, NULL, 0));
	SHOW(shmat(id + 1, NULL, 0));
	/* A hole in the middle, and then all of it. */
	SHOW(munmap(m + 4096, 4096));
	touch("first", m, 0);
	touch("hole", m + 4096, 0);
	touch("third", m + 2 * 4096, 0);
	SHOW(shmdt(m));
	touch("first", m, 0);
	touch("third", m + 2 * 4096, 0);
	touch("what was below", m + 4 * 4096, 0);
	SHOW(shmdt(m + 8 * 4096));
	SHOW(shmdt(r));
	stat_of("one left", id);
	/* Removed, it lives on until the last one goes. */
	SHOW(shmctl(id, IPC_RMID, NULL));
	stat_of("to be removed", id);
	SHOW(shmget(key, 0, 0));
	SHOW_OK(a = shmat(id, NULL, 0));
	printf("%s\n", a + 5000);
	SHOW(munmap(a, len));
	SHOW(munmap(b, len));
	stat_of("removed", id);
	SHOW(shmat(id, NULL, 0));
}

static void
control(void)
{
	int id = shmget(key, 4096, IPC_CREAT | 0600), top, i, found = 0;
	struct shmid_ds d;
	struct shm_info si;
	struct shminfo lim;

	SHOW(shmctl(id, 99, NULL));
	SHOW(shmctl(id, -1, NULL));
	SHOW(shmctl(-1, IPC_STAT, &d));
	SHOW(shmctl(id, IPC_STAT, BAD));
	SHOW(shmctl(id, IPC_SET, BAD));
	SHOW(shmctl(id, IPC_STAT, &d));
	d.shm_perm.mode = 07444, d.shm_perm.uid = 7, d.shm_perm.gid = 8;
	SHOW(shmctl(id, IPC_SET, &d));
	stat_of("changed", id);
	SHOW(shmctl(id, SHM_LOCK, NULL));
	stat_of("locked", id);
	SHOW(shmctl(id, SHM_UNLOCK, NULL));
	stat_of("unlocked", id);
	SHOW_OK(top = shmctl(0, SHM_INFO, (void *)&si));
	SHOW(si.used_ids > 0);
	for (i = 0; i <= top; i++)
		if (shmctl(i, SHM_STAT, &d) == id)
			found++;
	SHOW(found);
	found = 0;
	for (i = 0; i <= top; i++)
		if (shmctl(i, 15 /* SHM_STAT_ANY */, &d) == id)
			found++;
	SHOW(found);
	SHOW(shmctl(top + 1, SHM_STAT, &d));
	SHOW_OK(shmctl(0, IPC_INFO, (void *)&lim));
	SHOW(lim.shmmin);
	SHOW(lim.shmmni);
	/* Others' rights. */
	SHOW(shmctl(id, IPC_RMID, NULL));
	id = shmget(key, 4096, IPC_CREAT | 0640);
	SHOW(syscall(SYS_setresgid, 1000, 1000, 1000));
	SHOW(syscall(SYS_setgroups, 0, NULL));
	SHOW(syscall(SYS_setresuid, 1000, 1000, 0));
	SHOW(shmget(key, 1, 0) == id);
	SHOW(shmget(key, 1, 0400));
	SHOW(shmat(id, NULL, SHM_RDONLY));
	SHOW(shmctl(id, IPC_STAT, &d));
	SHOW(shmctl(id, IPC_SET, &d));
	SHOW(shmctl(id, IPC_RMID, NULL));
	SHOW(shmctl(id, SHM_LOCK, NULL));
	SHOW(syscall(SYS_setresuid, 0, 0, 0));
	SHOW(shmctl(id, IPC_RMID, NULL));
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	key = 0x51000000 + getpid();
	getting();
	attaching();
	control();
	return 0;
}
