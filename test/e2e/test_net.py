# SPDX-License-Identifier: Apache-2.0
"""Real servers and clients, unmodified, over the network.

Goal: each answers as it does on Linux; what it answers is checked by its
bytes.  Method: servers run by `pith run -p 0:PORT`, clients are on the host,
which pith tells the port that it took; programs that are clients in Pith talk
to a server of the test on the host, which is 10.0.2.2 for them.

Nothing depends on a time: each waits for the server's own words, or asks
until it answers, for as long as the test may take.
"""

import hashlib
import http.client
import http.server
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "programs")
PY = "/usr/bin/python3"
LONG = bool(os.environ.get("PITH_LONG"))
LIMIT = 900 if LONG else 300  # seconds of a test, at the outside


def data(n):
    """n bytes that show a lost, doubled or moved piece."""
    out = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(n // 32 + 1))
    return out[:n]


class Server:
    """`pith run` of a server; ports maps its ports to the host's."""

    def __init__(self, pith, argv, ports=(), udp=(), options=()):
        publish = []
        for p in ports:
            publish += ["-p", "0:%d" % p]
        for p in udp:
            publish += ["-p", "0:%d/udp" % p]
        self.p = subprocess.Popen(
            [pith, "run", "--timeout", str(LIMIT), *options, *publish, *argv],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.text = b""
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.port = {}
        for p in (*ports, *udp):
            m = self.wait(rb"pith: 127\.0\.0\.1:(\d+)(/udp)? is port %d " % p)
            self.port[p] = int(m.group(1))

    def read(self):
        while chunk := os.read(self.p.stdout.fileno(), 65536):
            with self.changed:
                self.text += chunk
                self.changed.notify_all()
        with self.changed:
            self.text += b"\n[end]"
            self.changed.notify_all()

    def wait(self, pattern):
        """Until the server has said it."""
        end = time.monotonic() + LIMIT
        with self.changed:
            while not (m := re.search(pattern, self.text)):
                assert not self.text.endswith(b"[end]"), self.text[-2000:]
                assert time.monotonic() < end, self.text[-2000:]
                self.changed.wait(1)
        return m

    def connect(self, port, host="127.0.0.1"):
        s = socket.create_connection((host, self.port[port]), timeout=LIMIT)
        s.settimeout(LIMIT)
        return s

    def until(self, fn):
        """Calls fn until it raises nothing: for servers that say nothing."""
        end = time.monotonic() + LIMIT
        while True:
            try:
                return fn()
            except OSError:
                assert self.p.poll() is None, self.text[-2000:]
                assert time.monotonic() < end, self.text[-2000:]
                time.sleep(0.05)

    def close(self, status=None):
        """Ends it as a user does; the status when it ends by itself."""
        if status is None:
            self.p.terminate()
        got = self.p.wait(LIMIT)
        self.reader.join(LIMIT)
        if status is not None:
            assert got == status, self.text[-2000:]

    def kill(self):
        if self.p.poll() is None:
            self.p.terminate()
            try:
                self.p.wait(60)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()


@pytest.fixture
def serve(pith):
    made = []

    def make(argv, **kw):
        made.append(Server(pith, argv, **kw))
        return made[-1]
    yield make
    for s in made:
        s.kill()


def need(path):
    found = shutil.which(path) or shutil.which(path, path="/usr/sbin:/usr/bin")
    if not found:
        pytest.skip("%s is not installed" % path)
    return found


def recv_all(s, n=None):
    out = b""
    while n is None or len(out) < n:
        chunk = s.recv(65536 if n is None else n - len(out))
        if not chunk:
            break
        out += chunk
    return out


def get(port, path, tls=None, conn=None):
    """One GET; conn: over this connection, which is kept."""
    c = conn or (http.client.HTTPSConnection("127.0.0.1", port, context=tls,
                                             timeout=LIMIT) if tls else
                 http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT))
    try:
        c.request("GET", path)
        r = c.getresponse()
        return r.status, r.read()
    finally:
        if not conn:
            c.close()


@pytest.fixture(scope="session")
def cert(tmp_path_factory):
    d = tmp_path_factory.mktemp("cert")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-keyout", d / "key.pem", "-out", d / "cert.pem", "-days",
                    "30", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:10.0.2.2"],
                   check=True, capture_output=True)
    return d


