# SPDX-License-Identifier: Apache-2.0
"""`pith run` and `pith build` as a user meets them, with the real kernel.

Goal: a program run by pith behaves like the program: streams, terminal, exit
status, signals; every option does what --help says; bad input ends in one clear
line.  Method: where Linux can say what is right, the same thing is done on the
host first and the two are compared.  test/tool has the same subjects against a
stand-in for QEMU, where the failures can be made to order."""

import fcntl
import hashlib
import json
import os
import pty
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
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
def env(tmp_path_factory):
    e = dict(os.environ, TERM="xterm", LANG="C.UTF-8")
    e.setdefault("PITH_CACHE", str(tmp_path_factory.mktemp("cache")))
    e.pop("PITH_CACHE_LIMIT", None)
    return e


@pytest.fixture
def run(env):
    """pith run WORDS; stdin is bytes or a file."""
    def go(*words, stdin=None, extra={}, **more):
        if isinstance(stdin, bytes):
            more["input"] = stdin
        else:
            more["stdin"] = stdin or subprocess.DEVNULL
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        return subprocess.run([PITH, "run", *map(str, words)],
                              env=dict(env, **extra), timeout=WAIT, **more)
    return go


@pytest.fixture
def start(env):
    """The same, not waited for."""
    all_of_them = []

    def go(*words, **more):
        p = subprocess.Popen([PITH, "run", *map(str, words)], env=env, **more)
        all_of_them.append(p)
        return p
    yield go
    for p in all_of_them:
        if p.poll() is None:
            p.kill()
            p.wait()


@pytest.fixture
def pith(env):
    def go(*words, **more):
        return subprocess.run([PITH, *map(str, words)], env=env,
                              capture_output=True, timeout=WAIT, **more)
    return go


def compiled(path, source, *flags):
    subprocess.run(["gcc", "-O1", *flags, "-x", "c", "-", "-o", path],
                   input=source.encode(), check=True)
    return path


def fails(r, status, *words):
    """The status, and one clear last line that begins "pith:"."""
    assert r.returncode == status, r.stderr.decode()
    line = r.stderr.decode().splitlines()[-1]
    assert line.startswith("pith: "), r.stderr.decode()
    for w in words:
        assert w in line, line


# ---- streams ----

def test_large_input(run, tmp_path):
    """head -c N /dev/urandom | pith run sha256sum, by a pipe and by a file."""
    n = (100 if LONG else 10) << 20
    data = os.urandom(n)
    want = hashlib.sha256(data).hexdigest().encode() + b"  -\n"
    assert run("/usr/bin/sha256sum", stdin=data).stdout == want
    (tmp_path / "in").write_bytes(data)
    with open(tmp_path / "in", "rb") as f:
        assert run("/usr/bin/sha256sum", stdin=f).stdout == want


def test_large_output_both_ways(run):
    data = os.urandom((100 if LONG else 10) << 20)
    r = run("/bin/cat", stdin=data)
    assert r.returncode == 0, r
    assert hashlib.sha256(r.stdout).digest() == hashlib.sha256(data).digest()


def test_every_byte(run):
    data = bytes(range(256)) * 3
    assert run("/bin/cat", stdin=data).stdout == data


def test_separate_files(run, tmp_path):
    """>out 2>err, then >>out."""
    out, err = tmp_path / "out", tmp_path / "err"
    out.write_bytes(b"before\n")
    with open(out, "wb") as o, open(err, "wb") as e:
        run("/bin/sh", "-c", "echo out; echo err >&2", stdout=o, stderr=e)
    assert out.read_bytes() == b"out\n" and err.read_bytes() == b"err\n"
    with open(out, "ab") as o:
        run("/bin/sh", "-c", "echo more", stdout=o)
    assert out.read_bytes() == b"out\nmore\n"


ALTERNATING = ("i=0; while [ $i -lt 500 ]; do echo out $i; echo err $i >&2; "
               "i=$((i+1)); done")


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_one_file_for_both(run, tmp_path, kind):
    """2>&1: what is written comes in that order."""
    said = []
    for go in (subprocess.run, lambda argv, **more: run(*argv, **more)):
        path = tmp_path / "log"
        with open(path, "wb") as f:
            r = go(["/bin/dash", "-c", ALTERNATING], stderr=subprocess.STDOUT,
                   stdout=f if kind == "file" else subprocess.PIPE)
        said.append(path.read_bytes() if kind == "file" else r.stdout)
    assert said[0] == said[1] and len(said[0]) > 5000


def test_end_of_input(run):
    assert run("/usr/bin/wc", "-c", stdin=b"").stdout == b"0\n"
    assert run("/usr/bin/wc", "-c", stdin=b"x").stdout == b"1\n"
    assert run("/usr/bin/wc", "-c").stdout == b"0\n"  # /dev/null


def test_reader_that_goes(env):
    """yes | head -1 ends at once, by SIGPIPE, as a shell sees it."""
    r = subprocess.run(["bash", "-c", '"$0" run /usr/bin/yes | head -1; '
                        'echo ${PIPESTATUS[@]}', PITH], env=env,
                       capture_output=True, timeout=WAIT)
    assert r.stdout == b"y\n141 0\n" and r.stderr == b""


