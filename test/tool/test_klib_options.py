# SPDX-License-Identifier: Apache-2.0
"""Klibs as the command sees them: which go where.

A run hands over what it needs in the run block; an image's manifest keeps its
own; a run of such an image says nothing more unless it must."""

import os
import shutil

import pytest
from conftest import BUILD, PITH, fails
from test_streams import block
from test_words import complete

NAME, FILE = 16, 35


@pytest.fixture
def nine():
    with open(os.path.join(BUILD, "klib", "9p.klib"), "rb") as f:
        return f.read()


def test_names(pith, static):
    fails(pith("run", "--klib", "9q", static), 125, "no klib", "9p")
    fails(pith("run", "--klib", "../9p", static), 125, "no klib")
    fails(pith("run", "--klib", "", static), 125, "no klib")
    fails(pith("run", "--klib", "9p=" + "x" * 3000, static), 125, "too long")
    assert "9p" in pith("--list", "klibs").stdout.decode().split()
    assert "9p" in complete(pith, PITH, "run", "--klib")


def test_no_klibs_at_all(pith, static, tmp_path):
    """A kernel that stands alone runs all the same."""
    kernel = tmp_path / "kernel.elf"
    shutil.copy(os.path.join(BUILD, "pith-kernel.elf"), kernel)
    alone = {"PITH_KERNEL": str(kernel)}
    assert pith("run", static, "exit", env=alone).returncode == 0
    fails(pith("run", "--klib", "9p", static, env=alone), 125, "no klib")
    fails(pith("run", "-v", "%s:/d" % tmp_path, static, env=alone), 125,
          "needs the klib 9p")


def test_run(pith, static, tmp_path, nine):
    assert NAME not in block(pith("run", static, "env").stdout)
    b = block(pith("run", "-v", "%s:/d" % tmp_path, static, "env").stdout)
    assert b[NAME] == [b"9p\0"] and b[FILE] == [nine]
    b = block(pith("run", "--mount", "9p:tag:/d", static, "env").stdout)
    assert b[NAME] == [b"9p\0"] and b[FILE] == [nine]
    # Said twice is the last word; what is there is not picked again.
    b = block(pith("run", "--klib", "9p=a", "--klib", "9p=b", "-v",
                   "%s:/d" % tmp_path, static, "env").stdout)
    assert b[NAME] == [b"9p\0b"] and b[FILE] == [nine]


def test_image(pith, static, tmp_path, nine):
    cfg, img = tmp_path / "c.json", tmp_path / "o.img"
    cfg.write_text('{"klibs": ["9p"]}')
    r = pith("build", "--config", cfg, "-o", img, static)
    assert r.returncode == 0, r.stderr
    text = pith("inspect", img).stdout.decode()
    assert "klib       9p" in text and " KB, for kernels of the interface " in text
    # Its own is of this kernel: nothing is handed over.
    assert NAME not in block(pith("run", img, "env").stdout)
    b = block(pith("run", "-v", "%s:/d" % tmp_path, img, "env").stdout)
    assert NAME not in b
    b = block(pith("run", "--klib", "9p=x", img, "env").stdout)
    assert b[NAME] == [b"9p\0x"] and b[FILE] == [nine]
    # Another kernel, with klibs of its own.
    other = tmp_path / "other"
    (other / "klib").mkdir(parents=True)
    shutil.copy(os.path.join(BUILD, "pith-kernel.elf"), other / "k.elf")
    (other / "klib" / "9p.klib").write_bytes(nine + b"of another build")
    b = block(pith("run", img, "env",
                   env={"PITH_KERNEL": str(other / "k.elf")}).stdout)
    assert b[NAME] == [b"9p\0"] and b[FILE] == [nine + b"of another build"]
    # One that has none leaves it to the image.
    os.unlink(other / "klib" / "9p.klib")
    assert NAME not in block(pith("run", img, "env", env={
        "PITH_KERNEL": str(other / "k.elf")}).stdout)


def test_image_without(pith, static, tmp_path, nine):
    """-v at the run, of an image that was built without; and one that was
    built with a directory of the host."""
    img = tmp_path / "o.img"
    assert pith("build", "-o", img, static).returncode == 0
    assert "klib" not in pith("inspect", img).stdout.decode()
    b = block(pith("run", "-v", "%s:/d" % tmp_path, img, "env").stdout)
    assert b[NAME] == [b"9p\0"] and b[FILE] == [nine]
    with_dir = tmp_path / "d.img"
    assert pith("build", "-v", "%s:/d" % tmp_path, "-o", with_dir,
                static).returncode == 0
    assert "klib       9p" in pith("inspect", with_dir).stdout.decode()
