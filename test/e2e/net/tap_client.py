# SPDX-License-Identifier: Apache-2.0
"""Starts the command given, the echo server in a machine on 192.168.77.2, and
sends it 8 MB over four connections at once; says whether all came back."""
import hashlib
import socket
import subprocess
import sys
import threading

from machine import start_machine

SIZE = 2 << 20
server = start_machine(sys.argv[1:], stdout=subprocess.PIPE)
assert server.stdout.readline() == b"listening\n"
good = []


def one(i):
    sent = b"".join(hashlib.sha256(b"%d %d" % (i, k)).digest()
                    for k in range(SIZE // 32))
    c = socket.create_connection(("192.168.77.2", 7))

    def send():
        c.sendall(sent)
        c.shutdown(socket.SHUT_WR)
    t = threading.Thread(target=send)
    t.start()
    got = b""
    while chunk := c.recv(1 << 16):
        got += chunk
    t.join()
    good.append(got == sent)


threads = [threading.Thread(target=one, args=(i,)) for i in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
server.terminate()
server.wait()
print("all there" if good == [True] * 4 else good)
