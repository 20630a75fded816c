# SPDX-License-Identifier: Apache-2.0
"""Debian's databases, unmodified: MariaDB, PostgreSQL and Redis.

Goal: they answer what they answer on Linux, keep what they acknowledged when
the machine is killed in the middle of things, and find their files sound
afterwards.  Method: the same SQL goes to the same server on the host first,
and the answers are compared; the databases' own recovery and checks judge
what is left after a kill, e2fsck what it lies on.  Directories of data are
made on the host, since their installers fork, and put on a volume or in the
image.

Nothing depends on a time: each waits for the server's own words."""

import glob
import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

import pytest

from ports import free_port

LONG = os.environ.get("PITH_LONG")
WAIT = 240  # seconds that nothing here needs: a hang, not a slow machine
ME = pwd.getpwuid(os.getuid())
# Postgres refuses to be root, on the host and in the machine.
PGUSER = pwd.getpwnam("nobody") if ME.pw_uid == 0 else ME


def need(name, where="/usr/bin:/usr/sbin"):
    found = shutil.which(name, path=where)
    assert found, "%s is not installed" % name
    return found


class Server:
    """A server that is waited for by its own words, on the host or in Pith."""

    def __init__(self, argv, env, log, ready, stdin=subprocess.DEVNULL):
        self.log = log
        with open(log, "wb") as out:
            self.p = subprocess.Popen(list(map(str, argv)), env=env,
                                      stdin=stdin, stdout=out,
                                      stderr=subprocess.STDOUT)
        self.wait(ready)

    def text(self):
        return self.log.read_text(errors="replace")

    def wait(self, pattern):
        end = time.monotonic() + WAIT
        while not re.search(pattern, self.text()):
            assert self.p.poll() is None, self.text()[-3000:]
            assert time.monotonic() < end, self.text()[-3000:]
            time.sleep(0.05)

    def end(self):
        """Waits for its own end, which is to be a good one."""
        assert self.p.wait(WAIT) == 0, self.text()[-3000:]


class Machine:
    def __init__(self, pith, cache, tmp):
        self.path, self.tmp = pith, tmp
        self.env = dict(os.environ, LANG="C.UTF-8", PITH_CACHE=cache,
                        PITH_VOLUMES=str(tmp / "volumes"))
        self.started = []

    def pith(self, *words, **more):
        r = subprocess.run([self.path, *map(str, words)], env=self.env,
                           capture_output=True, timeout=WAIT, **more)
        assert r.returncode == 0, (r.stdout[-3000:], r.stderr[-3000:])
        return r

    def start(self, argv, ready, **more):
        log = self.tmp / ("log%d" % len(self.started))
        self.started.append(Server(argv, self.env, log, ready, **more))
        return self.started[-1]

    def kill(self, server):
        """A killed machine lets go of its disk a moment after its pith."""
        server.p.kill()
        server.p.wait()
        while b"in use" in self.pith("volume", "ls").stdout:
            time.sleep(0.02)

    def sound(self, name="v"):
        """A file system that was closed, and has no fault."""
        path = self.tmp / "volumes" / (name + ".img")
        r = subprocess.run(["e2fsck", "-fn", path], capture_output=True)
        assert r.returncode == 0, r.stdout.decode()


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return os.environ.get("PITH_CACHE") or \
        str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def m(pith, cache, tmp_path):
    machine = Machine(pith, cache, tmp_path)
    machine.pith("volume", "create", "v", "256M")
    yield machine
    for s in machine.started:
        if s.p.poll() is None:
            s.p.kill()
            s.p.wait()


# MariaDB

# Small, as its log of 96 MB would only be written and copied.
MY = ["--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M",
      "--innodb-temp-data-file-path=ibtmp1:4M:autoextend",
      "--skip-name-resolve"]
USER = "CREATE OR REPLACE USER test IDENTIFIED BY 'secret';\n" \
    "GRANT ALL ON *.* TO test;\n"
