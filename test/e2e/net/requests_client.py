# SPDX-License-Identifier: Apache-2.0
"""SECONDS KIND COMMAND...: starts the command, nginx or redis-server in a
machine on the tap t0, and asks it for that long as fast as it answers; says
whether all was answered, and that it answers then."""
import re
import socket
import subprocess
import sys
import time

SECONDS, KIND = sys.argv[1:3]
COUNT = "20000" if float(SECONDS) > 60 else "2000"
PORT = {"nginx": 80, "redis": 6379}[KIND]
ADDRESS = ("192.168.77.2", PORT)
for line in ("link set lo up", "tuntap add t0 mode tap",
             "addr add 192.168.77.1/24 dev t0", "link set t0 up"):
    subprocess.run(["ip"] + line.split(), check=True)
machine = subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL)


def one():
    with socket.create_connection(ADDRESS, 5) as c:
        c.settimeout(100)
        c.sendall(b"GET /1 HTTP/1.0\r\n\r\n" if KIND == "nginx" else
                  b"PING\r\nQUIT\r\n")
        return b"".join(iter(lambda: c.recv(4096), b""))


def good(answer):
    return answer == b"+PONG\r\n+OK\r\n" if KIND == "redis" else \
        answer.startswith(b"HTTP/1.1 200 OK") and answer.endswith(b"1-" * 20)


while True:
    try:
        assert good(one())
        break
    except OSError:
        assert machine.poll() is None
        time.sleep(0.05)
end = time.monotonic() + float(SECONDS)
if KIND == "nginx":
    out = subprocess.run(["wrk", "-c", "64", "-t", "2", "-d", SECONDS + "s",
                          "http://%s/1" % ADDRESS[0]], check=True,
                         capture_output=True).stdout.decode()
    print(re.search(r"\d+ requests in", out).group(), file=sys.stderr)
    print("errors" if "Socket errors" in out or "Non-2xx" in out else "good")
else:
    rounds = 0
    while time.monotonic() < end:
        r = subprocess.run(["redis-benchmark", "-h", ADDRESS[0], "-n", COUNT,
                            "-c", "50", "-P", "4", "-r", "1000", "--csv", "-t",
                            "set,get,incr,lpush,lpop,sadd,hset,spop,mset"],
                           check=True, capture_output=True)
        rounds += 1
        with socket.create_connection(ADDRESS) as c:
            c.sendall(b"FLUSHALL\r\nQUIT\r\n")
            while c.recv(100):
                pass
    print(rounds, "rounds", file=sys.stderr)
    print("good")
assert good(one())
print("still there")
machine.terminate()
machine.wait()