def test_slow_reader(start):
    p = start("/usr/bin/seq", "200000", stdin=subprocess.DEVNULL,
              stdout=subprocess.PIPE)
    h, n = hashlib.sha256(), 0
    while data := os.read(p.stdout.fileno(), 70000):
        h.update(data)
        n += 1
        if n < 10:
            time.sleep(0.05)
    want = subprocess.run(["seq", "200000"], capture_output=True).stdout
    assert h.digest() == hashlib.sha256(want).digest() and p.wait(WAIT) == 0
    p.stdout.close()


FDS = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	struct stat s;
	char b[200] = "";
	int n = 0;
	for (int i = 0; i < 4; i++)
		n += fstat(i, &s) ? sprintf(b + n, "%d: %s\n", i, strerror(errno)) :
			sprintf(b + n, "%d: %c %d\n", i, S_ISCHR(s.st_mode) ? 'c' :
				S_ISFIFO(s.st_mode) ? 'p' : '?',
				fcntl(i, F_GETFL) & O_ACCMODE);
	write(argc > 1 ? argv[1][0] - '0' : 1, b, n);
	return write(argc > 1 ? argv[1][0] - '0' : 1, "", 0) < 0 ? errno : 0;
}
"""


@pytest.mark.parametrize("redirections", [
    "| cat", "<&- | cat", "</dev/null >/dev/null 2| cat", "2>&- | cat",
    "</dev/null | cat", "2 2>&1 >&- | cat", "2 2>&1 >/dev/null | cat",
    "2 <&- 2>&1 >&- | cat"])
def test_closed_and_null_streams(env, tmp_path, redirections):
    """What a program finds at its descriptors is what it finds on Linux."""
    exe = compiled(tmp_path / "fds", FDS, "-static")
    redirections = redirections.replace("2| cat", "")
    script = f': | "$@" {redirections}'
    want = subprocess.run(["bash", "-c", script, "-", exe],
                          capture_output=True, timeout=WAIT)
    got = subprocess.run(["bash", "-c", script, "-", PITH, "run", exe],
                         env=env, capture_output=True, timeout=WAIT)
    assert got.stdout == want.stdout and got.stderr == want.stderr
    assert got.returncode == want.returncode, got


def test_stdout_full(run):
    """A disk that is full under stdout: the program hears of it, or pith."""
    with open("/dev/full", "wb") as f:
        r = run("/usr/bin/seq", "100000", stdout=f)
    assert r.returncode != 0 and b"No space left" in r.stderr


# ---- exit status and signals ----

@pytest.mark.parametrize("code", [0, 1, 77, 124, 125, 126, 127, 128, 255])
def test_status(run, code):
    r = run("/bin/sh", "-c", f"exit {code}")
    assert r.returncode == code and r.stderr == b""


@pytest.mark.parametrize("name", ["HUP", "INT", "KILL", "TERM", "ALRM"])
def test_death_by_signal(run, name):
    r = run("/bin/sh", "-c", f"kill -{name} $$")
    assert r.returncode == 128 + getattr(signal, "SIG" + name)
    assert r.stderr == b""


CATCH = """
import os, signal, sys, time
def caught(n, f):
    print("caught", signal.Signals(n).name, flush=True)
    if n == signal.SIGTERM: sys.exit(33)
for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
          signal.SIGUSR1, signal.SIGUSR2): signal.signal(s, caught)
