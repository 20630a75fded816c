# SPDX-License-Identifier: Apache-2.0
"""ADDRESS...: connects to each in turn, and hears from it."""
import socket
import sys

for to in sys.argv[1:]:
    with socket.create_connection((to, 8)) as c:
        assert c.recv(5, socket.MSG_WAITALL) == b"hello"
