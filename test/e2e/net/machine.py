# SPDX-License-Identifier: Apache-2.0
"""For the scripts of this folder that are the other end of a machine: starts
it, and ends the script with it when it ends badly.

A script waits in accept(), for a packet or a line; from a machine that could
not start, as where the disk is full, nothing would come, and the script would
wait until its test's time is up.  What pith said of it is on stderr already."""
import os
import subprocess
import sys
import threading

# Over by itself, or because the script said so.
GOOD = 0, 143


def watch(pid, good):
    # The status stays for who waits for the machine.
    try:
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    except ChildProcessError:
        return # the script has it already
    status = end.si_status
    if end.si_code != os.CLD_EXITED:
        status += 128
    if status in good:
        return
    sys.stdout.flush()
    print("the machine ended with status %d" % status, file=sys.stderr,
          flush=True)
    os._exit(1)


def start_machine(command, good=GOOD, **streams):
    """As Popen; nothing comes from stdin unless that is asked for."""
    streams.setdefault("stdin", subprocess.DEVNULL)
    machine = subprocess.Popen(command, **streams)
    threading.Thread(target=watch, args=(machine.pid, good),
                     daemon=True).start()
    return machine