print("ready", flush=True)
# A signal between Python's last look for one and its sleep waits for its end,
# on Linux too.
while True: time.sleep(0.1)
"""


def test_signals_reach_the_program(start):
    p = start(PY, "-c", CATCH, stdin=subprocess.DEVNULL,
              stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    for s in ("INT", "HUP", "QUIT", "USR1", "USR2", "TERM"):
        p.send_signal(getattr(signal, "SIG" + s))
        assert p.stdout.readline() == b"caught SIG%s\n" % s.encode()
    assert p.wait(WAIT) == 33
    p.stdout.close()


@pytest.mark.parametrize("s", [signal.SIGINT, signal.SIGTERM])
def test_signal_by_default_ends(start, s):
    p = start("/bin/sh", "-c", "echo ready; read x", stdin=subprocess.PIPE,
              stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    p.send_signal(s)
    assert p.wait(WAIT) == 128 + s
    p.stdin.close(), p.stdout.close()


@pytest.mark.parametrize("s", [signal.SIGHUP, signal.SIGUSR1])
def test_same_signal_again(start, s):
    """What does not ask a program to end is its own, also three times."""
    p = start("/usr/bin/python3", "-c", "import signal as s\n"
              "s.pthread_sigmask(s.SIG_BLOCK, [%d])\n"
              "for i in range(3): print(i, flush=True); s.sigwait([%d])" %
              (s, s), stdout=subprocess.PIPE)
    for i in range(3):
        assert p.stdout.readline() == b"%d\n" % i
        p.send_signal(s)
    assert p.wait(WAIT) == 0
    p.stdout.close()


def test_same_signal_again_ends(start, until_taken):
    p = start("/bin/sh", "-c", "trap '' INT; echo ready; read x",
              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
              stderr=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    p.send_signal(signal.SIGINT)
    until_taken(p.pid, signal.SIGINT)
    time.sleep(1.1)  # sooner it would be timeout(1)'s
    assert p.poll() is None
    p.send_signal(signal.SIGINT)
    assert p.wait(WAIT) == 130
    assert p.stderr.read() == b"pith: the same signal twice: the machine is ended\n"
    for f in (p.stdin, p.stdout, p.stderr):
        f.close()


# ---- the terminal ----

class Terminal:
    """A command on a terminal of its own, in the foreground."""

    def __init__(self, argv, env, size=(24, 80)):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", *size, 0, 0))
            os.execve(argv[0], list(map(str, argv)), env)
        self.text, self.at, self.status = b"", 0, None

    def more(self):
        """Reads what comes; False at the end."""
        if not select.select([self.fd], [], [], 0.1)[0]:
            if self.status is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.status = os.waitstatus_to_exitcode(status)
                    return True  # once more for what it left
            return self.status is None
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.text += data
        return bool(data)

    def expect(self, what):
        """Waits for it; returns all since the last time."""
        end = time.time() + WAIT
        while what not in self.text[self.at:]:
            assert time.time() < end, self.text[self.at:]
            assert self.more() or what in self.text[self.at:], self.text
        start, self.at = self.at, self.text.index(what, self.at) + len(what)
        return self.text[start:self.at]

    def send(self, keys):
        os.write(self.fd, keys)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("4H", rows, columns, 0, 0))

    def wait(self):
        end = time.time() + WAIT
        while self.more():
            assert time.time() < end, self.text
        if self.status is None:
            _, status = os.waitpid(self.pid, 0)
            self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def modes(self):
        return termios.tcgetattr(self.fd)


@pytest.fixture
def terminal(env):
    all_of_them = []

    def go(*argv, **more):
        t = Terminal(argv, env, **more)
        all_of_them.append(t)
        return t
    yield go
    for t in all_of_them:
        if t.status is None:
            os.kill(t.pid, signal.SIGKILL)
            os.waitpid(t.pid, 0)
        os.close(t.fd)


@pytest.fixture
def both(terminal):
    """Does the same with a program on the host's terminal and in pith; what
    was printed must agree."""
    def go(script, *argv, status=True):
        results = []
        for prefix in ((), (PITH, "run")):
            t = terminal(*prefix, *argv)
            said = script(t)
            code = t.wait()
            if code < 0:
                code = 128 - code
            results.append((said, code, t.text))
        assert results[1] == results[0]
        return results[1]
    return go


def test_terminal_settings(both):
    """stty -a: size, keys and modes are the host's."""
    text = both(lambda t: None, "/usr/bin/stty", "-a")[2]
    assert b"rows 24; columns 80" in text and b"intr = ^C" in text


def test_terminal_facts(both):
    both(lambda t: None, PY, "-c", "import os; "
         "print([os.isatty(i) for i in range(3)], os.get_terminal_size(), "
         "os.tcgetpgrp(0) == os.getpgrp(), os.getsid(0) == os.getpid(), "
         "open('/dev/tty').isatty(), os.environ['TERM'])")


KEYS = """
import os, signal, sys
def say(*words):  # not print(): a handler may come while it writes
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def caught(n, f):
    say("caught", signal.Signals(n).name, tuple(os.get_terminal_size()))
for s in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH):
    signal.signal(s, caught)
say("ready")
while True:
    line = sys.stdin.readline()
    say("line", repr(line))
    if not line: break
"""


def test_terminal_keys(both):
    """Signals' keys, the size and its changes, editing of a line, its end."""
    def script(t):
        said = [t.expect(b"ready\r\n")]
        for key, sig in ((b"\x03", b"INT"), (b"\x1c", b"QUIT"),
                         (b"\x1a", b"TSTP")):
            t.send(key)
            said.append(t.expect(b"caught SIG%s (80, 24)\r\n" % sig))
        t.resize(40, 100)
        said.append(t.expect(b"caught SIGWINCH (100, 40)\r\n"))
        for keys in (b"abc\x7fd\x15xyz word\x17w\r", b"\x16\x03\xc3\xa9\x7f\r",
                     b"part\x04more\r", b"\x04"):
            t.send(keys)
            said.append(t.expect(b"line"))
            said.append(t.expect(b"\n"))
        return said
    said, status, _ = both(script, PY, "-c", KEYS)
    assert said[-1] == b" ''\r\n" and status == 0


def test_terminal_interrupt_ends(both):
    def script(t):
        t.expect(b"ready")
        t.send(b"\x03")
    assert both(script, "/bin/sh", "-c", "echo ready; read x")[1] == 130


