# SPDX-License-Identifier: Apache-2.0
# asyncio without a network: timers, queues, threads, a socket pair.
import asyncio
import socket


async def main():
    q = asyncio.Queue()

    async def produce():
        for i in range(5):
            await asyncio.sleep(0.001)
            await q.put(i)
        await q.put(None)

    async def consume():
        got = []
        while (item := await q.get()) is not None:
            got.append(item * item)
        return got

    _, squares = await asyncio.gather(produce(), consume())
    print("squares", squares)

    a, b = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=a)
    _, peer = await asyncio.open_connection(sock=b)
    peer.write(b"over the pair\n")
    print("read", await reader.readline())
    writer.close()
    peer.close()

    loop = asyncio.get_running_loop()
    print("thread", await loop.run_in_executor(None, sum, range(1000)))
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.01)
    except asyncio.TimeoutError:
        print("timeout")


asyncio.run(main())
