# SPDX-License-Identifier: Apache-2.0
"""Small machines, and a small kernel.

Goal: a static program runs with 4 MB and python3 with 16; a file larger than
the machine's memory is read through it; the kernel's file stays below 1 MiB.
Method: pith run with -m; what comes out is what the host computes."""

import hashlib
import os
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("PITH_BUILD", "build"))
WAIT = 240  # seconds that nothing here needs


def run(*words):
    r = subprocess.run([os.path.join(BUILD, "pith"), "run", *map(str, words)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=WAIT)
    assert r.returncode == 0, r.stderr.decode(errors="replace")
    return r.stdout


@pytest.fixture(scope="module")
def hello(tmp_path_factory):
    d = tmp_path_factory.mktemp("small")
    (d / "hello.c").write_text('#include <stdio.h>\n'
                               'int main(void) { return puts("hello") < 0; }\n')
    subprocess.run(["gcc", "-O2", "-static", "-o", d / "hello", d / "hello.c"],
                   check=True)
    return d / "hello"


@pytest.mark.parametrize("machine", ["microvm", "q35"])
def test_hello_in_4_mb(hello, machine):
    assert run("-m", "4M", "--machine", machine, hello) == b"hello\n"


def test_file_larger_than_memory(tmp_path):
    data = os.urandom(6 << 20)
    (tmp_path / "six").write_bytes(data)
    out = run("-m", "4M", "-i", "%s:/six" % (tmp_path / "six"),
              "/bin/busybox", "md5sum", "/six")
    assert out.split() == [hashlib.md5(data).hexdigest().encode(), b"/six"]


def test_python_in_16_mb():
    out = run("-m", "16M", "/usr/bin/python3", "-c",
              "print(sum(len(str(i)) for i in range(10000)))")
    assert out == b"38890\n"


def test_kernel_file_below_1_mib():
    kernel = os.environ.get("PITH_KERNEL", os.path.join(BUILD,
                                                        "pith-kernel.elf"))
    if "debug" in kernel:
        pytest.skip("of the release kernel")
    assert os.path.getsize(kernel) < 1 << 20
