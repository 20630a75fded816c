# SPDX-License-Identifier: Apache-2.0
"""What a file system and a disk can do beside holding files: ranges taken out
and put in, O_DIRECT where nothing is yet, sizes as Linux says them, disks as
files of /dev, a disk that becomes writable later, mounts that do not grow with
their disk.

Goal: as Linux, and e2fsck finds nothing.  Method: a model in the script and
the host's own ext4 judge contents and errors; the Linux guest of test/bench
mounts the same volumes; /proc/diskstats counts what a mount reads."""

import json
import os
import re
import subprocess
import sys

import pytest

from test_storage import (BUILD, LONG, PITH, PY, TOP, WAIT, cache, fsck,  # noqa: F401
                          m, on_host)

PROGRAMS = os.path.join(TOP, "test", "e2e", "programs")

RANGES = r"""
import ctypes, errno, hashlib, os, random, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long,
                           ctypes.c_long]
KEEP, PUNCH, COLLAPSE, ZERO, INSERT = 1, 2, 8, 16, 32
B = 4096
def fallocate(fd, mode, off, len):
    if libc.fallocate(fd, mode, off, len):
        return errno.errorcode[ctypes.get_errno()]
    return "ok"
path = sys.argv[1] + "/ranges"
if sys.argv[2] == "look":
    data = open(path, "rb").read()
    print(len(data), hashlib.md5(data).hexdigest())
    sys.exit()
r = random.Random(int(sys.argv[2]))
fd = os.open(path, os.O_RDWR | os.O_CREAT)
model = bytearray()
def blocks(n):
    return r.randrange(n) * B
for step in range(250):
    op = r.choice(["write"] * 3 + ["collapse", "insert"] * 2 +
                  ["punch", "zero", "keep", "grow", "cut", "odd", "sync"])
    off, n, res = blocks(40), (1 + r.randrange(8)) * B, "ok"
    if op == "write":
        off += r.randrange(B)
        data = bytes([r.randrange(256)]) * r.randrange(1, 3 * B)
        os.pwrite(fd, data, off)
        model.extend(bytes(max(0, off + len(data) - len(model))))
        model[off:off + len(data)] = data
    elif op == "collapse":
        res = fallocate(fd, COLLAPSE, off, n)
        if res == "ok":
            del model[off:off + n]
    elif op == "insert":
        res = fallocate(fd, INSERT, off, n)
        if res == "ok":
            model[off:off] = bytes(n)
    elif op == "punch" or op == "zero":
        off += r.randrange(B)
        res = fallocate(fd, PUNCH | KEEP if op == "punch" else ZERO | KEEP,
                        off, n)
        end = min(off + n, len(model))
        if off < end:
            model[off:end] = bytes(end - off)
    elif op == "keep":
        res = fallocate(fd, KEEP, off, n)
    elif op == "grow":
        res = fallocate(fd, 0, off, n)
        model.extend(bytes(max(0, off + n - len(model))))
    elif op == "cut":
        n = r.randrange(len(model) + B)
        os.ftruncate(fd, n)
        del model[n:]
        model.extend(bytes(n - len(model)))
    elif op == "odd":
        res = fallocate(fd, r.choice([COLLAPSE, INSERT, PUNCH, PUNCH | ZERO,
                                      128]), off + r.randrange(1, B),
                        n)
    else:
        os.fsync(fd)
    got = os.pread(fd, len(model) + B, 0)
    if got != model:
        bad = next((k for k in range(min(len(got), len(model)))
                    if got[k] != model[k]), -1)
        print("step", step, op, off, n, "differs:", len(got), len(model), bad)
        sys.exit(1)
    print(op, off, n, res, len(model))
print(len(model), hashlib.md5(model).hexdigest())
os.close(fd)
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ranges(m, tmp_path, seed):
    got = m.python(RANGES, "/data", seed).stdout
    fsck(m.volume())
    again = m.python(RANGES, "/data", "look").stdout
    assert again.splitlines()[-1] == got.splitlines()[-1]
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(tmp_path)],
                          stdout=subprocess.PIPE).stdout
    if kind.strip() == b"ext2/ext3":  # else the model's word must do
        assert got == on_host(RANGES, tmp_path, str(seed))


DIRECT = r"""
import hashlib, mmap, os, sys
disk = next(l.split()[0] for l in open("/proc/mounts") if " /data " in l)
def stats():
    for line in open("/proc/diskstats"):
        f = line.split()
        if f[2] == disk:
            return int(f[9])  # sectors written
