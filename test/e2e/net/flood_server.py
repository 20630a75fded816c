# SPDX-License-Identifier: Apache-2.0
"""Answers each connection with which options its TCP has (a byte of TCP_INFO:
1 time stamps, 2 SACK, 4 scaling) and how many SYN cookies were sent and known
again, then sends back what comes."""
import socket


def netstat(*names):
    with open("/proc/net/netstat") as f:
        head, values = (f.readline().split() for _ in range(2))
    return [values[head.index(n)] for n in names]


with socket.create_server(("", 7)) as s:
    print("listening", flush=True)
    while True:
        c = s.accept()[0]
        info = c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
        line = [str(info[5]), *netstat("SyncookiesSent", "SyncookiesRecv")]
        c.sendall((" ".join(line) + "\n").encode())
        while chunk := c.recv(1 << 16):
            c.sendall(chunk)
        c.close()