def client_tls(cert):
    return ssl.create_default_context(cafile=str(cert / "cert.pem"))


@pytest.fixture
def host_http(cert):
    """A server on the host for clients in Pith: GET gives data(n) of /n, POST
    the hash of what came; ports (plain, TLS)."""
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, body):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.answer(data(int(self.path[1:])))

        def do_POST(self):
            n = int(self.headers["Content-Length"])
            self.answer(hashlib.sha256(self.rfile.read(n)).hexdigest().encode())

        def log_message(self, *args):
            pass

    servers = []
    for tls in (False, True):
        s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        s.daemon_threads = True
        if tls:
            c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            c.load_cert_chain(cert / "cert.pem", cert / "key.pem")
            s.socket = c.wrap_socket(s.socket, server_side=True)
        threading.Thread(target=s.serve_forever, daemon=True).start()
        servers.append(s)
    yield tuple(s.server_address[1] for s in servers)
    for s in servers:
        s.shutdown()
        s.server_close()


def run(pith, *words, status=0):
    r = subprocess.run([pith, "run", "--timeout", str(LIMIT), *map(str, words)],
                       stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=LIMIT + 30)
    assert r.returncode == status, r.stdout[-2000:] + r.stderr[-2000:]
    return r.stdout


# ---- data stores ----

def resp(*words):
    out = b"*%d\r\n" % len(words)
    for w in words:
        out += b"$%d\r\n%s\r\n" % (len(w), w)
    return out


REDIS = ["--port", "6379", "--bind", "0.0.0.0", "--protected-mode", "no",
         "--save", "", "--appendonly", "no"]


def test_redis(serve):
    s = serve([need("redis-server"), *REDIS], ports=[6379])
    s.wait(rb"Ready to accept connections")
    c = s.connect(6379)
    c.sendall(resp(b"SET", b"k", b"v") + resp(b"GET", b"k"))
    assert recv_all(c, 12) == b"+OK\r\n$1\r\nv\r\n"
    # A pipeline of a thousand, and a value of a megabyte there and back.
    c.sendall(b"".join(resp(b"INCR", b"n") for _ in range(1000)))
    want = b"".join(b":%d\r\n" % (i + 1) for i in range(1000))
    assert recv_all(c, len(want)) == want
    big = data(1 << 20)
    c.sendall(resp(b"SET", b"big", big) + resp(b"GET", b"big"))
    assert recv_all(c, 5) == b"+OK\r\n"
    assert recv_all(c, 10 + len(big) + 2) == b"$1048576\r\n" + big + b"\r\n"
    sub = s.connect(6379)
    sub.sendall(resp(b"SUBSCRIBE", b"news"))
    want = b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"
    assert recv_all(sub, len(want)) == want
    c.sendall(resp(b"PUBLISH", b"news", b"hello"))
    assert recv_all(c, 4) == b":1\r\n"
    want = b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"
    assert recv_all(sub, len(want)) == want
    c.sendall(resp(b"SHUTDOWN", b"NOSAVE"))
    s.close(status=0)


def test_redis_benchmark(serve):
    """Fifty connections at once, all of which are answered."""
    tool = need("redis-benchmark")
    s = serve([need("redis-server"), *REDIS], ports=[6379])
    s.wait(rb"Ready to accept connections")
    for more in (["-n", "1000"], ["-n", "4000", "-P", "16"]):
        r = subprocess.run([tool, "-p", str(s.port[6379]), "-c", "50", "-q",
                            "-t", "ping_mbulk,set,get,incr,lpush,lrange_100,"
                            "sadd,hset,mset", *more], capture_output=True,
                           timeout=LIMIT)
        out = r.stdout.decode().replace("\r", "\n")
        assert r.returncode == 0 and not r.stderr, (out, r.stderr)
        assert out.count("requests per second") >= 9, out
    s.close()


def test_short_connections(serve):
    """A connection for each request, on little memory: nothing is kept of
    those that are over."""
    s = serve([need("redis-server"), *REDIS], ports=[6379],
              options=["-m", "16M"])
    s.wait(rb"Ready to accept connections")
    r = subprocess.run([need("redis-benchmark"), "-p", str(s.port[6379]), "-k",
                        "0", "-c", "10", "-q", "-t", "get", "-n",
                        "100000" if LONG else "2000"], capture_output=True,
                       timeout=LIMIT)
    assert r.returncode == 0 and b"requests per second" in r.stdout, r.stderr
    c = s.connect(6379)
    c.sendall(resp(b"PING"))
    assert recv_all(c, 7) == b"+PONG\r\n"
    s.close()


