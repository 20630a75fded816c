# SPDX-License-Identifier: Apache-2.0
"""COUNT SIZE COMMAND...: starts the command, press in a machine on the tap t0;
sends over each of COUNT connections until none takes more, reading nothing, and
then reads and sends the rest; says how many were right both ways."""
import select
import socket
import subprocess
import sys

from machine import start_machine

COUNT, SIZE = int(sys.argv[1]), int(sys.argv[2])
for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add 192.168.77.1/24 dev t0", "link set t0 up"):
    subprocess.run(["ip"] + line.split(), check=True)
machine = start_machine(sys.argv[3:], stdout=subprocess.PIPE)
assert machine.stdout.readline() == b"listening\n"
WANT = bytes((i * 2654435761 & 0xffffffffffffffff) >> 16 & 255
             for i in range(SIZE))


class End:
    def __init__(self):
        self.c = socket.create_connection(("192.168.77.2", 7))
        self.c.setblocking(False)
        self.sent, self.got, self.answer = 0, bytearray(), b""

    def send(self):
        try:
            self.sent += self.c.send(memoryview(WANT)[self.sent:])
        except BlockingIOError:
            pass

    def read(self):
        """False: it is over."""
        data = self.c.recv(1 << 16)
        self.got += data
        return bool(data)


ends = {e.c.fileno(): e for e in (End() for _ in range(COUNT))}
ep = select.epoll()
for fd in ends:
    ep.register(fd, select.EPOLLOUT)
# Until nobody takes anything.
while ready := ep.poll(1):
    for fd, _ in ready:
        ends[fd].send()
        if ends[fd].sent == SIZE:
            ep.modify(fd, 0)
print(sum(e.sent for e in ends.values()) >> 20, "MB sent before one was read",
      file=sys.stderr)
for fd, e in ends.items():
    ep.modify(fd, select.EPOLLIN | (select.EPOLLOUT if e.sent < SIZE else 0))
left = set(ends)
while left:
    for fd, events in ep.poll():
        e = ends[fd]
        if events & select.EPOLLOUT:
            e.send()
            if e.sent == SIZE:
                ep.modify(fd, select.EPOLLIN)
        if events & ~select.EPOLLOUT and not e.read():
            ep.unregister(fd)
            left.remove(fd)
print(sum(e.got == WANT + b"y" for e in ends.values()), "right")
assert machine.wait() == 0
