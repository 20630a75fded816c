# SPDX-License-Identifier: Apache-2.0
"""`pith run` against the stand-in for QEMU: streams, statuses, signals, the
terminal, the run block."""

import ast
import fcntl
import hashlib
import os
import pty
import signal
import struct
import subprocess
import termios
import time

import pytest
from conftest import BUILD, PITH, fails, last_line


@pytest.mark.parametrize("code", [0, 1, 42, 126, 127, 255])
def test_status(pith, static, code):
    r = pith("run", static, "exit", str(code))
    assert r.returncode == code, r
    assert r.stderr == b""


@pytest.mark.parametrize("sig", [1, 6, 9, 11, 15])
def test_died_by_signal(pith, static, sig):
    assert pith("run", static, "signal", str(sig)).returncode == 128 + sig


def test_not_executable_in_the_guest(pith, static):
    fails(pith("run", static, "noexec", "2"), 127, "No such file")
    fails(pith("run", static, "noexec", "8"), 126, "Exec format")


def test_streams_are_separate(pith, static):
    r = pith("run", static, "both")
    assert (r.stdout, r.stderr, r.returncode) == (b"out\n", b"err\n", 0)


def test_append(pith, static, tmp_path):
    f = tmp_path / "log"
    f.write_bytes(b"before\n")
    with open(f, "ab") as out:
        for _ in range(2):
            subprocess.run([PITH, "run", static, "both"], env=pith.env,
                           stdout=out, stderr=subprocess.DEVNULL, check=True)
    assert f.read_bytes() == b"before\nout\nout\n"


def test_binary_through_pipes(pith, static):
    data = os.urandom(20 << 20)
    r = pith("run", static, "cat", stdin=data)
    assert hashlib.sha256(r.stdout).digest() == hashlib.sha256(data).digest()


def test_binary_through_files(pith, static, tmp_path):
    data = os.urandom(5 << 20) + bytes(range(256))
    (tmp_path / "in").write_bytes(data)
    with open(tmp_path / "in", "rb") as i, open(tmp_path / "out", "wb") as o:
        subprocess.run([PITH, "run", static, "cat"], env=pith.env, stdin=i,
                       stdout=o, check=True)
    assert (tmp_path / "out").read_bytes() == data


def test_slow_reader_gets_everything(pith, static):
    p = pith.popen("run", static, "big", str(3 << 20), stdout=subprocess.PIPE)
    got = 0
    while data := os.read(p.stdout.fileno(), 50000):
        got += len(data)
        time.sleep(0.002)
    assert got == 3 << 20 and p.wait() == 0


def test_input_is_read_only_as_fast_as_taken(pith, static):
    """Back-pressure: a program that reads nothing leaves its input alone."""
    r, w = os.pipe()
    p = pith.popen("run", static, "deaf", stdin=r, stdout=subprocess.PIPE)
    os.close(r)
    assert p.stdout.readline() == b"ready\n"
    os.set_blocking(w, False)
    sent = 0
    quiet = time.time()
    while time.time() - quiet < 0.3 and sent < 64 << 20:
        try:
            sent += os.write(w, b"x" * 65536)
            quiet = time.time()
        except BlockingIOError:
            time.sleep(0.01)
    p.kill()
    p.wait()
    os.close(w)
    assert sent < 8 << 20


