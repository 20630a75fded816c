# SPDX-License-Identifier: Apache-2.0
"""What a start costs, and how small a machine may be: the part of bench.py
that comes before its rows.

Guest instructions to main() and to the end of a static hello are counted by
the plugin count.c; wall time is set against a QEMU whose guest ends at once;
the Linux guest starts the same programs from the same disk.  The least memory
of a program is the smallest -m, in MB, at which it still answers.
"""

import glob
import os
import re
import shutil
import socket
import statistics
import subprocess
import time
import urllib.request

import profile as counting

LEAST = {"hello": 4, "redis": 16, "nginx": 12}
REDIS = ["/usr/bin/redis-server", "--save", "", "--appendonly", "no"]
NGINX_CONF = """daemon off; master_process off;
error_log stderr;
pid /tmp/nginx.pid;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path /tmp/b; proxy_temp_path /tmp/p;
    fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    server { listen 80; root /bench; }
}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ms_until(cmd, pattern, **kw):
    """Milliseconds from the command's start until its output has the
    pattern; None when it ends without.  The command is then ended."""
    t0 = time.monotonic()
    p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         **kw)
    got = b""
    ms = None
    while ms is None:
        piece = os.read(p.stdout.fileno(), 65536)
        if not piece:
            break
        got += piece
        if re.search(pattern, got):
            ms = (time.monotonic() - t0) * 1000
    p.kill()
    p.communicate()
    return ms


class Start:
    def repeats(self):
        return 3 if self.args.quick else 7

    def count(self, system, stop):
        """Guest instructions of hello from the kernel's entry (firmware is
        left out) to the symbol, or to the machine's end."""
        out = os.path.join(self.work, "count.out")
        options = ["out=" + out, "start=%#x" % counting.IMAGE]
        if stop:
            options.append("stop=%#x" % self.symbol(self.hello, stop))
        qemu = counting.counting_qemu(self.work, options)
        if system == "linux":
            cmd = self.linux_command(["/bench/hello"], ["-accel", "tcg"])
            cmd[0] = qemu
            env = None
        else:
            cmd = [self.pith, "run", "--accel", "tcg", "--no-aslr",
                   "--machine", system, self.hello]
            env = dict(os.environ, PITH_QEMU=qemu)
        subprocess.run(cmd, env=env, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=self.args.timeout)
        return counting.read(out)[0]

    def symbol(self, path, name):
        addrs, names = counting.symbols(path)
        return addrs[names.index(name)]

    def floor_ms(self, machine):
        """A QEMU whose guest ends at once: nothing starts faster."""
        cmd = ["qemu-system-x86_64", "-nodefaults", "-no-user-config",
               "-display", "none", "-no-reboot", "-accel", "tcg", "-cpu",
               "max", "-m", str(self.memory), "-kernel", self.floor,
               "-device", "isa-debug-exit,iobase=0xf4", "-machine"]
        if machine == "microvm":
            cmd += ["microvm,x-option-roms=off,isa-serial=off,rtc=on",
                    "-bios", "qboot.rom"]
        else:
            cmd += [machine]
        t0 = time.monotonic()
        subprocess.run(cmd, stdin=subprocess.DEVNULL, timeout=60)
        return (time.monotonic() - t0) * 1000

    def boot_ms(self, machine):
        """Medians: the start of `pith run hello` to its first output, and
        the floor, alternating."""
        floor, first = [], []
        for _ in range(self.repeats()):
            floor.append(self.floor_ms(machine))
            first.append(ms_until(
                [self.pith, "run", "--machine", machine, "--accel", "tcg",
                 self.hello], b"hello"))
        return statistics.median(first), statistics.median(floor)

    def packaging_ms(self):
        """What packaging adds to the first run of a program, and what the
        command takes on the host when nothing has changed."""
        fresh, again = [], []
        for i in range(self.repeats()):
            cache = os.path.join(self.work, "cache%d" % i)
            env = dict(os.environ, XDG_CACHE_HOME=cache)
            cmd = [self.pith, "run", "--accel", "tcg", "--print-qemu",
                   self.hello]
            for times in (fresh, again):
                t0 = time.monotonic()
                self.run(cmd, env=env, stdout=subprocess.DEVNULL)
                times.append((time.monotonic() - t0) * 1000)
            images = glob.glob(os.path.join(cache, "pith", "*.img"))
            if len(images) != 1:
                print("bench: packaged %d times" % len(images))
            st = os.stat(images[0])
            self.image_bytes = (st.st_size, st.st_blocks * 512)
            shutil.rmtree(cache)
        return statistics.median(fresh), statistics.median(again)

    def boot(self):
        got = {}
        kernel = os.path.join(self.args.build, "pith-kernel.elf")
        got["kernel_bytes"] = os.path.getsize(kernel)
        print("%-44s %12d  (mark 1048576)" % ("kernel file, bytes",
                                              got["kernel_bytes"]))
        systems = ["microvm", "q35"]
        if not self.args.no_linux:
            systems.append("linux")
        for system in systems:
            for stop in ("main", None):
                n = self.count(system, stop)
                got["insns_%s_%s" % (system, stop or "end")] = n
                print("%-44s %12d%s" % (
                    "guest instructions, %s, to %s" % (
                        system, stop or "the end"), n,
                    "  (mark 2000000)" if stop and system != "linux" else ""))
        for machine, mark in (("microvm", 60 / 25), ("q35", 100 / 65)):
            first, floor = self.boot_ms(machine)
            got["boot_" + machine] = {"first_output_ms": first,
                                      "floor_ms": floor}
            print("%-44s %7.0f ms; QEMU alone %.0f ms; ratio %.2f "
                  "(mark %.2f)" % (
                      "pith run hello to its first output, " + machine,
                      first, floor, first / floor, mark))
        fresh, again = self.packaging_ms()
        got["packaging_ms"] = fresh - again
        got["host_ms"] = again
        got["image_bytes"], got["image_allocated"] = self.image_bytes
        print("%-44s %7.0f ms (mark 150); unchanged: %.0f ms in all" % (
            "packaging hello on the host", fresh - again, again))
        print("%-44s %12d, %d of them on disk" % (
            "image of hello, bytes", *self.image_bytes))
        if not self.args.no_linux:
            got["boot_linux_ms"] = statistics.median(
                ms_until(self.linux_command(["/bench/hello"],
                                            self.accel(1, False)), b"hello")
                for _ in range(3))
            print("%-44s %7.0f ms" % ("a Linux guest's, q35, in memory",
                                      got["boot_linux_ms"]))
        got["redis_ready"] = self.redis_ready()
        for system, ms in got["redis_ready"].items():
            print("%-44s %7.0f ms%s" % (
                "start to redis \"Ready to accept\", " + system, ms,
                " (mark: 0.09 of Linux)" if system == "pith" else ""))
        got["least_mb"] = self.least_memory()
        for name, mb in got["least_mb"].items():
            print("%-44s %12s MB (mark %d)" % ("least memory for " + name, mb,
                                               LEAST[name]))
        return got

    # ---- redis and nginx ----

    def redis_ready(self):
        """Medians of what passes from the start to redis' own line; with
        the image made before, as for the Linux guest."""
        image = os.path.join(self.work, "redis.img")
        self.run([self.pith, "build", "-o", image, *REDIS])
        cmds = {"pith": [self.pith, "run", "--accel", "tcg", image]}
        if not self.args.no_linux:
            bench_image, self.image = self.image, image
            cmds["linux"] = self.linux_command(REDIS, self.accel(1, False))
            self.image = bench_image
        got = {system: [] for system in cmds}
        for _ in range(self.repeats()):
            for system, cmd in cmds.items():
                ms = ms_until(cmd, b"Ready to accept")
                if ms is not None:
                    got[system].append(ms)
        os.unlink(image)
        return {s: statistics.median(v) for s, v in got.items() if v}

    def least_memory(self):
        conf = os.path.join(self.work, "small.conf")
        with open(conf, "w") as f:
            f.write(NGINX_CONF)
        page = os.path.join(self.work, "page")
        with open(page, "wb") as f:
            f.write(b"x" * 1024)
        nginx = ["-i", conf + ":/bench/nginx.conf", "-i",
                 page + ":/bench/page", "/usr/sbin/nginx", "-c",
                 "/bench/nginx.conf"]
        return {"hello": self.least(16, self.hello_in),
                "redis": self.least(24, lambda mb: self.serves(
                    mb, 6379, REDIS + ["--protected-mode", "no"], ping)),
                "nginx": self.least(24, lambda mb: self.serves(
                    mb, 80, nginx, page_of))}

    def least(self, most, works):
        """The smallest -m, in MB, that works, from `most` downwards."""
        best = None
        for mb in range(most, 1, -1):
            if not works(mb):
                break
            best = mb
        return best

    def hello_in(self, mb):
        p = subprocess.run([self.pith, "run", "--accel", "tcg", "--timeout",
                            "20", "-m", "%dM" % mb, self.hello],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL)
        return p.returncode == 0 and p.stdout == b"hello\n"

    def serves(self, mb, port, program, ask):
        """Whether a server in a machine of so many MB answers `ask`."""
        host = free_port()
        p = subprocess.Popen(
            [self.pith, "run", "--accel", "tcg", "--timeout", "40", "-m",
             "%dM" % mb, "-p", "127.0.0.1:%d:%d" % (host, port), *program],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        answered = False
        while not answered and p.poll() is None:
            try:
                answered = ask(host)
            except OSError: # it does not listen yet
                time.sleep(0.1)
        p.kill()
        p.wait()
        return answered


def ping(port):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(b"PING\r\n")
        return s.recv(64) == b"+PONG\r\n"


def page_of(port):
    with urllib.request.urlopen("http://127.0.0.1:%d/page" % port,
                                timeout=5) as r:
        return r.read() == b"x" * 1024
