# SPDX-License-Identifier: Apache-2.0
"""Disks that are written: volumes, a root that persists, and what is left of
them when a machine ends, as it should or in the middle of things.

Goal: what fsync has promised is there after a kill; whatever happened, e2fsck
finds nothing after our recovery, nor after Linux's own from a copy; two kinds
of access to a file see the same.  Method: real programs in the real kernel on
volumes; e2fsck and the host's own sqlite3 judge.  Where Linux can say what is
right, the same script runs on the host first and its output is compared."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time

import pytest

from ports import free_port

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("PITH_BUILD", "build"))
PITH = os.path.join(BUILD, "pith")
PY = "/usr/bin/python3"
LONG = os.environ.get("PITH_LONG")
WAIT = 240  # seconds that nothing here needs: a hang, not a slow machine


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return os.environ.get("PITH_CACHE") or \
        str(tmp_path_factory.mktemp("cache"))


class Machine:
    def __init__(self, cache, tmp):
        self.tmp = tmp
        self.env = dict(os.environ, TERM="xterm", LANG="C.UTF-8",
                        PITH_CACHE=cache, PITH_VOLUMES=str(tmp / "volumes"))
        self.started = []

    def pith(self, *words, ok=True, env=None, **more):
        r = subprocess.run([PITH, *map(str, words)], env=env or self.env,
                           stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=WAIT, **more)
        if ok:
            assert r.returncode == 0, (r.stdout[-2000:], r.stderr[-2000:])
        return r

    def run(self, *words, **more):
        return self.pith("run", *words, **more)

    def python(self, text, *words, options=("-v", "v:/data"), **more):
        script = self.tmp / "script.py"
        script.write_text(text)
        return self.run(*options, PY, script, *words, **more)

    def start(self, *words):
        p = subprocess.Popen([PITH, "run", *map(str, words)], env=self.env,
                             stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.started.append(p)
        return p

    def volume(self, name="v"):
        return str(self.tmp / "volumes" / (name + ".img"))

    def wait_free(self):
        """A killed machine lets go of its disk a moment after its pith."""
        while b"in use" in self.pith("volume", "ls").stdout:
            time.sleep(0.02)


@pytest.fixture
def m(cache, tmp_path):
    machine = Machine(cache, tmp_path)
    machine.pith("volume", "create", "v", "128M")
    yield machine
    for p in machine.started:
        if p.poll() is None:
            p.kill()
        p.communicate()


def fsck(path):
    r = subprocess.run(["e2fsck", "-fn", path], capture_output=True)
    assert r.returncode == 0, r.stdout.decode()


def closed(path):
    """Without a journal that waits."""
    text = subprocess.run(["dumpe2fs", "-h", path], capture_output=True,
                          check=True).stdout.decode()
    assert "needs_recovery" not in text
    assert "Filesystem state:         clean" in text


TREE = r"""
import hashlib, os, sys
d = sys.argv[1]
if sys.argv[2] == "make":
    os.makedirs(d + "/a/b/c")
    for k in range(120):
        with open("%s/a/b/f%03d" % (d, k), "wb") as f:
            f.write(bytes([k]) * (k * 997))
    os.symlink("f001", d + "/a/b/link")
    os.symlink("x" * 100, d + "/a/long")
    os.link(d + "/a/b/f002", d + "/a/hard")
    os.mkfifo(d + "/a/fifo")
    for k in range(0, 120, 3):
        os.unlink("%s/a/b/f%03d" % (d, k))
    os.rename(d + "/a/b/f004", d + "/a/b/c/moved")
    os.replace(d + "/a/b/f005", d + "/a/b/f007")
    os.truncate(d + "/a/b/f100", 12345)
    os.truncate(d + "/a/b/f101", 12345678)
    with open(d + "/a/sparse", "wb") as f:
        f.seek(1 << 33)
        f.write(b"end")
    os.chmod(d + "/a/b/f008", 0o4751)
    os.utime(d + "/a/b/f010", ns=(1, 1234567890123456789))
