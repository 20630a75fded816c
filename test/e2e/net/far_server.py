# SPDX-License-Identifier: Apache-2.0
"""Talks to far_client.py."""
import array
import fcntl
import select
import socket
import struct

PEER = "192.168.77.1"
IP_RECVERR, UDP_SEGMENT, SIOCATMARK = 11, 103, 0x8905

# Nobody has port 9.
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    s.sendto(b"nobody", (PEER, 9))
    p = select.poll()
    p.register(s, 0)
    assert p.poll() == [(s.fileno(), select.POLLERR)]
    data, control, flags, to = s.recvmsg(100, 300, socket.MSG_ERRQUEUE)
    assert (data, to) == (b"nobody", (PEER, 9)), (data, to)
    (level, kind, value), = control
    err, origin, what, code, pad, info, more = struct.unpack("IBBBBII",
                                                             value[:16])
    assert (level, kind) == (0, IP_RECVERR)
    assert (err, origin, what, code) == (111, 2, 3, 3)
    assert socket.inet_ntoa(value[20:24]) == PEER

with socket.create_connection((PEER, 8)) as c:
    c.sendall(b"x" * 100000)
    c.send(b"U", socket.MSG_OOB)
    c.sendall(b"y")
    got = b""
    while len(got) < 50000:
        got += c.recv(1 << 17)
    assert got == b"a" * 50000
    select.select([], [], [c])
    mark = array.array("i", [0])
    fcntl.ioctl(c, SIOCATMARK, mark)
    assert mark[0] == 1
    assert c.recv(1, socket.MSG_OOB) == b"V"
    assert c.recv(10) == b"b"
    c.sendall(b"seen")
    assert c.recv(10) == b""

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.connect((PEER, 8))
    s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 2)
    s.send(b"12345")
    s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)
    s.send(b"abc", socket.MSG_MORE)
    s.send(b"def")
