# SPDX-License-Identifier: Apache-2.0
"""Answers a datagram and a connection on each of its addresses with that
address; then says to two of the client's addresses where it comes from."""
import select
import socket

ADDRS = "192.168.77.2", "192.168.77.3", "10.9.8.7"
tcp = [socket.create_server((a, 7)) for a in ADDRS]
udp = []
for a in ADDRS:
    udp.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    udp[-1].bind((a, 7))
print("listening", flush=True)
left = {*tcp, *udp}
while left:
    for s in select.select(left, [], [])[0]:
        name = s.getsockname()[0].encode()
        if s in tcp:
            c = s.accept()[0]
            c.sendall(name)
            c.close()
        else:
            s.sendto(name, s.recvfrom(100)[1])
        left.remove(s)
for peer in ("192.168.77.1", "10.9.0.1"):
    with socket.create_connection((peer, 8)) as c:
        c.sendall(b"tcp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"udp", (peer, 8))
