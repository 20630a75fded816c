# SPDX-License-Identifier: Apache-2.0
"""Guest instructions and VM exits for a request, of net.py's rows: the
difference of two runs of different length, so that start, probes and end do
not count.

Instructions: the plugin count.c.  Exits are what the same program would leave
its virtual CPU for: instructions HLT (the plugin) and accesses to registers
of virtio devices and of the interrupt controllers (QEMU's trace of them, which
has the region's name; ioeventfd is off, as it would be traced by nobody).  That
is so without a hypervisor that posts interrupts; with one those of the local
APIC do not leave.  The clocks that a guest reads for want of a hypervisor's
(HPET, PIT, ACPI), the console and WRMSR, of which some leave, are not counted
as exits; --json has each by its name.
"""

import collections
import os
import re

import profile as counting
from net_rows import GROUPS, RATES, ROWS, group_of

FEW, MANY = 500, 2500
FEWER = {"nginx_1m": (50, 250), "redis_set_p16": (1600, 16000),
         "redis_get_p16": (1600, 16000),
         **{r: (32, 160) for r in GROUPS["iperf"][2]}}  # megabytes
EXITS = ("virtio", "apic", "ioapic")  # how the regions' names begin
COUNTED = [r for r in ROWS if r not in RATES]  # which are mostly idle


def read_kinds(path):
    with open(path) as f:
        return {w[0][1:]: int(w[1]) for w in map(str.split, f)
                if w[0][0] == "#"}


def read_accesses(path):
    """Accesses by the region's name."""
    got = collections.Counter()
    with open(path, errors="replace") as f:
        for line in f:
            m = re.search(r"memory_region_ops_(?:read|write) .* name '(.*)'",
                          line)
            if m:
                got[m.group(1)] += 1
    return got


class Counting:
    """Mixed into the bench."""

    def count_run(self, system, row, n):
        out = os.path.join(self.work, "count.out")
        trace = os.path.join(self.work, "trace.out")
        qemu = counting.counting_qemu(
            self.work, ["out=" + out, "start=%#x" % counting.IMAGE],
            ["-trace", "memory_region_ops_*", "-D", trace, "-global",
             "virtio-net-pci.ioeventfd=off", "-global",
             "virtio-blk-pci.ioeventfd=off"])
        p = self.start(system, group_of(row), 1, qemu=qemu)
        self.exactly(row, n)
        self.stop(p)
        kinds = read_kinds(out)
        got = {"insns": counting.read(out)[0], "wrmsr": kinds["wrmsr"],
               "hlt": kinds["hlt"]}
        accesses = read_accesses(trace)
        os.unlink(trace)
        got["exits"] = got["hlt"] + sum(
            n for name, n in accesses.items() if name.startswith(EXITS))
        for name, k in accesses.items():
            got["at " + name] = k
        return got

    def count_row(self, system, row):
        few, many = FEWER.get(row, (FEW, MANY))
        a = self.count_run(system, row, few)
        b = self.count_run(system, row, many)
        return {k: (b[k] - a.get(k, 0)) / (many - few) for k in b}

    def count_all(self):
        """{system: {row: {what: a request}}}"""
        self.make_tap(1)
        systems = ["pith"] + ([] if self.args.no_linux else ["linux"])
        got = {s: {} for s in systems}
        for row in COUNTED:
            if row in self.rows:
                for s in systems:
                    got[s][row] = self.count_row(s, row)
        return got


def print_counts(got):
    for what, title in (("insns", "guest instructions a request, 1 CPU; of "
                         "iperf a megabyte"),
                        ("exits", "VM exits a request, 1 CPU")):
        print("\n%s" % title)
        print("%-20s %14s %14s %8s" % ("row", "pith", "linux", "ratio"))
        for row in got["pith"]:
            p = got["pith"][row][what]
            linux = got.get("linux", {}).get(row, {}).get(what)
            print("%-20s %14.1f %14s %8s" % (
                row, p, "-" if linux is None else "%.1f" % linux,
                "%.2f" % (p / linux) if linux else "-"), flush=True)
