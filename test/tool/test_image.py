# SPDX-License-Identifier: Apache-2.0
"""Images and packaging: e2fsck judges every file system, debugfs reads it, and
what goes in is what the documentation says."""

import grp
import os
import pwd
import subprocess
import zlib
import struct
import tempfile
import time

import pytest
from conftest import PITH, debugfs, extract_root, fails, partitions


def fsck(image, tmp_path):
    root = extract_root(image, tmp_path / "root.ext4")
    r = subprocess.run(["e2fsck", "-fn", str(root)], capture_output=True)
    assert r.returncode == 0, r.stdout.decode()
    return root


def build(pith, tmp_path, *words, name="o.img", **more):
    img = tmp_path / name
    r = pith("build", "-o", img, *words, **more)
    assert r.returncode == 0, r.stderr.decode()
    return img


def names(pith, img):
    """Paths to (mode, target) of everything in the image."""
    out = {}
    for line in pith("ls", img).stdout.decode().splitlines():
        mode, _, _, _, _, _, path = line.split(None, 6)
        path, _, target = path.partition(" -> ")
        out[path] = (mode, target)
    return out


def test_layout(pith, static, tmp_path):
    img = build(pith, tmp_path, static)
    parts = partitions(img)
    assert [s % (1 << 20) for s, _ in parts] == [0] * 4
    assert parts[3][0] + parts[3][1] < os.path.getsize(img)
    with open(img, "rb") as f:
        data = f.read(1024)
        assert data[510:512] == b"\x55\xaa" and data[450] == 0xee
        header = bytearray(data[512:604])
        crc, = struct.unpack_from("<I", header, 16)
        header[16:20] = bytes(4)
        assert zlib.crc32(header) == crc
        f.seek(-512, 2)
        assert f.read(8) == b"EFI PART"
    esp = tmp_path / "esp"
    with open(img, "rb") as f, open(esp, "wb") as g:
        f.seek(parts[1][0])
        g.write(f.read(parts[1][1]))
    r = subprocess.run(["fsck.fat", "-n", esp], capture_output=True) \
        if os.path.exists("/sbin/fsck.fat") else None
    assert r is None or r.returncode == 0
    assert os.stat(img).st_blocks * 512 < 8 << 20, "it is sparse"


def test_same_bytes(pith, static, tmp_path):
    d = tmp_path / "d"
    d.mkdir()
    for i in range(50):
        (d / f"f{i}").write_bytes(os.urandom(i * 100))
    a = build(pith, tmp_path, "-i", d, static, name="a.img").read_bytes()
    time.sleep(1.1)
    (tmp_path / "other").touch()    # a directory passed through changes
    b = build(pith, tmp_path, "-i", d, static, name="b.img").read_bytes()
    assert a == b
    (d / "f1").write_bytes(b"changed")
    assert build(pith, tmp_path, "-i", d, static).read_bytes() != a


def test_content_and_attributes(pith, static, tmp_path):
    d = tmp_path / "d"
    (d / "sub").mkdir(parents=True)
    f = d / "sub" / "file"
    f.write_bytes(os.urandom(10000))
    f.chmod(0o4751)
    os.utime(f, ns=(1, 1234567890_123456789))
    if os.geteuid() == 0:
        os.chown(f, 70000, 80000)
        f.chmod(0o4751)
    (d / "link").symlink_to("sub/file")
    (d / "long").symlink_to("x" * 100)
    (d / "dangling").symlink_to("/no/where")
    os.link(f, d / "hard")
    os.mkfifo(d / "fifo")
    (d / "empty").touch()
    try:
        os.setxattr(f, "user.note", b"value \0 bytes")
        noted = True
    except OSError:
        noted = False
    img = build(pith, tmp_path, "-i", f"{d}:/data", static)
    root = fsck(img, tmp_path)
    n = names(pith, img)
    assert n["/data/link"][1] == "sub/file"
    assert n["/data/long"][1] == "x" * 100
    assert n["/data/dangling"][1] == "/no/where"
    assert n["/data/sub/file"][0] == "-rwsr-x--x"
    assert n["/data/fifo"][0][0] == "p"
    stat = debugfs(root, "stat /data/sub/file")
    assert "Links: 2" in stat
    assert "mtime: 0x499602d2:1d6f3454" in stat
    if os.geteuid() == 0:
        assert "User: 70000" in stat and "Group: 80000" in stat
    assert debugfs(root, "stat /data/hard").split("Inode:")[1].split()[0] == \
        stat.split("Inode:")[1].split()[0]
    if noted:
        out = debugfs(root, "ea_get -V /data/sub/file user.note")
        assert "value" in out
    r = pith("cp", img, "/data/link", "-")
    assert r.stdout == f.read_bytes(), r
    out = tmp_path / "out"
    assert pith("cp", img, "/data/sub/file", out).returncode == 0
    assert out.read_bytes() == f.read_bytes()
    fails(pith("cp", img, "/data", out), 125, "regular file")
    fails(pith("cp", img, "/nothing", out), 125, "not in the image")


