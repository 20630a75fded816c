#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares Pith with a Linux guest: the same static binary, the same QEMU,
the same devices, runs alternating; prints medians and ratios.

    test/bench/bench.py [--cpus 1,2] [--repeat 3] [--rows a,b] [--json FILE]
                        [--instructions] [--quick] [--no-linux] [--no-boot]

The Linux guest is Debian's cloud kernel with a minimal initramfs that mounts
the root partition of the very image that Pith boots.  A ratio is Pith's time
over Linux's: less is better.  With --instructions both guests run under
`-icount shift=0`, where a guest's clock counts instructions: those figures
repeat on any machine.

Before the rows it prints what a start costs (start.py): instructions, wall
time, the least memory, sizes, and what `pith run` adds on the host.

A benchmark is a benchmark: nothing here passes or fails on a time.
"""

import argparse
import contextlib
import gzip
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile

import start

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COLD = ("read64m_cold", "rand4k_cold")
# In a machine of their own each, on a new disk.
DISK = ("creat_unlink", "fsync4k", "write64m_buf", "write64m_fsync")
IDLE = ("fsync4k", "write64m_fsync")  # instructions say nothing of them

# What a row may take of Linux's time (docs/limits.md names those missed).
MARKS = {
    "read64m_cold": 0.42, "read64m_warm": 0.33, "rand4k_cold": 0.62,
    "rand4k_warm": 0.80, "cpu_xorshift": 1.05, "memcpy1m": 1.05,
    "getpid": 0.80, "clock_gettime": 1.05, "clock_gettime_sys": 0.80,
    "write_null1": 0.80, "sched_yield": 0.80, "pipe_pp": 0.77,
    "pipe_1thr": 0.80, "futex_pp": 0.45, "futex_wake0": 0.80,
    "mmap_munmap4k": 0.61, "mmap_touch4k": 0.62, "mmap_touch2m": 0.13,
    "fault4k": 0.41, "mprotect_x2": 0.80, "malloc": 0.50, "thread_cj": 0.27,
    "open_close": 0.80, "stat": 0.80, "stat_enoent": 0.74, "fstat": 0.53,
    "pread4k_same": 0.80, "eventfd_rw": 0.80, "epoll_eventfd": 0.80,
    "epoll_wait0": 0.80, "epoll_eventfd_pp": 0.80, "unix_stream_1thr": 0.80,
    "udp_lo_pp": 0.36, "tcp_lo_pp": 0.36, "tcp_lo_bulk64k": 0.70,
    "tcp_connect": 0.52, "pipe_bulk64k": 0.80, "splice_null64k": 1.00,
    "splice_tcp64k": 0.80,
    "creat_unlink": 0.40, "fsync4k": 0.27, "write64m_buf": 0.28,
    "write64m_fsync": 0.30,
    "signal_self": 0.25, "nanosleep1us": 0.80, "read_zero1": 0.80,
}


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench(start.Start):
    def __init__(self, args, work, programs):
        self.args = args
        self.work = work
        self.pith = os.path.join(args.build, "pith")
        self.linux_dir = os.path.join(args.build, "linux")
        self.programs = programs
        self.rows_bin = os.path.join(programs, "rows")
        self.image = os.path.join(work, "bench.img")
        self.memory = 512

    def run(self, argv, **kw):
        return subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, **kw)

    # ---- what both guests share ----

    def prepare(self):
        here = os.path.join(TOP, "test", "bench")
        self.run(["gcc", "-O2", "-static", "-pthread", "-o", self.rows_bin,
                  os.path.join(here, "rows.c")])
        self.hello = os.path.join(self.programs, "hello")
        with open(self.hello + ".c", "w") as f:
            f.write('#include <unistd.h>\n'
                    'int main(void){return write(1,"hello\\n",6)!=6;}\n')
        self.run(["gcc", "-O2", "-static", "-no-pie", "-o", self.hello,
                  self.hello + ".c"])
        obj = os.path.join(self.work, "floor.o")
        self.floor = os.path.join(self.work, "floor.elf")
        self.run(["gcc", "-m32", "-c", "-o", obj,
                  os.path.join(here, "floor.S")])
        self.run(["ld", "-m", "elf_i386", "-Ttext=0x100000", "-o",
                  self.floor, obj])
        data = os.path.join(self.work, "data64m")
        with open(data, "wb") as f:
            for _ in range(64):
                f.write(os.urandom(1 << 20))
        self.run([self.pith, "build", "-o", self.image,
                  "-i", data + ":/bench/data64m",
                  "-v", "bench:/data",
                  "-i", self.hello + ":/bench/hello", self.rows_bin])
        os.unlink(data)
        if not self.args.no_linux:
            self.make_initramfs()

    def make_initramfs(self, more=()):
        self.vmlinuz = os.path.join(self.linux_dir, "vmlinuz")
        if not os.path.exists(self.vmlinuz):
            sys.exit("bench: no " + self.vmlinuz + ": make linux-guest, or "
                     "use --no-linux")
        mods = os.path.join(self.linux_dir, "modules/kernel/")
        names = ["drivers/virtio/virtio_ring.ko", "drivers/virtio/virtio.ko",
                 "drivers/virtio/virtio_pci_legacy_dev.ko",
                 "drivers/virtio/virtio_pci_modern_dev.ko",
                 "drivers/virtio/virtio_pci.ko",
                 "drivers/block/virtio_blk.ko", *more]
        root = os.path.join(self.work, "initramfs")
        os.makedirs(os.path.join(root, "dev"))
        os.makedirs(os.path.join(root, "root"))
        self.run(["gcc", "-O2", "-static", "-o", os.path.join(root, "init"),
                  os.path.join(TOP, "test", "bench", "linux-init.c")])
        with open(os.path.join(root, "modules.txt"), "w") as f:
            for n in names:
                shutil.copy(mods + n, root)
                f.write("/" + os.path.basename(n) + "\n")
        self.initramfs = os.path.join(self.work, "initramfs.gz")
        listing = subprocess.run(["find", ".", "-print0"], cwd=root, check=True,
                                 stdout=subprocess.PIPE).stdout
        cpio = subprocess.run(["busybox", "cpio", "-0", "-o", "-H", "newc"],
                              cwd=root, input=listing, check=True,
                              stdout=subprocess.PIPE).stdout
        with gzip.open(self.initramfs, "wb", 1) as f:
            f.write(cpio)

    def accel(self, cpus, icount):
        if icount:
            return ["-accel", "tcg", "-icount", "shift=0,sleep=off",
                    "-smp", "1"]
        return ["-accel", "tcg,thread=multi",
                "-smp", "%d,maxcpus=%d" % (cpus, max(cpus, 2))]

    # ---- one run of each; returns {row: ns} ----

    def parse(self, text):
        got = {}
        for m in re.finditer(r"^row (\S+) ([0-9.]+)\s*$", text, re.M):
            got[m.group(1)] = float(m.group(2))
        return got

    def rows_args(self, rows, icount):
        t = "2" if icount else ("10" if self.args.quick else "50")
        return ["-t", t, "-r", "1" if icount else "3", ",".join(rows)]

    def new_volume(self):
        """An empty disk for writing; the same for both systems."""
        os.environ["PITH_VOLUMES"] = os.path.join(self.work, "volumes")
        disk = os.path.join(self.work, "volumes", "bench.img")
        if os.path.exists(disk):
            os.unlink(disk)
        self.run([self.pith, "volume", "create", "bench", "512M"])
        return disk

    def linux_run(self, cpus, rows, icount):
        cmd = self.linux_command(
            ["/" + self.guest_path()] + self.rows_args(rows, icount),
            self.accel(cpus, icount)) + [
                "-blockdev", json.dumps({
                    "driver": "raw", "node-name": "data", "discard": "unmap",
                    "file": {"driver": "file",
                             "filename": self.new_volume()}}),
                "-device", "virtio-blk-pci,drive=data"]
        out = subprocess.run(cmd, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             timeout=self.args.timeout).stdout
        return self.parse(out.decode(errors="replace").replace("\r", ""))

    def linux_command(self, program, accel):
        return (["qemu-system-x86_64", "-machine", "q35", "-cpu", "max",
                 "-m", str(self.memory)] + accel +
                ["-nodefaults", "-no-user-config", "-display", "none",
                 "-no-reboot", "-serial", "stdio", "-kernel", self.vmlinuz,
                 "-initrd", self.initramfs, "-append",
                 "console=ttyS0 loglevel=1 no_timer_check rdinit=/init panic=-1 -- " +
                 shlex.join(program),
                 "-blockdev", json.dumps({
                     "driver": "raw", "node-name": "root", "read-only": True,
                     "file": {"driver": "file", "filename": self.image}}),
                 "-device", "virtio-blk-pci,drive=root"])

    def icount_qemu(self):
        """A QEMU that counts: pith's own choice of accelerator replaced."""
        path = os.path.join(self.work, "qemu-icount")
        if not os.path.exists(path):
            with open(path, "w") as f:
                f.write("#!/usr/bin/python3\n"
                        "import os, sys\n"
                        "a = sys.argv[1:]\n"
                        "for name, value in (('-accel', 'tcg'), ('-smp', '1')):\n"
                        "    if name in a:\n"
                        "        a[a.index(name) + 1] = value\n"
                        "os.execvp('qemu-system-x86_64', ['qemu-system-x86_64']"
                        " + a + ['-icount', 'shift=0,sleep=off'])\n")
            os.chmod(path, 0o755)
        return path

    def guest_path(self):
        return os.path.abspath(self.rows_bin).lstrip("/")

    def pith_run(self, cpus, rows, icount):
        self.new_volume()
        env = dict(os.environ)
        if icount:
            env["PITH_QEMU"] = self.icount_qemu()
        cmd = [self.pith, "run", "--machine", "q35", "--accel", "tcg",
               "-c", str(cpus), "-m", "%dM" % self.memory, self.image,
               ] + self.rows_args(rows, icount)
        out = subprocess.run(cmd, stdin=subprocess.DEVNULL, env=env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             timeout=self.args.timeout)
        got = self.parse(out.stdout.decode(errors="replace"))
        if out.returncode:
            say("bench: pith ended with %d: %s" % (
                out.returncode, out.stderr.decode(errors="replace")[-400:]))
        return got

    def compare(self, cpus, rows, icount):
        """Alternates the systems; medians of each row."""
        systems = {"pith": self.pith_run}
        if not self.args.no_linux:
            systems["linux"] = self.linux_run
        got = {s: {} for s in systems}
        for i in range(1 if icount else self.args.repeat):
            for name, fn in systems.items():
                # Cold rows in a machine of their own, first thing.
                for group in [[r] for r in rows if r in COLD + DISK] + \
                             [[r for r in rows if r not in COLD + DISK]]:
                    if not group:
                        continue
                    try:
                        result = fn(cpus, group, icount)
                    except subprocess.TimeoutExpired:
                        say("bench: %s did not end: %s" % (name, group))
                        result = {}
                    for row, ns in result.items():
                        got[name].setdefault(row, []).append(ns)
        return {s: {r: statistics.median(v) for r, v in d.items()}
                for s, d in got.items()}


