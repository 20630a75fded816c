/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what statfs says of directories, or of file systems that it mounts
 * first: "statfs /a /b" or "statfs mount /dev/vdb /dev/vdc", at /data.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

static int
show(const char *dir, unsigned k)
{
	struct statfs s;

	if (statfs(dir, &s)) {
		perror(dir);
		return 1;
	}
	printf("fs %u: type %lx bsize %ld frsize %ld blocks %lu free %lu "
	       "avail %lu files %lu ffree %lu namelen %ld fsid %08x%08x\n",
	       k, (long)s.f_type, (long)s.f_bsize, (long)s.f_frsize,
	       (long)s.f_blocks, (long)s.f_bfree, (long)s.f_bavail,
	       (long)s.f_files, (long)s.f_ffree, (long)s.f_namelen,
	       s.f_fsid.__val[0], s.f_fsid.__val[1]);
	return 0;
}

int
main(int argc, char **argv)
{
	int mounts = argc > 1 && !strcmp(argv[1], "mount"), bad = 0;

	for (int k = 1 + mounts; k < argc; k++) {
		if (!mounts) {
			bad |= show(argv[k], (unsigned)k);
			continue;
		}
		umount("/data");
		/* A disk shows up a moment after its driver is loaded. */
		for (int n = 0; access(argv[k], F_OK) && n < 2000; n++)
			usleep(5000);
		if (mount(argv[k], "/data", "ext4", 0, "")) {
			perror(argv[k]);
			return 1;
		}
		bad |= show("/data", (unsigned)k - 1);
	}
	return bad;
}
