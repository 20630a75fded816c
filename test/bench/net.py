#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Servers in Pith and in a Linux guest, over a tap: the same Debian programs
from the same image, the same QEMU and devices, runs alternating.

    test/bench/net.py [--cpus 1,2] [--repeat 3] [--rows a,b] [--json FILE]
                      [--quick] [--no-linux] [--instructions]

The tap is in a network namespace that the script makes for itself, with the
clients (redis-benchmark, wrk, iperf3, load.c) in it; nothing of the host's
network is touched.  It needs root, or the right to make user namespaces.

Figures are what clients measure: requests a second (more is better), latencies
in milliseconds, MB a second.  A ratio is Pith's over Linux's.  --instructions
counts the guest's instructions and VM exits for a request instead
(net_count.py); those repeat on any machine.  net_rows.py has the rows.
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
from net_count import Counting, print_counts
from net_rows import (GROUPS, GUEST, HOST, LESS, LOAD, MARKS, NGINX_CONF, ROWS,
                      SAYS, Clients)


def enter_namespace():
    """Runs this script again, in a network namespace of its own."""
    os.environ["PITH_BENCH_NET"] = "1"
    flags = "-n" if os.geteuid() == 0 else "-rn"
    os.execvp("unshare", ["unshare", flags, sys.executable] + sys.argv)


class NetBench(Clients, Counting, bench.Bench):
    def make_tap(self, cpus):
        # One of many queues can not be opened as one of one.
        subprocess.run(["ip", "link", "del", "t0"], stderr=subprocess.DEVNULL)
        for line in ("link set lo up", "tuntap add t0 mode tap" +
                     (" multi_queue" if cpus > 1 else ""),
                     "addr add %s/24 dev t0" % HOST, "link set t0 up"):
            subprocess.run(["ip"] + line.split(), check=True)

    def prepare_net(self):
        self.load = os.path.join(self.programs, "load")
        self.run(["gcc", "-O2", "-static", "-o", self.load,
                  os.path.join(bench.TOP, "test", "bench", "load.c")])
        conf = os.path.join(self.work, "nginx.conf")
        with open(conf, "w") as f:
            f.write(NGINX_CONF)
        include = ["-i", conf + ":/bench/nginx.conf", "-i",
                   self.load + ":/bench/load"]
        for name, size in (("1k", 1024), ("1m", 1 << 20)):
            path = os.path.join(self.work, name)
            with open(path, "wb") as f:
                f.write(os.urandom(size))
            include += ["-i", "%s:/bench/%s" % (path, name)]
        self.images = {}
        for name, (program, _, _) in GROUPS.items():
            if name not in self.groups:
                continue
            self.images[name] = os.path.join(self.work, name + ".img")
            self.run([self.pith, "build", "-o", self.images[name], *include,
                      *self.program(program, self.load)])
        if not self.args.no_linux:
            self.make_initramfs(["net/core/failover.ko",
                                 "drivers/net/net_failover.ko",
                                 "drivers/net/virtio_net.ko"])

    def program(self, argv, load):
        return [load if a == LOAD else a for a in argv]

    def command(self, system, group, cpus):
        program = self.program(GROUPS[group][0], "/bench/load")
        self.image = self.images[group]
        if system == "pith":
            return [self.pith, "run", "--machine", "q35", "--accel", "tcg",
                    "-c", str(cpus), "-m", "%dM" % self.memory, "--net",
                    "tap=t0", "--ip", GUEST + "/24", self.image]
        queues = ",queues=%d" % cpus if cpus > 1 else ""
        mq = ",mq=on,vectors=%d" % (2 * cpus + 2) if cpus > 1 else ""
        return self.linux_command(
            ["net=" + GUEST] + program, self.accel(cpus, False)) + [
            "-netdev", "tap,id=n0,ifname=t0,script=no,downscript=no" + queues,
            "-device", "virtio-net-pci,netdev=n0,romfile=,mac="
            "52:54:00:12:34:99" + mq]

    def start(self, system, group, cpus, qemu=None):
        cmd, env = self.command(system, group, cpus), None
        if qemu and system != "pith":
            cmd[0] = qemu
        elif qemu:
            env = dict(os.environ, PITH_QEMU=qemu)
        # A mapping from the run before is of another hardware address.
        subprocess.run(["ip", "neigh", "flush", "dev", "t0"])
        log = open(os.path.join(self.work, "log"), "wb")
        p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=log,
                             stderr=subprocess.STDOUT, env=env)
        end = time.monotonic() + self.args.timeout
        while not self.ready(group, log.name):
            if p.poll() is not None or time.monotonic() > end:
                p.kill()
                with open(log.name, "rb") as f:
                    sys.exit("bench: %s %s did not start: %s" % (
                        system, group, f.read()[-2000:].decode()))
            time.sleep(0.05)
        return p

    def ready(self, group, log):
        if group in SAYS: # a probe would count as a client, or is not heard
            with open(log, "rb") as f:
                return SAYS[group] in f.read()
        try:
            socket.create_connection((GUEST, GROUPS[group][1]), 1).close()
            return True
        except OSError:
            return False

    def stop(self, p):
        p.terminate()
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()

    def compare_net(self, cpus):
        self.make_tap(cpus)
        systems = ["pith"] + ([] if self.args.no_linux else ["linux"])
        got = {s: {} for s in systems}
        for _ in range(self.args.repeat):
            for group in self.groups:
                for system in systems:
                    p = self.start(system, group, cpus)
                    for row in GROUPS[group][2]:
                        if row in self.rows:
                            for k, v in self.measure(row).items():
                                got[system].setdefault(k, []).append(v)
                    self.stop(p)
        return {s: {r: statistics.median(v) for r, v in d.items()}
                for s, d in got.items()}


