# SPDX-License-Identifier: Apache-2.0
"""Many programs, a little of each: coreutils, interpreters with script files,
compressors and a data base on real amounts.

Goal and method as in test_programs.py: the host's output is the expectation.
The coreutils work on one directory of files, at the same path in both.
PITH_LONG takes 200 MB where the short form takes 10."""

import hashlib
import os
import random
import re
import shutil
import subprocess

import pytest

from test_busybox import make_files, once

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("PITH_BUILD", "build"))
PITH = os.path.join(BUILD, "pith")
LONG = os.environ.get("PITH_LONG")
PY = "/usr/bin/python3"

# Run in the directory of make_files(): what is not an applet of busybox, or
# is done otherwise there.
COREUTILS = """
arch
b2sum text bin
base32 bin
basenc --base16 bin
cat -A crlf
chcon -x
chmod -Rv u+x d
chown --version
cksum text
comm text text
cp -av d copied
csplit -n 1 text 100 200
date -u -d @0 --rfc-3339=ns
dd if=text of=out bs=100 skip=1 count=2 conv=notrunc,fsync status=none
dir d
dircolors -p
du --apparent-size -ab d
env -i A=1
expand -t 4 text
fmt -w 30 text
fold -s -w 15 text
groups 0
head -c -8000 text
id -nG
install -d -m 700 a/b/c
join -t: colons colons
link text hard
ln -v text hard
ls -1 --color=always d
ls -l --time-style=+%s text link
md5sum --tag text
mkdir -v -m 711 one
mkfifo -m 600 fifo
mktemp -u -p nothere/no -d -x
mv -v text elsewhere
nl -ba text
nproc --ignore=99
numfmt --to=iec 1 1024 1048577
od -A x -t x2z -j 5 -N 20 bin
paste -s -d, colons
pathchk -p a:b
pinky -x
pr -t -2 -l 20 text
printenv LANG
ptx -w 60 colons
pwd -P
readlink -e nothere
realpath --relative-to=d text
rm -rv d
rmdir --ignore-fail-on-non-empty d
seq -f %03g 1 2 9
seq 1 0.5 3
sha224sum text
sha384sum text
shred -u bin
shuf --random-source=bin -n 3 text
sort -R --random-source=bin colons
sort -t: -k2,2n -k1r colons
sort --parallel=2 -S 1M text
split -n 3 -d text
stat --format=%n:%s:%f:%h:%Y text link d
stdbuf -x
stty
sum text
sum -s text
sync text
tac -s : colons
tail -n +290 text
tee out
test text -nt no
timeout --version
touch -r text -c none
truncate -s +5 text
tsort text
tty -s
uname -sm
unexpand text
uniq -D -w 1 colons
unlink nothere
users --version
vdir -n --time-style=+x d2
wc --files0-from=no
whoami
yes --version
""".strip().splitlines()


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    d = tmp_path_factory.mktemp("breadth") / "model"
    d.mkdir()
    make_files(d)
    return d


@pytest.mark.parametrize("case", COREUTILS)
def test_coreutils(case, model, tmp_path):
    argv = case.split(" ")
    argv[0] = shutil.which(argv[0], path="/usr/bin:/bin")
    assert argv[0], "coreutils is not whole"
    d = tmp_path / "d"
    shutil.copytree(model, d, symlinks=True)
    got = once([PITH, "run", "-e", "HOME=/", "-e", "LANG=C.UTF-8", "-i",
                "%s:%s" % (d, d), "-w", str(d), *argv], b"", "/")
    want = once(argv, b"", d)
    err = b"".join(l for l in got.stderr.splitlines(True)
                   if not l.startswith(b"pith:"))
    assert got.stdout == want.stdout, got
    assert err == want.stderr
    assert got.returncode == want.returncode, got


def agree(argv, stdin=b"", options=(), status=None, cwd="/"):
    want = once(argv, stdin, cwd)
    got = subprocess.run([PITH, "run", *options, *argv], input=stdin, cwd=cwd,
                         capture_output=True, timeout=1800)
    detail = got.stderr.decode(errors="replace")[-2000:]
    assert got.returncode == want.returncode, detail
    assert got.stdout == want.stdout, detail
    if status is not None:
        assert want.returncode == status
    return got


