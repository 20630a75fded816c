# SPDX-License-Identifier: Apache-2.0
"""[CERT KEY]: GET /N gives N times "x", POST gives the body back; by asyncio
streams, with a certificate over TLS."""
import asyncio
import ssl
import sys


async def one(reader, writer):
    while line := await reader.readline():
        method, path, _ = line.decode().split()
        size = 0
        while (head := await reader.readline()) not in (b"\r\n", b""):
            name, value = head.decode().split(":", 1)
            if name.lower() == "content-length":
                size = int(value)
        body = await reader.readexactly(size) if method == "POST" else \
            b"x" * int(path[1:])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" %
                     len(body) + body)
        await writer.drain()
    writer.close()


async def main():
    context = None
    if len(sys.argv) > 1:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*sys.argv[1:])
    server = await asyncio.start_server(one, "0.0.0.0", 8000, ssl=context)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
