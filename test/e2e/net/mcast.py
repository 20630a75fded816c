# SPDX-License-Identifier: Apache-2.0
"""The machine's side of mcast_host.py."""
import socket
import struct
import sys

GROUP, GROUP6 = "239.1.2.3", "ff15::123"
IF = socket.if_nametoindex("eth0")
JOIN4 = struct.pack("4sii", socket.inet_aton(GROUP), 0, IF)
JOIN6 = socket.inet_pton(socket.AF_INET6, GROUP6) + struct.pack("I", IF)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((GROUP, 5000))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, JOIN4)
s6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s6.bind((GROUP6, 5000))
s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, JOIN6)
print("joined", flush=True)
for c in (s, s6):
    print(c.recv(100).decode(), flush=True)
sys.stdin.readline()
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
             struct.pack("4sii", b"\0" * 4, 0, IF))
s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, IF)
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
               struct.pack("4sii", b"\0" * 4, 0, IF))
out.sendto(b"from the machine", (GROUP, 5000))
# It hears itself; without IP_MULTICAST_LOOP not.
echo = s.recv(100).decode()
s6.sendto(b"from the machine", (GROUP6, 5000))
echo6 = s6.recv(100).decode()
out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
out.sendto(b"unheard", (GROUP, 5001))
s.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, JOIN4)
s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, JOIN6)
print("heard", echo == echo6 == "from the machine", flush=True)
