"""The shipped page and its WebSocket, as a browser asks for them: page.py PORT. Prints `ok`, or fails."""

import asyncio
import re
import sys
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import websockets

HOST = f"127.0.0.1:{sys.argv[1]}"
# Whatever proxy the machine has, it is not asked for an address of this machine.
urlopen = build_opener(ProxyHandler({})).open


def page():
    with urlopen(f"http://{HOST}/", timeout=20) as response:
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        return response.read().decode()


async def socket(path):
    async with websockets.connect(f"ws://{HOST}{path}", origin=f"http://{HOST}") as ws:
        assert (await ws.recv()).startswith("hello, this is the service web at :")
        await ws.send("κόσμε 永 😀")
        assert re.fullmatch(r"\d\d:\d\d:\d\d κόσμε 永 😀", await ws.recv())
        await ws.send(b"\xff\x00")
        assert await ws.recv() == b"\xff\x00"
        await ws.send("bye")
        try:
            await ws.recv()
            raise AssertionError("a message behind the close frame")
        except websockets.ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (1000, "bye"), closed
            assert closed.rcvd_then_sent


async def stranger(path):
    try:
        await websockets.connect(f"ws://{HOST}{path}", origin="http://elsewhere.example")
        raise AssertionError("a page of another host was let in")
    except websockets.InvalidHandshake as refused:
        assert "403" in str(refused), refused


path = re.search(r'new WebSocket\("ws://" \+ location\.host \+ "(.*?)"\)', page()).group(1)
asyncio.run(asyncio.wait_for(socket(path), 20))
asyncio.run(asyncio.wait_for(stranger(path), 20))
try:
    urlopen(f"http://{HOST}/absent", timeout=20)
    raise AssertionError("a page that is not there")
except HTTPError as absent:
    assert absent.code == 404, absent
print("ok")