SCRIPTS = {
    "p.py": ("/usr/bin/python3", """
import argparse, bz2, collections, concurrent.futures, csv, ctypes, datetime
import difflib, email.message, fractions, heapq, html, io, itertools, locale
import logging, lzma, mmap, multiprocessing, os, pathlib, pickle, queue, random
import selectors, shutil, signal, socket, stat, statistics, subprocess, sys
import tempfile, textwrap, time, unicodedata, uuid, xml.etree.ElementTree as ET
print(list(csv.reader(io.StringIO('a,"b c",3'))), fractions.Fraction(3, 9))
print(pickle.loads(pickle.dumps({1: [2, (3,)]})), bz2.decompress(bz2.compress(b"x" * 999))[:3])
print(lzma.decompress(lzma.compress(b"y" * 9)), unicodedata.name("é"))
print(ET.fromstring("<a><b c='1'/></a>")[0].attrib, uuid.UUID(int=5))
with mmap.mmap(-1, 8192) as m:
    m[4095:4097] = b"ab"; print(m[4094:4098])
with concurrent.futures.ThreadPoolExecutor(4) as e:
    print(sum(e.map(lambda x: x * x, range(100))))
got = []
signal.signal(signal.SIGALRM, lambda *a: got.append(a[0]))
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)  # again, if it is before pause()
signal.pause(); signal.setitimer(signal.ITIMER_REAL, 0); print(got[0])
print(ctypes.CDLL(None).abs(-5), random.Random(1).random(), os.cpu_count() > 0)
d = pathlib.Path(tempfile.mkdtemp()); (d / "x").write_text("1\\n2\\n"); shutil.copy(d / "x", d / "y")
print(sorted(p.name for p in d.iterdir()), stat.filemode((d / "y").stat().st_mode))
try:
    multiprocessing.Process(target=print).start()
    print("a second process")
except OSError as e:
    print("no" if sys.argv[1:] else "no second process", e.errno)
""", {"agree": False}),
    "p.pl": ("/usr/bin/perl", """
use strict; use warnings; use List::Util qw(sum); use Time::HiRes qw(sleep time);
use File::Temp qw(tempfile); use Digest::SHA qw(sha256_hex); use Storable qw(dclone);
my ($fh, $n) = tempfile(UNLINK => 1); print $fh "line $_\\n" for 1..5; close $fh;
open my $in, '<', $n or die; my @l = <$in>; print scalar(@l), $l[4];
print sum(1..10), " ", sha256_hex("x"), "\\n"; my %h = (a => [1, {b => 2}]);
print dclone(\\%h)->{a}[1]{b}, "\\n"; local $SIG{ALRM} = sub { die "alarm\\n" };
eval { alarm 1; select undef, undef, undef, 5; }; print $@;
printf "%vd %s\\n", $^V, join ",", map { sprintf "%03b", $_ } grep { $_ % 2 } 1..7;
exit 3
""", {}),
    "p.rb": ("/usr/bin/ruby", """
require 'digest'; require 'tempfile'; require 'timeout'; require 'set'; require 'yaml'
Tempfile.create('x') { |f| f.puts 'a', 'b'; f.flush; p File.readlines(f.path) }
q = Queue.new; t = Thread.new { 3.times { |i| q << i * i }; q << nil }
while (x = q.pop) do p x end; t.join
begin; Timeout.timeout(0.05) { sleep 5 }; rescue Timeout::Error; puts 'late'; end
puts Digest::MD5.hexdigest('x'), ({ 'a' => [1, nil] }).to_yaml, (1..20).each_slice(6).map(&:sum).inspect
p Fiber.new { |a| Fiber.yield(a + 1); :end }.resume(1), Set[3, 1].sort, 2**100, 1.0 / 3
begin; Process.fork; rescue NotImplementedError, SystemCallError => e; puts 'no fork'; end if ARGV[0]
exit 4
""", {}),
    "p.lua": ("/usr/bin/lua5.4", """
local t = setmetatable({}, { __index = function(_, k) return k * 2 end })
print(t[21], #"é", string.rep("ab", 3, "-"), math.type(3), 7 // 2, 1 << 40)
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
print(co(), co(), co()); local n = os.tmpname(); local f = io.open(n, "w")
f:write("x\\n"); f:close(); for l in io.lines(n) do print(l) end; os.remove(n)
print(pcall(error, { 1 }), select("#", nil, nil), os.time({ year = 2001, month = 1, day = 1, hour = 12 }) > 0)
os.exit(5)
""", {"drop": rb"table: 0x[0-9a-f]+"}),
    "p.php": ("/usr/bin/php", """<?php
$n = tempnam(sys_get_temp_dir(), 'x'); file_put_contents($n, "a\\nb\\n");
print_r(file($n, FILE_IGNORE_NEW_LINES)); unlink($n);
echo json_encode(['a' => 1.5, 'b' => ['é']]), "\\n", hash('sha256', 'x'), "\\n";
function g() { for ($i = 0; $i < 3; $i++) yield $i => $i ** 2; }
foreach (g() as $k => $v) echo "$k=$v ";
try { throw new Exception('e'); } catch (Exception $e) { echo get_class($e), PHP_EOL; }
echo preg_replace('/(\\w)(\\w)/', '$2$1', 'abcd'), ' ', str_pad(strrev('xyz'), 6, '-'), "\\n";
usleep(1000); echo date('Y', 86400), PHP_INT_SIZE, "\\n"; exit(6);
""", {}),
}


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_script_file(name, tmp_path):
    """A script of the user's, named on the command line, is found and runs."""
    program, text, more = SCRIPTS[name]
    f = tmp_path / name
    f.write_text(text.lstrip("\n"))
    if more.get("agree", True):
        want = once([program, str(f)], b"", "/")
    else:
        want = None
    got = subprocess.run([PITH, "run", program, str(f)], input=b"",
                         capture_output=True, timeout=300)
    err = got.stderr.decode(errors="replace")
    if want is None:  # the last lines are about what Pith has not
        lines = got.stdout.decode().splitlines()
        assert lines[-1] == "no second process 38", (lines, err)
        assert "pith: python3 asked for a second process" in err
        want = once([program, str(f)], b"", "/")
        shown = want.stdout.decode().splitlines()
        assert lines[:-1] == [l for l in shown if l != "a second process"
                              and l.strip()][:len(lines) - 1], err
        return
    drop = more.get("drop")
    a, b = got.stdout, want.stdout
    if drop:
        a, b = re.sub(drop, b"", a), re.sub(drop, b"", b)
    assert a == b, err
    assert got.returncode == want.returncode, err


