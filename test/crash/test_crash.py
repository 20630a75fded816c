# SPDX-License-Identifier: Apache-2.0
"""Power cuts, judged by e2fsck: see crash.c.

The short form makes 360 cuts; PITH_LONG=1 makes 12,240 (17 seeds x
12 workloads and disks x 60), and one after every write of the first seed,
with what was not flushed there in order, lost, or in part.
"""

import glob
import os
import re
import struct
import subprocess
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
LONG = os.environ.get("PITH_LONG") == "1"
LOADS = ["files", "rename", "names", "space", "many", "refuse"]
# Size of the disk, of its journal, of its blocks.
DISKS = {1024: ("4M", "1"), 4096: ("16M", "4")}
SOURCES = ["src/fs/*.c", "src/fs/ext4/*.c", "src/fs/tmpfs/*.c", "src/vm/uio.c",
           "src/vm/page_lock.c", "src/base/*.c", "src/dev/blk.c",
           "src/file/file.c", "src/file/cred.c", "test/crash/host.c",
           "test/crash/fs.c", "test/crash/refuse.c", "test/unit/host/core.c",
           "test/unit/host/panic.c"]
SANITIZE = ["-fsanitize=address,undefined",
            "-fno-sanitize-recover=undefined"]


def build(tmp, prog, flags):
    """The file layers and one test program, for the host."""
    sources = sum((sorted(glob.glob(os.path.join(TOP, s))) for s in SOURCES),
                  [os.path.join(HERE, prog + ".c")])
    exe = str(tmp / prog)
    linux = str(tmp / "linux.o")
    subprocess.run(["gcc", "-std=gnu11", "-g", "-D_GNU_SOURCE", *flags, "-c",
                    os.path.join(HERE, "linux.c"), "-o", linux],
                   check=True, timeout=300)
    subprocess.run(["gcc", "-std=gnu11", "-g", "-D_GNU_SOURCE",
                    "-fno-strict-aliasing", "-Wall", "-Wextra",
                    "-fno-tree-loop-distribute-patterns", *flags,
                    "-I", "test/unit/host", "-I", "src",
                    "-I", "src/arch/x86_64/include", "-o", exe, *sources, linux],
                   check=True, cwd=TOP, timeout=400)
    return exe


@pytest.fixture(scope="module")
def crash(tmp_path_factory):
    return build(tmp_path_factory.mktemp("crash"), "crash", ["-O1"])


def make_image(path, block, *more):
    size, journal = DISKS[block]
    with open(path, "wb"):
        pass
    subprocess.run(["truncate", "-s", size, path], check=True, timeout=300)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-b", str(block),
                    "-J", "size=" + journal, *more, path], check=True,
                   timeout=300)


@pytest.fixture
def in_memory(tmp_path):
    """A folder that is none of a disk's, where there is one: e2fsck flushes."""
    shm = "/dev/shm"
    where = shm if os.access(shm, os.W_OK | os.X_OK) else str(tmp_path)
    with tempfile.TemporaryDirectory(dir=where) as d:
        yield d


def cut(crash, image, load, seed, cuts, folder):
    run = subprocess.run([crash, image, load, str(seed), str(cuts), folder],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT,
                         timeout=3600 if LONG else 400)
    assert run.returncode == 0, run.stdout.decode(errors="replace")[-4000:]


@pytest.mark.parametrize("block", sorted(DISKS))
@pytest.mark.parametrize("load", LOADS)
def test_power_cuts(crash, in_memory, load, block):
    image = os.path.join(in_memory, "image")
    make_image(image, block)
    for seed, cuts in [(1, 30)] if not LONG else \
            [(s, 60) for s in range(1, 18)] + [(1, 0)]:
        cut(crash, image, load, seed, cuts, in_memory)


