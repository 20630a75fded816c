# SPDX-License-Identifier: Apache-2.0
"""Very many: descriptors, idle connections, short connections, requests.

Goal: nothing is lost, and memory is what it was.  The long forms are those of
`make soak`: a million short connections, an hour of requests, a gigabyte in
Redis.  What is left of a machine's memory is asked in it, after a while and at
the end (net/short_server.c, net/meminfo.c)."""

import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
PY = "/usr/bin/python3"
LONG = bool(os.environ.get("PITH_LONG"))
LIMIT = 7200 if LONG else 400  # seconds of a test, at the outside

root = pytest.mark.skipif(os.geteuid() != 0, reason="making a tap needs root")


def net(name):
    return os.path.join(HERE, "net", name)


def compile_c(tmp_path, name, how=("-static",)):
    exe = str(tmp_path / name)
    subprocess.run(["gcc", "-O1", *how, "-o", exe, net(name + ".c")],
                   check=True)
    return exe


def in_namespace(client, *argv):
    """What the client, which starts the machine, says."""
    r = subprocess.run(["unshare", "-n", PY, net(client), *argv],
                       capture_output=True, timeout=LIMIT + 30)
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr[-2000:]
    print(r.stderr.decode())
    return r.stdout.decode().splitlines()


def on_tap(pith, *more):
    return [pith, "run", "--timeout", str(LIMIT), "--net", "tap=t0", "--ip",
            "192.168.77.2/24", *more]


def test_descriptors(pith, tmp_path):
    """50,000 at once, ready at once."""
    r = subprocess.run([pith, "run", "--timeout", str(LIMIT), "-m", "512M",
                        compile_c(tmp_path, "many"), "50000"],
                       capture_output=True, timeout=LIMIT + 30)
    assert r.stdout.decode().splitlines() == [
        "watched 50000", "ready 50000", "again 0",
        "6 more: Too many open files", "first free again"], r.stderr
    assert r.returncode == 0, r


NGINX = """
daemon off; master_process off;
error_log stderr;
pid /tmp/nginx.pid;
events { worker_connections 12000; }
http {
    access_log off; keepalive_timeout 3600;
    client_body_temp_path /tmp/b; proxy_temp_path /tmp/p;
    fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    server { listen 80 backlog=1024; root /docs; }
}
"""


@root
def test_idle_connections(pith, tmp_path):
    """10,000 that stay, all asked again when all are there."""
    count = 10000
    (tmp_path / "nginx.conf").write_text(NGINX)
    docs = tmp_path / "docs"
    docs.mkdir()
    for i in range(10):
        (docs / str(i)).write_bytes(b"%d-" % i * 20)
    assert in_namespace(
        "idle_client.py", str(count),
        *on_tap(pith, "-m", "128M", "--rlimit", "nofile=12500", "-i",
                "%s:/docs" % docs, "-i",
                "%s:/nginx.conf" % (tmp_path / "nginx.conf"),
                "/usr/sbin/nginx", "-c", "/nginx.conf")) == [
        "%d answered" % count, "%d again" % count]


@root
@pytest.mark.parametrize("cpus", ["1", "2"])
def test_short_connections(pith, tmp_path, cpus):
    """Opened, answered, ended in every way; memory does not go."""
    count = 1000000 if LONG else 5000
    good, less = in_namespace(
        "short_client.py", str(count), cpus,
        *on_tap(pith, "-m", "64M", "-c", cpus,
                compile_c(tmp_path, "short_server")))
    assert good == "%d answered" % count
    assert int(less.split()[0]) < 1024, less


@root
@pytest.mark.parametrize("cpus", ["1", "2"])
def test_pressure(pith, tmp_path, cpus):
    """More is under way, both ways, than there is memory: it waits, and no
    connection is lost."""
    count = 100
    assert in_namespace(
        "press_client.py", str(count), "400000",
        *on_tap(pith, "-m", "16M", "-c", cpus, compile_c(tmp_path, "press"),
                str(count), "400000")) == ["%d right" % count]


