# SPDX-License-Identifier: Apache-2.0
"""Addresses and how a machine comes by them: several interfaces, leases of
DHCP, a router's advertisements; options of sockets that show on the wire.

Method: taps in a network namespace, the other side of each protocol written
down in net/*_host.py, which says what it saw, and what the machine says."""

import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
PY = "/usr/bin/python3"
LIMIT = 300  # seconds of a test, at the outside

pytestmark = pytest.mark.skipif(os.geteuid() != 0,
                                reason="making a tap needs root")


def net(name):
    return os.path.join(HERE, "net", name)


def run(pith, host, guest, *options):
    r = subprocess.run(["unshare", "-n", PY, net(host), pith, "run",
                        "--timeout", str(LIMIT), *options, PY, "-u",
                        net(guest)], capture_output=True, timeout=LIMIT + 30)
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr[-2000:]
    return r.stdout.decode().splitlines()


@pytest.mark.parametrize("machine", ["microvm", "q35"])
def test_several_nics(pith, machine):
    """Each has its address; the routes choose among them."""
    options = ["--machine", machine]
    for i in range(3):
        options += ["--net", "tap=t%d" % i, "--ip", "10.%d.0.2/24%s" % (
            i + 1, ",10.3.0.1" if i == 2 else "")]
    for name in ("swap.py", "streams.py"):
        options += ["-i", net(name)]
    assert run(pith, "nics_host.py", "nics.py", *options) == [
        "1 lo 127.0.0.1", "2 eth0 10.1.0.2", "3 eth1 10.2.0.2",
        "4 eth2 10.3.0.2",
        "to 10.1.0.1 from 10.1.0.2 from the machine",
        "to 10.2.0.1 from 10.2.0.2 from the machine",
        "to 10.3.0.1 from 10.3.0.2 from the machine",
        "to 192.0.2.1 from 10.3.0.2 from the machine",
        "to eth1 from 10.2.0.2 by name", "6 swapped"]


def test_pcap(pith, tmp_path):
    """What is written of a tap is frames, both ways."""
    path = tmp_path / "p"
    options = ["--pcap", str(path)]
    for i in range(3):
        options += ["--net", "tap=t%d" % i, "--ip", "10.%d.0.2/24%s" % (
            i + 1, ",10.3.0.1" if i == 2 else "")]
    for name in ("swap.py", "streams.py"):
        options += ["-i", net(name)]
    run(pith, "nics_host.py", "nics.py", *options)
    for i, name in enumerate(("p", "p.eth1", "p.eth2")):
        out = subprocess.run(["tcpdump", "-nr", tmp_path / name, "tcp"],
                             check=True, capture_output=True).stdout
        for way in (b"10.%d.0.1.9: Flags [S]", b"10.%d.0.2.7: Flags [S]"):
            assert way % (i + 1) in out


def test_lease(pith):
    """Short leases: renewed with the server that gave them, then
    with any, let go when they end, and given up when refused; with each an
    MTU, domains to search and routes.  The machine's name is as long as names
    can be."""
    came = " mtu 1400 ways [['00000000', '0900090A'], " \
        "['0000090A', '00000000'], ['00004D0A', '0100090A'], " \
        "['00014E0A', '00000000']] search [['eng.example', 'ab.example']]"
    assert run(pith, "dhcp_host.py", "addresses.py", "--net", "tap=t0",
               "--hostname", "a" * 63) == [
        "has 10.9.0.50" + came, "renewed", "renewed", "rebound", "ran out",
        "has none mtu 1500 ways [] search []", "has 10.9.0.51" + came,
        "refused", "has 10.9.0.52" + came]


def test_router(pith):
    """An address by the router's advertisement, one name server by it and one
    by DHCPv6, the way out and back in."""
    mac = "52:54:00:12:34:56"
    address = "2001:db8:1:0:5054:ff:fe12:3456"
    assert run(pith, "ra_host.py", "view6.py", "--net", "tap=t0", "--mac", mac,
               "--ip", "10.9.0.2/24") == [
        "prefix 20010db800010000 own half True", "flags 0x0",
        "name servers 2001:db8::53 2001:db8::54",
        "default by fe800000000000000000000000000001",
        "from %s hello" % address, "there and back", "deprecated"]


def hear(pith, ip, *addresses):
    r = subprocess.run(["unshare", "-n", PY, net("beyond_host.py"),
                        str(len(addresses)), pith, "run", "--timeout",
                        str(LIMIT), "--net", "tap=t0", "--ip", ip, PY, "-u",
                        net("hear.py"), *addresses], capture_output=True,
                       timeout=LIMIT + 30)
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr[-2000:]
    return r.stdout.decode().splitlines()


