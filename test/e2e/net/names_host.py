# SPDX-License-Identifier: Apache-2.0
"""COMMAND...: starts the command, names.py in a machine on the tap t0, and
says how large the packets of its datagrams are; connects to it.  Without a
command: the same with Linux in a network namespace of its own."""
import socket
import sys

from beside import OURS, THEIRS, ip, prepare, start

command = prepare("names.py")
ip("addr add fd00::1/64 dev t0 nodad")
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x86dd))
raw.bind(("t0", 0x86dd))
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.bind(("fd00::1", 9))
control = socket.create_server((OURS, 9))
machine = start(command)
told = control.accept()[0]


def packets(size):
    """Lengths of what carries a datagram of so many bytes, without Ethernet's
    header and its padding."""
    left, sizes = size + 8, []
    while left > 0:
        frame, who = raw.recvfrom(70000)
        if who[2] == socket.PACKET_OUTGOING or frame[20] not in (17, 44):
            continue
        sizes.append(40 + (frame[18] << 8 | frame[19]))
        left -= sizes[-1] - (40 if frame[20] == 17 else 48)
    return sizes


for _ in range(9):
    data = u.recv(70000)
    assert data == bytes(i & 255 for i in range(len(data)))
    told.sendall(b"%d in %s\n" % (len(data),
                                  str(packets(len(data))).encode()))
told.recv(1)
c = socket.socket()
c.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 77)
c.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
c.connect((THEIRS, 9))
sys.stdout.write(machine.stdout.read().decode())
assert machine.wait() == 0
