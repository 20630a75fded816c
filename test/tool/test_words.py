# SPDX-License-Identifier: Apache-2.0
"""Help, manual page and completion know every word that pith knows, and the
configuration file says what is wrong with it, and where."""

import os
import subprocess

import pytest
from conftest import PITH, TOP, fails

MAN = os.path.join(TOP, "tools", "pith", "pith.1")
BASH = os.path.join(TOP, "tools", "pith", "pith.bash")


def words(pith, *command):
    return pith("--list", *command).stdout.decode().split()


@pytest.mark.parametrize("command", ["run", "build"])
def test_options_everywhere(pith, command):
    text = pith(command, "--help").stdout.decode()
    with open(MAN) as f:
        man = f.read().replace("\\-", "-")
    options = words(pith, command)
    assert len(options) > 10
    for o in options:
        assert o + " " in text or o + "[" in text or o + "\n" in text, o
        assert o in man, o


def test_commands_everywhere(pith):
    text = pith("--help").stdout.decode()
    with open(MAN) as f:
        man = f.read()
    for c in words(pith):
        assert f"  {c} " in text
        assert f"pith {c}" in man
        r = pith(c, "--help")
        assert r.returncode == 0 and b"Usage: pith " + c.encode() in r.stdout


def complete(pith, *line):
    script = f"""
source {BASH}
COMP_WORDS=({' '.join(line)} "")
COMP_CWORD={len(line)}
[ "${{COMP_WORDS[COMP_CWORD-1]}}" = -- ] && {{
    COMP_CWORD=$((COMP_CWORD-1)); unset 'COMP_WORDS[COMP_CWORD+1]'; }}
_pith
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    r = subprocess.run(["bash", "-c", script], capture_output=True,
                       env=pith.env)
    return r.stdout.decode().split()


def test_completion(pith):
    assert set(words(pith)) <= set(complete(pith, PITH))
    for command in ("run", "build"):
        assert set(words(pith, command)) <= \
            set(complete(pith, PITH, command, "--"))
    assert complete(pith, PITH, "run", "--machine") == \
        ["microvm", "q35", "pc"]


def test_manual_has_no_warnings():
    r = subprocess.run(["man", "-l", "--warnings", MAN], capture_output=True,
                       env=dict(os.environ, MANWIDTH="80"))
    assert r.stderr == b""


GOOD = """{
  "program": "%s",
  "args": ["env", "x"],
  "env": {"A": "1"},
  "workdir": "/tmp",
  "memory": "64M",
  "cpus": 2,
  "aslr": false,
  "missing-files": true,
  "trace": true
}"""


def test_config(pith, static, tmp_path):
    from test_streams import block
    f = tmp_path / "c.json"
    f.write_text(GOOD % static)
    b = block(pith("run", "--config", f).stdout)
    assert b[2] == [str(static).encode(), b"env", b"x"]
    assert b"A=1" in b[3] and b[4] == [b"/tmp"] and b[12] == [b""]
    q = pith("run", "--config", f, "-c", "3", "--print-qemu").stdout
    assert b"-smp 3" in q and b"-m 65536K" in q
    img = tmp_path / "o.img"
    assert pith("build", "-c", f, "-o", img).returncode == 0
    text = pith("inspect", img).stdout.decode()
    assert "memory     65536 KB" in text and "cpus       2" in text
    assert "aslr       false" in text
    # The command line's program replaces the file's, with its arguments.
    b = block(pith("run", "--config", f, static, "env", "y").stdout)
    assert b[2] == [str(static).encode(), b"env", b"y"]


@pytest.mark.parametrize("text,line,wanted", [
    ('{\n "program": "x",\n "memroy": "1G"\n}', 3, "memory"),
    ('{\n "program": "x",\n\n "memory": true\n}', 4, "size"),
    ('{\n "env": {"memory": 1},\n "cpus": "two"\n}', 2, "strings"),
    ('{\n "env": {"cpus": "1"},\n "cpus": "two"\n}', 3, "whole number"),
    ('{\n "args": "x"\n}', 2, "array"),
    ('{\n "args": [1]\n}', 2, "array"),
    ('{\n "program": 5\n}', 2, "string"),
    ('{\n "include": {}\n}', 2, "array"),
    ('{\n "aslr": "no"\n}', 2, "true or false"),
    ('{\n "persist": 1\n}', 2, "true or false"),
    ('{\n "memory": "lots"\n}', 2, "size"),
    ('{\n "memory": "1M"\n}', 2, "at least"),
    ('{\n "x": {"y": [1, "\\"}"]},\n "wrokdir": "/"\n}', 2, "key"),
    ('{\n "machine": "toaster"\n}', 2, "microvm"),
    ('{\n "cpus": 1,\n "klibs": ["9q"]\n}', 3, "there is: 9p"),
    ('{\n "klibs": [9]\n}', 2, "array"),
    ('{\n "cpus": 1,\n "cpus": 2\n}', 3, "duplicate"),
    ('{\n "cpus": 1\n "memory": 2\n}', 3, ""),
    ("[]", 1, "object"),
    ("", 1, ""),
])
def test_bad_config(pith, tmp_path, text, line, wanted):
    f = tmp_path / "c.json"
    f.write_text(text)
    r = pith("run", "--config", f)
    fails(r, 125, f"line {line}:", wanted)


def test_no_config(pith, tmp_path):
    fails(pith("run", "--config", tmp_path / "none"), 125, "No such file")


def test_doctor(pith):
    r = pith("doctor")
    assert r.returncode == 0, r
    for w in (b"QEMU", b"KVM", b"kernel", b"memory", b"cache"):
        assert w in r.stdout
    r = pith("doctor", env={"PITH_QEMU": "/no/qemu"})
    fails(r, 125, "lacking")
    assert b"apt install qemu-system-x86" in r.stdout
