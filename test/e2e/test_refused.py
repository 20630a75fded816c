# SPDX-License-Identifier: Apache-2.0
"""A disk that refuses what it is told to, under a machine of two CPUs.

Goal: each open file is told once, as on Linux; no byte of another file is ever
seen, nor lost what fsync promised; the machine and its file system go on, and
e2fsck finds nothing.  Method: the disk is an NBD server of our own, which the
bytes that are written tell what to refuse (faulty_disk.py); the same program
in the Linux guest on the same disk is the expectation; threads that change
files in every way look at each other's (programs/refused.c)."""

import os
import random
import subprocess

import pytest

from faulty_disk import EIO, FLUSH, READ, WRITE, ZEROES, Disk, qemu_with
from test_disk import PROGRAMS, in_linux
from test_storage import LONG, WAIT, cache, closed, fsck, m  # noqa: F401


@pytest.fixture
def exe(tmp_path):
    path = str(tmp_path / "refused")
    subprocess.run(["gcc", "-O1", "-static", "-pthread", "-o", path,
                    os.path.join(PROGRAMS, "refused.c"), "-luring"],
                   check=True, timeout=120)
    return path


@pytest.fixture
def faulty(m, tmp_path):
    disks = []

    def make(**how):
        where = str(tmp_path / "disk.sock")
        if os.path.exists(where):
            os.unlink(where)
        disks.append(Disk(m.volume(), where, **how))
        m.env["PITH_QEMU"] = qemu_with(tmp_path, "pith0", where)
        return disks[-1]
    yield make
    for d in disks:
        d.stop()


def test_told(m, faulty, exe, tmp_path):
    disk = faulty()
    got = m.run("-c", "2", "-v", "v:/data", exe, "told", "/data")
    fsck(m.volume())
    m.pith("volume", "rm", "v")
    m.pith("volume", "create", "v", "128M")
    want = in_linux(tmp_path, exe, [{"driver": "nbd", "server": {
        "type": "unix", "path": disk.where}}], ["told", "/data"],
        r"(?!status|\[|\r).")
    assert got.stdout.decode().splitlines() == want
    assert len(want) > 20 and "EIO" in want[1]


def test_beside(m, faulty, exe):
    """Of requests that go to the disk as one, what is refused is that which
    it refuses."""
    faulty()
    assert m.run("-v", "v:/data", exe, "beside", "/data").stdout == \
        b"write 5: EIO\nread 9: EIO\ndone\n"


@pytest.mark.parametrize("seed", range(1, 30 if LONG else 2))
def test_threads(m, faulty, exe, seed):
    m.pith("volume", "rm", "v")
    m.pith("volume", "create", "v", "20M")
    disk = faulty()
    run = lambda *w: m.run("-c", "2", "-v", "v:/data", exe,
                           *w).stdout.decode()
    assert run("fill", "/data") == "filled\n"
    assert run("threads", "/data", 4, 600 if LONG else 150, seed) == \
        "threads: errors, successes\n"
    assert disk.refused[1]
    fsck(m.volume())
    closed(m.volume())
    assert run("later", "/data", 4) == "12 files\n"


KINDS = {"writes": (WRITE, ZEROES), "flushes": (FLUSH,),
         "all": (READ, WRITE, ZEROES, FLUSH), "one": (WRITE,),
         "some": (WRITE,)}


@pytest.mark.parametrize("what", sorted(KINDS))
def test_dies(m, faulty, exe, what):
    """A disk that dies, or misses a few requests of any kind: errors, and no
    machine that stops."""
    r, plain = random.Random(what), dict(m.env)
    for turn in range(20 if LONG else 1):
        left = r.randrange(40 if what == "flushes" else 250)

        def refuse(kind, at, data):
            nonlocal left
            if kind not in KINDS[what]:
                return 0
            left -= 1
            if what == "some":
                return EIO if left < 0 and left % 7 == 0 else 0
            return EIO if left == -1 or left < 0 and what != "one" else 0
        disk = faulty(refuse=refuse)
        got = m.run("-c", "2", "-v", "v:/data", exe, "dies", "/data", 4, 150,
                    turn).stdout.decode()
        disk.stop()
        assert got.startswith("alive: ")
        assert left < 0
        again = m.run("-c", "2", "-v", "v:/data", exe, "dies", "/data", 4, 20,
                      turn, env=plain).stdout.decode()
        assert again == "alive: yes\n"
        fsck(m.volume())
