# SPDX-License-Identifier: Apache-2.0
"""For scripts that print what one program does in a machine or in Linux, for
comparison: a network t0 of 192.168.77.0/24 with this end at .1.  At the other
is the machine whose command the script's arguments are, or else a namespace of
this Linux with the program in it."""

import os
import subprocess
import sys

from machine import start_machine

PY = "/usr/bin/python3"
HERE = os.path.dirname(os.path.abspath(__file__))
OURS, THEIRS = "192.168.77.1", "192.168.77.2"


def ip(line):
    subprocess.run(["ip"] + line.split(), check=True)


def prepare(program):
    """Makes t0.  `program` is a script of this folder with its arguments.
    Returns the command for start()."""
    ip("link set lo up")
    if len(sys.argv) > 1:
        command = sys.argv[1:]
        ip("tuntap add t0 mode tap")
    else:
        command = ["unshare", "-n", "sh", "-c", "read x; ip link set lo up; "
                   "ip addr add %s/24 dev e0; ip link set e0 up; "
                   "exec %s -u %s/%s" % (THEIRS, PY, HERE, program)]
        ip("link add t0 type veth peer name e0")
    ip("addr add %s/24 dev t0" % OURS)
    ip("link set t0 up")
    return command


def start(command):
    machine = start_machine(command, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    if len(sys.argv) == 1:
        # It has its namespace when it is another one than ours.
        mine = os.readlink("/proc/self/ns/net")
        while os.readlink("/proc/%d/ns/net" % machine.pid) == mine:
            pass
        ip("link set e0 netns %d" % machine.pid)
        machine.stdin.write(b"go\n")
        machine.stdin.flush()
    return machine
