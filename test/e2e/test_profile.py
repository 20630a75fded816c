# SPDX-License-Identifier: Apache-2.0
"""The sampling profiler: --profile names the function that a program spends
its time in, across an execve and with an idle CPU beside; --profile-file
writes the stacks; options that make no sense are refused."""

import os
import re
import subprocess

import pytest

from test_programs import PITH

SOURCE = """
#include <unistd.h>
static volatile unsigned long sum;
static void
spin(void)
{
	for (long i = 0; i < 40000000; i++)
		sum += i;
}
static void
work(void)
{
	spin();
}
int main(int argc, char **argv)
{
	char *again[] = { argv[0], "again", 0 };

	work();
	return argc > 1 ? 0 : execv("/proc/self/exe", again);
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    exe = tmp_path_factory.mktemp("profile") / "spinner"
    subprocess.run(["gcc", "-O0", "-static", "-x", "c", "-", "-o", exe], input=SOURCE.encode(), check=True)
    return exe


def run(*words):
    return subprocess.run([PITH, "run", *map(str, words)],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=300)


def test_table(program):
    r = run("-c", "2", "--profile=500", program)
    err = r.stderr.decode()
    assert r.returncode == 0, err
    head = re.search(r"profile: (\d+) samples, 500 a second on 2 CPUs: "
                     r"([0-9.]+)% program, ([0-9.]+)% kernel, "
                     r"([0-9.]+)% idle", err)
    assert head and int(head[1]) > 10, err
    rows = re.findall(r"([0-9.]+)% +([0-9.]+)%  (\S.*)$", err, re.M)
    assert rows[0][2] == "spin  spinner", err
    total = {name: float(share) for _, share, name in rows}
    assert total["spin  spinner"] > 50, err


def test_stacks(program, tmp_path):
    stacks = tmp_path / "stacks"
    r = run("--profile-file", stacks, program)
    assert r.returncode == 0 and r.stderr == b"", r.stderr.decode()
    lines = stacks.read_text().splitlines()
    assert all(re.fullmatch(r"\S+ \d+", line) for line in lines)
    # The whole way from main, and nothing is seen more often.
    assert re.search(r"main__spinner;work__spinner;spin__spinner \d+$",
                     lines[0]), lines[:5]


@pytest.mark.parametrize("option", ["--profile=0", "--profile=10001",
                                    "--profile=x"])
def test_bad_rate(program, option):
    r = run(option, program)
    assert r.returncode == 125, r
    assert b"number of samples a second" in r.stderr


def test_bad_file(program, tmp_path):
    r = run("--profile-file", tmp_path / "no" / "file", program)
    assert r.returncode == 125, r
    assert r.stderr.startswith(b"pith: --profile-file ")


def test_debug_kernel(program):
    debug = os.path.join(os.path.dirname(PITH), "debug", "pith-kernel.elf")
    r = subprocess.run([PITH, "run", "-c", "2", "--profile", program],
                       env=dict(os.environ, PITH_KERNEL=debug),
                       stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=300)
    assert r.returncode == 0 and b"spin  spinner" in r.stderr, r.stderr
