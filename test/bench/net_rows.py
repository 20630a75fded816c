# SPDX-License-Identifier: Apache-2.0
"""What net.py measures: the servers, by group, and for each row the client
that loads its server and what is read from what it says.

A row gives {row: rate} and {row_p99: ms}, rows of a fixed rate {row_p50: ms,
row_p99: ms}.
"""

import json
import re
import subprocess
import time

import bench

HOST, GUEST = "192.168.77.1", "192.168.77.2"

NGINX_CONF = """daemon off; master_process off;
error_log stderr;
pid /tmp/nginx.pid;
events { worker_connections 1024; }
http {
    access_log off; sendfile on; keepalive_requests 1000000000;
    client_body_temp_path /tmp/b; proxy_temp_path /tmp/p;
    fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    server { listen 80 backlog=1024; root /bench; }
}
"""

# Program, port, rows; LOAD is test/bench/load.c, built by the bench.
LOAD = "LOAD"
GROUPS = {
    "redis": (["/usr/bin/redis-server", "--port", "6379", "--bind", "0.0.0.0",
               "--protected-mode", "no", "--save", "", "--appendonly", "no"],
              6379, ["redis_set", "redis_get", "redis_set_p16",
                     "redis_get_p16", "redis_rate"]),
    "nginx": (["/usr/sbin/nginx", "-c", "/bench/nginx.conf"], 80,
              ["nginx_1k", "nginx_1m", "nginx_conn", "nginx_rate"]),
    "memcached": (["/usr/bin/memcached", "-u", "nobody", "-l", "0.0.0.0"],
                  11211, ["memcached_set", "memcached_get"]),
    "udp": ([LOAD, "echo", "7"], 7, ["udp_echo"]),
    "iperf": (["/usr/bin/iperf3", "-s", "--forceflush"], 5201,
              ["iperf_in", "iperf_out", "iperf8_in", "iperf8_out"]),
}

# What those say that are ready, where a probe would disturb.
SAYS = {"iperf": b"Server listening", "udp": b"listening"}

# The figure's mark: Pith over Linux, by number of CPUs (baseline; where it says
# nothing: no worse).  Of latencies less is better.
MARKS = {
    "redis_set": {1: 2.5, 2: 2.0}, "redis_get": {1: 2.5, 2: 2.0},
    "redis_set_p16": {1: 1.5, 2: 1.5}, "redis_get_p16": {1: 1.5, 2: 1.5},
    "nginx_1k": {1: 2.5, 2: 2.2},
}
ROWS = [r for _, _, rows in GROUPS.values() for r in rows]
LESS = ("_p50", "_p99")

RATES = {"redis_rate": 1500, "nginx_rate": 500}  # requests a second
VALUE = "x" * 100
HTTP = "GET /%s HTTP/1.1\\r\\nHost: x\\r\\n%s\\r\\n"
REDIS_PREPARE = "SET k abc\\r\\n"
MC_SET = "set k 0 0 100\\r\\n" + VALUE + "\\r\\n"

# For load.c: port, connections, request, more options; of the same rows as
# the packaged clients where one request is the same.
REQUESTS = {
    "redis_set": (20, "SET k abc\\r\\n", []),
    "redis_get": (20, "GET k\\r\\n", ["-p", REDIS_PREPARE]),
    "redis_rate": (20, "GET k\\r\\n", ["-p", REDIS_PREPARE]),
    "nginx_1k": (16, HTTP % ("1k", ""), []),
    "nginx_1m": (16, HTTP % ("1m", ""), []),
    "nginx_conn": (16, HTTP % ("1k", "Connection: close\\r\\n"), ["-1"]),
    "nginx_rate": (32, HTTP % ("1k", ""), []),
    "memcached_set": (20, MC_SET, []),
    "memcached_get": (20, "get k\\r\\n", ["-p", MC_SET]),
}


def group_of(row):
    return next(g for g, (_, _, rows) in GROUPS.items() if row in rows)


