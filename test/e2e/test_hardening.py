# SPDX-License-Identifier: Apache-2.0
"""What stands between a program and the kernel, and between a bug and worse.

Goal: the CPU's protections are on; no page is writable and executable; page
zero is nowhere; kernel stacks end in pages that are not there; layouts differ
from start to start by 28 bits; a panic and a hang end with a report and 125.
Method: gdb, as anybody may use it (`pith run --gdb`), stops a machine in a
system call and asks QEMU for registers and page tables; broken code for the
last two is written by the same way."""

import os
import re
import subprocess

import pytest

from ports import free_port

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("PITH_BUILD", "build"))
PITH = os.path.join(BUILD, "pith")
WAIT = 240


def stopped(commands, program=("/bin/true",), options=(),
            where="sys_exit_group"):
    """Runs the program up to its exit_group, or another function, and gdb's
    commands there; what gdb said, the status, and what pith said."""
    p = subprocess.Popen([PITH, "run", *options, "--gdb", str(free_port()),
                          *program], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        line = p.stderr.readline().decode()
        argv = ["gdb", "-q", "-nx", "-batch"]
        for c in ("set pagination off", "set confirm off",
                  "set tcp connect-timeout 240",
                  *re.findall(r"-ex '([^']*)'", line),
                  "hbreak " + where, "continue", "delete", *commands):
            argv += ["-ex", c]
        out = subprocess.run(argv, capture_output=True, text=True,
                             timeout=WAIT, stdin=subprocess.DEVNULL)
        rest = p.communicate(timeout=WAIT)
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
    assert where in out.stdout, out.stdout + out.stderr
    # What QEMU's monitor says comes out at gdb's stderr.
    return out.stdout + out.stderr, p.returncode, rest[1].decode(errors="replace")


@pytest.fixture(scope="module")
def machine():
    out, status, _ = stopped(["print/x $cr0", "print/x $cr4", "print/x $efer",
                              "print/x $rsp", "monitor info tlb", "detach"])
    assert status == 0
    return out


def register(machine, n):
    return int(re.search(r"^\$%d = (0x[0-9a-f]+)" % n, machine, re.M)[1], 16)


def pages(machine):
    """(virtual address, size, flags) of every page in the tables."""
    for m in re.finditer(r"^([0-9a-f]{16}): [0-9a-f]{16} ([-A-Z]{9})", machine,
                         re.M):
        yield int(m[1], 16), (0x200000 if "P" in m[2] else 0x1000), m[2]


def test_protections_are_on(machine):
    cr0, cr4, efer = (register(machine, n) for n in (1, 2, 3))
    assert cr0 >> 16 & 1, "CR0.WP"
    assert cr4 >> 11 & 1, "UMIP"
    assert cr4 >> 20 & 1, "SMEP"
    assert cr4 >> 21 & 1, "SMAP"
    assert efer >> 11 & 1, "NX"


def test_no_page_is_writable_and_executable(machine):
    seen = list(pages(machine))
    assert len(seen) > 100
    # flags: no-execute, global, large, dirty, accessed, ..., user, writable
    bad = ["%#x %s" % (va, f) for va, _, f in seen
           if f[8] == "W" and f[0] != "X"]
    assert not bad, bad[:20]


def test_user_and_kernel_halves(machine):
    for va, _, f in pages(machine):
        assert (f[7] == "U") == (va < 1 << 63), "%#x %s" % (va, f)
        assert va >= 0x10000, "page zero"


def test_kernel_stack_has_guard_pages(machine):
    there = {va for va, size, _ in pages(machine) if size == 0x1000}
    top = low = register(machine, 4) & ~0xfff
    while low - 0x1000 in there:
        low -= 0x1000
    while top + 0x1000 in there:
        top += 0x1000
    assert low in there and top + 0x1000 - low <= 32 << 10


LAYOUT = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	int left = atoi(argv[1]);
	char n[16], *args[] = { argv[0], n, NULL };
	printf("%lx %lx %lx %lx %lx\n", (long)main, (long)&left,
	       (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0),
	       (long)getauxval(AT_SYSINFO_EHDR), (long)sbrk(0));
	fflush(stdout);
	snprintf(n, sizeof(n), "%d", left - 1);
	if (left > 1)
		execv("/proc/self/exe", args);
	return 0;
}
"""


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    exe = tmp_path_factory.mktemp("layout") / "layout"
    subprocess.run(["gcc", "-static-pie", "-O1", "-x", "c", "-", "-o", exe],
                   input=LAYOUT.encode(), check=True)
    return exe


def layouts(exe, n, options=()):
    out = subprocess.run([PITH, "run", *options, exe, str(n)], check=True,
                         stdin=subprocess.DEVNULL, timeout=WAIT,
                         capture_output=True).stdout.decode()
    rows = [[int(x, 16) for x in l.split()] for l in out.splitlines()]
    assert len(rows) == n
    return rows


def test_addresses_vary_by_28_bits(layout):
    """In 24 starts each of the 28 bits above the page has had both values; of
    the stack's, 28 above its alignment, as on Linux; brk begins somewhere
    behind the program."""
    rows = layouts(layout, 24)
    for name, column in zip(("program", "stack", "mmap", "vdso", "brk"),
                            zip(*rows)):
        moved = 0
        for a in column:
            moved |= a ^ column[0]
        shift = 4 if name == "stack" else 12
        assert moved >> shift & 0xfffffff == 0xfffffff, (name, hex(moved))
    assert len({r[4] - r[0] for r in rows}) > 20


def test_every_boot_is_another(layout):
    a, b = layouts(layout, 1)[0], layouts(layout, 1)[0]
    assert all(x != y for x, y in zip(a, b))


def test_aslr_can_be_turned_off(layout, tmp_path):
    (tmp_path / "c.json").write_text('{"aslr": false}')
    options = ("--config", str(tmp_path / "c.json"))
    assert layouts(layout, 1, options) == layouts(layout, 1, options)


def test_panic():
    """A kernel that meets an impossible instruction: a report, and 125."""
    _, status, err = stopped([
        "set *(unsigned short *)$pc = 0x0b0f", "detach"])
    assert status == 125
    assert "kernel panic on CPU 0: invalid opcode" in err
    assert "backtrace" in err
    assert err.splitlines()[-1].startswith("pith: ")


@pytest.mark.parametrize("cpus", ["1", "2"])
def test_watchdog(cpus):
    """A kernel that goes round in a circle is ended, with every CPU named."""
    _, status, err = stopped(["set *(unsigned short *)$pc = 0xfeeb", "detach"],
                             options=("-c", cpus, "--timeout", "200"))
    assert status == 125, err
    assert "no progress for ten seconds" in err
    assert "CPU 0:" in err or "on CPU 0" in err
    assert err.splitlines()[-1].startswith("pith: ")