def test_python_prompt(both):
    """readline: arrows, history, an interrupt, completion, Ctrl-D."""
    def script(t):
        said = [t.expect(b">>> ")]
        for keys in (b"prit('x')" + b"\x1b[D" * 6 + b"n\r", b"\x1b[A\r"):
            t.send(keys)
            said.append(t.expect(b">>> "))
        # Not at the prompt: Python may look for a signal just before it comes,
        # and then wait for a key.
        t.send(b"exec('try:\\n print(1 + 1)\\n while 1: pass\\n"
               b"except KeyboardInterrupt: print(3)')\r")
        said.append(t.expect(b"\n2\r\n"))
        t.send(b"\x03")
        said.append(t.expect(b">>> "))
        t.send(b"import os\r")
        said.append(t.expect(b">>> "))
        t.send(b"os.get_ter\t")
        said.append(t.expect(b"minal_size"))
        t.send(b")\r")
        said.append(t.expect(b">>> "))
        t.send(b"\x04")
        return said
    said, status, _ = both(script, PY, "-q")
    assert b"\nx\r\n" in said[1] and b"\nx\r\n" in said[2] and status == 0


@pytest.mark.parametrize("argv, seen, keys, then, leave", [
    (["/bin/busybox", "vi"], b"line 22", b"\x06", b"H44", b":q!\r"),
    (["/usr/bin/less"], b"line 22", b" ", b"line 45", b"q")])
def test_full_screen(both, tmp_path, argv, seen, keys, then, leave):
    text = tmp_path / "text"
    text.write_text("".join(f"line {i}\n" for i in range(200)))

    def script(t):
        t.expect(seen)
        t.send(keys)
        t.expect(then)
        t.send(leave)
    assert both(script, *argv, text)[1] == 0


@pytest.mark.parametrize("command", [
    "@ %s | cat", "echo hi | @ %s", "@ %s >/dev/null", "@ %s 2>/dev/null",
    "@ %s </dev/null", "@ %s </dev/null 2>&1 | cat", "@ %s <&- | cat"])
def test_terminal_and_others(terminal, command):
    """Some streams a terminal, some not: each as on Linux, lines and all."""
    program = (PY + " -c 'import os,sys; a=[os.isatty(i) for i in (0,1,2)]; "
               "[os.write(i, b\"%%r\\n\" %% a) for i in (1, 2)]'")
    texts = []
    for prefix in ("", PITH + " run"):
        t = terminal("/bin/bash", "--norc", "-c",
                     (command % program).replace("@", prefix))
        t.wait()
        texts.append(sorted(t.text.split(b"\n")))
    assert texts[0] == texts[1]


def test_typing_into_a_pipeline(terminal):
    """Echo comes to the terminal though stdout is a pipe; no stairs."""
    t = terminal("/bin/bash", "--norc", "-c", f"{PITH} run {PY} -c 'import "
                 "sys; print(\"ready\", flush=True)\nfor l in sys.stdin: "
                 "print(l.upper(), end=\"\", flush=True)' | cat")
    t.expect(b"ready\r\n")
    t.send(b"hello\r")
    assert t.expect(b"HELLO\r\n") == b"hello\r\nHELLO\r\n"
    t.send(b"\x04")
    assert t.wait() == 0


SLEEP = 'import time; print("re" + "ady", flush=True); time.sleep(10000)'


@pytest.mark.parametrize("s", [signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV,
                               signal.SIGKILL])
def test_terminal_restored_after_a_kill(terminal, s):
    t = terminal(PITH, "run", PY, "-c", SLEEP)
    before = t.modes()
    t.expect(b"ready")
    assert t.modes()[3] & termios.ICANON == 0
    os.kill(t.pid, s)
    t.wait()
    for _ in range(WAIT * 10):
        if t.modes() == before:
            break
        time.sleep(0.1)
    assert t.modes() == before


def test_terminal_restored_at_exit_and_stop(terminal):
    t = terminal(PITH, "run", PY, "-c", "print('ready', flush=True); input(); "
                 "print('bye')")
    before = t.modes()
    t.expect(b"ready")
    os.kill(t.pid, signal.SIGTSTP)
    os.waitpid(t.pid, os.WUNTRACED)
    assert t.modes() == before
    os.kill(t.pid, signal.SIGCONT)
    while t.modes() == before:
        time.sleep(0.05)
    t.send(b"\r")
    t.expect(b"bye")
    assert t.wait() == 0 and t.modes() == before


def test_escape_key(terminal):
    t = terminal(PITH, "run", PY, "-c", SLEEP)
    before = t.modes()
    t.expect(b"ready")
    t.send(b"\x01x")
    assert t.wait() == 125
    assert t.text.endswith(b"pith: ended by Ctrl-A x\r\n")
    assert t.modes() == before




# ---- options ----

def test_environment(run, tmp_path):
    (tmp_path / "vars").write_text("# remark\nF=1\n\nG=a b=c\n")
    r = run("-e", "A=1", "--env", "B", "-e", "UNSET", "--env-file",
            tmp_path / "vars", "/usr/bin/env",
            extra={"B": "host", "SECRET": "s"})
    got = dict(line.split("=", 1) for line in r.stdout.decode().splitlines())
    assert got == {"A": "1", "B": "host", "F": "1", "G": "a b=c",
                   "TERM": "xterm", "LANG": "C.UTF-8", "HOME": got["HOME"],
                   "PATH": got["PATH"]}


def test_env_file_is_a_pipe(env):
    r = subprocess.run(["bash", "-c", '"$0" run --env-file <(echo F=1) '
                        '/usr/bin/printenv F', PITH], env=env,
                       capture_output=True, timeout=WAIT)
    assert r.stdout == b"1\n", r


