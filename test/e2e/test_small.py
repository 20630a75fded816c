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


PROMISES = r"""
#include <stdio.h>
#include <sys/mman.h>
int main(void)
{
	char *p = mmap(0, 32 << 20, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 1;
	p[0] = p[(32 << 20) - 1] = 1;
	puts("two pages");
	return 0;
}
"""


def test_promises_in_12_mb(tmp_path):
    """As Go's runtime starts: a large map of which little is touched."""
    subprocess.run(["gcc", "-static", "-x", "c", "-", "-o", tmp_path / "p"],
                   input=PROMISES.encode(), check=True)
    assert run("-m", "12M", tmp_path / "p") == b"two pages\n"


def test_root_in_memory_is_full():
    """Said once, with what to do."""
    r = subprocess.run([os.path.join(BUILD, "pith"), "run", "-m", "24M",
                        "/bin/busybox", "dd", "if=/dev/zero", "of=/tmp/x",
                        "bs=1M", "count=64"], capture_output=True,
                       stdin=subprocess.DEVNULL, timeout=WAIT)
    assert r.returncode == 1 and b"No space left" in r.stderr
    assert r.stderr.count(b"pith: no room: what is written to the root is "
                          b"kept in memory; give more with -m, or a disk "
                          b"with --persist or a volume (-v)\n") == 1


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
