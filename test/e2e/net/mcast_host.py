# SPDX-License-Identifier: Apache-2.0
"""COMMAND...: starts the command, mcast.py in a machine on the tap t0, and is
its neighbour: sees who joins, sends to the groups, gets what the
machine sends to them."""
import socket
import struct
import subprocess
import sys

from machine import start_machine

OURS, GROUP, GROUP6 = "192.168.77.1", "239.1.2.3", "ff15::123"
for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add %s/24 dev t0" % OURS,
             "addr add fd00::1/64 dev t0 nodad", "link set t0 up"):
    subprocess.run(["ip"] + line.split(), check=True)
IF = socket.if_nametoindex("t0")
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.bind(("t0", 3))
machine = start_machine(sys.argv[1:], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)


def about(group, *kinds):
    """Waits for an IGMP or MLD message of these kinds that names it, from the
    machine; reports are repeated."""
    want = socket.inet_aton(group) if "." in group else \
        socket.inet_pton(socket.AF_INET6, group)
    while True:
        frame, who = raw.recvfrom(2000)
        if who[2] == socket.PACKET_OUTGOING:
            continue
        ip = frame[14:]
        if frame[12:14] == b"\x08\x00" and ip[9] == 2:
            body = ip[(ip[0] & 15) * 4:]
        elif frame[12:14] == b"\x86\xdd" and ip[6] == 0 and ip[40] == 58:
            body = ip[48:]
        else:
            continue
        if want in body and body[0] in kinds:
            return


def line():
    return machine.stdout.readline().decode().strip()


assert line() == "joined"
about(GROUP, 0x12, 0x16, 0x22)
about(GROUP6, 131, 143)
print("joins")
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 5000))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
             struct.pack("4sii", socket.inet_aton(GROUP), 0, IF))
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
             struct.pack("4sii", b"\0" * 4, 0, IF))
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
s6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s6.bind(("", 5000))
s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
              socket.inet_pton(socket.AF_INET6, GROUP6) + struct.pack("I", IF))
s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, IF)
s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
s.sendto(b"to the group", (GROUP, 5000))
print(line())
s6.sendto(b"to the group", (GROUP6, 5000))
print(line())
# Its turn.
machine.stdin.write(b"go\n")
machine.stdin.flush()
for c in (s, s6):
    data, who = c.recvfrom(100)
    print(data.decode(), "from", who[0])
print(line())
assert machine.wait() == 0
