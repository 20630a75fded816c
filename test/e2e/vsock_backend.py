# SPDX-License-Identifier: Apache-2.0
"""A vhost-user device of virtio-vsock: what a host is to a machine.

Backend serves one machine: the vhost-user protocol over a unix socket
(descriptors of memory and events come with the messages), the rings in the
machine's memory, packets.  Host is a peer on top of it that keeps to the
rules, with connections that block like sockets; a test that wants to break
the rules sends packets by Backend.send() itself."""

import array
import collections
import mmap
import os
import selectors
import socket
import struct
import threading

HDR = struct.Struct("<QQIIIHHIII")  # virtio 1.2, 5.10.6
REQUEST, RESPONSE, RST, SHUTDOWN, RW, UPDATE, CREDIT = range(1, 8)
STREAM, SEQPACKET = 1, 2
EOM, EOR = 1, 2
NO_RECV, NO_SEND = 1, 2
HOST = 2
WAIT = 240

Packet = collections.namedtuple(
    "Packet", "src_cid dst_cid src_port dst_port type op flags alloc fwd data")

# vhost-user: requests, and features.
(GET_FEATURES, SET_FEATURES, SET_OWNER, _, SET_MEM_TABLE, _, _, SET_NUM,
 SET_ADDR, SET_BASE, GET_BASE, SET_KICK, SET_CALL, SET_ERR, GET_PROTOCOL,
 SET_PROTOCOL, _, SET_ENABLE) = range(1, 19)
GET_CONFIG = 24
F_PROTOCOL, F_VERSION_1, F_EVENT_IDX, F_INDIRECT = 30, 32, 29, 28
F_SEQPACKET = 1
P_CONFIG = 9