def test_directory_user_and_machine(run):
    code = ("import os; print(os.getcwd(), os.getuid(), os.getgid(), "
            "os.uname().nodename, oct(os.umask(0)), os.cpu_count(), "
            "int(open('/proc/meminfo').readline().split()[1]) // 1024)")
    r = run("-w", "/var/tmp", "-u", "1000:1001", "--hostname", "box",
            "--umask", "077", "-m", "200M", "-c", "2", PY, "-c", code)
    words = r.stdout.decode().split()
    assert words[:6] == ["/var/tmp", "1000", "1001", "box", "0o77", "2"]
    # An eighth is the address sanitizer's, where the kernel has one.
    assert 160 < int(words[6]) <= 200
    assert run("-u", "7", "/usr/bin/id", "-g").stdout == b"7\n"


def test_limits(run):
    r = run("--rlimit", "nofile=100:200", "/bin/sh", "-c",
            "ulimit -Sn; ulimit -Hn")
    assert r.stdout == b"100\n200\n", r


def test_include(run, tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "f").write_text("deep\n")
    (tmp_path / "one").write_text("one\n")
    r = run("-i", f"{tmp_path}/d:/data", "--include", tmp_path / "one",
            "-i", f"{tmp_path}/one:/two", "/bin/sh", "-c",
            f"read a </data/e/f; read b <{tmp_path}/one; read c </two; "
            "echo $a $b $c")
    assert r.stdout == b"deep one one\n", r


def test_root(run, tmp_path):
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin" / "sh")
    (root / "x").write_text("of the root\n")
    r = run("-r", root, "/bin/sh", "-c", "read l </x; echo $l; echo /*")
    assert r.stdout.startswith(b"of the root\n")
    assert b"/usr" not in r.stdout
    fails(run("-r", root, "/bin/none"), 127, "/bin/none")


def test_root_read_only(run):
    script = "echo x >/tmp/f && read l </tmp/f && echo $l"
    assert run("/bin/sh", "-c", script).stdout == b"x\n"
    r = run("--root-mode", "ro", "/bin/sh", "-c", script)
    assert r.stdout == b"" and b"Read-only file system" in r.stderr


def test_mount(run):
    r = run("--mount", "tmpfs:none:/mnt:size=1M", PY, "-c",
            "import os; print(os.statvfs('/mnt').f_blocks * "
            "os.statvfs('/mnt').f_frsize, os.path.ismount('/mnt'))")
    assert r.stdout == b"1048576 True\n", r.stderr


@pytest.mark.parametrize("machine", ["microvm", "q35", "pc"])
def test_machines(run, machine):
    r = run("--machine", machine, "-c", "2", "--accel", "tcg", PY, "-c",
            "import os; print(os.cpu_count(), input())", stdin=b"typed\n")
    assert (r.stdout, r.returncode) == (b"2 typed\n", 0), r.stderr


def test_timeout(run):
    fails(run("--timeout", "1", "/bin/sleep", "1000"), 124, "time is up")


def test_trace_to_stderr_and_file(run, tmp_path):
    r = run("--trace=write,exit_group", "/bin/echo", "hi")
    assert r.stdout == b"hi\n", r
    assert b'write(1, "hi\\n", 3) = 3\n' in r.stderr
    assert b"openat" not in r.stderr
    f = tmp_path / "trace"
    r = run("--trace", "--trace-file", f, "/bin/echo", "hi")
    assert r.stderr == b""
    text = f.read_text()
    assert 'openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3' in text
    assert text.endswith("+++ exited with 0 +++\n")


STRACED = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
static void h(int s) {}
int main(int argc, char **argv)
{
	struct stat st; struct timespec ts = {0, 1000}; int p[2];
	struct rlimit rl; char b[64];
	struct sigaction sa = { .sa_handler = h, .sa_flags = SA_RESTART };
	struct iovec iov[2] = { { "ab", 2 }, { "c\n", 2 } };
	struct sockaddr_un un = { AF_UNIX, "/tmp/nosuch" };
	sigset_t set;
	stat("/", &st); lstat("/none", &st); fstat(0, &st);
	access("/etc", R_OK|X_OK); access("/none", F_OK);
	lseek(99, 5, SEEK_END);
	nanosleep(&ts, NULL);
	getrlimit(RLIMIT_NOFILE, &rl);
	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&set); sigaddset(&set, SIGINT); sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL); sigprocmask(SIG_SETMASK, NULL, &set);
	syscall(SYS_pipe2, p, O_CLOEXEC);
	writev(p[1], iov, 2); 
	struct pollfd pf = { p[0], POLLIN };
	poll(&pf, 1, 0);
	readv(p[0], (struct iovec[]){ { b, 3 }, { b+10, 5 } }, 2);
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { EPOLLIN, { .u64 = 7 } };
	epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev); write(p[1], "x", 1); epoll_wait(ep, &ev, 1, 0);
	int s = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0);
	connect(s, (void *)&un, sizeof(un));
	fcntl(s, F_GETFD); fcntl(s, F_DUPFD_CLOEXEC, 0);
	ioctl(0, TIOCGWINSZ, b);
	madvise(mmap(0, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0), 4096, MADV_DONTNEED);
	open("/dev/null", O_RDONLY); open("/dev/null", O_WRONLY|O_CREAT|O_TRUNC, 0644);
	raise(SIGUSR1);
	if (argc > 1) *(volatile int *)0 = 1;
	return 3;
}
"""


def normal(line):
    """Addresses, and what is the machine's own, left out."""
    line = re.sub(r"^(\[\d+\]|\d+) +", "", line)
    line = re.sub(r"\) += ", ") = ", line)
    line = re.sub(r"rlim_(cur|max)=[^,}]*", r"rlim_\1=N", line)
    return re.sub(r"0x[0-9a-f]{6,}", "ADDRESS", line)


