# SPDX-License-Identifier: Apache-2.0
"""Klibs in a real machine: docs/design/klib.md.

Goal: a part of the kernel that is loaded works as one that is built in, is
there only where it is needed, is as protected as the rest, and has names in
reports; one that does not fit ends in one line that says why, and 125.  The
time client sets the clock by whom it was told to ask.
Method: the 9P klib and a directory of the host; files of it that are damaged
or changed; gdb for page tables and for code that goes wrong; time servers of
our own on the host's loopback."""

import os
import re
import shutil
import socket
import struct
import subprocess
import threading

import pytest
from test_hardening import pages, stopped

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("PITH_BUILD", "build"))
PITH = os.path.join(BUILD, "pith")
PY = "/usr/bin/python3"
WAIT = 240
MODULES = 0xffffffffc0000000


def run(*words, env={}, **more):
    return subprocess.run([PITH, "run", *map(str, words)],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=WAIT, env=dict(os.environ, **env), **more)


@pytest.fixture
def shared(tmp_path):
    d = tmp_path / "shared"
    d.mkdir()
    (d / "hello").write_text("of the host\n")
    return d


SCRIPT = r"""
import os, sys
print(open("/d/hello").read(), end="")
with open("/d/back", "w") as f:
    f.write("of the machine\n" * 20000)
os.rename("/d/back", "/d/there")
print(sorted(os.listdir("/d")), os.path.getsize("/d/there"))
print("9p" in open("/proc/filesystems").read())
"""


@pytest.mark.parametrize("options", [(), ("-c", "2"), ("--machine", "q35")])
def test_a_directory_of_the_host(shared, options):
    r = run("-v", "%s:/d" % shared, *options, PY, "-c", SCRIPT)
    assert r.returncode == 0, r.stderr.decode()
    assert r.stdout.decode() == ("of the host\n['hello', 'there'] 300000\n"
                                 "True\n")
    assert (shared / "there").read_text() == "of the machine\n" * 20000


def test_only_where_it_is_needed(tmp_path):
    r = run("/bin/cat", "/proc/filesystems")
    assert b"ext4" in r.stdout and b"9p" not in r.stdout
    r = run("--mount", "tmpfs:9p:/m", "--klib", "9p", "/bin/cat",
            "/proc/filesystems")
    assert b"\t9p" in r.stdout
    r = run("--klib", "9p", "--klib", "ntp=10.0.2.2:9", "/bin/cat",
            "/proc/modules")
    assert re.fullmatch(rb"9p \d+ 0 - Live 0x0{16}\n"
                        rb"ntp \d+ 0 - Live 0x0{16}\n", r.stdout), r
    r = run("/bin/cat", "/proc/modules")
    assert r.returncode == 0 and r.stdout == b""


@pytest.mark.parametrize("built_with", [True, False])
def test_image(shared, tmp_path, built_with):
    """An image brings its klib, or the run does."""
    img = tmp_path / "a.img"
    subprocess.run([PITH, "build", *(["--klib", "9p"] if built_with else []),
                    "-o", img, "/bin/cat", "/d/hello"], check=True)
    r = run("-v", "%s:/d:ro" % shared, img)
    assert r.returncode == 0 and r.stdout == b"of the host\n", r.stderr


@pytest.fixture
def beside(tmp_path):
    """The same kernel with a klib of ours beside it."""
    d = tmp_path / "beside"
    (d / "klib").mkdir(parents=True)
    shutil.copy(os.path.join(BUILD, "pith-kernel.elf"), d / "k.elf")
    with open(os.path.join(BUILD, "klib", "9p.klib"), "rb") as f:
        good = f.read()

    def go(change):
        (d / "klib" / "9p.klib").write_bytes(change(good))
        r = run("--verbose", "--klib", "9p", "/bin/true",
                env={"PITH_KERNEL": str(d / "k.elf")})
        assert r.returncode == 125, r.stderr
        lines = r.stderr.decode().splitlines()
        assert lines[-1].startswith("pith: the klib 9p can not be used: ")
        return lines
    return go


def other_build(b):
    at = b.index(b"PITHKLIB") + 8
    return b[:at] + b"0123456789" + b[at + 10:]


