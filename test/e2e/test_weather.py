# SPDX-License-Identifier: Apache-2.0
"""Bad weather: a link that loses, doubles, delays and reorders frames.

Goal: what is sent arrives whole, both ways at once, however the link behaves.
Method: net/weather.py, between a tap of the host's in a network namespace and
the machine's.  Checksums decide, never a time; a stack that stalls runs into
the limit."""

import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
PY = "/usr/bin/python3"
LONG = bool(os.environ.get("PITH_LONG"))
LIMIT = 7200 if LONG else 400  # seconds of a test, at the outside

pytestmark = pytest.mark.skipif(os.geteuid() != 0,
                                reason="making a tap needs root")


def net(name):
    return os.path.join(HERE, "net", name)


# loss, sent twice, ahead of others, jitter in ms; connections, bytes of each,
# the same for the long form
WEATHER = {
    "lossy": ("0.05 0 0 0", 8, 500000, 16, 8 << 20),
    "disordered": ("0 0.02 0.2 40", 8, 500000, 16, 8 << 20),
    "storm": ("0.05 0.02 0.2 200", 24, 60000, 100, 5 << 20),
}


@pytest.mark.parametrize("name", WEATHER)
def test_weather(pith, name):
    weather, *short, many, large = WEATHER[name]
    connections, size = (many, large) if LONG else short
    r = subprocess.run(["unshare", "-n", PY, net("weather_client.py"),
                        str(connections), str(size), *weather.split(), pith,
                        "run", "--timeout", str(LIMIT), "-i",
                        net("streams.py"), "--net", "tap=t0", "--ip",
                        "192.168.77.2/24", PY, net("swap.py")],
                       capture_output=True, timeout=LIMIT + 30)
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr[-2000:]
    assert r.stdout == b"all there\n", r.stderr[-2000:]


LAST_WORDS = """
import os, socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
s.connect(("192.168.77.1", 8))
s.sendall(b"x" * 1000000)
print("sent", flush=True)
os._exit(3)
"""


def test_last_words(pith):
    """What a program has written before it ended arrives, as slowly as it is
    read."""
    r = subprocess.run(["unshare", "-n", PY, net("last_words_host.py"), pith,
                        "run", "--timeout", str(LIMIT), "--net", "tap=t0",
                        "--ip", "192.168.77.2/24", PY, "-c", LAST_WORDS],
                       capture_output=True, timeout=LIMIT + 30)
    assert r.stdout.split() == [b"sent", b"1000000", b"3"], r.stderr[-2000:]


def test_silence(pith):
    """The other end is away: who asked to be told is told, who did not goes
    on when it is back."""
    r = subprocess.run(["unshare", "-n", PY, net("silent_host.py"), pith,
                        "run", "--timeout", str(LIMIT), "--net", "tap=t0",
                        "--ip", "192.168.77.2/24", PY, net("silent.py")],
                       capture_output=True, timeout=LIMIT + 30)
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr[-2000:]
    assert r.stdout.decode().splitlines() == [
        "connect ETIMEDOUT", "keepalive ETIMEDOUT", "user time-out ETIMEDOUT",
        "went on"]


def test_no_machine():
    """A machine that cannot start ends the script at its other end, with what
    was said of it."""
    r = subprocess.run(["unshare", "-n", PY, net("silent_host.py"), "sh", "-c",
                        "echo pith: the disk is full >&2; exit 125"],
                       capture_output=True, timeout=LIMIT)
    assert r.returncode == 1 and r.stdout == b""
    assert r.stderr == (b"pith: the disk is full\n"
                        b"the machine ended with status 125\n")
