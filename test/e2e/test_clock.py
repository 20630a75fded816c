# SPDX-License-Identifier: Apache-2.0
"""The wall clock is set.

Goal: timerfds move with it, and say ECANCELED where they were asked to; all
other waits for a time of it move too, and no others do.
Method: a program sets the clock of its machine; Linux said TOLD
(programs/clock_step.c tells how) and, as a guest, WAITS; timerfd_create(2)
says the rest."""

import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))

TOLD = """\
set: 0
set: 0
set: 0
set: 0
set: 0
step: 0
ready 1 0 0 0 1
read: ECANCELED
ready 0
read: EAGAIN
still set 1
read not armed: ECANCELED
read: EAGAIN
step: 0
set anew: ECANCELED
set 1, ready 0
read: EAGAIN
step: 0
set without: 0
ready 0
read: EAGAIN
set with: ECANCELED
read: EAGAIN
step: 0
stop: 0
ready 0
read: ECANCELED
set: 0
poll: 1
step: 0
read: ECANCELED
read: EAGAIN
"""

MOVED = """\
set: 0
set: 0
set: 0
step: 0
half of it 1
step: 0
poll: 1
read: 8
monotonic: 0
poll: 1
read: 8
expiries 3
next 1
step: 0
back 1
set: 0
step: 0
a reader: ECANCELED
"""


WAITS = """\
set: 0
set: 0
step 500: 0
over: 0, signals: 0
absolute: 5 hundreds left
from now: 10 hundreds left
step -300: 0
absolute: 8 hundreds left
step 801: 0
clock_nanosleep: 0
futex: ETIMEDOUT
futex_waitv: ETIMEDOUT
mq_timedreceive: ETIMEDOUT
condition: ETIMEDOUT
io_uring: ETIME
over: 6, signals: 1
absolute: 0 hundreds left
from now: 10 hundreds left
"""


def check(pith, tmp_path, name, expected):
    exe = str(tmp_path / name)
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-static", "-pthread", "-o",
                    exe, os.path.join(HERE, "programs", name + ".c"),
                    "-luring", "-lrt"], check=True, timeout=300)
    r = subprocess.run([pith, "run", exe], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=300)
    assert r.stdout.decode() == expected, r.stderr.decode()


def test_timerfds_hear_of_steps(pith, tmp_path):
    check(pith, tmp_path, "clock_step", TOLD + MOVED)


def test_waits_move_with_the_clock(pith, tmp_path):
    check(pith, tmp_path, "clock_wait", WAITS)