def test_xattr_capability(pith, static, tmp_path):
    f = tmp_path / "f"
    f.write_bytes(static.read_bytes())
    f.chmod(0o755)
    cap = bytes.fromhex("0100000200040000000000000000000000000000")
    try:
        os.setxattr(f, "security.capability", cap)
    except OSError:
        pytest.skip("may not set capabilities")
    img = build(pith, tmp_path, f)
    root = fsck(img, tmp_path)
    assert "security.capability" in debugfs(root, f"ea_list {f}")


def test_large_directory(pith, static, tmp_path):
    d = tmp_path / "d"
    d.mkdir()
    for i in range(20000):
        (d / f"entry-number-{i:08}").touch()
    img = build(pith, tmp_path, "-i", f"{d}:/d", static)
    fsck(img, tmp_path)
    assert len(names(pith, img)) > 20000


def test_many_files_and_subdirectories(pith, static, tmp_path):
    d = tmp_path / "d"
    for i in range(300):
        (d / str(i)).mkdir(parents=True)
        (d / str(i) / "f").write_bytes(b"x" * (i * 37))
    img = build(pith, tmp_path, "-i", f"{d}:/d", static)
    root = fsck(img, tmp_path)
    assert "Links: 302" in debugfs(root, "stat /d")


def test_file_over_many_groups(pith, static, tmp_path):
    """A file that must go around each group's metadata: several extents."""
    f = tmp_path / "big"
    with open(f, "wb") as g:
        for i in range(160):
            g.write(bytes([i]) * (1 << 20))
    img = build(pith, tmp_path, "-i", f"{f}:/big", static)
    fsck(img, tmp_path)
    p = subprocess.run(["cmp", "-", f], input=pith("cp", img, "/big", "-")
                       .stdout)
    assert p.returncode == 0, p


def test_sparse_file(pith, static, tmp_path):
    """A hole costs nothing in the image, and what lies behind it, beyond
    4 GB, is where it was."""
    f = tmp_path / "sparse"
    with open(f, "wb") as g:
        g.truncate(6 << 30)
        for at in (0, 5 << 30, (6 << 30) - 5):
            g.seek(at)
            g.write(b"here!")
    img = build(pith, tmp_path, "-i", f"{f}:/big", static)
    assert os.stat(img).st_blocks < (64 << 20) // 512
    root = partitions(img)[3][0]
    for at in (0, 5 << 30, (6 << 30) - 5):
        r = subprocess.run(["debugfs", "-R", f"bmap /big {at // 4096}",
                            f"{img}?offset={root}"], capture_output=True)
        with open(img, "rb") as g:
            g.seek(root + int(r.stdout) * 4096 + at % 4096)
            assert g.read(5) == b"here!"


