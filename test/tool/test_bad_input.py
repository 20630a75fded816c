# SPDX-License-Identifier: Apache-2.0
"""Every bad input that concerns the tool: a clear sentence, the right status,
nothing half-made left behind."""

import os
import stat
import struct
import subprocess

import pytest
from conftest import PITH, fails

BUSYBOX = "/bin/busybox"


def put(path, data, mode=0o755):
    path.write_bytes(data)
    path.chmod(mode)
    return path


def static_bytes(static):
    return bytearray(static.read_bytes())


def test_not_elf(pith, tmp_path):
    f = put(tmp_path / "f", b"just text\n")
    fails(pith("run", f), 126, "neither an ELF file nor a script")


def test_empty_file(pith, tmp_path):
    fails(pith("run", put(tmp_path / "f", b"")), 126)


def test_no_such_file(pith, tmp_path):
    fails(pith("run", tmp_path / "nothing"), 127, "nothing", "no such program")
    fails(pith("run", "no-such-program-anywhere"), 127)


def test_other_architecture(pith, tmp_path, static):
    b = static_bytes(static)
    struct.pack_into("<H", b, 18, 183)
    fails(pith("run", put(tmp_path / "f", b)), 126, "aarch64")


def test_big_endian(pith, tmp_path, static):
    b = static_bytes(static)
    b[5] = 2
    fails(pith("run", put(tmp_path / "f", b)), 126, "big-endian")


def test_32_bit(pith, tmp_path, static):
    b = static_bytes(static)
    b[4] = 1
    fails(pith("run", put(tmp_path / "f", b)), 126, "32-bit")


def test_object_file(pith, tmp_path, static):
    b = static_bytes(static)
    struct.pack_into("<H", b, 16, 1)
    fails(pith("run", put(tmp_path / "f", b)), 126, "not executable")


@pytest.mark.parametrize("size", [4, 15, 16, 40, 63, 64, 100, 200, 500, 4096])
def test_truncated(pith, tmp_path, static, size):
    f = put(tmp_path / "f", static_bytes(static)[:size])
    fails(pith("run", f), 126, "truncated")


def test_damaged_headers(pith, tmp_path, static):
    """Every 16-bit word of the ELF header and the program headers, set to
    all ones: an error or an image, never a crash."""
    good = static_bytes(static)
    f = tmp_path / "f"
    for at in range(0, 64 + 4 * 56, 2):
        b = bytearray(good)
        b[at:at + 2] = b"\xff\xff"
        put(f, b)
        r = pith("build", "-o", tmp_path / "o.img", f)
        assert r.returncode in (0, 126, 127), (at, r)


def test_missing_library(pith, tmp_path):
    src = tmp_path / "l.c"
    src.write_text("int f(void) { return 1; }")
    lib = tmp_path / "libgone.so"
    subprocess.run(["gcc", "-shared", "-o", lib, src], check=True)
    src.write_text("int f(void); int main(void) { return f(); }")
    subprocess.run(["gcc", "-o", tmp_path / "p", src, lib,
                    "-Wl,-rpath,$ORIGIN"], check=True)
    assert pith("run", tmp_path / "p").returncode == 0
    lib.unlink()
    fails(pith("run", tmp_path / "p"), 127, "libgone.so", "/p needs")


def test_missing_interpreter(pith, tmp_path):
    src = tmp_path / "l.c"
    src.write_text("int main(void) { return 0; }")
    subprocess.run(["gcc", "-o", tmp_path / "p", src,
                    "-Wl,--dynamic-linker=/no/ld.so"], check=True)
    fails(pith("run", tmp_path / "p"), 127, "/no/ld.so", "/p needs")
    s = put(tmp_path / "s", b"#!/no/shell -x\n")
    fails(pith("run", s), 127, "/no/shell", "/s needs")


def test_script_loop(pith, tmp_path):
    s = tmp_path / "s"
    put(s, b"#!" + str(s).encode() + b"\n")
    fails(pith("run", s), 126, "scripts")


def test_directory(pith, tmp_path):
    fails(pith("run", tmp_path), 126, "directory")


def test_dot_is_a_directory(pith):
    fails(pith("run", "."), 126, "it is a directory")


def test_below_dev(pith, tmp_path):
    """The machine's own /dev would hide it."""
    with open("/dev/shm/pith-test-%d" % os.getpid(), "wb") as f:
        f.write(b"#!/bin/sh\n")
        os.fchmod(f.fileno(), 0o755)
    try:
        fails(pith("run", f.name), 126, "would hide the program")
    finally:
        os.unlink(f.name)


def test_name_of_a_file_that_is_no_image(pith, tmp_path):
    put(tmp_path / "app.img", b"\0" * 4096, 0o644)
    fails(pith("run", "app.img", cwd=tmp_path), 127, "not an image of pith",
          "say ./app.img")


def test_not_executable(pith, tmp_path, static):
    f = put(tmp_path / "f", static_bytes(static), 0o644)
    fails(pith("run", f), 126, "Permission denied")


