# SPDX-License-Identifier: Apache-2.0
"""CPython's own tests (Debian's libpython3.11-testsuite), in Pith as on Linux.

Goal: a test that passes on this machine's Linux passes in Pith.  Method:
programs/cpython_suite.py runs the modules on the host and in one machine of
Pith and prints a line a test.  A test that asked for a second process
("fork") is outside of what Pith is for; every other one that passes on Linux
only must stand in cpython-exceptions.txt with its reason, and one that stands
there must not pass.
"""

import fnmatch
import os
import subprocess

import pytest

from test_programs import PITH, PY, program

SUITE = "/usr/lib/python3.11/test"
LONG = os.environ.get("PITH_LONG") == "1"
EXCEPTIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "cpython-exceptions.txt")

# name: (modules, CPUs of each run, in the short form too)
GROUPS = {
    "files": ("mmap shelve dbm fcntl", [1], True),
    "readiness": ("select poll epoll", [2], True),
    "terminals": ("pty ioctl openpty", [2], True),
    "more_files": ("io largefile tempfile shutil pathlib glob os", [2], False),
    "compression": ("zipfile tarfile gzip bz2 lzma zlib", [2], False),
    "threads": ("threading thread queue sched signal selectors time", [2],
                False),
    "sqlite": ("sqlite3", [1], False),
    "sockets": ("socket", [1, 2], False),
    "asyncio": ("asyncio", [1, 2], False),
    "servers": ("httplib ftplib poplib smtplib socketserver wsgiref "
                "http_cookiejar urllib2net", [1, 2], False),
    "tls": ("ssl", [1, 2], False),
}
RUNS = [(g, cpus) for g, (_, each, short) in GROUPS.items() for cpus in each
        if short or LONG]


def exceptions():
    """Names, or patterns of names."""
    out = []
    with open(EXCEPTIONS) as f:
        for line in f:
            line = line.split("#")[0].strip()
            if line:
                out.append(line)
    return out


def results(argv, timeout):
    env = {"PATH": "/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    for k in ("XDG_CACHE_HOME", "PITH_CACHE", "PITH_KERNEL"):
        if k in os.environ:
            env[k] = os.environ[k]
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, env=env, timeout=timeout)
    lines = r.stdout.decode(errors="replace").splitlines()
    assert lines and lines[-1] == "end", r.stderr.decode(errors="replace")
    words = {}
    for line in lines[:-1]:
        word, _, name = line.partition(" ")
        words[name] = word
    return words, r.stderr.decode(errors="replace")


@pytest.fixture(scope="module")
def on_linux():
    """What Linux says of the modules; asked once."""
    known = {}

    def ask(*argv):
        if argv not in known:
            known[argv] = results(list(argv), 1200)[0]
        return known[argv]
    return ask


@pytest.mark.parametrize("group,cpus", RUNS)
def test_cpython(on_linux, group, cpus):
    modules = ["test_" + n for n in GROUPS[group][0].split()]
    if not os.path.exists(os.path.join(SUITE, modules[0] + ".py")) and \
            not os.path.isdir(os.path.join(SUITE, modules[0])):
        pytest.fail("libpython3.11-testsuite is not installed")
    suite = program("cpython_suite.py")
    want = on_linux(PY, suite, *modules)
    got, err = results([PITH, "run", "-m", "1G", "-c", str(cpus), "-i", SUITE,
                        "--klib", "vsock", PY, suite, *modules], 2400)
    known = exceptions()
    lost = sorted(n for n, w in want.items() if w == "ok" and
                  got.get(n) not in ("ok", "fork") and
                  not any(fnmatch.fnmatchcase(n, k) for k in known))
    won = sorted(n for n, w in got.items() if w == "ok" and n in known)
    assert not lost, "%s\n%s" % ("\n".join(lost), err[-6000:])
    assert not won, "no exceptions any more: " + " ".join(won)
