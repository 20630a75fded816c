# SPDX-License-Identifier: Apache-2.0
"""Real programs, unmodified, from Debian's packages.

Goal: what a program prints in Pith is what it prints on Linux, byte for byte,
and so is its exit status.  Method: each case runs on the host first, then by
`pith run` with the same arguments and the same standard input.
"""

import os
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PITH_BUILD", os.path.join(TOP, "build"))
PITH = os.path.join(BUILD, "pith")
PROGRAMS = os.path.join(TOP, "test", "e2e", "programs")
PY = "/usr/bin/python3"
BUSYBOX = "/bin/busybox"

TEXT = b"".join(b"%d line %d\n" % (i * 7919 % 1000, i) for i in range(2000))
JSON = b'{"b": [1, 2, {"c": null}], "a": "x"}\n'


def program(name):
    return os.path.join(PROGRAMS, name)


# name: (argv, standard input, options of pith run)
CASES = {
    "true": (["/bin/true"], b"", []),
    "false": (["/bin/false"], b"", []),
    "echo": (["/bin/echo", "a b", "c"], b"", []),
    "cat": (["/bin/cat"], TEXT, []),
    "sort": (["/usr/bin/sort", "-n"], TEXT, []),
    "wc": (["/usr/bin/wc"], TEXT, []),
    "sha256sum": (["/usr/bin/sha256sum"], TEXT * 50, []),
    "md5sum": (["/usr/bin/md5sum"], TEXT, []),
    "head": (["/usr/bin/head", "-n", "3"], TEXT, []),
    "tail": (["/usr/bin/tail", "-n", "3"], TEXT, []),
    "seq": (["/usr/bin/seq", "1", "5"], b"", []),
    "base64": (["/usr/bin/base64"], TEXT[:3000], []),
    "od": (["/usr/bin/od", "-c"], TEXT[:300], []),
    "tr": (["/usr/bin/tr", "a-z", "A-Z"], TEXT, []),
    "cut": (["/usr/bin/cut", "-d", " ", "-f", "2"], TEXT, []),
    "uniq": (["/usr/bin/uniq", "-c"], b"a\na\nb\n", []),
    "expr": (["/usr/bin/expr", "6", "*", "7"], b"", []),
    "printf": (["/usr/bin/printf", "%05d|%s\n", "42", "x"], b"", []),
    "factor": (["/usr/bin/factor", "1234567890"], b"", []),
    "sleep": (["/bin/sleep", "0.05"], b"", []),
    "dd": (["/bin/dd", "bs=1000", "count=3", "status=none"], TEXT, []),
    "stat_devices": (["/usr/bin/stat", "-c", "%F %t %T", "/dev/null",
                      "/dev/zero", "/dev/full"], b"", []),
    "gzip": (["/bin/gzip", "-nc"], TEXT, []),
    "xz": (["/usr/bin/xz", "-c"], TEXT, []),
    "zstd": (["/usr/bin/zstd", "-qc"], TEXT, []),
    "jq": (["/usr/bin/jq", ".b[2]"], JSON, []),
    "sqlite3": (["/usr/bin/sqlite3", ":memory:",
                 "create table t(a); insert into t values(1),(2),(3);"
                 "select sum(a), count(*) from t;"], b"", []),
    "openssl": (["/usr/bin/openssl", "dgst", "-sha512"], TEXT, []),
    "perl": (["/usr/bin/perl", "-MPOSIX", "-e",
              'my %h=(a=>1,b=>2); print join(",",map{"$_=$h{$_}"}sort keys %h),'
              '" ", floor(3.7), "\\n"; print STDERR "err\\n"; exit 3'], b"", []),
    "ruby": (["/usr/bin/ruby", "-rjson", "-rset", "-e",
              'puts({a: [1,2]}.to_json, Set.new([1,1,2]).size); '
              't = 4.times.map { |i| Thread.new { i*i } }; p t.map(&:value)'],
             b"", []),
    "lua": (["/usr/bin/lua5.4", "-e",
             'print(_VERSION, string.format("%5.2f", math.pi), #arg); '
             'for w in ("a b c"):gmatch("%a") do io.write(w) end print()'],
            b"", []),
    "php": (["/usr/bin/php", "-r",
             'echo json_encode(["a"=>1,"b"=>[true,null]]), "\\n", '
             'strtoupper("php"), crc32("x"), "\\n";'], b"", []),
    "python_hello": ([PY, "-c", "print('hello')"], b"", []),
    "python_stdlib": ([PY, program("stdlib.py")], b"", []),
    "python_asyncio": ([PY, program("asyncio_echo.py")], b"", []),
    "python_json_tool": ([PY, "-m", "json.tool"], JSON, []),
    "python_traceback": ([PY, "-c", "raise SystemExit(77)"], b"", []),
    "node_mix": (["/usr/bin/node", program("node_mix.js")], b"", []),
    "node_watch": (["/usr/bin/node", program("node_watch.js")], b"", []),
    # Nothing of the kind happens: its status says so.
    "inotifywait": (["/usr/bin/inotifywait", "-t", "1", "-e",
                      "unmount", "/"], b"", []),
    "busybox_sh": ([BUSYBOX, "sh", "-c",
                    'i=0; while [ $i -lt 5 ]; do echo $((i*i)); i=$((i+1)); '
                    'done; exit 9'], b"", []),
    "busybox_sha1sum": ([BUSYBOX, "sha1sum"], TEXT, []),
    "busybox_awk": ([BUSYBOX, "awk", "{s+=$1} END{print s, NR}"], TEXT, []),
    "busybox_sed": ([BUSYBOX, "sed", "-n", "5,7s/line/LINE/p"], TEXT, []),
    "busybox_bc": ([BUSYBOX, "bc"], b"2^64\n", []),
}


