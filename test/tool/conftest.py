# SPDX-License-Identifier: Apache-2.0
"""What every test of the tool uses: pith with a cache of its own and a stand-in
for QEMU (fakeqemu.py), so that no kernel runs; its file is there, for the
klibs beside it."""

import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("PITH_BUILD", "build"))
PITH = os.path.join(BUILD, "pith")

STATIC = r"""
int main(void) { return 0; }
"""


class Pith:
    def __init__(self, tmp):
        self.tmp = tmp
        self.env = dict(os.environ, PITH_CACHE=str(tmp / "cache"),
                        PITH_QEMU=os.path.join(HERE, "fakeqemu.py"),
                        TERM="xterm")
        for name in ("PITH_CACHE_LIMIT", "SOURCE_DATE_EPOCH", "LANG"):
            self.env.pop(name, None)

    def __call__(self, *words, stdin=b"", env=None, **more):
        more.setdefault("timeout", 300)
        return subprocess.run([PITH, *map(str, words)], input=stdin,
                              capture_output=True,
                              env=dict(self.env, **(env or {})), **more)

    def popen(self, *words, env=None, **more):
        return subprocess.Popen([PITH, *map(str, words)],
                                env=dict(self.env, **(env or {})), **more)


@pytest.fixture
def pith(tmp_path):
    return Pith(tmp_path)


@pytest.fixture(scope="session")
def static(tmp_path_factory):
    """A static program, so that packaging is a matter of milliseconds."""
    path = tmp_path_factory.mktemp("static") / "hello"
    subprocess.run(["gcc", "-static", "-O1", "-x", "c", "-", "-o", path],
                   input=STATIC.encode(), check=True)
    return path


def last_line(r):
    lines = r.stderr.decode().splitlines()
    return lines[-1] if lines else ""


def fails(r, status, *words):
    """The status, and one clear last line that begins "pith:"."""
    assert r.returncode == status, r.stderr.decode()
    line = last_line(r)
    assert line.startswith("pith: "), r.stderr.decode()
    for w in words:
        assert w in line, line


def partitions(image):
    """The start and length in bytes of the image's four partitions."""
    import struct
    with open(image, "rb") as f:
        f.seek(1024)
        table = f.read(512)
    out = []
    for i in range(4):
        first, last = struct.unpack_from("<QQ", table, i * 128 + 32)
        out.append((first * 512, (last - first + 1) * 512))
    return out


def extract_root(image, to):
    start, length = partitions(image)[3]
    with open(image, "rb") as f, open(to, "wb") as g:
        f.seek(start)
        g.write(f.read(length))
    return to


def debugfs(root, request):
    r = subprocess.run(["debugfs", "-R", request, str(root)],
                       capture_output=True, check=True)
    return r.stdout.decode()
