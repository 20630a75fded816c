# SPDX-License-Identifier: Apache-2.0
"""Bytes that show a lost, doubled or moved piece, made at little cost: both
ends of a transfer know them by a number."""
import random

BLOCK = random.Random(1).randbytes(1 << 20)


def pieces(number, size):
    """The stream of that number, piece by piece."""
    at = number * 4099
    while size:
        at = (at * 31 + 7) % (len(BLOCK) // 2)
        n = min(size, 65536)
        yield BLOCK[at:at + n]
        size -= n
