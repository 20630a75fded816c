# SPDX-License-Identifier: Apache-2.0
"""COMMAND...: starts the command, view6.py in a machine on the tap t0, and is
the router of that link (RFC 4861), and its server for DHCPv6 without state
(RFC 8415): says what the machine has of it."""
import select
import socket
import struct
import subprocess
import sys
import threading

from machine import start_machine

PREFIX = "2001:db8:1::"
OUTSIDE = "2001:db8:ffff::1"
for line in ("link set lo up", "tuntap add t0 mode tap",
             "link set t0 addrgenmode none",
             "addr add fe80::1/64 dev t0 nodad",
             "addr add %s1/64 dev t0 nodad" % PREFIX,
             "addr add %s/128 dev lo nodad" % OUTSIDE, "link set t0 up"):
    subprocess.run(["ip"] + line.split(), check=True)
with open("/proc/sys/net/ipv6/conf/all/forwarding", "w") as f:
    f.write("1")
INDEX = socket.if_nametoindex("t0")


def a6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def advertisement(preferred):
    """O: other things come by DHCPv6.  The prefix is for addresses."""
    p = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0x40, 1800, 0, 0)
    p += struct.pack(">BBBBIII", 3, 4, 64, 0xc0, 7200, preferred, 0)
    p += a6(PREFIX)
    p += struct.pack(">BBHI", 5, 1, 0, 1400)
    return p + struct.pack(">BBHI", 25, 3, 0, 600) + a6("2001:db8::53")


def advertise(r, preferred=3600):
    r.sendto(advertisement(preferred), ("ff02::1", 0, 0, INDEX))


def inform(d):
    """Answers an INFORMATION-REQUEST with a name server."""
    p, peer = d.recvfrom(2000)
    assert p[0] == 11
    at, client = 4, b""
    while at < len(p):
        kind, n = struct.unpack_from(">HH", p, at)
        if kind == 1:
            client = p[at:at + 4 + n]
        at += 4 + n
    r = b"\x07" + p[1:4] + client
    r += struct.pack(">HHHH6s", 2, 10, 3, 1, b"router")
    r += struct.pack(">HH", 23, 16) + a6("2001:db8::54")
    d.sendto(r, peer)


r = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
r.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
r.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
r.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
             a6("ff02::2") + struct.pack("@I", INDEX))
d = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
d.bind(("::", 547))
d.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
             a6("ff02::1:2") + struct.pack("@I", INDEX))
server = socket.create_server((OUTSIDE, 9), family=socket.AF_INET6)


def router():
    while True:
        for s in select.select([r, d], [], [])[0]:
            if s is d:
                inform(d)
            elif r.recvfrom(2000)[0][0] == 133:
                advertise(r)


threading.Thread(target=router, daemon=True).start()
machine = start_machine(sys.argv[1:], stdout=subprocess.PIPE,
                        stdin=subprocess.PIPE)
for _ in range(4):
    print(machine.stdout.readline().decode().strip())
c, peer = server.accept()
print("from", peer[0], c.recv(100).decode())
with socket.create_connection((peer[0], 7)) as e:
    e.sendall(b"there and back")
    print(e.recv(100).decode())
# An advertisement that nobody asked for: the addresses are old from now on.
advertise(r, preferred=0)
machine.stdin.write(b"now\n")
machine.stdin.flush()
print(machine.stdout.readline().decode().strip())
machine.terminate()
machine.wait()
