/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `pith volume`: disks with names that outlive a run.
 *
 * A volume is a sparse file NAME.img in the volumes' directory, with nothing
 * but an ext4 file system in it, so that every tool reads it.  Who uses one
 * holds a lock of flock(2) on the file: a run or a change of it an exclusive
 * one, runs that only read a shared one.  QEMU gets the locked descriptor, so
 * the lock lasts as long as the machine.
 */
#include "volume.h"

#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME_MAX_LEN   63
#define SIZE_DEFAULT   (1ull << 30)
#define SIZE_MIN       (16ull << 20)
#define SIZE_MAX_BYTES (16ull << 40)
#define STATUS_DAMAGED 1 /* of check: errors are left */

bool
volume_is_dir(const struct volume *v)
{
	return strchr(v->source, '/') || !strcmp(v->source, ".");
}

const char *
volume_name_wrong(const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (!*name || strlen(name) > NAME_MAX_LEN)
		return "a volume's name has 1 to 63 characters";
	if (*name == '.' || *name == '-' || name[strspn(name, good)])
		return "a volume's name has letters, digits, and _ . - behind "
		       "the first";
	return NULL;
}

/* $PITH_VOLUMES, else beside the user's other data. */
static char *
volumes_dir(void)
{
	const char *own = getenv("PITH_VOLUMES");
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	char *dir;
	int err;

	if (own && *own)
		dir = path_absolute(own);
	else if (data && *data == '/')
		dir = path_join(data, "pith/volumes");
	else if (home && *home)
		dir = path_join(home, ".local/share/pith/volumes");
	else
		die(STATUS_FAILED, "volumes need HOME or PITH_VOLUMES to be "
				   "set");
	err = mkdir_p(dir, 0700);
	if (err)
		die(STATUS_FAILED, "%s: %s", printable(dir), strerror(-err));
	return dir;
}

static char *
volume_path(const char *name)
{
	const char *why = volume_name_wrong(name);
	char *dir, *path;

	if (why)
		die(STATUS_FAILED, "%s: %s", printable(name), why);
	dir = volumes_dir();
	path = xasprintf("%s/%s.img", dir, name);
	free(dir);
	return path;
}

int
volume_open(const char *name, bool shared)
{
	char *path = volume_path(name);
	int fd = open(path, (shared ? O_RDONLY : O_RDWR) | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		die(STATUS_FAILED,
		    "volume %s is not there; pith volume "
		    "create %s makes it",
		    name, name);
	if (fd < 0)
		die(STATUS_FAILED, "volume %s: %s: %s", name, printable(path),
		    strerror(errno));
	if (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0)
		die(STATUS_FAILED,
		    errno == EWOULDBLOCK ?
			    "volume %s is in use by another run" :
			    "volume %s can not be locked",
		    name);
	if (shared && volfs_needs_recovery(fd))
		die(STATUS_FAILED,
		    "volume %s was not closed by its last run; "
		    "run with it writable once, or pith volume check %s",
		    name, name);
	free(path);
	return fd;
}

void
volume_must_be_ext4(const char *name, int fd)
{
	static const uint8_t qcow[4] = { 'Q', 'F', 'I', 0xfb };
	uint8_t head[4] = { 0 }, magic[2] = { 0 };

	/* s_magic, of the superblock at 1024. */
	if (pread(fd, magic, 2, 1024 + 56) == 2 && magic[0] == 0x53 &&
	    magic[1] == 0xef)
		return;
	if (pread(fd, head, 4, 0) == 4 && !memcmp(head, qcow, 4))
		die(STATUS_FAILED,
		    "volume %s is a qcow2 image; qemu-img convert -O raw makes "
		    "a volume of it",
		    name);
	die(STATUS_FAILED, "volume %s holds no ext4 file system", name);
}

static uint64_t
size_arg(const char *text)
{
	uint64_t size;

	if (parse_size(text, &size) || size < SIZE_MIN || size > SIZE_MAX_BYTES)
		die(STATUS_FAILED, "%s: a volume's size is 16M to 16T",
		    printable(text));
	return size & ~4095ull;
}

static int
usage(int status)
{
	fputs("Usage: pith volume create NAME [SIZE]\n"
	      "       pith volume ls\n"
	      "       pith volume rm NAME...\n"
	      "       pith volume check [--repair] NAME\n"
	      "       pith volume grow NAME SIZE\n"
	      "       pith volume cp NAME:PATH HOST | HOST NAME:PATH\n"
	      "Disks with names that outlive a run (run -v NAME:/PATH): make, "
	      "list, remove,\ncheck and grow them, copy files and trees out "
	      "and in (HOST - is the standard\noutput).  SIZE is 1G when it "
	      "is not said.  PITH_VOLUMES names their directory.\n",
	      status ? stderr : stdout);
	return status;
}

static int
create(int argc, char **argv)
{
	uint64_t size = argc > 1 ? size_arg(argv[1]) : SIZE_DEFAULT;
	char *path, *dir, proc[40];
	int fd, err;

	if (argc < 1 || argc > 2)
		return usage(STATUS_FAILED);
	path = volume_path(argv[0]);
	dir = volumes_dir();
	/* Without a name until it is whole. */
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		die(STATUS_FAILED, "%s: %s", printable(dir), strerror(errno));
	err = volfs_create(fd, argv[0]);
	if (err)
		die(STATUS_FAILED, "volume %s: %s", argv[0], strerror(-err));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, proc, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0)
		die(STATUS_FAILED,
		    errno == EEXIST ? "volume %s is there already" :
				      "volume %s: can not be "
				      "named",
		    argv[0]);
	close(fd);
	free(path);
	free(dir);
	return 0;
}

