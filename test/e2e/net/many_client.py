# SPDX-License-Identifier: Apache-2.0
"""Starts the command given, many_server.py in a machine, asks each of its
addresses, and hears from it at two of its own."""
import socket
import subprocess
import sys

from machine import start_machine

OURS = {"192.168.77.1": "192.168.77.2", "10.9.0.1": "10.9.8.7"}
tcp = {a: socket.create_server((a, 8)) for a in OURS}
udp = {}
for a in OURS:
    udp[a] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp[a].bind((a, 8))
server = start_machine(sys.argv[1:], stdout=subprocess.PIPE)
assert server.stdout.readline() == b"listening\n"
for a in ("192.168.77.2", "192.168.77.3", "10.9.8.7"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"who", (a, 7))
        assert s.recvfrom(100) == (a.encode(), (a, 7))
    with socket.create_connection((a, 7)) as c:
        assert c.makefile("rb").read() == a.encode()
for a, want in OURS.items():
    assert tcp[a].accept()[1][0] == want
    assert udp[a].recvfrom(10)[1][0] == want
assert server.wait() == 0
print("all right")
