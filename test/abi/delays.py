#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Finds the programs of this folder whose output is chance.  Each runs on
the host as it is, then with system calls held up one kind at a time (strace's
injection of delays), and on one CPU that it shares with busy loops.  What it
prints and its exit status must stay the same; what differs is named with the
place.  `make abi-delays`, or delays.py [-j N] [--rounds N] [NAME...]; the
exit status is 1 if anything differed."""

import argparse
import concurrent.futures
import difflib
import os
import re
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
WAITS = ("read,readv,recvfrom,recvmsg,accept,accept4,poll,ppoll,select,"
         "pselect6,epoll_wait,epoll_pwait,wait4,waitid,rt_sigtimedwait")
SENDS = ("write,writev,sendto,sendmsg,kill,tkill,tgkill,connect,"
         "mq_timedsend,msgsnd,semop")

# Name, calls, where, microseconds.  A thread's first 40 calls of a
# kind are held up: a loop of thousands must still come to its end.
HELD = (
    ("writes late", SENDS, "enter", 40000),
    ("writes return late", SENDS, "exit", 40000),
    ("waits begin late", WAITS, "enter", 40000),
    ("waits return late", WAITS, "exit", 40000),
    ("futex late", "futex", "enter", 60000),
    ("futex returns late", "futex", "exit", 60000),
    ("creator is slow", "clone,clone3,fork,vfork", "exit", 150000),
    ("new thread is slow", "set_robust_list,rseq", "enter", 150000),
    ("sleeps are long", "nanosleep,clock_nanosleep,pause,rt_sigsuspend",
     "exit", 150000),
    ("ends are late", "exit,exit_group,close,shutdown", "enter", 100000),
    ("every call", "all", "enter", 3000),
    ("every call returns late", "all", "exit", 3000),
)


def compile_one(name, folder):
    src = os.path.join(HERE, name + ".c")
    exe = os.path.join(folder, name)
    with open(src) as f:
        libs = [w for l in re.findall(r"^ \* LIBS: (.*)$", f.read(), re.M)
                for w in l.split()]
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-w", "-static", "-pthread",
                    "-o", exe, src, *("-l" + l for l in libs)], check=True)
    return exe


def run(argv, cwd):
    """What it gave, as lines; the last is its status."""
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         cwd=cwd, start_new_session=True)
    try:
        out, _ = p.communicate(timeout=300)
        end = "status %d" % (p.returncode if p.returncode >= 0 else
                             128 - p.returncode)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        out, _ = p.communicate()
        end = "no end in 300 s"
    return out.decode(errors="replace").splitlines() + [end]


def ways(exe):
    """(name, argv) of each way to disturb a program."""
    trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none"]
    yield "traced", [*trace, "-e", "trace=getpid", exe]
    for name, calls, where, usec in HELD:
        yield name, [*trace, "-e", "trace=" + calls, "-e",
                     "inject=%s:delay_%s=%d:when=1..40" %
                     (calls, where, usec), exe]
    yield "one busy CPU", ["taskset", "-c", "0", "nice", "-n", "10", exe]


def examine(name, folder, rounds):
    exe = compile_one(name, folder)
    work = tempfile.mkdtemp(dir=folder)
    want = run([exe], work)
    found = []
    for n in range(rounds):
        for way, argv in ways(exe):
            got = run(argv, work)
            if got != want:
                found.append((way, [l for l in difflib.unified_diff(
                    want, got, lineterm="", n=0)][2:10]))
    return name, found


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("-j", type=int, default=4)
    ap.add_argument("--rounds", type=int, default=1)
    ap.add_argument("names", nargs="*")
    args = ap.parse_args()
    names = args.names or sorted(f[:-2] for f in os.listdir(HERE)
                                 if f.endswith(".c"))
    load = [subprocess.Popen(["taskset", "-c", "0", "nice", "-n", "5", "sh",
                              "-c", "while :; do :; done"]) for _ in range(2)]
    bad = 0
    try:
        with tempfile.TemporaryDirectory() as folder, \
                concurrent.futures.ThreadPoolExecutor(args.j) as pool:
            for done in concurrent.futures.as_completed(
                    [pool.submit(examine, n, folder, args.rounds)
                     for n in names]):
                name, found = done.result()
                print(name, "differs" if found else "ok", flush=True)
                bad += bool(found)
                for way, lines in found:
                    print("  %s:" % way)
                    for line in lines:
                        print("\t" + line, flush=True)
    finally:
        for p in load:
            p.kill()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
