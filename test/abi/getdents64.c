/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: directories are read whole and in pieces, while they change; the
 * working directory and the root are known and changed.
 * CALLS: getdents getdents64 chdir fchdir getcwd chroot umask
 * NEEDS: root
 */
#define _GNU_SOURCE
#include "path_common.h"

struct dent64 {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

struct dent {
	unsigned long ino;
	unsigned long off;
	uint16_t len;
	char name[];
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads all in pieces of `size`; prints the names in order. */
static void
list64(const char *dir, size_t size, int print)
{
	char buf[4096] __attribute__((aligned(8)));
	char *names[2100];
	int n = 0, fd = open(dir, O_RDONLY | O_DIRECTORY);
	long r;

	while ((r = syscall(SYS_getdents64, fd, buf, size)) > 0)
		for (long at = 0; at < r;) {
			struct dent64 *d = (void *)(buf + at);
			char *s;

			if (asprintf(&s, "%s/%d%s", d->name, d->type,
				     d->ino && d->len % 8 == 0 ? "" : "?") < 0)
				return;
			if (n < 2100)
				names[n++] = s;
			at += d->len;
		}
	printf("%s by %zu: %d names, end %s\n", dir, size, n,
	       r ? strerrorname_np(errno) : "0");
	qsort(names, (size_t)n, sizeof(names[0]), by_name);
	for (int i = 0; i < n; i++) {
		if (i && !strcmp(names[i], names[i - 1]))
			printf("twice: %s\n", names[i]);
		if (print)
			printf(" %s", names[i]);
	}
	if (print)
		printf("\n");
	for (int i = 0; i < n; i++)
		free(names[i]);
	close(fd);
}

static void
working_directory(void)
{
	char buf[5000], *longer;
	int fd, n = 0;

	PATHS("chdir", syscall(SYS_chdir, p), chdir(fs_dir));
	memset(buf, 0, sizeof(buf));
	SHOW(chdir("d"));
	SHOW(syscall(SYS_getcwd, buf, sizeof(buf)) == (long)strlen(fs_dir) + 3);
	printf("%s\n", buf + strlen(fs_dir));
	SHOW(syscall(SYS_getcwd, buf, 3));
	SHOW(syscall(SYS_getcwd, buf, 0));
	SHOW(syscall(SYS_getcwd, NULL, 100));
	SHOW(syscall(SYS_getcwd, BAD, 100));
	SHOW(chdir("/"));
	SHOW(syscall(SYS_getcwd, buf, 2));
	SHOW(syscall(SYS_getcwd, buf, 1));
	SHOW(chdir(fs_dir));
	SHOW(syscall(SYS_fchdir, 99));
	fd = open("f", O_RDONLY);
	SHOW(syscall(SYS_fchdir, fd));
	close(fd);
	fd = open("full", O_PATH);
	SHOW(syscall(SYS_fchdir, fd));
	SHOW(access("in", F_OK));
	SHOW(chdir(".."));
	close(fd);
	/* The directory goes, and moves. */
	mkdir("gone", 0755);
	SHOW(chdir("gone"));
	SHOW(rmdir("../gone"));
	SHOW(syscall(SYS_getcwd, buf, sizeof(buf)));
	SHOW(access(".", F_OK));
	SHOW(access("..", F_OK));
	SHOW(access("f", F_OK));
	list64(".", 1000, 1);
	SHOW(chdir(fs_dir));
	mkdir("moves", 0755);
	SHOW(chdir("moves"));
	SHOW(rename("../moves", "../d/moved"));
	SHOW(syscall(SYS_getcwd, buf, sizeof(buf)) > 0);
	printf("%s\n", buf + strlen(fs_dir));
	SHOW(chdir(fs_dir));
	/* Deeper than a path can be. */
	longer = malloc(201);
	memset(longer, 'l', 200);
	longer[200] = 0;
	while (n < 25 && !mkdir(longer, 0755) && !chdir(longer))
		n++;
	printf("%d deep\n", n);
	SHOW(syscall(SYS_getcwd, buf, sizeof(buf)) > 0 ? 1 : -1);
	SHOW(access(".", F_OK));
	while (n--)
		if (chdir("..") || rmdir(longer))
			printf("up: %s\n", strerror(errno));
	free(longer);
}

static void
roots(void)
{
	int out = open("/", O_PATH | O_DIRECTORY);
	char buf[100];

	SHOW(syscall(SYS_chroot, "no"));
	SHOW(syscall(SYS_chroot, "f"));
	SHOW(syscall(SYS_chroot, BAD));
	SHOW(syscall(SYS_chroot, "d"));
	SHOW(access("/..", F_OK));
	SHOW(access("/f", F_OK));
	/* The working directory is outside: so says getcwd. */
	SHOW(access("../", F_OK));
	memset(buf, 0, sizeof(buf));
	SHOW(syscall(SYS_getcwd, buf, sizeof(buf)) > 0);
	printf("%.13s\n", buf);
	SHOW(chdir("/"));
	SHOW(syscall(SYS_getcwd, buf, sizeof(buf)));
	printf("%s\n", buf);
	SHOW(symlink("/in", "abs"));
	make_file("in", "inside");
	show_file("/abs");
	SHOW(mkdir("/..//x", 0755));
	list64("/", 100, 1);
	unlink("/abs"), unlink("/in"), rmdir("/x");
	/* Back, for who removes what there was. */
	if (fchdir(out) || chroot("."))
		printf("still inside\n");
	close(out);
}

int
main(void)
{
	char buf[1000] __attribute__((aligned(8))), name[80];
	int fd, fd2, out = dup(1);
	long r;

	(void)out;
	path_setup();
	mkfifo("fifo", 0644);
	mknod("sock", S_IFSOCK | 0644, 0);
	list64(".", 4096, 1);
	list64(".", 40, 1);
	list64("d", 4096, 1);
	fd = open(".", O_RDONLY);
	SHOW(syscall(SYS_getdents64, fd, buf, 0));
	SHOW(syscall(SYS_getdents64, fd, buf, 10));
	SHOW(syscall(SYS_getdents64, fd, BAD, 1000));
	SHOW(syscall(SYS_getdents64, 99, buf, 1000));
	fd2 = open("f", O_RDONLY);
	SHOW(syscall(SYS_getdents64, fd2, buf, 1000));
	SHOW(syscall(SYS_getdents, fd2, buf, 1000));
	close(fd2);
	fd2 = open(".", O_PATH);
	SHOW(syscall(SYS_getdents64, fd2, buf, 1000));
	close(fd2);
	SHOW(syscall(SYS_getdents, 99, buf, 1000));
	SHOW(syscall(SYS_getdents, fd, buf, 5));
	SHOW(syscall(SYS_getdents, fd, BAD, 1000));
	int count = 0, types = 0;
	while ((r = syscall(SYS_getdents, fd, buf, 100)) > 0)
		for (long at = 0; at < r;) {
			struct dent *d = (void *)(buf + at);

			count++;
			if (!strcmp(d->name, "d"))
				types = buf[at + d->len - 1];
			at += d->len;
		}
	printf("getdents: %d names, d of type %d\n", count, types);
	/* From the start again. */
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(syscall(SYS_getdents64, fd, buf, 1000) > 0);
	SHOW(syscall(SYS_getdents64, fd, buf, 1000));
	SHOW(lseek(fd, -1, SEEK_SET));
	close(fd);

	/* Many, removed while they are read. */
	mkdir("many", 0755);
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "many/file-with-number-%04d", i);
		close(open(name, O_CREAT | O_WRONLY, 0644));
	}
	list64("many", 4096, 0);
	list64("many", 64, 0);
	{
		DIR *dir = opendir("many");
		struct dirent *e;
		int removed = 0;

		while ((e = readdir(dir)))
			if (e->d_name[0] != '.' &&
			    !unlinkat(dirfd(dir), e->d_name, 0))
				removed++;
		closedir(dir);
		printf("removed %d\n", removed);
	}
	SHOW(rmdir("many"));

	/* umask. */
	SHOW(umask(0123));
	SHOW(umask(07777));
	SHOW(umask(022));

	working_directory();
	roots();
	return 0;
}
