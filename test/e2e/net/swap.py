# SPDX-License-Identifier: Apache-2.0
"""Each connection sends a head, number and size, and the stream of that
number; it gets the one of number + 1000 meanwhile, then the hash of what it
sent."""
import hashlib
import socket
import struct
import threading

import streams

HEAD = struct.Struct("<IQ")


def receive(c, size):
    h = hashlib.sha256()
    while size:
        chunk = c.recv(min(size, 1 << 18))
        if not chunk:
            raise EOFError("the stream ends %d bytes early" % size)
        h.update(chunk)
        size -= len(chunk)
    return h.digest()


def digest(number, size):
    h = hashlib.sha256()
    for p in streams.pieces(number, size):
        h.update(p)
    return h.digest()


def exact(c, n):
    out = b""
    while len(out) < n:
        chunk = c.recv(n - len(out))
        if not chunk:
            raise EOFError("the stream ends early")
        out += chunk
    return out


def send(c, number, size):
    for p in streams.pieces(number, size):
        c.sendall(p)


def serve_one(c):
    number, size = HEAD.unpack(exact(c, HEAD.size))
    t = threading.Thread(target=send, args=(c, number + 1000, size))
    t.start()
    got = receive(c, size)
    t.join()
    c.sendall(got)
    c.close()


def ask(c, number, size):
    """The client's side; raises where something is not as it should be."""
    def give():
        c.sendall(HEAD.pack(number, size))
        send(c, number, size)
        c.shutdown(socket.SHUT_WR)
    t = threading.Thread(target=give)
    t.start()
    assert receive(c, size) == digest(number + 1000, size)
    t.join()
    assert exact(c, 32) == digest(number, size)
    assert c.recv(1) == b""
    c.close()


def main():
    with socket.create_server(("::", 7), family=socket.AF_INET6, backlog=100,
                              dualstack_ipv6=True) as s:
        print("listening", flush=True)
        while True:
            c = s.accept()[0]
            threading.Thread(target=serve_one, args=(c,)).start()


if __name__ == "__main__":
    main()
