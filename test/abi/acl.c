/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: POSIX ACLs: who gets in by them, what is inherited from a directory,
 * what chmod makes of them, and which are refused.
 * CALLS: setxattr getxattr listxattr removexattr open openat mkdir mknod
 * CALLS: chmod access faccessat2 umask
 * NEEDS: root
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <grp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#define ACCESS	"system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};
struct acl {
	uint32_t version, n; /* n is not stored */
	struct acl_entry e[40];
};

/* "u::rw-,u:1000:r--,g::r--,m::rw-,o::---"; what is odd is left as it is. */
static size_t
parse(const char *text, unsigned char *out)
{
	uint32_t version = 2;
	size_t n = 4;

	memcpy(out, &version, 4);
	while (*text) {
		struct acl_entry e = { 0, 0, (uint32_t)-1 };
		char kind = *text;

		text += 2;
		if (*text != ':')
			e.id = (uint32_t)strtoul(text, (char **)&text, 10);
		text++;
		e.tag = kind == 'u' ? (e.id + 1 ? 2 : 1) :
			kind == 'g' ? (e.id + 1 ? 8 : 4) :
			kind == 'm' ? 16 :
			kind == 'o' ? 32 :
				      64;
		for (; *text && *text != ','; text++)
			e.perm |= *text == 'r' ? 4 :
				  *text == 'w' ? 2 :
				  *text == 'x' ? 1 :
				  *text == 'B' ? 8 :
						 0;
		text += *text == ',';
		memcpy(out + n, &e, 8);
		n += 8;
	}
	return n;
}

static void
show(const char *path, const char *name)
{
	unsigned char buf[1000];
	struct acl_entry e;
	ssize_t n = getxattr(path, name, buf, sizeof(buf));
	struct stat st;

	stat(path, &st);
	printf("%s %s (%o): ", path, name + 17, st.st_mode);
	if (n < 0) {
		printf("%s\n", strerrorname_np(errno));
		return;
	}
	printf("%u ", *(uint32_t *)buf);
	for (ssize_t at = 4; at < n; at += 8) {
		memcpy(&e, buf + at, 8);
		printf("%s%x:%d:%o", at > 4 ? "," : "", e.tag, (int)e.id,
		       e.perm);
	}
	printf("\n");
}

static void
both(const char *path)
{
	show(path, ACCESS);
	show(path, DEFAULT);
}

static int
set(const char *path, const char *name, const char *text)
{
	unsigned char buf[1000];

	return setxattr(path, name, buf, parse(text, buf), 0);
}

/* What a user may do with a path. */
static void
who(const char *path, uid_t uid, gid_t gid, gid_t other)
{
	struct stat st;
	int fd;

	if (setgroups(other != 0, &other) || setresgid(gid, gid, 0) ||
	    setresuid(uid, uid, 0))
		printf("cannot become %u\n", uid);
	printf("%s for %u:%u,%u:", path, uid, gid, other);
	for (int mask = 1; mask < 8; mask++)
		printf(" %d", access(path, mask) ? 0 : mask);
	fd = open(path, O_RDONLY);
	printf(" read %s", fd < 0 ? strerrorname_np(errno) : "ok");
	close(fd);
	if (!stat(path, &st) && S_ISREG(st.st_mode)) {
		fd = open(path, O_WRONLY);
		printf(" write %s", fd < 0 ? strerrorname_np(errno) : "ok");
		close(fd);
	} else {
		char sub[300];

		snprintf(sub, sizeof(sub), "%s/sub-%u", path, uid);
		printf(" make %s",
		       mkdir(sub, 0700) ? strerrorname_np(errno) : "ok");
		printf(" look %s",
		       stat(sub, &st) ? strerrorname_np(errno) : "ok");
		rmdir(sub);
	}
	printf("\n");
	if (setresuid(0, 0, 0) || setresgid(0, 0, 0))
		printf("cannot become root again\n");
}

static void
everybody(const char *path)
{
	who(path, 1000, 1000, 0);
	who(path, 1001, 1001, 0);
	who(path, 1002, 2000, 0);
	who(path, 1002, 1002, 2001);
	who(path, 1002, 1002, 2002);
	who(path, 1003, 1003, 3000);
	who(path, 1004, 1004, 0);
}