@pytest.mark.skipif(os.geteuid() != 0, reason="changes to another user")
def test_unreadable(pith, static, tmp_path_factory):
    import shutil
    import tempfile
    d = tempfile.mkdtemp()
    try:
        os.chmod(d, 0o777)
        f = os.path.join(d, "f")
        shutil.copy(static, f)
        os.chmod(f, 0o711)
        shutil.copy(PITH, os.path.join(d, "pith"))
        r = subprocess.run([os.path.join(d, "pith"), "run", f], user=65534,
                           group=65534, capture_output=True,
                           env=dict(pith.env, PITH_CACHE=d + "/c"), cwd=d)
        fails(r, 126, "Permission denied")
    finally:
        shutil.rmtree(d)


def test_no_qemu(pith, static):
    r = pith("run", static, env={"PITH_QEMU": "", "PATH": "/nowhere"})
    fails(r, 125, "QEMU", "apt install")
    r = pith("run", static, env={"PITH_QEMU": "/no/qemu"})
    fails(r, 125, "/no/qemu")


def test_no_kernel(pith, static):
    fails(pith("run", static, env={"PITH_KERNEL": "/no/kernel"}), 125,
          "/no/kernel")


def test_kvm_asked_but_not_there(pith, static):
    """The stand-in never ends with the probe's status, so KVM is not there
    whatever this machine has."""
    fails(pith("run", "--accel", "kvm", static), 125, "kvm")
    assert pith("run", "--accel", "auto", static).returncode == 0


@pytest.mark.parametrize("size,words", [
    ("1M", "at least 3M"), ("0", "at least 3M"), ("x", "size"), ("", "size"),
    ("-5", "size"), ("99999999999999T", "size"), ("2000G", "1024G"),
])
def test_bad_memory(pith, static, size, words):
    fails(pith("run", "-m", size, static), 125, "memory", words)


@pytest.mark.parametrize("words", [
    ["--cpus", "0"], ["--cpus", "many"], ["--machine", "toaster"],
    ["--accel", "warp"], ["--timeout", "0"], ["--timeout", "-1"],
    ["--user", "no such"], ["--user", "1:no such"], ["--workdir", "here"],
    ["--env", "=x"], ["--umask", "9"], ["--rlimit", "nofile"],
    ["--rlimit", "apples=3"], ["--rlimit", "nofile=9:3"],
    ["--root-mode", "soup"], ["--mount", "tmpfs"], ["--hostname", ""],
    ["--klib", "x"], ["--gdb=0"], ["--env-file", "/no/file"],
    ["--include", "/no/file"], ["--root", "/no/dir"],
    ["--trace-file", "/no/dir/file"], ["--verbose=yes"], ["--memory"],
    ["-Z"],
])
def test_bad_option(pith, static, words):
    r = pith("run", *words, *([] if words == ["--memory"] else [static]))
    fails(r, 125)


def test_misspelt_option(pith, static):
    fails(pith("run", "--memroy", "64M", static), 125, "--memory?")
    fails(pith("rnu", static), 125, "run?")
    fails(pith(), 125, "--help")
    fails(pith("run"), 125, "no program")
    fails(pith("build", static), 125, "-o FILE")


def image(pith, tmp_path, static):
    img = tmp_path / "app.img"
    assert pith("build", "-o", img, static).returncode == 0
    return img


def damage(img, at, data):
    with open(img, "r+b") as f:
        f.seek(at)
        f.write(data)


@pytest.mark.parametrize("at,words", [
    (512 + 24, "checksum"),         # the GPT header
    (1024 + 40, "checksum"),        # an entry
    (18 << 20, "magic"),            # the manifest's header
    ((18 << 20) + 8, "version"),
    ((18 << 20) + 12, "cut off"),
    ((18 << 20) + 40, "checksum"),
])
def test_corrupt_image(pith, tmp_path, static, at, words):
    img = image(pith, tmp_path, static)
    damage(img, at, b"\xa5\xa5\xa5\xa5")
    fails(pith("run", img), 125, "damaged", words)
    fails(pith("inspect", img), 125, "damaged", words)


def test_corrupt_root(pith, tmp_path, static):
    img = image(pith, tmp_path, static)
    damage(img, (19 << 20) + 1024, b"\0" * 1024)
    fails(pith("inspect", img), 125, "root file system is damaged")
    fails(pith("ls", img), 125, "root file system is damaged")


