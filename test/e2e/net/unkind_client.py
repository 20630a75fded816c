# SPDX-License-Identifier: Apache-2.0
"""N COMMAND...: starts the command, unkind in a machine on the tap t0, and is a
client of its own making there: segments in fragments, the first of which is all
header; connections that are reset before anything came; one that acknowledges
and never ends; a window full of single bytes.  Says what became of each, and how
much less memory is free then, in KB."""
import socket
import struct
import subprocess
import sys

from machine import start_machine

N = int(sys.argv[1])
SERVER, OURS = map(socket.inet_aton, ("192.168.77.2", "192.168.77.10"))
MAC = bytes.fromhex("02000000aa01")
FIN, SYN, RST, ACK = 1, 2, 4, 16
for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add 192.168.77.1/24 dev t0", "link set t0 up"):
    subprocess.run(["ip"] + line.split(), check=True)
machine = start_machine(sys.argv[2:], stdout=subprocess.PIPE)
for _ in range(4):
    assert machine.stdout.readline() == b"listening\n"
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
wire.bind(("t0", 0))
server_mac = b"\xff" * 6


def arp(op):
    wire.send(server_mac + MAC + b"\x08\x06" + struct.pack(
        "!HHBBH", 1, 0x800, 6, 4, op) + MAC + OURS + server_mac + SERVER)


def fold(b):
    b += b"\0" * (len(b) & 1)
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return ~n & 0xffff


def ip(data, ident=0, frag=0):
    h = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), ident, frag, 64,
                    6, 0, OURS, SERVER)
    h = h[:10] + struct.pack("!H", fold(h)) + h[12:]
    wire.send(server_mac + MAC + b"\x08\x00" + h + data)


def next_segment():
    """Of the machine to us; answers its questions about us."""
    global server_mac
    while True:
        f = wire.recv(4000)
        if f[12:14] == b"\x08\x06" and f[38:42] == OURS:
            server_mac = f[6:12]
            if f[21] == 1:
                arp(2)
            else:
                return None
        if f[12:14] == b"\x08\x00" and f[30:34] == OURS and f[23] == 6:
            t = f[14 + (f[14] & 15) * 4:14 + struct.unpack("!H", f[16:18])[0]]
            to, seq, ack, off, flags, win = struct.unpack("!2xHIIBBH", t[:16])
            return to, seq, ack, flags, win, t[(off >> 4) * 4:]


class Conn:
    last = 20000

    def __init__(self, port):
        Conn.last += 1
        self.me, self.port, self.seq, self.ack, self.acked, self.win = \
            Conn.last, port, 1000, 0, 0, 0
        self.send(SYN)
        self.seq += 1
        while not self.ack:
            self.look()
        self.send(ACK)

    def segment(self, flags, data=b"", options=b""):
        t = struct.pack("!HHIIBBHHH", self.me, self.port, self.seq, self.ack,
                        (20 + len(options)) // 4 << 4, flags, 0xffff, 0, 0)
        t += options + data
        return t[:16] + struct.pack("!H", fold(
            OURS + SERVER + struct.pack("!HH", 6, len(t)) + t)) + t[18:]

    def send(self, flags, data=b""):
        ip(self.segment(flags, data))
        self.seq += len(data)

    def send_in_two(self, data):
        """Cut where the header ends, 24 bytes long; when there is room."""
        while self.seq + len(data) > self.acked + self.win:
            self.look()
        t = self.segment(ACK, data, b"\x01" * 4)
        self.seq += len(data)
        ip(t[:24], self.seq & 0xffff, 0x2000)
        ip(t[24:], self.seq & 0xffff, 3)

    def look(self):
        """One segment, if it is for us; its data."""
        s = next_segment()
        if not s or s[0] != self.me:
            return b""
        _, seq, self.acked, flags, self.win, data = s
        assert not flags & RST
        if flags & SYN:
            self.ack = seq + 1
        elif seq == self.ack:
            self.ack += len(data) + (flags & FIN)
        return data

    def wait(self):
        while self.acked != self.seq & 0xffffffff:
            self.look()

    def reset(self):
        self.send(RST | ACK)


def free():
    c, got = Conn(7), b""
    c.send(ACK, b"m")
    while len(got) < 8:
        got += c.look()
    c.reset()
    return struct.unpack("<Q", got)[0]


arp(1)
while next_segment():
    pass
before = free()
c = Conn(7)
for i in range(N):
    c.send_in_two(b"y" * 1400)
    if i % 4 == 3:
        c.wait()
c.wait()
c.reset()
print("fragments", free() > 0)
for i in range(N):
    Conn(8).reset()
print("deferred", free() > 0)
c = Conn(9)
while c.look() != b"x":
    pass
c.send(ACK)
assert machine.stdout.readline() == b"closed\n"
print("lingered")
c.reset()
c = Conn(10)
for i in range(min(10 * N, 30000)):
    c.send(ACK, b"z")
    if i % 32 == 31:
        c.wait()
c.wait()
print("crumbs", free() > 0)
print(before - free(), "KB less")
machine.terminate()
machine.wait()
