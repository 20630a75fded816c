# SPDX-License-Identifier: Apache-2.0
"""COMMAND...: starts the command, acts.py on 192.168.77.2, and is the other end
of its connections: one that reads nothing until it is told to, and one that
looks at when what it sends is acknowledged."""
import fcntl
import socket
import struct
import subprocess
import sys
import termios

from machine import start_machine

OURS = "192.168.77.1"
for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add %s/24 dev t0" % OURS, "link set t0 up"):
    subprocess.run(["ip"] + line.split(), check=True)
with socket.create_server((OURS, 8)) as server:
    machine = start_machine(sys.argv[1:], stdout=subprocess.PIPE)
    c = server.accept()[0]
for line in machine.stdout:
    line = line.decode().strip()
    if line == "read":
        got = 0
        while chunk := c.recv(1 << 16):
            got += len(chunk)
        print(got, "came")
    else:
        print(line)
assert machine.wait() == 0
