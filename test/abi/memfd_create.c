/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: memfd_create makes a file in memory that can be written, mapped,
 * cut and sealed.  Method: each seal against what it forbids; errors.
 */
#define _GNU_SOURCE
#include "mm_common.h"

static void
seals(int fd)
{
	unsigned char *p;

	SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	SHOW(ftruncate(fd, PG));
	SHOW(ftruncate(fd, 4 * PG));
	SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	SHOW(ftruncate(fd, 5 * PG));
	SHOW(pwrite(fd, "x", 1, 4 * PG));
	SHOW(pwrite(fd, "x", 1, 0));
	p = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	munmap(p, PG);
	SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	SHOW(pwrite(fd, "x", 1, 0));
	SHOW(mmap(NULL, PG, PROT_WRITE, MAP_SHARED, fd, 0));
	p = mmap(NULL, PG, PROT_READ, MAP_PRIVATE, fd, 0);
	printf("still %c\n", p[0]);
	SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	printf("seals %x\n", fcntl(fd, F_GET_SEALS));
}

int
main(void)
{
	char name[300], link[64], buf[8] = "";
	unsigned char *p;
	int fd;

	mm_setup();
	SHOW(memfd_create("a", 0x8000));
	SHOW(memfd_create((char *)8, 0));
	memset(name, 'n', sizeof(name));
	name[250] = '\0';
	SHOW(memfd_create(name, 0));
	name[249] = '\0';
	SHOW(memfd_create(name, 0));
	fd = memfd_create("plain", MFD_CLOEXEC);
	printf("cloexec %d\n", fcntl(fd, F_GETFD));
	SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	printf("seals %x\n", fcntl(fd, F_GET_SEALS));
	fd = memfd_create("sealed", MFD_ALLOW_SEALING);
	SHOW(ftruncate(fd, 2 * PG));
	p = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memcpy(p + PG, "memory", 7);
	if (pread(fd, buf, 7, PG) == 7)
		printf("%s\n", buf);
	if (pwrite(fd, "FILE", 4, PG) == 4)
		printf("%s\n", p + PG);
	munmap(p, 2 * PG);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	memset(link, 0, sizeof(link));
	if (readlink(name, link, sizeof(link) - 1) > 0)
		printf("%s\n", link);
	seals(fd);
	return 0;
}
