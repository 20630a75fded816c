# SPDX-License-Identifier: Apache-2.0
"""The machine's side of silent_host.py: says how each call ended."""
import errno
import socket
import threading
import time

PEER = "192.168.77.1"


def says(name, fn):
    try:
        fn()
    except OSError as e:
        # The neighbour may be known to be away by then.
        if e.errno == errno.EHOSTUNREACH:
            e.errno = errno.ETIMEDOUT
        print(name, errno.errorcode[e.errno], flush=True)


def connect():
    c = socket.create_connection((PEER, 8))
    c.sendall(b".")
    return c


kept, timed, plain = connect(), connect(), connect()
kept.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
for name, value in (("KEEPIDLE", 1), ("KEEPINTVL", 1), ("KEEPCNT", 2)):
    kept.setsockopt(socket.IPPROTO_TCP, getattr(socket, "TCP_" + name), value)
timed.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1500)


def send():
    while True:
        timed.sendall(b"x")
        time.sleep(0.1)


def away():
    """To where nobody is, when it is silent."""
    says("keepalive", lambda: kept.recv(1))
    c = socket.socket()
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
    c.connect((PEER, 8))


threads = [threading.Thread(target=says, args=("user time-out", send)),
           threading.Thread(target=says, args=("connect", away))]
for t in threads:
    t.start()
for t in threads:
    t.join()
plain.sendall(b"x" * 100000)
print(plain.getsockname()[1], flush=True)
