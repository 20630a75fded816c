#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Servers in Pith and in a Linux guest, over a tap: the same Debian programs
from the same image, the same QEMU and devices, runs alternating.

    test/bench/net.py [--cpus 1,2] [--repeat 3] [--rows a,b] [--json FILE]
                      [--quick] [--no-linux] [--instructions]

The tap is in a network namespace that the script makes for itself, with the
clients (redis-benchmark, wrk, iperf3) in it; nothing of the host's network is
touched.  It needs root, or the right to make user namespaces.

Figures are what clients measure: requests a second (more is better), p99 in
milliseconds, MB a second.  A ratio is Pith's over Linux's.  --instructions
counts the guest's instructions for a request instead, as the difference of
two runs of different length; those repeat on any machine.
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time

import bench
import profile as counting

HOST, GUEST = "192.168.77.1", "192.168.77.2"

REDIS = ["/usr/bin/redis-server", "--port", "6379", "--bind", "0.0.0.0",
         "--protected-mode", "no", "--save", "", "--appendonly", "no"]
NGINX = ["/usr/sbin/nginx", "-c", "/bench/nginx.conf"]
NGINX_CONF = """daemon off; master_process off;
error_log stderr;
pid /tmp/nginx.pid;
events { worker_connections 1024; }
http {
    access_log off; sendfile on; keepalive_requests 1000000000;
    client_body_temp_path /tmp/b; proxy_temp_path /tmp/p;
    fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    server { listen 80; root /bench; }
}
"""
IPERF = ["/usr/bin/iperf3", "-s", "--forceflush"]

# The figure's mark: Pith over Linux, by number of CPUs (baseline: p99 and MB/s
# have no other mark than to be no worse).
MARKS = {
    "redis_set": {1: 2.5, 2: 2.0}, "redis_get": {1: 2.5, 2: 2.0},
    "redis_set_p16": {1: 1.5, 2: 1.5}, "redis_get_p16": {1: 1.5, 2: 1.5},
    "nginx_1k": {1: 2.5, 2: 2.2}, "nginx_1m": {1: 1.0, 2: 1.0},
    "iperf_in": {1: 1.0, 2: 1.0}, "iperf_out": {1: 1.0, 2: 1.0},
    "iperf8_in": {1: 1.0, 2: 1.0}, "iperf8_out": {1: 1.0, 2: 1.0},
}
LESS = ("_p99",)  # of these less is better

GROUPS = {
    "redis": (REDIS, 6379, ["redis_set", "redis_get", "redis_set_p16",
                            "redis_get_p16"]),
    "nginx": (NGINX, 80, ["nginx_1k", "nginx_1m"]),
    "iperf": (IPERF, 5201, ["iperf_in", "iperf_out", "iperf8_in",
                            "iperf8_out"]),
}


def enter_namespace():
    """Runs this script again, in a network namespace of its own."""
    os.environ["PITH_BENCH_NET"] = "1"
    flags = "-n" if os.geteuid() == 0 else "-rn"
    os.execvp("unshare", ["unshare", flags, sys.executable] + sys.argv)


def make_tap(cpus):
    # One of many queues can not be opened as one of one.
    subprocess.run(["ip", "link", "del", "t0"], stderr=subprocess.DEVNULL)
    for line in ("link set lo up", "tuntap add t0 mode tap" +
                 (" multi_queue" if cpus > 1 else ""),
                 "addr add %s/24 dev t0" % HOST, "link set t0 up"):
        subprocess.run(["ip"] + line.split(), check=True)


