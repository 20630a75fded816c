# SPDX-License-Identifier: Apache-2.0
"""The network as unmodified programs see it: ip of iproute2, tcpdump, Go's
net package, a socket from Python that captures."""

import os
import socket
import subprocess
import time

import pytest

from test_net import serve

fixtures = serve,
TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PITH = os.path.join(os.environ.get("PITH_BUILD") or
                    os.path.join(TOP, "build"), "pith")
WAIT = 240  # seconds that nothing here needs: a hang, not a slow machine

GO = """package main

import (
	"fmt"
	"net"
)

func main() {
	ifs, err := net.Interfaces()
	if err != nil {
		panic(err)
	}
	for _, i := range ifs {
		a, err := i.Addrs()
		fmt.Println(i.Index, i.Name, i.MTU, i.Flags&net.FlagUp, len(a) > 0, err)
	}
}
"""

CAPTURE = """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("eth0", 3))
s.settimeout(60)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.sendto(b"hello-capture", ("10.0.2.2", 9999))
while True:
    data, who = s.recvfrom(65536)
    if b"hello-capture" in data:
        print(who[0], hex(who[1]), who[2], who[3], len(data))
        break
"""

# The group of links hears of a change that an ioctl makes.
CHANGE = """
import fcntl, socket, struct
ear = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
ear.bind((0, 1))
ear.settimeout(60)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(u, 0x8922, struct.pack("16si20x", b"eth0", 1300))
while True:
    m = ear.recv(65536)
    if struct.unpack("H", m[4:6])[0] == 16 and \\
            struct.pack("HHI", 8, 4, 1300) in m:
        print("told")
        break
"""


@pytest.fixture
def run(tmp_path):
    env = dict(os.environ, PITH_CACHE=str(tmp_path / "cache"))

    def go(*words):
        return subprocess.run([PITH, "run", *map(str, words)], env=env,
                              stdin=subprocess.DEVNULL, timeout=WAIT,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return go


def test_ip(run):
    r = run("/usr/sbin/ip", "-o", "addr")
    lines = r.stdout.decode().splitlines()
    assert r.returncode == 0, r.stderr
    assert any(x.startswith("1: lo    inet 127.0.0.1/8") for x in lines)
    assert any(x.startswith("1: lo    inet6 ::1/128") for x in lines)
    assert any(x.startswith("2: eth0    inet 10.0.2.15/24") for x in lines)
    r = run("/usr/sbin/ip", "route")
    assert b"default via 10.0.2.2 dev eth0" in r.stdout, r.stderr
    r = run("/usr/sbin/ip", "link", "set", "lo", "name", "other")
    assert r.returncode and b"Operation not supported" in r.stderr


def test_go(run, tmp_path):
    (tmp_path / "main.go").write_text(GO)
    subprocess.run(["go", "build", "-o", tmp_path / "m", "main.go"],
                   cwd=tmp_path, check=True, timeout=WAIT,
                   env=dict(os.environ, CGO_ENABLED="0", GO111MODULE="off",
                            GOCACHE=str(tmp_path / "gocache")))
    r = run(tmp_path / "m")
    assert r.stdout.decode().splitlines() == [
        "1 lo 65536 up true <nil>", "2 eth0 1500 up true <nil>"], r.stderr


def test_tcpdump(serve):
    """Through the ring that libpcap maps.  The host knocks until one frame
    was seen: one that asks, as what it sees first may be an answer."""
    s = serve(["/usr/bin/tcpdump", "-Z", "root", "-i", "eth0", "-c", "1", "-n",
               "tcp dst port 80 and tcp[tcpflags] == tcp-syn"], ports=[80])
    for _ in range(WAIT * 4):
        if s.p.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", s.port[80]), 0.25).close()
        except OSError:
            pass
        time.sleep(0.25)
    s.close(status=0)
    assert b"10.0.2.15.80: Flags [S]" in s.text and \
        b"truncated" not in s.text, s.text
    assert b"1 packet captured" in s.text


def test_capture(run):
    r = run("/usr/bin/python3", "-c", CAPTURE)
    assert r.stdout == b"eth0 0x800 4 1 55\n", r.stderr


def test_change_is_told(run):
    r = run("/usr/bin/python3", "-c", CHANGE)
    assert r.stdout == b"told\n", r.stderr
