# SPDX-License-Identifier: Apache-2.0
"""COUNT COMMAND...: starts the command, nginx in a machine on the tap t0,
opens COUNT connections to it which stay, each after one answer, and when all
are there asks each once more; says how many answered both times."""
import resource
import select
import socket
import subprocess
import sys
import time

from machine import start_machine

COUNT = int(sys.argv[1])
LIMIT = max(COUNT + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, max(
    LIMIT, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add 192.168.77.1/24 dev t0", "link set t0 up"):
    subprocess.run(["ip"] + line.split(), check=True)
machine = start_machine(sys.argv[2:])
ADDRESS = ("192.168.77.2", 80)
REQUEST = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"


def listens():
    try:
        socket.create_connection(ADDRESS, 1).close()
        return True
    except OSError:
        assert machine.poll() is None
        time.sleep(0.05)
        return False


def body(n):
    return b"%d-" % n * 20


def ask_all(connections, turn):
    """Each asks for what only it asks for; the answers that are right."""
    ep = select.epoll()
    text = {c.fileno(): b"" for c, _ in connections}
    want = {c.fileno(): b"\r\n\r\n" + body((i + turn) % 10)
            for c, i in connections}
    by_fd = {c.fileno(): c for c, _ in connections}
    for c, i in connections:
        ep.register(c, select.EPOLLIN)
        c.sendall(REQUEST % ((i + turn) % 10))
    good, open_ = 0, len(connections)
    while open_:
        for fd, _ in ep.poll():
            chunk = by_fd[fd].recv(4096)
            text[fd] += chunk
            done = text[fd].endswith(want[fd])
            if done or not chunk:
                good += done and text[fd].startswith(b"HTTP/1.1 200 OK")
                ep.unregister(fd)
                open_ -= 1
    return good


while not listens():
    pass
connections, good = [], 0
for start in range(0, COUNT, 200):
    some = []
    for i in range(start, min(start + 200, COUNT)):
        some.append((socket.create_connection(ADDRESS), i))
    good += ask_all(some, 0)
    connections += some
print("%d answered" % good)
print("%d again" % ask_all(connections, 1))
machine.terminate()
machine.wait()
