# SPDX-License-Identifier: Apache-2.0
"""COMMAND...: starts the command, twait.py in a machine on the tap t0, and
does what it says at the other end of its connections.  Without a command:
the same with Linux in a network namespace of its own."""
import socket
import sys

from beside import OURS, THEIRS, prepare, start

command = prepare("twait.py")
control = socket.create_server((OURS, 9))
machine = start(command)
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
