# SPDX-License-Identifier: Apache-2.0
"""Sends back what comes, a thread for each connection."""
import socket
import threading


def one(c):
    while chunk := c.recv(1 << 16):
        c.sendall(chunk)
    c.close()


with socket.create_server(("", 7)) as s:
    print("listening", flush=True)
    while True:
        threading.Thread(target=one, args=(s.accept()[0],)).start()
