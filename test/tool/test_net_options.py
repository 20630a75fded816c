# SPDX-License-Identifier: Apache-2.0
"""The network's options: what they come to in QEMU's words and in the run
block, and that each mistake has one clear line and status 125."""

import ipaddress
import json
import os
import shlex
import socket
import subprocess

import pytest
from conftest import PITH, fails, last_line

NET, DNS = 32, 33


def qemu(pith, static, *words):
    """QEMU's options that are JSON, as (option, object) pairs."""
    r = pith("run", "--print-qemu", "--machine", "q35", *words, static)
    assert r.returncode == 0, r.stderr
    argv = shlex.split(r.stdout.decode())
    return [(a, json.loads(b)) for a, b in zip(argv, argv[1:])
            if a.startswith("-") and b.startswith("{")]


def netdevs(pith, static, *words):
    return [o for a, o in qemu(pith, static, *words) if a == "-netdev"]


def nics(pith, static, *words):
    return [o for a, o in qemu(pith, static, *words)
            if a == "-device" and o["driver"].startswith("virtio-net")]


def records(pith, static, *words):
    """The run block's (method, [address/prefix[,gateway]], mac) per NIC, and
    its name servers."""
    r = pith("run", *words, static, "env")
    assert r.returncode == 0, r.stderr
    nets, dns = [], []
    for line in r.stdout.decode().splitlines():
        tag, value = line.split(" ", 1)
        value = eval(value)
        if int(tag) == DNS:
            size = 4 if value[0] == 4 else 16
            dns.append(str(ipaddress.ip_address(value[4:4 + size])))
        if int(tag) != NET:
            continue
        assert len(value) == 156
        addrs = []
        for i in range(4):
            a = value[12 + 36 * i:48 + 36 * i]
            size = {0: 0, 4: 4, 6: 16}[a[0]]
            if not size:
                continue
            text = f"{ipaddress.ip_address(a[4:4 + size])}/{a[1]}"
            if a[2]:
                text += f",{ipaddress.ip_address(a[20:20 + size])}"
            addrs.append(text)
        nets.append((value[7], addrs, value[:6].hex(":") if value[6] else ""))
    return nets, dns


def test_default(pith, static):
    (d,) = netdevs(pith, static)
    assert d["type"] == "user" and "hostfwd" not in d
    assert (d["net"], d["host"], d["dns"]) == \
        ("10.0.2.15/24", "10.0.2.2", "10.0.2.3")
    nets, dns = records(pith, static)
    assert nets == [(1, ["10.0.2.15/24,10.0.2.2"], "52:54:00:12:34:56")]
    assert dns == ["10.0.2.3"]


def test_none(pith, static):
    assert netdevs(pith, static, "--net", "none") == []
    assert records(pith, static, "--net", "none") == ([(2, [], "")], [])


def test_publish(pith, static):
    (d,) = netdevs(pith, static, "-p", "8080:80", "-p", "0.0.0.0:53:5353/udp",
                   "-p", "127.0.0.2:443:443/tcp")
    assert [h["str"] for h in d["hostfwd"]] == [
        "tcp:127.0.0.1:8080-:80", "udp:0.0.0.0:53-:5353",
        "tcp:127.0.0.2:443-:443"]


def test_free_port(pith, static):
    r = pith("run", "-p", "0:80", static, "exit")
    line = last_line(r)
    assert r.returncode == 0, r
    assert line.startswith("pith: 127.0.0.1:") and \
        line.endswith(" is port 80 of the machine")
    assert int(line.split(":")[2].split()[0]) > 0


def test_addresses(pith, static):
    words = ["--ip", "192.168.7.9/25,192.168.7.1,fd00::9/64,fe80::1", "--mac",
             "02:00:00:00:00:07", "--dns", "9.9.9.9", "--dns", "fd00::53"]
    nets, dns = records(pith, static, *words)
    assert nets == [(1, ["192.168.7.9/25,192.168.7.1", "fd00::9/64,fe80::1"],
                     "02:00:00:00:00:07")]
    assert dns == ["9.9.9.9", "fd00::53"]
    (d,) = netdevs(pith, static, *words)
    assert d["net"] == "192.168.7.9/25" and d["dhcpstart"] == "192.168.7.9"
    (n,) = nics(pith, static, *words)
    assert n["mac"] == "02:00:00:00:00:07"
    # What is not said is free of what was.
    nets, dns = records(pith, static, "--ip", "10.1.1.2/29")
    assert nets[0][1] == ["10.1.1.2/29,10.1.1.3"] and dns == ["10.1.1.4"]
    nets, dns = records(pith, static, "--ip", "dhcp")
    assert nets == [(0, [], "52:54:00:12:34:56")] and dns == []


def test_several(pith, static):
    nets, dns = records(pith, static, "--net", "user", "--net", "user",
                        "--ip", "10.0.2.15/24", "--ip", "dhcp", "--mac",
                        "02:00:00:00:00:01")
    assert nets == [(1, ["10.0.2.15/24,10.0.2.2"], "02:00:00:00:00:01"),
                    (0, [], "52:54:00:12:34:57")]
    a, b = netdevs(pith, static, "--net", "user", "--net", "user")
    assert a["net"] != b["net"]


def test_pcap(pith, static, tmp_path):
    path = tmp_path / "a,b.pcap"
    assert any(a == "-object" and o["qom-type"] == "filter-dump" and
               o["file"].startswith("/proc/self/fd/")
               for a, o in qemu(pith, static, "--pcap", path))
    assert not path.exists()
    assert pith("run", "--pcap", path, static, "exit").returncode == 0
    assert path.exists()
    fails(pith("run", "--pcap", "/no/such/x", static), 125, "/no/such/x",
          "No such file")


