# SPDX-License-Identifier: Apache-2.0
"""What a router's advertisements made of eth0: its global address, the name
servers, the way out; then, when a line has come, what the address is worth."""
import socket
import sys
import threading
import time

DEPRECATED = 0x20


def globals6():
    """Address and flags, of those that are not of the link only."""
    with open("/proc/net/if_inet6") as f:
        return [(v[0], int(v[4], 16)) for v in map(str.split, f)
                if v[5] == "eth0" and v[3] == "00"]


def until(fn):
    while not (r := fn()):
        time.sleep(0.02)
    return r


def servers():
    with open("/etc/resolv.conf") as f:
        found = sorted(socket.inet_pton(socket.AF_INET6, line.split()[1])
                       for line in f if line.startswith("nameserver ") and
                       ":" in line)
    return [socket.inet_ntop(socket.AF_INET6, a) for a in found] \
        if len(found) == 2 else None


def read(name):
    with open("/sys/class/net/eth0/" + name) as f:
        return f.read().strip()


def echo(s):
    c = s.accept()[0]
    while chunk := c.recv(1000):
        c.sendall(chunk)


text, flags = until(lambda: [a for a in globals6() if not a[1] & 0x40])[0]
mac = bytes.fromhex(read("address").replace(":", ""))
eui = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
print("prefix", text[:16], "own half", text[16:] == eui.hex())
print("flags %#x" % flags)
print("name servers", *until(servers))
with open("/proc/net/ipv6_route") as f:
    print("default by", *{v[4] for v in map(str.split, f)
                          if v[1] == "00" and v[9] == "eth0"})
with socket.create_server(("::", 7), family=socket.AF_INET6) as s:
    threading.Thread(target=echo, args=(s,), daemon=True).start()
    out = socket.create_connection(("2001:db8:ffff::1", 9))
    out.sendall(b"hello")
    sys.stdin.readline()
    until(lambda: globals6()[0][1] & DEPRECATED)
    print("deprecated", flush=True)
    time.sleep(1000)
