/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process 1 of the Linux guest that bench.py compares with: loads the virtio
 * modules that its initramfs holds, mounts the root of a Pith image (the
 * partition of type "Linux"), runs the program named on the kernel's command
 * line after "--" in it, and powers off.  Before the program may stand
 * "net=ADDRESS", of a network of 256: eth0 comes up, /tmp is in memory; lo is
 * always up.
 *
 * The program's output goes to the serial console; the last line is
 * "status N".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static void
die(const char *what)
{
	printf("linux-init: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	reboot(RB_POWER_OFF);
	_exit(1);
}

/* modules.txt lists the files to load, one a line, in order. */
static void
load_modules(void)
{
	FILE *f = fopen("/modules.txt", "r");
	char line[256];

	if (!f)
		die("/modules.txt");
	while (fgets(line, sizeof(line), f)) {
		int fd;

		line[strcspn(line, "\n")] = 0;
		fd = open(line, O_RDONLY | O_CLOEXEC);
		if (fd < 0 ||
		    (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
			die(line);
		close(fd);
	}
	fclose(f);
}

static void
mount_root(void)
{
	static const struct timespec pause = { 0, 5000000 };

	/* The disk shows up a moment after its driver is loaded. */
	for (int i = 0; i < 1000; i++) {
		if (!mount("/dev/vda4", "/root", "ext4", MS_RDONLY, ""))
			return;
		nanosleep(&pause, NULL);
	}
	die("mount /dev/vda4");
}

/* The disk for writing, where the image has a place for it. */
static void
mount_data(void)
{
	if (!access("/dev/vdb", F_OK) && !access("/root/data", F_OK) &&
	    mount("/dev/vdb", "/root/data", "ext4", 0, ""))
		die("mount /dev/vdb");
}

static void
set_up(int fd, const char *name, const char *addr)
{
	struct ifreq r = { 0 };
	struct sockaddr_in *sa = (void *)&r.ifr_addr;

	strcpy(r.ifr_name, name);
	if (addr) {
		sa->sin_family = AF_INET;
		inet_pton(AF_INET, addr, &sa->sin_addr);
		if (ioctl(fd, SIOCSIFADDR, &r))
			die("SIOCSIFADDR");
		inet_pton(AF_INET, "255.255.255.0", &sa->sin_addr);
		if (ioctl(fd, SIOCSIFNETMASK, &r))
			die("SIOCSIFNETMASK");
	}
	if (ioctl(fd, SIOCGIFFLAGS, &r))
		die(name);
	r.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &r))
		die("SIOCSIFFLAGS");
}

static void
interface(const char *name, const char *addr)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	set_up(fd, name, addr);
	close(fd);
}

static void
network(const char *addr)
{
	interface("eth0", addr);
	if (mount("tmp", "/root/tmp", "tmpfs", 0, ""))
		die("/root/tmp");
}

int
main(int argc, char **argv)
{
	int status = 0;
	pid_t pid;

	mkdir("/dev", 0755);
	mkdir("/root", 0755);
	if (mount("dev", "/dev", "devtmpfs", 0, "") && errno != EBUSY)
		die("devtmpfs");
	if (!freopen("/dev/console", "r+", stdin) ||
	    !freopen("/dev/console", "w", stdout) ||
	    !freopen("/dev/console", "w", stderr))
		return 1;
	load_modules();
	mount_root();
	mount_data();
	interface("lo", NULL);
	if (argc > 1 && !strncmp(argv[1], "net=", 4)) {
		network(argv[1] + 4);
		argc--;
		argv++;
	}
	if (argc < 2)
		die("no program on the command line");
	if (mount("dev", "/root/dev", "devtmpfs", 0, ""))
		die("/root/dev");
	if (mount("proc", "/root/proc", "proc", 0, ""))
		die("/root/proc");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (chroot("/root") || chdir("/"))
			die("chroot");
		execv(argv[1], argv + 1);
		die(argv[1]);
	}
	waitpid(pid, &status, 0);
	printf("status %d\n", WEXITSTATUS(status));
	fflush(stdout);
	tcdrain(1);
	reboot(RB_POWER_OFF);
	return 1;
}
