# SPDX-License-Identifier: Apache-2.0
"""The machine's side of twait_host.py, or Linux's: what is left of connections
that it closed, for bind(), connect(), /proc/net/tcp and ss."""
import errno
import socket
import struct
import time

HOST, PORT = "192.168.77.1", 9
RESET = struct.pack("ii", 1, 0)
host = socket.create_connection((HOST, PORT))
told = host.makefile("r")
IN = "/proc/sys/net/ipv4/"


def say(*words):
    """Has the host do something; what it answers."""
    host.sendall((" ".join(map(str, words)) + "\n").encode())
    return told.readline().strip()


def make(reuse):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    return s


def attempt(what):
    try:
        what()
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]


def may_bind(what, port):
    answers = []
    for reuse in (0, 1):
        with make(reuse) as s:
            answers.append(attempt(lambda: s.bind(("", port))))
            if answers[-1] == "ok":
                answers[-1] += " " + attempt(s.listen)
    print(what + ": bind", *answers, flush=True)


def line(ours, theirs):
    for x in open("/proc/net/tcp"):
        f = x.split()
        if f[1][-5:] == ":%04X" % ours and f[2][-5:] == ":%04X" % theirs:
            return f
    return None


def diag(ours, theirs):
    """What ss is told of it."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as s:
        s.send(struct.pack("IHHIIBBBBI48x", 72, 20, 0x301, 1, 0,
                           socket.AF_INET, socket.IPPROTO_TCP, 0, 0,
                           0xffffffff))
        found = None
        while True:
            data = s.recv(1 << 16)
            while data:
                size, kind = struct.unpack("IH", data[:6])
                if kind == 3:
                    return found
                m = data[16:size]
                if struct.unpack("!HH", m[4:8]) == (ours, theirs):
                    left, *queues, uid, inode = struct.unpack("5I", m[52:72])
                    found = "%d timer %d %s queues %s uid %d inode %s" % (
                        m[1], m[2], "a minute" if 50000 < left <= 60000 else
                        "else", queues, uid, "one" if inode else "none")
                data = data[(size + 3) // 4 * 4:]


def show(what, ours, theirs, state):
    """Waits until it is in the state: what comes from the host takes time."""
    while (f := line(ours, theirs)) is None or f[3] != state:
        time.sleep(0.01)
    timer, left = f[5].split(":")
    print("%s: state %s timer %s %s, queues %s, uid %s, inode %s" % (
        what, f[3], timer, "a minute" if 5000 < int(left, 16) <= 6000 else
        "else", f[4], f[7], "none" if f[9] == "0" else "one"), flush=True)
    print("  ss:", diag(ours, theirs), flush=True)


def gone(what, ours, theirs):
    while line(ours, theirs):
        time.sleep(0.01)
    print(what + ": gone", flush=True)


def accepted(reuse):
    """A connection from the host to a listener that is gone again."""
    with make(reuse) as l:
        l.bind(("", 0))
        l.listen()
        port = l.getsockname()[1]
        theirs = int(say("connect", port))
        return port, theirs, l.accept()[0]


def server(reuse):
    print("-- reuse" if reuse else "-- plain", flush=True)
    port, theirs, a = accepted(reuse)
    may_bind("open", port)
    a.close()
    say("eof")
    show("closed", port, theirs, "05")
    may_bind("closed", port)
    say("close")
    show("both closed", port, theirs, "06")
    may_bind("both closed", port)

    port, theirs, a = accepted(reuse)
    a.shutdown(socket.SHUT_WR)
    say("eof")
    show("shut down", port, theirs, "05")
    say("close")
    print("read", len(a.recv(1)))
    show("shut down and closed", port, theirs, "06")
    may_bind("shut down and closed", port)
    a.close()
    show("and closed here", port, theirs, "06")
    may_bind("and closed here", port)

    port, theirs, a = accepted(reuse)
    say("close")
    print("read", len(a.recv(1)))
    a.close()
    gone("closed second", port, theirs)
    may_bind("closed second", port)

    port, theirs, a = accepted(reuse)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    a.close()
    say("eof")
    gone("reset", port, theirs)
    may_bind("reset", port)
    say("close")

    port, theirs, a = accepted(reuse)
    a.close()
    say("eof")
    say("write")  # nobody is there to read it
    gone("written to", port, theirs)
    may_bind("written to", port)
    say("close")


def again():
    """The host comes again from the same port, to TIME_WAIT."""
    with make(1) as l:
        l.bind(("", 0))
        l.listen()
        port = l.getsockname()[1]
        theirs = int(say("connect", port))
        l.accept()[0].close()
        say("eof")
        say("close")
        show("before", port, theirs, "06")
        print("again", int(say("connect", port, theirs)) == theirs)
        with l.accept()[0] as a:
            show("again", port, theirs, "01")
            say("close")
            print("read", len(a.recv(1)))
        gone("again", port, theirs)


def connected(port, to):
    s = make(1)
    if port:
        s.bind(("", port))
    print("connect", attempt(lambda: s.connect((HOST, to))), flush=True)
    return s


def finish(s, to):
    ours = s.getsockname()[1]
    s.close()
    say("taken", to)
    while (f := line(ours, to)) is None or f[3] != "06":
        time.sleep(0.01)
    return ours


def client():
    print("-- client", flush=True)
    to, other = (int(say("listen")) for _ in range(2))
    ours = finish(connected(0, to), to)
    show("client", ours, to, "06")
    finish(connected(ours, to), to)  # its port is its own wish
    finish(connected(ours, other), other)
    with open(IN + "tcp_tw_reuse") as f:
        print("reuse", f.read().strip())
    with open(IN + "tcp_tw_reuse", "w") as f:
        f.write("1")
    # Both ports there are wait.
    with open(IN + "ip_local_port_range", "w") as f:
        f.write("40000 40001")
    for _ in range(2):
        finish(connected(0, to), to)
    time.sleep(2.1)  # in whole seconds, on Linux
    finish(connected(0, to), to)
    with open(IN + "tcp_tw_reuse", "w") as f:
        f.write("0")
    connected(0, to).close()
    finish(connected(0, other), other)
    with make(0) as s:
        print("any:", attempt(lambda: s.bind(("", 0))))


server(0)
server(1)
again()
client()
