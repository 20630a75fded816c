#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Where a program's guest instructions go, by function of the kernel.

    test/bench/profile.py [--build DIR] [--from-entry] [--stop ADDR]
                          [--top N] [--raw] -- PITH-RUN-ARGUMENTS...

Runs `pith run --accel tcg --no-aslr ARGUMENTS` under the plugin count.c and
prints the functions with the most instructions.  The program's own code is
one line, unless it is a static executable named with --symbols.
"""

import argparse
import bisect
import os
import shlex
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGE = 0x100000
KERNEL = 0xffffffff80000000


def counting_qemu(work, options, more=()):
    """A QEMU for PITH_QEMU that counts: one CPU, pith's accelerator kept."""
    so = os.path.join(work, "count.so")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", so,
                    os.path.join(TOP, "test", "bench", "count.c")], check=True)
    path = os.path.join(work, "qemu-count")
    with open(path, "w") as f:
        f.write("#!/bin/sh\nexec qemu-system-x86_64 \"$@\" -plugin %s %s\n"
                % (",".join([so] + options), shlex.join(more)))
    os.chmod(path, 0o755)
    return path


def symbols(path):
    out = subprocess.run(["nm", "-n", "--defined-only", path], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    found = []
    for line in out.splitlines():
        addr, kind, name = line.split(None, 2)
        if kind in "tTwWiI":
            found.append((int(addr, 16), name))
    return [a for a, _ in found], [n for _, n in found]


def name_of(table, addr):
    i = bisect.bisect_right(table[0], addr) - 1
    return table[1][i] if i >= 0 else "?"


def read(path):
    total, blocks = 0, []
    with open(path) as f:
        for line in f:
            words = line.split()
            if words[0] == "total":
                total = int(words[1])
            elif words[0][0] != "#":
                blocks.append((int(words[0], 16), int(words[1]),
                               int(words[2])))
    return total, blocks


# Where an idle CPU waits awake (src/sched/idle.c).
AWAKE = ("look_often", "idle_look", "blk_idle_look", "vblk_look")


def read_busy(path, build):
    """The total of read() without waiting, which is idle time; of a Pith that
    was started with --no-aslr."""
    total, blocks = read(path)
    table = symbols(os.path.join(build, "pith-kernel.debug"))
    return total - sum(n for addr, n, _ in blocks if addr >= KERNEL and
                       name_of(table, addr - KERNEL + IMAGE) in AWAKE)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--build", default=os.path.join(TOP, "build"))
    ap.add_argument("--from-entry", action="store_true",
                    help="leave out what ran before the kernel's entry")
    ap.add_argument("--stop", help="end at this address")
    ap.add_argument("--symbols", help="a static executable, for user code")
    ap.add_argument("--top", type=int, default=40)
    ap.add_argument("--blocks", action="store_true",
                    help="by block, not by function")
    ap.add_argument("--translated", action="store_true",
                    help="instructions translated, not executed")
    ap.add_argument("run", nargs=argparse.REMAINDER)
    args = ap.parse_args()
    run = args.run[1:] if args.run[:1] == ["--"] else args.run
    with tempfile.TemporaryDirectory(prefix="pith-profile-") as work:
        out = os.path.join(work, "out")
        options = ["out=" + out]
        if args.from_entry:
            options.append("start=%#x" % IMAGE)
        if args.stop:
            options.append("stop=" + args.stop)
        env = dict(os.environ, PITH_QEMU=counting_qemu(work, options))
        p = subprocess.run([os.path.join(args.build, "pith"), "run", "--accel",
                            "tcg", "--no-aslr"] + run, env=env)
        total, blocks = read(out)
    kernel = symbols(os.path.join(args.build, "pith-kernel.debug"))
    user = symbols(args.symbols) if args.symbols else None
    sums = {}
    for addr, executed, translated in blocks:
        n = translated if args.translated else executed
        if addr >= KERNEL:
            name = name_of(kernel, addr - KERNEL + IMAGE)
            if args.blocks:
                name += " %x" % (addr - KERNEL + IMAGE)
        elif addr >= 1 << 32 or addr < 1 << 32 and user and \
                user[0][0] <= addr <= user[0][-1] + 65536:
            name = "user: " + (name_of(user, addr) if user else "all")
        elif IMAGE <= addr < IMAGE + (2 << 20):
            name = name_of(kernel, addr) + " (early)"
        elif addr < 1 << 20 or 0xf0000000 <= addr < 1 << 32:
            name = "firmware"
        else:
            name = "user: all"
        sums[name] = sums.get(name, 0) + n
    print("%d instructions, status %d" % (total, p.returncode))
    for name, n in sorted(sums.items(), key=lambda i: -i[1])[:args.top]:
        print("%12d %5.1f%%  %s" % (n, 100.0 * n / total, name))


if __name__ == "__main__":
    main()