def test_unreadable_files_stay_out(pith):
    """A tree with files that the user may not read: they are named and left
    out, of a directory that was a word of the program's, or of -i."""
    with tempfile.TemporaryDirectory() as top:
        d = os.path.join(top, "d")
        os.mkdir(d)
        os.chmod(top, 0o777)
        for name, mode in (("open", 0o644), ("shut", 0), ("also", 0)):
            path = os.path.join(d, name)
            with open(path, "w") as f:
                f.write(name)
            os.chmod(path, mode)
        img = os.path.join(top, "o.img")
        user = ["setpriv", "--reuid=65534", "--regid=65534",
                "--clear-groups"] if os.geteuid() == 0 else []
        for words in (["-i", d, "/bin/true"], ["/bin/ls", d]):
            r = subprocess.run([*user, PITH, "build", "-o", img, *words],
                               capture_output=True, timeout=300)
            assert r.returncode == 0, r.stderr
            assert b"not readable, left out" in r.stderr
            assert b"2 files in all" in r.stderr
            n = names(pith, img)
            assert f"{d}/open" in n and f"{d}/shut" not in n
            assert f"{d}/also" not in n


def test_merged_usr_and_links(pith, tmp_path):
    img = build(pith, tmp_path, "/bin/true")
    n = names(pith, img)
    for link in ("/bin", "/lib", "/lib64", "/sbin"):
        if os.path.islink(link):
            assert n[link][1] == os.readlink(link)
    assert n["/usr/bin/true"][0].startswith("-rwx")
    assert n["/lib64"][1] or "/lib64/ld-linux-x86-64.so.2" in n
    interp = n["/usr/lib64/ld-linux-x86-64.so.2"]
    assert interp[0][0] in "-l"
    assert "/usr/lib/x86_64-linux-gnu/libc.so.6" in n
    assert "/etc/ld.so.cache" in n
    fsck(img, tmp_path)


def test_generated_etc(pith, static, tmp_path):
    img = build(pith, tmp_path, "-u", "1234:5678", "--hostname", "box", static)
    def read(p):
        return pith("cp", img, p, "-").stdout.decode()
    assert read("/etc/passwd").startswith("root:x:0:0:")
    assert ":1234:5678:" in read("/etc/passwd")
    assert "5678" in read("/etc/group")
    assert read("/etc/hostname") == "box\n"
    assert "127.0.0.1\tlocalhost" in read("/etc/hosts")
    assert "hosts: files dns" in read("/etc/nsswitch.conf")
    n = names(pith, img)
    assert n["/tmp"][0] == "drwxrwxrwt" and n["/proc"][0][0] == "d"
    # Accounts of this host by their names; "user" is who has no line.
    img = build(pith, tmp_path, "-u", "www-data", static)
    assert "user" not in read("/etc/passwd")
    assert b"33:33" in pith("inspect", img).stdout
    own = tmp_path / "passwd"
    own.write_text("me:x:1:1::/:/bin/sh\n")
    img = build(pith, tmp_path, "-i", f"{own}:/etc/passwd", static)
    assert read("/etc/passwd") == "me:x:1:1::/:/bin/sh\n"


def test_places_of_a_service(pith, tmp_path):
    """What units, tmpfiles.d and postinst scripts prepare, empty."""
    def places(program):
        img = build(pith, tmp_path, program)
        lines = [line.split() for line in
                 pith("ls", img).stdout.decode().splitlines()]
        return {f[6]: (f[0], int(f[1]), int(f[2])) for f in lines}
    user = pwd.getpwnam("haproxy")
    assert places("haproxy")["/run/haproxy"] == (
        "drwxrwsr-x", user.pw_uid, user.pw_gid)
    n, user = places("redis-server"), pwd.getpwnam("redis")
    for path in ("/run/redis", "/var/lib/redis"):
        assert n[path][1:] == (user.pw_uid, user.pw_gid)
        assert not [p for p in n if p.startswith(path + "/")]


def test_members_of_groups(pith, tmp_path):
    """Those that are in the image, of groups that its accounts need."""
    img = build(pith, tmp_path, "/usr/sbin/haproxy")
    def lines(path):
        text = pith("cp", img, path, "-").stdout.decode()
        return [line.split(":") for line in text.splitlines()]
    users = {f[0] for f in lines("/etc/passwd")}
    for name, _, number, members in lines("/etc/group"):
        assert set(filter(None, members.split(","))) <= users
        if 100 <= int(number) <= 999:
            there = set(grp.getgrnam(name).gr_mem) & users
            assert set(filter(None, members.split(","))) == there