class Clients:
    """Mixed into the bench, which has `load`, `args` and `work`."""

    def client(self, argv):
        r = subprocess.run(argv, stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=self.args.timeout)
        if r.returncode:
            bench.say("bench: %s: %s" % (argv[0], r.stderr[-300:]))
        return r.stdout.decode()

    def seconds(self):
        return "2" if self.args.quick else "5"

    def load_tcp(self, row, *more):
        """What load.c says of the row's request."""
        connections, request, options = REQUESTS[row]
        out = self.client([self.load, "tcp", GUEST,
                           str(GROUPS[group_of(row)][1]), "-c",
                           str(connections), *options, *more, request])
        return json.loads(out) if out else None

    def measure(self, row):
        if row in RATES:
            return self.at_rate(row)
        return getattr(self, group_of(row))(row)

    def at_rate(self, row):
        """Latencies at a fixed rate, if it was kept."""
        got = self.load_tcp(row, "-t", self.seconds(), "-r", str(RATES[row]))
        if not got:
            return {}
        if got["rps"] < 0.95 * RATES[row]:
            bench.say("bench: %s: %.0f a second of %d" % (
                row, got["rps"], RATES[row]))
        return {row + "_p50": got["p50"], row + "_p99": got["p99"]}

    def redis(self, row, n=None):
        pipeline = 16 if row.endswith("_p16") else 1
        n = n or (2000 if self.args.quick else 10000) * \
            (8 if pipeline > 1 else 1)
        out = self.client(["redis-benchmark", "-h", GUEST, "-c", "20", "-n",
                           str(n), "-P", str(pipeline), "--csv", "-t",
                           row.split("_")[1]])
        m = re.search(r'^"(?:SET|GET)","([0-9.]+)","[0-9.]+","[0-9.]+",'
                      r'"[0-9.]+","[0-9.]+","([0-9.]+)"', out, re.M)
        return {row: float(m.group(1)), row + "_p99": float(m.group(2))} \
            if m else {}

    def nginx(self, row):
        close = row == "nginx_conn"
        out = self.client(["wrk", "-c", "16", "-t", "2", "-d",
                           self.seconds() + "s", "--latency", *(
                               ["-H", "Connection: close"] if close else []),
                           "http://%s/%s" % (
                               GUEST, "1m" if row == "nginx_1m" else "1k")])
        rps = re.search(r"Requests/sec:\s+([0-9.]+)", out)
        p99 = re.search(r"99%\s+([0-9.]+)(us|ms|s)", out)
        if not rps or not p99 or "Non-2xx" in out:
            return {}
        scale = {"us": 0.001, "ms": 1, "s": 1000}[p99.group(2)]
        return {row: float(rps.group(1)),
                row + "_p99": float(p99.group(1)) * scale}

    def memcached(self, row):
        got = self.load_tcp(row, "-t", self.seconds())
        return {row: got["rps"], row + "_p99": got["p99"]} if got else {}

    def udp(self, row, *more):
        out = self.client([self.load, "udp", GUEST, "7", "-c", "32", *(
            more or ("-t", self.seconds()))])
        got = json.loads(out) if out else None
        return {row: got["rps"], row + "_p99": got["p99"]} if got else {}

    def iperf(self, row, *more):
        name, way = row.split("_")
        more = more or ("-t", "2" if self.args.quick else "4")
        for _ in range(10):
            out = self.client(["iperf3", "-c", GUEST, "-J", *more, "-P",
                               "8" if name == "iperf8" else "1"] +
                              (["-R"] if way == "out" else []))
            try:
                got = json.loads(out)["end"]["sum_received"]
                return {row: got["bits_per_second"] / 8e6}
            except (ValueError, KeyError):
                time.sleep(0.2) # it has not yet done with the one before
        return {}

    def exactly(self, row, n):
        """n requests of the row, for counting."""
        if row.endswith("_p16"):
            self.redis(row, n)
        elif group_of(row) == "udp":
            self.udp(row, "-n", str(n))
        elif group_of(row) == "iperf":
            self.iperf(row, "-n", "%dM" % n)
        else:
            self.load_tcp(row, "-n", str(n))
