# SPDX-License-Identifier: Apache-2.0
"""SECONDS KIND COMMAND...: starts the command, nginx or redis-server in a
machine on the tap t0, and asks it for that long as fast as it answers; says
whether all was answered, that it answers then, and how much less memory is
left than after a tenth of the time, in KB (meminfo.c in the machine says).
On stderr, a line a minute."""
import re
import socket
import subprocess
import sys
import time

from machine import start_machine

SECONDS, KIND = float(sys.argv[1]), sys.argv[2]
ROUND = min(60, max(1, SECONDS / 10))
PORT = {"nginx": 80, "redis": 6379}[KIND]
MACHINE = "192.168.77.2"
for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add 192.168.77.1/24 dev t0", "link set t0 up"):
    subprocess.run(["ip"] + line.split(), check=True)
machine = start_machine(sys.argv[3:], stdout=subprocess.DEVNULL)


def ask(port, question, seconds=240):
    with socket.create_connection((MACHINE, port), seconds) as c:
        c.settimeout(240)
        c.sendall(question)
        return b"".join(iter(lambda: c.recv(4096), b""))


def good(seconds=240):
    if KIND == "redis":
        return ask(PORT, b"PING\r\nQUIT\r\n", seconds) == \
            b"+PONG\r\n+OK\r\n"
    answer = ask(PORT, b"GET /1 HTTP/1.0\r\n\r\n", seconds)
    return answer.startswith(b"HTTP/1.1 200 OK") and \
        answer.endswith(b"1-" * 20)


def meminfo():
    """Its numbers, in KB."""
    return {k: int(v) for k, v in
            re.findall(r"(\w+): +(\d+)", ask(9, b"").decode())}


def nginx():
    """One round; how many requests were answered."""
    out = subprocess.run(["wrk", "-c", "64", "-t", "2", "--timeout", "240s",
                          "-d", "%ds" % ROUND, "http://%s/1" % MACHINE],
                         check=True, capture_output=True).stdout.decode()
    assert "Socket errors" not in out and "Non-2xx" not in out, out
    return int(re.search(r"(\d+) requests in", out).group(1))


TESTS = "set,get,incr,lpush,lpop,sadd,hset,spop,mset"
SET = 20000 if SECONDS > 60 else 1000


def redis():
    end, count = time.monotonic() + ROUND, 0
    while time.monotonic() < end:
        out = subprocess.run(["redis-benchmark", "-h", MACHINE, "-n", str(SET),
                              "-c", "50", "-P", "4", "-r", "1000", "--csv",
                              "-t", TESTS], check=True,
                             capture_output=True).stdout.decode()
        assert out.count("\n") == 1 + len(TESTS.split(",")), out
        count += SET * len(TESTS.split(","))
        ask(PORT, b"FLUSHALL\r\nQUIT\r\n")
    return count


while True:
    try:
        assert good(5)  # before it listens nobody answers
        break
    except OSError:
        assert machine.poll() is None
        time.sleep(0.05)
print("start", meminfo(), file=sys.stderr)
begin, first, total = time.monotonic(), None, 0
while first is None or time.monotonic() < begin + SECONDS:
    total += {"nginx": nginx, "redis": redis}[KIND]()
    now = meminfo()
    print("%.0f s, %d requests, %d KB available, %d KB free, slab %d KB" % (
        time.monotonic() - begin, total, now["MemAvailable"], now["MemFree"],
        now["Slab"]), file=sys.stderr, flush=True)
    if first is None and time.monotonic() >= begin + SECONDS / 10:
        first = now
print("good")
assert good()
print("still there")
print("%d KB less" % (first["MemAvailable"] - meminfo()["MemAvailable"]))
machine.terminate()
machine.wait()
