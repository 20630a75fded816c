# SPDX-License-Identifier: Apache-2.0
"""Servers as Debian configures them, by the words of a new user.

Goal: a program's own configuration is enough, and where it can not be, one
line says what to change.  Method: that of test_net.py; nothing is included by
hand.
"""

import http.client
import socket
import subprocess

import pytest

from test_net import LIMIT, PY, dns_query, get, need, serve

fixtures = serve,


def test_named(serve):
    """Its default zones name a file of another package (dns-root-data)."""
    s = serve([need("named"), "-f", "-g"], udp=[53])
    s.wait(rb"\brunning\b")
    s.until(lambda: dns_query(s.port[53], "localhost", seconds=1))
    assert dns_query(s.port[53], "localhost") == "127.0.0.1"
    s.close()


def test_nginx_as_installed(serve):
    """The default site, whose directory only the configuration names."""
    with open("/var/www/html/index.nginx-debian.html", "rb") as f:
        want = f.read()
    s = serve([need("nginx"), "-g", "daemon off; master_process off;"],
              ports=[80])
    s.until(lambda: get(s.port[80], "/index.nginx-debian.html"))
    assert get(s.port[80], "/index.nginx-debian.html") == (200, want)
    s.close()


def test_node_exporter(serve):
    """What Prometheus asks of a machine: collectors of what every machine has
    find it in /proc, and the numbers are there."""
    s = serve([need("prometheus-node-exporter")], ports=[9100])
    s.wait(rb"Listening on")
    s.until(lambda: get(s.port[9100], "/"))
    status, text = get(s.port[9100], "/metrics")
    assert status == 200
    lines = dict(line.rsplit(b" ", 1) for line in text.splitlines()
                 if line and not line.startswith(b"#"))
    for name in ("cpu", "diskstats", "filefd", "filesystem", "loadavg",
                 "meminfo", "netdev", "netstat", "os", "sockstat", "stat",
                 "time", "uname", "vmstat"):
        k = 'node_scrape_collector_success{collector="%s"}' % name
        assert lines[k.encode()] == b"1", name
    for name in (b'node_cpu_seconds_total{cpu="0",mode="idle"}',
                 b"node_memory_MemTotal_bytes",
                 b"node_vmstat_pgfault", b"node_filefd_allocated",
                 b"node_context_switches_total", b"node_boot_time_seconds"):
        assert float(lines[name]) > 0, name
    s.close()


ONE = """
import socket
s = socket.socket(socket.{family}, socket.{kind})
s.bind(("{address}", 7000))
if socket.{kind} == socket.SOCK_STREAM:
    s.listen()
print("ready", flush=True)
s.recv(1) if socket.{kind} == socket.SOCK_DGRAM else s.accept()
"""


def knock(port, kind):
    if kind == "SOCK_STREAM":
        try:
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
            c.request("GET", "/")
            c.getresponse()
        except (OSError, http.client.HTTPException):
            pass
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", ("127.0.0.1", port))


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_listens_to_itself(serve, kind):
    """A port of 127.0.0.1 hears nobody from outside: said once."""
    udp = kind == "SOCK_DGRAM"
    s = serve([PY, "-c", ONE.format(family="AF_INET", kind=kind,
                                    address="127.0.0.1")],
              ports=[] if udp else [7000], udp=[7000] if udp else [])
    s.wait(rb"ready")
    for _ in range(2):
        knock(s.port[7000], kind)
    s.wait(rb"pith: %s port 7000: a client was turned away, since the "
           rb"program listens on 127\.0\.0\.1 only; have it listen on "
           rb"0\.0\.0\.0" % (b"udp" if udp else b"tcp"))
    s.close()
    assert s.text.count(b"turned away") == 1


ETC = """
import os
with open("/etc/resolv.conf", "rb") as f:
    sizes = os.stat("/etc/resolv.conf").st_size, os.fstat(f.fileno()).st_size
    text = f.read()
assert b"nameserver 192.0.2.53\\n" in text, text
print([size - len(text) for size in sizes])
with open("/etc/mtab") as f:
    print([line.split()[2] for line in f if line.split()[1] == "/proc"])
"""


