# SPDX-License-Identifier: Apache-2.0
"""Starts the command given, flood_server.py in a machine on 192.168.77.2, and
floods it with SYNs from addresses that never answer, while one honest client
after another connects.  Says whether each had its connection, with all options,
and whether cookies were what it came in by."""
import hashlib
import random
import socket
import struct
import subprocess
import sys
import threading

from machine import start_machine

SERVER = "192.168.77.2"
OURS = 4096  # handshakes asked for before the first client comes: four times
             # what a listener keeps


def fold(b):
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    n = (n & 0xffff) + (n >> 16)
    return ~((n & 0xffff) + (n >> 16)) & 0xffff


def syn():
    src = socket.inet_aton("10.%d.%d.%d" % (random.randrange(256),
                           random.randrange(256), random.randrange(1, 255)))
    dst = socket.inet_aton(SERVER)
    opts = bytes.fromhex("020405b40402080a00000001000000000103030a")[:20]
    tcp = struct.pack("!HHIIBBHHH", random.randrange(1024, 65536), 7,
                      random.getrandbits(32), 0, (5 + len(opts) // 4) << 4, 2,
                      64240, 0, 0) + opts
    pseudo = src + dst + struct.pack("!HH", 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", fold(pseudo + tcp)) + tcp[18:]
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0,
                       src, dst) + tcp


server = start_machine(sys.argv[1:], stdout=subprocess.PIPE)
assert server.stdout.readline() == b"listening\n"
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
stop, full = threading.Event(), threading.Event()


def flood():
    n = 0
    while not stop.is_set():
        # Many until none is free; then more than become free.
        for _ in range(4 if full.is_set() else 16):
            try:
                raw.sendto(syn(), (SERVER, 0))
            except OSError:
                pass  # the tap's queue is full
            n += 1
        if n >= OURS:
            full.set()
        stop.wait(0.005)  # so that the machine gets to its other packets


thread = threading.Thread(target=flood)
thread.start()
full.wait()
bad = []
for i in range(20):
    sent = b"".join(hashlib.sha256(b"%d %d" % (i, k)).digest()
                    for k in range(2000))
    c = socket.create_connection((SERVER, 7))
    f = c.makefile("rb")
    options, made, known = map(int, f.readline().split())
    c.sendall(sent)
    c.shutdown(socket.SHUT_WR)
    if f.read() != sent or options & 7 != 7:
        bad.append((i, options))
    c.close()
stop.set()
thread.join()
server.terminate()
server.wait()
print("all there" if not bad and made and known else (bad, made, known))
