# SPDX-License-Identifier: Apache-2.0
"""The tool's parsers on damaged input: an answer with one of our statuses,
never a crash.  PITH_SEED chooses another sequence, PITH_ROUNDS its length; best
with a pith built with the sanitizers, which all of these tests take:

    make O=/tmp/asan CC="gcc -fsanitize=address,undefined" tool
    ASAN_OPTIONS=detect_leaks=0 PITH_BUILD=/tmp/asan python3 -m pytest test/tool
"""

import os
import random

OURS = (0, 125, 126, 127)
ROUNDS = int(os.environ.get("PITH_ROUNDS", "40"))


def rng(name):
    return random.Random(os.environ.get("PITH_SEED", "1") + name)


def damaged(r, data, reach):
    b = bytearray(data)
    for _ in range(r.choice([1, 1, 2, 5])):
        b[r.randrange(min(r.choice(reach), len(b)))] = \
            r.choice([0, 255, 1, 128, r.randrange(256)])
    return b


def test_elf(pith, tmp_path):
    r = rng("elf")
    with open("/bin/true", "rb") as f:
        good = f.read()
    f = tmp_path / "f"
    for _ in range(ROUNDS):
        f.write_bytes(damaged(r, good, [64, 800, len(good)]))
        f.chmod(0o755)
        p = pith("build", "-o", tmp_path / "o.img", f)
        assert p.returncode in OURS, (p, f.read_bytes())


def test_config(pith, tmp_path):
    r = rng("config")
    good = (b'{"program": "/bin/true", "args": ["a\\"b", "\\u00e9"],\n'
            b'"env": {"A": "1"}, "memory": "64M",\n"cpus": 2}')
    f = tmp_path / "c.json"
    for _ in range(ROUNDS * 2):
        b = bytearray(good)
        for _ in range(r.choice([1, 1, 2])):
            b[r.randrange(len(b))] = r.choice(b'{}[]",:\\ \n0a\xff\0')
        f.write_bytes(b)
        p = pith("run", "--print-qemu", "--config", f)
        assert p.returncode in OURS, (p, bytes(b))


def test_image(pith, static, tmp_path):
    r = rng("image")
    img = tmp_path / "o.img"
    assert pith("build", "-o", img, static).returncode == 0
    size = os.path.getsize(img)
    with open(img, "r+b") as f:
        for _ in range(ROUNDS):
            undo = []
            for _ in range(r.choice([1, 3, 20])):
                at = r.choice([512 + r.randrange(1100),
                               size - 1 - r.randrange(17000),
                               (18 << 20) + r.randrange(300),
                               (19 << 20) + 1024 + r.randrange(60000)])
                f.seek(at)
                undo.append((at, f.read(1)))
                f.seek(at)
                f.write(bytes([r.randrange(256)]))
            f.flush()
            for command in ("ls", "inspect", "run"):
                p = pith(command, img)
                assert p.returncode in OURS + (4,), p
            for at, b in reversed(undo):
                f.seek(at)
                f.write(b)
            f.flush()
