# SPDX-License-Identifier: Apache-2.0
"""CONNECTIONS BYTES LOSS TWICE AHEAD JITTER_MS COMMAND...: starts the command,
swap.py in a machine on the tap t0, and swaps streams with it through a link in
bad weather, over all the connections at once; says whether all came.

t0 is in a bridge with one end of the link, so that large segments of the
machine are cut before they meet the weather; 192.168.77.1 is the other end."""
import os
import socket
import subprocess
import sys
import threading
import time

import swap
import weather
from machine import start_machine

connections, size = int(sys.argv[1]), int(sys.argv[2])
loss, twice, ahead, jitter_ms = map(float, sys.argv[3:7])
SEED = int(os.environ.get("PITH_SEED", "1"))
SEEDS = SEED, SEED + 1000
LINES = """
tuntap add t0 mode tap
tuntap add e0 mode tap
tuntap add e1 mode tap
link add br0 type bridge
link set t0 master br0
link set e0 master br0
addr add 192.168.77.1/24 dev e1
link set lo up
link set br0 up
link set t0 up
"""
for line in LINES.strip().splitlines():
    subprocess.run(["ip"] + line.split(), check=True)
# The bridge is no way around the link.
for name, value in (("ipv4/conf/all/arp_ignore", "1"),
                    ("ipv6/conf/br0/disable_ipv6", "1")):
    with open("/proc/sys/net/" + name, "w") as f:
        f.write(value)
ends = weather.open_tap("e0"), weather.open_tap("e1")
for name in ("e0", "e1"):
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
link = weather.Link(*ends, *(weather.Weather(
    seed, loss, twice, ahead, jitter_ms / 1000) for seed in SEEDS))
link.start()
server = start_machine(sys.argv[7:], stdout=subprocess.PIPE)
assert server.stdout.readline() == b"listening\n"
good, start = [], time.monotonic()


def one(i):
    c = socket.create_connection(("192.168.77.2", 7))
    swap.ask(c, i, size)
    good.append(i)
    print("%d: %.1f s" % (i, time.monotonic() - start), file=sys.stderr)


threads = [threading.Thread(target=one, args=(i,)) for i in range(connections)]
for t in threads:
    t.start()
for t in threads:
    t.join()
server.terminate()
server.wait()
print("%d frames, %d lost, %d doubled, %.1f s" % (
    link.seen, link.lost, link.doubled, time.monotonic() - start),
    file=sys.stderr)
print("all there" if len(good) == connections else "missing")
