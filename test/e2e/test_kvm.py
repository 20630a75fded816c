# SPDX-License-Identifier: Apache-2.0
"""The kernel under real KVM, on any machine.

Goal: the KVM path runs: kvmclock, the host's CPU model, `--accel auto` that
finds KVM by itself, and AF_VSOCK by the host's kernel (`--vsock`).  Method: Debian's cloud kernel boots under TCG with a CPU
that has AMD's virtualisation, loads its KVM, and runs pith there, which starts a
QEMU of its own with `-accel kvm`.  XSAVE is taken from that CPU: QEMU's AMD-V
does not pass on XSETBV, so that a guest's choice is lost at its next exit.
The initramfs holds busybox, QEMU, pith and
an image."""

import os
import re
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("PITH_BUILD", "build"))
PITH = os.path.join(BUILD, "pith")
LINUX = os.path.join(BUILD, "linux")  # make linux-guest
WAIT = 600  # a hang, not a slow machine
MODULES = ("virt/lib/irqbypass.ko", "arch/x86/kvm/kvm.ko",
           "arch/x86/kvm/kvm-amd.ko",
           "net/vmw_vsock/vsock.ko",
           "net/vmw_vsock/vmw_vsock_virtio_transport_common.ko",
           "drivers/vhost/vhost_iotlb.ko", "drivers/vhost/vhost.ko",
           "drivers/vhost/vhost_vsock.ko")

INIT = r"""#!/bin/sh
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox mount -t tmpfs none /tmp
for m in %s; do /bin/busybox insmod /$m; done
export PATH=/usr/bin:/bin PITH_CACHE=/tmp/cache
cd /tmp
run() {
	echo "== $*"
	"$@" </dev/null 2>&1
	echo "== status $?"
}
run pith doctor
run pith run --verbose /app.img one
run pith run --accel kvm -c 2 --machine q35 /app.img two
run pith run --accel kvm --timeout 200 /app.img three
/bin/busybox timeout 200 /peer host >/tmp/host 2>&1 &
run pith run --vsock 42 --net none --timeout 200 /vsock.img guest
wait
run /bin/busybox cat /tmp/host
/bin/busybox poweroff -f
""" % " ".join(os.path.basename(m) for m in MODULES)

PROGRAM = r"""
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static void *work(void *a)
{
	volatile long n = 0;
	for (int i = 0; i < 1000000; i++)
		n += i;
	return NULL;
}
int main(int argc, char **argv)
{
	struct timespec a, b, nap = { 0, 50000000 };
	pthread_t t[4];
	long ms;
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, work, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &a);
	nanosleep(&nap, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
	printf("program %s: cpus %ld, slept %s\n", argv[1],
	       sysconf(_SC_NPROCESSORS_ONLN), ms >= 50 ? "enough" : "too little");
	return 7;
}
"""


def libraries(*programs):
    out = subprocess.run(["ldd", *programs], capture_output=True, text=True,
                         check=True).stdout
    return sorted(set(re.findall(r"(/\S+) \(0x", out)))


def put(root, source, target=None):
    to = os.path.join(root, (target or source).lstrip("/"))
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copy(source, to)


