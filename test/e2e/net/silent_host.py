# SPDX-License-Identifier: Apache-2.0
"""COMMAND...: starts the command, silent.py in a machine on the tap t0, and
falls silent when its three connections are there, until two of them have given
up; the third one goes on then."""
import socket
import subprocess
import sys

from machine import start_machine

OURS = "192.168.77.1"


def ip(line):
    subprocess.run(["ip"] + line.split(), check=True)


for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add %s/24 dev t0" % OURS, "link set t0 up"):
    ip(line)
with socket.create_server((OURS, 8)) as server:
    machine = start_machine(sys.argv[1:], stdout=subprocess.PIPE)
    ends = [server.accept()[0] for _ in range(3)]
for c in ends:
    assert c.recv(1) == b"."
ip("link set t0 down")
lines = sorted(machine.stdout.readline().decode() for _ in range(3))
ip("link set t0 up")
print(*lines, sep="", end="")
which = {c.getpeername()[1]: c for c in ends}[int(machine.stdout.readline())]
got = b""
while chunk := which.recv(1 << 16):
    got += chunk
assert got == b"x" * 100000, len(got)
assert machine.wait() == 0
print("went on")
