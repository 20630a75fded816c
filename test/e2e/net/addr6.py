# SPDX-License-Identifier: Apache-2.0
"""Addresses of IPv6 come and go on eth0, and with them the routes of their
networks; run in a machine and, in a namespace of its own, by Linux."""
import errno
import socket
import struct

IF = socket.if_nametoindex("eth0")
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
ADD, REMOVE = 20, 21  # RTM_NEWADDR, RTM_DELADDR


def change(kind, addr, prefix):
    a = socket.inet_pton(socket.AF_INET6, addr)
    body = struct.pack("BBBBi", socket.AF_INET6, prefix, 2, 0, IF) + \
        struct.pack("HH", 20, 2) + a + struct.pack("HH", 20, 1) + a
    s.send(struct.pack("IHHII", 16 + len(body), kind,
                       0x605 if kind == ADD else 5, 1, 0) + body)
    err = struct.unpack("i", s.recv(4096)[16:20])[0]
    print("add" if kind == ADD else "remove", addr, prefix,
          errno.errorcode[-err] if err else "ok")
    show()


def show():
    """The networks, and the addresses with the lengths of theirs."""
    for x in open("/proc/net/ipv6_route"):
        f = x.split()
        if f[9] == "eth0" and f[0].startswith("fd77") and f[1] != "80":
            print("  route", f[0], f[1], f[4], f[5])
    for x in sorted(open("/proc/net/if_inet6")):
        f = x.split()
        if f[0].startswith("fd77"):
            print("  address", f[0], f[2], f[5])


change(ADD, "fd77::2", 64)
change(ADD, "fd77::3", 64)
change(ADD, "fd77:1::2", 48)
change(ADD, "fd77:1::2", 48)
change(ADD, "fd77::4", 128)
change(REMOVE, "fd77::2", 48)
change(REMOVE, "fd77::2", 64)
change(REMOVE, "fd77::2", 64)
change(REMOVE, "fd77::3", 64)
change(REMOVE, "fd77::4", 128)
change(ADD, "fd77:1::3", 64)
change(REMOVE, "fd77:1::2", 48)
change(REMOVE, "fd77:1::3", 64)
change(ADD, "fd77::2", 64)
change(REMOVE, "fd77::2", 64)
