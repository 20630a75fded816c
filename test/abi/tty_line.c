/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line discipline, termios(3): each input under each set of modes, what
 * the program reads, and what the terminal shows (echo and output).
 *
 * A marker ends each input, so that all before it has been processed when it
 * is read; what the slave writes then ends the output.
 *
 * CALLS: ioctl
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define END "<end>"

struct modes {
	const char *name;
	unsigned ion, ioff, oon, ooff, lon, loff;
	int eol; /* VEOL, 0: none */
};

static const struct modes sets[] = {
	{ "default", 0, 0, 0, 0, 0, 0, 0 },
	{ "-echo", 0, 0, 0, 0, 0, ECHO, 0 },
	{ "-echo echonl", 0, 0, 0, 0, ECHONL, ECHO, 0 },
	{ "-echoe", 0, 0, 0, 0, 0, ECHOE, 0 },
	{ "-echoke", 0, 0, 0, 0, 0, ECHOKE, 0 },
	{ "-echok -echoke", 0, 0, 0, 0, 0, ECHOK | ECHOKE, 0 },
	{ "-echoctl", 0, 0, 0, 0, 0, ECHOCTL, 0 },
	{ "-iexten", 0, 0, 0, 0, 0, IEXTEN, 0 },
	{ "-isig", 0, 0, 0, 0, 0, ISIG, 0 },
	{ "noflsh", 0, 0, 0, 0, NOFLSH, 0, 0 },
	{ "iutf8", IUTF8, 0, 0, 0, 0, 0, 0 },
	{ "-icrnl", 0, ICRNL, 0, 0, 0, 0, 0 },
	{ "inlcr -icrnl", INLCR, ICRNL, 0, 0, 0, 0, 0 },
	{ "igncr", IGNCR, 0, 0, 0, 0, 0, 0 },
	{ "istrip", ISTRIP, 0, 0, 0, 0, 0, 0 },
	{ "iuclc", IUCLC, 0, 0, 0, 0, 0, 0 },
	{ "-ixon", 0, IXON, 0, 0, 0, 0, 0 },
	{ "ixany", IXANY, 0, 0, 0, 0, 0, 0 },
	{ "parmrk", PARMRK, 0, 0, 0, 0, 0, 0 },
	{ "-opost", 0, 0, 0, OPOST, 0, 0, 0 },
	{ "-onlcr", 0, 0, 0, ONLCR, 0, 0, 0 },
	{ "ocrnl", 0, ICRNL, OCRNL, 0, 0, 0, 0 },
	{ "onocr", 0, ICRNL, ONOCR, 0, 0, 0, 0 },
	{ "onlret", 0, 0, ONLRET, 0, 0, 0, 0 },
	{ "xtabs", 0, 0, XTABS, 0, 0, 0, 0 },
	{ "eol", 0, 0, 0, 0, 0, 0, ';' },
	{ "cbreak", 0, 0, 0, 0, 0, ICANON, 0 },
	{ "cbreak -echo", 0, 0, 0, 0, 0, ICANON | ECHO, 0 },
	{ "raw", 0, ICRNL | IXON, 0, OPOST, 0, ICANON | ECHO | ISIG | IEXTEN,
	  0 },
	{ "raw parmrk", PARMRK, ICRNL | IXON, 0, OPOST, 0,
	  ICANON | ECHO | ISIG | IEXTEN, 0 },
};

static const char *const inputs[] = {
	"abc\n",
	"two\nlines\n",
	"ab\177c\n",
	"\177\177a\177\177b\n",
	"a\tb\177\177c\td\177\n",
	"1234567\t8\177\177\177\n",
	"foo bar  \27baz\n",
	"a,b-c_d\27\27e\n",
	"foo bar\25new\n",
	"\1\2x\177\177y\n",
	"a\26\3b\26\177c\n",
	"a\26\nb\n",
	"x\4",
	"xy\4\4z\n",
	"\4\4a\n",
	"re\22print\n",
	"t\t\22u\177\177\177\n",
	"\303\251\177a\303\251b\n",
	"\302\241\342\202\254 \27q\n",
	"a\rb\n",
	"\r\n\r",
	"ab\3cd\n",
	"ab\34cd\32e\n",
	"a\21b\n",
	"a\23b\21c\n",
	"x;y;\n",
	"\377\n",
	"A\301\232Z\n",
	"\33[A\b\n",
	"0123456789012345678901234567890123456789\25k\n",
};

static void
text(const char *s, size_t n)
{
	size_t i;

	printf(" [");
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		printf(c < 32 || c > 126 || c == '[' ? "\\%o" : "%c", c);
	}
	printf("]");
}

static ssize_t
wait_read(int fd, char *b, size_t len)
{
	struct pollfd p = { fd, POLLIN, 0 };

	if (poll(&p, 1, 200000) != 1)
		return -1;
	return read(fd, b, len);
}

static void
one(int m, int s, const char *input, int lines, const char *end)
{
	char b[4096], out[8192];
	size_t n = 0;
	ssize_t k;

	text(input, strlen(input));
	printf(":");
	if (write(m, input, strlen(input)) < 0 || write(m, end, 2) != 2)
		printf(" write: %s", strerror(errno));
	do {
		k = wait_read(s, b + n, sizeof(b) - n);
		if (k < 0) {
			printf(" nothing comes");
			break;
		}
		/* Without lines it may come in pieces. */
		if (lines)
			text(b, (size_t)k);
		else
			n += (size_t)k;
	} while (lines ? !memchr(b, '~', (size_t)k) : n < 2 || b[n - 2] != '~');
	if (!lines)
		text(b, n);
	n = 0;
	if (write(s, END, strlen(END)) < 0)
		printf(" end: %s", strerror(errno));
	do {
		k = wait_read(m, out + n, sizeof(out) - n);
		n += k > 0 ? (size_t)k : 0;
	} while (k > 0 && n < sizeof(out) && !memmem(out, n, END, strlen(END)));
	printf(" shows");
	text(out, n);
	printf("\n");
}

int
main(void)
{
	char path[32];
	unsigned i, j;
	int n, zero = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);

	for (i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		const struct modes *o = &sets[i];

		printf("%s\n", o->name);
		for (j = 0; j < sizeof(inputs) / sizeof(*inputs); j++) {
			int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), s;
			struct termios t;

			if (ioctl(m, TIOCGPTN, &n) ||
			    ioctl(m, TIOCSPTLCK, &zero))
				printf("%s\n", strerror(errno));
			sprintf(path, "/dev/pts/%d", n);
			s = open(path, O_RDWR | O_NOCTTY);
			tcgetattr(s, &t);
			t.c_iflag = (t.c_iflag | o->ion) & ~o->ioff;
			t.c_oflag = (t.c_oflag | o->oon) & ~o->ooff;
			t.c_lflag = (t.c_lflag | o->lon) & ~o->loff;
			t.c_cc[VEOL] = (cc_t)o->eol;
			tcsetattr(s, TCSANOW, &t);
			/* Where no newline comes, an end of file ends it. */
			one(m, s, inputs[j], !!(t.c_lflag & ICANON),
			    t.c_iflag & INLCR ? "~\4" : "~\n");
			close(s);
			close(m);
		}
	}
	return 0;
}