@pytest.mark.parametrize("change,wanted", [
    (other_build, "built for another kernel"),
    (lambda b: b.replace(b"fs_register\0", b"fs_registry\0"),
     "does not export"),
    (lambda b: b[:len(b) // 2], "damaged"),
    (lambda b: b"#!/bin/sh\n", "damaged"),
    (lambda b: b.replace(b".rodata", b".rodato"), "damaged"),
])
def test_one_that_does_not_fit(beside, change, wanted):
    lines = beside(change)
    assert wanted in lines[-1]
    assert any("klib 9p: " in l for l in lines[:-1]), lines


def test_init_fails():
    r = run("--klib", "9p=words that it does not know", "/bin/true")
    assert r.returncode == 125, r
    assert r.stderr.decode().splitlines()[-1] == \
        "pith: the klib 9p can not be used: Invalid argument"


def test_protected(shared):
    """No page of it is writable and executable; code, constants and data are
    there, each with its own protection."""
    out, status, _ = stopped(["monitor info tlb", "detach"],
                             options=("-v", "%s:/d" % shared))
    assert status == 0
    klib = {va: f for va, _, f in pages(out) if va >= MODULES}
    kinds = {(f[0] == "X", f[8] == "W") for f in klib.values()}
    assert kinds == {(False, False), (True, False), (True, True)}
    assert not any(f[8] == "W" and f[0] != "X" for _, _, f in pages(out))
    assert MODULES not in klib  # the page before is not there


def where_it_lies(tmp_path, options=()):
    """The lowest page of a klib, in a machine that QEMU's monitor looks at."""
    qemu, monitor = tmp_path / "qemu", tmp_path / "monitor"
    monitor.unlink(missing_ok=True)
    qemu.write_text('#!/bin/sh\nexec qemu-system-x86_64 "$@" -monitor '
                    "unix:%s,server=on,wait=off\n" % monitor)
    qemu.chmod(0o755)
    p = subprocess.Popen([PITH, "run", "--klib", "9p", *options, PY, "-c",
                          "print('up', flush=True); input()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         env=dict(os.environ, PITH_QEMU=str(qemu)))
    try:
        assert p.stdout.readline() == b"up\n"
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(WAIT)
            s.connect(str(monitor))
            s.sendall(b"info tlb\nsync-profile\n")
            said = b""
            while b"sync-profile" not in said.rsplit(b"info tlb", 1)[-1]:
                said += s.recv(1 << 20)
        p.communicate(b"\n", timeout=WAIT)
    finally:
        p.kill()
        p.wait()
    return min(va for va, _, _ in pages(said.decode().replace("\r", ""))
               if va >= MODULES)


def test_place_differs(tmp_path):
    """Another page in each start; the same where the layout is fixed."""
    assert len({where_it_lies(tmp_path) for _ in range(2)}) == 2
    assert where_it_lies(tmp_path, ["--no-aslr"]) == MODULES + 0x1000


def test_names_in_a_panic(shared):
    """An impossible instruction in the klib: the report names its function,
    and the kernel's functions that called it."""
    _, status, err = stopped(
        ["set *(unsigned short *)$pc = 0x0b0f", "detach"],
        program=("/bin/cat", "/d/hello"),
        options=("-v", "%s:/d" % shared), where="p9_lopen")
    assert status == 125
    assert re.search(r"^  klib 9p\+0x[0-9a-f]+ p9_lopen\+0x0$", err, re.M), err
    assert re.search(r"^  klib 9p\+0x[0-9a-f]+ p9_open_fids\+0x", err, re.M)
    assert re.search(r"^  0x[0-9a-f]+ path_open\+0x", err, re.M), err
    assert err.splitlines()[-1].startswith("pith: ")


# ---- the time client ----

FAR = 2_300_000_000  # 2042, in NTP's second era


class TimeServer:
    """Answers from a clock of its own; says how often it was asked."""

    def __init__(self, unix, kiss=None):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.unix, self.kiss, self.asked = unix, kiss, []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                q, who = self.sock.recvfrom(1000)
            except OSError:
                return
            if len(q) != 48 or q[0] != 0x23:
                continue
            self.asked.append(q)
            now = struct.pack(">II", (self.unix + 2208988800) & 0xffffffff, 0)
            # A stray one first, with another question's number.
            for origin in (bytes(8), q[40:48]):
                self.sock.sendto(struct.pack(
                    ">BBbbII4s8s8s8s8s", 0x24, 0 if self.kiss else 2, 4, -20,
                    0, 0, self.kiss or b"test", now, origin, now, now), who)

    def close(self):
        self.sock.close()


@pytest.fixture
def time_server():
    made = []

    def go(*args, **more):
        made.append(TimeServer(*args, **more))
        return made[-1]
    yield go
    for s in made:
        s.close()


WAIT_FOR_TIME = r"""
import ctypes, struct, sys, time
far = int(sys.argv[1])
while not far <= time.time() < far + 1000:
    time.sleep(0.01)
b = ctypes.create_string_buffer(208)
state = ctypes.CDLL(None).adjtimex(b)
print(state, struct.unpack_from("<q", b, 24)[0] < 1000000)
"""


@pytest.mark.parametrize("kernel", ["", "debug/"])
def test_time(time_server, kernel):
    """The wall clock becomes the server's, and the kernel says that it is
    right; whoever answers without being asked is not heard."""
    s = time_server(FAR)
    r = run("--klib", "ntp=10.0.2.2:%d" % s.port, PY, "-c", WAIT_FOR_TIME, FAR,
            env={"PITH_KERNEL": os.path.join(BUILD, kernel, "pith-kernel.elf")})
    assert r.returncode == 0, r.stderr.decode()
    assert r.stdout == b"0 True\n", r
    assert len({q[40:] for q in s.asked}) == len(s.asked)  # never twice
    assert all(q[1:40] == bytes(39) for q in s.asked)  # and tells no time


def test_three_servers(time_server):
    """One of three is wrong: it does no harm."""
    ports = [time_server(t).port for t in (FAR, 1_000_000_000, FAR)]
    r = run("--klib", "ntp=" + ",".join("10.0.2.2:%d" % p for p in ports), PY,
            "-c", WAIT_FOR_TIME, FAR)
    assert r.returncode == 0 and r.stdout == b"0 True\n", r.stderr.decode()


def test_server_that_refuses(time_server):
    """It says so: it is asked once, and its time is not taken."""
    no, yes = time_server(1_000_000_000, kiss=b"DENY"), time_server(FAR)
    r = run("--klib", "ntp=10.0.2.2:%d,10.0.2.2:%d" % (no.port, yes.port), PY,
            "-c", WAIT_FOR_TIME, FAR)
    assert r.returncode == 0 and r.stdout == b"0 True\n", r.stderr.decode()
    assert len(no.asked) == 1


def test_no_server():
    """Nobody answers, or there is no network: the program runs."""
    for options in ((), ("--net", "none")):
        r = run("--klib", "ntp=10.0.2.2:9", *options, "/bin/echo", "runs")
        assert r.returncode == 0 and r.stdout == b"runs\n"
    r = run("--verbose", "--klib", "ntp=time.example.org", "/bin/true")
    assert r.returncode == 125, r
    assert b"IPv4 addresses" in r.stderr
    assert r.stderr.decode().splitlines()[-1] == \
        "pith: the klib ntp can not be used: Invalid argument"


def test_two_klibs(time_server, shared):
    """Side by side, and each with names in gdb's command."""
    s = time_server(FAR)
    (shared / "wait").write_text(WAIT_FOR_TIME)
    r = run("-v", "%s:/d" % shared, "--klib", "ntp=10.0.2.2:%d" % s.port, PY,
            "-c", "exec(open('/d/wait').read())", FAR)
    assert r.returncode == 0 and r.stdout == b"0 True\n", r.stderr.decode()
    out, status, _ = stopped(
        ["info symbol keep_clock", "x/i keep_clock", "print nservers",
         "detach"],
        options=("--klib", "9p", "--klib", "ntp=10.0.2.2:9"))
    assert status == 0
    assert "keep_clock in section .text" in out and "push   %rbp" in out
    assert "$1 = 1\n" in out  # its data, too