WRONG = [
    (["-p", "80"], "--publish 80", "8080:80"),
    (["-p", "x:80"], "a port is a number"),
    (["-p", "80:0"], "a port is a number"),
    (["-p", "1:65536"], "a port is a number"),
    (["-p", "1:2/sctp"], "tcp or udp"),
    (["-p", "localhost:1:2"], "IPv4 address"),
    (["-p", "[::1]:1:2"], "IPv6"),
    (["-p", "192.0.2.1:8080:80"], "192.0.2.1:8080", "does not have"),
    (["--net", "bridge"], "user, tap=NAME or none"),
    (["--net", "tap="], "does not name"),
    (["--net", "tap=an,other"], "no such interface"),
    (["--net", "tap=" + "x" * 16], "does not name"),
    (["--net", "tap=nosuchif0"], "nosuchif0", "no such interface"),
    (["--net", "none", "--net", "user"], "stands alone"),
    (["--net", "tap=nosuchif0", "-p", "1:2"], "needs --net user"),
    (["--ip", "10.0.0.1"], "behind the address"),
    (["--ip", "10.0.0.1/33"], "bits"),
    (["--ip", "10.0.0.300/24"], "address"),
    (["--ip", "224.0.0.1/24"], "address"),
    (["--ip", "10.0.0.1/24,10.0.1.1"], "gateway"),
    (["--ip", "10.0.0.1/24,fe80::1"], "gateway"),
    (["--ip", "10.0.0.1/24,10.0.0.9,10.1.0.2/24,10.1.0.9"], "one gateway"),
    (["--ip", ",".join("10.0.0.%d/24" % i for i in range(1, 6))], "four"),
    (["--ip", "dhcp,10.0.0.2/24"], "not both"),
    (["--ip", "10.0.0.1/30"], "29 bits"),
    (["--ip", ""], "ADDRESS/PREFIX"),
    (["--ip", "dhcp", "--ip", "dhcp"], "--ip", "more often"),
    (["--mac", "52:54:00:12:34"], "interface"),
    (["--mac", "01:00:00:00:00:00"], "interface"),
    (["--dns", "dns.example"], "name server"),
    (["--publich", "1:2"], "did you mean --publish"),
]


@pytest.mark.parametrize("words", WRONG, ids=lambda w: " ".join(w[0]))
def test_wrong(pith, static, words):
    fails(pith("run", *words[0], static), 125, *words[1:])


def test_port_in_use(pith, static):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        fails(pith("run", "-p", f"{port}:80", static), 125,
              f"127.0.0.1:{port}", "in use")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        fails(pith("run", "-p", f"{port}:80/udp", static), 125,
              f"127.0.0.1:{port}/udp", "in use")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    fails(pith("run", "-p", f"{port}:80", "-p", f"{port}:81", static), 125,
          "in use")


def test_config(pith, static, tmp_path):
    path = tmp_path / "c.json"
    path.write_text('{"publish": ["1234:80"], "ip": "dhcp",\n'
                    ' "net": "user", "dns": ["1.2.3.4"]}')
    nets, dns = records(pith, static, "--config", path)
    assert nets[0][0] == 0 and dns == ["1.2.3.4"]
    path.write_text('{\n "publish": ["80"]}')
    fails(pith("run", "--config", path, static), 125, "line 2", '"publish"')
    path.write_text('{\n\n "ipp": "dhcp"}')
    fails(pith("run", "--config", path, static), 125, "line 3",
          'did you mean "ip"')


def test_manifest(pith, static, tmp_path):
    image = tmp_path / "a.img"
    r = pith("build", "-o", image, "--ip", "10.9.8.7/24,10.9.8.1", "--dns",
             "1.1.1.1", "-p", "8080:80", static)
    assert r.returncode == 0, r.stderr
    text = pith("inspect", image).stdout.decode()
    assert "ip         10.9.8.7/24,10.9.8.1\n" in text
    assert "dns        1.1.1.1\n" in text
    assert "publish    8080:80\n" in text
    (d,) = netdevs(pith, image)
    assert d["net"] == "10.9.8.7/24" and d["host"] == "10.9.8.1"
    assert d["hostfwd"] == [{"str": "tcp:127.0.0.1:8080-:80"}]
    (d,) = netdevs(pith, image, "--ip", "10.0.0.5/24", "-p", "81:80")
    assert d["net"] == "10.0.0.5/24"
    assert d["hostfwd"] == [{"str": "tcp:127.0.0.1:81-:80"}]


def test_resolv_conf(pith, static, tmp_path):
    image = tmp_path / "a.img"
    pith("build", "-o", image, static)
    assert "/proc/net/pnp" in pith("ls", image, "/etc").stdout.decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="making a tap needs root")
def test_tap(pith, static):
    """In a network namespace of its own: a tap is opened by name, a busy one
    and an interface of another kind are told."""
    script = """
ip link add dummy0 type dummy 2>/dev/null || ip link add dummy0 type ifb
ip tuntap add t0 mode tap
"$0" run --net tap=t0 "$1" env | grep -c '^32 ' || exit 1
ip link set t0 up
"$0" run --net tap=t0 "$1" exit 7; [ $? = 7 ] || exit 2
"$0" run --net tap=dummy0 "$1"
"""
    r = subprocess.run(["unshare", "-n", "sh", "-c", script, PITH, str(static)],
                       capture_output=True, env=pith.env, timeout=300)
    lines = r.stderr.decode().splitlines()
    assert r.stdout == b"1\n", r
    assert any("t0 is down" in s for s in lines), lines
    fails(r, 125, "tap=dummy0", "no tap interface")