static bool
is_volume(const struct dirent *d, char **name)
{
	size_t len = strlen(d->d_name);

	if (len < 5 || strcmp(d->d_name + len - 4, ".img"))
		return false;
	*name = xstrndup(d->d_name, len - 4);
	if (!volume_name_wrong(*name))
		return true;
	free(*name);
	return false;
}

static void
list_one(int dirfd, const struct dirent *d, const char *name)
{
	int fd = openat(dirfd, d->d_name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool used;

	if (fd < 0 || fstat(fd, &st) < 0) {
		warn("volume %s: %s", name, strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	used = flock(fd, LOCK_EX | LOCK_NB) < 0;
	printf("%-20s %10llu KB %10llu KB on the host%s%s\n", name,
	       (unsigned long long)st.st_size >> 10,
	       (unsigned long long)st.st_blocks / 2, used ? ", in use" : "",
	       !used && volfs_needs_recovery(fd) ? ", not closed" : "");
	close(fd);
}

static int
list(int argc, char **argv)
{
	char *dir = volumes_dir(), *name;
	struct dirent **all;
	int n, fd;

	(void)argv;
	if (argc)
		return usage(STATUS_FAILED);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = scandir(dir, &all, NULL, alphasort);
	if (fd < 0 || n < 0)
		die(STATUS_FAILED, "%s: %s", printable(dir), strerror(errno));
	for (int k = 0; k < n; k++) {
		if (is_volume(all[k], &name)) {
			list_one(fd, all[k], name);
			free(name);
		}
		free(all[k]);
	}
	free(all);
	close(fd);
	free(dir);
	return 0;
}

static int
rm(int argc, char **argv)
{
	if (argc < 1)
		return usage(STATUS_FAILED);
	for (int k = 0; k < argc; k++) {
		int fd = volume_open(argv[k], false);
		char *path = volume_path(argv[k]);

		if (unlink(path) < 0)
			die(STATUS_FAILED, "%s: %s", printable(path),
			    strerror(errno));
		close(fd);
		free(path);
	}
	return 0;
}

/* A tool of e2fsprogs on the volume; its exit status.  The descriptor, and
 * with it the lock, is the tool's too. */
static int
run_tool(const char *tool, int fd, const char *const *options)
{
	static const char *const dirs[] = { "/usr/sbin", "/sbin", "/usr/bin",
					    "/usr/local/sbin" };
	const char *argv[8];
	char name[40];
	int status, n = 0;
	pid_t pid;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	fcntl(fd, F_SETFD, 0);
	argv[n++] = tool;
	while (*options)
		argv[n++] = *options++;
	argv[n++] = name;
	argv[n] = NULL;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die(STATUS_FAILED, "can not start %s: %s", tool,
		    strerror(errno));
	if (pid == 0) {
		for (size_t k = 0; k < ARRAY_LEN(dirs); k++) {
			char *full = path_join(dirs[k], tool);

			execv(full, (char *const *)(uintptr_t)argv);
			free(full);
		}
		_exit(STATUS_NOTFOUND);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NOTFOUND)
		die(STATUS_FAILED,
		    "%s is not installed; on Debian: apt "
		    "install e2fsprogs",
		    tool);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 8;
}

/* e2fsck(8): 1 corrected, 2 corrected and to reboot, 4 errors are left; more
 * is its own failure. */
static int
check_volume(int argc, char **argv)
{
	static const char *const careful[] = { "-f", "-p", NULL };
	static const char *const all[] = { "-f", "-y", NULL };
	bool repair = argc > 0 && !strcmp(argv[0], "--repair");
	int fd, status;

	if (argc - repair != 1)
		return usage(STATUS_FAILED);
	fd = volume_open(argv[repair], false);
	status = run_tool("e2fsck", fd, repair ? all : careful);
	if (status >= 8)
		die(STATUS_FAILED, "e2fsck failed on volume %s", argv[repair]);
	if (status & 4) {
		warn("volume %s is damaged%s", argv[repair],
		     repair ? "" : "; --repair mends what can be mended");
		return STATUS_DAMAGED;
	}
	return 0;
}

static int
grow(int argc, char **argv)
{
	static const char *const force[] = { "-f", NULL };
	static const char *const careful[] = { "-f", "-p", NULL };
	struct stat st;
	uint64_t size;
	int fd;

	if (argc != 2)
		return usage(STATUS_FAILED);
	size = size_arg(argv[1]);
	fd = volume_open(argv[0], false);
	fstat(fd, &st);
	if (size < (uint64_t)st.st_size)
		die(STATUS_FAILED,
		    "volume %s has %llu KB already; it can not "
		    "be made smaller",
		    argv[0], (unsigned long long)st.st_size >> 10);
	/* A journal that waits is played back first. */
	if (run_tool("e2fsck", fd, careful) & ~3)
		die(STATUS_FAILED,
		    "volume %s is damaged; pith volume check "
		    "--repair %s",
		    argv[0], argv[0]);
	if (ftruncate(fd, (off_t)size) < 0)
		die(STATUS_FAILED, "volume %s: %s", argv[0], strerror(errno));
	if (run_tool("resize2fs", fd, force))
		die(STATUS_FAILED, "resize2fs failed on volume %s", argv[0]);
	return 0;
}

/* "NAME:/PATH": the name (caller frees) and where the path begins; NULL: a
 * path of the host.  One that has a slash before the colon is, too. */
static char *
on_volume(const char *arg, const char **path)
{
	const char *colon = strchr(arg, ':');
	char *name;

	if (!colon || memchr(arg, '/', (size_t)(colon - arg)))
		return NULL;
	name = xstrndup(arg, (size_t)(colon - arg));
	*path = colon[1] ? colon + 1 : "/";
	return name;
}

static int
copy(int argc, char **argv)
{
	const char *from_path, *to_path;
	char *from, *to, *name;
	ext2_filsys fs;
	int fd;

	if (argc != 2)
		return usage(STATUS_FAILED);
	from = on_volume(argv[0], &from_path);
	to = on_volume(argv[1], &to_path);
	if (!from == !to)
		die(STATUS_FAILED, "one of the two is NAME:PATH, of a volume, "
				   "and the other a path of the host");
	name = from ? from : to;
	fd = volume_open(name, from != NULL);
	if (volfs_needs_recovery(fd))
		die(STATUS_FAILED,
		    "volume %s was not closed by its last run; "
		    "pith volume check %s",
		    name, name);
	fs = volfs_open(fd, name, to != NULL);
	if (from) {
		volfs_get(fs, from_path, argv[1]);
		ext2fs_close_free(&fs);
	} else {
		volfs_put(fs, argv[0], to_path);
	}
	close(fd);
	free(from);
	free(to);
	return 0;
}

int
command_volume(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*fn)(int argc, char **argv);
	} commands[] = {
		{ "create", create },	   { "ls", list },   { "rm", rm },
		{ "check", check_volume }, { "grow", grow }, { "cp", copy },
	};
	const char *word = argc > 0 ? argv[0] : "";

	if (!strcmp(word, "--help") || !strcmp(word, "-h"))
		return usage(0);
	for (size_t k = 0; k < ARRAY_LEN(commands); k++)
		if (!strcmp(commands[k].name, word))
			return commands[k].fn(argc - 1, argv + 1);
	return usage(STATUS_FAILED);
}