@pytest.mark.parametrize("die", [False, True])
def test_trace_agrees_with_strace(run, tmp_path, die):
    """Structures, flags, signals and the end, in strace's words.  Left out is
    what differs between machines or between notations."""
    exe = compiled(tmp_path / "p", STRACED, "-static")
    words = [str(exe), "x"] if die else [str(exe)]
    subprocess.run(["strace", "-f", "-o", tmp_path / "want", *words],
                   stdin=subprocess.DEVNULL, timeout=WAIT)
    run("--trace", "--trace-file", tmp_path / "got", *words)
    other = ("execve", "brk", "set_tid_address", "getrandom", "gettid",
             "getpid", "tgkill", "rt_sigreturn", "--- SIGUSR1", "poll(",
             "fcntl(6, F_GETFD)", "exit_group")
    want, got = ([x for x in map(normal, (tmp_path / f).read_text().splitlines())
                  if not x.startswith(other)] for f in ("want", "got"))
    assert got == want
    assert len(got) > 30
    text = (tmp_path / "got").read_text()
    assert "--- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_TKILL, si_pid=1, " in text


def test_trace_of_sockets(run, tmp_path):
    """Addresses, messages, control data and options, in strace's words."""
    with open(os.path.join(os.path.dirname(__file__), "programs",
                           "sockets.c")) as f:
        exe = compiled(tmp_path / "p", f.read(), "-static", "-w")
    subprocess.run(["strace", "-e", "trace=network", "-e", "signal=none",
                    "-o", tmp_path / "want", exe], timeout=WAIT)
    run("--trace", "--trace-file", tmp_path / "got", exe)
    want, got = ([re.sub(r"htons\([1-9]\d*\)", "PORT", normal(x))
                  for x in (tmp_path / f).read_text().splitlines()
                  if re.search(r"sock|send|recv|bind|connect|listen|accept|"
                               r"shutdown|peer", x)]
                 for f in ("want", "got"))
    assert got == want
    assert len(got) > 25


def test_missing_files(run):
    r = run("--missing-files", "/bin/sh", "-c",
            "test -e /no/such; cd /usr; test -e at; test -e /usr/bin/env")
    lines = r.stderr.decode().splitlines()
    assert "pith: missing: /no/such" in lines
    assert "pith: missing: /usr/at" in lines
    assert "pith: missing: /usr/bin/env (this machine has it: -i)" in lines
    assert b"missing" not in run("/bin/sh", "-c", "test -e /no").stderr


def test_verbose(run):
    r = run("--verbose", "/bin/true")
    assert b"pith: " in r.stderr and r.returncode == 0


def test_print_qemu(run):
    r = run("--print-qemu", "/bin/true")
    assert r.stdout.startswith(b"/") and b"-sandbox on" in r.stdout
    assert r.stdout.count(b"\n") == 1


def test_gdb(start, tmp_path):
    """The command that pith prints stops in the kernel, by a symbol."""
    if not shutil.which("gdb"):
        pytest.fail("gdb is not installed; see tools/deps.txt")
    p = start("--gdb", str(free_port()), "/bin/echo", "hello",
              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
              stdin=subprocess.DEVNULL)
    line = p.stderr.readline().decode()
    commands = re.findall(r"-ex '([^']*)'", line)
    assert len(commands) == 2, line
    argv = ["gdb", "-q", "-nx", "-batch"]
    # gdb tries again until QEMU listens.
    for c in ("set pagination off", "set tcp connect-timeout 240", *commands,
              "hbreak sys_exit_group", "continue", "backtrace 3", "detach"):
        argv += ["-ex", c]
    out = subprocess.run(argv, capture_output=True, text=True, timeout=WAIT,
                         stdin=subprocess.DEVNULL).stdout
    assert "sys_exit_group" in out and "upcall_syscall" in out, out
    assert p.wait(WAIT) == 0 and p.stdout.read() == b"hello\n"
    p.stdout.close(), p.stderr.close()


# ---- images ----

def test_build_and_run(pith, run, tmp_path):
    img = tmp_path / "app.img"
    r = pith("build", "-o", img, "-m", "64M", "-e", "K=V", "-w", "/var/tmp",
             "/bin/sh", "-c", "echo $K $0 $1; pwd; exit 7", "zero", "one")
    assert r.returncode == 0, r.stderr
    r = run(img)
    assert (r.stdout, r.returncode) == (b"V zero one\n/var/tmp\n", 7)
    r = run("-e", "K=W", img, "-c", "echo other $K")
    assert (r.stdout, r.returncode) == (b"other W\n", 0)
    again = tmp_path / "again.img"
    pith("build", "-o", again, "-m", "64M", "-e", "K=V", "-w", "/var/tmp",
         "/bin/sh", "-c", "echo $K $0 $1; pwd; exit 7", "zero", "one")
    assert img.read_bytes() == again.read_bytes()


