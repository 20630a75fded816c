# SPDX-License-Identifier: Apache-2.0
"""COMMAND...: starts the command, twait.py in a machine on the tap t0, and
does what it says at the other end of its connections.  Without a command:
the same with Linux in a network namespace of its own."""
import os
import socket
import subprocess
import sys

PY = "/usr/bin/python3"
HERE = os.path.dirname(os.path.abspath(__file__))
OURS, THEIRS = "192.168.77.1", "192.168.77.2"


def ip(line):
    subprocess.run(["ip"] + line.split(), check=True)


ip("link set lo up")
if len(sys.argv) > 1:
    command = sys.argv[1:]
    ip("tuntap add t0 mode tap")
else:
    command = ["unshare", "-n", "sh", "-c", "read x; ip link set lo up; "
               "ip addr add %s/24 dev e0; ip link set e0 up; exec %s -u %s/"
               "twait.py" % (THEIRS, PY, HERE)]
    ip("link add t0 type veth peer name e0")
ip("addr add %s/24 dev t0" % OURS)
ip("link set t0 up")
control = socket.create_server((OURS, 9))
machine = subprocess.Popen(command, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE)
if len(sys.argv) == 1:
    # It has its namespace when it is another one than ours.
    mine = os.readlink("/proc/self/ns/net")
    while os.readlink("/proc/%d/ns/net" % machine.pid) == mine:
        pass
    ip("link set e0 netns %d" % machine.pid)
    machine.stdin.write(b"go\n")
    machine.stdin.flush()
told = control.accept()[0]
c, listeners = None, {}
for words in told.makefile("r"):
    what, *arg = words.split()
    answer = "done"
    if what == "connect":
        c = socket.socket()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if len(arg) > 1:
            c.bind((OURS, int(arg[1])))
        c.connect((THEIRS, int(arg[0])))
        answer = c.getsockname()[1]
    elif what == "eof":
        try:
            assert c.recv(1) == b""
        except ConnectionResetError:
            pass
    elif what == "write":
        c.send(b"x")
    elif what == "close":
        c.close()
    elif what == "listen":
        l = socket.create_server((OURS, 0))
        answer = l.getsockname()[1]
        listeners[answer] = l
    elif what == "taken":
        with listeners[int(arg[0])].accept()[0] as c:
            assert c.recv(1) == b""
    told.sendall(("%s\n" % answer).encode())
sys.stdout.write(machine.stdout.read().decode())
assert machine.wait() == 0