def initramfs(tmp_path, image, more):
    root = str(tmp_path / "root")
    for d in ("proc", "sys", "dev", "tmp", "bin"):
        os.makedirs(os.path.join(root, d))
    qemu = os.path.realpath(shutil.which("qemu-system-x86_64"))
    put(root, "/bin/busybox", "/bin/busybox")
    os.symlink("busybox", os.path.join(root, "bin", "sh"))
    put(root, qemu, "/usr/bin/qemu-system-x86_64")
    put(root, PITH, "/usr/bin/pith")
    put(root, os.path.join(BUILD, "pith-kernel.elf"), "/usr/bin/pith-kernel.elf")
    put(root, os.path.join(BUILD, "klib", "vsock.klib"),
        "/usr/bin/klib/vsock.klib")
    put(root, image, "/app.img")
    for source, target in more:
        put(root, source, target)
    for lib in libraries(qemu, PITH):
        put(root, lib)
    for f in ("/usr/share/seabios/bios-microvm.bin",
              "/usr/share/qemu/qboot.rom", "/usr/share/qemu/pvh.bin",
              "/usr/share/qemu/linuxboot_dma.bin",
              "/usr/share/qemu/kvmvapic.bin",
              "/usr/share/seabios/bios-256k.bin"):
        put(root, f, "/usr/share/qemu/" + os.path.basename(f))
    for m in MODULES:
        put(root, os.path.join(LINUX, "modules/kernel", m),
            "/" + os.path.basename(m))
    with open(os.path.join(root, "init"), "w") as f:
        f.write(INIT)
    os.chmod(os.path.join(root, "init"), 0o755)
    names = subprocess.run(["find", ".", "-print0"], cwd=root, check=True,
                           stdout=subprocess.PIPE).stdout
    cpio = subprocess.run(["/bin/busybox", "cpio", "-0", "-o", "-H", "newc"],
                          cwd=root, input=names, check=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout
    path = tmp_path / "initramfs"
    path.write_bytes(cpio)
    return path


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What pith said inside, by command."""
    tmp_path = tmp_path_factory.mktemp("kvm")
    exe, image = str(tmp_path / "program"), str(tmp_path / "app.img")
    subprocess.run(["gcc", "-O1", "-static", "-pthread", "-x", "c", "-", "-o",
                    exe], input=PROGRAM.encode(), check=True)
    subprocess.run([PITH, "build", "-m", "64M", "-o", image, exe], check=True,
                   timeout=WAIT, env=dict(os.environ,
                                          PITH_CACHE=str(tmp_path / "cache")))
    peer, vsock = str(tmp_path / "peer"), str(tmp_path / "vsock.img")
    subprocess.run(["gcc", "-O1", "-static", "-pthread", "-o", peer,
                    os.path.join(TOP, "test/e2e/programs/vsock_peer.c")],
                   check=True)
    subprocess.run([PITH, "build", "-m", "64M", "-o", vsock, peer],
                   check=True, timeout=WAIT,
                   env=dict(os.environ, PITH_CACHE=str(tmp_path / "cache")))
    r = subprocess.run(
        ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot",
         "-accel", "tcg,thread=multi", "-cpu", "max,+svm,+npt,-xsave", "-smp", "2",
         "-m", "1200M", "-serial", "stdio", "-kernel", LINUX + "/vmlinuz",
         "-initrd", initramfs(tmp_path, image, [(peer, "/peer"),
                                                (vsock, "/vsock.img")]),
         "-append",
         "console=ttyS0 quiet panic=-1 mitigations=off"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT)
    text = r.stdout.decode(errors="replace").replace("\r\n", "\n")
    return text


def section(text, command):
    start = text.index("== " + command)
    return text[start:text.index("== status", start) + 14]


def test_doctor_finds_kvm(said):
    assert re.search(r"ok +KVM", section(said, "pith doctor")), said


def test_auto_uses_kvm(said):
    s = section(said, "pith run --verbose")
    assert "program one: cpus 1, slept enough\n" in s and "status 7" in s, said
    assert "no KVM" not in s


def test_two_cpus_on_q35(said):
    s = section(said, "pith run --accel kvm -c 2")
    assert "program two: cpus 2, slept enough\n" in s and "status 7" in s, said


def test_again(said):
    """The answer about KVM is remembered; the second microvm run works too."""
    s = section(said, "pith run --accel kvm --timeout")
    assert "program three: cpus 1, slept enough\n" in s and "status 7" in s


def test_vsock_by_the_host(said):
    """The other end is Linux's own, in the host's kernel."""
    s = section(said, "pith run --vsock 42")
    bulk = "%d bytes, 0 wrong, end 0\n" % (1 << 20)
    assert "guest: connected: " + bulk in s and \
        "guest: accepted: " + bulk in s, said
    assert "guest: nobody: ECONNRESET\n" in s
    assert "guest: message back: 9\n" in s and "status 0" in s, said
    s = section(said, "/bin/busybox cat /tmp/host")
    assert "host: accepted: " + bulk in s and \
        "host: connected: " + bulk in s and "host: message of 9\n" in s, said