def test_configuration_names_files(pith, static, tmp_path):
    """An argument's, of which it says where they are; remarks, programs and
    the machine's own are none."""
    d = tmp_path / "d"
    (d / "site" / "sub").mkdir(parents=True)
    for name in ("key", "remark", "site/sub/page", "relative"):
        (d / name).write_text(name)
    (d / "key").chmod(0o600)
    program = d / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    conf = tmp_path / "my.conf"
    conf.write_text(f"""
key "{d}/key";
root={d}/site/
# {d}/remark
run {program} ; url http://h{d}/relative ; not/{d}/relative
secret /etc/shadow
pattern {d}/rem*
more {d}/later.pem
pid-file "/var/run/our/x.pid"; socket /run/our2/deep/sock
lock /run/our3; journal /run/systemd/system/x
""")
    n = names(pith, build(pith, tmp_path, static, "-c", conf))
    assert f"{d}/key" in n and f"{d}/site/sub/page" in n
    for path in (f"{d}/remark", f"{d}/relative", str(program), "/etc/shadow"):
        assert path not in n
    # Where it will make files below /run, their directories only.
    assert {p for p in n if p.startswith(("/run/our", "/run/systemd"))} == {
        "/run/our", "/run/our2", "/run/our2/deep"}
    # Only what is called as configuration is read.
    other = tmp_path / "list"
    other.write_bytes(conf.read_bytes())
    assert f"{d}/key" not in names(pith, build(pith, tmp_path, static, other))


def test_named_file_comes_later(pith, static, tmp_path):
    conf = tmp_path / "my.conf"
    conf.write_text(f"key {tmp_path}/key.pem\n")
    def run():
        assert pith("run", static, "exit", "0", conf).returncode == 0
        image, = cached(pith)
        return image.stat().st_ino, f"{tmp_path}/key.pem" in names(pith, image)
    first, there = run()
    assert not there and run() == (first, False)
    (tmp_path / "key.pem").write_text("x")
    assert run()[1]


def test_arguments_go_in(pith, static, tmp_path):
    (tmp_path / "data").write_text("x")
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "f").write_text("y")
    img = build(pith, tmp_path, static, tmp_path / "data", "--in=data",
                tmp_path / "tree", "/dev/null", "/proc/self/maps", "/",
                cwd=tmp_path)
    n = names(pith, img)
    assert f"{tmp_path}/data" in n and f"{tmp_path}/tree/sub/f" in n
    assert "/dev/null" not in n and "/proc/self" not in n
    assert "/var/lib/dpkg/status" not in n


def test_runpath_origin(pith, tmp_path):
    src = tmp_path / "x.c"
    (tmp_path / "app" / "lib").mkdir(parents=True)
    src.write_text("int g(void) { return 2; }")
    subprocess.run(["gcc", "-shared", "-Wl,-soname,libg.so", "-o",
                    tmp_path / "app/lib/libg.so", src], check=True)
    src.write_text("int g(void); int f(void) { return g(); }")
    subprocess.run(["gcc", "-shared", "-o", tmp_path / "app/lib/libf.so", src,
                    tmp_path / "app/lib/libg.so", "-Wl,-rpath,$ORIGIN",
                    "-Wl,--enable-new-dtags"], check=True)
    src.write_text("int f(void); int main(void) { return f(); }")
    for tags in ("--enable-new-dtags", "--disable-new-dtags"):
        subprocess.run(["gcc", "-o", tmp_path / "app/p", src,
                        tmp_path / "app/lib/libf.so",
                        "-Wl,--allow-shlib-undefined",
                        f"-Wl,-rpath,${{ORIGIN}}/lib,{tags}"], check=True)
        n = names(pith, build(pith, tmp_path, tmp_path / "app/p"))
        assert f"{tmp_path}/app/lib/libf.so" in n
        assert f"{tmp_path}/app/lib/libg.so" in n


