# SPDX-License-Identifier: Apache-2.0
"""COUNT SEED COMMAND...: starts the command, short_server in a machine on the
tap t0, and makes COUNT short connections to it, a hundred at a time, which end
in each way; says how many answered, and how much less memory is free at the
end than after a quarter, in KB.  On stderr, how much is free every 50,000."""
import errno
import random
import select
import socket
import struct
import subprocess
import sys

from machine import start_machine

COUNT, SEED = int(sys.argv[1]), int(sys.argv[2])
LINES = ["link set lo up", "tuntap add t0 mode tap", "link set t0 up"]
# The same two ports soon meet again: let them, as a busy client does.
SOURCES = ["192.168.77.%d" % i for i in range(10, 18)]
LINES += ["addr add %s/24 dev t0" % s for s in ["192.168.77.1"] + SOURCES]
for line in LINES:
    subprocess.run(["ip"] + line.split(), check=True)
with open("/proc/sys/net/ipv4/tcp_tw_reuse", "w") as f:
    f.write("1")
machine = start_machine(sys.argv[3:], stdout=subprocess.PIPE)
assert machine.stdout.readline() == b"listening\n"
r = random.Random(SEED)
ADDRESS = ("192.168.77.2", 7)
RESET = struct.pack("ii", 1, 0)
IP_BIND_ADDRESS_NO_PORT = 24


def free_kb():
    with socket.create_connection(ADDRESS) as c:
        c.sendall(b"m")
        return struct.unpack("<Q", c.recv(8, socket.MSG_WAITALL))[0]


def start(ep, open_):
    c = socket.socket()
    c.setblocking(False)
    c.setsockopt(socket.SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    c.bind((r.choice(SOURCES), 0))
    c.connect_ex(ADDRESS)
    open_[c.fileno()] = (c, ["connect", r.choice(b"aabbcr")])
    ep.register(c, select.EPOLLOUT)


def goes_on(ep, c, how):
    """One step of one connection; the answer when it has ended, else None."""
    try:
        err = c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if err:
            return err == errno.ECONNRESET and how == ["answer", ord("c")]
        if how[0] == "connect":
            c.send(b"a" if how[1] == ord("r") else bytes([how[1]]))
            ep.modify(c, select.EPOLLIN)
            how[0] = "answer"
            return None
        got = c.recv(1)
    except ConnectionResetError:
        # The reset may have overtaken the byte that it follows.
        return how[1] == ord("c")
    if how[1] == ord("r"):
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        return got == b"a"
    return got == bytes([how[1]])


ep = select.epoll()
good = ended = started = 0
open_, quarter, told = {}, None, 0
while ended < COUNT:
    while started < COUNT and len(open_) < 100:
        start(ep, open_)
        started += 1
    for fd, _ in ep.poll():
        c, how = open_[fd]
        answer = goes_on(ep, c, how)
        if answer is not None:
            good += answer
            ended += 1
            ep.unregister(fd)
            c.close()
            del open_[fd]
    if quarter is None and ended > COUNT // 4:
        quarter = free_kb()
    if ended >= told:
        print("%d ended, %d KB free" % (ended, free_kb()), file=sys.stderr,
              flush=True)
        told += 50000
print("%d answered" % good)
last = free_kb()
print("%d KB free at the end" % last, file=sys.stderr)
print("%d KB less" % (quarter - last))
machine.terminate()
machine.wait()