@pytest.mark.parametrize("block", sorted(DISKS))
@pytest.mark.parametrize("load", ["files", "names", "space"])
def test_quota(crash, in_memory, load, block):
    """e2fsck counts what each user and group has, and compares."""
    image = os.path.join(in_memory, "image")
    make_image(image, block, "-O", "quota")
    for seed, cuts in [(1, 8)] if not LONG else [(1, 60), (2, 60), (3, 0)]:
        cut(crash, image, load, seed, cuts, in_memory)


def crc32c(c, data):
    for byte in data:
        c ^= byte
        for _ in range(8):
            c = c >> 1 ^ (0x82f63b78 if c & 1 else 0)
    return c


def debugfs(image, *commands):
    return subprocess.run(["debugfs", "-w", "-f", "-", image], check=True,
                          input="\n".join(commands), text=True, timeout=300,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def leave_orphans(image, block, numbers):
    """As a Linux that was cut off: numbers into the file of orphans, some in
    its second block; its layout is in the kernel's "Orphan file"."""
    head = subprocess.run(["dumpe2fs", "-h", image], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=300).stdout
    ino = int(re.search(r"Orphan file inode: *(\d+)", head).group(1))
    seed = re.search(r"Checksum seed: *(\w+)", head)
    first = int(re.search(r"\(0-\d+\):(\d+)",
                          debugfs(image, "stat <%d>" % ino)).group(1))
    with open(image, "r+b") as f:
        for k in (0, 1):
            slots = bytearray(block - 8)
            for n, number in enumerate(numbers[k::2]):
                struct.pack_into("<I", slots, (3 * n + k) * 4, number)
            tail = struct.pack("<I", 0x0b10ca04)
            if seed:
                c = crc32c(int(seed.group(1), 16), struct.pack("<II", ino, 0))
                c = crc32c(crc32c(c, struct.pack("<Q", first + k)), slots)
                tail += struct.pack("<I", c)
            f.seek((first + k) * block)
            f.write(slots + tail)
    debugfs(image, "feature orphan_present")


@pytest.mark.parametrize("block,features", [
    (1024, "orphan_file,metadata_csum,metadata_csum_seed"),
    (4096, "orphan_file,^metadata_csum,^uninit_bg")])
@pytest.mark.parametrize("load", ["space", "orphans"])
def test_orphan_file(crash, in_memory, load, block, features):
    """File systems with a file of orphans: ours beside it, and others' in it."""
    image, folder = os.path.join(in_memory, "image"), in_memory + "/files"
    os.mkdir(folder)
    names = ["gone%d" % k for k in range(12)] + ["cut%d" % k for k in range(3)]
    for name in names:
        with open(os.path.join(folder, name), "wb") as f:
            for k in range(8):
                f.seek(k * 20000)
                f.write(name.encode() * 1000)
    more = ["-d", folder] if load == "orphans" else []
    make_image(image, block, "-O", features, *more)
    if load == "orphans":
        numbers = [int(x) for x in re.findall(r"Inode: (\d+)", debugfs(
            image, *["stat /" + n for n in names]))]
        debugfs(image, *["unlink /" + n for n in names if n[0] == "g"],
                *["sif <%d> links_count 0" % k for k in numbers[:12]],
                *["sif <%d> size 5000" % k for k in numbers[12:]])
        leave_orphans(image, block, numbers)
    for seed, cuts in [(1, 8)] if not LONG else [(1, 60), (2, 60), (3, 0)]:
        cut(crash, image, load, seed, cuts, in_memory)


@pytest.fixture(scope="module")
def differ(tmp_path_factory):
    return build(tmp_path_factory.mktemp("differ"), "differ",
                 ["-O1", *SANITIZE])


@pytest.mark.parametrize("seed", range(1, 200 if LONG else 4))
def test_same_as_linux(differ, tmp_path, seed):
    """Only where the host's own file system is ext4 with blocks as ours."""
    kind = subprocess.run(["stat", "-f", "-c", "%T %s", str(tmp_path)],
                          stdout=subprocess.PIPE, text=True, check=True,
                          timeout=300).stdout.strip()
    if kind != "ext2/ext3 4096" or os.geteuid() != 0:
        pytest.skip("not root on ext4: " + kind)
    image, folder = str(tmp_path / "image"), str(tmp_path / "host")
    os.mkdir(folder)
    subprocess.run(["truncate", "-s", "64M", image], check=True, timeout=300)
    more = ["-O", "quota"] if seed % 2 else []
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", *more,
                    image], check=True, timeout=300)
    run = subprocess.run([differ, image, folder, str(seed), "2000"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, timeout=300)
    assert run.returncode == 0, run.stdout.decode(errors="replace")[-4000:]


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    return build(tmp_path_factory.mktemp("faults"), "faults",
                 ["-O1", *(SANITIZE if LONG else [])])


def run_faults(faults, folder, *args):
    run = subprocess.run([faults, os.path.join(folder, "image"),
                          *map(str, args), str(folder)], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         timeout=1200 if LONG else 200)
    assert run.returncode == 0, run.stdout.decode(errors="replace")[-4000:]


@pytest.mark.parametrize("block", sorted(DISKS))
@pytest.mark.parametrize("what", ["writes", "memory"])
def test_faults(faults, in_memory, what, block):
    make_image(os.path.join(in_memory, "image"), block)
    run_faults(faults, in_memory, what, 1, 200 if LONG else 16)


def test_full_disk(faults, tmp_path):
    make_image(str(tmp_path / "image"), 1024, "-N", "64")
    run_faults(faults, tmp_path, "full", 0, 0)


@pytest.mark.parametrize("block", sorted(DISKS))
def test_log_goes_round(faults, in_memory, block):
    make_image(os.path.join(in_memory, "image"), block)
    run_faults(faults, in_memory, "log", 4000, 0)


def test_many_names(faults, tmp_path):
    image, n = str(tmp_path / "image"), 100000 if LONG else 5000
    subprocess.run(["truncate", "-s", "128M", image], check=True, timeout=300)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-N",
                    str(n + 100), image], check=True, timeout=300)
    run_faults(faults, tmp_path, "many", n, 0)


