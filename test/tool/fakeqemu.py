#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for QEMU in tests of `pith run`.

It reads the run block from -initrd, as the kernel would, and speaks on the
sockets of the four ports.  The program's first argument chooses what to do:

  cat           copies stdin to stdout until its end
  exit N        ends with status N
  signal N      ends by signal N
  both          "out" to stdout, "err" to stderr
  yes           writes until stdout is closed, then dies of SIGPIPE
  wait          waits for a signal and exits with its number
  deaf          waits and hears nothing
  die           ends without an exit frame, with a message
  garbage       sends a frame that is too long
  panic         logs a line and panics
  env           prints the records of the block to stdout
  missing       reports missing files and a system call
  crash FILE    sends FILE as a crash report, dies of SIGSEGV
  big N         writes N bytes of a pattern to stdout
"""
import os
import socket
import struct
import sys
import time


class Nothing:
    """A stream that is closed or /dev/null has no port."""

    def sendall(self, data):
        pass


def parse(argv):
    ports, block = {}, None
    for a, b in zip(argv, argv[1:]):
        if a == "-chardev":
            o = dict(p.split("=", 1) for p in b.split(",") if "=" in p)
            ports[o["id"]] = socket.socket(fileno=int(o["fd"]))
        if a == "-initrd":
            with open(b, "rb") as f:
                block = f.read()
    return ports, block


def records(block):
    magic, version, length, crc, _ = struct.unpack_from("<QIIII", block)
    assert magic == 0x314B4C4248544950 and version == 1
    at, out = 24, []
    while at < 24 + length:
        tag, _, n = struct.unpack_from("<HHI", block, at)
        out.append((tag, block[at + 8:at + 8 + n]))
        at += 8 + (n + 3) // 4 * 4
    return out


def main():
    ports, block = parse(sys.argv)
    recs = records(block)
    args = [v.decode() for t, v in recs if t == 2]
    what = args[1] if len(args) > 1 else "exit"
    control = ports["pith.control"]
    out, err = (ports.get("pith.stdout", Nothing()),
                ports.get("pith.stderr", Nothing()))

    def frame(kind, data):
        control.sendall(struct.pack("<HHI", kind, 0, len(data)) + data)

    def end(kind, code):
        frame(2, struct.pack("<II", kind, code))
        sys.exit(1)

    frame(1, struct.pack("<I", 1))
    if what == "exit":
        end(0, int(args[2]) if len(args) > 2 else 0)
    if what == "signal":
        end(1, int(args[2]))
    if what == "noexec":
        end(2, int(args[2]))
    if what == "cat":
        src = ports["pith.stdin"]
        while data := src.recv(65536):
            out.sendall(data)
        end(0, 0)
    if what == "both":
        out.sendall(b"out\n")
        err.sendall(b"err\n")
        end(0, 0)
    if what == "yes":
        try:
            while True:
                out.sendall(b"y\n" * 4096)
        except OSError:
            end(1, 13)
    if what == "wait":
        out.sendall(b"ready\n")
        while True:
            kind, _, n = struct.unpack("<HHI", control.recv(8))
            data = control.recv(n) if n else b""
            if kind == 64:
                end(0, struct.unpack("<I", data)[0])
            if kind == 66:
                sys.exit(0)
    if what == "deaf":
        out.sendall(b"ready\n")
        time.sleep(1000)
    if what == "die":
        sys.stderr.write("qemu-system-x86_64: it went wrong\n")
        sys.exit(1)
    if what == "garbage":
        control.sendall(struct.pack("<HHI", 3, 0, 1 << 30))
        time.sleep(1000)
    if what == "panic":
        frame(3, b"panic: the world ended\n")
        end(3, 0)
    if what == "env":
        for tag, value in recs:
            out.sendall(b"%d %r\n" % (tag, value))
        end(0, 0)
    if what == "missing":
        frame(5, b"/no/such")
        frame(5, b"/no/such")
        frame(5, b"/a\nb")
        frame(6, struct.pack("<II", 999, 2) + b"frobnicate")
        end(0, 0)
    if what == "crash":
        with open(args[2], "rb") as f:
            while data := f.read(60000):
                frame(7, data)
        end(1, 11)
    if what == "big":
        n = int(args[2])
        pattern = bytes(range(256)) * 256
        while n > 0:
            out.sendall(pattern[:n])
            n -= len(pattern)
        end(0, 0)
    end(4, 22)


main()
