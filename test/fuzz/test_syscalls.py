# SPDX-License-Identifier: Apache-2.0
"""Random system calls with hostile arguments (syscalls.c): the kernel lives
on and the program comes to its end.  PITH_SEED chooses another sequence,
PITH_LONG a million calls."""

import os
import re
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
LONG = os.environ.get("PITH_LONG")
SEED = os.environ.get("PITH_SEED", "1")

KINDS = {
    "fd": "K_FD", "dirfd": "K_FD", "path": "K_PATH", "size": "K_LEN",
    "len": "K_LEN", "off": "K_VALUE", "num": "K_VALUE", "addr": "K_ADDR",
    "sig": "K_SIG", "sigset": "K_MASK", "uint": "K_VALUE", "int": "K_VALUE",
}
FLAGS = ("oflags", "mode", "prot", "mflags", "atflags", "clockid", "omode",
         "hex32", "access", "whence", "fdflags", "fcntl", "fcntlarg", "ioctl",
         "archprctl", "futexop", "madvice", "resource", "grnd", "family",
         "socktype", "msgflags", "shut", "epollflags", "epollop", "clone",
         "sighow")


def table():
    rows = []
    with open(os.path.join(TOP, "src/linux/syscalls.tbl")) as f:
        for line in f:
            m = re.match(r"(\d+)\s+\S+\s+(\w+)\s+(\w+)\((.*?)\)", line)
            if not m or m[2] == "none":
                continue
            kinds = []
            for arg in filter(None, map(str.strip, m[4].split(","))):
                kind, name = arg.split()
                k = KINDS.get(kind, "K_FLAGS" if kind in FLAGS else "K_PTR")
                if name == "sigmask":
                    k = "K_MASK"
                kinds.append(k)
            rows.append("\t{ %s, %d, { %s } }, /* %s */" %
                        (m[1], len(kinds), ", ".join(kinds) or "0", m[3]))
    return "static const struct call calls[] = {\n%s\n};\n" % "\n".join(rows)


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    d = tmp_path_factory.mktemp("fuzz")
    (d / "calls.h").write_text(table())
    exe = d / "syscalls"
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-static",
                    "-fno-stack-protector", "-Wall", "-I", d, "-o", exe,
                    os.path.join(HERE, "syscalls.c")], check=True, timeout=300)
    return exe


def hammer(program, pith, kernel, cpus, seed, calls, timeout):
    env = dict(os.environ)
    if kernel:
        env["PITH_KERNEL"] = kernel
    r = subprocess.run([pith, "run", "-c", str(cpus), "-m", "256M", "--timeout",
                        str(timeout), program, str(seed), str(calls)],
                       env=env, stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=timeout + 60)
    err = r.stderr.decode(errors="replace")
    assert r.returncode == 0, "seed %s: status %d\n%s" % (
        seed, r.returncode, err[-4000:])
    assert r.stdout.endswith(b"%d calls, alive\n" % calls), err[-4000:]


@pytest.mark.parametrize("cpus", [1, 2])
def test_hostile_calls(program, pith, cpus):
    hammer(program, pith, None, cpus, SEED, 1000000 if LONG else 20000,
           7200 if LONG else 600)


def test_hostile_calls_debug_kernel(program, pith, build_dir):
    """The same under lock ranks, poison and UBSan traps."""
    hammer(program, pith, os.path.join(build_dir, "debug/pith-kernel.elf"), 2,
           SEED, 1000000 if LONG else 10000, 7200 if LONG else 600)
