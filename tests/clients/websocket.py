"""The library websockets against a server that echoes: websocket.py PORT. Prints `ok`, or fails."""

import asyncio
import sys

import websockets

URL = f"ws://127.0.0.1:{sys.argv[1]}/python"


async def echo():
    async with websockets.connect(URL, max_size=None) as ws:
        for length in (0, 1, 125, 126, 127, 65535, 65536, 200000):
            for message in ("x" * length, bytes(length)):
                await ws.send(message)
                assert await ws.recv() == message, length
        await ws.send("κόσμε 永 😀")
        assert await ws.recv() == "κόσμε 永 😀"
        await ws.send(iter(["in ", "three ", "parts"]))
        await (await ws.ping(b"payload"))
        assert await ws.recv() == "in three parts"


async def client_first():
    ws = await websockets.connect(URL)
    await ws.send("hello")
    assert await ws.recv() == "hello"
    await ws.close(4001, "client first")
    assert (ws.close_code, ws.close_reason) == (4001, "client first"), ws.close_code


async def server_first():
    ws = await websockets.connect(URL)
    await ws.send("close")
    try:
        await ws.recv()
        raise AssertionError("a message behind the close frame")
    except websockets.ConnectionClosed as closed:
        assert (closed.rcvd.code, closed.rcvd.reason) == (4002, "server first"), closed
        assert closed.rcvd_then_sent


async def too_big():
    ws = await websockets.connect(URL)
    await ws.send(bytes(300 * 1024))
    try:
        await ws.recv()
        raise AssertionError("taken")
    except websockets.ConnectionClosed as closed:
        assert closed.rcvd.code == 1009, closed


async def main():
    for case in (echo, client_first, server_first, too_big):
        await asyncio.wait_for(case(), 20)
    await asyncio.wait_for(asyncio.gather(*(echo() for _ in range(20))), 20)
    print("ok")


asyncio.run(main())
