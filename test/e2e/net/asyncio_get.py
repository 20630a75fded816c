# SPDX-License-Identifier: Apache-2.0
"""PORT CERT N...: hashes of what asyncio's streams get of /N from 10.0.2.2 over
TLS, all at once, the certificate verified."""
import asyncio
import hashlib
import ssl
import sys

CONTEXT = ssl.create_default_context(cafile=sys.argv[2])


async def one(n):
    r, w = await asyncio.open_connection("10.0.2.2", int(sys.argv[1]),
                                         ssl=CONTEXT)
    w.write(b"GET /%s HTTP/1.1\r\nConnection: close\r\n\r\n" % n.encode())
    head = await r.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    body = await r.read()
    w.close()
    return hashlib.sha256(body).hexdigest()


async def main():
    for h in await asyncio.gather(*map(one, sys.argv[3:])):
        print(h)


asyncio.run(main())
