# SPDX-License-Identifier: Apache-2.0
"""PORTS COMMAND...: starts the command, short_server in a machine on the tap t0,
and scans its ports as scanners do: whole connections, SYNs that are not gone on
with, segments with flags that make no sense, datagrams.  Says how closed ports
and the open one answered each, and how much less memory is free then, in KB.

A connection that was there before is asked all the time."""
import collections
import errno
import select
import socket
import struct
import subprocess
import sys

from machine import start_machine

PORTS = int(sys.argv[1])
OURS, SERVER, OPEN = "192.168.77.1", "192.168.77.2", 7
for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add %s/24 dev t0" % OURS, "addr add 192.168.77.9/24 dev t0",
             "link set t0 up"):
    subprocess.run(["ip"] + line.split(), check=True)
machine = start_machine(sys.argv[2:], stdout=subprocess.PIPE)
assert machine.stdout.readline() == b"listening\n"
# Of forged segments the answers are read as they come in; the host's own
# resets, to answers that it does not expect, are a part of it.
ear = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
ear.bind(("192.168.77.9", 0))
ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


def alive():
    """That a client is served, and how much memory is free."""
    with socket.create_connection((SERVER, OPEN)) as c:
        c.sendall(b"m")
        return struct.unpack("<Q", c.recv(8, socket.MSG_WAITALL))[0]


def fold(b):
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    n = (n & 0xffff) + (n >> 16)
    return ~((n & 0xffff) + (n >> 16)) & 0xffff


def segment(port, flags):
    src, dst = map(socket.inet_aton, ("192.168.77.9", SERVER))
    tcp = struct.pack("!HHIIBBHHH", 40000, port, 1000 + port, 77, 5 << 4,
                      flags, 1024, 0, 0)
    tcp = tcp[:16] + struct.pack("!H", fold(
        src + dst + struct.pack("!HH", 6, 20) + tcp)) + tcp[18:]
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, src,
                       dst) + tcp


def answers(flags, ports):
    """What comes of each port to a segment with these flags."""
    seen = {}
    for at in range(0, len(ports), 50):
        for p in ports[at:at + 50]:
            raw.sendto(segment(p, flags), (SERVER, 0))
        # One that is surely answered comes last: by a reset.
        raw.sendto(segment(60001, 0x10), (SERVER, 0))
        while 60001 not in seen:
            packet = ear.recv(2000)
            tcp = packet[(packet[0] & 15) * 4:]
            source, to = struct.unpack("!HH", tcp[:4])
            if to == 40000:
                seen[source] = tcp[13]
        del seen[60001]
    return seen


def connects(ports):
    ep, left = select.epoll(), {}
    result = collections.Counter()
    ports = iter(ports)
    while True:
        for p in ports:
            c = socket.socket()
            c.setblocking(False)
            c.connect_ex((SERVER, p))
            left[c.fileno()] = c
            ep.register(c, select.EPOLLOUT)
            if len(left) == 64:
                break
        if not left:
            return result
        for fd, _ in ep.poll():
            c = left.pop(fd)
            err = c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            result[errno.errorcode.get(err, "open")] += 1
            c.close()


kept = socket.create_connection((SERVER, OPEN),
                                source_address=("192.168.77.9", 0))
before = alive()
closed = [p for p in range(1, PORTS) if p != OPEN]
print("connect", sorted(connects(range(1, PORTS)).items()))
for name, flags in (("syn", 2), ("ack", 0x10), ("fin", 1), ("null", 0),
                    ("xmas", 0x29), ("all", 0x3b)):
    shut, there = answers(flags, closed), answers(flags, [OPEN])
    # A reset has the flag ACK where what it answers has none; lwIP's always.
    print(name, sorted(map(hex, {v | 0x10 for v in shut.values()})),
          len(shut) == len(closed), hex(there.get(OPEN, 0) | 0x10))
    alive()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
    refused = []
    wait = select.poll()
    wait.register(u, 0)
    for p in range(1, 6):
        u.connect((SERVER, p))
        u.send(b"?")
        wait.poll()
        refused.append(u.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    print("datagrams refused", set(map(errno.errorcode.get, refused)))
kept.sendall(b"a")
print("kept", kept.recv(1))
print(before - alive(), "KB less")
machine.terminate()
machine.wait()
