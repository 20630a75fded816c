# SPDX-License-Identifier: Apache-2.0
"""Real programs and the disk: archives of a tree, git's objects, SQLite that
is killed again and again.

Goal: what a program wrote is what Linux finds, and the other way round; what
a database acknowledged before a kill is there after it.  Method: one tree goes
to the volume by the host, through tar, xz and zstd in Pith and on the host,
and comes out of the archive as it was; git's plumbing, which starts no second
process, stores the same objects under the same names; a writer of SQLite
checks at each start all that the one before it left.  PITH_LONG takes a tree
of 1 GB and 100 kills where the short form takes 8 MB and 3; PITH_TREE another
number of MB."""

import hashlib
import os
import random
import shutil
import subprocess
import time

import pytest

from test_storage import (LONG, PITH, PY, WAIT, cache, closed, fsck, m,
                          on_host)

__all__ = ["cache", "m"]  # fixtures
HOURS = 3000 if LONG else WAIT
MB = 1 << 20


def some_bytes(r, n):
    """Of which about a half is left when compressed; in the long form one in 41,
    as xz takes its time for what is left, and all that a file system sees of a
    byte is that it is there."""
    text = b"some text that comes again, as texts do in files of this kind.\n"
    times = 40 if LONG else 1
    odd = r.randbytes(n // (times + 1) + 1)
    return b"".join(odd[k:k + 64] + text * times
                    for k in range(0, len(odd), 64))[:n]


def make_tree(d, total):
    """Files of all sizes, most of them small; links; names."""
    r = random.Random(11)
    k = 0
    while total > 0:
        at = d / ("d%02d" % (k % 37)) / ("e%d" % (k % 5))
        at.mkdir(parents=True, exist_ok=True)
        n = min(total, int(r.expovariate(1) ** 4 * 20000) % (64 * MB))
        (at / ("f%d" % k)).write_bytes(some_bytes(r, n))
        if k % 50 == 7:
            os.symlink("../e1/f%d" % k, at / ("link%d" % k))
        if k % 90 == 3:
            os.chmod(at / ("f%d" % k), 0o750)
        os.utime(at / ("f%d" % k), (1e9 + k, 1e9 + k))
        total -= n + 500
        k += 1
    (d / "empty").mkdir()
    (d / ("n" * 200)).write_bytes(b"a long name")


LIST = r"""
import os, stat, sys, zlib
for at, dirs, files in os.walk(sys.argv[1]):
    dirs.sort()
    for n in sorted(dirs + files):
        p = os.path.join(at, n)
        st = os.lstat(p)
        what = os.readlink(p) if stat.S_ISLNK(st.st_mode) else ""
        if stat.S_ISREG(st.st_mode):
            what = "%d %d %x" % (st.st_size, st.st_mtime if sys.argv[2:] else 0,
                                 zlib.crc32(open(p, "rb").read()))
        print(os.path.relpath(p, sys.argv[1]), oct(st.st_mode), what)
"""


def run(m, *words, volume="v:/data", **more):
    r = subprocess.run([PITH, "run", "-c", "2", "-v", volume,
                        *map(str, words)], env=m.env, capture_output=True,
                       timeout=HOURS, **more)
    assert r.returncode == 0, (words, r.stdout[-2000:], r.stderr[-2000:])
    return r.stdout


def sha(path):
    with open(path, "rb") as f:
        h = hashlib.sha256()
        while piece := f.read(MB):
            h.update(piece)
    return h.hexdigest()


def new_volume(m, size):
    m.pith("volume", "rm", "v")
    m.pith("volume", "create", "v", size)


def copy(m, *words):
    r = subprocess.run([PITH, "volume", "cp", *map(str, words)], env=m.env,
                       capture_output=True, timeout=HOURS)
    assert r.returncode == 0, r.stderr


def test_archives(m):
    """tar, xz and zstd there and back, at the levels that compute least; the
    host reads what they wrote."""
    tree = m.tmp / "tree"
    tree.mkdir()
    size = int(os.environ.get("PITH_TREE", 1024 if LONG else 8))
    make_tree(tree, size * MB)
    want = on_host(LIST, tree, "times")
    new_volume(m, "%dM" % (size * 6 + 48))
    copy(m, tree, "v:/tree")
    assert run(m, PY, "-c", LIST, "/data/tree", "times") == want
    run(m, "/bin/tar", "-C", "/data", "-cf", "/data/t.tar", "tree")
    run(m, "/usr/bin/xz", "-0", "-T2", "-k", "/data/t.tar")
    run(m, "/usr/bin/zstd", "-q", "-1", "-T2", "/data/t.tar", "-o", "/data/t.zst")
    for name in ("t.tar", "t.tar.xz", "t.zst"):
        copy(m, "v:/" + name, m.tmp / name)
    tar = sha(m.tmp / "t.tar")
    with open(m.tmp / "unpacked", "wb") as f:
        for command in (["xz", "-dc", m.tmp / "t.tar.xz"],
                        ["zstd", "-dqc", m.tmp / "t.zst"]):
            f.seek(0)
            f.truncate()
            subprocess.run(command, stdout=f, check=True, timeout=HOURS)
            assert sha(m.tmp / "unpacked") == tar
    out = m.tmp / "out"
    out.mkdir()
    subprocess.run(["tar", "-C", out, "-xf", m.tmp / "t.tar"], check=True,
                   timeout=HOURS)
    assert on_host(LIST, out / "tree", "times") == want
    # The host's archive, and ours from its packed form, unpacked in Pith.
    run(m, "/bin/rm", "-r", "/data/t.tar", "/data/tree")
    run(m, "/usr/bin/xz", "-d", "/data/t.tar.xz")
    run(m, "/usr/bin/zstd", "-dq", "/data/t.zst", "-o", "/data/t2.tar")
    run(m, "/usr/bin/cmp", "/data/t.tar", "/data/t2.tar")
    run(m, "/bin/tar", "-C", "/data", "-xf", "/data/t2.tar")
    assert run(m, PY, "-c", LIST, "/data/tree", "times") == want
    closed(m.volume())
    fsck(m.volume())


def test_git(m):
    """The same commit as on the host, of some thousands of small files."""
    tree = m.tmp / "work"
    tree.mkdir()
    r = random.Random(3)
    for k in range(20000 if LONG else 600):
        at = tree / ("d%d" % (k % 97))
        at.mkdir(exist_ok=True)
        (at / ("f%d.c" % k)).write_bytes(some_bytes(r, r.randrange(1, 4000)))
    names = "".join("d%d/f%d.c\n" % (k % 97, k)
                    for k in range(20000 if LONG else 600)).encode()
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
           "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
           "GIT_AUTHOR_DATE": "1700000000 +0000",
           "GIT_COMMITTER_DATE": "1700000000 +0000",
           "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nowhere"}
    # Each object is safe before its name is there.
    git = ["/usr/bin/git", "-c", "core.fsync=all", "-c", "safe.directory=*",
           "-c", "core.commitGraph=false", "-c",
           "core.multiPackIndex=false"]  # fsck has others look at these
    here = [w for k, v in who.items() for w in ("-e", "%s=%s" % (k, v))] + [
        "-w", "/data/work", *git]

    def both(*words, stdin=b""):
        """On the host in its own repository, and in Pith: one answer."""
        want = subprocess.run([*git, *words], cwd=tree, input=stdin, env=who,
                              capture_output=True, timeout=HOURS)
        assert want.returncode == 0, want.stderr
        got = run(m, *here, *words, input=stdin)
        assert got == want.stdout
        return got.decode().strip()
    new_volume(m, "1G" if LONG else "96M")
    copy(m, tree, "v:/work")
    both("init", "-q", ".")
    both("update-index", "--add", "--stdin", stdin=names)
    name = both("write-tree")
    commit = both("commit-tree", name, "-m", "first")
    both("update-ref", "refs/heads/x", commit)
    assert both("fsck", "--full", "--strict", "--no-progress", commit) == ""
    objects = both("rev-list", "--objects", "--no-object-names", commit)
    run(m, "/bin/rm", "-r", *("/data/work/d%d" % k for k in range(97)))
    run(m, *here, "pack-objects", "-q", "--threads=2", ".git/objects/pack/p",
        input=objects.encode() + b"\n")
    for words in (["prune-packed", "-q"], ["read-tree", name],
                  ["checkout-index", "-a"]):
        run(m, *here, *words)
    for k in (0, 5, 96):
        assert run(m, PY, "-c", LIST, "/data/work/d%d" % k) == \
            on_host(LIST, tree / ("d%d" % k))
    closed(m.volume())
    fsck(m.volume())
    copy(m, "v:/work", m.tmp / "back")
    subprocess.run([*git, "fsck", "--full", "--strict", commit], check=True,
                   cwd=m.tmp / "back", capture_output=True, timeout=HOURS)