class Ring:
    """One queue, as a device sees it; split rings with event indices."""

    def __init__(self, backend):
        self.b = backend
        self.num = self.last = 0
        self.addr = None
        self.kick = self.call = None
        self.order = threading.Lock()

    def at(self, base, off, n):
        return self.b.memory(base + off, n, user=True)

    def fence(self):
        """What was written is seen before what is read next (virtio 1.2,
        2.7.7.2 and 2.7.13.4): taking a lock is a whole barrier."""
        with self.order:
            pass

    def next(self):
        """The next request's head, or None."""
        desc, used, avail = self.addr
        idx, = struct.unpack("<H", self.at(avail, 2, 2))
        if idx == self.last:
            # Tell us of the next one.
            self.at(used, 4 + 8 * self.num, 2)[:] = struct.pack("<H", idx)
            self.fence()
            idx, = struct.unpack("<H", self.at(avail, 2, 2))
            if idx == self.last:
                return None
        head, = struct.unpack(
            "<H", self.at(avail, 4 + 2 * (self.last % self.num), 2))
        self.last = (self.last + 1) & 0xffff
        return head

    def pieces(self, head):
        """(memory, writable) of each descriptor."""
        desc, out, i = self.addr[0], [], head
        while True:
            addr, n, flags, follow = struct.unpack(
                "<QIHH", self.at(desc, 16 * i, 16))
            if flags & 4:
                table = self.b.memory(addr, n)
                for k in range(n // 16):
                    a, m, fl, _ = struct.unpack("<QIHH",
                                                table[16 * k:16 * k + 16])
                    out.append((self.b.memory(a, m), bool(fl & 2)))
                return out
            out.append((self.b.memory(addr, n), bool(flags & 2)))
            if not flags & 1:
                return out
            i = follow

    def done(self, head, n):
        _, used, avail = self.addr
        idx, = struct.unpack("<H", self.at(used, 2, 2))
        self.at(used, 4 + 8 * (idx % self.num), 8)[:] = \
            struct.pack("<II", head, n)
        new = (idx + 1) & 0xffff
        self.at(used, 2, 2)[:] = struct.pack("<H", new)
        self.fence()
        event, = struct.unpack("<H", self.at(avail, 4 + 2 * self.num, 2))
        if self.call is not None and \
                (new - event - 1) & 0xffff < (new - idx) & 0xffff:
            os.eventfd_write(self.call, 1)


class Backend(threading.Thread):
    """Listens at path; on_packet is called by its own thread."""

    def __init__(self, path, on_packet, cid=52, packets=True):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.on_packet, self.cid = on_packet, cid
        self.features = 1 << F_PROTOCOL | 1 << F_VERSION_1 | \
            1 << F_EVENT_IDX | 1 << F_INDIRECT | (2 if packets else 0)
        self.regions = []
        self.rings = [Ring(self), Ring(self)]
        self.out = collections.deque()
        self.lock = threading.RLock()
        self.wake = os.eventfd(0, os.EFD_NONBLOCK)
        self.sel = selectors.DefaultSelector()
        self.error = None
        self.hold = False  # what the machine sends is left where it is
        self.start()

    # ---- memory ----

    def memory(self, addr, n, user=False):
        for guest, size, virt, mem in self.regions:
            off = addr - (virt if user else guest)
            if 0 <= off and off + n <= size:
                return mem[off:off + n]
        raise IndexError("no memory at %#x" % addr)

    def set_memory(self, body, fds):
        count, _ = struct.unpack_from("<II", body)
        self.regions = []
        for i in range(count):
            guest, size, virt, off = struct.unpack_from("<QQQQ", body,
                                                        8 + 32 * i)
            m = mmap.mmap(fds[i], size + off)
            os.close(fds[i])
            self.regions.append((guest, size, virt, memoryview(m)[off:]))

    # ---- the protocol ----

    def message(self, request, flags, body, fds):
        value = struct.unpack("<Q", body[:8])[0] if len(body) >= 8 else 0
        index, number = struct.unpack("<II", body[:8]) if len(body) >= 8 \
            else (0, 0)
        if request == GET_FEATURES:
            return struct.pack("<Q", self.features)
        if request == GET_PROTOCOL:
            return struct.pack("<Q", 1 << P_CONFIG)
        if request == GET_CONFIG:
            off, size, fl = struct.unpack_from("<III", body)
            conf = struct.pack("<Q", self.cid)
            return struct.pack("<III", off, size, fl) + \
                conf[off:off + size].ljust(size, b"\0")
        if request == SET_MEM_TABLE:
            self.set_memory(body, fds)
        elif request == SET_NUM:
            self.rings[index].num = number
        elif request == SET_BASE:
            self.rings[index].last = number
        elif request == GET_BASE:
            r = self.rings[index]
            self.set_kick(r, None)
            return struct.pack("<II", index, r.last)
        elif request == SET_ADDR:
            desc, used, avail = struct.unpack_from("<QQQ", body, 8)
            self.rings[index].addr = (desc, used, avail)
        elif request == SET_KICK:
            self.set_kick(self.rings[value & 255], fds[0] if fds else None)
        elif request == SET_CALL:
            self.rings[value & 255].call = fds[0] if fds else None
        return None

    def set_kick(self, ring, fd):
        if ring.kick is not None:
            self.sel.unregister(ring.kick)
        ring.kick = fd
        if fd is not None:
            self.sel.register(fd, selectors.EVENT_READ, "kick")
            os.eventfd_write(self.wake, 1)

    def serve_message(self, conn):
        fds = array.array("i")
        head, control, _, _ = conn.recvmsg(12, 4096)
        if not head:
            return False
        for _, _, data in control:
            fds.frombytes(data)
        request, flags, size = struct.unpack("<III", head)
        body = b""
        while len(body) < size:
            body += conn.recv(size - len(body))
        answer = self.message(request, flags, body, list(fds))
        if answer is not None:
            conn.sendall(struct.pack("<III", request, 1 | 4, len(answer)) +
                         answer)
        return True

    def run(self):
        try:
            conn, _ = self.listener.accept()
            self.sel.register(conn, selectors.EVENT_READ, "conn")
            self.sel.register(self.wake, selectors.EVENT_READ, "wake")
            while True:
                for key, _ in self.sel.select():
                    if key.data == "conn":
                        if not self.serve_message(conn):
                            return
                    else:
                        os.eventfd_read(key.fd)
                self.rings_work()
        except Exception as e:
            self.error = e
            raise

    # ---- packets ----

    def rings_work(self):
        rx, tx = self.rings
        if tx.kick is not None and tx.addr and not self.hold:
            while (head := tx.next()) is not None:
                raw = b"".join(bytes(m) for m, _ in tx.pieces(head))
                tx.done(head, 0)
                f = HDR.unpack_from(raw)
                assert f[4] == len(raw) - HDR.size
                self.on_packet(Packet(*f[:4], f[5], f[6], *f[7:],
                                      raw[HDR.size:]))
        while rx.kick is not None and rx.addr:
            with self.lock:
                if not self.out:
                    break
            head = rx.next()
            if head is None:
                break
            pieces = [m for m, w in rx.pieces(head) if w]
            room = sum(len(m) for m in pieces)
            raw = self.take(room)
            at = 0
            for m in pieces:
                part = raw[at:at + len(m)]
                m[:len(part)] = part
                at += len(part)
            rx.done(head, len(raw))

    def take(self, room):
        """The bytes of the next packet; one that is longer is cut in two."""
        with self.lock:
            p, length = self.out.popleft()
            fits = room - HDR.size
            if len(p.data) > fits:
                rest = p._replace(data=p.data[fits:])
                self.out.appendleft((rest, None))
                flags = p.flags & ~(EOM | EOR)
                p = p._replace(data=p.data[:fits], flags=flags)
        n = len(p.data) if length is None else length
        return HDR.pack(*p[:4], n, *p[4:9]) + p.data

    def send(self, p, length=None):
        """length: what the header says of it, if not the truth."""
        with self.lock:
            self.out.append((p, length))
        os.eventfd_write(self.wake, 1)


class Conn:
    """One connection of Host; everything blocks."""

    SIZE = 1 << 18

    def __init__(self, host, port, peer_port, kind):
        self.host, self.port, self.peer_port = host, port, peer_port
        self.kind = kind
        self.state = "new"
        self.tx = self.peer_fwd = self.peer_alloc = 0
        self.rx, self.fwd, self.told = bytearray(), 0, 0
        self.messages, self.part = [], bytearray()
        self.shut = self.peer_shut = 0
        self.size = self.SIZE

    def emit(self, op, flags=0, data=b""):
        b = self.host.backend
        self.told = self.fwd
        b.send(Packet(HOST, b.cid, self.port, self.peer_port, self.kind, op,
                      flags, self.size, self.fwd & 0xffffffff, data))

    def wait(self, ready):
        with self.host.cond:
            if not self.host.cond.wait_for(ready, WAIT):
                raise TimeoutError("vsock: nothing for %d s" % WAIT)

    def room(self):
        return self.peer_alloc - (self.tx - self.peer_fwd & 0xffffffff)

    def send(self, data, flags=0):
        data = bytes(data)
        end = 0
        while data or self.kind == SEQPACKET and not end:
            self.wait(lambda: self.room() > 0 or self.state == "ended" or
                      self.peer_shut & NO_RECV)
            if self.state == "ended" or self.peer_shut & NO_RECV:
                raise BrokenPipeError
            with self.host.cond:
                part = data[:min(self.room(), 60000)]
                data = data[len(part):]
                self.tx = self.tx + len(part) & 0xffffffff
                if self.kind == SEQPACKET and not data:
                    end = EOM | flags
                self.emit(RW, end, part)

    def recv(self, n):
        """At most n bytes; b"" at the end."""
        self.wait(lambda: self.rx or self.peer_shut & NO_SEND or
                  self.state == "ended")
        with self.host.cond:
            out = bytes(self.rx[:n])
            del self.rx[:n]
            self.read(len(out))
        return out

    def recv_all(self):
        out = bytearray()
        while part := self.recv(1 << 20):
            out += part
        return bytes(out)

    def recv_message(self):
        self.wait(lambda: self.messages or self.peer_shut & NO_SEND or
                  self.state == "ended")
        with self.host.cond:
            if not self.messages:
                return None
            data, flags = self.messages.pop(0)
            self.read(len(data))
        return data, flags

    def read(self, n):
        self.fwd += n
        if self.fwd - self.told >= self.size // 4 and self.state == "up":
            self.emit(UPDATE)

    def shutdown(self, how):
        self.shut |= how
        self.emit(SHUTDOWN, self.shut)

    def close(self):
        """Ends it in order, and waits for the answer."""
        if self.state == "up":
            self.shutdown(NO_RECV | NO_SEND)
            self.wait(lambda: self.state == "ended")

    def reset(self):
        self.emit(RST)
        with self.host.cond:
            self.state = "ended"
            self.host.conns.pop((self.port, self.peer_port), None)

    # With the lock, by the backend's thread.
    def got(self, p):
        self.peer_alloc, self.peer_fwd = p.alloc, p.fwd
        if p.op == RESPONSE:
            self.state = "up"
        elif p.op == RST:
            self.state = "ended"
            self.host.conns.pop((self.port, self.peer_port), None)
        elif p.op == SHUTDOWN:
            self.peer_shut |= p.flags
            if self.peer_shut == 3:
                self.emit(RST)
                self.state = "ended"
                self.host.conns.pop((self.port, self.peer_port), None)
        elif p.op == CREDIT:
            self.emit(UPDATE)
        elif p.op == RW and self.kind == STREAM:
            self.rx += p.data
            assert len(self.rx) <= self.size, "more than there was room for"
        elif p.op == RW:
            self.part += p.data
            if p.flags & EOM:
                self.messages.append((bytes(self.part), p.flags))
                self.part = bytearray()


class Host:
    """A well-behaved peer."""

    def __init__(self, path, packets=True, cid=52):
        self.cond = threading.Condition()
        self.conns, self.listening, self.ports = {}, {}, 1 << 20
        self.seen = collections.Counter()
        self.strays, self.silent = [], set()
        self.backend = Backend(path, self.got, cid, packets)

    def listen(self, port, kind=STREAM):
        self.listening[port] = (kind, [])

    def accept(self, port):
        kind, queue = self.listening[port]
        with self.cond:
            if not self.cond.wait_for(lambda: queue, WAIT):
                raise TimeoutError("vsock: nobody came to %d" % port)
            return queue.pop(0)

    def connect(self, port, kind=STREAM):
        """Tries until somebody listens."""
        for _ in range(1000):
            with self.cond:
                self.ports += 1
                c = Conn(self, self.ports, port, kind)
                self.conns[c.port, port] = c
                c.emit(REQUEST)
            c.wait(lambda: c.state != "new")
            if c.state == "up":
                return c
            threading.Event().wait(0.02)
        raise ConnectionRefusedError

    def got(self, p):
        b = self.backend
        assert p.src_cid == b.cid, p
        with self.cond:
            self.seen[p.op] += 1
            c = self.conns.get((p.dst_port, p.src_port))
            if p.dst_port in self.silent:
                pass
            elif c:
                c.got(p)
            elif p.op == REQUEST and p.dst_cid == HOST and \
                    p.dst_port in self.listening and \
                    self.listening[p.dst_port][0] == p.type:
                c = Conn(self, p.dst_port, p.src_port, p.type)
                c.got(p)
                c.state = "up"
                self.conns[p.dst_port, p.src_port] = c
                c.emit(RESPONSE)
                self.listening[p.dst_port][1].append(c)
            elif p.op == RST:
                self.strays.append(p)
            else:
                b.send(Packet(p.dst_cid, b.cid, p.dst_port, p.src_port, p.type,
                              RST, 0, 0, 0, b""))
            self.cond.notify_all()
