# SPDX-License-Identifier: Apache-2.0
"""Frames of a hostile network (net/frames.c) under ASan and UBSan: no report,
no assertion, no block left over.

The short form runs the saved corpus, net/frames.corpus, and damaged inputs
made of it; PITH_SEED chooses others.  The long form (PITH_LONG) is clang's
libFuzzer for PITH_SECONDS, beginning with the corpus; what it finds new is
added to the corpus by

    PITH_LONG=1 PITH_SAVE=1 python3 -m pytest test/unit/test_frames.py
"""

import os
import subprocess

import pytest
from test_unit import HERE, build

CORPUS = os.path.join(HERE, "net", "frames.corpus")
LONG = os.environ.get("PITH_LONG")
SECONDS = int(os.environ.get("PITH_SECONDS", "600"))
FUZZER = ("clang", "-DLIBFUZZER", "-fsanitize=fuzzer", "-Wno-macro-redefined")


def run(argv, timeout, **kw):
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=timeout, **kw)
    assert r.returncode == 0, r.stdout.decode(errors="replace")[-6000:]
    return r.stdout.decode(errors="replace")


def inputs():
    with open(CORPUS) as f:
        return [bytes.fromhex(line) for line in f]


def test_saved_and_damaged_frames(tmp_path):
    exe = str(tmp_path / "frames")
    build(os.path.join("net", "frames.c"), exe)
    out = run([exe, CORPUS, "1500", os.environ.get("PITH_SEED", "1")], 300)
    assert out == "%d inputs, 1500 damaged ones\n" % len(inputs())


@pytest.mark.skipif(not LONG, reason="PITH_LONG=1 runs it")
def test_frames_by_coverage(tmp_path):
    exe = str(tmp_path / "frames")
    build(os.path.join("net", "frames.c"), exe, FUZZER)
    saved, found = tmp_path / "saved", tmp_path / "found"
    saved.mkdir()
    found.mkdir()
    for i, b in enumerate(inputs()):
        (saved / ("%04d" % i)).write_bytes(b)
    run([exe, "-max_total_time=%d" % SECONDS, "-max_len=6000", saved],
        SECONDS + 300, cwd=tmp_path)
    run([exe, "-merge=1", found, saved], 600, cwd=tmp_path)
    if os.environ.get("PITH_SAVE"):
        with open(CORPUS, "w") as f:
            f.writelines(sorted(p.read_bytes().hex() + "\n"
                                for p in found.iterdir()))