def cached():
    for line in open("/proc/meminfo"):
        if line.startswith("Cached:"):
            return int(line.split()[1])
path = "/data/direct"
buf = mmap.mmap(-1, 1 << 20)
for k in range(256):
    buf[k * 4096:(k + 1) * 4096] = bytes([k]) * 4096
fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_DIRECT)
before, mem = stats(), cached()
for k in range(32):             # new blocks at the end
    assert os.pwrite(fd, buf, k << 20) == 1 << 20
assert stats() - before >= 32 << 11, "on the device at once"
assert cached() - mem < 8 << 10, "not in the cache"
os.pwrite(fd, buf, 64 << 20)    # behind a hole
os.posix_fallocate(fd, 80 << 20, 1 << 20)
os.pwrite(fd, memoryview(buf)[:65536], (80 << 20) + 65536)
os.pwrite(fd, memoryview(buf)[:512], 90 << 20)      # a part of a block
os.pwrite(fd, memoryview(buf)[:8704], (91 << 20) + 512)
os.pwrite(fd, memoryview(buf)[:4096], 33 << 20)     # into the hole
st = os.fstat(fd)
os.close(fd)
h = hashlib.md5()
with open(path, "rb") as f:
    while True:
        b = f.read(1 << 20)
        if not b:
            break
        h.update(b)
print(st.st_size, h.hexdigest())
"""


def test_direct_to_nothing(m):
    """O_DIRECT to holes, unwritten space and the end goes to the device."""
    want = bytearray(bytes(range(0)))
    buf = b"".join(bytes([k]) * 4096 for k in range(256))
    size = (91 << 20) + 512 + 8704
    want = bytearray(size)
    for k in list(range(32)) + [64]:
        want[k << 20:(k + 1) << 20] = buf
    for at, n in (((80 << 20) + 65536, 65536), (90 << 20, 512),
                  ((91 << 20) + 512, 8704), (33 << 20, 4096)):
        want[at:at + n] = buf[:n]
    import hashlib
    line = "%d %s\n" % (size, hashlib.md5(want).hexdigest())
    assert m.python(DIRECT).stdout.decode() == line
    fsck(m.volume())


NODES = r"""
import fcntl, hashlib, os
name = next(l.split()[0] for l in open("/proc/mounts") if " /data " in l)
disk = "/dev/" + name
def ioctl(fd, cmd, size):
    return int.from_bytes(fcntl.ioctl(fd, cmd, bytes(size)), "little")
st = os.stat(disk)
print(oct(st.st_mode), os.major(st.st_rdev) > 0)
fd = os.open(disk, os.O_RDONLY)
size = ioctl(fd, 0x80081272, 8)
print(size, ioctl(fd, 0x1260, 8) * 512 == size, ioctl(fd, 0x1268, 4),
      os.lseek(fd, 0, os.SEEK_END) == size, os.lseek(fd, 1080, os.SEEK_SET))
print(os.read(fd, 2) == b"\x53\xef", os.lseek(fd, 0, os.SEEK_CUR))
print(os.pread(fd, 10, size), len(os.pread(fd, 5000, size - 4999)))
with open(disk, "rb", buffering=0) as f:
    h, n = hashlib.md5(), 0
    while True:
        b = f.read(1000003)
        if not b:
            break
        n += len(b)
        h.update(b)
print(n == size, h.hexdigest())
for flags in (os.O_RDWR, os.O_RDONLY):
    try:
        os.close(os.open(disk, flags))
        print("ok")
    except OSError as e:
        print(e.strerror)
try:
    os.pread(fd, 1, -1)
except OSError as e:
    print(e.strerror)
"""


def test_nodes(m):
    """A mounted disk can be read as a file, and not written."""
    import hashlib
    m.pith("volume", "cp", PITH, "v:/pith")
    h = hashlib.md5()
    with open(m.volume(), "rb") as f:
        for b in iter(lambda: f.read(1 << 20), b""):
            h.update(b)
    got = m.python(NODES, options=("-v", "v:/data:ro")).stdout.decode()
    assert got.splitlines() == [
        "0o60660 True", "134217728 True 512 True 1080", "True 1082",
        "b'' 4999", "True " + h.hexdigest(), "Permission denied", "ok",
        "Invalid argument"]
    got = m.python(NODES).stdout.decode()
    assert "Device or resource busy" in got


WRITE_NODE = r"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
name = next(l.split()[0] for l in open("/proc/mounts") if " /data " in l)
assert not libc.umount(b"/data"), ctypes.get_errno()
fd = os.open("/dev/" + name, os.O_RDWR)
size = os.lseek(fd, 0, os.SEEK_END)
os.pwrite(fd, b"here", 1000)    # within a sector
os.pwrite(fd, b"x" * 300001, (1 << 20) + 77)
assert os.pread(fd, 8, 998) == b"\0\0here\0\0"
assert os.pread(fd, 300003, (1 << 20) + 76) == b"\0" + b"x" * 300001 + b"\0"
try:
    os.pwrite(fd, b"y", size)
except OSError as e:
    print(e.strerror)
print(os.pwrite(fd, b"z" * 100, size - 40))
os.fsync(fd)
"""


