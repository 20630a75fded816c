// SPDX-License-Identifier: Apache-2.0
/*
 * Files of /proc that monitors parse: the lines and the counts of numbers that
 * they look for (prometheus-node-exporter, net-snmp, collectd), and that
 * the counters move.  Values are the machine's, and are not shown.
 *
 * CALLS: read
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char text[1 << 20];

static const char *
slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n, at = 0;

	if (fd < 0)
		return NULL;
	while ((n = read(fd, text + at, sizeof(text) - 1 - at)) > 0)
		at += n;
	text[at] = '\0';
	close(fd);
	return text;
}

/* The line that starts with this word, behind the word; NULL. */
static const char *
line(const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, word, len) && p[len] == ' ')
			return p + len;
	}
	return NULL;
}

static unsigned
numbers(const char *p)
{
	char buf[65536], *save = NULL, *end;
	unsigned n = 0;

	snprintf(buf, sizeof(buf), "%.*s", (int)strcspn(p, "\n"), p);
	for (char *w = strtok_r(buf, " \t", &save); w;
	     w = strtok_r(NULL, " \t", &save), n++) {
		strtoull(w, &end, 10);
		if (*end)
			return 0;
	}
	return n;
}

static unsigned long long
value(const char *word)
{
	const char *p = line(word);

	return p ? strtoull(p, NULL, 10) : 0;
}

int
main(void)
{
	static const char *const stat[] = { "cpu",	     "cpu0",
					    "ctxt",	     "btime",
					    "processes",     "procs_running",
					    "procs_blocked", "softirq" };
	static const char *const vmstat[] = {
		"nr_free_pages",   "nr_anon_pages",
		"nr_file_pages",   "nr_dirty",
		"nr_writeback",	   "nr_shmem",
		"nr_kernel_stack", "nr_page_table_pages",
		"pgpgin",	   "pgpgout",
		"pswpin",	   "pswpout",
		"pgfault",	   "pgmajfault",
		"oom_kill",
	};
	unsigned long long faults, a, b, max;
	int fds[8];

	slurp("/proc/stat");
	for (unsigned i = 0; i < sizeof(stat) / sizeof(*stat); i++)
		printf("stat %s: %u\n", stat[i],
		       line(stat[i]) ? numbers(line(stat[i])) : 0);

	slurp("/proc/vmstat");
	for (unsigned i = 0; i < sizeof(vmstat) / sizeof(*vmstat); i++)
		printf("vmstat %s: %u\n", vmstat[i],
		       line(vmstat[i]) ? numbers(line(vmstat[i])) : 0);
	faults = value("pgfault");
	for (char *p = malloc(8 << 20), *q = p; q < p + (8 << 20); q += 4096)
		*(volatile char *)q = 1;
	slurp("/proc/vmstat");
	printf("faults were counted: %d\n", value("pgfault") > faults);

	printf("file-nr: %u\n",
	       slurp("/proc/sys/fs/file-nr") ? numbers(text) : 0);
	a = strtoull(text, NULL, 10);
	for (int i = 0; i < 8; i++)
		fds[i] = open("/dev/null", O_RDONLY);
	slurp("/proc/sys/fs/file-nr");
	sscanf(text, "%llu %*u %llu", &b, &max);
	printf("open files are counted: %d\n", b > 0 && a > 0 && b <= max);
	slurp("/proc/sys/fs/file-max");
	printf("the last is file-max: %d\n", strtoull(text, NULL, 10) == max);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	return 0;
}