for at, dirs, files in sorted(os.walk(d + "/a")):
    for n in sorted(dirs + files):
        p = at + "/" + n
        st = os.lstat(p)
        what = ""
        if os.path.islink(p):
            what = os.readlink(p)
        elif os.path.isfile(p) and st.st_size < 1 << 30:
            what = hashlib.md5(open(p, "rb").read()).hexdigest()
        size = 0 if os.path.isdir(p) else st.st_size
        print(p[len(d):], oct(st.st_mode), st.st_nlink, size, what,
              st.st_mtime_ns if n == "f010" else "")
"""


def on_host(text, where, *words):
    r = subprocess.run([PY, "-c", text, str(where), *words],
                       capture_output=True, timeout=WAIT)
    assert r.returncode == 0, r.stderr
    return r.stdout


@pytest.mark.parametrize("cpus", [1, 2])
def test_tree(m, cpus):
    """A tree is as on Linux, stays for the next run, and e2fsck agrees."""
    host = m.tmp / "host"
    host.mkdir()
    want = on_host(TREE, host, "make")
    got = m.python(TREE, "/data", "make",
                   options=("-c", cpus, "-v", "v:/data")).stdout
    assert got.splitlines() == want.splitlines()
    closed(m.volume())
    fsck(m.volume())
    assert m.python(TREE, "/data", "look").stdout == want
    assert m.python(TREE, "/data", "look",
                    options=("-v", "v:/data:ro")).stdout == want
    m.pith("volume", "cp", "v:/a/b", m.tmp / "out")
    assert (m.tmp / "out" / "c" / "moved").read_bytes() == b"\4" * 4 * 997
    fsck(m.volume())


def test_sqlite(m):
    """A database with a transaction for each row, read by the host's own."""
    sql = "PRAGMA synchronous=FULL; CREATE TABLE t(a INTEGER PRIMARY KEY, " \
          "b TEXT);"
    sql += "".join("INSERT INTO t(b) VALUES('row %d');" % k
                   for k in range(60))
    sql += "BEGIN;" + "".join("INSERT INTO t(b) VALUES(hex(randomblob(200)));"
                              for k in range(2000)) + "COMMIT;"
    sql += "CREATE INDEX i ON t(b); SELECT count(*) FROM t;"
    r = m.run("-v", "v:/data", "/usr/bin/sqlite3", "/data/x.db", sql)
    assert r.stdout == b"2060\n", r
    check = "PRAGMA integrity_check; SELECT count(*), sum(a) FROM t;"
    r = m.run("-v", "v:/data:ro", "/usr/bin/sqlite3",
              "file:/data/x.db?mode=ro", check)
    fsck(m.volume())
    m.pith("volume", "cp", "v:/x.db", m.tmp / "x.db")
    host = subprocess.run(["/usr/bin/sqlite3", m.tmp / "x.db", check],
                          capture_output=True)
    assert host.stdout == b"ok\n2060|%d\n" % (2060 * 2061 // 2)
    assert r.stdout == host.stdout, r


WRITER = r"""
import os, sys
# Each number is said only when what it stands for is safe.
os.makedirs("/data/w", exist_ok=True)
log = os.open("/data/log", os.O_RDWR | os.O_CREAT | os.O_APPEND)
k = 0
while True:
    name = "/data/w/%d" % (k % 40)
    with open(name + ".new", "wb") as f:
        f.write(b"%d\n" % k * (1 + k * 37 % 2000))
        f.flush()
        os.fsync(f.fileno())
    os.rename(name + ".new", name)
    os.write(log, b"%08d\n" % k)
    os.fsync(log)
    print(k, flush=True)
    k += 1
    # And some that nobody waits for.
    with open("/data/w/junk%d" % (k % 7), "ab") as f:
        f.write(b"j" * (k * 611 % 50000))
    if k % 11 == 0:
        os.unlink("/data/w/junk%d" % (k % 7))
"""

CHECKER = r"""
import os, sys
last = int(sys.argv[1])
log = open("/data/log").read().split()
assert log == ["%08d" % k for k in range(len(log))], log[-3:]
assert len(log) > last, (len(log), last)
for k in range(max(0, last - 39), last + 1):
    data = open("/data/w/%d" % (k % 40), "rb").read()
    n = int(data.split(b"\n")[0])
    assert n >= k and n % 40 == k % 40, (n, k)
    # Renamed into place after its fsync: whole, or not there.
    assert data == b"%d\n" % n * (1 + n * 37 % 2000), n
print("good")
"""


def kill_round(m, acks):
    script = m.tmp / "writer.py"
    script.write_text(WRITER)
    p = m.start("-v", "v:/data", PY, script)
    last = -1
    while last < acks:
        line = p.stdout.readline()
        assert line, p.stderr.read()
        last = int(line)
    p.kill()
    rest = p.stdout.read().split(b"\n")[:-1]
    p.wait()
    if rest:
        last = int(rest[-1])
    m.wait_free()
    # Linux's own recovery, from a copy.
    copy = str(m.tmp / "copy.img")
    shutil.copyfile(m.volume(), copy)
    r = subprocess.run(["e2fsck", "-fy", copy], capture_output=True)
    assert r.returncode in (0, 1), r.stdout.decode()
    fsck(copy)
    assert m.python(CHECKER, last).stdout == b"good\n"
    closed(m.volume())
    fsck(m.volume())
    m.python("import shutil, os; shutil.rmtree('/data/w'); "
             "os.unlink('/data/log')")


def test_kill(m):
    """QEMU dies in the middle of things; all that was acknowledged is there,
    for us and for Linux."""
    dice = random.Random(7)
    for _ in range(20 if LONG else 3):
        kill_round(m, dice.randrange(1, 60))


PYTHON_TESTS = ["test_mmap", "test_shelve", "test_dbm", "test_fileio"]


def test_python(m):
    """Python's own tests of files, on a volume."""
    tests = "/usr/lib/python3.11/test"
    if not os.path.exists(tests + "/test_mmap.py"):
        pytest.skip("no libpython3.11-testsuite")
    names = PYTHON_TESTS + (["test_largefile", "test_io"] if LONG else [])
    if LONG:
        m.pith("volume", "rm", "v")
        m.pith("volume", "create", "v", "8G")
    r = m.run("-v", "v:/data", "-w", "/data", "-e", "TMPDIR=/data", "-i",
              tests, PY, "-m", "test", "--tempdir", "/data", *names, ok=False)
    assert r.returncode == 0, (r.stdout[-3000:], r.stderr[-2000:])
    closed(m.volume())
    fsck(m.volume())


def redis(m):
    """A redis that syncs each write; its process and a connection."""
    port = free_port()
    p = m.start("-v", "v:/data", "-p", "127.0.0.1:%d:6379" % port,
                "/usr/bin/redis-server", "--dir", "/data", "--save", "",
                "--appendonly", "yes", "--appendfsync", "always",
                "--auto-aof-rewrite-percentage", "0",
                "--protected-mode", "no")
    seen = b""
    while b"Ready to accept" not in seen:
        line = p.stdout.readline()
        assert line, (seen, p.stderr.read())
        seen += line
    return p, socket.create_connection(("127.0.0.1", port), timeout=WAIT)


def kill_redis(m, first, count):
    """Writes from key `first` on until so many are acknowledged; how many."""
    p, c = redis(m)
    acks = sent = 0
    while acks < count:
        while sent < acks + 8:
            c.sendall(b"SET key%d value%d\r\n" % (first + sent,
                                                  (first + sent) * 7))
            sent += 1
        got = c.recv(4096)
        assert got and not got.strip(b"+OK\r\n"), got
        acks += got.count(b"\n")
    p.kill()
    p.stdout.read()
    p.wait()
    c.close()
    m.wait_free()
    shutil.copyfile(m.volume(), m.tmp / "copy.img")
    r = subprocess.run(["e2fsck", "-fy", m.tmp / "copy.img"],
                       capture_output=True)
    assert r.returncode in (0, 1), r.stdout.decode()
    return acks


def test_redis(m):
    """Redis, killed with writes under way: each that it acknowledged is in
    its file."""
    if not os.path.exists("/usr/bin/redis-server"):
        pytest.skip("no redis")
    dice = random.Random(5)
    acks = 0
    for _ in range(40 if LONG else 1):
        acks += kill_redis(m, acks, dice.randrange(20, 180))
    p, c = redis(m)
    f = c.makefile("rb")
    for k in range(acks):
        c.sendall(b"GET key%d\r\n" % k)
        assert f.readline().startswith(b"$"), k
        assert f.readline() == b"value%d\r\n" % (k * 7)
    p.send_signal(signal.SIGTERM)
    p.stdout.read()
    p.wait()
    f.close()
    c.close()
    m.wait_free()
    closed(m.volume())
    fsck(m.volume())


def test_sigterm(m):
    """A program that is ended by a signal leaves a clean disk."""
    script = m.tmp / "w.py"
    script.write_text("f = open('/data/x', 'wb')\n"
                      "f.write(b'x' * 5000000); f.flush()\n"
                      "print('up', flush=True)\n"
                      "import time; time.sleep(1000)\n")
    p = m.start("-v", "v:/data", PY, script)
    assert p.stdout.readline() == b"up\n"
    p.send_signal(signal.SIGTERM)
    assert p.wait(timeout=WAIT) == 128 + signal.SIGTERM
    m.wait_free()
    closed(m.volume())
    fsck(m.volume())
    m.pith("volume", "cp", "v:/x", m.tmp / "x")
    assert (m.tmp / "x").read_bytes() == b"x" * 5000000


def test_mapped_orphan(m):
    """A file without a name is mapped when the program ends: gone, and the
    disk is clean."""
    text = ("import os, mmap\n"
            "f = os.open('/data/x', os.O_RDWR | os.O_CREAT)\n"
            "os.ftruncate(f, 5000000)\n"
            "m = mmap.mmap(f, 5000000)\n"
            "m[:] = b'm' * 5000000\n"
            "os.unlink('/data/x')\n"
            "os.mkdir('/data/d'); os.chdir('/data/d')\n"
            "os.rmdir('/data/d')\n"
            "os._exit(7)\n")
    assert m.python(text, ok=False).returncode == 7
    closed(m.volume())
    fsck(m.volume())
    m.python("import os; assert os.listdir('/data') == ['lost+found']")


def test_timeout(m):
    """A machine that is ended from outside while it writes is clean."""
    script = m.tmp / "w.py"
    script.write_text("import os\nk = 0\nwhile True:\n"
                      " open('/data/f%d' % (k % 9), 'wb')"
                      ".write(b'x' * 300000)\n k += 1\n")
    r = m.run("--timeout", "5", "-v", "v:/data", PY, script, ok=False)
    assert r.returncode == 124, r.stderr
    m.wait_free()
    closed(m.volume())
    fsck(m.volume())


FULL = r"""
import errno, os
def fill():
    f = os.open("/data/big", os.O_WRONLY | os.O_CREAT)
    n = 0
    try:
        while True:
            n += os.write(f, b"z" * 65536)
    except OSError as e:
        assert e.errno == errno.ENOSPC
    os.fsync(f)
    os.close(f)
    return n
n = fill()
assert os.path.getsize("/data/big") == n
assert os.statvfs("/data").f_bavail == 0
with open("/data/big", "rb") as f:
    while chunk := f.read(1 << 20):
        assert chunk == b"z" * len(chunk)
os.unlink("/data/big")
assert abs(fill() - n) < 1 << 20
os.unlink("/data/big")
k = 0
try:
    while True:
        open("/data/i%d" % k, "w").close()
        k += 1
except OSError as e:
    assert e.errno == errno.ENOSPC
assert os.statvfs("/data").f_ffree == 0
print("full", n > 8 << 20, k > 900)
"""


def test_full(m):
    """ENOSPC comes from write, not later; what was accepted is there."""
    m.pith("volume", "create", "small", "16M")
    r = m.python(FULL, options=("-v", "small:/data"))
    assert r.stdout == b"full True True\n", r
    fsck(m.volume("small"))


DIRECT = r"""
import errno, mmap, os, sys
d = sys.argv[1]
buf = mmap.mmap(-1, 1 << 20)
def fails(fn):
    try:
        fn()
        print("no error")
    except OSError as e:
        print(errno.errorcode[e.errno])
f = os.open(d + "/direct", os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o644)
g = os.open(d + "/direct", os.O_RDWR)
buf[:] = b"D" * len(buf)
print(os.pwritev(f, [buf], 0), os.fstat(f).st_size)
print(os.pread(g, 10, 5000))
os.pwrite(g, b"cached", 8190)              # dirty in the cache
print(os.preadv(f, [buf], 0), bytes(buf[8185:8200]))
buf[0:4096] = b"E" * 4096
print(os.pwritev(f, [memoryview(buf)[:4096]], 8192))
print(os.pread(g, 20, 8180))               # the cache is not stale
m = mmap.mmap(g, 65536)
m[20000:20005] = b"mmap!"
print(os.preadv(f, [memoryview(buf)[:65536]], 0), bytes(buf[19998:20008]))
fails(lambda: os.preadv(f, [memoryview(buf)[1:513]], 0))
fails(lambda: os.preadv(f, [memoryview(buf)[:512]], 100))
fails(lambda: os.pwritev(f, [memoryview(buf)[:100]], 0))
os.ftruncate(g, 100000)
print(os.preadv(f, [memoryview(buf)[:65536]], 65536))
print(os.preadv(f, [memoryview(buf)[:4096]], 200704))
os.ftruncate(g, 1 << 20)                   # a hole behind
print(os.pwritev(f, [memoryview(buf)[:8192]], 524288), os.fstat(f).st_size)
print(os.preadv(f, [buf], 0), sum(buf[110000:524288]))
os.fsync(f)
"""


def test_direct(m):
    """O_DIRECT and the cache see the same; errors are Linux's."""
    host = m.tmp / "host"
    host.mkdir()
    try:
        os.close(os.open(host / "x", os.O_RDWR | os.O_CREAT | os.O_DIRECT))
    except OSError:
        pytest.skip("the host's temporary directory has no O_DIRECT")
    want = on_host(DIRECT, host)
    assert m.python(DIRECT, "/data").stdout == want
    fsck(m.volume())


EDGES = r"""
import os, mmap, ctypes, sys, errno, fcntl
d=sys.argv[1]
libc=ctypes.CDLL(None,use_errno=True)
def e(fn):
    try: return fn()
    except OSError as x: return errno.errorcode[x.errno]
# msync, MAP_SHARED over holes, SIGBUS-free, mapped & unlinked
f=os.open(d+"/m",os.O_RDWR|os.O_CREAT)
os.ftruncate(f, 100000)
m=mmap.mmap(f,100000)
m[50000:50010]=b"0123456789"
print(libc.msync(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(m))), ctypes.c_size_t(100000), 4))
print(os.pread(f,10,50000))
os.pwrite(f,b"ABC",50003)
print(m[50000:50010])
print(libc.sync_file_range(f, ctypes.c_int64(0), ctypes.c_int64(0), 7))
st=os.fstat(f); print(st.st_blocks>0, st.st_size)
# preadv2 nowait
import struct
b=bytearray(10)
print(e(lambda: os.preadv(f,[b],50000,os.RWF_NOWAIT)), bytes(b))
print(e(lambda: os.pwritev(f,[b"zz"],0,os.RWF_DSYNC)))
print(e(lambda: os.pwritev(f,[b"zz"],0,os.RWF_SYNC)))
# O_SYNC
g=os.open(d+"/s",os.O_RDWR|os.O_CREAT|os.O_SYNC); print(os.write(g,b"x"*10000)); 
h=os.open(d+"/s",os.O_RDWR|os.O_DSYNC|os.O_APPEND); print(os.write(h,b"y"*10)); print(os.fstat(h).st_size)
# fallocate & seek
print(e(lambda: os.posix_fallocate(f,200000,100000)), os.fstat(f).st_size)
print(os.pread(f,4,250000))
print(e(lambda: libc.fallocate(f, 3, ctypes.c_int64(48000), ctypes.c_int64(10000))), os.pread(f,10,50000), m[50000:50010])
print(e(lambda: libc.fallocate(f, 16, ctypes.c_int64(0), ctypes.c_int64(4096))), os.pread(f,2,0))
print(os.lseek(f,0,os.SEEK_DATA) >= 0)
# rename over, unlink while mapped
os.unlink(d+"/m")
m[0:3]=b"end"
print(m[0:3], os.pread(f,3,0), os.fstat(f).st_nlink)
os.posix_fadvise(f,0,0,os.POSIX_FADV_DONTNEED)
print(os.pread(f,3,0))
# ftruncate below a mapping then grow
os.ftruncate(f,4097); os.ftruncate(f,100000); print(m[4090:4100])
# O_TMPFILE and linkat
t=os.open(d,os.O_TMPFILE|os.O_RDWR); os.write(t,b"tmp"*1000)
print(e(lambda: os.link("/proc/self/fd/%d"%t, d+"/linked", follow_symlinks=True)), os.path.exists(d+"/linked"))
# sendfile
o=os.open(d+"/out",os.O_RDWR|os.O_CREAT|os.O_TRUNC); print(os.sendfile(o,h,0,10010)); print(os.fstat(o).st_size)
print(e(lambda: os.copy_file_range(g,o,5000,0,100)))
os.syncfs if 0 else print(libc.syncfs(o))
print(os.pathconf(d,"PC_NAME_MAX"))
print(e(lambda: os.mkdir(d+"/"+"n"*256)))
print(len(os.listdir(d)))
"""


def test_edges(m):
    """msync, sync_file_range, RWF_*, O_SYNC, fallocate, holes, files without a
    name, truncation under a mapping: as on Linux."""
    host = m.tmp / "host"
    host.mkdir()
    want = on_host(EDGES, host)
    m.python("import os; os.mkdir('/data/e')")
    got = m.python(EDGES, "/data/e").stdout
    assert got.splitlines() == want.splitlines()
    closed(m.volume())
    fsck(m.volume())


REMOUNT = r"""
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def mount(*a):
    if libc.mount(*a):
        return errno.errorcode[ctypes.get_errno()]
    return "ok"
RDONLY, REMOUNT = 1, 32
open("/data/a", "w").write("a")
f = open("/data/b", "w")
print(mount(None, b"/data", None, RDONLY | REMOUNT, None))
f.close()
print(mount(None, b"/data", None, RDONLY | REMOUNT, None))
try:
    open("/data/c", "w")
except OSError as e:
    print(errno.errorcode[e.errno])
print(mount(None, b"/data", None, REMOUNT, None))
open("/data/c", "w").write("c")
os.chdir("/data")
print(libc.umount(b"/data") and errno.errorcode[ctypes.get_errno()])
os.chdir("/")
print(libc.umount(b"/data"), os.listdir("/data"))
dev = [l.split()[3] for l in open("/proc/partitions") if l.split()[3:] and
       l.split()[3].startswith("vd") and not l.split()[3][-1].isdigit()]
print([mount(d.encode(), b"/data", b"ext4", 0, None) for d in sorted(dev)]
      .count("ok"), sorted(os.listdir("/data")))
"""


def test_remount(m):
    r = m.python(REMOUNT)
    assert r.stdout.decode().splitlines() == [
        "EBUSY", "ok", "EROFS", "ok", "EBUSY", "0 []",
        "1 ['a', 'b', 'c', 'lost+found']"], r.stdout
    closed(m.volume())
    fsck(m.volume())


def test_read_only(m):
    """:ro refuses writes, two at once, and a disk that was not closed."""
    m.python("open('/data/x', 'w').write('x')")
    r = m.python("import errno\ntry: open('/data/y', 'w')\n"
                 "except OSError as e: print(errno.errorcode[e.errno])",
                 options=("-v", "v:/data:ro"))
    assert r.stdout == b"EROFS\n", r
    script = m.tmp / "w.py"
    script.write_text("import os\nprint(1, flush=True)\n"
                      "while True:\n"
                      " f = open('/data/z', 'w'); f.write('z'); f.flush()\n"
                      " os.fsync(f.fileno()); print(2, flush=True)\n")
    p = m.start("-v", "v:/data", PY, script)
    for _ in range(3):
        p.stdout.readline()
    p.kill()
    p.stdout.read()
    p.wait()
    m.wait_free()
    r = m.run("-v", "v:/data:ro", "/bin/true", ok=False)
    assert r.returncode == 125 and b"not closed" in r.stderr
    m.pith("volume", "check", "v")
    m.run("-v", "v:/data:ro", "/bin/true")


def test_persist(m):
    """A root that keeps what is written, and one that does not."""
    text = "open('/root/n', 'a').write('x'); print(len(open('/root/n').read()))"
    for want in (b"1\n", b"2\n", b"3\n"):
        assert m.run("--persist", PY, "-c", text).stdout == want
    assert m.run(PY, "-c", text).stdout == b"1\n"


def test_small_machine(m):
    """4 MB of memory write back four times as much, and read it again."""
    m.run("-m", "4M", "-v", "v:/data", "/bin/dd", "if=/dev/zero",
          "of=/data/x", "bs=64k", "count=256")
    r = m.run("-m", "4M", "-v", "v:/data", "/usr/bin/md5sum", "/data/x")
    assert r.stdout.startswith(b"2c7ab85a893283e98c931e9511add182")
    fsck(m.volume())


def test_throttle(m):
    """A writer that is faster than the disk is held up; the rest runs on."""
    text = r"""
import os, threading, time
done = False
worst = 0
def other():
    global worst
    while not done:
        t = time.monotonic()
        bytearray(1 << 20)
        open("/tmp/x", "wb").write(b"y" * 4096)
        worst = max(worst, time.monotonic() - t)
t = threading.Thread(target=other)
t.start()
f = open("/data/big", "wb", 0)
for k in range(100):
    f.write(bytes([k]) * (1 << 20))
    m = dict(l.split(":") for l in open("/proc/meminfo"))
    d = int(m["Dirty"].split()[0]) + int(m["Writeback"].split()[0])
    assert d < 40 << 10, d
done = True
t.join()
f = open("/data/big", "rb", 0)
for k in range(100):
    assert f.read(1 << 20) == bytes([k]) * (1 << 20)
print("good")
"""
    r = m.python(text, options=("-m", "64M", "-v", "v:/data"))
    assert r.stdout == b"good\n", r
    fsck(m.volume())


FAILING = r"""
import errno, os
def sync(fd):
    try:
        os.fsync(fd)
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]
a = os.open("/data/a", os.O_RDWR | os.O_CREAT)
b = os.open("/data/a", os.O_RDWR)
os.write(a, b"first" * 1000)
print(sync(a))
try:
    for k in range(40):
        os.write(a, bytes([k]) * (1 << 20))
    print("written")
except OSError as e:
    print("write:", errno.errorcode[e.errno])
# The host has no room: told to each open file.
print(sync(a) in ("EIO", "EROFS"), sync(b) in ("EIO", "EROFS"))
print(os.pread(b, 10, 0))
"""


def test_host_full(m):
    """The host's disk is full under a sparse volume: an error of fsync and
    not a machine that stops, and what was safe before is safe."""
    d = m.tmp / "tiny"
    d.mkdir()
    script = m.tmp / "failing.py"
    script.write_text(FAILING)
    sh = ("mount -t tmpfs -o size=16m tiny {d} && cp --sparse=always {v} {d}/ "
          "&& PITH_VOLUMES={d} {p} run -v v:/data {py} {s}; echo $?; "
          "cp --sparse=always {d}/v.img {v}").format(
              d=d, v=m.volume(), p=PITH, py=PY, s=script)
    r = subprocess.run(["unshare", "-Urm", "sh", "-c", sh], env=m.env,
                       stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=WAIT)
    if b"Operation not permitted" in r.stderr:
        pytest.skip("no user namespaces here")
    out = r.stdout.decode().splitlines()
    assert out[0] == "ok" and out[2:] == [
        "True True", "b'firstfirst'", "0"], (out, r.stderr)
    r = subprocess.run(["e2fsck", "-fy", m.volume()], capture_output=True)
    assert r.returncode in (0, 1), r.stdout.decode()
    assert m.python("print(open('/data/a', 'rb').read(10))").stdout == \
        b"b'firstfirst'\n"


def test_grow(m):
    m.python("open('/data/x', 'w').write('x')")
    m.pith("volume", "grow", "v", "300M")
    r = m.python("import os; s = os.statvfs('/data'); "
                 "print(s.f_blocks * s.f_frsize > 250 << 20, "
                 "open('/data/x').read())")
    assert r.stdout == b"True x\n", r
    fsck(m.volume())
