# SPDX-License-Identifier: Apache-2.0
"""Says what becomes of the link until it is up again."""
import time

seen = []
while seen != ["up", "down", "up"]:
    with open("/sys/class/net/eth0/operstate") as f:
        now = f.read().strip()
    if not seen or now != seen[-1]:
        seen.append(now)
        print(now, flush=True)
    time.sleep(0.02)
