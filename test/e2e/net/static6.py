# SPDX-License-Identifier: Apache-2.0
"""With an address of IPv6 and a gateway that were given: to a neighbour, and
beyond."""
import socket

for to in ("fd00::1", "2001:db8:9::1"):
    with socket.create_connection((to, 8)) as c:
        assert c.recv(5, socket.MSG_WAITALL) == b"hello"
