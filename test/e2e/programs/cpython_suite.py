# SPDX-License-Identifier: Apache-2.0
"""Runs modules of CPython's own test suite; a line for each test.

    python3 cpython_suite.py test_mmap test_select ...

"ok NAME", "skip NAME", "fail NAME"; "fork NAME" for one that asked for a
second process and was told that there is none.  What failed is shown on
stderr.
"""

import errno
import faulthandler
import importlib
import os
import signal
import sys
import tempfile
import traceback
import unittest

from test import support


def of_fork(err):
    """Does the error come from a fork that answered ENOSYS?"""
    e = err[1]
    while e is not None:
        if isinstance(e, OSError) and e.errno == errno.ENOSYS and any(
                "fork" in f.name or "spawn" in f.name or
                "fork" in (f.line or "") or "spawn" in (f.line or "")
                for f in traceback.extract_tb(e.__traceback__)):
            return True
        e = e.__cause__ or e.__context__
    return False


class Result(unittest.TestResult):
    def say(self, word, test):
        print(word, test.id(), flush=True)

    def startTest(self, test):
        super().startTest(test)
        self.bad = None

    def note(self, test, err):
        word = "fork" if of_fork(err) else "fail"
        if word == "fail":
            print("---", test.id(), file=sys.stderr)
            traceback.print_exception(*err)
        if self.bad != "fail":
            self.bad = word

    def addError(self, test, err):
        if not isinstance(test, unittest.TestCase):  # a class's or module's
            self.bad = None
            self.note(test, err)
            self.say(self.bad, test)
            return
        self.note(test, err)

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(test, err)

    def addSkip(self, test, reason):
        self.bad = self.bad or "skip"

    def addExpectedFailure(self, test, err):
        pass

    def addUnexpectedSuccess(self, test):
        self.bad = "fail"

    def stopTest(self, test):
        super().stopTest(test)
        self.say(self.bad or "ok", test)


# A stream of AF_VSOCK from a machine to itself: where the hypervisor carries
# none, as Firecracker, it waits for ever, on Linux too.
HANGS = "ThreadedVSOCKSocketStreamTest",


class Like:
    """A module with something else in it."""

    def __init__(self, module, **other):
        self.__dict__.update(vars(module), **other)


# Nothing passes or fails on how fast the machine is.  test_epoll wants calls to
# be over within 10 ms: by a clock that stands still for it.  An alarm in
# test_pty is for what hangs.
TIMED = {
    "test.test_epoll": lambda m: {"time": Like(m.time, monotonic=lambda: 0.0)},
    "test.test_pty": lambda m: {"signal": Like(
        m.signal, alarm=lambda s: signal.alarm(s * 60))},
}


def flat(suite):
    for t in suite:
        if isinstance(t, unittest.TestSuite):
            yield from flat(t)
        elif type(t).__name__ not in HANGS:
            yield t


def main():
    faulthandler.enable()
    # As regrtest has it without -u: nothing that is large, slow, or of the
    # network.
    support.use_resources = []
    support.verbose = 0
    # Tests listen on ports that they find free, write to the directory they
    # are in, and print what they like.
    os.chdir(tempfile.mkdtemp())
    out = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(out, "w")
    real, sys.stdout = sys.stdout, sys.stderr
    Result.say = lambda self, word, test: print(word, test.id(), file=real,
                                                flush=True)
    for name in sys.argv[1:]:
        try:
            module = importlib.import_module("test." + name)
            if module.__name__ in TIMED:
                vars(module).update(TIMED[module.__name__](module))
            suite = unittest.defaultTestLoader.loadTestsFromModule(module)
        except unittest.SkipTest:
            print("skip", "test." + name, file=real, flush=True)
            continue
        unittest.TestSuite(flat(suite)).run(Result())
    print("end", file=real, flush=True)


if __name__ == "__main__":
    main()
