# SPDX-License-Identifier: Apache-2.0
"""The portable layers on the host, under ASan and UBSan.

Each test/unit/<folder>/test_<file>.c is a program that names in its first
comment the sources that it needs ("SOURCES:") and include folders that go
before the usual ones ("INCLUDE:"), $LWIP being lwIP as it was built; it ends with status 0 when all is well.
"SANITIZE: thread" is for those with threads: in place of the other two.
"""

import glob
import os
import re
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
LWIP = os.path.join(os.environ.get("PITH_BUILD", os.path.join(TOP, "build")),
                    "lwip", "src")
FILES = sorted(os.path.relpath(p, HERE)
               for p in glob.glob(os.path.join(HERE, "*", "test_*.c")))
FLAGS = ["-std=gnu11", "-g", "-O1", "-fno-strict-aliasing", "-Wall", "-Wextra",
         "-pthread"]
SANITIZERS = {
    "address": ["-fsanitize=address,undefined",
                "-fno-sanitize-recover=undefined"],
    # READ_ONCE and WRITE_ONCE are no races: test/unit/host_threads.
    "thread": ["-fsanitize=thread", "--param", "tsan-distinguish-volatile=1",
               "-Wno-tsan"],
}


def build(path, exe, compiler=("gcc",)):
    """Makes the program that the file and what it names are."""
    with open(os.path.join(HERE, path)) as f:
        text = f.read().replace("$LWIP", LWIP)
    sources = " ".join(re.findall(r"SOURCES: *(.*)", text)).split()
    include = " ".join(re.findall(r"INCLUDE: *(.*)", text)).split() or \
        ["test/unit/host"]
    kind = re.search(r"SANITIZE: *(\w+)", text)
    subprocess.run([*compiler, *FLAGS,
                    *SANITIZERS[kind.group(1) if kind else "address"],
                    *sum((["-I", i] for i in include), []),
                    "-I", "src", "-I", "src/arch/x86_64/include", "-o", exe,
                    os.path.join("test", "unit", path), *sources],
                   check=True, cwd=TOP, timeout=600)


@pytest.mark.parametrize("path", FILES)
def test_unit(path, tmp_path):
    exe = str(tmp_path / "unit")
    build(path, exe)
    run = subprocess.run([exe], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         timeout=300, cwd=TOP)
    assert run.returncode == 0, run.stdout.decode(errors="replace")[-4000:]