def print_rates(title, got, cpus):
    print("\n%s" % title)
    print("%-20s %14s %14s %8s %8s" % ("row", "pith", "linux", "ratio",
                                       "mark"))
    for row in ROWS:
        for r in [row] + [row + s for s in LESS]:
            p = got["pith"].get(r)
            linux = got.get("linux", {}).get(r)
            if p is None and linux is None:
                continue
            ratio, met = "-", ""
            less = r.endswith(LESS)
            mark = 1.0 if less else MARKS.get(row, {}).get(cpus, 1.0)
            if p is not None and linux:
                ratio = "%.2f" % (p / linux)
                met = "" if (p / linux <= mark if less else
                             p / linux >= mark) else "  missed"
            print("%-20s %14s %14s %8s %8.2f%s" % (
                r, "-" if p is None else "%.1f" % p,
                "-" if linux is None else "%.1f" % linux, ratio, mark, met))
    sys.stdout.flush()


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--build", default=os.path.join(bench.TOP, "build"))
    ap.add_argument("--cpus", default="1,2")
    ap.add_argument("--repeat", type=int, default=3)
    ap.add_argument("--rows", default=",".join(ROWS))
    ap.add_argument("--json")
    ap.add_argument("--instructions", action="store_true")
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--no-linux", action="store_true")
    ap.add_argument("--timeout", type=int, default=120)
    args = ap.parse_args()
    rows = args.rows.split(",")
    unknown = [r for r in rows if r not in ROWS]
    if unknown:
        sys.exit("bench: no such row: %s" % ", ".join(unknown))
    if not os.environ.get("PITH_BENCH_NET"):
        enter_namespace()
    results = {}
    with bench.places() as (work, programs):
        b = NetBench(args, work, programs)
        b.rows = rows
        b.groups = [g for g, (_, _, r) in GROUPS.items()
                    if set(r) & set(rows)]
        b.prepare_net()
        if args.instructions:
            results["counts"] = b.count_all()
            print_counts(results["counts"])
        else:
            for cpus in [int(c) for c in args.cpus.split(",")]:
                got = results["cpus%d" % cpus] = b.compare_net(cpus)
                print_rates("over a tap, %d CPU%s" % (cpus, "s" * (cpus > 1)),
                            got, cpus)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1)


if __name__ == "__main__":
    main()