MYSQL = """
CREATE DATABASE shop CHARACTER SET utf8mb4;
USE shop;
CREATE TABLE kind (id INT PRIMARY KEY, name VARCHAR(40) UNIQUE) ENGINE=InnoDB;
CREATE TABLE item (id INT AUTO_INCREMENT PRIMARY KEY, kind INT, price
 DECIMAL(9,2), word VARCHAR(200), made DATETIME(6), big MEDIUMBLOB, KEY (price),
 FULLTEXT (word), FOREIGN KEY (kind) REFERENCES kind (id)) ENGINE=InnoDB;
INSERT INTO kind VALUES (1, 'Größe'), (2, '漢字'), (3, 'plain');
INSERT INTO item (kind, price, word, made, big) SELECT 1 + seq % 3, seq / 7,
 CONCAT('word', seq % 97, ' and ', MD5(seq)), '2026-01-02 03:04:05' + INTERVAL
 seq MICROSECOND, REPEAT(CHAR(65 + seq % 26), seq) FROM seq_1_to_1000;
START TRANSACTION;
DELETE FROM item;
SELECT COUNT(*) FROM item;
ROLLBACK;
UPDATE item SET price = price * 2 WHERE id % 5 = 0;
SELECT name, COUNT(*), SUM(price), MAX(made), SUM(LENGTH(big)) FROM item JOIN
 kind ON kind.id = kind GROUP BY name ORDER BY name;
SELECT COUNT(*) FROM item WHERE MATCH (word) AGAINST ('word42');
INSERT INTO item (kind) VALUES (9);
CREATE TABLE old (a INT KEY, b TEXT) ENGINE=Aria SELECT id a, word b FROM item;
ALTER TABLE item ADD COLUMN extra INT DEFAULT 5, ALGORITHM=COPY;
CREATE PROCEDURE p(n INT) SELECT n * COUNT(*) FROM old;
CALL p(3);
CHECK TABLE item, kind, old;
CHECKSUM TABLE item, old;
SELECT @@version, @@innodb_page_size;
"""


def client(sql, *where):
    """What the mariadb client prints, errors in their places."""
    r = subprocess.run([need("mariadb"), "--no-defaults", "-utest", "-psecret",
                        "--default-character-set=utf8mb4", "-f", "-B", *where],
                       input=sql.encode(), stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=WAIT)
    return r.stdout.decode()


@pytest.fixture(scope="module")
def my_new(tmp_path_factory):
    """A new directory of data, and what Linux answers to MYSQL."""
    install, server = need("mariadb-install-db"), need("mariadbd")
    need("mariadb")
    top = tmp_path_factory.mktemp("my")
    (top / "user.sql").write_text(USER)
    subprocess.run([install, "--no-defaults", "--datadir=%s" % (top / "new"),
                    "--user=" + ME.pw_name, "--skip-test-db",
                    "--auth-root-authentication-method=normal", *MY],
                   check=True, capture_output=True, timeout=WAIT)
    shutil.copytree(top / "new", top / "host")
    sock = tempfile.mktemp(suffix=".sock", dir="/tmp")  # 107 bytes at most
    s = Server([server, *my_options(top / "host", top / "user.sql"),
                "--user=" + ME.pw_name, "--skip-networking",
                "--socket=" + sock, "--pid-file=%s" % (top / "pid")],
               None, top / "log", "ready for connections")
    try:
        want = client(MYSQL, "--socket=" + sock)
        client("SHUTDOWN", "--socket=" + sock)
        s.end()
    finally:
        s.p.kill()
        s.p.wait()
    return top, want


def my_options(data, init):
    return ["--no-defaults", "--datadir=%s" % data, "--init-file=%s" % init,
            *MY]


def my_start(m, *options, data):
    port = free_port()
    s = m.start([m.path, "run", *options, "-p", "127.0.0.1:%d:3306" % port,
                 need("mariadbd"), *my_options(data, "/user.sql"),
                 "--user=root", "--socket=/tmp/sock", "--pid-file=/tmp/pid"],
                "ready for connections")
    return s, ["--protocol=tcp", "-h127.0.0.1", "-P%d" % port]


