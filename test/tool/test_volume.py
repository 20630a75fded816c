# SPDX-License-Identifier: Apache-2.0
"""Volumes.  Goal: `pith volume` makes file systems that e2fsck and mke2fs's own
defaults agree with, copies trees in and out without a loss, and lets no two
users at one volume; `run -v` hands them to QEMU and the kernel as documented.
Method: e2fsck, dumpe2fs and debugfs look at what was made; the stand-in for
QEMU prints the run block."""

import os
import shutil
import struct
import subprocess
import time

import pytest
from conftest import debugfs, fails

SIZES = ["16M", "64M", "1G", "100G"]


@pytest.fixture
def vol(pith, tmp_path):
    pith.env["PITH_VOLUMES"] = str(tmp_path / "volumes")

    def go(*words, ok=True):
        r = pith("volume", *words)
        if ok:
            assert r.returncode == 0, r.stderr.decode()
        return r
    go.path = lambda name: str(tmp_path / "volumes" / (name + ".img"))
    return go


def fsck(path):
    r = subprocess.run(["e2fsck", "-fn", path], capture_output=True)
    assert r.returncode == 0, r.stdout.decode()


def header(path):
    text = subprocess.run(["dumpe2fs", "-h", path], capture_output=True,
                          check=True).stdout.decode()
    return dict(line.split(":", 1) for line in text.splitlines()
                if ":" in line)


@pytest.mark.parametrize("size", SIZES)
def test_create(vol, tmp_path, size):
    """The features and numbers that mke2fs would have chosen."""
    vol("create", "v", size)
    fsck(vol.path("v"))
    ours = header(vol.path("v"))
    ref = str(tmp_path / "ref.img")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-I", "256",
                    "-i", "16384", ref, size], check=True)
    theirs = header(ref)
    for key in ("Filesystem features", "Filesystem flags", "Block count",
                "Inode count", "Inode size", "Total journal size",
                "Default mount options", "Default directory hash",
                "Reserved block count", "Flex block group size",
                "Group descriptor size", "Checksum type"):
        assert ours.get(key) == theirs.get(key), key
    assert os.stat(vol.path("v")).st_blocks * 512 < 16 << 20, "it is sparse"


def test_names(vol, pith):
    for name in ("", ".x", "-x", "a/b", "a b", "x" * 64, "ä"):
        fails(vol("create", name, ok=False), 125)
    for size in ("1M", "17T", "x", "-1"):
        fails(vol("create", "v", size, ok=False), 125, "16M")
    vol("create", "v", "16M")
    fails(vol("create", "v", ok=False), 125, "there already")
    fails(vol("rm", "w", ok=False), 125, "not there")
    assert b"v  " in vol("ls").stdout
    vol("rm", "v")
    assert not vol("ls").stdout
    assert vol("what", ok=False).returncode == 125
    assert b"Usage" in vol("--help").stdout


def tree(root):
    """All below root: path to (mode, mtime, contents or target)."""
    out = {}
    for at, dirs, files in os.walk(root):
        for name in dirs + files:
            p = os.path.join(at, name)
            st = os.lstat(p)
            what = None
            if os.path.islink(p):
                what = os.readlink(p)
            elif os.path.isfile(p):
                with open(p, "rb") as f:
                    what = f.read()
            out[os.path.relpath(p, root)] = (st.st_mode, int(st.st_mtime),
                                             what)
    return out


@pytest.fixture
def source(tmp_path):
    d = tmp_path / "source"
    (d / "sub" / "deep").mkdir(parents=True)
    (d / "empty").write_bytes(b"")
    (d / "small").write_bytes(b"hello\n")
    (d / "large").write_bytes(os.urandom(5 << 20))
    with open(d / "holes", "wb") as f:
        f.seek(3 << 20)
        f.write(b"end")
    (d / "link").symlink_to("small")
    (d / "long").symlink_to("x" * 200)
    (d / "sub" / ("n" * 255)).write_bytes(b"long name")
    for k in range(300):
        (d / "sub" / "deep" / ("file number %d" % k)).write_bytes(b"%d" % k)
    os.chmod(d / "small", 0o640)
    os.utime(d / "large", (1e9, 1e9))
    return d


def test_copy(vol, source, tmp_path):
    vol("create", "v", "64M")
    vol("cp", source, "v:/")
    fsck(vol.path("v"))
    vol("cp", "v:/source", tmp_path / "back")
    assert tree(tmp_path / "back") == tree(source)
    holes = debugfs(vol.path("v"), "stat /source/holes")
    assert "Blockcount: 8" in holes, holes
    # Again over what is there: replaced, merged, nothing leaks.
    (source / "small").write_bytes(b"other")
    (source / "large").write_bytes(b"short now")
    vol("cp", source, "v:/")
    fsck(vol.path("v"))
    vol("cp", "v:/source/.", tmp_path / "back")
    assert (tmp_path / "back" / "large").read_bytes() == b"short now"
    vol("cp", source / "small", "v:/renamed")
    assert vol("cp", "v:/renamed", "-").stdout == b"other"
    vol("cp", "v:/renamed", tmp_path)
    assert (tmp_path / "renamed").read_bytes() == b"other"
    fsck(vol.path("v"))


