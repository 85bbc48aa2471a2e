"""WebSocket in Python: sockets.py serve PORT, sockets.py chat HOST PORT."""
import asyncio
import sys

import websockets

LARGE = b"5" * 1_000_000


async def echo(connection, *_):
    async for message in connection:
        await connection.send(message)


async def serve(port):
    async with websockets.serve(echo, "0.0.0.0", port, max_size=4 * len(LARGE)):
        await asyncio.Future()


async def chat(address):
    async with websockets.connect(address, max_size=4 * len(LARGE), compression=None) as connection:
        right = 0
        for number in range(100):
            await connection.send(f"message {number}")
            right += await connection.recv() == f"message {number}"
        await connection.send(LARGE)
        right += await connection.recv() == LARGE
        pong = await connection.ping(b"still there")
        await asyncio.wait_for(pong, 5)
        await connection.close(1000, "enough")
        print(right, "answers, pong, closed", connection.close_code)


if sys.argv[1] == "serve":
    asyncio.run(serve(int(sys.argv[2])))
else:
    asyncio.run(asyncio.wait_for(chat(f"ws://{sys.argv[2]}:{sys.argv[3]}/chat"), 12))