def test_write_node(m):
    """What is not mounted can be written, byte by byte and at its end."""
    # Sector 1 and what lies from 1 MiB on must be empty for this.
    m.pith("volume", "rm", "v")
    m.pith("volume", "create", "v", "16M")
    with open(m.volume(), "r+b") as f:
        f.seek(1 << 20)
        f.write(bytes(1 << 19))
    got = m.python(WRITE_NODE).stdout.decode()
    assert got.splitlines() == ["No space left on device", "40"]
    with open(m.volume(), "rb") as f:
        data = f.read()
    assert data[998:1006] == b"\0\0here\0\0"
    assert data[(1 << 20) + 77:][:300001] == b"x" * 300001
    assert data[-40:] == b"z" * 40


REMOUNT = r"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
name = next(l.split()[0] for l in open("/proc/mounts") if " /data " in l)
def mount(flags):
    if libc.mount(name.encode(), b"/data", b"ext4", flags, None):
        return os.strerror(ctypes.get_errno())
    return "ok"
RDONLY, REMOUNT = 1, 32
for d, _, names in os.walk("/data"):    # what is read is cached
    for n in names:
        open(os.path.join(d, n), "rb").read()
assert not libc.umount(b"/data")
print(mount(RDONLY))
print(sorted(os.listdir("/data")), open("/data/a").read())
try:
    open("/data/b", "w")
except OSError as e:
    print(e.strerror)
print(mount(REMOUNT))
for k in range(200):
    with open("/data/file%d" % k, "w") as f:
        f.write(str(k) * 3000)
        os.fsync(f.fileno())
os.unlink("/data/a")
print(mount(REMOUNT | RDONLY))
try:
    open("/data/b", "w")
except OSError as e:
    print(e.strerror)
print(mount(REMOUNT))
open("/data/b", "w").write("again")
"""


def test_remount(m):
    """Mounted read-only first, then written to."""
    (m.tmp / "a").write_text("first")
    m.pith("volume", "cp", m.tmp / "a", "v:/a")
    got = m.python(REMOUNT).stdout.decode()
    assert got.splitlines() == [
        "ok", "['a', 'lost+found'] first", "Read-only file system", "ok",
        "ok", "Read-only file system", "ok"]
    fsck(m.volume())
    assert m.pith("volume", "cp", "v:/b", "-").stdout == b"again"
    assert m.pith("volume", "cp", "v:/file7", "-").stdout == b"7" * 3000


HOLES = r"""
import os, random, sys
r = random.Random(7)
fd = os.open(sys.argv[1] + "/holes", os.O_RDWR | os.O_CREAT)
def show(what):
    size, at, out = os.fstat(fd).st_size, 0, []
    while at < size:
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as e:
            out.append(e.strerror)
            break
        at = os.lseek(fd, data, os.SEEK_HOLE)
        out.append("%d-%d" % (data, at))
    print(what, size, *out)
for step in range(40):
    at = r.randrange(64) * 16384 + r.choice([0, 0, 100, 5000])
    op = r.choice(["write", "write", "prealloc", "grow", "sync"])
    if op == "write":
        os.pwrite(fd, b"x" * r.randrange(1, 40000), at)
    elif op == "prealloc":
        os.posix_fallocate(fd, at, 20000)
    elif op == "grow":
        os.ftruncate(fd, max(at, os.fstat(fd).st_size))
    else:
        os.fsync(fd)
    show(op)
for at in (-1, 5, 1 << 40):
    for how in (os.SEEK_DATA, os.SEEK_HOLE):
        try:
            print(os.lseek(fd, at, how))
        except OSError as e:
            print(e.strerror)
