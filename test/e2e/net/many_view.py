# SPDX-License-Identifier: Apache-2.0
"""IPv4 addresses as SIOCGIFCONF lists them, and which of them can be bound."""
import ctypes
import errno
import fcntl
import socket
import struct

SIOCGIFCONF = 0x8912
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
room = ctypes.create_string_buffer(40 * 16)
conf = struct.pack("iP", len(room), ctypes.addressof(room))
used = struct.unpack("iP", fcntl.ioctl(s, SIOCGIFCONF, conf))[0]
for i in range(0, used, 40):
    name = room.raw[i:i + 16].split(b"\0")[0].decode()
    if name == "eth0":
        print(name, socket.inet_ntoa(room.raw[i + 20:i + 24]))
for addr in ("192.168.77.2", "192.168.77.3", "192.168.77.4", "10.9.8.7",
             "10.9.255.255"):
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as s:
            try:
                s.bind((addr, 0))
                print(addr, "bound", s.getsockname()[0])
            except OSError as e:
                print(addr, errno.errorcode[e.errno])
for peer in ("192.168.77.9", "10.9.1.1"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((peer, 9))
        print(peer, "from", s.getsockname()[0])