def test_configuration(pith, run, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("included\n")
    config = {"program": "/bin/sh",
              "args": ["-c", "echo $K; pwd; read l </d/f; echo $l; umask; "
                       "ulimit -n; read l </proc/sys/kernel/hostname; echo $l"],
              "env": {"K": "of the file"}, "workdir": "/var/tmp",
              "user": "5:6", "include": [f"{tmp_path}/d:/d"],
              "memory": "64M", "cpus": 2, "hostname": "box", "umask": "027",
              "rlimit": ["nofile=55"], "mount": ["tmpfs:none:/mnt"],
              "aslr": False, "machine": "q35", "timeout": 300}
    f = tmp_path / "app.json"
    f.write_text(json.dumps(config, indent=1))
    r = run("--config", f)
    assert r.stdout == b"of the file\n/var/tmp\nincluded\n0027\n55\nbox\n", \
        r.stderr
    r = run("--config", f, "-e", "K=of the line", "-w", "/")
    assert r.stdout.startswith(b"of the line\n/\n")
    for k in ("machine", "timeout"):
        del config[k]
    f.write_text(json.dumps(config))
    img = tmp_path / "app.img"
    assert pith("build", "-c", f, "-o", img).returncode == 0
    r = run(img)
    assert r.stdout.startswith(b"of the file\n/var/tmp\nincluded\n0027\n55\n")
    f.write_text('{\n "program": "/bin/true",\n "memmory": "64M"\n}\n')
    fails(run("--config", f), 125, "line 3", "memmory", '"memory"')
    f.write_text('{\n "program": "/bin/true",\n "cpus": "two"\n}\n')
    fails(run("--config", f), 125, "line 3", "cpus")


def test_look_into_an_image(pith, tmp_path):
    img = tmp_path / "app.img"
    pith("build", "-o", img, "/bin/busybox", "true")
    text = pith("inspect", img).stdout.decode()
    assert "/bin/busybox" in text and "root fs" in text
    assert "/etc/passwd" in pith("ls", img).stdout.decode()
    pith("cp", img, "/bin/busybox", tmp_path / "out")
    with open("/bin/busybox", "rb") as f:
        assert (tmp_path / "out").read_bytes() == f.read()


def test_installed(env, tmp_path):
    """make install PREFIX: it works from there, and under a DESTDIR."""
    quiet = {"cwd": TOP, "capture_output": True, "timeout": WAIT}
    more = dict(env, MAKEFLAGS="", MAKELEVEL="")
    for args in ([f"PREFIX={tmp_path}/p"],
                 ["PREFIX=/opt/x", f"DESTDIR={tmp_path}/d"]):
        r = subprocess.run(["make", "-o", "all", f"O={BUILD}", "install", *args], env=more,
                           **quiet)
        assert r.returncode == 0, r.stderr
    for top in (tmp_path / "p", tmp_path / "d" / "opt" / "x"):
        for f in ("bin/pith", "lib/pith/pith-kernel.elf",
                  "share/man/man1/pith.1",
                  "share/bash-completion/completions/pith"):
            assert (top / f).exists()
        r = subprocess.run([top / "bin" / "pith", "run", "/bin/echo", "hi"],
                           env=env, capture_output=True, timeout=WAIT, cwd="/")
        assert (r.stdout, r.returncode) == (b"hi\n", 0), r.stderr


# ---- to see inside ----

SEGV = r"""
#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>
static int __attribute__((noinline)) inner(volatile int *p) { return *p + 1; }
static int __attribute__((noinline)) middle(int n) { return inner((int *)0x10) + n; }
static void *other(void *a) { return (void *)(long)middle(*(int *)a); }
int main(int argc, char **argv)
{
	pthread_t t;
	fprintf(stderr, "before\n");
	if (argc == 1)
		return middle(argc) + 1;
	if (argv[1][0] == 'a')
		abort();
	pthread_create(&t, NULL, other, &argc);
	pthread_join(t, NULL);
	return 0;
}
"""


def test_crash_report(run, tmp_path):
    exe = compiled(tmp_path / "segv", SEGV, "-g", "-pthread")
    r = run(exe)
    assert r.returncode == 139, r
    lines = r.stderr.decode().splitlines()
    assert lines[0] == "before"
    assert all(l.startswith("pith:") for l in lines[1:]), lines
    assert "signal 11 (SIGSEGV) at address 0x10" in lines[1]
    text = r.stderr.decode()
    assert re.search(r"rip 0x[0-9a-f]{16} .*\n", text)
    order = [text.index(s) for s in ("#0 ", " inner+", "#1 ", " middle+",
                                     "#2 ", " main+")]
    assert order == sorted(order) and "libc_start" in text
    r = run(exe, "a")
    assert r.returncode == 134 and b"SIGABRT)\n" in r.stderr
    r = run(exe, "thread")
    assert r.returncode == 139 and b" middle+" in r.stderr


def test_missing_system_call(run):
    """Named once at exit, with its count, in pith's own words."""
    code = ("import ctypes; c = ctypes.CDLL(None, use_errno=True); "
            "r = [c.syscall(101, 0, 0, 0, 0) for _ in range(3)]; "
            "print(r, ctypes.get_errno())")
    r = run(PY, "-c", code)
    assert r.stdout == b"[-1, -1, -1] 38\n"
    assert r.stderr == b"pith: system call ptrace (101) is not there: asked 3 times\n"


# ---- bad input ----

def test_bad_programs(run, tmp_path):
    text = tmp_path / "text"
    text.write_text("no program\n")
    text.chmod(0o755)
    fails(run(text), 126, str(text))
    text.chmod(0o644)
    fails(run(text), 126, str(text))
    fails(run(tmp_path / "none"), 127, "none")
    fails(run("no-such-program-at-all"), 127, "no-such-program-at-all")
    fails(run(tmp_path), 126, "directory")


def test_truncated_programs(run, tmp_path):
    """Cut at every header and within: an error of ours, or the program's own
    death, and never the kernel's."""
    exe = compiled(tmp_path / "hello", "int main(void){return 0;}", "-static")
    data = exe.read_bytes()
    phoff, = struct.unpack_from("<Q", data, 32)
    phentsize, phnum = struct.unpack_from("<HH", data, 54)
    cuts = [1, 4, 16, 32, 63, 64, phoff + phentsize,
            phoff + phentsize * phnum - 1, phoff + phentsize * phnum, 4096,
            8192, len(data) // 2]
    cut = tmp_path / "cut"
    for n in cuts:
        cut.write_bytes(data[:n])
        cut.chmod(0o755)
        r = run(cut)
        assert r.returncode in (126, 128 + 7, 128 + 11), (n, r.stderr)
        assert b"panic" not in r.stderr
        if r.returncode == 126:
            fails(r, 126, str(cut))


def test_program_larger_than_memory(run, tmp_path):
    exe = compiled(tmp_path / "big", "static char b[200 << 20] = {1}; "
                   "int main(void) { volatile char *p = b; for (long i = 0; "
                   "i < sizeof(b); i += 4096) p[i]++; return 0; }", "-static")
    fails(run("-m", "32M", exe), 126, "memory", "32 MB")
    r = run("-m", "32M", PY, "-c", "x = bytearray(100 << 20)")
    assert r.returncode == 1 and b"MemoryError" in r.stderr
    fails(run("-m", "1M", "/bin/true"), 125, "3M")


@pytest.mark.parametrize("name", ["a,b", "a b", "a\nb", "a=b", "a'b\"c", "é",
                                  "-x", "a%sb", "{a}"])
def test_odd_paths(run, tmp_path, name):
    d = tmp_path / name
    d.mkdir()
    shutil.copy("/bin/cat", d / name)
    (d / "f").write_text("inside\n")
    r = run("-i", f"{d}/f:/f{name}", d / name, f"/f{name}")
    assert (r.stdout, r.returncode) == (b"inside\n", 0), r.stderr


def test_link_out_of_root(run, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy("/bin/busybox", root / "sh")
    os.symlink("../../etc/passwd", root / "out")
    fails(run("-r", root, "/sh"), 125, "out")


def test_corrupted_image(pith, run, tmp_path):
    """Bytes of the root file system are overwritten: the run fails with a
    sentence or the program dies, and the kernel does not."""
    img = tmp_path / "app.img"
    pith("build", "-o", img, "/bin/busybox", "echo", "hi")
    assert run(img).stdout == b"hi\n"
    data = bytearray(img.read_bytes())
    first, = struct.unpack_from("<Q", data, 1024 + 3 * 128 + 32)
    root = first * 512
    noise = random.Random(1)
    for at, n in ((root + 1024, 1024), (root + 4096, 4096),
                  (root + 8192, 65536), (1024, 512), (512, 92)):
        bad = data[:]
        bad[at:at + n] = noise.randbytes(n)
        img.write_bytes(bad)
        r = run("--timeout", "300", img)
        assert r.returncode in (125, 126, 127), (at, r.returncode, r.stderr)
        fails(r, r.returncode)
        assert b"panicked" not in r.stderr


def test_two_runs_at_once(start, tmp_path):
    """One image, packaged once, several machines."""
    exe = compiled(tmp_path / "p", "#include <stdlib.h>\nint main(int c, "
                   "char **v) { return atoi(v[1]); }", "-static")
    ps = [start(exe, str(i), stdin=subprocess.DEVNULL) for i in range(4)]
    assert [p.wait(WAIT) for p in ps] == [0, 1, 2, 3]


def test_read_only_cache(run, tmp_path):
    """A cache that can not be made: the image is made in memory."""
    r = run("/bin/echo", "hi", extra={"PITH_CACHE": "/proc/none"})
    assert (r.stdout, r.returncode) == (b"hi\n", 0), r.stderr
    assert r.stderr.startswith(b"pith: ")