def test_reader_that_goes(pith, static):
    p = pith.popen("run", static, "yes", stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"y\n"
    p.stdout.close()
    assert p.wait(timeout=300) == 128 + signal.SIGPIPE


def test_stdout_socket(pith, static):
    import socket
    a, b = socket.socketpair()
    p = pith.popen("run", static, "big", "1000000", stdout=b)
    b.close()
    got = 0
    while data := a.recv(65536):
        got += len(data)
    assert got == 1000000 and p.wait() == 0


def test_closed_streams(pith, static):
    r = subprocess.run(["sh", "-c", 'exec "$0" run "$1" env >&- <&- 2>&-; :',
                        PITH, static], env=pith.env, capture_output=True)
    assert r.returncode == 0, r
    r = subprocess.run(["sh", "-c", 'exec "$0" run "$1" env <&- 2>/dev/null',
                        PITH, static], env=pith.env, capture_output=True)
    kinds = struct.unpack("<III", block(r.stdout)[9][0])
    assert kinds == (0, 1, 4)


def block(text):
    """The records that the stand-in printed, by tag."""
    out = {}
    for line in text.splitlines():
        tag, _, value = line.partition(b" ")
        out.setdefault(int(tag), []).append(ast.literal_eval(value.decode()))
    return out


def test_run_block(pith, static, tmp_path):
    envfile = tmp_path / "env"
    envfile.write_text("# remark\nF=1\n\nG=a b=c\n")
    begin = int(time.time())
    r = pith("run", "-e", "A=1", "-e", "A=2", "-e", "HOSTVAR", "-e", "UNSET",
             "--env-file", envfile, "-w", "/tmp", "-u", "7:8", "--umask",
             "077", "--hostname", "box", "--rlimit", "nofile=10:20",
             "--no-aslr", "--trace=open,read", "--mount", "tmpfs:none:/x:size=1",
             "--klib", "9p=x=y", "--root-mode", "ro", static, "env", "-x", "",
             env={"HOSTVAR": "h", "SECRET": "s"})
    b = block(r.stdout)
    assert b[1] == [str(static).encode()]
    assert b[2] == [str(static).encode(), b"env", b"-x", b""]
    env = dict(kv.split(b"=", 1) for kv in b[3])
    assert env == {b"A": b"2", b"HOSTVAR": b"h", b"F": b"1", b"G": b"a b=c",
                   b"TERM": b"xterm", b"HOME": b"/home",
                   b"PATH": env[b"PATH"]}
    assert b[4] == [b"/tmp"]
    assert b[5] == [struct.pack("<II", 7, 8)]
    assert b[6] == [struct.pack("<I", 1)]
    assert b[7] == [b"box"]
    assert b[8] == [struct.pack("<I", 1)]
    assert b[12] == [b"open,read"]
    assert b[13] == [struct.pack("<I", 0o77)]
    assert b[14] == [struct.pack("<IIQQ", 7, 0, 10, 20)]
    assert b[15] == [b"tmpfs\0none\0/x\0size=1"]
    assert b[16] == [b"9p\0x=y"]
    with open(os.path.join(BUILD, "klib", "9p.klib"), "rb") as f:
        assert b[35] == [f.read()]
    seconds, _ = struct.unpack("<qI", b[17][0])
    assert begin <= seconds <= time.time()
    assert len(b[18][0]) == 32


def test_relative_argument_sets_the_directory(pith, static, tmp_path):
    (tmp_path / "script.py").write_text("print(1)")
    r = pith("run", static, "env", "script.py", cwd=tmp_path)
    assert block(r.stdout)[4] == [str(tmp_path).encode()]
    r = pith("run", static, "env", "no-such-file", cwd=tmp_path)
    assert block(r.stdout)[4] == [b"/"]


def test_image_run(pith, static, tmp_path):
    img = tmp_path / "a.img"
    pith("build", "-m", "64M", "-e", "A=1", "--no-aslr", "-o", img, static,
         "exit", "3")
    r = pith("run", "-e", "B=2", "--missing-files", img, "env", "more")
    b = block(r.stdout)
    assert 1 not in b
    assert b[2] == [str(static).encode(), b"env", b"more"]
    assert b[3] == [b"B=2"]
    assert b[8] == [struct.pack("<I", 1 | 2)]
    q = pith("run", "--print-qemu", img).stdout.decode()
    assert "-m 65536K" in q
    q = pith("run", "-m", "32M", "--print-qemu", img).stdout.decode()
    assert "-m 32768K" in q


def test_timeout(pith, static):
    t = time.time()
    fails(pith("run", "--timeout", "1", static, "deaf"), 124, "time is up")
    assert time.time() - t > 0.9


def test_machine_failures(pith, static):
    fails(pith("run", static, "die"), 125, "it went wrong")
    fails(pith("run", static, "garbage"), 125, "makes no sense")
    r = pith("run", static, "panic")
    fails(r, 125, "panicked")
    assert b"the world ended" in r.stderr
    fails(pith("run", static, "boot"), 125, "image")
    fails(pith("run", static, env={"PITH_QEMU": "/bin/false"}), 125,
          "without a word")


def test_missing_files(pith, static):
    r = pith("run", "--missing-files", static, "missing")
    lines = r.stderr.decode().splitlines()
    assert lines == ["pith: system call frobnicate (999) is not there: asked "
                     "2 times", "pith: missing: /no/such", "pith: missing: /a",
                     "pith: b"]
    assert b"/no/such" not in pith("run", static, "missing").stderr


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                                 signal.SIGQUIT, signal.SIGUSR1])
def test_signal_reaches_the_program(pith, static, sig):
    p = pith.popen("run", static, "wait", stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    p.send_signal(sig)
    assert p.wait(timeout=300) == sig
    p.stdout.close()


def test_same_signal_twice_ends(pith, static, until_taken):
    p = pith.popen("run", static, "deaf", stdout=subprocess.PIPE,
                   stderr=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    for sig in (signal.SIGTERM, signal.SIGINT):
        p.send_signal(sig)
        until_taken(p.pid, sig)
        time.sleep(1.1)  # sooner it would be timeout(1)'s
        assert p.poll() is None
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=300)
    assert p.returncode == 128 + signal.SIGINT, p
    assert b"pith: the same signal twice" in err


def test_timeout_command(pith, static):
    """timeout(1) signals its child and the child's group: one signal."""
    p = subprocess.run(["timeout", "1", PITH, "run", static, "wait"],
                       env=pith.env, capture_output=True)
    assert p.returncode == 124 and p.stderr == b""


def kill_both(p, until_dead):
    """pith, which cannot help it, and the machine ends with it."""
    with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
        qemu = int(f.read().split()[0])
    p.kill()
    p.wait()
    until_dead(qemu)
    p.stdout.close()


def test_qemu_dies_with_pith(pith, static, until_dead):
    p = pith.popen("run", static, "deaf", stdout=subprocess.PIPE)
    p.stdout.readline()
    kill_both(p, until_dead)


class Terminal:
    """pith on a terminal of its own, in the foreground."""

    def __init__(self, pith, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(PITH, [PITH, *map(str, words)], pith.env)
        self.text = b""

    def expect(self, what, seconds=240):
        end = time.time() + seconds
        os.set_blocking(self.fd, False)
        while what not in self.text:
            assert time.time() < end, self.text
            try:
                self.text += os.read(self.fd, 4096)
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:  # the other side has gone
                assert what in self.text, self.text

    def wait(self, seconds=240):
        end = time.time() + seconds
        while time.time() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.kill(self.pid, signal.SIGKILL)
        pytest.fail("pith does not end")

    def lflag(self):
        return termios.tcgetattr(self.fd)[3]


def test_terminal_raw_and_restored(pith, static):
    t = Terminal(pith, "run", static, "wait")
    before = termios.ECHO | termios.ICANON | termios.ISIG
    t.expect(b"ready")
    assert t.lflag() & before == 0
    os.kill(t.pid, signal.SIGTERM)
    assert t.wait() == 15
    os.close(t.fd)


def test_terminal_keys_go_to_the_program(pith, static):
    t = Terminal(pith, "run", static, "cat")
    while t.lflag() & (termios.ICANON | termios.ISIG):
        time.sleep(0.01)
    os.write(t.fd, b"abc\x03\x1a\x04\x01\x01z")
    t.expect(b"abc\x03\x1a\x04\x01z")
    os.write(t.fd, b"\x01x")
    assert t.wait() == 125
    t.expect(b"pith: ended by Ctrl-A x\r\n")
    assert t.lflag() & termios.ECHO
    os.close(t.fd)


def test_terminal_facts_in_the_block(pith, static):
    t = Terminal(pith, "run", static, "env")
    fcntl.ioctl(t.fd, termios.TIOCSWINSZ, struct.pack("4H", 33, 77, 0, 0))
    t.wait()
    t.expect(b"18 ")
    b = block(t.text.replace(b"\r\n", b"\n"))
    assert struct.unpack("<III", b[9][0]) == (2, 2, 2)
    assert len(b[10][0]) == 36
    lflag = struct.unpack_from("<I", b[10][0], 12)[0]
    assert lflag & termios.ICANON and lflag & termios.ECHO
    assert len(b[11][0]) == 8
    os.close(t.fd)


def test_two_runs_at_once(pith, static):
    ps = [pith.popen("run", static, "exit", str(i)) for i in range(6)]
    assert [p.wait(timeout=300) for p in ps] == list(range(6))
    images = list((pith.tmp / "cache").glob("*.img"))
    assert len(images) == 1


def test_print_qemu(pith, static):
    for machine, disk in (("microvm", "virtio-blk-device"),
                          ("q35", "virtio-blk-pci"), ("pc", "virtio-blk-pci")):
        r = pith("run", "--print-qemu", "--machine", machine, "-c", "3", "-m",
                 "1G", static)
        text = r.stdout.decode()
        assert f"-machine {machine}" in text and disk in text
        assert "-smp 3," in text and "-m 1048576K" in text
        assert "-sandbox on" in text
        assert ("i6300esb" in text) == (machine != "microvm")


def test_gdb(pith, static):
    q = pith("run", "--print-qemu", "--gdb", static).stdout
    assert b"-gdb tcp:127.0.0.1:1234 -S" in q
    q = pith("run", "--print-qemu", "--gdb", "4321", static).stdout
    assert b"tcp:127.0.0.1:4321" in q
    q = pith("run", "--print-qemu", "--gdb=4322", static).stdout
    assert b"tcp:127.0.0.1:4322" in q


def test_persist_is_exclusive(pith, static, until_dead):
    p = pith.popen("run", "--persist", static, "deaf",
                   stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    fails(pith("run", "--persist", static, "exit"), 125, "another run")
    kill_both(p, until_dead)
    r = pith("run", "--persist", static, "env")
    assert block(r.stdout)[6] == [struct.pack("<I", 2)]
    q = pith("run", "--persist", "--print-qemu", static).stdout
    assert b'"read-only":false' in q
    # what a copy that was cut short would have left is no disk
    disk, = (pith.tmp / "cache" / "instances").glob("*.img")
    size = disk.stat().st_size
    os.truncate(disk, 0)
    assert pith("run", "--persist", static, "exit").returncode == 0
    disk, = (pith.tmp / "cache" / "instances").glob("*.img")
    assert disk.stat().st_size == size


def test_last_line(pith, static):
    r = pith("run", static, "panic")
    assert last_line(r).startswith("pith: ")