def test_memcached(serve):
    s = serve([need("memcached"), "-u", "root", "-l", "0.0.0.0"],
              ports=[11211])

    def version():
        c = s.connect(11211)
        c.sendall(b"version\r\n")
        if not c.recv(100).startswith(b"VERSION"):
            raise OSError
        return c
    c = s.until(version)
    big = data(500000)
    c.sendall(b"set k 7 0 %d\r\n%s\r\nget k\r\n" % (len(big), big))
    want = b"STORED\r\nVALUE k 7 %d\r\n%s\r\nEND\r\n" % (len(big), big)
    assert recv_all(c, len(want)) == want
    many = [s.connect(11211) for _ in range(30)]
    for i, m in enumerate(many):
        m.sendall(b"set k%d 0 0 2\r\n%02d\r\n" % (i, i))
    for m in many:
        assert recv_all(m, 8) == b"STORED\r\n"
    c.sendall(b"get k29\r\n")
    assert recv_all(c, 24) == b"VALUE k29 0 2\r\n29\r\nEND\r\n"
    s.close()


# ---- web servers ----

@pytest.fixture
def docroot(tmp_path):
    d = tmp_path / "docs"
    d.mkdir()
    for n in (0, 1000, 100000, 3000000):
        (d / str(n)).write_bytes(data(n))
    return d


NGINX = """
error_log stderr;
pid /tmp/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    sendfile on; tcp_nopush on;
    client_body_temp_path /tmp/b; proxy_temp_path /tmp/p;
    fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    server {{
        listen 80; listen [::]:80;
        listen 443 ssl http2;
        ssl_certificate {cert}/cert.pem; ssl_certificate_key {cert}/key.pem;
        root {docs};
    }}
}}
"""


def test_nginx(serve, tmp_path, docroot, cert):
    conf = tmp_path / "nginx.conf"
    conf.write_text(NGINX.format(cert=cert, docs=docroot))
    s = serve([need("nginx"), "-c", str(conf), "-g",
               "daemon off; master_process off;"], ports=[80, 443],
              options=["-i", str(docroot), "-i", str(cert)])
    s.until(lambda: get(s.port[80], "/0"))
    conn = http.client.HTTPConnection("127.0.0.1", s.port[80], timeout=LIMIT)
    for n in (0, 1000, 100000, 3000000, 1000):
        assert get(s.port[80], "/%d" % n, conn=conn) == (200, data(n))
    assert get(s.port[80], "/nothing", conn=conn)[0] == 404
    tls = client_tls(cert)
    for n in (1000, 3000000):
        assert get(s.port[443], "/%d" % n, tls=tls) == (200, data(n))
    # HTTP/2, by another implementation.
    r = subprocess.run(["curl", "-sS", "--http2", "--cacert",
                        cert / "cert.pem", "-w", "%{http_version}", "-o",
                        tmp_path / "out",
                        "https://localhost:%d/100000" % s.port[443],
                        "--connect-to", "localhost::127.0.0.1:"],
                       capture_output=True, timeout=LIMIT)
    assert (r.stdout, r.stderr) == (b"2", b"")
    assert (tmp_path / "out").read_bytes() == data(100000)
    # Forty connections that stay, asked in turn.
    many = [http.client.HTTPConnection("127.0.0.1", s.port[80], timeout=LIMIT)
            for _ in range(40)]
    for _ in range(2):
        for c in many:
            assert get(0, "/1000", conn=c) == (200, data(1000))
    s.close()


def test_lighttpd(serve, tmp_path, docroot):
    conf = tmp_path / "lighttpd.conf"
    conf.write_text('server.document-root = "%s"\nserver.port = 8000\n'
                    'server.upload-dirs = ( "/tmp" )\n' % docroot)
    s = serve([need("lighttpd"), "-D", "-f", str(conf)], ports=[8000],
              options=["-i", str(docroot)])
    s.until(lambda: get(s.port[8000], "/0"))
    for n in (1000, 3000000):
        assert get(s.port[8000], "/%d" % n) == (200, data(n))
    s.close()


