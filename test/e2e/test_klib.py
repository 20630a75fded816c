# SPDX-License-Identifier: Apache-2.0
"""Klibs in a real machine: docs/design/klib.md.

Goal: a part of the kernel that is loaded works as one that is built in, is
there only where it is needed, is as protected as the rest, and has names in
reports; one that does not fit ends in one line that says why, and 125.
Method: the 9P klib and a directory of the host; files of it that are damaged
or changed; gdb for page tables and for code that goes wrong."""

import os
import re
import shutil
import subprocess

import pytest
from test_hardening import pages, stopped

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("PITH_BUILD", "build"))
PITH = os.path.join(BUILD, "pith")
PY = "/usr/bin/python3"
WAIT = 240
MODULES = 0xffffffffc0000000


def run(*words, env={}, **more):
    return subprocess.run([PITH, "run", *map(str, words)],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=WAIT, env=dict(os.environ, **env), **more)


@pytest.fixture
def shared(tmp_path):
    d = tmp_path / "shared"
    d.mkdir()
    (d / "hello").write_text("of the host\n")
    return d


SCRIPT = r"""
import os, sys
print(open("/d/hello").read(), end="")
with open("/d/back", "w") as f:
    f.write("of the machine\n" * 20000)
os.rename("/d/back", "/d/there")
print(sorted(os.listdir("/d")), os.path.getsize("/d/there"))
print("9p" in open("/proc/filesystems").read())
"""


@pytest.mark.parametrize("options", [(), ("-c", "2"), ("--machine", "q35")])
def test_a_directory_of_the_host(shared, options):
    r = run("-v", "%s:/d" % shared, *options, PY, "-c", SCRIPT)
    assert r.returncode == 0, r.stderr.decode()
    assert r.stdout.decode() == ("of the host\n['hello', 'there'] 300000\n"
                                 "True\n")
    assert (shared / "there").read_text() == "of the machine\n" * 20000


def test_only_where_it_is_needed(tmp_path):
    r = run("/bin/cat", "/proc/filesystems")
    assert b"ext4" in r.stdout and b"9p" not in r.stdout
    r = run("--mount", "tmpfs:9p:/m", "--klib", "9p", "/bin/cat",
            "/proc/filesystems")
    assert b"\t9p" in r.stdout


@pytest.mark.parametrize("built_with", [True, False])
def test_image(shared, tmp_path, built_with):
    """An image brings its klib, or the run does."""
    img = tmp_path / "a.img"
    subprocess.run([PITH, "build", *(["--klib", "9p"] if built_with else []),
                    "-o", img, "/bin/cat", "/d/hello"], check=True)
    r = run("-v", "%s:/d:ro" % shared, img)
    assert r.returncode == 0 and r.stdout == b"of the host\n", r.stderr


@pytest.fixture
def beside(tmp_path):
    """The same kernel with a klib of ours beside it."""
    d = tmp_path / "beside"
    (d / "klib").mkdir(parents=True)
    shutil.copy(os.path.join(BUILD, "pith-kernel.elf"), d / "k.elf")
    with open(os.path.join(BUILD, "klib", "9p.klib"), "rb") as f:
        good = f.read()

    def go(change):
        (d / "klib" / "9p.klib").write_bytes(change(good))
        r = run("--verbose", "--klib", "9p", "/bin/true",
                env={"PITH_KERNEL": str(d / "k.elf")})
        assert r.returncode == 125, r.stderr
        lines = r.stderr.decode().splitlines()
        assert lines[-1].startswith("pith: the klib 9p can not be used: ")
        return lines
    return go


def other_build(b):
    at = b.index(b"PITHKLIB") + 8
    return b[:at] + b"0123456789" + b[at + 10:]


@pytest.mark.parametrize("change,wanted", [
    (other_build, "built for another kernel"),
    (lambda b: b.replace(b"fs_register\0", b"fs_registry\0"),
     "does not export"),
    (lambda b: b[:len(b) // 2], "damaged"),
    (lambda b: b"#!/bin/sh\n", "damaged"),
    (lambda b: b.replace(b".rodata", b".rodato"), "damaged"),
])
def test_one_that_does_not_fit(beside, change, wanted):
    lines = beside(change)
    assert wanted in lines[-1]
    assert any("klib 9p: " in l for l in lines[:-1]), lines


def test_init_fails():
    r = run("--klib", "9p=words that it does not know", "/bin/true")
    assert r.returncode == 125
    assert r.stderr.decode().splitlines()[-1] == \
        "pith: the klib 9p can not be used: Invalid argument"


def test_protected(shared):
    """No page of it is writable and executable; code, constants and data are
    there, each with its own protection."""
    out, status, _ = stopped(["monitor info tlb", "detach"],
                             options=("-v", "%s:/d" % shared))
    assert status == 0
    klib = {va: f for va, _, f in pages(out) if va >= MODULES}
    kinds = {(f[0] == "X", f[8] == "W") for f in klib.values()}
    assert kinds == {(False, False), (True, False), (True, True)}
    assert not any(f[8] == "W" and f[0] != "X" for _, _, f in pages(out))
    assert MODULES not in klib  # the page before is not there


def test_names_in_a_panic(shared):
    """An impossible instruction in the klib: the report names its function,
    and the kernel's functions that called it."""
    _, status, err = stopped(
        ["set *(unsigned short *)$pc = 0x0b0f", "detach"],
        program=("/bin/cat", "/d/hello"),
        options=("-v", "%s:/d" % shared), where="p9_lopen")
    assert status == 125
    assert re.search(r"^  klib 9p\+0x[0-9a-f]+ p9_lopen\+0x0$", err, re.M), err
    assert re.search(r"^  klib 9p\+0x[0-9a-f]+ p9_open_fids\+0x", err, re.M)
    assert re.search(r"^  0x[0-9a-f]+ path_open\+0x", err, re.M), err
    assert err.splitlines()[-1].startswith("pith: ")
