# SPDX-License-Identifier: Apache-2.0
"""COMMAND...: starts the command, addresses.py in a machine on the tap t0, and
is the DHCP server of that link (RFC 2131), who wants to be asked each second
for more of a lease: says what the machine asked for and which addresses it said
that it has, and what came with it (RFC 3397, RFC 3442).

The server is a thread that answers whatever comes, so that nothing depends on
how fast the machine is; what it answers and what not is `mode`:
    all       everything
    rebind    not those who ask for more of a lease by this server
    none      nothing
    refuse    who asks for more of a lease: no
"""
import queue
import socket
import struct
import subprocess
import sys
import threading

from machine import start_machine

SERVER = "10.9.0.1"
DISCOVER, OFFER, REQUEST, ACK, NAK, RELEASE = 1, 2, 3, 5, 6, 7
COOKIE = b"\x63\x82\x53\x63"
IP_PKTINFO = 8
# The MTU, the domain, domains to search (the second in terms of the first),
# and routes: by the server, on the link, and out by another than the router.
BESIDE = bytes([26, 2, 1400 >> 8, 1400 & 255, 15, 5]) + b"short" + \
    bytes([119, 18, 3]) + b"eng\x07example\x00\x02ab\xc0\x04" + \
    bytes([121, 20, 16, 10, 77, 10, 9, 0, 1, 24, 10, 78, 1, 0, 0, 0, 0,
           0, 10, 9, 0, 9])

for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add %s/24 dev t0" % SERVER, "link set t0 up"):
    subprocess.run(["ip"] + line.split(), check=True)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"t0")
s.setsockopt(socket.SOL_IP, IP_PKTINFO, 1)
s.bind(("0.0.0.0", 67))


def options_of(p):
    assert p[236:240] == COOKIE
    found, at = {}, 240
    while p[at] != 255:
        if p[at] == 0:
            at += 1
            continue
        found[p[at]] = p[at + 2:at + 2 + p[at + 1]]
        at += 2 + p[at + 1]
    return found


class Server(threading.Thread):
    def __init__(self, address):
        super().__init__(daemon=True)
        self.mode, self.address = "all", address
        self.seconds = 600
        self.events = queue.Queue()

    def reply(self, raw, kind):
        p = bytearray(struct.pack(">BBBB4xHH", 2, 1, 6, 0, 0, 0x8000))
        p[4:8] = raw[4:8]
        yours = bytes(4) if kind == NAK else socket.inet_aton(self.address)
        p += raw[12:16] + yours + bytes(8) + raw[28:44] + bytes(192) + COOKIE
        p += bytes([53, 1, kind, 54, 4]) + socket.inet_aton(SERVER)
        if kind != NAK:
            p += bytes([1, 4, 255, 255, 255, 0, 3, 4]) + \
                socket.inet_aton(SERVER)
            for option, seconds in ((51, self.seconds), (58, 1),
                                    (59, 2)):
                p += struct.pack(">BBI", option, 4, seconds)
            p += BESIDE
        to = socket.inet_ntoa(raw[12:16])
        if to == "0.0.0.0" or kind == NAK:
            to = "255.255.255.255"
        try:
            s.sendto(p + b"\xff", (to, 68))
        except OSError:
            pass  # it has no such address any more

    def request(self, raw, options, broadcast):
        has = socket.inet_ntoa(raw[12:16])
        if has == "0.0.0.0":
            assert broadcast and options[54] == socket.inet_aton(SERVER)
            if self.mode != "none":
                good = options[50] == socket.inet_aton(self.address)
                self.reply(raw, ACK if good else NAK)
            return
        # More of what it has: of this server, or of any.
        assert 50 not in options and 54 not in options
        if self.mode == "refuse" or (has != self.address and
                                     self.mode != "none"):
            self.reply(raw, NAK)
            self.events.put("refused")
        elif self.mode == "all" or (self.mode == "rebind" and broadcast):
            self.reply(raw, ACK)
            self.events.put("rebound" if broadcast else "renewed")

    def message(self):
        raw, control, _, _ = s.recvmsg(2000, 100)
        options = options_of(raw)
        broadcast = socket.inet_ntoa(control[0][2][8:12]) == "255.255.255.255"
        if options[53][0] == DISCOVER:
            assert broadcast and raw[12:16] == bytes(4)
            self.events.put("discover")
            if self.mode in ("all", "rebind"):
                self.reply(raw, OFFER)
        elif options[53][0] == REQUEST:
            self.request(raw, options, broadcast)

    def run(self):
        try:
            while True:
                self.message()
        except Exception as e:
            self.events.put("bad: %r" % e)

    def wait(self, event):
        while (e := self.events.get()) != event:
            assert not e.startswith("bad"), e

    def set(self, mode, address=None):
        self.address = address or self.address
        self.mode = mode
        while not self.events.empty():
            self.events.get()


server = Server("10.9.0.50")
server.start()
machine = start_machine(sys.argv[1:], stdout=subprocess.PIPE)


def has():
    print("has", machine.stdout.readline().decode().strip(), flush=True)


def alive():
    c.sendall(b"x")
    assert c.recv(1) == b"x"


has()
c = socket.create_connection(("10.9.0.50", 7))
server.set("all")
for _ in range(2):
    server.wait("renewed")
    print("renewed")
    alive()
server.set("rebind")
server.wait("rebound")
print("rebound")
alive()
server.set("all")
server.seconds = 4
server.wait("renewed")
server.set("none")
server.wait("discover")
print("ran out")
has()
server.seconds = 600
server.set("all", "10.9.0.51")
has()
server.set("refuse")
server.wait("refused")
print("refused")
server.set("all", "10.9.0.52")
has()
machine.terminate()
machine.wait()