def test_haproxy(serve, tmp_path, host_http):
    """Both ends: clients of the host through the machine to the host, large
    answers by splice through pipes."""
    conf = tmp_path / "haproxy.cfg"
    conf.write_text("""
global
    maxconn 200
defaults
    mode http
    option splice-response
    timeout connect 30s
    timeout client 30s
    timeout server 30s
frontend f
    bind *:8000
    default_backend b
backend b
    server s 10.0.2.2:%d
""" % host_http[0])
    s = serve([need("haproxy"), "-db", "-f", str(conf)], ports=[8000])
    s.until(lambda: get(s.port[8000], "/1"))
    for n in (0, 1000, 1000000):
        assert get(s.port[8000], "/%d" % n) == (200, data(n))
    s.close()


# ---- languages: a server, and a client of the host's ----

def check_echo_server(s, port):
    """GET /N gives N bytes of "x", POST gives the body back."""
    s.wait(rb"listening")
    c = http.client.HTTPConnection("127.0.0.1", s.port[port], timeout=LIMIT)
    assert get(0, "/5", conn=c) == (200, b"xxxxx")
    assert get(0, "/200000", conn=c) == (200, b"x" * 200000)
    body = data(300000)
    c.request("POST", "/", body)
    r = c.getresponse()
    assert (r.status, r.read()) == (200, body)
    c.close()


SERVERS = {
    "node": ["/usr/bin/node", "net/http.js"],
    "python_http": [PY, "net/http_server.py"],
    "python_asyncio": [PY, "net/asyncio_http.py"],
}


@pytest.mark.parametrize("name", SERVERS)
def test_http_server(serve, name):
    program, script = SERVERS[name]
    s = serve([program, os.path.join(HERE, script)], ports=[8000])
    check_echo_server(s, 8000)
    s.close()


@pytest.fixture(scope="session")
def go_http(tmp_path_factory):
    need("go")
    exe = tmp_path_factory.mktemp("go") / "http"
    subprocess.run(["go", "build", "-o", exe, os.path.join(HERE, "net/http.go")],
                   check=True, env=dict(os.environ, CGO_ENABLED="0",
                                        GO111MODULE="off"), timeout=300)
    return str(exe)


def test_go_server(serve, go_http):
    s = serve([go_http, "serve"], ports=[8000], options=["-c", "2"])
    check_echo_server(s, 8000)
    s.close()


def test_go_client(pith, go_http, host_http):
    out = run(pith, go_http, "get",
              "http://10.0.2.2:%d/700000" % host_http[0])
    assert out == hashlib.sha256(data(700000)).hexdigest().encode() + b"\n"


def test_java_server(serve, tmp_path):
    need("javac")
    subprocess.run(["javac", "-d", tmp_path, os.path.join(HERE, "net/Http.java")],
                   check=True, timeout=300)
    s = serve([need("java"), "-cp", str(tmp_path), "Http"], ports=[8000],
              options=["-i", str(tmp_path), "-m", "1G"])
    check_echo_server(s, 8000)
    s.close()


def test_node_client(pith, host_http):
    out = run(pith, "/usr/bin/node", os.path.join(HERE, "net/fetch.js"),
              "http://10.0.2.2:%d/500000" % host_http[0])
    assert out == hashlib.sha256(data(500000)).hexdigest().encode() + b"\n"


def test_python_client(pith, host_http, cert):
    out = run(pith, "-i", cert, PY, os.path.join(HERE, "net/urllib_get.py"),
              "https://10.0.2.2:%d" % host_http[1], str(cert / "cert.pem"))
    want = [hashlib.sha256(data(n)).hexdigest() for n in (10, 400000)]
    assert out.decode().split() == want


