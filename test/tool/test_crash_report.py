# SPDX-License-Identifier: Apache-2.0
"""A crash report is resolved to functions and lines.

Method: a program that crashes on the host writes, from its own signal handler,
what the kernel would send (docs/design/crash.md); the stand-in for QEMU sends
that, and pith's backtrace must name the functions of the program."""

import subprocess

CRASH = r"""
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <ucontext.h>
static void report(int sig, siginfo_t *si, void *uc)
{
	static const char *const names[] = { "r8", "r9", "r10", "r11", "r12",
		"r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx", "rax",
		"rcx", "rsp", "rip" };
	greg_t *g = ((ucontext_t *)uc)->uc_mcontext.gregs;
	char line[600], mode[8], path[400];
	unsigned long a, b, off;
	FILE *f = fopen("/proc/self/maps", "r");
	printf("signal %d\ncode %d\nthread 1 crashy\naddress %lx\n", sig,
	       si->si_code, (unsigned long)si->si_addr);
	for (int i = 0; i < 17; i++)
		printf("reg %s %llx\n", names[i], (long long)g[i]);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %399s", &a, &b, mode,
			   &off, path) == 5 && mode[2] == 'x')
			printf("map %lx %lx %lx %s\n", a, b, off, path);
	for (int k = 0; k < 64; k++) {
		unsigned char *p = (unsigned char *)g[REG_RSP] + 32 * k;
		printf("stack %lx ", (unsigned long)p);
		for (int i = 0; i < 32; i++)
			printf("%02x", p[i]);
		puts("");
	}
	puts("end");
	fflush(stdout);
	_Exit(0);
}
static int __attribute__((noinline)) inner(volatile int *p)
{
	return *p + 1;
}
static int __attribute__((noinline)) middle(int n, volatile int *p)
{
	char b[100];
	sprintf(b, "%d", n);
	return inner(p) + b[0];
}
static char pile[8192];
int main(int argc, char **argv)
{
	stack_t s = { .ss_sp = pile, .ss_size = sizeof(pile) };
	struct sigaction a = { .sa_sigaction = report,
			       .sa_flags = SA_SIGINFO | SA_ONSTACK };
	(void)argv;
	sigaltstack(&s, 0);
	sigaction(SIGSEGV, &a, 0);
	return middle(argc, 0) + 1;
}
"""


def make(tmp_path, *flags):
    p = tmp_path / "crashy"
    subprocess.run(["gcc", *flags, "-x", "c", "-", "-o", p],
                   input=CRASH.encode(), check=True)
    text = subprocess.run([p], capture_output=True, check=True).stdout
    (tmp_path / "report").write_bytes(text)
    return p


def report(pith, tmp_path, *words):
    r = pith("run", *words, "crash", tmp_path / "report")
    assert r.returncode == 128 + 11, r.stderr.decode()
    return r.stderr.decode()


def frames(text):
    return [line for line in text.splitlines() if line.startswith("pith:   #")]


def test_functions_and_lines(pith, tmp_path):
    p = make(tmp_path, "-g", "-O1")
    text = report(pith, tmp_path, p)
    assert "thread 1 (crashy) died of signal 11 (SIGSEGV) at address 0x0" \
        in text
    f = frames(text)
    assert "inner+0x" in f[0] and "(<stdin>:38)" in f[0]
    assert "middle+0x" in f[1] and "main+0x" in f[2]
    assert "libc_start" in "".join(f[3:])
    assert str(p) in f[0] and "libc.so.6" in f[3]


def test_without_debug_information(pith, tmp_path):
    p = make(tmp_path, "-O2", "-fomit-frame-pointer")
    f = frames(report(pith, tmp_path, p))
    assert "inner" in f[0] and "main+0x" in f[2]


def test_not_pie(pith, tmp_path):
    p = make(tmp_path, "-g", "-O1", "-no-pie", "-static")
    f = frames(report(pith, tmp_path, p))
    assert "inner" in f[0] and "main+0x" in f[2]


def test_nonsense(pith, tmp_path, static):
    """Cut short, out of order, or full of junk: less is printed."""
    make(tmp_path, "-g")
    good = (tmp_path / "report").read_bytes()
    lines = good.splitlines(True)
    for junk in (b"end\n", b"signal x\nreg rip zz\nmap 1 0 0 /x\nend\n",
                 b"stack 0 zz\nframe\nthread\nmap\nend\n",
                 b"".join(reversed(lines[:-1])) + b"end\n",
                 good.replace(b"reg rsp", b"reg xxx"),
                 b"map 1000 2000 0 /etc/passwd\nreg rip 1500\nend\n",
                 b"frame 1234\nframe 5678\nend\n",
                 b"reg rip ffffffffffffffff\nend\n"):
        (tmp_path / "report").write_bytes(junk)
        r = pith("run", static, "crash", tmp_path / "report")
        assert r.returncode == 139 and b"crash: thread" in r.stderr
