#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Disks in Pith and in a Linux guest with its own ext4 on an identical disk:
the same Debian programs from the same image, the same QEMU and devices, runs
alternating, each on a new volume.

    test/bench/disk.py [--cpus 1,2] [--repeat 3] [--rows a,b*] [--json FILE]
                       [--quick] [--instructions] [--no-linux]

Rows: fio (unmodified, threads for its processes) as
fio_ENGINE_{direct,buf}_WAY_SIZE_qDEPTH[_fsyncN]; many small files; mapped
files; the latency of fsync; sqlite3's inserts.  (bench.py has the rows of
64 MB, diskserver.py Redis and MariaDB.)  A figure is nanoseconds for one
operation, a ratio Pith's over Linux's: less is better.  The mark is 1 for
each row, 1/1.5 for the geometric mean.

--instructions counts the guest's instructions for one operation instead, as
the difference of two runs of different length, idle time not counted; those
repeat on any machine.  A row is a machine of its own then: choose few.
"""

import argparse
import fnmatch
import json
import math
import os
import re
import statistics
import subprocess
import sys

import bench
import profile as counting

BYTES = {"4k": 4096, "64k": 65536, "1m": 1 << 20}
FILE_MB = 64
GLOBAL = """[global]
thread=1
filename=/data/fio.dat
size=%dm
fallocate=none
overwrite=1
norandommap=1
gtod_reduce=1
clocksource=clock_gettime
disable_lat=1
""" % FILE_MB

# Operations of a row at full length.
FILES, MMAP, FSYNC, SQL_ONE, SQL_ALL = 10000, 2000, 1000, 500, 20000


def fio_rows():
    """{name: options of its job}, in the order in which they run."""
    rows = {}

    def add(engine, direct, way, size, depth, fsync=0, **more):
        name = "fio_%s_%s_%s_%s_q%d%s" % (
            {"io_uring": "uring", "libaio": "aio", "psync": "psync"}[engine],
            "direct" if direct else "buf", way, size, depth,
            "_fsync%d" % fsync if fsync else "")
        count = {"4k": 4096 if depth > 1 or not direct else 2048,
                 "64k": 1024, "1m": 512}[size]
        if fsync:
            count = 512 * min(fsync, 4)
        rows[name] = dict(ioengine=engine, direct=int(direct), rw=way,
                          bs=size, iodepth=depth, count=count, **more)
        if fsync:
            rows[name]["fsync"] = fsync
        if depth > 1:
            rows[name].update(iodepth_batch_submit=max(depth // 4, 1),
                              iodepth_batch_complete_max=depth)

    for engine in ("io_uring", "libaio"):
        for way in ("read", "write", "randread", "randwrite"):
            for size, depth in (("4k", 1), ("4k", 16), ("4k", 64),
                                ("64k", 16), ("1m", 1), ("1m", 16)):
                add(engine, True, way, size, depth)
            for size, depth in (("4k", 1), ("4k", 16), ("1m", 1)):
                add(engine, False, way, size, depth)
    for engine, depth in (("psync", 1), ("io_uring", 16)):
        for way in ("write", "randwrite"):
            add(engine, False, way, "4k", depth, fsync=1)
            add(engine, True, way, "4k", depth, fsync=16)
    return rows


FIO = fio_rows()
QUICK = ["fio_uring_direct_*read_4k_q1", "fio_uring_direct_*_4k_q64",
         "fio_aio_direct_rand*_4k_q16", "fio_*_direct_*_1m_q16",
         "fio_uring_buf_*_4k_q1", "fio_aio_buf_*_1m_q1", "fio_psync*",
         "files_*", "mmap_*", "fsync_*", "fdatasync_*", "sqlite_*"]

# What a run of a group's program prints, and how many operations it does.
GROUPS = {
    "files": (["files_create", "files_stat", "files_sync", "files_unlink"],
              FILES),
    "mmap": (["mmap_seq_cold", "mmap_rand_cold", "mmap_seq_warm"], MMAP),
    "fsync": ([n + p for n in ("fsync_append", "fsync_over",
                               "fdatasync_over") for p in ("_p50", "_p99")],
              FSYNC),
    "sqlone": (["sqlite_each"], SQL_ONE),
    "sqlall": (["sqlite_all", "sqlite_scan"], SQL_ALL),
}
ROWS = list(FIO) + [r for rows, _ in GROUPS.values() for r in rows]


def job(name, o, count=None):
    o = dict(o)
    n = count or o["count"]
    del o["count"]
    o["io_size"] = n * BYTES[o["bs"]]
    return "[%s]\nstonewall\n%s\n" % (
        name, "\n".join("%s=%s" % i for i in o.items()))


def sql(n, each):
    """A script: n inserts, and the clock before and after."""
    clock = "SELECT '%s', (julianday('now') - 2440587.5) * 86400.0;\n"
    text = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c REAL);\n" \
        "CREATE INDEX tb ON t (b);\n" + clock % "T0"
    if not each:
        text += "BEGIN;\n"
    for k in range(n):
        text += "INSERT INTO t (b, c) VALUES ('%s', %d.5);\n" % (
            ("%08x" % (k * 2654435761 % 2 ** 32)) * 6, k)
    if not each:
        text += "COMMIT;\n"
    text += clock % "T1" + "SELECT count(*), sum(length(b)), sum(c) FROM t;\n"
    return text + clock % "T2"


class DiskBench(bench.Bench):
    def prepare_disk(self):
        here = os.path.dirname(os.path.abspath(__file__))
        rows = self.diskrows = os.path.join(self.programs, "diskrows")
        self.run(["gcc", "-O2", "-static", "-o", rows,
                  os.path.join(here, "diskrows.c")])
        self.images = {}
        fio = [r for r in self.rows if r in FIO]
        if fio:
            self.fio_image(fio)
        if self.groups & {"files", "mmap", "fsync"}:
            self.build("rows", [], [rows])
        if self.groups & {"sqlone", "sqlall"}:
            self.sqlite_image()
        if not self.args.no_linux:
            self.make_initramfs()

    def build(self, name, include, program):
        self.images[name] = os.path.join(self.work, name + ".img")
        self.run([self.pith, "build", "-o", self.images[name], "-v",
                  "bench:/data", *include, *program])

    def included(self, name, text):
        path = os.path.join(self.work, name)
        with open(path, "w") as f:
            f.write(text)
        return ["-i", "%s:/bench/%s" % (path, name)]

    # The file is written first, by 1 MB: what is read and written over.
    LAYOUT = dict(ioengine="psync", direct=1, rw="write", bs="1m",
                  end_fsync=1, count=FILE_MB)

    def fio_image(self, rows):
        text = GLOBAL + job("layout", self.LAYOUT)
        for r in rows:
            text += job(r, FIO[r], self.length(FIO[r]["count"]))
        include = self.included("all.fio", text)
        if self.args.instructions:
            for r in rows:
                for which, n in enumerate(self.lengths(FIO[r]["count"])):
                    include += self.included(
                        "%s.%d.fio" % (r, which), GLOBAL +
                        job("layout", self.LAYOUT) + job(r, FIO[r], n))
        self.build("fio", include, ["/usr/bin/fio"])

    def sqlite_image(self):
        include = []
        for group, each in (("sqlone", True), ("sqlall", False)):
            n = GROUPS[group][1]
            for m in {self.length(n), *self.lengths(n)}:
                include += self.included("%s.%d.sql" % (group, m),
                                         sql(m, each))
        self.build("sqlite", include, ["/usr/bin/sqlite3"])

    # A row's length in operations.
    def length(self, n):
        return n // 4 if self.args.quick else n

    def lengths(self, n):
        """Two, for counting by difference."""
        return n // 4, n

    def program(self, group, n, row=None, which=0):
        """Image and words of the program for a group of rows."""
        if group == "fio":
            job_file = "/bench/%s.%d.fio" % (row, which) if row \
                else "/bench/all.fio"
            return "fio", ["/usr/bin/fio", "--output-format=terse",
                           "--terse-version=3", job_file]
        if group.startswith("sql"):
            # Without a space, which the kernel's command line would eat.
            return "sqlite", ["/usr/bin/sqlite3", "-batch", "-init",
                              "/bench/%s.%d.sql" % (group, n), "/data/t.db",
                              ".exit"]
        return "rows", ["/" + self.diskrows.lstrip("/"),
                        group, str(n)]

    # ---- running ----

    def command(self, system, cpus, image, words):
        disk = self.new_volume()
        self.image = self.images[image]
        if system == "pith":
            return [self.pith, "run", "--machine", "q35", "--accel", "tcg",
                    "-c", str(cpus), "-m", "%dM" % self.memory, self.image,
                    *words[1:]]
        return self.linux_command(words, self.accel(cpus, False)) + [
            "-blockdev", json.dumps({
                "driver": "raw", "node-name": "data", "discard": "unmap",
                "file": {"driver": "file", "filename": disk}}),
            "-device", "virtio-blk-pci,drive=data"]

    def guest(self, system, cpus, image, words, qemu=None):
        cmd = self.command(system, cpus, image, words)
        env = dict(os.environ)
        if qemu and system == "pith":
            env["PITH_QEMU"] = qemu
            cmd.insert(2, "--no-aslr")
        elif qemu:
            cmd[0] = qemu
        try:
            out = subprocess.run(cmd, stdin=subprocess.DEVNULL, env=env,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT,
                                 timeout=self.args.timeout).stdout
        except subprocess.TimeoutExpired:
            bench.say("bench: %s did not end: %s" % (system, words))
            return ""
        text = out.decode(errors="replace").replace("\r", "")
        if system == "linux" and "status 0" not in text:
            bench.say("bench: linux: " + text[-600:])
        return text

    def parse(self, text):
        got = super().parse(text)
        for line in text.splitlines():
            f = line.split(";")
            if len(f) > 100 and f[0] == "3" and f[2] in FIO:
                kb, ms = (int(f[5]) + int(f[46]), int(f[8]) + int(f[49]))
                if f[4] != "0" or not kb:
                    bench.say("bench: fio: %s: error %s" % (f[2], f[4]))
                    continue
                got[f[2]] = ms * 1e6 * BYTES[FIO[f[2]]["bs"]] / (kb * 1024)
        return got

    def parse_sql(self, text, group, n):
        t = [float(m) for m in re.findall(r"^T\d\|([0-9.]+)$", text, re.M)]
        if len(t) != 3:
            bench.say("bench: sqlite3: " + text[-600:])
            return {}
        got = [(t[1] - t[0]) * 1e9 / n, (t[2] - t[1]) * 1e9 / n]
        return dict(zip(GROUPS[group][0], got))

    def run_group(self, system, cpus, group):
        n = self.length(GROUPS[group][1]) if group in GROUPS else 0
        text = self.guest(system, cpus, *self.program(group, n))
        if group.startswith("sql"):
            return self.parse_sql(text, group, n)
        return self.parse(text)

    def systems(self):
        return ["pith"] + ([] if self.args.no_linux else ["linux"])

    def compare_disk(self, cpus):
        got = {s: {} for s in self.systems()}
        for _ in range(self.args.repeat):
            for group in sorted(self.groups):
                for s in self.systems():
                    for r, ns in self.run_group(s, cpus, group).items():
                        if r in self.rows:
                            got[s].setdefault(r, []).append(ns)
        return {s: {r: statistics.median(v) for r, v in d.items()}
                for s, d in got.items()}

    # ---- instructions ----

    def count_run(self, system, program):
        out = os.path.join(self.work, "count.out")
        qemu = counting.counting_qemu(self.work, [
            "out=" + out, "start=%#x" % counting.IMAGE])
        self.guest(system, 1, *program, qemu=qemu)
        if system == "pith":
            return counting.read_busy(out, self.args.build)
        return counting.read(out)[0]

    def instructions(self):
        """A group of several rows counts as one, by its first."""
        got = {s: {} for s in self.systems()}
        units = [("fio", r, FIO[r]["count"]) for r in self.rows if r in FIO]
        units += [(g, GROUPS[g][0][0], GROUPS[g][1])
                  for g in sorted(self.groups) if g != "fio"]
        for group, row, n in units:
            few, many = self.lengths(n)
            for s in self.systems():
                c = [self.count_run(s, self.program(
                    group, m, row if group == "fio" else None, which))
                    for which, m in enumerate((few, many))]
                got[s][row] = (c[1] - c[0]) / (many - few)
            bench.say("%s: %s" % (row, {s: round(got[s][row]) for s in got}))
        return got


def table(title, got, unit, rows=ROWS):
    """Prints rows, and the geometric mean of the ratios."""
    print("\n%s" % title)
    print("%-36s %14s %14s %8s" % ("row", "pith " + unit, "linux " + unit,
                                   "ratio"))
    ratios = []
    for row in rows:
        p, l = got["pith"].get(row), got.get("linux", {}).get(row)
        if p is None and l is None:
            continue
        if p and l:
            ratios.append(p / l)
        print("%-36s %14s %14s %8s%s" % (
            row, "-" if p is None else "%.0f" % p,
            "-" if l is None else "%.0f" % l,
            "%.2f" % (p / l) if p and l else "-",
            "  over" if p and l and p > l else ""))
    mean = None
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print("%-36s %38.2f (mark 0.67)" % ("geometric mean", mean))
    sys.stdout.flush()
    return mean


def chosen(patterns):
    rows = [r for r in ROWS
            if any(fnmatch.fnmatchcase(r, p) for p in patterns)]
    for p in patterns:
        if not fnmatch.filter(ROWS, p):
            sys.exit("bench: no such row: %s" % p)
    return rows


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--build", default=os.path.join(bench.TOP, "build"))
    ap.add_argument("--cpus", default="1,2")
    ap.add_argument("--repeat", type=int)
    ap.add_argument("--rows")
    ap.add_argument("--json")
    ap.add_argument("--instructions", action="store_true")
    ap.add_argument("--quick", action="store_true",
                    help="a third of the rows, a quarter of the work, once")
    ap.add_argument("--no-linux", action="store_true")
    ap.add_argument("--timeout", type=int, default=600)
    args = ap.parse_args()
    args.repeat = args.repeat or (1 if args.quick else 3)
    results = {}
    with bench.places() as (work, programs):
        b = DiskBench(args, work, programs)
        b.rows = chosen(args.rows.split(",") if args.rows else
                        QUICK if args.quick else ["*"])
        b.groups = {g for g, (rows, _) in GROUPS.items()
                    if set(rows) & set(b.rows)}
        if set(FIO) & set(b.rows):
            b.groups.add("fio")
        b.prepare_disk()
        if args.instructions:
            got = results["instructions"] = b.instructions()
            got["mean"] = table("guest instructions for one, 1 CPU", got,
                                "insns")
        else:
            for cpus in [int(c) for c in args.cpus.split(",")]:
                got = results["cpus%d" % cpus] = b.compare_disk(cpus)
                got["mean"] = table("disk, %d CPU%s, medians of %d" % (
                    cpus, "s" * (cpus > 1), args.repeat), got, "ns")
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
