/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the files of /proc/net have Linux's columns; what is bound is found
 * there.
 */
#define _GNU_SOURCE
#include "unix_common.h"
#include <linux/netlink.h>

/* Columns of a line by the places of their words. */
static void
head(const char *name)
{
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/net/%s", name);
	f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f))
		strcpy(line, "none\n");
	printf("%s: [%s", name, line);
	if (!strcmp(name, "dev") && fgets(line, sizeof(line), f))
		printf("%s", line);
	if (f)
		fclose(f);
}

/* The line with this word, without numbers that differ by machine. */
static void
find(const char *name, const char *word, const char *inode)
{
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/net/%s", name);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		char *at = strstr(line, word), *i;

		if (!at)
			continue;
		i = inode ? strstr(line, inode) : NULL;
		if (i)
			memset(i, '#', strlen(inode));
		printf("%s:", name);
		/* A number of many digits leaves no blanks behind it. */
		for (i = strchr(line, ' '); *i; i++)
			if ((*i != ' ' || (i[1] != ' ' && i[1] != '\n')) &&
			    (*i != '#' || i[1] != '#'))
				putchar(*i);
	}
	if (f)
		fclose(f);
}

int
main(void)
{
	static const char *const names[] = {
		"tcp",	"tcp6", "udp", "udp6",	  "raw",    "raw6",
		"unix", "dev",	"arp", "netlink", "packet",
	};
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK,
				  .nl_pid = 0x7654321,
				  .nl_groups = 5 };
	char inode[32];
	struct stat st;
	int l, c;

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		head(names[i]);
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	un_bind(l, "@pith-proc-net");
	fstat(l, &st);
	snprintf(inode, sizeof(inode), "%lu", st.st_ino);
	find("unix", "@pith-proc-net", inode);
	listen(l, 3);
	find("unix", "@pith-proc-net", inode);
	c = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	unlink("proc_net.sock");
	un_bind(c, "proc_net.sock");
	fstat(c, &st);
	snprintf(inode, sizeof(inode), "%lu", st.st_ino);
	find("unix", "proc_net.sock", inode);
	unlink("proc_net.sock");
	close(c);
	close(l);
	find("unix", "pith-proc-net", NULL);
	c = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	bind(c, (struct sockaddr *)&nl, sizeof(nl));
	fstat(c, &st);
	snprintf(inode, sizeof(inode), "%lu", st.st_ino);
	{
		char want[16];

		snprintf(want, sizeof(want), " %u ", nl.nl_pid);
		find("netlink", want, inode);
	}
	close(c);
	return 0;
}
