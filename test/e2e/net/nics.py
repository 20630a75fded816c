# SPDX-License-Identifier: Apache-2.0
"""Says which interfaces there are with which addresses, from which address the
machine reaches each neighbour and what is behind one of them, and goes on as
swap.py."""
import fcntl
import socket
import struct

import swap

SIOCGIFADDR = 0x8915

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    for index, name in socket.if_nameindex():
        r = fcntl.ioctl(s, SIOCGIFADDR, struct.pack("16s24x", name.encode()))
        print(index, name, socket.inet_ntoa(r[20:24]), flush=True)
for peer in ("10.1.0.1", "10.2.0.1", "10.3.0.1", "192.0.2.1"):
    c = socket.create_connection((peer, 9))
    c.sendall(b"from the machine")
    c.close()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth1")
    s.sendto(b"by name", ("10.2.0.1", 9))
swap.main()