"""


def test_holes(m, tmp_path):
    """SEEK_DATA and SEEK_HOLE, before and after the data are written."""
    kind = subprocess.run(["stat", "-f", "-c", "%T %S", str(tmp_path)],
                          stdout=subprocess.PIPE).stdout
    if kind.strip() != b"ext2/ext3 4096":
        pytest.skip("the host's ext4 is what it is compared with")
    assert m.python(HOLES, "/data").stdout == on_host(HOLES, tmp_path)


WHITEOUT = r"""
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def rename(a, b, flags):
    if libc.renameat2(-100, a.encode(), -100, b.encode(), flags):
        return os.strerror(ctypes.get_errno())
    return "ok"
os.chdir(sys.argv[1])
os.makedirs("w/sub")
for name in "abc":
    open("w/" + name, "w").write(name)
print(rename("w/a", "w/sub/a", 4), rename("w/b", "w/c", 4),
      rename("w/sub", "w/moved", 4), rename("w/c", "w/moved", 6),
      rename("w/c", "w/new", 5), rename("w/none", "w/x", 4))
for at, dirs, files in sorted(os.walk("w")):
    for n in sorted(dirs + files):
        st = os.lstat(os.path.join(at, n))
        print(at, n, oct(st.st_mode), st.st_nlink, st.st_rdev)
