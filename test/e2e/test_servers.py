# SPDX-License-Identifier: Apache-2.0
"""More of real servers and clients: proxies, TLS of every kind, and what a
device may be that pith does not choose.

Goal and method are those of test_net.py: clients on the host, or a server on
the host for clients in Pith; each answer is checked by its bytes."""

import hashlib
import http.client
import os
import socket
import subprocess

import pytest

from test_net import (HERE, LIMIT, PY, REDIS, cert, client_tls, data, get,
                      host_http, need, recv_all, resp, run, serve)

fixtures = cert, host_http, serve

PROXY = """
error_log stderr;
pid /tmp/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off; client_max_body_size 8m;
    client_body_temp_path /tmp/b; proxy_temp_path /tmp/p;
    fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    upstream plain {{ server 10.0.2.2:{plain}; keepalive 4; }}
    server {{
        listen 80;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        location / {{ proxy_pass http://plain; }}
        location /tls/ {{
            proxy_pass https://10.0.2.2:{tls}/;
            proxy_ssl_trusted_certificate {cert}/cert.pem;
            proxy_ssl_verify on; proxy_ssl_name localhost;
        }}
    }}
}}
"""


def test_nginx_proxy(serve, tmp_path, host_http, cert):
    """Both ends: clients of the host through the machine to the host, whose
    certificate nginx verifies; a body longer than it keeps in memory."""
    conf = tmp_path / "nginx.conf"
    conf.write_text(PROXY.format(plain=host_http[0], tls=host_http[1],
                                 cert=cert))
    s = serve([need("nginx"), "-c", str(conf), "-g",
               "daemon off; master_process off;"], ports=[80],
              options=["-i", str(cert)])
    s.until(lambda: get(s.port[80], "/1"))
    c = http.client.HTTPConnection("127.0.0.1", s.port[80], timeout=LIMIT)
    for path in ("/%d", "/tls/%d"):
        for n in (0, 1000, 1500000):
            assert get(0, path % n, conn=c) == (200, data(n))
    body = data(700000)
    c.request("POST", "/", body)
    r = c.getresponse()
    assert (r.status, r.read().decode()) == \
        (200, hashlib.sha256(body).hexdigest())
    c.close()
    s.close()


def test_haproxy_tls(serve, tmp_path, host_http, cert):
    """Ends TLS, and speaks TLS to the other side."""
    both = tmp_path / "both.pem"
    both.write_bytes((cert / "cert.pem").read_bytes() +
                     (cert / "key.pem").read_bytes())
    conf = tmp_path / "haproxy.cfg"
    conf.write_text("""
global
    maxconn 200
defaults
    mode http
    timeout connect 30s
    timeout client 30s
    timeout server 30s
frontend f
    bind *:8443 ssl crt %s
    default_backend b
backend b
    server s 10.0.2.2:%d ssl verify required ca-file %s/cert.pem
""" % (both, host_http[1], cert))
    s = serve([need("haproxy"), "-db", "-f", str(conf)], ports=[8443],
              options=["-i", str(both), "-i", str(cert)])
    tls = client_tls(cert)
    s.until(lambda: get(s.port[8443], "/1", tls=tls))
    for n in (0, 1000, 1000000):
        assert get(s.port[8443], "/%d" % n, tls=tls) == (200, data(n))
    s.close()


def test_redis_tls(serve, cert):
    """By Python's ssl, redis-cli and redis-benchmark."""
    s = serve([need("redis-server"), "--port", "0", "--tls-port", "6379",
               "--tls-auth-clients", "no", "--tls-cert-file",
               str(cert / "cert.pem"), "--tls-key-file", str(cert / "key.pem"),
               *REDIS[2:]], ports=[6379], options=["-i", str(cert)])
    s.wait(rb"Ready to accept connections")
    c = client_tls(cert).wrap_socket(s.connect(6379),
                                     server_hostname="127.0.0.1")
    big = data(1 << 20)
    c.sendall(resp(b"SET", b"big", big) + resp(b"GET", b"big"))
    assert recv_all(c, 5) == b"+OK\r\n"
    assert recv_all(c, 10 + len(big) + 2) == b"$1048576\r\n" + big + b"\r\n"
    c.close()
    where = ["-p", str(s.port[6379]), "--tls", "--cacert",
             str(cert / "cert.pem")]
    r = subprocess.run([need("redis-cli"), *where, "GET", "big"],
                       capture_output=True, timeout=LIMIT)
    assert (r.returncode, r.stdout) == (0, big + b"\n"), r.stderr
    r = subprocess.run([need("redis-benchmark"), *where, "-c", "10", "-n",
                        "500", "-P", "4", "-q", "-t", "set,get,lrange_100"],
                       capture_output=True, timeout=LIMIT)
    assert r.returncode == 0 and \
        r.stdout.count(b"requests per second") == 4, r.stderr
    s.close()