def test_static6(pith):
    """No router advertises anything: the network of an address and the way
    out are what --ip says."""
    assert hear(pith, "fd00::2/64,fd00::1", "fd00::1", "2001:db8:9::1") == [
        "fd00::1 from fd00::2", "2001:db8:9::1 from fd00::2"]


def test_alone(pith):
    """Addresses that are alone in their networks, as clouds and routed taps
    give them: the gateway is beside them, all else beyond it, also what has
    the first 64 bits of the machine's own."""
    ip = "10.9.0.2/32,169.254.1.1,fd00:8::2/128,fd00:9::1"
    assert hear(pith, ip, "169.254.1.1", "192.0.2.1", "fd00:9::1",
                "2001:db8:9::1", "fd00:8::1") == [
        "169.254.1.1 from 10.9.0.2", "192.0.2.1 from 10.9.0.2",
        "fd00:9::1 from fd00:8::2", "2001:db8:9::1 from fd00:8::2",
        "fd00:8::1 from fd00:8::2"]


def test_options_act(pith):
    """TCP_NOTSENT_LOWAT, SO_DONTROUTE and TCP_SYNCNT do what Linux does."""
    lines = run(pith, "acts_host.py", "acts.py", "--net", "tap=t0", "--ip",
                "192.168.77.2/24,192.168.77.1")
    came, sent = lines.pop(1).split()[0], lines.pop(1).split()[1]
    assert came == sent
    assert lines == [
        "unsent True", "stream ENETUNREACH", "dgram ENETUNREACH", "here went",
        "far went", "far, not routed ENETUNREACH", "one more ETIMEDOUT"]


def test_groups(pith):
    """Joined with IGMP and MLD; datagrams of a group both ways."""
    assert run(pith, "mcast_host.py", "mcast.py", "--net", "tap=t0", "--ip",
               "192.168.77.2/24,fd00::2/64") == [
        "joins", "to the group", "to the group",
        "from the machine from 192.168.77.2",
        "from the machine from fd00::2", "heard True"]


def test_time_wait(pith):
    """What is left of connections, for bind(), connect() and /proc/net/tcp,
    as Linux has it in a namespace of its own."""
    linux = subprocess.run(["unshare", "-n", PY, net("twait_host.py")],
                           capture_output=True, timeout=LIMIT + 30)
    assert linux.returncode == 0, linux.stderr
    assert run(pith, "twait_host.py", "twait.py", "--net", "tap=t0", "--ip",
               "192.168.77.2/24") == linux.stdout.decode().splitlines()


def test_names(pith):
    """IPV6_MTU, IP_PKTOPTIONS and IP_BIND_ADDRESS_NO_PORT, as Linux has them in
    a namespace of its own."""
    linux = subprocess.run(["unshare", "-n", PY, net("names_host.py")],
                           capture_output=True, timeout=LIMIT + 30)
    assert linux.returncode == 0, linux.stderr
    assert run(pith, "names_host.py", "names.py", "--net", "tap=t0", "--ip",
               "192.168.77.2/24,fd00::2/64") == \
        linux.stdout.decode().splitlines()


def test_reports(pith):
    """What routers are told of groups and sources, and what is answered to
    them, by IGMPv3 and MLDv2 and what was before, as Linux does."""
    linux = subprocess.run(["unshare", "-n", PY, net("reports_host.py")],
                           capture_output=True, timeout=LIMIT + 30)
    assert linux.returncode == 0, linux.stderr
    r = subprocess.run(
        ["unshare", "-n", PY, net("reports_host.py"), pith, "run", "--timeout",
         str(LIMIT), "--net", "tap=t0", "--ip", "192.168.77.2/24", PY, "-u",
         net("reports.py"), "eth0"], capture_output=True, timeout=LIMIT + 30)
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr[-2000:]
    assert r.stdout.decode().splitlines() == \
        linux.stdout.decode().splitlines()


def test_addresses6(pith):
    """Those of IPv6 that a program adds and removes, and their networks'
    routes, as Linux has them in a namespace of its own."""
    linux = subprocess.run(
        ["unshare", "-n", "sh", "-c", "ip link add eth0 type veth peer name p "
         "&& ip link set p up && ip link set eth0 up && exec $0 $1", PY,
         net("addr6.py")], capture_output=True, timeout=LIMIT)
    assert linux.returncode == 0, linux.stderr
    r = subprocess.run([pith, "run", "--timeout", str(LIMIT), PY,
                        net("addr6.py")], capture_output=True,
                       timeout=LIMIT + 30)
    assert r.stdout == linux.stdout, r.stderr