def test_copy_keeps_attributes_and_links(vol, tmp_path):
    """Extended attributes, an ACL, and that several names are one file."""
    d = tmp_path / "source"
    (d / "sub").mkdir(parents=True)
    (d / "file").write_bytes(b"data")
    os.setxattr(d / "file", "user.note", b"\0bytes\xff" * 30)
    os.setxattr(d / "file", "user.large", b"L" * 3000)  # a block of its own
    os.setxattr(d / "sub", "user.dir", b"")
    # Version 2; owner rw, user 1234 r, group r, mask r, others nothing.
    acl = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", *e) for e in (
            (1, 6, 2**32 - 1), (2, 4, 1234), (4, 4, 2**32 - 1),
            (16, 4, 2**32 - 1), (32, 0, 2**32 - 1)))
    os.setxattr(d / "file", "system.posix_acl_access", acl)
    os.link(d / "file", d / "sub" / "again")
    os.link(d / "file", d / "third")
    (d / "link").symlink_to("file")
    os.link(d / "link", d / "sub" / "link", follow_symlinks=False)
    vol("create", "v", "32M")
    for _ in range(2):  # again over what is there
        vol("cp", d, "v:/")
        fsck(vol.path("v"))
    assert "Links: 3" in debugfs(vol.path("v"), "stat /source/file")
    assert "Links: 2" in debugfs(vol.path("v"), "stat /source/link")
    assert "user.note" in debugfs(vol.path("v"), "ea_list /source/third")
    vol("cp", "v:/source", tmp_path / "back")
    vol("cp", "v:/source/.", tmp_path / "back")
    b = tmp_path / "back"
    assert tree(b) == tree(d)
    for name in ("file", "third", "sub", "sub/again"):
        assert {n: os.getxattr(b / name, n) for n in os.listxattr(b / name)} \
            == {n: os.getxattr(d / name, n) for n in os.listxattr(d / name)}
    assert len({os.lstat(b / n).st_ino
                for n in ("file", "third", "sub/again")}) == 1
    assert os.lstat(b / "link").st_ino == os.lstat(b / "sub/link").st_ino
    # A file with a block of attributes that goes leaves nothing behind.
    (tmp_path / "plain").write_bytes(b"x")
    for name in ("file", "third", "sub/again"):
        vol("cp", tmp_path / "plain", "v:/source/" + name)
    fsck(vol.path("v"))


def test_copy_errors(vol, source, tmp_path):
    vol("create", "v", "16M")
    fails(vol("cp", "v:/nothing", tmp_path, ok=False), 125, "not on")
    fails(vol("cp", tmp_path / "no", "v:/", ok=False), 125, "No such")
    fails(vol("cp", source / "small", "v:/no/where", ok=False), 125)
    fails(vol("cp", "a", "b", ok=False), 125, "NAME:PATH")
    vol("cp", source / "small", "v:/x")
    fails(vol("cp", source / "sub", "v:/x", ok=False), 125)
    with open(tmp_path / "huge", "wb") as f:
        for _ in range(20):
            f.write(os.urandom(1 << 20))
    fails(vol("cp", tmp_path / "huge", "v:/", ok=False), 125, "no space")


def test_grow(vol, source):
    vol("create", "v", "16M")
    vol("cp", source / "small", "v:/")
    vol("grow", "v", "200M")
    assert os.path.getsize(vol.path("v")) == 200 << 20
    fsck(vol.path("v"))
    assert header(vol.path("v"))["Block count"].strip() == str(200 << 8)
    assert vol("cp", "v:/small", "-").stdout == b"hello\n"
    fails(vol("grow", "v", "100M", ok=False), 125, "smaller")


def test_check(vol):
    vol("create", "v", "16M")
    assert vol("check", "v").returncode == 0
    block = int(debugfs(vol.path("v"), "blocks <2>").split()[0])
    with open(vol.path("v"), "r+b") as f:
        f.seek(block * 4096)  # the root directory
        f.write(b"\xff" * 64)
    assert vol("check", "v", ok=False).returncode == 1
    assert vol("check", "--repair", "v", ok=False).returncode == 0
    fsck(vol.path("v"))


def test_damaged(vol, tmp_path):
    vol("create", "v", "16M")
    with open(vol.path("v"), "r+b") as f:
        f.write(bytes(8192))
    fails(vol("cp", "v:/", tmp_path, ok=False), 125, "damaged")