@root
def test_scan(pith, tmp_path):
    """Ports are scanned in every way; who is served goes on being served."""
    ports = 20000 if LONG else 1000
    *lines, less = in_namespace(
        "scan_client.py", str(ports),
        *on_tap(pith, "-m", "64M", compile_c(tmp_path, "short_server")))
    assert lines == [
        "connect [('ECONNREFUSED', %d), ('open', 1)]" % (ports - 2),
        "syn ['0x14'] True 0x12", "ack ['0x14'] True 0x14",
        "fin ['0x14'] True 0x10", "null ['0x14'] True 0x10",
        "xmas ['0x14'] True 0x10", "all ['0x14'] True 0x14",
        "datagrams refused {'ECONNREFUSED'}", "kept b'a'"]
    assert int(less.split()[0]) < 1024, less


@root
@pytest.mark.parametrize("cpus", ["1", "2"])
def test_unkind_clients(pith, tmp_path, cpus):
    """What they send is well formed, and made to leave something behind."""
    exe = compile_c(tmp_path, "unkind", ("-static", "-pthread"))
    *lines, less = in_namespace(
        "unkind_client.py", "20000" if LONG else "2000",
        *on_tap(pith, "-m", "24M", "-c", cpus, exe))
    assert lines == ["fragments True", "deferred True", "lingered",
                     "crumbs True"]
    assert int(less.split()[0]) < 1024, less


REDIS = ["/usr/bin/redis-server", "--port", "6379", "--bind", "0.0.0.0",
         "--protected-mode", "no", "--save", "", "--appendonly", "no"]


@root
@pytest.mark.parametrize("cpus", ["1", "2"])
@pytest.mark.parametrize("kind", ["nginx", "redis"])
def test_requests(pith, tmp_path, kind, cpus):
    """As fast as they are answered, in a machine of little memory."""
    seconds = "900" if LONG else "4"
    spy = compile_c(tmp_path, "meminfo", ("-shared", "-fPIC"))
    if kind == "nginx":
        conf = tmp_path / "nginx.conf"
        conf.write_text(NGINX.replace("12000", "200"))
        (tmp_path / "1").write_bytes(b"1-" * 20)
        program = ["-m", "24M", "-i", "%s:/docs/1" % (tmp_path / "1"), "-i",
                   "%s:/nginx.conf" % conf, "/usr/sbin/nginx", "-c",
                   "/nginx.conf"]
    else:
        program = ["-m", "48M", *REDIS]
    good, there, less = in_namespace(
        "requests_client.py", seconds, kind,
        *on_tap(pith, "-c", cpus, "-i", spy + ":/meminfo.so", "-e",
                "LD_PRELOAD=/meminfo.so", *program))
    assert (good, there) == ("good", "still there")
    assert int(less.split()[0]) < 4096, less


@root
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_large_redis(pith, tmp_path, tls):
    """A data set of a gigabyte, a tenth of it over TLS; each value checked."""
    count = (100000 if tls else 1000000) if LONG else 4000 if tls else 20000
    options, words, cert = ["-m", "2G" if LONG else "128M"], REDIS, ""
    if tls:
        cert = str(tmp_path / "cert.pem")
        key = str(tmp_path / "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048",
                        "-nodes", "-keyout", key, "-out", cert, "-days", "30",
                        "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=IP:192.168.77.2"], check=True,
                       capture_output=True)
        options += ["-i", cert, "-i", key]
        words = [REDIS[0], "--port", "0", "--tls-port", "6379",
                 "--tls-auth-clients", "no", "--tls-cert-file", cert,
                 "--tls-key-file", key, *REDIS[3:]]
    assert in_namespace("redis_client.py", str(count), cert,
                        *on_tap(pith, *options, *words)) == [
        "%d set" % count, "%d right" % count]
