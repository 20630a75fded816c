# SPDX-License-Identifier: Apache-2.0
"""What a program sees of the network: name servers, the address that it has
for the outside, loopback's of both families, interfaces, a connection to
itself."""
import os
import socket
import threading

with open("/etc/resolv.conf") as f:
    for line in f:
        if line.startswith("nameserver"):
            print(line.strip())
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.connect(("192.0.2.1", 9))
    print(s.getsockname()[0])
found = {a[4][0] for a in socket.getaddrinfo("localhost", 1)}
print(*sorted(found))
print(*sorted(os.listdir("/sys/class/net")))
with socket.create_server(("127.0.0.1", 0)) as server:
    def accept():
        c, _ = server.accept()
        c.sendall(b"hello")
        c.close()
    t = threading.Thread(target=accept)
    t.start()
    with socket.create_connection(server.getsockname()) as c:
        print(c.recv(100).decode())
    t.join()