def test_block_lists(faults, tmp_path):
    """Files made before a file system had extents."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "old").write_bytes(b"old" * 30000)
    (folder / "empty").write_bytes(b"")
    image = str(tmp_path / "image")
    make_image(image, 1024, "-O", "^extent,^64bit", "-d", str(folder))
    subprocess.run(["tune2fs", "-O", "extent", image], check=True, timeout=300,
                   stdout=subprocess.DEVNULL)
    run_faults(faults, tmp_path, "lists", 0, 0)


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory):
    return build(tmp_path_factory.mktemp("fuzz"), "fuzz", ["-O1", *SANITIZE])


@pytest.mark.parametrize("block,features", [
    (1024, "^metadata_csum,^uninit_bg"), (4096, "^metadata_csum,^uninit_bg"),
    (1024, "metadata_csum"), (1024, "quota,^metadata_csum,^uninit_bg")])
def test_hostile_images(fuzz, tmp_path, block, features):
    image = str(tmp_path / "image")
    make_image(image, block, "-O", features)
    run = subprocess.run([fuzz, image, "1", "3000" if LONG else "40"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT,
                         timeout=3000 if LONG else 300)
    assert run.returncode == 0, run.stdout.decode(errors="replace")[-4000:]


@pytest.mark.parametrize("numbers", [
    [1, 2, 3, 4], [11, 11], [12], [2**32 - 1], [13, 0, 500], [8, 13]])
def test_hostile_orphans(fuzz, tmp_path, numbers):
    """Numbers in the file of orphans that no orphan has."""
    image = str(tmp_path / "image")
    make_image(image, 1024, "-O", "orphan_file,^metadata_csum,^uninit_bg")
    leave_orphans(image, 1024, numbers)
    run = subprocess.run([fuzz, image, "1", "0"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         timeout=300)
    text = run.stdout.decode(errors="replace")
    assert run.returncode in (0, 2) and "Sanitizer" not in text, text[-4000:]
