# SPDX-License-Identifier: Apache-2.0
# What a typical script imports: one line of result from each module.
import decimal
import hashlib
import json
import os
import re
import sqlite3
import ssl
import struct
import sys
import tempfile
import threading
import zlib
import zoneinfo
from datetime import datetime

print(sys.version_info[:3], sys.platform, sys.byteorder)
print(json.dumps({"b": [1, 2.5, None], "a": "é"}, sort_keys=True))
print(hashlib.sha256(b"pith").hexdigest())
print(hashlib.blake2b(b"pith", digest_size=8).hexdigest())
print(ssl.OPENSSL_VERSION, ssl.create_default_context().verify_mode)
db = sqlite3.connect(":memory:")
db.execute("create table t(a integer primary key, b text)")
db.executemany("insert into t(b) values(?)", [(str(i),) for i in range(1000)])
print(db.execute("select count(*), sum(a), max(b) from t").fetchone())
print(datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).isoformat())
print(decimal.Decimal(2).sqrt())
print(re.sub(r"(\w+)@(\w+)", r"\2 at \1", "me@home"))
print(zlib.crc32(b"x" * 100000), struct.pack("<IH", 1, 2).hex())

with tempfile.TemporaryDirectory() as d:
    p = os.path.join(d, "file")
    with open(p, "w") as f:
        f.write("line\n" * 10000)
    os.rename(p, p + "2")
    print(os.listdir(d), os.path.getsize(p + "2"))
    db = sqlite3.connect(os.path.join(d, "db"))
    db.execute("create table t(a)")
    with db:
        db.executemany("insert into t values(?)", [(i,) for i in range(5000)])
    print(db.execute("select sum(a) from t").fetchone())
    db.close()

total = 0
lock = threading.Lock()


def work(n):
    global total
    for i in range(n):
        with lock:
            total += i


threads = [threading.Thread(target=work, args=(2000,)) for _ in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("threads", total)