def test_musl(pith, tmp_path):
    if subprocess.run(["which", "musl-gcc"], capture_output=True).returncode:
        pytest.skip("no musl-gcc")
    src = tmp_path / "x.c"
    src.write_text("int main(void) { return 0; }")
    subprocess.run(["musl-gcc", "-o", tmp_path / "p", src], check=True)
    n = names(pith, build(pith, tmp_path, tmp_path / "p"))
    assert any("ld-musl-x86_64.so.1" in p for p in n)
    assert not any("libc.so.6" in p for p in n)


def test_script(pith, tmp_path):
    s = tmp_path / "s"
    s.write_text("#!/usr/bin/env -S perl -w\nprint 1;\n")
    s.chmod(0o755)
    n = names(pith, build(pith, tmp_path, s))
    assert str(s) in n and "/usr/bin/env" in n and "/usr/bin/perl" in n
    assert any(p.startswith("/usr/share/perl/") for p in n)


@pytest.mark.parametrize("program,wanted", [
    ("/usr/bin/python3", ["/usr/lib/python3.11/json/__init__.py",
                          "/usr/lib/python3.11/lib-dynload",
                          "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0",
                          "/usr/lib/x86_64-linux-gnu/libssl.so.3",
                          "/etc/ssl/certs/ca-certificates.crt",
                          "/usr/share/zoneinfo/Europe/Paris"]),
    ("/usr/bin/php", ["/etc/alternatives/php", "/etc/php/8.2/cli/php.ini"]),
    ("/usr/bin/ruby", ["/usr/lib/ruby/3.1.0/json.rb"]),
    ("/usr/bin/java", ["/etc/alternatives/java"]),
    ("/usr/bin/node", []),
    # Data of a package that theirs depends on
    ("/usr/lib/postgresql/15/bin/postgres",
     ["/usr/share/zoneinfo/Europe/Paris", "/usr/share/zoneinfo/UTC"]),
    # Python as a library
    ("/usr/bin/gdb", ["/usr/lib/python3.11/encodings/__init__.py",
                      "/usr/lib/python3.11/lib-dynload"]),
])
def test_interpreters(pith, tmp_path, program, wanted):
    if not os.path.exists(program):
        pytest.skip("not installed")
    n = names(pith, build(pith, tmp_path, program))
    for path in wanted:
        if os.path.lexists(path):
            assert path in n, path
    assert not any(p.startswith("/usr/share/doc/") and m[0] == "-"
                   for p, (m, _) in n.items())
    if program.endswith("python3") and \
            os.path.isdir("/usr/lib/python3.11/__pycache__"):
        assert any(p.startswith("/usr/lib/python3.11/__pycache__/")
                   for p in n)


def test_data_goes_in_only_where_it_is_used(pith, tmp_path):
    n = names(pith, build(pith, tmp_path, "/bin/cat"))
    assert "/etc/ssl/certs" not in n
    # But for the zone that /etc/localtime is.
    assert len([p for p in n if p.startswith("/usr/share/zoneinfo/")]) < 4


def test_include_completes_what_a_table_took(pith, tmp_path):
    """The table of Python leaves some names of its tree out; a user who
    names a directory of it gets all of it."""
    lib = "/usr/lib/python3.11/idlelib"
    left_out = "/usr/lib/python3.11/ensurepip"
    extra = [d for d in (lib, left_out, "/usr/lib/python3.11/test")
             if os.path.isdir(d)]
    n = names(pith, build(pith, tmp_path,
                          *[w for d in extra for w in ("-i", d)],
                          "/usr/bin/python3"))
    for d in extra:
        for dirpath, _, files in os.walk(d):
            for f in files:
                assert os.path.join(dirpath, f) in n


def test_links_of_a_directory(pith, static, tmp_path):
    """To directories elsewhere, as /var/lib/tomcat10/conf to /etc."""
    for name in ("base/sub", "conf/more"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "conf/more/server.xml").touch()
    (tmp_path / "base/conf").symlink_to("../conf")
    (tmp_path / "base/logs").symlink_to("/var/log")
    (tmp_path / "base/root").symlink_to("/")
    (tmp_path / "base/up").symlink_to("..")
    n = names(pith, build(pith, tmp_path, static, tmp_path / "base",
                          name="base.img"))
    assert f"{tmp_path}/conf/more/server.xml" in n
    assert not [p for p in n if p.startswith("/var/log/")]


