# SPDX-License-Identifier: Apache-2.0
"""Prints eth0's IPv4 address whenever it has another one and what came with it,
what is left when the first is gone, and sends back what comes by TCP."""
import fcntl
import socket
import struct
import threading
import time

SIOCGIFADDR, SIOCGIFMTU = 0x8915, 0x8921


def echo(server):
    while True:
        c = server.accept()[0]
        while chunk := c.recv(1000):
            c.sendall(chunk)


def brought(s):
    mtu = fcntl.ioctl(s, SIOCGIFMTU, struct.pack("16s24x", b"eth0"))
    with open("/proc/net/route") as f:
        ways = [line.split()[1:3] for line in f if line.startswith("eth0")]
    with open("/etc/resolv.conf") as f:
        search = [line.split()[1:] for line in f if line.startswith("search")]
    return "mtu %d ways %s search %s" % (
        struct.unpack_from("i", mtu, 16)[0], sorted(ways), search)


threading.Thread(target=echo, args=(socket.create_server(("", 7)),),
                 daemon=True).start()
before, lost = None, False
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    while True:
        try:
            r = fcntl.ioctl(s, SIOCGIFADDR, struct.pack("16s24x", b"eth0"))
            now = socket.inet_ntoa(r[20:24])
        except OSError:
            now = "0.0.0.0"
        if now == "0.0.0.0":
            if before and not lost:
                print("none", brought(s), flush=True)
                lost = True
        elif now != before:
            print(now, brought(s), flush=True)
            before = now
        time.sleep(0.02)