static void
permissions(void)
{
	static const char *const acls[] = {
		"u::rw-,u:1001:r--,g::---,m::rw-,o::---",
		"u::---,u:1001:rw-,g::r--,m::r--,o::-w-",
		"u::rw-,u:1001:rwx,u:1002:---,g::rw-,g:2001:-w-,g:2002:r--,"
		"m::rwx,o::r-x",
		"u::r--,u:1001:---,g::rw-,g:2001:rwx,g:2002:-wx,m::---,o::rwx",
		"u::rwx,g::r--,g:2001:-w-,g:2002:--x,m::rwx,o::---",
		"u::rw-,g::r--,m::-w-,o::r--",
		"u::rw-,g::-w-,o::rwx",
	};

	for (size_t k = 0; k < sizeof(acls) / sizeof(acls[0]); k++) {
		printf("-- %s\n", acls[k]);
		for (int dir = 0; dir < 2; dir++) {
			const char *p = dir ? "d" : "f";

			SHOW(chown(p, 1000, 2000));
			SHOW(set(p, ACCESS, acls[k]));
			show(p, ACCESS);
			everybody(p);
			/* root */
			SHOW(access(p, R_OK | W_OK));
			SHOW(access(p, X_OK));
		}
	}
}

static void
changes(void)
{
	char list[300];

	printf("-- chmod\n");
	SHOW(chown("f", 1000, 2000));
	SHOW(set("f", ACCESS,
		 "u::rwx,u:1001:rwx,g::rwx,g:2001:r-x,m::rwx,o::rwx"));
	for (unsigned mode = 0; mode <= 0777; mode += 0111) {
		chmod("f", mode);
		show("f", ACCESS);
	}
	SHOW(chmod("f", 04640));
	show("f", ACCESS);
	everybody("f");
	SHOW(listxattr("f", list, sizeof(list)));
	printf("%s\n", list);
	SHOW(set("f", ACCESS, "u::rwx,g::r-x,o::r--"));
	show("f", ACCESS);
	memset(list, 0, sizeof(list));
	SHOW(listxattr("f", list, sizeof(list)));
	SHOW(set("f", ACCESS, "u::rwx,g::r-x,m::rwx,o::r--"));
	SHOW(chmod("f", 0604));
	show("f", ACCESS);
	SHOW(removexattr("f", ACCESS));
	SHOW(removexattr("f", ACCESS));
	SHOW(removexattr("f", DEFAULT));
	show("f", ACCESS);
	SHOW(set("f", ACCESS, ""));
	SHOW(set("d", DEFAULT, ""));
	/* The set-group-id bit of who is not in the group. */
	SHOW(chmod("f", 02755));
	SHOW(setresuid(1000, 1000, 0));
	SHOW(set("f", ACCESS, "u::rwx,u:7:r--,g::r-x,m::r-x,o::r-x"));
	SHOW(setresuid(0, 0, 0));
	show("f", ACCESS);
}

