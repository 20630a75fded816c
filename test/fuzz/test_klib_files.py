# SPDX-License-Identifier: Apache-2.0
"""The loader of klibs on damaged files (klib.c): each klib that was built,
under ASan and UBSan.  PITH_SEED chooses another sequence, PITH_LONG more."""

import glob
import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("PITH_BUILD", "build"))
ROUNDS = "1000000" if os.environ.get("PITH_LONG") else "20000"
SEED = os.environ.get("PITH_SEED", "1")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    exe = tmp_path_factory.mktemp("klib") / "klib"
    subprocess.run(["gcc", "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra",
                    "-fno-strict-aliasing", "-fsanitize=address,undefined",
                    "-fno-sanitize-recover=undefined", "-I", "src", "-I",
                    "src/arch/x86_64/include", "-o", exe, "test/fuzz/klib.c",
                    "src/klib/image.c", "src/arch/x86_64/module.c"], cwd=TOP,
                   check=True, timeout=300)
    return exe


@pytest.mark.parametrize("name", sorted(
    {p.split(os.sep)[-2] for p in glob.glob(os.path.join(TOP, "klib/*/*.c"))}))
def test_damaged_files(program, name):
    path = os.path.join(BUILD, "klib", name + ".klib")
    r = subprocess.run([program, path, SEED, ROUNDS], capture_output=True,
                       timeout=1800, stdin=subprocess.DEVNULL)
    assert r.returncode == 0, (r.stdout + r.stderr).decode()[-4000:]
    taken = int(r.stdout.split()[0])
    assert 0 < taken < int(ROUNDS)