def test_generated_etc(pith):
    """What is no file of the image is read as one: libevent takes as many
    bytes of resolv.conf as stat says, many look for mounts in mtab."""
    r = subprocess.run([pith, "run", "--timeout", str(LIMIT),
                        "--dns", "192.0.2.53", PY, "-c", ETC],
                       stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=LIMIT + 30)
    assert r.stdout.decode().splitlines() == ["[0, 0]", "['proc']"], r.stderr


SYSLOG = """
import logging.handlers, os, socket, syslog

syslog.openlog("me", syslog.LOG_PID, syslog.LOG_DAEMON)
syslog.syslog(syslog.LOG_ERR, "it failed")
syslog.syslog(syslog.LOG_INFO, "all is well")
log = logging.handlers.SysLogHandler("/dev/log")
log.emit(logging.LogRecord("", logging.WARNING, "", 0, "odd \\x1b", (), None))
try:
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect("/dev/log")
except OSError as e:
    print(e.strerror, flush=True)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    s.connect("/dev/log")
    print(s.getpeername(), os.path.exists("/dev/log"), flush=True)
    s.send(b"")
syslog.syslog(syslog.LOG_CRIT, "last words")
os._exit(3)
"""


@pytest.mark.parametrize("verbose", [False, True])
def test_syslog(pith, verbose):
    """No daemon is behind /dev/log: warnings and worse are told to the user,
    with --verbose the rest too, and none after the exit status."""
    r = subprocess.run([pith, "run", "--timeout", str(LIMIT),
                        *["--verbose"] * verbose, PY, "-c", SYSLOG],
                       stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=LIMIT + 30)
    assert r.returncode == 3, r.stderr
    assert r.stdout.decode().splitlines() == [
        "Protocol wrong type for socket", "/dev/log False"]
    said = [line.removeprefix("pith: syslog: ")
            for line in r.stderr.decode().splitlines() if "syslog:" in line]
    assert said == ["me[1]: it failed", *["me[1]: all is well"] * verbose,
                    "odd \\x1b", "me[1]: last words"]


def test_fork_says_what_to_do(pith):
    """One line, with the option of a program that is known."""
    def said(*words):
        r = subprocess.run([pith, "run", "--timeout", str(LIMIT), *words],
                           stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=LIMIT + 30)
        return [line for line in r.stderr.decode().splitlines()
                if "second process" in line]
    assert said(need("nginx"), "-g", "daemon on;") == [
        "pith: nginx asked for a second process (fork); there is only one: "
        "start it with -g 'daemon off; master_process off;'"]
    line, = said(PY, "-c", "import os; os.fork()")
    assert line.endswith("keeps it in the foreground, single or threaded")
    line, = said(PY, "-c", "import subprocess; subprocess.run(['/bin/true'])")
    assert "(to run another program)" in line


@pytest.mark.parametrize("word", ["", "print(1)"])
def test_no_word(serve, word):
    """A server that fails without a word: where its reasons can be seen."""
    s = serve([PY, "-c", f"{word}\nraise SystemExit(3)"], ports=[7000])
    s.close(3)
    assert (b"status 3 without a word; --missing-files" in s.text) \
        == (not word), s.text


def test_last_words(pith, tmp_path):
    """A file that the program did not find, and that this host has."""
    need("mosquitto_sub")  # for its library
    there = tmp_path / "there"
    there.write_text("x")
    def said(*words):
        r = subprocess.run([pith, "run", "--timeout", str(LIMIT), *words],
                           stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=LIMIT + 30)
        return r.returncode, [line for line in r.stderr.decode().splitlines()
                              if line.startswith("pith:")]
    # Not an argument of its own, so that it does not go in.
    script = "import sys; sys.path.pop(); " + \
        f"open('/' + '/'.join({str(there).split('/')[1:]!r}))"
    assert said(PY, "-c", script) == (1, [
        f"pith: the image lacks {there}, which this host has: -i puts it in"])
    assert said("-i", str(there), PY, "-c", script) == (0, [])
    assert said(PY, "-c", "import ctypes; ctypes.CDLL('libmosquitto.so.1')") \
        == (1, ["pith: the image lacks /usr/lib/x86_64-linux-gnu/"
                "libmosquitto.so.1, which this host has: -i puts it in"])
    assert said("/bin/cat", "/no/such") == (1, [])
    assert said("/bin/ls", "/usr/no/such") == (2, [])