print(open("w/moved/a").read(), open("w/new").read())
"""


@pytest.mark.skipif(os.geteuid(), reason="the host's root makes whiteouts")
def test_whiteout(m, tmp_path):
    """RENAME_WHITEOUT on ext4 and in memory."""
    want = on_host(WHITEOUT, tmp_path)
    assert m.python(WHITEOUT, "/data").stdout == want
    assert m.python(WHITEOUT, "/tmp").stdout == want
    fsck(m.volume())


# Geometries whose overhead differs: small blocks, no flex_bg, no backups,
# meta_bg, another journal, several groups.
KINDS = [
    [], ["-b", "1024"], ["-O", "^flex_bg,^resize_inode"],
    ["-O", "meta_bg,^resize_inode"], ["-O", "^sparse_super,^resize_inode"],
    ["-J", "size=8", "-i", "4096"], ["-O", "sparse_super2", "-m", "0"],
    ["-O", "^64bit", "-I", "128"],
]


def in_linux(tmp, exe, disks, words, line, modules=()):
    """The program in a Linux guest with these disks (files, or what QEMU calls
    them), of which the first is mounted on /data: its lines of that form."""
    sys.path.insert(0, os.path.join(TOP, "test", "bench"))
    import bench
    args = type("Args", (), {"build": BUILD, "timeout": WAIT})
    b = bench.Bench(args, str(tmp), str(tmp))
    b.run([PITH, "build", "-o", b.image, "-v", "v:/data", exe])
    b.make_initramfs(modules)
    devices = []
    for k, disk in enumerate(disks):
        devices += ["-blockdev", json.dumps({
            "driver": "raw", "node-name": "d%d" % k,
            "file": disk if isinstance(disk, dict) else
            {"driver": "file", "filename": disk}}),
            "-device", "virtio-blk-pci,drive=d%d" % k]
    cmd = b.linux_command(
        ["/" + exe.lstrip("/"), *words], ["-accel", "tcg"]) + devices
    out = subprocess.run(cmd, stdin=subprocess.DEVNULL, timeout=WAIT,
                         stdout=subprocess.PIPE).stdout.decode()
    assert "status 0" in out, out[-2000:]
    return re.findall(r"^(%s.*?)\r?$" % line, out, re.M)


@pytest.mark.parametrize("mode", ["cut", "punch", "give", "attributes", "full"])
def test_file_races(m, tmp_path, mode):
    """What is cut off is gone, whoever reads meanwhile: see the program."""
    exe = str(tmp_path / "races")
    subprocess.run(["gcc", "-O1", "-static", "-pthread", "-o", exe,
                    os.path.join(PROGRAMS, "file_races.c")], check=True,
                   timeout=300)
    rounds = (3 if mode == "full" else 60) * (20 if LONG else 1)
    got = m.run("-c", "2", "-v", "v:/data", exe, "/data/f", mode, rounds)
    assert got.stdout.decode() == mode + ": done\n"
    fsck(m.volume())


def test_statfs(m, tmp_path):
    """Sizes as Linux counts them, for all geometries."""
    exe = str(tmp_path / "statfs")
    subprocess.run(["gcc", "-O1", "-static", "-o", exe,
                    os.path.join(PROGRAMS, "statfs.c")], check=True,
                   timeout=300)
    disks, options, where = [], [], []
    os.makedirs(tmp_path / "volumes", exist_ok=True)
    for k, kind in enumerate(KINDS):
        disks.append(m.volume("k%d" % k))
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", *kind, disks[-1],
                        "300M"], check=True, timeout=WAIT)
        options += ["-v", "k%d:/k%d" % (k, k)]
        where.append("/k%d" % k)
    want = in_linux(tmp_path, exe, disks, ["mount"] + [
        "/dev/vd" + chr(ord("b") + k) for k in range(len(disks))], r"fs \d+: ")
    got = m.run(*options, exe, *where).stdout.decode().splitlines()
    assert len(want) == len(KINDS), want
    assert got == want
    for d in disks:
        fsck(d)


def features(path):
    text = subprocess.run(["dumpe2fs", "-h", path], capture_output=True,
                          check=True, timeout=WAIT).stdout.decode()
    return re.search(r"features: *(.*)", text).group(1).split()


def test_with_linux(m, tmp_path):
    """A disk that goes to Linux and back: ACLs mean the same to both; what a
    Linux that lost its power left in the file of orphans is freed; who owns
    how much is right (e2fsck counts)."""
    exe = str(tmp_path / "acls")
    subprocess.run(["gcc", "-O1", "-static", "-o", exe,
                    os.path.join(PROGRAMS, "acls.c")], check=True,
                   timeout=300)
    disk = m.volume()
    m.pith("volume", "rm", "v")
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O",
                    "orphan_file,metadata_csum_seed,quota", disk, "64M"],
                   check=True, timeout=WAIT)
    made = m.run("-v", "v:/data", exe, "make", "/data").stdout.decode()
    fsck(disk)
    left = in_linux(tmp_path, exe, [disk], ["leave", "/data"], "acl ",
                    ["fs/quota/quota_tree.ko", "fs/quota/quota_v2.ko"])
    assert left[:-1] == made.splitlines()[:-1]
    assert {"orphan_present", "needs_recovery"} <= set(features(disk))
    got = m.run("-v", "v:/data", exe, "show", "/data").stdout.decode()
    assert got.splitlines()[:-1] == left[:-1]
    fsck(disk)
    assert not {"orphan_present", "needs_recovery"} & set(features(disk))
    # Six files were cut and have a block each (and the directory grew no
    # block); 54 went.
    before, after = (list(map(int, x.splitlines()[-1].split()[2:]))
                     for x in (made, got))
    assert before[1] - after[1] == 6 - 1, "inodes; one was a file in use"
    assert 0 <= before[0] - after[0] <= 7


@pytest.mark.parametrize("inode", [128, 256])
def test_attributes(m, tmp_path, inode):
    """chattr's flags and what they forbid, times at the format's ends; what a
    second mount finds is what the first one said."""
    exe = str(tmp_path / "attributes")
    subprocess.run(["gcc", "-O1", "-static", "-o", exe,
                    os.path.join(PROGRAMS, "attributes.c")], check=True,
                   timeout=120)
    disk, other = m.volume(), str(tmp_path / "other.img")
    m.pith("volume", "rm", "v")
    for path in (disk, other):
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-I", str(inode),
                        path, "64M"], check=True, timeout=WAIT,
                       stderr=subprocess.DEVNULL)
    want = in_linux(tmp_path, exe, [other], ["make", "/data"], "at ")
    made = m.run("-v", "v:/data", exe, "make", "/data").stdout.decode()
    assert made.splitlines() == want and len(want) > 100
    seen = m.run("-v", "v:/data", exe, "look", "/data").stdout.decode()
    assert seen.splitlines() == want[-len(seen.splitlines()):]
    fsck(disk)


MOUNTED = r"""
name = next(l.split()[0] for l in open("/proc/mounts") if " /data " in l)
for line in open("/proc/diskstats"):
    f = line.split()
    if f[2] == name:
        print(f[3], f[5])
"""
FILL = r"""
import os
for k in range(2000):
    open("/data/%d" % k, "w").write("x")
free = os.statvfs("/data")
fd = os.open("/data/large", os.O_RDWR | os.O_CREAT)
os.posix_fallocate(fd, 0, free.f_bavail * free.f_bsize - (64 << 20))
"""


def test_mount_of_a_full_disk(m):
    """A mount reads as much of a full disk of 100 GB as of an empty one."""
    m.pith("volume", "create", "large", "100G")
    options = ("-v", "large:/data")
    empty = m.python(MOUNTED, options=options).stdout
    m.python(FILL, options=options)
    full = m.python(MOUNTED, options=options).stdout
    assert b"" != empty == full
    reads, sectors = map(int, empty.split())
    assert reads < 20 and sectors < 20 * 64