def test_lists_among_the_arguments(pith, static, tmp_path):
    """A class path: files, a directory's jars, what is not there."""
    (tmp_path / "lib").mkdir()
    for name in ("a.jar", "b.jar", "lib/c.jar", "plain"):
        (tmp_path / name).touch()
    def inside(*words):
        n = names(pith, build(pith, tmp_path, static, *words, cwd=tmp_path))
        return {p[len(str(tmp_path)) + 1:] for p in n
                if p.startswith(f"{tmp_path}/")}
    assert inside("-cp", f"{tmp_path}/a.jar:b.jar:none.jar:./lib/*") >= {
        "a.jar", "b.jar", "lib/c.jar"}
    assert "a.jar" in inside("--path=/none:./a.jar")
    assert "plain" not in inside("plain:x", "http://h/plain")


def cached(pith):
    return sorted((pith.tmp / "cache").glob("*.img"))


def test_cache_is_used_and_renewed(pith, static, tmp_path):
    f = tmp_path / "f"
    f.write_text("one")
    def run():
        assert pith("run", "-i", f, static, "exit").returncode == 0
        image, = cached(pith)
        return image.stat().st_ino
    first = run()
    assert run() == first
    os.utime(f, ns=(1, 1))
    second = run()
    assert second != first
    f.write_text("two")
    assert run() != second
    image, = cached(pith)
    assert pith("cp", image, f, "-").stdout == b"two"
    assert image.stat().st_mode & 0o222 == 0


def test_cache_notices_new_files(pith, static, tmp_path):
    d = tmp_path / "d"
    d.mkdir()
    (d / "a").touch()
    pith("run", "-i", d, static, "exit")
    (d / "b").touch()
    pith("run", "-i", d, static, "exit")
    image, = cached(pith)
    assert f"{d}/b" in names(pith, image)


def test_cache_damage_is_mended(pith, static):
    pith("run", static, "exit")
    image, = cached(pith)
    image.unlink()
    assert pith("run", static, "exit", "3").returncode == 3
    image, = cached(pith)
    image.chmod(0o600)
    os.truncate(image, 100)
    assert pith("run", static, "exit", "3").returncode == 3
    deps, = (pith.tmp / "cache").glob("*.deps")
    for junk in (b"", b"x", b"pith-deps 2\0", b"\0" * 10, b"\xff" * 4000):
        deps.write_bytes(junk)
        assert pith("run", static, "exit", "3").returncode == 3


def test_cache_command(pith, static, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(static.read_bytes())
    other.chmod(0o755)
    pith("run", static, "exit")
    pith("run", other, "exit")
    assert len(cached(pith)) == 2
    assert pith("cache", "ls").stdout.count(b".img") == 2
    assert int(pith("cache", "size").stdout) > 0
    assert pith("cache", "clear").returncode == 0
    assert cached(pith) == []
    assert pith("cache", "size").stdout == b"0\n"
    fails_status = pith("cache", "nonsense")
    assert fails_status.returncode == 125


def test_cache_bound(pith, static, tmp_path):
    env = {"PITH_CACHE_LIMIT": "4M"}
    for i in range(5):
        f = tmp_path / f"p{i}"
        f.write_bytes(static.read_bytes())
        f.chmod(0o755)
        pith("run", f, "exit", env=env)
        time.sleep(0.02)
    assert 1 <= len(cached(pith)) <= 4
    assert "p4" in str(pith("inspect", cached(pith)[-1]).stdout) or \
        any(b"p4" in pith("inspect", c).stdout for c in cached(pith))


def test_no_state_elsewhere(pith, static, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    env = {"HOME": str(home), "PITH_CACHE": "", "XDG_CACHE_HOME": ""}
    assert pith("run", static, "exit", env=env).returncode == 0
    assert [p.name for p in home.iterdir()] == [".cache"]
    assert [p.name for p in (home / ".cache").iterdir()] == ["pith"]
    env["XDG_CACHE_HOME"] = str(tmp_path / "xdg")
    assert pith("run", static, "exit", env=env).returncode == 0
    assert (tmp_path / "xdg" / "pith").is_dir()
