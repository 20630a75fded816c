# SPDX-License-Identifier: Apache-2.0
"""Options that must do something, not only be kept: says what they did."""
import array
import errno
import fcntl
import select
import socket

PEER = "192.168.77.1"
SIOCOUTQNSD = 0x894B


def says(name, fn):
    try:
        fn()
        print(name, "went", flush=True)
    except OSError as e:
        print(name, errno.errorcode[e.errno], flush=True)


# TCP_NOTSENT_LOWAT: what the other end has no room for does not pile up here.
c = socket.create_connection((PEER, 8))
c.setblocking(False)
c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 20000)
sent, quiet = 0, select.poll()
quiet.register(c, select.POLLOUT)
# Until nothing has moved for a while: what is on its way arrives.
while quiet.poll(300):
    try:
        sent += c.send(b"x" * 4096)
    except BlockingIOError:
        pass
left = array.array("i", [0])
fcntl.ioctl(c, SIOCOUTQNSD, left)
print("unsent", 10000 <= left[0] < 30000, flush=True)
print("read", flush=True)
quiet.poll()
c.close()
print("sent", sent, flush=True)

# SO_DONTROUTE: only what is on the link.
for name, kind in (("stream", socket.SOCK_STREAM), ("dgram", socket.SOCK_DGRAM)):
    with socket.socket(socket.AF_INET, kind) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)
        says(name, lambda: s.connect(("192.0.2.1", 9)))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    says("here", lambda: s.sendto(b"x", socket.MSG_DONTROUTE, (PEER, 9)))
    says("far", lambda: s.sendto(b"x", ("192.0.2.1", 9)))
    says("far, not routed",
         lambda: s.sendto(b"x", socket.MSG_DONTROUTE, ("192.0.2.1", 9)))

# TCP_SYNCNT: 192.0.2.1 is behind a router that says nothing.
with socket.socket() as s:
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
    says("one more", lambda: s.connect(("192.0.2.1", 9)))
