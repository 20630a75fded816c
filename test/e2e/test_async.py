# SPDX-License-Identifier: Apache-2.0
"""Asynchronous I/O on a disk: fio unmodified, by io_uring and by Linux AIO,
with and without O_DIRECT, verifying what it reads; and O_DIRECT with a file
that is cut under requests in flight.  e2fsck judges the volume at the end."""

import os
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = os.path.join(TOP, "test", "e2e", "programs")
WAIT = 240  # seconds that nothing here needs: a hang, not a slow machine


class Volume:
    def __init__(self, pith, tmp):
        self.program, self.tmp = pith, tmp
        self.env = dict(os.environ, PITH_VOLUMES=str(tmp / "volumes"))

    def pith(self, *words):
        return subprocess.run([self.program, *map(str, words)], env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=WAIT)

    def run(self, *words):
        r = self.pith("run", "-c", "2", "-v", "v:/data", *words)
        assert r.returncode == 0, (r.stdout[-2000:], r.stderr[-2000:])
        return r

    def check(self):
        r = subprocess.run(["/sbin/e2fsck", "-fn",
                            str(self.tmp / "volumes" / "v.img")],
                           capture_output=True, timeout=WAIT)
        assert r.returncode == 0, r.stdout[-2000:]


@pytest.fixture
def volume(pith, tmp_path):
    v = Volume(pith, tmp_path)
    r = v.pith("volume", "create", "v", "64M")
    assert r.returncode == 0, r.stderr
    return v


@pytest.mark.parametrize("direct", [0, 1])
@pytest.mark.parametrize("engine", ["io_uring", "libaio"])
def test_fio(volume, engine, direct):
    r = volume.run("/usr/bin/fio", "--name=job", "--thread=1",
                   "--ioengine=" + engine, "--direct=%d" % direct,
                   "--rw=randrw", "--bs=4k", "--size=1m", "--iodepth=16",
                   "--directory=/data", "--verify=crc32c", "--fsync=32",
                   "--end_fsync=1")
    assert b"err= 0" in r.stdout, r.stdout
    volume.check()


def test_direct(volume, tmp_path):
    exe = str(tmp_path / "direct")
    subprocess.run(["gcc", "-O1", "-static", "-pthread", "-o", exe,
                    os.path.join(PROGRAMS, "direct.c"), "-luring"],
                   check=True, timeout=300)
    want = subprocess.run([exe, "/var/tmp"], stdout=subprocess.PIPE,
                          timeout=WAIT)
    os.unlink("/var/tmp/direct.data")
    got = volume.run(exe, "/data")
    assert got.stdout == want.stdout, got
    volume.check()


def test_memory(volume, tmp_path):
    """What O_DIRECT lends to the device comes back."""
    exe = str(tmp_path / "memory")
    subprocess.run(["gcc", "-O1", "-static", "-pthread", "-o", exe,
                    os.path.join(PROGRAMS, "async_memory.c"), "-luring"],
                   check=True, timeout=300)
    assert volume.run(exe, "/data/x").stdout == b"lost: nothing\n"


@pytest.mark.parametrize("seed", [1, 2])
def test_nonsense(pith, tmp_path, seed):
    """Random arguments and random rings do no harm to the machine."""
    exe = str(tmp_path / "async_fuzz")
    subprocess.run(["gcc", "-O1", "-static", "-o", exe,
                    os.path.join(PROGRAMS, "async_fuzz.c"), "-luring"],
                   check=True, timeout=300)
    r = subprocess.run([pith, "run", "-c", "2", exe, str(seed)],
                       stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=WAIT)
    assert (r.returncode, r.stdout) == (0, b"survived\n"), r.stderr[-2000:]
