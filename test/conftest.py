# SPDX-License-Identifier: Apache-2.0
"""What all groups of tests share: where the build is, how a program of the
tests is built, and the comparison of a program on the host and in Pith."""

import os
import shutil
import subprocess
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.environ.setdefault("PITH_BUILD", os.path.join(TOP, "build"))


@pytest.fixture(scope="session")
def build_dir():
    return os.environ["PITH_BUILD"]


@pytest.fixture(scope="session")
def pith(build_dir):
    path = os.path.join(build_dir, "pith")
    assert os.path.exists(path), "run make first: %s is missing" % path
    return path


@pytest.fixture
def host_and_pith(pith):
    """Runs argv on the host and in Pith; returns both results.  The limit is
    for what hangs: a busy machine takes many times as long."""
    def run(argv, stdin=b"", options=(), timeout=300):
        want = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout)
        got = subprocess.run([pith, "run", *options, *argv], input=stdin,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             timeout=timeout)
        return want, got
    return run


def until(what, seconds=240):
    """Waits until what() is true: a state is waited for, never assumed after
    a while.  Returns whether it came."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def until_taken():
    """Waits until a process has taken the signal that was sent to it: two of
    one kind that are pending together are one."""
    def wait(pid, sig):
        def pending():
            with open("/proc/%d/status" % pid) as f:
                return any(int(line.split()[1], 16) >> (sig - 1) & 1
                           for line in f
                           if line.startswith(("SigPnd:", "ShdPnd:")))
        assert until(lambda: not pending())
    return wait


@pytest.fixture
def until_dead():
    """Waits until a process is gone, or nobody has asked for its status."""
    def dead(pid):
        try:
            with open("/proc/%d/stat" % pid) as f:
                return f.read().rpartition(")")[2].split()[0] in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return True

    def wait(pid):
        assert until(lambda: dead(pid)), "process %d is still there" % pid
    return wait


FAILED = pytest.StashKey()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    if (yield).get_result().failed:
        item.stash[FAILED] = True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    """The folder of a test that passed goes at once: images are large, and
    pytest would keep those of three runs."""
    yield
    if item.stash.get(FAILED, False):
        return
    tmp = getattr(item, "funcargs", {}).get("tmp_path")
    if tmp:
        shutil.rmtree(tmp, ignore_errors=True)


def pytest_sessionfinish(session):
    """And so do the folders that several tests share, when none failed."""
    if not session.testsfailed:
        shutil.rmtree(session.config._tmp_path_factory.getbasetemp(),
                      ignore_errors=True)