SQLITE = r"""
import hashlib, sqlite3, sys
mode = sys.argv[1]
def blob(k):
    h = hashlib.sha256(b"%d" % k).digest()
    return (h * 99)[:k * 7919 % 3000]
db = sqlite3.connect("/data/x.db", isolation_level=None)
assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
assert db.execute("PRAGMA journal_mode=" + mode).fetchone() == (mode,)
db.execute("PRAGMA synchronous=" + ("EXTRA" if mode == "delete" else "FULL"))
db.execute("CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, b BLOB)")
db.execute("CREATE INDEX IF NOT EXISTS i ON t (length(b), b)")
db.execute("CREATE TABLE IF NOT EXISTS c (n INTEGER, bytes INTEGER)")
# A transaction is whole or is not there: the sums agree with the rows.
if not db.execute("SELECT COUNT(*) FROM c").fetchone()[0]:
    db.execute("INSERT INTO c VALUES (0, 0)")
n, total = db.execute("SELECT n, bytes FROM c").fetchone()
rows = db.execute("SELECT k, b FROM t ORDER BY k").fetchall()
assert all(b == blob(k) for k, b in rows), "contents"
assert not rows or rows[-1][0] == n, (rows[-1][0], n)
assert [k for k, b in rows] == list(range(n - len(rows) + 1, n + 1))
assert sum(len(b) for k, b in rows) == total
print("found", n, flush=True)
while True:
    db.execute("BEGIN")
    for k in range(n + 1, n + 2 + n % 17):
        db.execute("INSERT INTO t VALUES (?, ?)", (k, blob(k)))
    n = k
    db.execute("DELETE FROM t WHERE k <= ?", (n - 400,))
    db.execute("UPDATE c SET n = ?, bytes = (SELECT SUM(LENGTH(b)) FROM t)",
               (n,))
    db.execute("COMMIT")
    print(n, flush=True)
"""


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_sqlite_kills(m, mode):
    """Killed in the middle of transactions: whole, and nothing is lost."""
    script = m.tmp / "writer.py"
    script.write_text(SQLITE)
    dice = random.Random(mode)
    last = 0
    for _ in range(50 if LONG else 2):
        p = m.start("-v", "v:/data", PY, script, mode)
        word, _, found = p.stdout.readline().partition(b" ")
        assert word == b"found", p.stderr.read()
        assert int(found) >= last, (int(found), last)
        last = int(found)
        for _ in range(dice.randrange(1, 40)):
            line = p.stdout.readline()
            assert line, p.stderr.read()
            last = int(line)
        time.sleep(dice.random() / 50)  # no matter how long
        p.kill()
        rest = p.stdout.read().split(b"\n")[:-1]
        last = int(rest[-1]) if rest else last
        p.wait()
        m.wait_free()
        # Linux's own recovery finds it whole too.
        shutil.copyfile(m.volume(), m.tmp / "copy.img")
        r = subprocess.run(["e2fsck", "-fy", m.tmp / "copy.img"],
                           capture_output=True)
        assert r.returncode in (0, 1), r.stdout.decode()
        fsck(m.tmp / "copy.img")
    print("%s: %d" % (mode, last))