def test_curl(pith, host_http, cert, tmp_path):
    curl = need("curl")
    plain, tls = host_http
    assert run(pith, curl, "-sS", "http://10.0.2.2:%d/2000000" % plain) == \
        data(2000000)
    assert run(pith, "-i", cert, curl, "-sS", "--cacert", cert / "cert.pem",
               "https://10.0.2.2:%d/100000" % tls) == data(100000)
    up = tmp_path / "up"
    up.write_bytes(data(1500000))
    assert run(pith, "-i", up, curl, "-sS", "--data-binary", "@%s" % up,
               "-o", "/dev/null", "-w", "%{http_code} %{size_upload}",
               "http://10.0.2.2:%d/" % plain).decode() == "200 1500000"
    # Nobody listens there: curl's own status says "could not connect".
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        # Ours, so that nobody else can listen there.
        run(pith, curl, "-s", "http://10.0.2.2:%d/" % s.getsockname()[1],
            status=7)


def test_openssl_client(pith, host_http, cert):
    """s_client carries a request and its answer.  Its status is not looked at:
    the server ends without TLS's own goodbye, of which it complains."""
    r = subprocess.run([pith, "run", "--timeout", str(LIMIT), "-i", str(cert),
                        "/usr/bin/openssl", "s_client", "-quiet", "-CAfile",
                        str(cert / "cert.pem"), "-verify_return_error",
                        "-connect", "10.0.2.2:%d" % host_http[1]],
                       input=b"GET /200000 HTTP/1.1\r\nConnection: close\r\n"
                       b"\r\n", capture_output=True, timeout=LIMIT + 30)
    head, _, body = r.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), r.stderr
    assert body == data(200000)


def test_openssl_server(serve, cert):
    s = serve(["/usr/bin/openssl", "s_server", "-accept", "4433", "-cert",
               str(cert / "cert.pem"), "-key", str(cert / "key.pem"), "-www"],
              ports=[4433], options=["-i", str(cert)])
    s.wait(rb"ACCEPT")
    status, body = get(s.port[4433], "/", tls=client_tls(cert))
    assert status == 200 and b"s_server" in body
    s.close()


# ---- others ----

def test_iperf3(serve):
    """Both ways; the client counts what arrived."""
    tool = need("iperf3")
    s = serve([tool, "-s", "--forceflush"], ports=[5201])
    for i, way in enumerate(([], ["-R"])):
        # It closes its listener after each client: a connection before the
        # next one is reset, on Linux too.
        s.wait(rb"Server listening on 5201 \(test #%d\)" % (i + 1))
        r = subprocess.run([tool, "-c", "127.0.0.1", "-p", str(s.port[5201]),
                            "-n", "20M", *way], capture_output=True,
                           timeout=LIMIT)
        assert r.returncode == 0, r.stdout + r.stderr
    s.close()


def test_mosquitto(serve, tmp_path):
    conf = tmp_path / "m.conf"
    conf.write_text("listener 1883 0.0.0.0\nallow_anonymous true\nuser root\n")
    s = serve([need("mosquitto"), "-c", str(conf)], ports=[1883])
    s.wait(rb"mosquitto version \S+ running")
    # Kept by the server, so that nobody has to be there first.
    port = str(s.port[1883])
    for text in ("one", "two"):
        subprocess.run([need("mosquitto_pub"), "-p", port, "-q", "1", "-r",
                        "-t", "a/" + text, "-m", text], check=True,
                       timeout=LIMIT)
    r = subprocess.run([need("mosquitto_sub"), "-p", port, "-t", "a/#", "-C",
                        "2", "-q", "1"], capture_output=True, timeout=LIMIT)
    assert (r.returncode, sorted(r.stdout.split())) == (0, [b"one", b"two"])
    s.close()