def some_data(n):
    """Bytes that compress by about a half, the same in every run."""
    r = random.Random(5)
    words = [r.randbytes(r.randrange(2, 12)) for _ in range(4096)]
    out = bytearray()
    while len(out) < n:
        out += b"".join(r.choices(words, k=5000))
    return bytes(out[:n])


@pytest.mark.parametrize("argv, stdin", [
    # memory at given low addresses, written to behind mprotect(2)
    (["/usr/bin/sbcl", "--noinform", "--eval",
      "(progn (print (reduce #'+ (list 1 2 3))) (terpri) (quit))"], b""),
    # threads that look for work
    (["/usr/bin/rg", "-n", "b+"], b"a\nabba\nc\n"),
    # plugins by a list that a maintainer script made
    (["/usr/bin/dot", "-Tplain"], b"digraph g { a -> b; b -> c; }"),
])
def test_other_programs(argv, stdin):
    agree(argv, stdin, ("-m", "1G", "-c", "2"))


@pytest.mark.parametrize("argv, back", [
    (["/bin/gzip", "-1cn"], ["/bin/gzip", "-dc"]),
    (["/usr/bin/xz", "-1c", "-T2"], ["/usr/bin/xz", "-dc"]),
    (["/usr/bin/zstd", "-3qc", "-T2"], ["/usr/bin/zstd", "-dqc"]),
])
def test_compressors(argv, back):
    """There on the host and back in Pith, and the other way round."""
    data = some_data((200 if LONG else 10) << 20)
    packed = subprocess.run([PITH, "run", "-c", "2", *argv], input=data,
                            capture_output=True, timeout=3000)
    assert packed.returncode == 0, packed.stderr
    there = subprocess.run(back, input=packed.stdout, capture_output=True)
    assert hashlib.sha256(there.stdout).digest() == hashlib.sha256(data).digest()
    again = subprocess.run([PITH, "run", *back], input=packed.stdout,
                           capture_output=True, timeout=3000)
    assert again.returncode == 0, again.stderr
    assert hashlib.sha256(again.stdout).digest() == hashlib.sha256(data).digest()


def test_sqlite_50_mb():
    """A data base of 50 MB in memory, made by SQL from standard input."""
    sql = b"""
create table t(id integer primary key, a integer, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 120000)
insert into t select i, (i * 7919) % 100003, printf('%%0400d', i) from n;
create index ta on t(a);
select count(*), sum(a), max(length(b)) from t;
select id, a from t where a between 500 and 520 order by a limit 5;
update t set a = a + 1 where id %% 3 = 0;
delete from t where id %% 10 = 0;
select count(*), sum(a), (select page_count * page_size > 50000000
from pragma_page_count(), pragma_page_size()) from t;
pragma integrity_check;
""".replace(b"%%", b"%")
    agree(["/usr/bin/sqlite3", ":memory:"], sql, ["-m", "512M"], status=0)


def test_openssl_speed():
    """The figures are the machine's; that there are some is not."""
    got = subprocess.run([PITH, "run", "/usr/bin/openssl", "speed", "-seconds",
                          "1", "-bytes", "1024", "sha256"], input=b"",
                         capture_output=True, timeout=300)
    assert got.returncode == 0, got.stderr
    assert re.search(rb"^sha256 +[0-9.]+k", got.stdout, re.M), got.stdout


def test_openssl_keys():
    """A key made, used and checked; certificates of the host are found."""
    got = subprocess.run([PITH, "run", "/usr/bin/openssl", "genpkey",
                          "-algorithm", "ed25519"], input=b"",
                         capture_output=True, timeout=300)
    assert got.returncode == 0 and b"PRIVATE KEY" in got.stdout, got.stderr
    pub = subprocess.run(["openssl", "pkey", "-pubout"], input=got.stdout,
                         capture_output=True)
    assert b"PUBLIC KEY" in pub.stdout
