# SPDX-License-Identifier: Apache-2.0
"""COMMAND...: starts the command, whose program writes much to the tap's
address and ends at once; reads it slowly, and says how much came."""
import socket
import subprocess
import sys
import time

from machine import start_machine

OURS = "192.168.77.1"

for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add %s/24 dev t0" % OURS, "link set t0 up"):
    subprocess.run(["ip"] + line.split(), check=True)
with socket.socket() as server:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    server.bind((OURS, 8))
    server.listen()
    machine = start_machine(sys.argv[1:], good=(3,), stdout=subprocess.PIPE)
    end = server.accept()[0]
print(machine.stdout.readline().decode(), end="")
time.sleep(1)  # the program is over; the window is shut
size = 0
while chunk := end.recv(65536):
    assert chunk == b"x" * len(chunk)
    size += len(chunk)
print(size, machine.wait())
