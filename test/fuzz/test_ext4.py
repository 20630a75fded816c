# SPDX-License-Identifier: Apache-2.0
"""The kernel's ext4 reader on damaged images.

Goal: whatever the disk says, a run ends with one of our statuses or the
program's, in time, and the kernel lives.  Method: an image with files and
directories of every shape; bytes of its metadata are damaged, and a program
walks all of it: names, attributes, contents.  PITH_SEED chooses another
sequence; PITH_LONG more of it, and the debug kernel besides."""

import os
import random
import struct
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LONG = os.environ.get("PITH_LONG")
SEED = os.environ.get("PITH_SEED", "1")

WALK = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>
static long seen;
static int look(const char *p, const struct stat *st, int type, struct FTW *f)
{
	char b[65536];
	int fd;
	seen++;
	if (!__builtin_strncmp(p, "/proc", 5) || !__builtin_strncmp(p, "/sys", 4) ||
	    !__builtin_strncmp(p, "/dev", 4))
		return FTW_SKIP_SUBTREE;
	if (listxattr(p, b, sizeof(b)) > 0)
		getxattr(p, b, b + 32768, 32768);
	if (readlink(p, b, sizeof(b)) > 0 || type != FTW_F)
		return 0;
	fd = open(p, O_RDONLY | O_NONBLOCK);
	for (int i = 0; fd >= 0 && i < 100 && read(fd, b, sizeof(b)) > 0; i++)
		;
	lseek(fd, 1l << 40, SEEK_SET);
	read(fd, b, sizeof(b));
	close(fd);
	return 0;
}
int main(void)
{
	nftw("/", look, 20, FTW_PHYS | FTW_ACTIONRETVAL);
	printf("%d walked\n", seen > 0);
	return 0;
}
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory, pith):
    d = tmp_path_factory.mktemp("ext4")
    subprocess.run(["gcc", "-static", "-O1", "-w", "-x", "c", "-", "-o",
                    d / "walk"], input=WALK.encode(), check=True)
    t = d / "tree"
    (t / "many").mkdir(parents=True)
    for i in range(600):
        (t / "many" / ("a name that is not short, number %d" % i)).write_text(
            "x" * i)
    (t / "deep/er/and/deeper").mkdir(parents=True)
    (t / "deep/er/f").write_bytes(bytes(range(256)) * 4000)
    os.symlink("deep/er/f", t / "short")
    os.symlink("deep/" * 30 + "f", t / "long")
    with open(t / "sparse", "wb") as f:
        for i in range(40):
            f.seek(i * 300000)
            f.write(b"piece")
    subprocess.run([pith, "build", "-i", "%s:/tree" % t, "-o", d / "i.img",
                    d / "walk"], check=True, stdin=subprocess.DEVNULL)
    return d / "i.img"


def spots(data):
    """Where damage hurts: superblock, group descriptors, inodes, and blocks
    that look like directories or trees of extents."""
    root = struct.unpack_from("<Q", data, 1024 + 3 * 128 + 32)[0] * 512
    yield from (root + 1024 + 4 * i for i in range(60))
    block = 1024 << struct.unpack_from("<I", data, root + 1024 + 24)[0]
    table = root + (1 if block > 1024 else 2) * block
    yield from range(table, table + 64, 4)
    inodes = struct.unpack_from("<I", data, table + 8)[0]
    at = root + inodes * block
    size = struct.unpack_from("<H", data, root + 1024 + 88)[0]
    for k in range(700):
        if any(data[at + k * size:at + k * size + 2]):
            yield from range(at + k * size, at + k * size + 128, 2)
    for b in range(root, min(len(data), root + (24 << 20)), block):
        head = data[b:b + 12]
        if head[:2] == b"\x0a\xf3" or head[4:7] == b"\x0c\0\x01":
            yield from range(b, b + 64, 2)


@pytest.mark.parametrize("debug", [False, True])
def test_damaged_images(image, pith, build_dir, tmp_path, debug):
    r = random.Random(SEED + str(debug))
    good = image.read_bytes()
    places = list(spots(good))
    features = struct.unpack_from("<Q", good, 1024 + 3 * 128 + 32)[0] * 512 + \
        1024 + 100
    bad = tmp_path / "bad.img"
    env = dict(os.environ)
    if debug:
        env["PITH_KERNEL"] = os.path.join(build_dir, "debug/pith-kernel.elf")
    for n in range(400 if LONG else 6):
        data = bytearray(good)
        if n % 3:  # without checksums nothing stops the damage early
            data[features + 1] &= ~4
        for _ in range(r.choice([1, 1, 2, 5, 30])):
            at = r.choice(places)
            data[at + r.randrange(2)] = r.choice(
                [0, 1, 0x7f, 0x80, 0xff, r.randrange(256)])
        bad.write_bytes(data)
        p = subprocess.run([pith, "run", "--timeout", "600", bad], env=env,
                           stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=700)
        err = p.stderr.decode(errors="replace")
        assert "panic" not in err, "round %d of seed %s\n%s" % (n, SEED, err)
        assert p.returncode in (0, 125, 126, 127, 135, 139), (n, p)
