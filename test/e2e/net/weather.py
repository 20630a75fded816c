# SPDX-License-Identifier: Apache-2.0
"""Bad weather on a link: frames between two taps are lost, delayed, sent twice
and overtake each other.  A kernel's netem does the same, where it is built in.

The decisions come from a seed: the same frames in the same order meet the same
fate.  Each direction has its own.
"""
import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time

TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI = 2, 0x1000


def open_tap(name):
    """One that takes whole frames only: the kernel cuts large segments and
    ends checksums before it hands them over."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(),
                                           IFF_TAP | IFF_NO_PI))
    return fd


class Weather:
    """loss, twice, ahead: probabilities; jitter in seconds.  A frame waits for
    anything up to jitter, but those that go ahead do not wait at all."""

    def __init__(self, seed, loss=0, twice=0, ahead=0, jitter=0):
        self.random = random.Random(seed)
        self.loss, self.twice = loss, twice
        self.ahead, self.jitter = ahead, jitter

    def fates(self):
        """How long each copy of the next frame waits; none: it is lost."""
        r = self.random.random
        lost, twice = r() < self.loss, r() < self.twice
        waits = [0 if r() < self.ahead else r() * self.jitter
                 for _ in range(1 + twice)]
        return [] if lost else waits


ARP = b"\x08\x06"


class Link(threading.Thread):
    """Between two taps, until the process ends."""

    def __init__(self, a, b, weather_ab, weather_ba):
        super().__init__(daemon=True)
        self.ways = {a: (b, weather_ab), b: (a, weather_ba)}
        self.seen = self.lost = self.doubled = 0

    def arrived(self, fd, waiting):
        to, weather = self.ways[fd]
        now = time.monotonic()
        for _ in range(64):
            try:
                frame = os.read(fd, 65536)
            except BlockingIOError:
                return
            self.seen += 1
            fates = weather.fates()
            if frame[12:14] == ARP and not fates:
                # The host asks three times, then there is no route.
                fates = [0]
            self.lost += not fates
            self.doubled += len(fates) > 1
            for wait in fates:
                # The count keeps the order of those that are due at once.
                self.count += 1
                heapq.heappush(waiting, (now + wait, self.count, to, frame))

    def run(self):
        poll = select.poll()
        for fd in self.ways:
            poll.register(fd, select.POLLIN)
        waiting = []
        self.count = 0
        while True:
            left = waiting[0][0] - time.monotonic() if waiting else 1
            for fd, _ in poll.poll(max(0, left * 1000)):
                self.arrived(fd, waiting)
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, _, to, frame = heapq.heappop(waiting)
                try:
                    os.write(to, frame)
                except (BlockingIOError, OSError):
                    pass  # its queue is full: one more is lost
