# SPDX-License-Identifier: Apache-2.0
"""The debug kernel (lock ranks, poisoned memory, KASAN, UBSan traps) runs real
programs: a short selection; `make e2e-debug` takes all.  Any complaint of that
kernel is a panic, and so status 125."""

import os
import subprocess

import pytest

from test_programs import PITH, PY, TEXT, program, run

BUILD = os.path.dirname(PITH)
DEBUG = os.path.join(BUILD, "debug", "pith-kernel.elf")

CASES = {
    "python_stdlib": ([PY, program("stdlib.py")], b"", ["-c", "2"]),
    "python_asyncio": ([PY, program("asyncio_echo.py")], b"", ["-c", "2"]),
    "node_mix": (["/usr/bin/node", program("node_mix.js")], b"", ["-c", "2"]),
    "sort": (["/usr/bin/sort", "--parallel=4", "-n"], TEXT * 100, ["-c", "4"]),
    "zstd": (["/usr/bin/zstd", "-qc", "-T2"], TEXT * 50, ["-c", "2"]),
    "q35": (["/bin/busybox", "sh", "-c", "echo $((6*7)); exit 9"], b"",
            ["--machine", "q35"]),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_on_debug_kernel(name):
    argv, stdin, options = CASES[name]
    want = run(argv, stdin, 300)
    got = subprocess.run([PITH, "run", *options, *argv], input=stdin,
                         env=dict(os.environ, PITH_KERNEL=DEBUG, HOME="/root",
                                  LANG="C.UTF-8"),
                         capture_output=True, timeout=600)
    detail = got.stderr.decode(errors="replace")[-4000:]
    assert got.returncode == want.returncode, detail
    assert got.stdout == want.stdout, detail
