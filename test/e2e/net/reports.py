# SPDX-License-Identifier: Apache-2.0
"""The machine's side of reports_host.py, or Linux's: joins and leaves groups
as IF's neighbour says, and who is heard of them."""
import socket
import struct
import sys

IF = socket.if_nametoindex(sys.argv[1])
JOIN, LEAVE, BLOCK, UNBLOCK, JOIN_SRC, LEAVE_SRC, FILTER = \
    42, 45, 43, 44, 46, 47, 48  # MCAST_*
sockets = {}


def storage(addr):
    if ":" in addr:
        return struct.pack("=HHI16sI100x", socket.AF_INET6, 0, 0,
                           socket.inet_pton(socket.AF_INET6, addr), 0)
    return struct.pack("=HH4s120x", socket.AF_INET, 0, socket.inet_aton(addr))


def act(what, name, group, *sources):
    family = socket.AF_INET6 if ":" in group else socket.AF_INET
    level = socket.IPPROTO_IPV6 if ":" in group else socket.IPPROTO_IP
    if what == "close":
        sockets.pop((name, family)).close()
        return
    if (name, family) not in sockets:
        sockets[name, family] = socket.socket(family, socket.SOCK_DGRAM)
    s = sockets[name, family]
    head = struct.pack("I4x", IF) + storage(group)
    if what in ("join", "leave"):
        s.setsockopt(level, JOIN if what == "join" else LEAVE, head)
    elif what in ("include", "exclude"):
        s.setsockopt(level, FILTER, head + struct.pack(
            "II", what == "include", len(sources)) +
            b"".join(map(storage, sources)))
    else:
        option = {"block": BLOCK, "unblock": UNBLOCK, "hear": JOIN_SRC,
                  "unhear": LEAVE_SRC}[what]
        for source in sources:
            s.setsockopt(level, option, head + storage(source))


print("ready", flush=True)
for line in sys.stdin:
    act(*line.split())
    print("did", flush=True)