static void
refused(void)
{
	static const char *const acls[] = {
		"u::rwx",
		"u::rwx,g::rwx",
		"g::rwx,u::rwx,o::rwx",
		"u::rwx,u:1:rwx,g::rwx,o::rwx",
		"u::rwx,g:1:rwx,g::rwx,m::rwx,o::rwx",
		"u::rwx,u:2:r--,u:1:r--,g::rwx,m::rwx,o::rwx",
		"u::rwx,u:1:r--,u:1:r--,g::rwx,m::rwx,o::rwx",
		"u::rwx,g::rwx,m::rwx,m::rwx,o::rwx",
		"u::rwx,g::rwx,o::rwx,o::rwx",
		"u::rwxB,g::rwx,o::rwx",
		"u::rwx,g::rwx,x::rwx,o::rwx",
		"u::rwx,g::rwx,m::rwx,o::rwx",
	};
	unsigned char buf[1000];
	size_t n;

	printf("-- refused\n");
	for (size_t k = 0; k < sizeof(acls) / sizeof(acls[0]); k++) {
		printf("%s: ", acls[k]);
		SHOW(set("f", ACCESS, acls[k]));
		SHOW(set("d", DEFAULT, acls[k]));
	}
	SHOW(set("f", DEFAULT, acls[11]));
	SHOW(set("f", DEFAULT, ""));
	SHOW(set("l", ACCESS, acls[11]));
	SHOW(lsetxattr("l", ACCESS, buf, parse(acls[11], buf), 0));
	SHOW(lgetxattr("l", ACCESS, buf, sizeof(buf)));
	n = parse(acls[11], buf);
	SHOW(setxattr("f", ACCESS, buf, n - 1, 0));
	SHOW(setxattr("f", ACCESS, buf, 3, 0));
	SHOW(setxattr("f", ACCESS, buf, 0, 0));
	SHOW(setxattr("f", ACCESS, buf, n, XATTR_CREATE));
	SHOW(setxattr("f", ACCESS, buf, n, XATTR_CREATE));
	SHOW(getxattr("f", ACCESS, buf, 10));
	SHOW(getxattr("f", ACCESS, NULL, 0));
	SHOW(removexattr("f", ACCESS));
	SHOW(setxattr("f", ACCESS, buf, n, XATTR_REPLACE));
	buf[0] = 1;
	SHOW(setxattr("f", ACCESS, buf, n, 0));
	SHOW(getxattr("f", "system.other", buf, 10));
	SHOW(setxattr("f", "system.other", buf, 10, 0));
	SHOW(getxattr("f", ACCESS "x", buf, 10));
	SHOW(chown("f", 1000, 1000));
	SHOW(setresuid(1001, 1001, 0));
	SHOW(set("f", ACCESS, acls[11]));
	SHOW(removexattr("f", ACCESS));
	SHOW(setresuid(0, 0, 0));
}

static void
made(const char *what, const char *path)
{
	printf("%s: ", what);
	both(path);
}

static void
inherited(const char *acl, mode_t mask)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "d/s" };
	char proc[64];
	int fd, s = socket(AF_UNIX, SOCK_STREAM, 0);

	printf("-- inherited %s, umask %o\n", acl, mask);
	SHOW(set("d", DEFAULT, acl));
	umask(mask);
	both("d");
	for (unsigned mode = 0; mode <= 0777; mode += 0333) {
		close(open("d/f", O_CREAT | O_RDWR, mode));
		made("open", "d/f");
		SHOW(mkdir("d/sub", mode));
		made("mkdir", "d/sub");
		SHOW(mkdir("d/sub/again", 02770));
		made("mkdir below", "d/sub/again");
		SHOW(mknod("d/p", S_IFIFO | mode, 0));
		made("mknod", "d/p");
		SHOW(symlink("f", "d/l"));
		fd = open("d", O_TMPFILE | O_RDWR, mode);
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
		SHOW(linkat(AT_FDCWD, proc, AT_FDCWD, "d/t",
			    AT_SYMLINK_FOLLOW));
		close(fd);
		made("O_TMPFILE", "d/t");
		unlink("d/f"), unlink("d/p"), unlink("d/l"), unlink("d/t");
		rmdir("d/sub/again"), rmdir("d/sub");
	}
	SHOW(bind(s, (void *)&sa, sizeof(sa)));
	made("bind", "d/s");
	close(s);
	unlink("d/s");
	/* A rename brings nothing along. */
	make_file("out", "x");
	SHOW(rename("out", "d/in"));
	made("rename", "d/in");
	unlink("d/in");
	umask(022);
}

int
main(void)
{
	fs_setup();
	chmod(fs_dir, 0755);
	make_file("f", "contents");
	mkdir("d", 0755);
	if (symlink("f", "l"))
		return 1;
	permissions();
	changes();
	refused();
	SHOW(chown("d", 0, 0));
	SHOW(removexattr("d", ACCESS));
	inherited("u::rwx,u:1001:rwx,g::r-x,m::rwx,o::---", 077);
	inherited("u::r--,g::rwx,o::--x", 022);
	inherited("u::rwx,g::rwx,g:2001:-wx,m::r-x,o::r-x", 0);
	SHOW(chmod("d", 0770));
	both("d");
	SHOW(removexattr("d", DEFAULT));
	close(open("d/f", O_CREAT | O_RDWR, 0666));
	made("without", "d/f");
	/* Copies of what there is, kept by both names. */
	SHOW(set("d/f", ACCESS, "u::rwx,u:1001:rwx,g::r-x,m::rwx,o::---"));
	SHOW(link("d/f", "d/g"));
	SHOW(chmod("d/g", 0644));
	both("d/f");
	return 0;
}
