# SPDX-License-Identifier: Apache-2.0
"""Go's own tests of its network packages, in Pith as on Linux.

Goal: a test that passes on this machine's Linux passes in Pith, on one CPU
and on two.  Method: `go test -c` makes a static program of a package's tests;
it runs on the host and in Pith in the package's folder, and the names that
pass are compared.  What passes on Linux only must stand in go-exceptions.txt
with its reason.
"""

import glob
import os
import re
import subprocess

import pytest

from test_programs import PITH

LONG = os.environ.get("PITH_LONG") == "1"
GO = "/usr/bin/go"
EXCEPTIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "go-exceptions.txt")
SHORT = [("net", 1), ("net", 2), ("net/textproto", 1)]
REST = [(p, c) for p in ("net/textproto", "net/url", "net/rpc", "net/http",
                         "net/http/httptest", "crypto/tls") for c in (1, 2)]


def exceptions():
    with open(EXCEPTIONS) as f:
        return {line.split("#")[0].strip() for line in f} - {""}


# A machine whose clock counts instructions: Go's tests bound many times from
# above, and so do not hear of how busy the host is.
COUNTED = """#!/usr/bin/python3
import os, sys
a = sys.argv
a[a.index("-accel") + 1] = "tcg,thread=single"
os.execvp("qemu-system-x86_64", ["qemu-system-x86_64"] + a[1:] +
          ["-icount", "shift=0,sleep=off"])
"""


def timed(folder):
    """The tests of a package that speak of seconds and less."""
    names = set()
    for path in glob.glob(os.path.join(folder, "*_test.go")):
        with open(path) as f:
            parts = re.split(r"^func (?=\w)", f.read(), flags=re.M)
        names |= {part.split("(")[0] for part in parts[1:]
                  if re.match(r"\w*(Timeout|Deadline)|"
                              r"(?s:.)*\btime\.\w*[Ss]econd", part)}
    return names


def passed(argv, cwd, timeout, qemu=None):
    env = dict(os.environ, **({"PITH_QEMU": str(qemu)} if qemu else {}))
    r = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=timeout, env=env)
    text = r.stdout.decode(errors="replace")
    return set(re.findall(r"^--- PASS: (\S+)", text, re.M)), text


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The test program of a package, made once."""
    made = {}

    def build(package):
        if package not in made:
            out = str(tmp_path_factory.mktemp("go") / "tests")
            subprocess.run([GO, "test", "-c", "-o", out, package], check=True,
                           timeout=600, stdin=subprocess.DEVNULL)
            made[package] = out
        return made[package]
    return build


@pytest.mark.parametrize("package,cpus",
                         SHORT + ([x for x in REST if x not in SHORT]
                                  if LONG else []))
def test_go_package(built, tmp_path, package, cpus):
    """On one CPU all of them, by a clock that counts instructions; on two those
    that no time decides."""
    root = subprocess.run([GO, "env", "GOROOT"], check=True,
                          stdout=subprocess.PIPE).stdout.decode().strip()
    src = os.path.realpath(os.path.join(root, "src"))
    folder = os.path.join(src, package)
    words = [built(package), "-test.v", "-test.short"]
    want, _ = passed(words, folder, 600)
    qemu = None
    if cpus == 1:
        qemu = tmp_path / "qemu"
        qemu.write_text(COUNTED)
        qemu.chmod(0o755)
    else:
        want -= timed(folder)
    got, text = passed([PITH, "run", "-m", "1G", "-c", str(cpus),
                        "-i", os.path.join(src, "testdata"), "-i", folder,
                        "-w", folder, *words], None, 1200, qemu)
    lost = sorted(want - got - exceptions())
    assert want and not lost, "%s\n%s" % (" ".join(lost), text[-6000:])
