# SPDX-License-Identifier: Apache-2.0
"""AF_VSOCK: within the machine, and with a host (docs/design/vsock.md).

Goal: a program sees what it sees in a Linux guest, and no packet from the
device does harm.
Method: the same programs in a Linux guest (its vsock modules are the oracle)
and in Pith; the host is a vhost-user device of our own (vsock_backend.py),
which keeps to the rules (Host) or breaks them."""

import hashlib
import os
import re
import socket
import struct
import subprocess
import sys
import threading

import pytest
import vsock_backend as vb

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("PITH_BUILD", "build"))
PITH = os.path.join(BUILD, "pith")
PROGRAMS = os.path.join(HERE, "programs")
FAR = os.path.join(PROGRAMS, "vsock_far.py")
PY = "/usr/bin/python3"
WAIT = 240
MODULES = ["net/vmw_vsock/" + n for n in (
    "vsock.ko", "vmw_vsock_virtio_transport_common.ko", "vsock_loopback.ko",
    "vmw_vsock_virtio_transport.ko")]


def run(*words, env={}):
    return subprocess.run([PITH, "run", *map(str, words)],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=WAIT, env=dict(os.environ, **env))


def linux(tmp, program, include=(), path=None, modules=MODULES):
    """The output of the program in a Linux guest."""
    sys.path.insert(0, os.path.join(TOP, "test", "bench"))
    import bench
    args = type("Args", (), {"build": BUILD, "timeout": WAIT})
    b = bench.Bench(args, str(tmp), str(tmp))
    b.run([PITH, "build", "-o", b.image,
           *sum((["-i", i] for i in include), []), *program])
    b.make_initramfs(modules)
    cmd = b.linux_command(program, ["-accel", "tcg,thread=multi", "-smp",
                                    "1,maxcpus=2"])
    if path:
        cmd[cmd.index("q35")] = "q35,memory-backend=ram"
        cmd += ["-object", "memory-backend-memfd,id=ram,size=%dM,share=on" %
                b.memory, "-chardev", "socket,id=vsock,path=%s" % path,
                "-device", "vhost-user-vsock-pci,chardev=vsock"]
    out = subprocess.run(cmd, stdin=subprocess.DEVNULL, timeout=WAIT,
                         stdout=subprocess.PIPE).stdout.decode()
    assert "status 0" in out, out[-3000:]
    return out.replace("\r", "")


def compile_c(tmp, name):
    exe = str(tmp / name)
    subprocess.run(["gcc", "-O1", "-static", "-pthread", "-o", exe,
                    os.path.join(PROGRAMS, name + ".c")], check=True,
                   timeout=300)
    return exe


# ---- within the machine ----

# The guest's Linux, 6.1, says so whatever went wrong; later ones tell it.
DIFFERS = {
    "bad address: ENOMEM": "bad address: EFAULT",
    "bad buffer: ENOMEM": "bad buffer: EFAULT",
    "large sent: ENOMEM": "large sent: EMSGSIZE",
}


def test_within_the_machine(tmp_path):
    exe = compile_c(tmp_path, "vsock")
    out = linux(tmp_path, [exe], modules=MODULES[:3])
    want = out[out.index("vsock -- "):out.index("vsock -- end")]
    for options in ((), ("-c", "2", "--machine", "q35", "-m", "32M")):
        r = run("--klib", "vsock", *options, exe)
        assert r.returncode == 0, r.stderr.decode()
        got = r.stdout.decode()
        assert got[:got.index("vsock -- end")].splitlines() == \
            [DIFFERS.get(l, l) for l in want.splitlines()]


def test_only_where_it_is_needed():
    script = ("import socket, os\n"
              "print(os.path.exists('/dev/vsock'))\n"
              "socket.socket(socket.AF_VSOCK)\n")
    r = run(PY, "-c", script)
    assert r.stdout == b"False\n" and b"[Errno 97]" in r.stderr
    r = run("--klib", "vsock=x", "/bin/true")
    assert r.returncode == 125, r


ADDRESSES = r"""
import socket
def bind(cid, port):
    try:
        socket.socket(socket.AF_VSOCK).bind((cid, port))
    except OSError:
        pass
bind(0xffffffff, 70000)
bind(0xffffffff, 0xffffffff)
bind(2, 70001)
bind(0, 70001)
bind(99, 1024)
"""


