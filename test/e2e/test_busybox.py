# SPDX-License-Identifier: Apache-2.0
"""Every applet of Debian's busybox-static that needs no second process.

Goal: what an applet prints in Pith, and its status, is what it is on Linux.
Method: one directory of files of all kinds; each case runs there on the host
and, with a copy at the same path, in Pith.  Left out is what needs fork, a
terminal, a network, hardware, or another machine's state: OTHERS names those,
and a new applet must be put in one list or the other."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import subprocess
import tarfile
import zipfile

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("PITH_BUILD", "build"))
PITH = os.path.join(BUILD, "pith")
BUSYBOX = "/bin/busybox"

TEXT = b"".join(b"%d line %d of\ttext\n" % (i * 7919 % 97, i) for i in range(300))
EDIT = b"1,3p\n2s/line/LINE/p\n$d\n$p\nq\n"

# arguments, or (arguments, standard input)
CASES = """
[ 1 -lt 2 ]
[[ ab == a* ]]
adjtimex -f 1x
ar t a.ar
ar p a.ar
ascii
awk -f prog.awk text
base64 bin
base64 -d bin.b64
basename d/e/f.x .x
bunzip2 -c a.bz2
bzcat a.bz2
bzip2 -c text
cal 2 2024
cat text bin
chgrp 0 text
chmod -v 600 text
chown -v 0:0 text
cmp text text2
cmp -l text text2
cp -v text copy
crc32 text bin
cut -c3-7 text
cut -d: -f2 colons
date -u -d @86400 +%F.%T
date -u -d 2024-02-29 +%j
dd if=text bs=7 skip=3 count=5
deallocvt 99
df no-such
diff text text2
diff -r d d2
dirname d/e/f
dnsdomainname -x
dos2unix crlf
du -a d
echo -e a\\tb\\0101
egrep -n 1[0-3] text
env -i A=1 B=2 cat text
expand text
expr 6 * ( 7 - 2 )
expr length abcde
factor 1234567 97
fallocate -l 8192 new
false
fgrep -c line text
find d -type f -size -2
find d -name *.x
fold -w 20 text
free -x
fsfreeze -u no
getopt ab:c -a -b x -- y
grep -o l[a-z]* text
grep -v -e 1 -e 2 text
groups
gunzip -c a.gz
gzip -cn text
head -n 4 text
head -c 33 bin
hexdump -C bin
hostid -x
id
install -m 640 text put
ipcalc -bnm 10.1.2.3/20
kill -l
kill -l 9
last -x
less text
link text hard
ln -sv text soft
ls -1F d
ls -lnR d --full-time
lzcat a.lzma
lzma -c text
unlzma -c a.lzma
md5sum text bin
md5sum -c sums
mkdir -pv n/e/w
mkfifo pipe
mknod null c 1 3
mkpasswd -m sha512 -S abcdefgh secret
mktemp -u no/XXX
mv text moved
od -tx1z bin
nl text
paste text text2
patch -i no
printf %s=%05d.%c a 42 xyz
pwd
readlink -f link
readlink link
realpath d/../text
rev text
rm -v nothere
rm -rf d
rmdir d
run-parts --list d
sed -n 3,5p text
sed s/[0-9]*/<&>/ text
seq 2 3 20
seq -w 8 11
sha1sum text
sha256sum text
sha3sum text
sha512sum text
shred -n 1 -u text
shuf -i 5-5
sleep 0
sort -n text
sort -k2 -r text
sort -u -t: -k2 colons
stat -c %a.%s.%F text d link
strings bin
sync
tac text
tail -n 3 text
tail -c 40 text
tar tvf a.tar
tar xOf a.tar text
tar cf - text --numeric-owner
tee copy < text
test -d d
test -L text
touch -d 2001-02-03 text
tr a-z A-Z < text
true
truncate -s 100 text
ts %Y < empty
tty
uname -s
uncompress -c a.Z
unexpand -a text
uniq -c colons
unix2dos -u text
unlink text
unxz -c a.xz
unzip -l a.zip
unzip -p a.zip
usleep 10
uudecode -o - a.uu
uuencode name < bin
wc text bin
wc -l -c -w -L text
whoami
xxd bin
xxd -p bin
xzcat a.xz
bc < sums.bc
dc -e 3_2^p
cpio -t < a.cpio
ed text < edit
sh script
ash -c echo\\ $((3*7))
sysctl -n kernel.ostype
mke2fs -n disk
mkdosfs disk
fdisk -l disk
losetup -x
tftp
wget
chroot no cat
chroot . nothere
mt -f no status
microcom
uptime -x
w -x
who no
xargs -x < empty
rpm2cpio bin
dpkg-deb -f bin
fatattr no
findfs LABEL=none
blockdev --getsz disk
blkdiscard no
hwclock --nothere
setsid
rdate
vi -x
logread -x
timeout
time
watch
ionice -c9
chvt
sulogin -x
svok no
run-init
tunctl -x
vconfig
ubirename
route -x
nameif -x
modinfo
lsscsi -x
""".strip().splitlines()

# Not compared: a second process, a terminal or a network of its own, devices,
# or an answer that is the machine's.
OTHERS = """
acpid arch arp arping brctl busybox clear crond crontab cttyhack depmod devmem
dmesg dpkg dumpkmap dumpleases freeramdisk fstrim ftpget ftpput getty halt
httpd hostname i2cdetect i2cdump i2cget i2cset i2ctransfer ifconfig ifdown ifup
init insmod ip ipneigh killall klogd linuxrc linux32 linux64 loadfont loadkmap
logger login logname lsmod mdev mim mkswap modprobe more mount nc netstat
nologin nproc nslookup nsenter nuke openvt partprobe passwd pidof ping ping6
pivot_root poweroff ps reboot renice reset resume rmmod rpm setkeycodes
setpriv ssl_client start-stop-daemon stty su svc swapoff swapon switch_root
syslogd taskset tc telnet telnetd top traceroute traceroute6 udhcpc udhcpd uevent
umount unshare watchdog which xz lzop yes
zcat
""".split()


def make_files(d):
    """The same bytes and times in every copy."""
    def put(name, data):
        (d / name).parent.mkdir(parents=True, exist_ok=True)
        (d / name).write_bytes(data)

    put("text", TEXT)
    put("text2", TEXT.replace(b"line 7 ", b"LINE 7 ") + b"more\n")
    put("bin", bytes(range(256)) + b"a string in it\0")
    put("bin.b64", b"AAECA/8=\n")
    put("colons", b"a:2:x\na:2:x\nb:1:y\nc:3:z\n")
    put("crlf", b"a\r\nb\r\n")
    put("empty", b"")
    put("edit", EDIT)
    put("sums.bc", b"2^100\nscale=5; 22/7\n")
    put("prog.awk", b"{ s += $1; n[$1 % 3]++ }\nEND { for (i = 0; i < 3; i++) "
        b"print i, n[i]; printf \"%.2f %s\\n\", s / NR, toupper($2) }\n")
    put("script", b"x=3; while [ $x -gt 0 ]; do echo $x; x=$((x-1)); done\n"
        b"case abc in a*) echo yes;; esac; echo ${x:-none} ; exit 5\n")
    put("disk", bytes(1 << 20))
    put("swap", bytes(1 << 20))
    for n in ("d/a.x", "d/e/f.x", "d/e/g", "d2/a.x", "d2/e/f.x"):
        put(n, n.encode() + b"\n")
    os.symlink("text", d / "link")
    put("a.gz", gzip.compress(TEXT, mtime=0))
    put("a.bz2", bz2.compress(TEXT))
    put("a.xz", lzma.compress(TEXT))
    put("a.lzma", lzma.compress(TEXT, lzma.FORMAT_ALONE))
    put("a.uu", b"begin 644 name\n#0V%T\n`\nend\n")
    put("a.Z", b"\x1f\x9d\x90ab")
    put("a.ar", b"!<arch>\n" + b"m/".ljust(16) + b"0".ljust(12) +
        b"0".ljust(6) * 2 + b"100644".ljust(8) + b"4".ljust(10) + b"`\nabcd")
    put("a.cpio", b"".join(
        b"070701" + b"".join(b"%08X" % v for v in (
            1, 0o100644 if n != b"TRAILER!!!" else 0, 0, 0, 1, 0, len(c), 0, 0,
            0, 0, len(n) + 1, 0)) + n + bytes(1 + -(111 + len(n)) % 4) + c +
        bytes(-len(c) % 4)
        for n, c in ((b"m", b"abcd"), (b"TRAILER!!!", b""))))
    import hashlib
    put("sums", b"".join(b"%s  %s\n" % (hashlib.md5(
        (d / n).read_bytes()).hexdigest().encode(), n.encode())
        for n in ("text", "bin")))
    with tarfile.open(d / "a.tar", "w") as t:
        i = tarfile.TarInfo("text")
        i.size, i.mtime = len(TEXT), 86400
        t.addfile(i, io.BytesIO(TEXT))
    with zipfile.ZipFile(d / "a.zip", "w") as z:
        z.writestr(zipfile.ZipInfo("m", (2001, 2, 3, 4, 5, 6)), b"abcd")
    for where, _, files in os.walk(d, topdown=False):
        for n in files:
            os.utime(os.path.join(where, n), (10**9, 10**9),
                     follow_symlinks=False)
        os.utime(where, (10**9, 10**9))


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    d = tmp_path_factory.mktemp("busybox") / "model"
    d.mkdir()
    make_files(d)
    return d


def once(argv, stdin, cwd):
    env = {"PATH": "/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"}
    for k in ("XDG_CACHE_HOME", "PITH_CACHE", "PITH_KERNEL"):
        if k in os.environ:
            env[k] = os.environ[k]
    return subprocess.run(argv, input=stdin, capture_output=True, env=env,
                          cwd=cwd, timeout=300)


@pytest.mark.parametrize("case", CASES)
def test_applet(case, model, tmp_path):
    words = case.encode().decode("unicode_escape") if "\\ " not in case \
        else case
    argv, _, source = words.partition(" < ")
    argv = [a.replace("\0", " ") for a in
            argv.replace("\\ ", "\0").split(" ")]
    have = subprocess.run([BUSYBOX, "--list"], capture_output=True,
                          text=True).stdout.split()
    if argv[0] not in have:
        pytest.skip("this busybox has no " + argv[0])
    d = tmp_path / "d"
    shutil.copytree(model, d, symlinks=True)
    stdin = (d / source).read_bytes() if source else b""
    got = once([PITH, "run", "-i", "%s:%s" % (d, d), "-w", str(d), BUSYBOX,
                *argv], stdin, "/")
    want = once([BUSYBOX, *argv], stdin, d)
    err = b"".join(l for l in got.stderr.splitlines(True)
                   if not l.startswith(b"pith:"))
    assert got.stdout == want.stdout, got
    assert err == want.stderr
    assert got.returncode == want.returncode, got


def test_every_applet_is_placed():
    have = subprocess.run([BUSYBOX, "--list"], capture_output=True,
                          text=True).stdout.split()
    placed = {c.split(" ")[0] for c in CASES} | set(OTHERS)
    assert not [a for a in have if a not in placed]
