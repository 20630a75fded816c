# SPDX-License-Identifier: Apache-2.0
"""COUNT CERT COMMAND...: starts the command, redis-server in a machine on the
tap t0, sets COUNT keys to a thousand bytes each which only that key has, and
gets all of them again; says how many were right.  With a file CERT, over TLS,
the server's certificate verified by it."""
import hashlib
import socket
import ssl
import subprocess
import sys
import threading
import time

from machine import start_machine

COUNT, CERT = int(sys.argv[1]), sys.argv[2]
BATCH, AHEAD = 200, 50
MACHINE = "192.168.77.2"
for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add 192.168.77.1/24 dev t0", "link set t0 up"):
    subprocess.run(["ip"] + line.split(), check=True)
machine = start_machine(sys.argv[3:], stdout=subprocess.DEVNULL)


def connect():
    while True:
        try:
            c = socket.create_connection((MACHINE, 6379), 1)
            break
        except OSError:
            assert machine.poll() is None
            time.sleep(0.05)
    c.settimeout(None)
    if CERT:
        context = ssl.create_default_context(cafile=CERT)
        c = context.wrap_socket(c, server_hostname=MACHINE)
    return c


def value(i):
    h = hashlib.md5(b"%d" % i).hexdigest().encode()
    return h * 31 + h[:8]


def exactly(f, want):
    got = f.read(len(want))
    assert got == want, (got[:60], want[:60])


def batches():
    return [range(a, min(a + BATCH, COUNT)) for a in range(0, COUNT, BATCH)]


def all_of(request, answer):
    """Sends the requests and checks the answers, both at once, at most AHEAD
    batches of them, as the server keeps what is not taken; over TLS, whose
    state is for one thread at a time, batch by batch."""
    c = connect()
    ahead = threading.Semaphore(AHEAD)

    def send(b):
        c.sendall(b"".join(map(request, b)))

    def send_all():
        for b in batches():
            ahead.acquire()
            send(b)
    t = threading.Thread(target=send_all)
    if not CERT:
        t.start()
    with c.makefile("rb", 1 << 20) as f:
        for b in batches():
            if CERT:
                send(b)
            exactly(f, b"".join(map(answer, b)))
            ahead.release()
    if not CERT:
        t.join()
    c.close()


all_of(lambda i: b"*3\r\n$3\r\nSET\r\n$8\r\n%08d\r\n$1000\r\n%s\r\n" % (
    i, value(i)), lambda i: b"+OK\r\n")
print("%d set" % COUNT)
all_of(lambda i: b"*2\r\n$3\r\nGET\r\n$8\r\n%08d\r\n" % i,
       lambda i: b"$1000\r\n%s\r\n" % value(i))
print("%d right" % COUNT)
machine.terminate()
machine.wait()
