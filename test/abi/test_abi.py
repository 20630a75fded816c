# SPDX-License-Identifier: Apache-2.0
"""Linux is the oracle: each C file of this folder is an ordinary static
Linux program.  It runs on the host first; what it prints there, and its exit
status, is what it must give in Pith.  A comment line "CALLS: a b" names the
calls a file is about beside the one of its name (tools/tidy.sh reads it);
"NEEDS: root" leaves it out where the host's user is another; "LIBS: a b" are
libraries to link."""

import glob
import os
import re
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = sorted(os.path.basename(p)[:-2]
               for p in glob.glob(os.path.join(HERE, "*.c")))


@pytest.mark.parametrize("name", NAMES)
def test_abi(name, tmp_path, host_and_pith):
    with open(os.path.join(HERE, name + ".c")) as f:
        text = f.read()
    if "NEEDS: root" in text and os.geteuid():
        pytest.skip("the program needs root on the host")
    libs = [w for l in re.findall(r"^ \* LIBS: (.*)$", text, re.M)
            for w in l.split()]
    exe = str(tmp_path / name)
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-static", "-pthread", "-o",
                    exe, os.path.join(HERE, name + ".c"),
                    *("-l" + l for l in libs)], check=True, timeout=300)
    want, got = host_and_pith([exe])
    assert got.stdout == want.stdout, \
        (got.returncode, got.stderr.decode(errors="replace"))
    status = want.returncode if want.returncode >= 0 else 128 - want.returncode
    assert got.returncode == status, got.stderr.decode(errors="replace")