def dns_query(port, name, kind=1, seconds=LIMIT):
    """Addresses that a name server on the host's UDP port gives for name."""
    q = struct.pack(">HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0)
    for label in name.split("."):
        q += bytes([len(label)]) + label.encode()
    q += b"\0" + struct.pack(">HH", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(seconds)
        s.sendto(q, ("127.0.0.1", port))
        r = s.recv(2048)
    ident, flags, _, answers = struct.unpack_from(">HHHH", r)
    assert ident == 0x1234 and flags & 0x800f == 0x8000, hex(flags)
    assert answers == 1
    size = 4 if kind == 1 else 16
    return socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6,
                            r[-size:])


def check_dns(s, port):
    # What comes before it listens is lost.
    s.until(lambda: dns_query(s.port[port], "a.test", seconds=1))
    for _ in range(20):
        assert dns_query(s.port[port], "a.test") == "192.0.2.7"
    assert dns_query(s.port[port], "a.test", 28) == "2001:db8::7"


def test_dnsmasq(serve):
    s = serve([need("dnsmasq"), "-k", "-p", "5353", "--no-resolv", "--no-hosts",
               "--user=root", "--address=/a.test/192.0.2.7",
               "--address=/a.test/2001:db8::7", "--conf-file=/dev/null",
               "--log-facility=-"],
              udp=[5353])
    check_dns(s, 5353)
    s.close()


def test_unbound(serve, tmp_path):
    conf = tmp_path / "u.conf"
    conf.write_text("""
server:
  interface: 0.0.0.0@5353
  access-control: 0.0.0.0/0 allow
  username: ""
  chroot: ""
  pidfile: ""
  directory: "/tmp"
  use-syslog: no
  do-daemonize: no
  module-config: "iterator"
  local-zone: "test." static
  local-data: "a.test. A 192.0.2.7"
  local-data: "a.test. AAAA 2001:db8::7"
remote-control:
  control-enable: no
""")
    s = serve([need("unbound"), "-d", "-c", str(conf)], udp=[5353])
    check_dns(s, 5353)
    s.close()


def test_names(pith):
    """The program's view: the name servers, its address, loopback."""
    out = run(pith, "--dns", "192.0.2.53", PY,
              os.path.join(HERE, "net/view.py")).decode().splitlines()
    assert out == ["nameserver 192.0.2.53", "10.0.2.15", "127.0.0.1 ::1",
                   "eth0 lo", "hello"]


@pytest.mark.parametrize("machine", ["microvm", "q35"])
def test_lost_notifications(serve, monkeypatch, tmp_path, machine):
    """QEMU's TCG with one CPU and no more leaves the machine's barriers out:
    the rings must find what its notifications did not tell."""
    qemu = tmp_path / "qemu"
    qemu.write_text("""#!/usr/bin/python3
import os, sys
a = sys.argv
for name, value in (("-accel", "tcg"), ("-smp", "1")):
    a[a.index(name) + 1] = value
os.execvp("qemu-system-x86_64", ["qemu-system-x86_64"] + a[1:])
""")
    qemu.chmod(0o755)
    monkeypatch.setenv("PITH_QEMU", str(qemu))
    s = serve([need("redis-server"), *REDIS], ports=[6379],
              options=["--accel", "tcg", "--machine", machine])
    s.wait(rb"Ready to accept connections")
    n = 60000 if LONG else 5000
    for clients in ("1", "20"):
        r = subprocess.run([need("redis-benchmark"), "-p", str(s.port[6379]),
                            "-c", clients, "-q", "-t", "get", "-n", str(n)],
                           capture_output=True, timeout=LIMIT)
        assert r.returncode == 0 and b"requests per second" in r.stdout
    s.close()


def test_link(pith, tmp_path):
    """The host takes the link away and gives it back: the machine sees it in
    /sys/class/net by an interrupt, and goes on."""
    qemu, qmp = tmp_path / "qemu", tmp_path / "qmp"
    qemu.write_text('#!/bin/sh\nexec qemu-system-x86_64 "$@" -qmp '
                    'unix:%s,server=on,wait=off\n' % qmp)
    qemu.chmod(0o755)
    for machine in ("microvm", "q35"):
        p = subprocess.Popen([pith, "run", "--timeout", str(LIMIT),
                              "--machine", machine, PY,
                              os.path.join(HERE, "net/link.py")],
                             env=dict(os.environ, PITH_QEMU=str(qemu)),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert p.stdout.readline() == b"up\n"
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(qmp))
            f = s.makefile("rw")
            for line, up in (("down", "false"), ("up", "true")):
                f.write('{"execute": "qmp_capabilities"}{"execute": '
                        '"set_link", "arguments": {"name": "net0", "up": %s}}'
                        % up)
                f.flush()
                assert p.stdout.readline().decode().strip() == line
        assert p.wait(LIMIT) == 0


# ---- a tap: large packets, checksums, queue pairs ----

TAP = """
set -e
ip link set lo up
ip tuntap add t0 mode tap multi_queue
ip addr add 192.168.77.1/24 dev t0
ip link set t0 up
exec "$@"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="making a tap needs root")
@pytest.mark.parametrize("machine", ["microvm", "q35"])
@pytest.mark.parametrize("cpus", ["1", "2"])
def test_tap(pith, machine, cpus):
    """A network namespace, a tap in it, and in the machine on it a server
    that echoes: 8 MB there and back by four connections at once."""
    r = subprocess.run(["unshare", "-n", "sh", "-c", TAP, "sh", PY,
                        os.path.join(HERE, "net/tap_client.py"), pith, "run",
                        "--timeout", str(LIMIT), "--machine", machine, "-c",
                        cpus, "--net", "tap=t0", "--ip", "192.168.77.2/24",
                        PY, os.path.join(HERE, "net/echo.py")],
                       capture_output=True, timeout=LIMIT + 30)
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr[-2000:]
    assert r.stdout == b"all there\n", r


@pytest.mark.skipif(os.geteuid() != 0, reason="making a tap needs root")
def test_syn_flood(pith):
    """A flood of SYNs from forged addresses keeps an honest client from
    nothing: it comes in by SYN cookies, and has scaling and SACK all the same."""
    r = subprocess.run(["unshare", "-n", "sh", "-c", TAP, "sh", PY,
                        os.path.join(HERE, "net/flood_client.py"), pith, "run",
                        "--timeout", str(LIMIT), "--net", "tap=t0", "--ip",
                        "192.168.77.2/24,192.168.77.1", PY,
                        os.path.join(HERE, "net/flood_server.py")],
                       capture_output=True, timeout=LIMIT + 30)
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr[-2000:]
    assert r.stdout == b"all there\n", r


# Addresses of an interface: on Linux in a namespace, then in a machine.
ADDRS = ["192.168.77.2/24", "192.168.77.3/24", "10.9.8.7/16"]
HOST_ADDRS = """
ip link add eth0 type veth peer name p0
ip link set p0 up
for a in %s; do ip addr add $a brd + dev eth0; done
ip link set eth0 up
exec "$@"
""" % " ".join(ADDRS)
MANY_TAP = TAP.replace('exec', "ip addr add 10.9.0.1/16 dev t0\nexec")


@pytest.mark.skipif(os.geteuid() != 0, reason="making a tap needs root")
def test_many_addresses(pith):
    """Several addresses of IPv4: programs see what they see on Linux; each
    answers to its own name, by UDP and TCP, and what leaves has the address of
    the network that it goes to."""
    here = os.path.join(HERE, "net")
    net = ["--net", "tap=t0", "--ip", ",".join(ADDRS)]
    machine = [pith, "run", "--timeout", str(LIMIT), *net]

    def lines(script, *words):
        r = subprocess.run(["unshare", "-n", "sh", "-c", script, "sh", *words],
                           stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=LIMIT + 30)
        assert r.returncode == 0, r.stdout[-2000:] + r.stderr[-2000:]
        return r.stdout.decode().splitlines()

    for words in (["/usr/sbin/ip", "-4", "-o", "addr", "show", "dev", "eth0"],
                  ["/usr/sbin/ip", "-4", "route"],
                  [PY, os.path.join(here, "many_view.py")]):
        want, got = lines(HOST_ADDRS, *words), lines(TAP, *machine, *words)
        strip = (lambda ls: [re.sub(r"^\d+: ", "", l) for l in ls])
        if "route" in words:
            want, got = sorted(want), sorted(got)
        assert strip(got) == strip(want)
    assert lines(MANY_TAP, PY, os.path.join(here, "many_client.py"), *machine,
                 PY, os.path.join(here, "many_server.py")) == ["all right"]


@pytest.mark.skipif(os.geteuid() != 0, reason="making a tap needs root")
def test_far(pith):
    """With a Linux at the other end of the wire: ICMP errors in the error
    queue, urgent data both ways, datagrams cut and gathered."""
    r = subprocess.run(["unshare", "-n", "sh", "-c", TAP, "sh", PY,
                        os.path.join(HERE, "net/far_client.py"), pith, "run",
                        "--timeout", str(LIMIT), "--net", "tap=t0", "--ip",
                        "192.168.77.2/24", PY,
                        os.path.join(HERE, "net/far_server.py")],
                       capture_output=True, timeout=LIMIT + 30)
    assert r.returncode == 0, r.stdout[-2000:] + r.stderr[-2000:]
    assert r.stdout == b"all right\n", r
