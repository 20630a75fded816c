#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A file, and short answers, across a wide network, from Pith and from a Linux
guest that run in turn: one TCP connection through wan_link.c, whose narrow
place, delay and loss decide, not the machines.

    test/bench/wan.py [--repeat 3] [--rows a,b] [--json FILE] [--no-linux]

Rows are megabits a second (10^6), medians; more is better.  Those that begin
with "answers" are milliseconds from a request to the end of its answer, the
median and the 99th percentile of all; less is better.  Everything is in a
network namespace that the script makes for itself; it needs root, or the right
to make user namespaces.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time

import bench
from net import enter_namespace

HOST, GUEST, PORT = "192.168.77.1", "192.168.77.2", 7
# ms each way, Mbit/s, KB that may wait, loss; MB to send, or KB of an answer
# and how many are asked for, one after the other
ROWS = {
    "queue_1": (30, 50, 375, 0, 16), # as much as the path itself holds
    "queue_quarter": (30, 50, 94, 0, 16),
    "far": (100, 50, 1250, 0, 32),
    "loss_0.1": (30, 50, 375, 0.001, 16),
    "loss_1": (30, 50, 375, 0.01, 4),
    "answers_loss_1": (30, 50, 375, 0.01, 20, 500),
}
SENDER = """
import socket, sys
s = socket.create_server(("", %d))
print("listening", flush=True)
while True:
    c, _ = s.accept()
    while size := c.recv(10):
        for _ in range(int(size) >> 16):
            c.sendall(bytes(65536))
        c.sendall(bytes(int(size) & 65535))
    c.close()
""" % PORT
# The bridge cuts large segments before they meet the link.
LINES = """
tuntap add t0 mode tap
tuntap add e0 mode tap
tuntap add e1 mode tap
link add br0 type bridge
link set t0 master br0
link set e0 master br0
addr add %s/24 dev e1
link set lo up
link set br0 up
link set t0 up
""" % HOST


class Wan(bench.Bench):
    def prepare_wan(self):
        for line in LINES.strip().splitlines():
            subprocess.run(["ip"] + line.split(), check=True)
        for name, value in (("ipv4/conf/all/arp_ignore", "1"),
                            ("ipv6/conf/br0/disable_ipv6", "1"),
                            ("ipv4/tcp_rmem", "4096 131072 16777216")):
            with open("/proc/sys/net/" + name, "w") as f:
                f.write(value)
        self.link = os.path.join(self.programs, "wan_link")
        self.run(["gcc", "-O2", "-o", self.link,
                  os.path.join(bench.TOP, "test", "bench", "wan_link.c")])
        sender = os.path.join(self.work, "sender.py")
        with open(sender, "w") as f:
            f.write(SENDER)
        self.program = ["/usr/bin/python3", "/bench/sender.py"]
        self.run([self.pith, "build", "-o", self.image, "-i",
                  sender + ":/bench/sender.py", *self.program])
        if not self.args.no_linux:
            self.make_initramfs(["net/core/failover.ko",
                                 "drivers/net/net_failover.ko",
                                 "drivers/net/virtio_net.ko"])

    def command(self, system):
        if system == "pith":
            return [self.pith, "run", "--machine", "q35", "--accel", "tcg",
                    "-m", "%dM" % self.memory, "--net", "tap=t0", "--ip",
                    GUEST + "/24", self.image]
        return self.linux_command(
            ["net=" + GUEST] + self.program, self.accel(1, False)) + [
            "-netdev", "tap,id=n0,ifname=t0,script=no,downscript=no",
            "-device", "virtio-net-pci,netdev=n0,romfile=,mac="
            "52:54:00:12:34:99"]

    def start(self, system):
        subprocess.run(["ip", "neigh", "flush", "dev", "e1"])
        p = subprocess.Popen(self.command(system), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE)
        for line in p.stdout:
            if b"listening" in line:
                return p
        sys.exit("bench: %s did not start" % system)

    def fetch(self, delay, mbit, queue, loss, size, answers=0):
        """Megabits a second of one connection, or seconds of each answer."""
        link = subprocess.Popen([self.link, "e0", "e1", *map(str, (
            delay, mbit, queue, loss, 1))], stdout=subprocess.PIPE)
        size <<= 10 if answers else 20
        took = []
        try:
            assert link.stdout.readline() == b"up\n"
            for name in ("e0", "e1"):
                subprocess.run(["ip", "link", "set", name, "up"], check=True)
            with socket.create_connection((GUEST, PORT), 30) as c:
                c.settimeout(self.args.timeout)
                for _ in range(answers or 1):
                    start, left = time.monotonic(), size
                    c.sendall(b"%010d" % size)
                    while left and (chunk := c.recv(min(left, 1 << 20))):
                        left -= len(chunk)
                    if left:
                        sys.exit("bench: %d bytes are missing" % left)
                    took.append(time.monotonic() - start)
        finally:
            link.terminate()
            told = link.communicate()[0].decode().strip()
        mbit = size * len(took) * 8e-6 / sum(took)
        if self.args.verbose:
            bench.say("%.1f Mbit/s, %s" % (mbit, told))
        return took if answers else [mbit]

    def measure(self, rows):
        systems = ["pith"] + ([] if self.args.no_linux else ["linux"])
        got = {s: {r: [] for r in rows} for s in systems}
        for _ in range(self.args.repeat):
            for system in systems:
                p = self.start(system)
                for row in rows:
                    got[system][row] += self.fetch(*ROWS[row])
                p.terminate()
                p.wait()
        return {s: dict(kv for r, v in d.items() for kv in summary(r, v))
                for s, d in got.items()}


def summary(row, values):
    """The lines of a row."""
    if not row.startswith("answers"):
        return [(row, statistics.median(values))]
    ms = sorted(1000 * v for v in values)
    return [(row + " p50", statistics.median(ms)),
            (row + " p99", ms[len(ms) * 99 // 100])]


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--build", default=os.path.join(bench.TOP, "build"))
    ap.add_argument("--repeat", type=int, default=3)
    ap.add_argument("--rows", default=",".join(ROWS))
    ap.add_argument("--json")
    ap.add_argument("--no-linux", action="store_true")
    ap.add_argument("--verbose", action="store_true",
                    help="each transfer, and what the link dropped")
    ap.add_argument("--timeout", type=int, default=120)
    args = ap.parse_args()
    rows = args.rows.split(",")
    unknown = [r for r in rows if r not in ROWS]
    if unknown:
        sys.exit("bench: no such row: %s" % ", ".join(unknown))
    if not os.environ.get("PITH_BENCH_NET"):
        enter_namespace()
    with bench.places() as (work, programs):
        b = Wan(args, work, programs)
        b.prepare_wan()
        got = b.measure(rows)
    print("%-20s %10s %10s %8s" % ("Mbit/s; ms", "pith", "linux", "ratio"))
    for row, p in got["pith"].items():
        linux = got.get("linux", {}).get(row)
        print("%-20s %10.1f %10s %8s" % (
            row, p, "%.1f" % linux if linux else "-",
            "%.2f" % (p / linux) if linux else "-"))
    if args.json:
        with open(args.json, "w") as f:
            json.dump(got, f, indent=1)


if __name__ == "__main__":
    main()
