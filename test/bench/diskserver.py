#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Servers that write to a disk, in Pith and in a Linux guest: Redis with a log
that is synced for each command, MariaDB under sysbench.

    test/bench/diskserver.py [--cpus 1,2] [--repeat 3] [--rows a,b]
                             [--json FILE] [--quick] [--no-linux]

As net.py: the same Debian programs from the same image, clients beside them
in a network namespace of the script's own, runs alternating, each on a new
volume.  A figure is nanoseconds for one command or transaction; a ratio is
Pith's over Linux's, less is better.  The mark is 1 for each row and 1/1.5 for
the geometric mean.
"""

import argparse
import json
import os
import pwd
import re
import shutil
import statistics
import subprocess
import sys

import bench
import disk
import net

REDIS = ["/usr/bin/redis-server", "--port", "6379", "--bind", "0.0.0.0",
         "--protected-mode", "no", "--save", "", "--dir", "/data",
         "--appendonly", "yes", "--appendfsync", "always",
         "--auto-aof-rewrite-percentage", "0"]
INNODB = ["--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M",
          "--skip-name-resolve"]
MARIADB = ["/usr/sbin/mariadbd", "--no-defaults", "--user=root",
           "--datadir=/data/db", "--init-file=/bench/user.sql",
           "--socket=/tmp/sock", "--pid-file=/tmp/pid", *INNODB]
USER = """CREATE OR REPLACE USER test IDENTIFIED BY 'secret';
GRANT ALL ON *.* TO test;
CREATE DATABASE IF NOT EXISTS sbtest;
"""

GROUPS = {
    "redis": (REDIS, 6379, ["redis_aof_c1", "redis_aof_c50"]),
    "mariadb": (MARIADB, 3306, ["mariadb_write_t1", "mariadb_write_t8",
                                "mariadb_rw_t4"]),
}
ROWS = [r for _, _, rows in GROUPS.values() for r in rows]
net.GROUPS = GROUPS


class Servers(net.NetBench):
    def prepare(self):
        include = []
        if "mariadb" in self.groups:
            include = self.make_database()
        self.images = {}
        for g in self.groups:
            self.images[g] = os.path.join(self.work, g + ".img")
            self.run([self.pith, "build", "-o", self.images[g], "-v",
                      "bench:/data", *include, *GROUPS[g][0]])
        if not self.args.no_linux:
            self.make_initramfs(["net/core/failover.ko",
                                 "drivers/net/net_failover.ko",
                                 "drivers/net/virtio_net.ko"])

    def make_database(self):
        """A new directory of data, made by the host's own server."""
        self.new = os.path.join(self.work, "db")
        install = shutil.which("mariadb-install-db",
                               path=os.environ["PATH"] + ":/usr/sbin")
        if not install:
            sys.exit("bench: no mariadb-install-db: make deps")
        self.run([install, "--no-defaults", "--datadir=" + self.new,
                  "--user=" + pwd.getpwuid(os.geteuid()).pw_name,
                  "--skip-test-db", "--auth-root-authentication-method=normal",
                  *INNODB], stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL)
        sql = os.path.join(self.work, "user.sql")
        with open(sql, "w") as f:
            f.write(USER)
        return ["-i", sql + ":/bench/user.sql"]

    def command(self, system, group, cpus):
        volume = self.new_volume()
        if group == "mariadb":
            self.run([self.pith, "volume", "cp", self.new, "bench:/db"])
        cmd = super().command(system, group, cpus)
        if system == "linux":
            cmd += ["-blockdev", json.dumps({
                "driver": "raw", "node-name": "data", "discard": "unmap",
                "file": {"driver": "file", "filename": volume}}),
                "-device", "virtio-blk-pci,drive=data"]
        return cmd

    def redis(self, row, n=None):
        clients = row.split("_c")[1]
        n = n or (20 if clients == "1" else 100) * \
            (20 if self.args.quick else 100)
        out = self.client(["redis-benchmark", "-h", net.GUEST, "-c", clients,
                           "-n", str(n), "--csv", "-t", "set", "-r", "10000",
                           "-d", "100"])
        m = re.search(r'^"SET","([0-9.]+)"', out, re.M)
        return {row: 1e9 / float(m.group(1))} if m else {}

    def sysbench(self, test, *words):
        return self.client([
            "sysbench", test, "--db-driver=mysql", "--mysql-host=" + net.GUEST,
            "--mysql-user=test", "--mysql-password=secret", "--tables=2",
            "--table-size=%d" % (500 if self.args.quick else 5000), *words])

    def mariadb(self, row):
        _, test, threads = row.split("_")
        test = {"write": "oltp_write_only", "rw": "oltp_read_write"}[test]
        if row == self.first:
            self.sysbench(test, "prepare")
        out = self.sysbench(test, "--threads=" + threads[1:], "--time=%d" % (
            3 if self.args.quick else 10), "run")
        m = re.search(r"transactions: +\d+ +\(([0-9.]+) per sec", out)
        return {row: 1e9 / float(m.group(1))} \
            if m and float(m.group(1)) else {}

    def compare(self, cpus):
        self.make_tap(cpus)
        systems = ["pith"] + ([] if self.args.no_linux else ["linux"])
        got = {s: {} for s in systems}
        for _ in range(self.args.repeat):
            for group in self.groups:
                rows = [r for r in GROUPS[group][2] if r in self.rows]
                self.first = rows[0]
                for s in systems:
                    p = self.start(s, group, cpus)
                    for row in rows:
                        for k, v in getattr(self, group)(row).items():
                            got[s].setdefault(k, []).append(v)
                    self.stop(p)
        return {s: {r: statistics.median(v) for r, v in d.items()}
                for s, d in got.items()}


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--build", default=os.path.join(bench.TOP, "build"))
    ap.add_argument("--cpus", default="1,2")
    ap.add_argument("--repeat", type=int)
    ap.add_argument("--rows", default=",".join(ROWS))
    ap.add_argument("--json")
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--no-linux", action="store_true")
    ap.add_argument("--timeout", type=int, default=300)
    args = ap.parse_args()
    args.repeat = args.repeat or (1 if args.quick else 3)
    rows = args.rows.split(",")
    unknown = [r for r in rows if r not in ROWS]
    if unknown:
        sys.exit("bench: no such row: %s" % ", ".join(unknown))
    if not os.environ.get("PITH_BENCH_NET"):
        net.enter_namespace()
    results = {}
    with bench.places() as (work, programs):
        b = Servers(args, work, programs)
        b.rows = rows
        b.groups = [g for g, (_, _, r) in GROUPS.items() if set(r) & set(rows)]
        b.prepare()
        for cpus in [int(c) for c in args.cpus.split(",")]:
            got = results["cpus%d" % cpus] = b.compare(cpus)
            got["mean"] = disk.table("servers with a disk, %d CPU%s" % (
                cpus, "s" * (cpus > 1)), got, "ns", ROWS)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