@contextlib.contextmanager
def places():
    """Two temporary directories, for the disks and for programs.  Disks lie
    in memory where there is room, so that a flush measures the guest and not
    the host's disk; programs may not, as a machine has a /dev of its own."""
    shm = "/dev/shm"
    try:
        st = os.statvfs(shm)
        room = st.f_bavail * st.f_frsize >= 4 << 30 and os.access(shm, os.W_OK)
    except OSError:
        room = False
    with tempfile.TemporaryDirectory(prefix="pith-bench-") as programs, \
         tempfile.TemporaryDirectory(prefix="pith-bench-",
                                     dir=shm if room else None) as disks:
        yield disks, programs


def table(title, result, unit):
    print("\n%s" % title)
    print("%-20s %14s %14s %8s %8s" %
          ("row", "pith " + unit, "linux " + unit, "ratio", "mark"))
    for row in MARKS:
        p = result["pith"].get(row)
        l = result.get("linux", {}).get(row)
        if p is None and l is None:
            continue
        ratio = "%.2f" % (p / l) if p is not None and l else "-"
        met = ""
        if p is not None and l:
            met = "" if p / l <= MARKS[row] else "  over"
        print("%-20s %14s %14s %8s %8.2f%s" % (
            row, "-" if p is None else "%.1f" % p,
            "-" if l is None else "%.1f" % l, ratio, MARKS[row], met))
    sys.stdout.flush()


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--build", default=os.path.join(TOP, "build"))
    ap.add_argument("--cpus", default="1,2")
    ap.add_argument("--repeat", type=int, default=3)
    ap.add_argument("--rows", default=",".join(MARKS))
    ap.add_argument("--json")
    ap.add_argument("--instructions", action="store_true")
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--no-linux", action="store_true")
    ap.add_argument("--no-boot", action="store_true")
    ap.add_argument("--timeout", type=int, default=300)
    args = ap.parse_args()
    rows = args.rows.split(",")
    unknown = [r for r in rows if r not in MARKS]
    if unknown:
        sys.exit("bench: no such row: %s" % ", ".join(unknown))
    results = {}
    with places() as (work, programs):
        b = Bench(args, work, programs)
        b.prepare()
        if not args.no_boot:
            results["boot"] = b.boot()
        if args.instructions:
            warm = [r for r in rows if r not in COLD + IDLE]
            results["instructions"] = b.compare(1, warm, True)
            table("guest instructions, 1 CPU", results["instructions"],
                  "insns")
        else:
            for cpus in [int(c) for c in args.cpus.split(",")]:
                key = "cpus%d" % cpus
                results[key] = b.compare(cpus, rows, False)
                table("%d CPU%s, medians of %d" % (
                    cpus, "s" if cpus > 1 else "", args.repeat),
                    results[key], "ns")
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