class NetBench(bench.Bench):
    def prepare_net(self):
        conf = os.path.join(self.work, "nginx.conf")
        with open(conf, "w") as f:
            f.write(NGINX_CONF)
        include = ["-i", conf + ":/bench/nginx.conf"]
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
                      *program])
        if not self.args.no_linux:
            self.make_initramfs(["net/core/failover.ko",
                                 "drivers/net/net_failover.ko",
                                 "drivers/net/virtio_net.ko"])

    def command(self, system, group, cpus, icount):
        program, _, _ = GROUPS[group]
        self.image = self.images[group]
        if system == "pith":
            return [self.pith, "run", "--machine", "q35", "--accel", "tcg",
                    "-c", str(cpus), "-m", "%dM" % self.memory, "--net",
                    "tap=t0", "--ip", GUEST + "/24", self.image]
        queues = ",queues=%d" % cpus if cpus > 1 else ""
        mq = ",mq=on,vectors=%d" % (2 * cpus + 2) if cpus > 1 else ""
        return self.linux_command(
            ["net=" + GUEST] + program, self.accel(cpus, icount)) + [
            "-netdev", "tap,id=n0,ifname=t0,script=no,downscript=no" + queues,
            "-device", "virtio-net-pci,netdev=n0,romfile=,mac="
            "52:54:00:12:34:99" + mq]

    def start(self, system, group, cpus, env=None, icount=False, qemu=None):
        cmd = self.command(system, group, cpus, icount)
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
        if group == "iperf": # a probe would count as a client
            with open(log, "rb") as f:
                return b"Server listening" in f.read()
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

    # ---- the clients ----

    def client(self, argv):
        r = subprocess.run(argv, stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=self.args.timeout)
        if r.returncode:
            bench.say("bench: %s: %s" % (argv[0], r.stderr[-300:]))
        return r.stdout.decode()

    def redis(self, row, n=None):
        pipeline = 16 if row.endswith("_p16") else 1
        n = n or (2000 if self.args.quick else 10000) * \
            (8 if pipeline > 1 else 1)
        out = self.client(["redis-benchmark", "-h", GUEST, "-c", "20", "-n",
                           str(n), "-P", str(pipeline), "--csv", "-t",
                           row.split("_")[1]])
        m = re.search(r'^"(?:SET|GET)","([0-9.]+)","[0-9.]+","[0-9.]+",'
                      r'"[0-9.]+","[0-9.]+","([0-9.]+)"', out, re.M)
        return {row: float(m.group(1)), row + "_p99": float(m.group(2))} \
            if m else {}

    def nginx(self, row):
        seconds = 2 if self.args.quick else 5
        out = self.client(["wrk", "-c", "16", "-t", "2", "-d",
                           "%ds" % seconds, "--latency", "http://%s/%s" % (
                               GUEST, row.split("_")[1])])
        rps = re.search(r"Requests/sec:\s+([0-9.]+)", out)
        p99 = re.search(r"99%\s+([0-9.]+)(us|ms|s)", out)
        if not rps or not p99 or "Non-2xx" in out:
            return {}
        scale = {"us": 0.001, "ms": 1, "s": 1000}[p99.group(2)]
        return {row: float(rps.group(1)),
                row + "_p99": float(p99.group(1)) * scale}

    def iperf(self, row):
        name, way = row.split("_")
        for _ in range(10):
            out = self.client(["iperf3", "-c", GUEST, "-J", "-t",
                               "2" if self.args.quick else "4", "-P",
                               "8" if name == "iperf8" else "1"] +
                              (["-R"] if way == "out" else []))
            try:
                got = json.loads(out)["end"]["sum_received"]
                return {row: got["bits_per_second"] / 8e6}
            except (ValueError, KeyError):
                time.sleep(0.2) # it has not yet done with the one before
        return {}

    def compare_net(self, cpus):
        make_tap(cpus)
        systems = ["pith"] + ([] if self.args.no_linux else ["linux"])
        got = {s: {} for s in systems}
        for _ in range(self.args.repeat):
            for group in self.groups:
                for system in systems:
                    p = self.start(system, group, cpus)
                    for row in GROUPS[group][2]:
                        if row in self.rows:
                            for k, v in getattr(self, group)(row).items():
                                got[system].setdefault(k, []).append(v)
                    self.stop(p)
        return {s: {r: statistics.median(v) for r, v in d.items()}
                for s, d in got.items()}

    # ---- instructions ----

    def count_run(self, system, group, requests):
        out = os.path.join(self.work, "count.out")
        qemu = counting.counting_qemu(self.work, [
            "out=" + out, "start=%#x" % counting.IMAGE])
        p = self.start(system, group, 1, icount=True, qemu=qemu)
        for row, n in requests:
            self.redis(row, n)
        self.stop(p)
        return counting.read(out)[0]

    def instructions(self):
        make_tap(1)
        got = {}
        systems = ["pith"] + ([] if self.args.no_linux else ["linux"])
        for row in GROUPS["redis"][2]:
            if row not in self.rows:
                continue
            few, many = 1000, 5000
            for s in systems:
                a = self.count_run(s, "redis", [(row, few)])
                b = self.count_run(s, "redis", [(row, many)])
                got.setdefault(s, {})[row] = (b - a) / (many - few)
        return got


def table(title, got, cpus, unit):
    print("\n%s" % title)
    print("%-20s %14s %14s %8s %8s" % ("row", "pith " + unit, "linux " + unit,
                                       "ratio", "mark"))
    for row in MARKS:
        for r in (row, row + "_p99"):
            p = got["pith"].get(r)
            linux = got.get("linux", {}).get(r)
            if p is None and linux is None:
                continue
            ratio, mark, met = "-", "", ""
            if p is not None and linux:
                ratio = "%.2f" % (p / linux)
                worse = r.endswith(LESS) or unit == "insns"
                want = 1.0 if worse else MARKS[row][cpus] \
                    if cpus in MARKS[row] else 1.0
                mark = "%.2f" % want
                met = "" if (p / linux <= want if worse else
                             p / linux >= want) else "  missed"
            print("%-20s %14s %14s %8s %8s%s" % (
                r, "-" if p is None else "%.1f" % p,
                "-" if linux is None else "%.1f" % linux, ratio, mark, met))
    sys.stdout.flush()


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--build", default=os.path.join(bench.TOP, "build"))
    ap.add_argument("--cpus", default="1,2")
    ap.add_argument("--repeat", type=int, default=3)
    ap.add_argument("--rows", default=",".join(MARKS))
    ap.add_argument("--json")
    ap.add_argument("--instructions", action="store_true")
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--no-linux", action="store_true")
    ap.add_argument("--timeout", type=int, default=120)
    args = ap.parse_args()
    rows = args.rows.split(",")
    unknown = [r for r in rows if r not in MARKS]
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
            results["instructions"] = b.instructions()
            table("guest instructions a request, 1 CPU",
                  results["instructions"], 1, "insns")
        else:
            for cpus in [int(c) for c in args.cpus.split(",")]:
                got = results["cpus%d" % cpus] = b.compare_net(cpus)
                table("over a tap, %d CPU%s" % (cpus, "s" * (cpus > 1)), got,
                      cpus, "")
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1)


if __name__ == "__main__":
    main()
