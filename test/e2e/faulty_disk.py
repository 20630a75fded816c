# SPDX-License-Identifier: Apache-2.0
"""A disk that refuses what it is told to, for a machine of any system.

An NBD server (the NBD project's doc/proto.md; fixed newstyle, simple replies)
on a UNIX socket, which QEMU makes a virtio-blk disk of.  The bytes decide:
a write in which a sector begins with REFUSED! and a read in which one begins
with UNREADBL get an error, so it does not matter where a file system puts
them.  `refuse` is called with (kind, offset, data) besides, before anything is
done, and says an errno of the protocol, or 0: for disks that die."""

import os
import socket
import struct
import threading

EIO, ENOSPC = 5, 28
READ, WRITE, DISC, FLUSH, TRIM, ZEROES = 0, 1, 2, 3, 4, 6
SECTOR = 512


def marked(data, tag):
    at = data.find(tag)
    while at >= 0 and at % SECTOR:
        at = data.find(tag, at + 1)
    return at >= 0


class Disk(threading.Thread):
    def __init__(self, path, where, error=EIO, refuse=lambda *a: 0):
        super().__init__(daemon=True)
        self.path, self.where = path, where
        self.error, self.refuse = error, refuse
        self.refused = {k: 0 for k in (READ, WRITE, FLUSH, TRIM, ZEROES)}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(where)
        self.listener.listen(1)
        self.start()

    def run(self):
        while True:
            try:
                s = self.listener.accept()[0]
            except OSError:
                return
            fd = os.open(self.path, os.O_RDWR)
            try:
                self.serve(s, fd)
            except (EOFError, OSError):
                pass
            os.close(fd)
            s.close()

    def stop(self):
        if self.is_alive():
            self.listener.shutdown(socket.SHUT_RDWR)
            self.join()
            self.listener.close()

    @staticmethod
    def take(s, n):
        data = b""
        while len(data) < n:
            more = s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def serve(self, s, fd):
        size = os.fstat(fd).st_size
        s.sendall(struct.pack(">QQH", 0x4e42444d41474943, 0x49484156454F5054,
                              3))
        self.take(s, 4)
        while True:
            _, option, n = struct.unpack(">QII", self.take(s, 16))
            self.take(s, n)
            head = struct.pack(">QI", 0x3e889045565a9, option)
            if option in (6, 7):  # INFO, GO
                # has flags, flush, trim, write zeroes
                s.sendall(head + struct.pack(">IIHQH", 3, 12, 0, size,
                                             1 | 4 | 32 | 64) +
                          head + struct.pack(">II", 1, 0))
                if option == 7:
                    break
            elif option == 2:
                raise EOFError
            else:
                s.sendall(head + struct.pack(">II", 0x80000001, 0))
        while True:
            _, _, kind, handle, at, n = struct.unpack(">IHHQQI",
                                                      self.take(s, 28))
            if kind == DISC:
                return
            data = self.take(s, n) if kind == WRITE else b""
            error, data = self.request(fd, kind, at, n, data)
            if error:
                self.refused[kind] += 1
                data = b""
            s.sendall(struct.pack(">IIQ", 0x67446698, error, handle) + data)

    def request(self, fd, kind, at, n, data):
        if kind == READ:
            data = os.pread(fd, n, at)
            if marked(data, b"UNREADBL"):
                return self.error, b""
        elif kind == WRITE and marked(data, b"REFUSED!"):
            return self.error, b""
        error = self.refuse(kind, at, data)
        if error:
            return error, b""
        if kind == WRITE:
            os.pwrite(fd, data, at)
        elif kind in (TRIM, ZEROES):
            # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
            fallocate(fd, 3, at, n)
        return 0, data if kind == READ else b""


def fallocate(fd, mode, at, n):
    import ctypes
    f = ctypes.CDLL(None, use_errno=True).fallocate
    f.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
    if f(fd, mode, at, n):
        os.pwrite(fd, bytes(n), at)


def qemu_with(tmp, node, where):
    """A QEMU for PITH_QEMU: that node of pith's is the disk at the socket."""
    path = os.path.join(str(tmp), "qemu-" + node)
    with open(path, "w") as f:
        f.write("""#!/usr/bin/python3
import json, os, sys
a = sys.argv[1:]
for k, w in enumerate(a):
    if a[k - 1] == "-blockdev" and json.loads(w)["node-name"] == "%s":
        a[k] = json.dumps({"driver": "nbd", "node-name": "%s", "discard":
                           "unmap", "server": {"type": "unix", "path": "%s"}})
os.execvp("qemu-system-x86_64", ["qemu-system-x86_64"] + a)
""" % (node, node, where))
    os.chmod(path, 0o755)
    return path