def run(argv, stdin, timeout):
    env = {"PATH": "/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    for k in ("XDG_CACHE_HOME", "PITH_KERNEL"):
        if k in os.environ:
            env[k] = os.environ[k]
    return subprocess.run(argv, input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=env, timeout=timeout)


def compare(argv, stdin=b"", options=(), timeout=300):
    """Runs on the host and in Pith: status, stdout, stderr must agree."""
    want = run(argv, stdin, 300)
    got = run([PITH, "run", *options, *argv], stdin, timeout)
    # A notice from pith itself is a line of its own; the program's are not.
    err = b"".join(l for l in got.stderr.splitlines(True)
                   if not l.startswith(b"pith:"))
    detail = got.stderr.decode(errors="replace")[-2000:]
    assert got.stdout == want.stdout, detail
    assert got.returncode == want.returncode, detail
    assert err == want.stderr
    return got


@pytest.mark.parametrize("name", sorted(CASES))
def test_program(name):
    argv, stdin, options = CASES[name]
    if not os.path.exists(argv[0]):
        pytest.fail("%s is not installed; see tools/deps.txt" % argv[0])
    compare(argv, stdin, options)


def build(tmp_path, name, command):
    out = str(tmp_path / name)
    subprocess.run([a.replace("OUT", out) for a in command], check=True,
                   timeout=300, cwd=tmp_path, stdin=subprocess.DEVNULL)
    return out


def test_go(tmp_path):
    """A static Go program: goroutines, timers, signals, files."""
    exe = build(tmp_path, "mix", ["/usr/bin/go", "build", "-o", "OUT",
                                  program("mix.go")])
    compare([exe])


def test_java_version():
    compare(["/usr/bin/java", "-version"], timeout=300)


def test_java_threads(tmp_path):
    """A small threaded Java program."""
    subprocess.run(["/usr/bin/javac", "-d", str(tmp_path),
                    program("Threads.java")], check=True, timeout=300)
    compare(["/usr/bin/java", "-cp", str(tmp_path), "Threads"], timeout=300)


C_SOURCE = b"""
#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>
int main(int argc, char **argv) {
	char *p = malloc(3 << 20);
	memset(p, 7, 3 << 20);
	printf("%d %s %d\\n", argc, argv[1], p[12345]);
	return fopen("/none", "r") ? 1 : errno;
}
"""


def test_static_pie_glibc(tmp_path):
    (tmp_path / "p.c").write_bytes(C_SOURCE)
    exe = build(tmp_path, "p", ["gcc", "-static-pie", "-o", "OUT", "p.c"])
    assert no_interp(exe)
    compare([exe, "x"])


def test_static_pie_musl(tmp_path):
    """musl-gcc cannot link a static PIE: link rcrt1.o by hand."""
    (tmp_path / "p.c").write_bytes(C_SOURCE)
    lib = "/usr/lib/x86_64-linux-musl"
    build(tmp_path, "p.o", ["musl-gcc", "-fPIE", "-c", "-o", "OUT", "p.c"])
    exe = build(tmp_path, "p", [
        "ld", "-static", "-pie", "--no-dynamic-linker", "-z", "text", "-o",
        "OUT", lib + "/rcrt1.o", lib + "/crti.o", "p.o", lib + "/libc.a",
        lib + "/crtn.o"])
    assert no_interp(exe)
    compare([exe, "x"])


def no_interp(exe):
    out = subprocess.run(["readelf", "-lW", exe], check=True,
                         stdout=subprocess.PIPE).stdout
    return b"INTERP" not in out


def test_cc1(tmp_path):
    """gcc's compiler proper on a real C file."""
    cc1 = subprocess.run(["gcc", "-print-prog-name=cc1"], check=True,
                         stdout=subprocess.PIPE).stdout.decode().strip()
    src = tmp_path / "p.c"
    src.write_bytes(C_SOURCE)
    compare([cc1, "-quiet", "-imultiarch", "x86_64-linux-gnu", "-O2", str(src),
             "-o", "-"])


def test_compress_10m():
    """10 MB through gzip and back."""
    data = os.urandom(1 << 20) + b"0123456789abcdef" * (9 << 16)
    packed = run([PITH, "run", "/bin/gzip", "-1c"], data, 200)
    assert packed.returncode == 0
    back = run(["/bin/gzip", "-dc"], packed.stdout, 60)
    assert back.stdout == data
