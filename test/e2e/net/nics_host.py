# SPDX-License-Identifier: Apache-2.0
"""COMMAND...: starts the command, nics.py in a machine on the taps t0 to t2,
takes its connections, and swaps streams with it over all three at once."""
import socket
import subprocess
import sys
import threading

import swap
from machine import start_machine

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "addr", "add", "192.0.2.1/32", "dev", "lo"], check=True)
for i in range(3):
    for line in ("tuntap add t%d mode tap" % i,
                 "addr add 10.%d.0.1/24 dev t%d" % (i + 1, i),
                 "link set t%d up" % i):
        subprocess.run(["ip"] + line.split(), check=True)
server = socket.create_server(("", 9))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("", 9))
machine = start_machine(sys.argv[1:], stdout=subprocess.PIPE)
for _ in range(4):
    print(machine.stdout.readline().decode().strip())
for _ in range(4):
    c, peer = server.accept()
    print("to", c.getsockname()[0], "from", peer[0], c.recv(100).decode())
p, peer = udp.recvfrom(100)
print("to eth1 from", peer[0], p.decode())
assert machine.stdout.readline() == b"listening\n"
good = []


def one(i):
    swap.ask(socket.create_connection(("10.%d.0.2" % (i % 3 + 1), 7)), i,
             300000)
    good.append(i)


threads = [threading.Thread(target=one, args=(i,)) for i in range(6)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(len(good), "swapped")
machine.terminate()
machine.wait()
