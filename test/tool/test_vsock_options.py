# SPDX-License-Identifier: Apache-2.0
"""AF_VSOCK's options: what they come to in QEMU's words, that they bring the
klib, and that each mistake has one clear line and status 125."""

import json
import os
import shlex
import socket

import pytest
from conftest import fails
from test_streams import block

KLIB = 16


def qemu(pith, static, *words):
    r = pith("run", "--print-qemu", *words, static)
    assert r.returncode == 0, r.stderr
    return shlex.split(r.stdout.decode())


def objects(argv, option):
    return [json.loads(b) for a, b in zip(argv, argv[1:]) if a == option and
            b.startswith("{")]


@pytest.mark.parametrize("machine,suffix", [("microvm", "device"),
                                            ("q35", "pci")])
def test_vhost(pith, static, machine, suffix):
    argv = qemu(pith, static, "--machine", machine, "--vsock", "42")
    d, = [d for d in objects(argv, "-device") if "vsock" in d["driver"]]
    assert d["driver"] == "vhost-vsock-" + suffix
    assert d["guest-cid"] == 42 and int(d["vhostfd"]) > 2
    assert not any("memory-backend" in a for a in argv)


@pytest.mark.parametrize("machine,suffix", [("microvm", "device"),
                                            ("q35", "pci"), ("pc", "pci")])
def test_vhost_user(pith, static, machine, suffix):
    argv = qemu(pith, static, "--machine", machine, "-m", "64M",
                "--vsock-path", "/x,y=z")
    d, = [d for d in objects(argv, "-device") if "vsock" in d["driver"]]
    assert d["driver"] == "vhost-user-vsock-" + suffix
    assert d["chardev"] == "vsock"
    o, = [o for o in objects(argv, "-object")
          if o["qom-type"].startswith("memory")]
    assert o["size"] == 64 << 20 and o["share"] is True
    assert argv[argv.index("-machine") + 1].endswith(",memory-backend=ram")
    assert not any("/x,y=z" in a for a in argv)  # a descriptor, not a name


def test_nothing_of_it(pith, static):
    argv = qemu(pith, static)
    assert not any("vsock" in d["driver"] for d in objects(argv, "-device"))
    assert KLIB not in block(pith("run", static, "env").stdout)


def test_brings_the_klib(pith, static, tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen(1)
        b = block(pith("run", "--vsock-path", path, static, "env").stdout)
        assert b[KLIB] == [b"vsock\0"]
        cfg = tmp_path / "c.json"
        cfg.write_text(json.dumps({"vsock-path": path}))
        b = block(pith("run", "--config", cfg, static, "env").stdout)
        assert b[KLIB] == [b"vsock\0"]


def test_mistakes(pith, static, tmp_path):
    for cid in ("0", "1", "2", "4294967295", "4294967296", "x", "-3", ""):
        fails(pith("run", "--vsock", cid, static), 125, "address")
    fails(pith("run", "--vsock-path", "", static), 125, "must name")
    fails(pith("run", "--vsock-path", "/" + "x" * 200, static), 125,
          "too long")
    fails(pith("run", "--vsock-path", tmp_path / "no", static), 125,
          "No such file")
    fails(pith("run", "--vsock", "3", "--vsock-path", "/x", static), 125,
          "one of the two")
    path = str(tmp_path / "dead")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
    fails(pith("run", "--vsock-path", path, static), 125, "nobody listens")


@pytest.mark.skipif(os.path.exists("/dev/vhost-vsock"),
                    reason="this host has vhost-vsock")
def test_without_vhost(pith, static):
    fails(pith("run", "--vsock", "42", static), 125, "/dev/vhost-vsock",
          "vhost_vsock")