def test_truncated_image(pith, tmp_path, static):
    img = image(pith, tmp_path, static)
    os.truncate(img, os.path.getsize(img) // 2)
    fails(pith("run", img), 125, "damaged", "cut off")


def test_not_an_image(pith, tmp_path):
    f = put(tmp_path / "f", b"x" * 4096, 0o644)
    fails(pith("inspect", f), 125, "no image of pith")
    fails(pith("ls", tmp_path / "none"), 125)


@pytest.mark.parametrize("name", [
    "a,b", "a b", "a\nb", "a'b", "a=b,c=d", '"quoted"', "ü\u2028x", "-dash",
])
def test_odd_names(pith, tmp_path, static, name):
    d = tmp_path / name
    d.mkdir()
    f = d / name
    f.write_bytes(static.read_bytes())
    f.chmod(0o755)
    r = pith("run", f, "exit", "7", cwd=d)
    assert r.returncode == 7, r.stderr
    img = d / (name + ".img")
    r = pith("build", "-o", img, f)
    assert r.returncode == 0, r.stderr
    r = pith("cp", img, f, "-")
    assert r.stdout == f.read_bytes(), r
    assert pith("run", img, "exit", "5").returncode == 5
    # Nothing of the names is ever part of an option of QEMU.
    r = pith("run", "--print-qemu", f)
    assert name.encode() not in r.stdout
    assert r.stdout.count(b"\n") == 1


def test_link_out_of_root(pith, tmp_path, static):
    root = tmp_path / "root"
    root.mkdir()
    f = root / "prog"
    f.write_bytes(static.read_bytes())
    f.chmod(0o755)
    assert pith("run", "-r", root, "/prog", "exit", "3").returncode == 3
    (root / "out").symlink_to("../../../../../../etc/passwd")
    fails(pith("run", "-r", root, "/prog"), 125, "/out", "leads out")
    (root / "out").unlink()
    # An absolute link means the root's own path, as in a chroot: the host's
    # file is not read, and here there is none.
    (root / "abs").symlink_to("/bin/sh")
    fails(pith("run", "-r", root, "/abs"), 127)
    assert pith("run", "-r", root, "/prog").returncode == 0


def test_root_does_not_leak(pith, tmp_path, static):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    f = root / "prog"
    f.write_bytes(static.read_bytes())
    f.chmod(0o755)
    (root / "sub" / "p").symlink_to("/etc/passwd")
    img = tmp_path / "o.img"
    assert pith("build", "-o", img, "-r", root, "prog").returncode == 0
    names = pith("ls", img).stdout.decode()
    assert "/etc/passwd" not in names.replace("-> /etc/passwd", "")


@pytest.fixture
def small_disk(tmp_path):
    d = tmp_path / "disk"
    d.mkdir()
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "none", d],
                       capture_output=True)
    if r.returncode:
        pytest.skip("may not mount")
    yield d
    subprocess.run(["umount", d], check=True)


def test_full_disk(pith, static, small_disk):
    big = small_disk.parent / "big"
    big.write_bytes(os.urandom(2 << 20))
    fails(pith("build", "-o", small_disk / "o.img", "-i", big, static), 125,
          "no room")
    assert os.listdir(small_disk) == []
    r = pith("run", "-i", big, static, env={"PITH_CACHE": str(small_disk)})
    fails(r, 125, "no room")
    assert [n for n in os.listdir(small_disk) if n.endswith(".img")] == []


def test_read_only_cache(pith, static, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    r = pith("run", static, "exit", "9",
             env={"PITH_CACHE": str(small_disk / "c")})
    assert r.returncode == 9, r
    assert b"Read-only file system" in r.stderr
    assert b"in memory" in r.stderr


def test_output_is_no_file(pith, tmp_path, static):
    fails(pith("build", "-o", tmp_path, static), 125, "regular file")
    fails(pith("build", "-o", "/dev/null", static), 125, "regular file")
    fails(pith("build", "-o", tmp_path / "no" / "o", static), 125,
          "No such file")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_failed_build_keeps_the_old_image(pith, tmp_path, static):
    img = image(pith, tmp_path, static)
    before = img.read_bytes()
    fails(pith("build", "-o", img, "-i", "/no/file", static), 125)
    assert img.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["app.img"]


@pytest.fixture
def little_disk(tmp_path):
    """Room for two of the images of test_cache_makes_room."""
    d = tmp_path / "disk"
    d.mkdir()
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8M", "none", d],
                       capture_output=True)
    if r.returncode:
        pytest.skip("may not mount")
    yield d
    subprocess.run(["umount", d], check=True)


def test_cache_makes_room(pith, static, little_disk):
    def run(*words, **env):
        return pith("run", *words, static, "exit",
                    env=dict(env, PITH_CACHE=str(little_disk)))

    def kept():
        return {n for n in os.listdir(little_disk) if n.endswith(".img")}

    data = [little_disk.parent / f"data{i}" for i in range(4)]
    for f in data:
        f.write_bytes(os.urandom(2 << 20))
    much = {"PITH_CACHE_LIMIT": "1G"}
    had = []
    for f in data[:3]:
        r = run("-i", f, **much)
        assert r.returncode == 0, r.stderr
        had.append(kept())
    assert [len(h) for h in had] == [1, 2, 2]
    assert not had[0] & had[2]
    # What can never fit costs nobody their image.
    big = little_disk.parent / "big"
    big.write_bytes(os.urandom(9 << 20))
    fails(run("-i", big, **much), 125, "no room")
    assert kept() == had[2]
    # Left alone, half of the disk is for others.
    assert run("-i", data[3]).returncode == 0
    assert len(kept()) == 1 and not kept() & had[2]