def test_asyncio_tls(serve, pith, cert, host_http):
    """A server and a client of asyncio's streams."""
    s = serve([PY, os.path.join(HERE, "net/asyncio_http.py"),
               str(cert / "cert.pem"), str(cert / "key.pem")], ports=[8000],
              options=["-i", str(cert)])
    s.wait(rb"listening")
    c = http.client.HTTPSConnection("127.0.0.1", s.port[8000], timeout=LIMIT,
                                    context=client_tls(cert))
    assert get(0, "/200000", conn=c) == (200, b"x" * 200000)
    body = data(300000)
    c.request("POST", "/", body)
    r = c.getresponse()
    assert (r.status, r.read()) == (200, body)
    c.close()
    s.close()
    out = run(pith, "-i", cert, PY, os.path.join(HERE, "net/asyncio_get.py"),
              host_http[1], cert / "cert.pem", 10, 400000)
    want = [hashlib.sha256(data(n)).hexdigest() for n in (10, 400000)]
    assert out.decode().split() == want


def test_whole_redis_benchmark(serve):
    """All that it asks when it is not told what."""
    s = serve([need("redis-server"), *REDIS], ports=[6379])
    s.wait(rb"Ready to accept connections")
    r = subprocess.run([need("redis-benchmark"), "-p", str(s.port[6379]), "-c",
                        "20", "-n", "200", "--csv"], capture_output=True,
                       timeout=LIMIT)
    assert r.returncode == 0 and len(r.stdout.splitlines()) == 21, \
        (r.stdout, r.stderr)
    s.close()


def test_more_than_memory(serve):
    """Who asks for more than there is is told, and does not go on for ever
    with its own text read from the disk page by page."""
    s = serve([need("redis-server"), *REDIS, "--enable-debug-command", "yes"],
              ports=[6379], options=["-m", "40M"])
    s.wait(rb"Ready to accept connections")
    c = s.connect(6379)
    c.sendall(resp(b"DEBUG", b"POPULATE", b"200000", b"key", b"1000"))
    s.wait(rb"pith: out of memory")
    s.close(status=137)


# ---- what a device may be that pith does not choose ----

DEVICES = {
    "transitional": ("q35", {"disable-legacy": "off"}, 1500),
    "mtu": ("q35", {"host_mtu": 1400}, 1400),
    "mtu_mmio": ("microvm", {"host_mtu": 1280}, 1280),
    "plain": ("q35", dict.fromkeys(
        ("mrg_rxbuf", "csum", "guest_csum", "ctrl_vq", "event_idx",
         "indirect_desc"), False), 1500),
}


@pytest.mark.parametrize("name", DEVICES)
def test_device(serve, monkeypatch, tmp_path, name):
    """A megabyte each way through it, and the MTU that it says."""
    machine, changes, mtu = DEVICES[name]
    qemu = tmp_path / "qemu"
    qemu.write_text("""#!/usr/bin/python3
import json, os, sys
for i, a in enumerate(sys.argv):
    if a.startswith('{"driver":"virtio-net-'):
        sys.argv[i] = json.dumps({**json.loads(a), **%r})
os.execvp("qemu-system-x86_64", ["qemu-system-x86_64"] + sys.argv[1:])
""" % changes)
    qemu.chmod(0o755)
    monkeypatch.setenv("PITH_QEMU", str(qemu))
    s = serve([PY, os.path.join(HERE, "net/http_server.py")], ports=[8000],
              options=["--machine", machine])
    s.wait(rb"listening")
    c = http.client.HTTPConnection("127.0.0.1", s.port[8000], timeout=LIMIT)
    assert get(0, "/1000000", conn=c) == (200, b"x" * 1000000)
    body = data(1000000)
    c.request("POST", "/", body)
    r = c.getresponse()
    assert (r.status, r.read()) == (200, body)
    assert int(get(0, "/mtu", conn=c)[1]) == mtu
    c.close()
    s.close()


UDP_ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 5000))
print("listening", flush=True)
while True:
    d, who = s.recvfrom(2000)
    s.sendto(d[::-1], who)
"""


def test_udp_by_address(serve):
    """-p ADDR:HOST:GUEST/udp: another address of the host's, and ports that
    differ."""
    s = serve([PY, "-c", UDP_ECHO], options=["-p", "127.0.0.9:0:5000/udp"])
    port = int(s.wait(rb"pith: 127\.0\.0\.9:(\d+)/udp is port 5000").group(1))
    s.wait(rb"listening")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
        c.settimeout(LIMIT)
        for n in (1, 100, 1400):
            c.sendto(data(n), ("127.0.0.9", port))
            assert c.recv(2000) == data(n)[::-1]
    s.close()

