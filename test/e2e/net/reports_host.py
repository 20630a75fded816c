# SPDX-License-Identifier: Apache-2.0
"""COMMAND...: starts the command, reports.py in a machine on the tap t0, has
it join and leave groups, asks it as a router does, and says what it reports by
IGMP and MLD.  Without a command: the same with Linux in a network namespace of
its own.

A report of sources is sent twice, so a step is over when each record that came
has come again; an answer and a message of the older versions come once."""
import socket
import struct

from beside import prepare, start

command = prepare("reports.py e0")
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.bind(("t0", 3))
MAC = raw.getsockname()[4]
machine = start(command)

KINDS = ["", "is-in", "is-ex", "to-in", "to-ex", "allow", "block"]
OLD = {(4, 0x12): "v1-report", (4, 0x16): "v2-report", (4, 0x17): "v2-leave",
       (6, 131): "v1-report", (6, 132): "v1-done"}


def text(a):
    return socket.inet_ntop(socket.AF_INET if len(a) == 4 else
                            socket.AF_INET6, a)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def message():
    """The next message of IGMP or MLD from the machine: version of IP, itself,
    and what there is to say of the packet."""
    while True:
        frame, who = raw.recvfrom(2000)
        if who[2] == socket.PACKET_OUTGOING:
            continue
        p = frame[14:]
        if frame[12:14] == b"\x08\x00" and p[9] == 2:
            head = (p[0] & 15) * 4
            m = p[head:p[2] << 8 | p[3]]
            assert checksum(m) == checksum(p[:head]) == 0
            assert text(p[12:16]) == "192.168.77.2"
            return 4, m, "to %s ttl %d tos %d alert %s" % (
                text(p[16:20]), p[8], p[1], p[20:24] == b"\x94\x04\0\0")
        if frame[12:14] == b"\x86\xdd" and p[6] == 0 and p[40] == 58 and \
                p[48] in (131, 132, 143):
            m = p[48:40 + (p[4] << 8 | p[5])]
            assert checksum(p[8:40] + struct.pack("!II", len(m), 58) + m) == 0
            if p[8:10] != b"\xfe\x80":
                continue  # it has no address yet
            return 6, m, "to %s ttl %d alert %s" % (
                text(p[24:40]), p[7], p[42:46] == b"\x05\x02\0\0")


def records(leaving):
    """What the next message says of our groups; of one that is being left in an
    older version a report may still be under way."""
    version, m, how = message()
    size = 4 if version == 4 else 16
    if (version, m[0]) in OLD:
        group = m[4:8] if version == 4 else m[8:24]
        all_ = [(OLD[version, m[0]], text(group), ())]
    else:
        all_, at = [], 8
        for _ in range(m[6] << 8 | m[7]):
            n = m[at + 2] << 8 | m[at + 3]
            assert m[at + 1] == 0
            group = text(m[at + 4:at + 4 + size])
            at += 4 + size
            all_.append((KINDS[m[at - 4 - size]], group, tuple(sorted(
                text(m[at + i * size:at + (i + 1) * size])
                for i in range(n)))))
            at += n * size
        assert at == len(m)
    return [(r, how) for r in all_ if r[1].startswith(("239.", "ff1e:")) and
            not (leaving and r[0].endswith("report"))]


def collect(leaving=False):
    seen = {}
    while not seen or not all(n > 1 or r[0].startswith(("v1", "v2", "is"))
                              for (r, _), n in seen.items()):
        for r in records(leaving):
            seen[r] = seen.get(r, 0) + 1
    for r, how in sorted(seen):
        print("  ", *r[:2], "{%s}" % " ".join(r[2]), how)


def do(*steps):
    for words in steps:
        print(words)
        machine.stdin.write(words.encode() + b"\n")
        machine.stdin.flush()
        assert machine.stdout.readline() == b"did\n"
    collect(words.startswith(("leave", "close")))


def ask(what, version, group="", *sources, size=None):
    """A router's question; answers are to come within a fifth of a second."""
    print("asked", what)
    if version == 4:
        g = socket.inet_aton(group or "0.0.0.0")
        m = struct.pack("!BBH4s", 0x11, 0 if what == "old 1" else 2, 0, g)
        if size is None:
            m += struct.pack("!BBH", 2, 125, len(sources)) + \
                b"".join(map(socket.inet_aton, sources))
        m = m[:2] + struct.pack("!H", checksum(m)) + m[4:]
        to = g if group else socket.inet_aton("224.0.0.1")
        head = struct.pack("!BBHHHBBH4s4sI", 0x46, 0xc0, 24 + len(m), 0, 0, 1,
                           2, 0, socket.inet_aton("192.168.77.1"), to,
                           0x94040000)
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        frame = b"\x01\x00\x5e" + bytes([to[1] & 127]) + to[2:] + MAC + \
            b"\x08\x00" + head + m
    else:
        g = socket.inet_pton(socket.AF_INET6, group or "::")
        m = struct.pack("!BBHHH16s", 130, 0, 0, 200, 0, g)
        if size is None:
            m += struct.pack("!BBH", 2, 125, len(sources)) + b"".join(
                socket.inet_pton(socket.AF_INET6, s) for s in sources)
        to = g if group else socket.inet_pton(socket.AF_INET6, "ff02::1")
        ours = socket.inet_pton(socket.AF_INET6, "fe80::1")
        m = m[:2] + struct.pack("!H", checksum(
            ours + to + struct.pack("!II", len(m), 58) + m)) + m[4:]
        frame = b"\x33\x33" + to[12:] + MAC + b"\x86\xdd" + struct.pack(
            "!IHBB16s16s", 6 << 28, len(m) + 8, 0, 1, ours, to) + \
            b"\x3a\0\x05\x02\0\0\x01\0" + m
    raw.send(frame)
    collect()


def family(version, g, h, s):
    do("join a " + g)
    do("block a %s %s" % (g, s[0]))
    do("block a %s %s" % (g, s[1]))
    do("unblock a %s %s" % (g, s[0]))
    ask("all", version)
    ask("one", version, g)
    ask("sources", version, g, s[0], s[1])
    do("leave a " + g)
    do("hear a %s %s" % (g, s[0]))
    do("hear b %s %s" % (g, s[1]))
    do("hear b %s %s" % (g, s[0]), "hear b %s %s" % (g, s[2]))
    ask("all", version)
    ask("sources", version, g, s[0], s[3])
    do("join c " + g)
    do("block c %s %s" % (g, s[3]))
    do("exclude c %s %s %s" % (g, s[0], s[3]), "block c %s %s" % (g, s[4]))
    do("close c " + g)
    do("unhear a %s %s" % (g, s[0]), "unhear b %s %s" % (g, s[1]))
    do("include b %s %s %s %s" % (g, s[1], s[3], s[4]))
    do("close b " + g)
    do("join a " + g)
    ask("old", version, size=8)
    do("join a " + h)
    do("leave a " + h)
    do("hear b %s %s" % (h, s[0]))
    ask("old one", version, h, size=8)
    do("close b " + h)
    if version == 4:
        ask("old 1", version, size=8)


assert machine.stdout.readline() == b"ready\n"
family(4, "239.1.2.3", "239.1.2.4", ["192.0.2.%d" % i for i in range(1, 6)])
family(6, "ff1e::123", "ff1e::124", ["2001:db8::%d" % i for i in range(1, 6)])
machine.stdin.close()
assert machine.wait() == 0