def test_trace(tmp_path):
    """Addresses in strace's words; on a host with AF_VSOCK."""
    try:
        socket.socket(socket.AF_VSOCK).close()
    except OSError:
        pytest.skip("this host has no AF_VSOCK")
    words = [PY, "-c", ADDRESSES]
    subprocess.run(["strace", "-e", "trace=bind", "-o", tmp_path / "want",
                    *words], check=True, timeout=300)
    r = run("--klib", "vsock", "--trace=bind", "--trace-file",
            tmp_path / "got", *words)
    assert r.returncode == 0, r.stderr.decode()
    want, got = ([re.sub(r"^\[\d+\] ", "", l) for l in
                  (tmp_path / n).read_text().splitlines() if "VSOCK" in l]
                 for n in ("want", "got"))
    assert len(want) == 5 and got == want


# ---- with a host ----

def digest(data):
    return hashlib.sha256(data).hexdigest()


def pattern(n, seed):
    return b"".join(hashlib.sha256(struct.pack("<II", seed, i)).digest() * 64
                    for i in range(n // 2048 + 1))[:n]


def host_side(h, mb, packets, errors):
    """What vsock_far.py talks to, in order."""
    try:
        c = h.accept(1000)
        c.send(digest(c.recv_all()).encode())
        c.close()
        c = h.connect(2000)
        c.send(pattern(mb << 20, 2))
        c.shutdown(vb.NO_SEND)
        assert c.recv_all() == b"thanks"
        c = h.accept(1002)
        assert c.recv(100) == b"reset me"
        c.reset()
        c = h.accept(1002)
        assert c.recv(100) == b"data, then reset me"
        c.send(b"first")
        c.reset()
        c = h.accept(1002)
        assert c.recv(100) == b"close"
        c.close()
        c = h.accept(1004)
        assert c.recv(100) == b"go on"
        assert c.peer_alloc == 8192
        c.send(pattern(300000, 4))
        c.size = 3000
        c.emit(vb.UPDATE)
        data = b""
        while len(data) < 200000:
            data += c.recv(1000)
        c.send(b"all of it" if data == pattern(200000, 5) else b"other")
        assert c.recv(10) == b""
        c = h.accept(1005)
        c.send(c.recv(100).upper())
        assert c.recv(10) == b""
        if packets:
            c = h.accept(1010)
            for n in (1, 5, 4096, 70000, 200000):
                data, flags = c.recv_message()
                assert data == pattern(n, n) and flags == vb.EOM
                c.send(data)
            c.send(b"too long")
            c.send(b"with an end", vb.EOR)
            assert c.recv_message() is None
            c.close()
    except BaseException as e:
        errors.append(e)
        raise


class Served:
    """The host's side, in a thread, for one machine."""

    def __init__(self, tmp, mb, packets):
        self.path = str(tmp / "vsock.sock")
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.host = vb.Host(self.path, packets)
        for port in (1000, 1002, 1004, 1005):
            self.host.listen(port)
        self.host.listen(1010, vb.SEQPACKET)
        self.host.silent = {1003}
        self.errors = []
        self.thread = threading.Thread(
            target=host_side, args=(self.host, mb, packets, self.errors),
            daemon=True)
        self.thread.start()

    def finish(self):
        self.thread.join(30)
        assert not self.errors, self.errors
        assert not self.thread.is_alive()
        assert self.host.backend.error is None


def far_lines(out):
    return re.findall(r"^far: .*$", out, re.M)


def far_on_linux(tmp):
    """What vsock_far.py prints in a Linux guest."""
    s = Served(tmp, 1, True)
    out = linux(tmp, [PY, FAR, "1", "packets"], path=s.path)
    s.finish()
    return far_lines(out)


def test_with_a_host(tmp_path):
    linux_says = far_on_linux(tmp_path)
    for options, mb in (((), 8), (("-c", "2", "--machine", "q35"), 4),
                        (("-m", "24M"), 2)):
        s = Served(tmp_path, mb, True)
        r = run("--vsock-path", s.path, "--net", "none", *options, PY, FAR,
                mb, "packets")
        assert r.returncode == 0, r.stderr.decode()
        s.finish()
        want = [l.replace("got 1048576", "got %d" % (mb << 20))
                for l in linux_says]
        assert far_lines(r.stdout.decode()) == want, options


def test_device_without_packets(tmp_path):
    s = Served(tmp_path, 1, False)
    r = run("--vsock-path", s.path, PY, FAR, 1, "streams")
    assert r.returncode == 0, r.stderr.decode()
    s.finish()
    assert "far: packets ESOCKTNOSUPPORT" in far_lines(r.stdout.decode())


def test_cpython(tmp_path):
    """CPython's own, which on most hosts have nobody to talk to."""
    h = vb.Host(str(tmp_path / "s"))
    r = run("--vsock-path", tmp_path / "s", "-i", "/usr/lib/python3.11/test",
            "-m", "256M", PY, "-m", "unittest", "-v", "-k", "VSOCK",
            "test.test_socket")
    text = r.stderr.decode()
    assert r.returncode == 0 and text.count("... ok\n") >= 5, text
    assert "skipped" not in text and h.backend.error is None


# ---- a device that breaks the rules ----

ECHO = r"""
import socket
l = socket.socket(socket.AF_VSOCK)
l.bind((socket.VMADDR_CID_ANY, 2000))
l.listen(3)
while True:
    c, who = l.accept()
    try:
        while data := c.recv(65536):
            c.sendall(data)
            if data == b"end":
                raise SystemExit
    except OSError as e:
        print(e.errno, flush=True)
    c.close()
"""


@pytest.mark.parametrize("kernel", ["", "debug/"])
def test_hostile_packets(tmp_path, kernel):
    """Wrong addresses, types, operations, lengths; packets without a
    connection; more than was promised; floods.  Each is refused or ignored,
    and a connection by the rules works after it."""
    h = vb.Host(str(tmp_path / "s"))
    p = subprocess.Popen([PITH, "run", "--vsock-path", str(tmp_path / "s"),
                          PY, "-c", ECHO], stdin=subprocess.DEVNULL,
                         env=dict(os.environ, PITH_KERNEL=os.path.join(
                             BUILD, kernel, "pith-kernel.elf")))
    good = vb.Packet(vb.HOST, 52, 99, 2000, vb.STREAM, vb.RW, 0, 1 << 18, 0,
                     b"x" * 100)

    def echo(data):
        c = h.connect(2000)
        c.send(data)
        got = c.recv(1000)
        assert got == data
        c.close()

    def strays(n, *packets):
        """n of the packets are answered by a reset."""
        with h.cond:
            before = len(h.strays)
        for q in packets:
            h.backend.send(*q) if isinstance(q, tuple) and \
                not isinstance(q, vb.Packet) else h.backend.send(q)
        echo(b"between")
        with h.cond:
            assert len(h.strays) - before == n, h.strays[before:]

    try:
        echo(b"first")
        strays(0, *(good._replace(src_cid=c) for c in
                    (52, 1, 0xffffffff, 1 << 40)),
               *(good._replace(dst_cid=c) for c in (0, 1, 2, 53, 1 << 33)))
        strays(1, good)
        strays(4, *(good._replace(type=t, op=vb.REQUEST) for t in
                    (0, 2, 3, 65535)))
        strays(0, good._replace(op=vb.RST))
        strays(5, *(good._replace(op=o, data=b"") for o in
                    (0, 2, 4, 8, 65535)))
        strays(0, (good, 101), (good, 0xffffffff), (good, 5000))
        strays(1, good._replace(op=vb.REQUEST, dst_port=2001))
        # A flood of requests to nobody, then to the listener.
        for i in range(3000):
            h.backend.send(good._replace(op=vb.REQUEST, src_port=i,
                                         dst_port=1, data=b""))
        echo(b"after a flood")
        # Each is answered, when nothing could be for a while.
        with h.cond:
            before = len(h.strays)
        h.backend.hold = True
        for i in range(500):
            h.backend.send(good._replace(op=vb.REQUEST, src_port=i,
                                         dst_port=1, data=b""))
        threading.Event().wait(0.3)
        h.backend.hold = False
        echo(b"after a pause")
        with h.cond:
            assert len(h.strays) - before == 500
        for i in range(300):
            h.backend.send(good._replace(op=vb.REQUEST, src_port=5000 + i,
                                         data=b""))
        for i in range(300):
            h.backend.send(good._replace(op=vb.RST, src_port=5000 + i,
                                         data=b""))
        echo(b"after another")
        # More than there is room for: the connection is over.
        c = h.connect(2000)
        for _ in range(40):
            c.tx = 0
            h.backend.send(good._replace(src_port=c.port, data=b"z" * 60000))
        c.wait(lambda: c.state == "ended")
        # An operation that does not exist; a request on a connection.
        for op in (9, vb.REQUEST, vb.RESPONSE):
            c = h.connect(2000)
            h.backend.send(good._replace(src_port=c.port, op=op, data=b""))
            c.wait(lambda: c.state == "ended")
        # Credit that can not be.
        c = h.connect(2000)
        for alloc, fwd in ((0, 0), (0xffffffff, 0x80000000), (0, 77),
                           (1 << 18, 0)):
            h.backend.send(good._replace(src_port=c.port, op=vb.UPDATE,
                                         alloc=alloc, fwd=fwd, data=b""))
        c.send(b"still here")
        assert c.recv(100) == b"still here"
        c.close()
        c = h.connect(2000)
        c.send(b"end")
        assert c.recv(100) == b"end"
        assert p.wait(timeout=WAIT) == 0
    finally:
        p.kill()
        p.wait()
    assert h.backend.error is None