def test_run(vol, pith, static, tmp_path):
    vol("create", "one", "16M")
    vol("create", "two", "16M")
    r = pith("run", "-v", "one:/data", "-v", "two:/more:ro", static, "env")
    assert r.returncode == 0, r.stderr
    assert b"ext4\\x00SERIAL=pith0\\x00/data\\x00" in r.stdout
    assert b"ext4\\x00SERIAL=pith1\\x00/more\\x00ro" in r.stdout
    q = pith("run", "-v", "one:/data", "-v", "two:/more:ro", "-v",
             "%s:/host" % tmp_path, "--print-qemu", static).stdout.decode()
    assert '"serial":"pith0"' in q and '"discard":"unmap"' in q
    assert q.count('"read-only":true') == 2  # the root, and two
    assert "path=%s" % tmp_path in q and '"mount_tag":"pith2"' in q


def test_run_wrong(vol, pith, static, tmp_path):
    for words in ("x", "x:y", ":/a", "x:/a:rx", "a b:/x"):
        fails(pith("run", "-v", words, static), 125)
    fails(pith("run", "-v", "none:/a", static), 125, "not there", "create")
    fails(pith("run", "-v", "./none:/a", static), 125, "No such")
    comma = tmp_path / "a,b"
    comma.mkdir()
    fails(pith("run", "-v", "%s:/a" % comma, static), 125, "comma")
    vol("create", "v", "16M")
    fails(pith("run", "-v", "v:/a", "-v", "v:/a", static), 125, "another")
    fails(pith("run", "-v", "v:/a", "-v", "v:/b", static), 125, "in use")
    path = tmp_path / "volumes" / "v.img"
    for data, word in ((b"QFI\xfb" + bytes(4096), "qcow2"),
                       (b"junk", "no ext4")):
        path.write_bytes(data)
        fails(pith("run", "-v", "v:/a", static), 125, word, "volume v")
    many = sum((["-v", "v:/p%d" % k] for k in range(9)), [])
    fails(pith("run", *many, static), 125, "too many")


def test_locks(vol, pith, static):
    """One run at a time, or several that only read; and no changes beside."""
    def end(p):
        p.kill()
        p.wait()
        p.stdout.read()  # its end: the machine, which has the lock, is gone
        p.stdout.close()
        while b"in use" in vol("ls").stdout:
            time.sleep(0.01)

    vol("create", "v", "16M")
    p = pith.popen("run", "-v", "v:/data", static, "deaf",
                   stdout=subprocess.PIPE)
    p.stdout.read(1)
    for words in (["run", "-v", "v:/data", static, "exit"],
                  ["run", "-v", "v:/data:ro", static, "exit"],
                  ["volume", "rm", "v"], ["volume", "check", "v"],
                  ["volume", "grow", "v", "32M"],
                  ["volume", "cp", "v:/", "x"]):
        fails(pith(*words), 125, "volume v is in use")
    assert b"in use" in vol("ls").stdout
    end(p)
    p = pith.popen("run", "-v", "v:/data:ro", static, "deaf",
                   stdout=subprocess.PIPE)
    p.stdout.read(1)
    assert pith("run", "-v", "v:/data:ro", static, "exit").returncode == 0
    fails(pith("run", "-v", "v:/data", static, "exit"), 125, "in use")
    end(p)


def test_manifest(vol, pith, static, tmp_path):
    """An image keeps its volumes; -v replaces them; mounts stay."""
    vol("create", "one", "16M")
    vol("create", "two", "16M")
    cfg = tmp_path / "c.json"
    cfg.write_text('{"volumes": ["one:/data:ro"], '
                   '"mount": ["tmpfs:t:/tmp:size=1m"]}')
    img = tmp_path / "o.img"
    r = pith("build", "--config", cfg, "-o", img, static, "env")
    assert r.returncode == 0, r.stderr
    assert b"one:/data:ro" in pith("inspect", img).stdout
    assert b"/data" in pith("ls", img).stdout
    r = pith("run", img, "env")
    assert b"SERIAL=pith0\\x00/data\\x00ro" in r.stdout
    assert b"tmpfs\\x00t\\x00/tmp\\x00size=1m" in r.stdout
    r = pith("run", "-v", "two:/else", img, "env")
    assert b"/else" in r.stdout and b"/data" not in r.stdout
    shutil.rmtree(os.path.dirname(vol.path("one")))
    fails(pith("run", img), 125, "not there")


def test_image_gets_no_directory_unasked(pith, static, tmp_path):
    """Who made an image has no say over the host's files."""
    d = tmp_path / "d"
    d.mkdir()
    img = tmp_path / "o.img"
    r = pith("build", "-v", f"{d}:/data", "-o", img, static, "env")
    assert r.returncode == 0, r.stderr
    fails(pith("run", img), 125, "a directory of this host", f"-v {d}:/data")
    r = pith("run", "-v", f"{d}:/data", img, "env")
    assert r.returncode == 0 and b"pith0\\x00/data" in r.stdout
