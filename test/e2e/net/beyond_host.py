# SPDX-License-Identifier: Apache-2.0
"""N COMMAND...: starts the command, hear.py in a machine on the tap t0, whose
neighbour and router this is; says who comes, N times.  With a network of its
own (fd00::/64), and for a machine whose addresses (10.9.0.2, fd00:8::2) have
none."""
import socket
import subprocess
import sys

from machine import start_machine

for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add fd00::1/64 dev t0 nodad",
             "addr add fd00:9::1/128 dev t0 nodad",
             "addr add 169.254.1.1/32 dev t0", "link set t0 up",
             "route add 10.9.0.2/32 dev t0", "route add fd00:8::2/128 dev t0",
             "addr add 2001:db8:9::1/64 dev lo nodad",
             "addr add fd00:8::1/128 dev lo nodad",
             "addr add 192.0.2.1/32 dev lo"):
    subprocess.run(["ip"] + line.split(), check=True)


def plain(address):
    return address.removeprefix("::ffff:")


with socket.create_server(("::", 8), family=socket.AF_INET6,
                          dualstack_ipv6=True) as s:
    machine = start_machine(sys.argv[2:])
    for _ in range(int(sys.argv[1])):
        c, who = s.accept()
        print(plain(c.getsockname()[0]), "from", plain(who[0]))
        c.sendall(b"hello")
        c.close()
    assert machine.wait() == 0
