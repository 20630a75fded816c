# SPDX-License-Identifier: Apache-2.0
"""The machine's side of test_vsock.py: connections with a peer outside.
Prints what it sees; in a Linux guest and in Pith the same."""

import ctypes
import errno
import fcntl
import hashlib
import select
import socket
import struct
import sys

V, HOST = socket.AF_VSOCK, 2
BULK = int(sys.argv[1]) << 20
PACKETS = sys.argv[2] == "packets"


def say(*words):
    print("far:", *words, flush=True)


def name(e):
    return errno.errorcode.get(e.errno, e)


def pattern(n, seed):
    return b"".join(hashlib.sha256(struct.pack("<II", seed, i)).digest() * 64
                    for i in range(n // 2048 + 1))[:n]


def attempt(what, fn, *args):
    try:
        say(what, fn(*args))
    except OSError as e:
        say(what, name(e))


def new(kind=socket.SOCK_STREAM):
    s = socket.socket(V, kind)
    s.settimeout(None)
    return s


def to(port, kind=socket.SOCK_STREAM):
    s = new(kind)
    s.connect((HOST, port))
    return s


def read_all(s):
    out = bytearray()
    while part := s.recv(65536):
        out += part
    return bytes(out)


with open("/dev/vsock", "rb") as f:
    say("cid", *struct.unpack("I", fcntl.ioctl(f, 0x7b9, b"    ")))

l = new()
l.bind((socket.VMADDR_CID_ANY, 2000))
l.listen(5)

s = to(1000)
say("name", s.getsockname()[0] in (52, 0xffffffff), "peer", s.getpeername())
s.sendall(pattern(BULK, 1))
s.shutdown(socket.SHUT_WR)
say("digest", read_all(s).decode() == hashlib.sha256(
    pattern(BULK, 1)).hexdigest())
s.close()

c, who = l.accept()
say("accepted", who[0], c.getsockname())
data = read_all(c)
say("got", len(data), data == pattern(BULK, 2))
c.sendall(b"thanks")
c.close()

attempt("nobody", to, 1001)
say("connected", new().connect_ex((HOST, 1001)) == errno.ECONNRESET)

s = to(1002)
s.sendall(b"reset me")
say("reset:", s.recv(10))
attempt("send", s.send, b"x")
attempt("peer", s.getpeername)
p = select.poll()
p.register(s)
say("poll", p.poll(0)[0][1])
say("error", s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
s.close()

s = to(1002)
s.sendall(b"data, then reset me")
p = select.poll()
p.register(s, select.POLLRDHUP)
say("hung up", p.poll(60000)[0][1])
say("data", s.recv(100))
attempt("then", s.recv, 100)
s.close()

s = to(1002)
s.sendall(b"close")
say("closed:", s.recv(10))
attempt("send", s.send, b"x")
s.close()

s = new()
s.setsockopt(V, socket.SO_VM_SOCKETS_BUFFER_SIZE, 8192)
s.connect((HOST, 1004))
s.sendall(b"go on")
data = b""
while len(data) < 300000:
    data += s.recv(1000)
say("little by little", data == pattern(300000, 4))
s.sendall(pattern(200000, 5))
say("host has", s.recv(100))
s.close()

s = new()
ctypes.CDLL(None).setsockopt(s.fileno(), V, 6, struct.pack("qq", 0, 200000), 16)
attempt("no answer", s.connect, (HOST, 1003))
s.setblocking(False)
say("nonblocking", errno.errorcode[s.connect_ex((HOST, 1003))])
say("again", errno.errorcode[s.connect_ex((HOST, 1003))])
p = select.poll()
p.register(s, select.POLLOUT)
ev = p.poll(60000)
say("ready", bool(ev[0][1] & select.POLLERR))
say("error", errno.errorcode[s.getsockopt(socket.SOL_SOCKET,
                                          socket.SO_ERROR)])
s.close()

s = new()
s.setblocking(False)
say("nonblocking", errno.errorcode.get(s.connect_ex((HOST, 1005)), 0))
p = select.poll()
p.register(s, select.POLLOUT)
say("ready", p.poll(60000)[0][1])
say("error", s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
s.setblocking(True)
s.sendall(b"hello")
say("echo", s.recv(100))
s.close()

attempt("another machine", new().connect, (77, 1))
attempt("nowhere", new().connect, (0, 1))

if PACKETS:
    s = to(1010, socket.SOCK_SEQPACKET)
    for n in (1, 5, 4096, 70000, 200000):
        s.send(pattern(n, n))
    for n in (1, 5, 4096, 70000, 200000):
        data = s.recv(300000)
        say("packet", len(data), data == pattern(n, n))
    say("cut", s.recvmsg(3)[::2])
    say("record", s.recvmsg(100)[::2])
    s.shutdown(socket.SHUT_WR)
    say("end", s.recv(10))
    s.close()
else:
    attempt("packets", to, 1010, socket.SOCK_SEQPACKET)

s = new()
s.bind((52, 3000))
s.listen(1)
d = new()
d.connect((52, 3000))
c, who = s.accept()
c.sendall(b"within")
say("own address", who[0] in (1, 52), d.recv(10))
say("end")
