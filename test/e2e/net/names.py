# SPDX-License-Identifier: Apache-2.0
"""With names_host.py at the other end: how large packets of datagrams are with
IPV6_MTU, what IP_PKTOPTIONS says of an accepted connection, and a port that is
chosen by connect()."""
import os
import socket
import struct

OURS = "192.168.77.2"
IP_PKTINFO, IP_PKTOPTIONS, IP_BIND_ADDRESS_NO_PORT = 8, 9, 24
IP_RECVTTL, IPV6_MTU, IPV6_MTU_DISCOVER, DO = 12, 24, 23, 2

if "e0" in dict(socket.if_nameindex()).values():
    os.system("ip addr add fd00::2/64 dev e0 nodad")
control = socket.create_connection(("192.168.77.1", 9))
told = control.makefile("r")
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.connect(("fd00::1", 9))
for mtu in 0, 1280, 1403:
    u.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU, mtu)
    print("MTU", u.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU), flush=True)
    for size in 1000, 3000, mtu - 48 if mtu else 1452:
        u.send(bytes(i & 255 for i in range(size)))
        print(told.readline().strip(), flush=True)
u.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, DO)
try:
    u.send(bytes(1403 - 47))
except OSError as e:
    print(e.strerror)
with socket.create_server((OURS, 9)) as server:
    server.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    server.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
    server.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    print("listening", flush=True)
    control.sendall(b"x")
    c = server.accept()[0]
    raw = c.getsockopt(socket.IPPROTO_IP, IP_PKTOPTIONS, 200)
    index, *_ = struct.unpack_from("i4s4s", raw, 16)
    print(socket.if_indextoname(index) in ("e0", "eth0"), raw[20:76].hex(" "))
for where in OURS, "127.0.0.1":
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    s.bind((where, 0))
    print(s.getsockname())
    try:
        s.settimeout(0)
        s.connect(("192.168.77.1", 9))
    except OSError as e:
        print(e.strerror)
    print(s.getsockname()[0], s.getsockname()[1] != 0)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((where, 0))
    for step in s.sendto, lambda _, to: s.connect(to):
        try:
            print(step(b"x", ("192.168.77.1", 9)))
        except OSError as e:
            print(e.strerror)
