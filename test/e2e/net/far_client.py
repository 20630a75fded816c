# SPDX-License-Identifier: Apache-2.0
"""The Linux end of far_server.py, which the command given starts in a machine
on 192.168.77.2."""
import select
import socket
import sys

from machine import start_machine

OURS = "192.168.77.1"
server = socket.create_server((OURS, 8))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((OURS, 8))
machine = start_machine(sys.argv[1:])
c = server.accept()[0]
# Urgent data that comes: ahead of it, at it, behind it.
select.select([], [], [c])
assert c.recv(1, socket.MSG_OOB) == b"U"
got = b""
while len(got) < 100001:
    got += c.recv(1 << 17)
assert got == b"x" * 100000 + b"y"
# And that goes.
c.sendall(b"a" * 50000)
c.send(b"V", socket.MSG_OOB)
c.sendall(b"b")
assert c.recv(10) == b"seen"
c.close()
got = [udp.recv(100) for _ in range(4)]
assert got == [b"12", b"34", b"5", b"abcdef"], got
assert machine.wait() == 0
print("all right")