def my_kill(m, s, at):
    """Kills it while rows come in; how many were acknowledged."""
    client("CREATE TABLE shop.more (a INT KEY, b TEXT) ENGINE=InnoDB", *at)
    rows = "".join("INSERT INTO shop.more VALUES (%d, REPEAT('x', 900));"
                   "SELECT %d;\n" % (k, k) for k in range(5000))
    c = subprocess.Popen([need("mariadb"), "--no-defaults", "-utest",
                          "-psecret", "-NB", "--unbuffered", *at],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    last = -1
    os.set_blocking(c.stdin.fileno(), False)
    text = rows.encode()
    while last < 100:
        try:
            text = text[os.write(c.stdin.fileno(), text[:4096]):]
        except BlockingIOError:
            pass
        last = int(c.stdout.readline())
    m.kill(s)
    try:
        c.stdin.close()
    except OSError:
        pass
    rest = c.stdout.read().split()
    c.wait()
    return int(rest[-1]) if rest else last


@pytest.mark.parametrize("cpus", [1, 2] if LONG else [2])
def test_mariadb(m, my_new, cpus):
    """On a volume: as on Linux; killed, it recovers all that it said."""
    top, want = my_new
    m.pith("volume", "cp", top / "new", "v:/db")
    options = ["-c", cpus, "-v", "v:/data", "-i",
               "%s:/user.sql" % (top / "user.sql")]
    s, at = my_start(m, *options, data="/data/db")
    assert client(MYSQL, *at) == want
    last = my_kill(m, s, at)
    s, at = my_start(m, *options, data="/data/db")
    assert "crash recovery" in s.text()
    check = "CHECK TABLE item, kind, old, more EXTENDED;" \
        "CHECKSUM TABLE item, old;"
    got = client(check, "-N", *at, "shop")
    assert got.count("\tstatus\tOK\n") == 4, got
    assert all(k in want for k in got.splitlines()[4:]), (got, want)
    n, top_row = map(int, client("SELECT COUNT(*), MAX(a) FROM more", "-N",
                                 *at, "shop").split())
    assert n == top_row + 1 and top_row >= last
    client("SHUTDOWN", *at)
    s.end()
    m.sound()


def test_mariadb_in_the_image(m, my_new):
    """In the image's own overlay, which is gone with the machine."""
    top, want = my_new
    s, at = my_start(m, "-i", "%s:/var/lib/mysql" % (top / "new"), "-i",
                     "%s:/user.sql" % (top / "user.sql"),
                     data="/var/lib/mysql")
    assert client(MYSQL, *at) == want
    client("SHUTDOWN", *at)
    s.end()


def sysbench(where, *words):
    r = subprocess.run([need("sysbench"), "oltp_read_write",
                        "--db-driver=mysql", *where, "--mysql-user=test",
                        "--mysql-password=secret", "--tables=2",
                        "--table-size=300", "--rand-seed=7", *words],
                       capture_output=True, timeout=WAIT)
    out = r.stdout.decode()
    assert r.returncode == 0, out[-3000:] + r.stderr.decode()[-3000:]
    m = re.search(r"transactions: +(\d+) ", out)
    return int(m.group(1)) if m else 0


def sysbench_rounds(where, at):
    """What sysbench leaves of its tables after 50 transactions, one after
    the other from a known seed, and after 100 by four threads at once."""
    assert client("CREATE DATABASE sbtest;", *at) == ""
    sysbench(where, "prepare")
    assert sysbench(where, "--threads=1", "--events=50", "--time=0",
                    "run") == 50
    sums = client("CHECKSUM TABLE sbtest1, sbtest2", "-N", *at, "sbtest")
    assert sysbench(where, "--threads=4", "--events=100", "--time=0",
                    "run") == 100
    return sums, client("CHECK TABLE sbtest1, sbtest2 EXTENDED;"
                        "SELECT COUNT(*) FROM sbtest1", "-N", *at, "sbtest")


def test_sysbench(m, my_new):
    """The same transactions leave the same rows on Linux and in Pith."""
    top, _ = my_new
    shutil.copytree(top / "new", m.tmp / "host")
    sock = tempfile.mktemp(suffix=".sock", dir="/tmp")
    s = m.start([need("mariadbd"), *my_options(m.tmp / "host",
                                               top / "user.sql"),
                 "--user=" + ME.pw_name, "--skip-networking",
                 "--socket=" + sock, "--pid-file=%s" % (m.tmp / "pid")],
                "ready for connections")
    at = ["--socket=" + sock]
    want = sysbench_rounds(["--mysql-socket=" + sock], at)
    client("SHUTDOWN", *at)
    s.end()
    m.pith("volume", "cp", top / "new", "v:/db")
    s, at = my_start(m, "-c", 2, "-v", "v:/data", "-i",
                     "%s:/user.sql" % (top / "user.sql"), data="/data/db")
    assert sysbench_rounds(["--mysql-host=127.0.0.1", "--mysql-port=" +
                            at[-1][2:]], at) == want
    client("SHUTDOWN", *at)
    s.end()
    m.sound()


# PostgreSQL, by its single-user mode: each line is a command.

PGSQL = """
create table kind (id int primary key, name text unique)
insert into kind values (1, 'Größe'), (2, '漢字'), (3, 'plain')
create table item (id serial primary key, kind int references kind, price numeric(9,2), words text[], made timestamptz, doc jsonb)
insert into item (kind, price, words, made, doc) select 1 + g % 3, g / 7.0, array[md5(g::text), repeat('x', g)], timestamptz '2026-01-02 03:04:05+00' + g * interval '1 microsecond', jsonb_build_object('n', g) from generate_series(1, 3000) g
create index on item using gin (doc)
begin
delete from item
select count(*) from item
rollback
update item set price = price * 2 where id % 5 = 0
insert into item (kind) values (9)
copy item to '@/copy'
create table back (like item)
copy back from '@/copy'
create function f(n int) returns bigint language plpgsql as $$ begin return n * (select count(*) from back); end $$
select f(3)
vacuum full item
"""
PGREAD = """
select name, count(*), sum(price), max(made), sum(length(words[2])) from item join kind on kind.id = kind group by name order by name
select id, price from item where doc @> '{"n": 1234}'
select md5(string_agg(back::text, ';' order by id)) from back
select version()
"""
PGKILL = """
create table more (a int, b text)
insert into more select g, repeat('x', 100) from generate_series(1, 5000) g
select count(*) from more
select pg_sleep(100000)
"""
PGCHECK = """
select count(*), sum(a), sum(length(b)) from more
"""
PG = ["--single", "-c", "timezone=UTC", "-c", "shared_buffers=8MB",
      "-c", "log_checkpoints=off", "-D"]


def answers(text):
    """Without the messages' times."""
    return re.sub(r"\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\] ", "", text.decode())


@pytest.fixture(scope="module")
def pg_new():
    """A new cluster and Linux's answers; not in pytest's own directory,
    which another user cannot enter."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    assert found, "postgresql is not installed"
    top = tempfile.mkdtemp(prefix="pith-pg")
    who = {}
    if ME.pw_uid == 0:
        os.chown(top, PGUSER.pw_uid, PGUSER.pw_gid)
        who = dict(user=PGUSER.pw_uid, group=PGUSER.pw_gid, extra_groups=[])

    def run(*argv, text=""):
        r = subprocess.run(argv, input=text.encode(), check=True,
                           capture_output=True, cwd=top, timeout=WAIT, **who)
        return r.stdout + r.stderr
    try:
        run(found[-1] + "/initdb", "-N", "--no-locale", "-E", "UTF8", "-D",
            top + "/new")
        shutil.copytree(top + "/new", top + "/host")
        for at, dirs, files in os.walk(top + "/host"):
            for n in [".", *files]:
                os.chown(os.path.join(at, n), PGUSER.pw_uid, PGUSER.pw_gid)
        one = [found[-1] + "/postgres", *PG, top + "/host", "postgres"]
        want = [answers(run(*one, text=t))
                for t in (PGSQL.replace("@", top), PGREAD)]
        yield top, found[-1] + "/postgres", want
    finally:
        shutil.rmtree(top)


def test_postgres(m, pg_new):
    """As on Linux, in a second run too, and after a kill."""
    top, server, want = pg_new
    m.pith("volume", "cp", top + "/new", "v:/db")
    command = [m.path, "run", "-v", "v:/data", "-u",
               "%d:%d" % (PGUSER.pw_uid, PGUSER.pw_gid), server, *PG,
               "/data/db", "postgres"]

    def run(text):
        r = subprocess.run(command, input=text.encode(), env=m.env,
                           capture_output=True, timeout=WAIT)
        assert r.returncode == 0, (r.stdout[-3000:], r.stderr[-3000:])
        return answers(r.stdout + r.stderr)
    assert run(PGSQL.replace("@", "/data/db")) == want[0]
    s = m.start(command, "PostgreSQL stand-alone backend",
                stdin=subprocess.PIPE)
    s.p.stdin.write((PGREAD + PGKILL).encode())
    s.p.stdin.flush()
    s.wait("count = \"5000\"")
    m.kill(s)
    s.p.stdin.close()
    read = want[1].rpartition("backend> ")[0]
    assert answers(s.log.read_bytes()).startswith(read), s.text()
    got = run(PGCHECK + PGREAD)
    assert "automatic recovery in progress" in got, got
    assert '"5000"' in got and '"12502500"' in got and '"500000"' in got, got
    for line in re.findall(r'^\t .*" .*$', want[1], re.M):
        assert line in got
    m.sound()


# Redis

REDIS = ["--bind", "0.0.0.0", "--protected-mode", "no", "--save", "",
         "--enable-debug-command", "yes"]


def words(*args):
    return b"*%d\r\n" % len(args) + b"".join(
        b"$%d\r\n%s\r\n" % (len(a), a) for a in args)


class Redis:
    """A connection to one."""

    def __init__(self, sock):
        self.sock, self.file = sock, sock.makefile("rb")

    def ask(self, *args):
        self.sock.sendall(words(*args))
        return self.file.readline()

    def fill(self, n):
        """Keys of all kinds, many commands in flight."""
        for first in range(0, n, 500):
            some = [words(b"SET", b"s%d" % k, b"%d" % k * 200)
                    for k in range(first, first + 500)]
            some += [words(b"ZADD", b"z%d" % (k % 9), b"%d" % k, b"m%d" % k)
                     for k in range(first, first + 500)]
            some += [words(b"HSET", b"h%d" % (k % 90), b"f%d" % k, b"v" * 99)
                     for k in range(first, first + 500)]
            self.sock.sendall(b"".join(some))
            for _ in some:
                assert self.file.readline() in (b"+OK\r\n", b":1\r\n")

    def close(self):
        self.file.close()
        self.sock.close()


def test_redis_tls(m):
    """Over TLS: 20 MB of keys have the digest that they have on Linux, and
    have it again when they were saved, and loaded by another machine."""
    server = need("redis-server")
    n = 50000 if LONG else 10000
    path = tempfile.mktemp(suffix=".sock", dir="/tmp")
    host = m.start([server, *REDIS, "--port", "0", "--unixsocket", path],
                   "ready to accept")
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    c = Redis(sock)
    c.fill(n)
    want = c.ask(b"DEBUG", b"DIGEST")
    c.sock.sendall(words(b"SHUTDOWN", b"NOSAVE"))
    host.end()
    c.close()

    cert = m.tmp / "cert"
    cert.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-keyout", cert / "key", "-out", cert / "cert", "-days",
                    "30", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True,
                   capture_output=True)
    tls = ssl.create_default_context(cafile=str(cert / "cert"))
    port = free_port()
    command = [m.path, "run", "-v", "v:/data", "-i", "%s:/cert" % cert, "-p",
               "127.0.0.1:%d:6379" % port, server, *REDIS, "--dir", "/data",
               "--port", "0", "--tls-port", "6379", "--tls-cert-file",
               "/cert/cert", "--tls-key-file", "/cert/key",
               "--tls-auth-clients", "no"]

    def start():
        s = m.start(command, "Ready to accept")
        sock = socket.create_connection(("127.0.0.1", port), timeout=WAIT)
        return s, Redis(tls.wrap_socket(sock, server_hostname="127.0.0.1"))
    s, c = start()
    c.fill(n)
    assert c.ask(b"DEBUG", b"DIGEST") == want
    # There is no fork: it is told so, and goes on.
    assert c.ask(b"BGSAVE").startswith(b"-ERR")
    c.sock.sendall(words(b"SHUTDOWN", b"SAVE"))
    s.end()
    c.close()
    s, c = start()
    assert c.ask(b"DEBUG", b"DIGEST") == want
    c.sock.sendall(words(b"SHUTDOWN", b"NOSAVE"))
    s.end()
    c.close()
    m.sound()
