# SPDX-License-Identifier: Apache-2.0
"""Ports for servers that cannot be told to choose one themselves: outside the
range from which the kernel gives ports to who asks for any, and in a part of it
that is this worker's of pytest; so nobody takes one between its choice and its
use."""
import os
import socket

PER_WORKER = 2000
worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
ports = iter(range(10000 + worker % 8 * PER_WORKER,
                   10000 + (worker % 8 + 1) * PER_WORKER))


def free_port():
    for port in ports:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError("no port is free")
