# SPDX-License-Identifier: Apache-2.0
"""COMMAND...: starts the command, static6.py in a machine on the tap t0, whose
neighbour and router this is; says who comes."""
import socket
import subprocess
import sys

from machine import start_machine

for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add fd00::1/64 dev t0 nodad", "link set t0 up",
             "addr add 2001:db8:9::1/64 dev lo nodad"):
    subprocess.run(["ip"] + line.split(), check=True)
with socket.create_server(("::", 8), family=socket.AF_INET6) as s:
    machine = start_machine(sys.argv[1:])
    for _ in range(2):
        c, who = s.accept()
        print(c.getsockname()[0], "from", who[0])
        c.sendall(b"hello")
        c.close()
    assert machine.wait() == 0
