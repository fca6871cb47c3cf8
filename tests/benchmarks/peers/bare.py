"""The ceiling: ready bodies, one aiohttp session, and nothing that makes a send safe.

    python bare.py ADDRESS BODIES CONNECTIONS

``BODIES`` has one request body a line.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import uvloop


async def send_all(address: str, bodies: Iterator[bytes], connections: int) -> None:
    """Post each body once, ``connections`` at a time."""
    headers = {"Content-Type": "application/json", "X-Shout-Connect-ID": "fern-1001"}
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def work() -> None:
            for body in bodies:
                async with session.post(f"{address}/orders", data=body) as response:
                    await response.read()
                    if response.status != 201:
                        raise RuntimeError(f"answered {response.status}")

        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(work())


if __name__ == "__main__":
    bodies = Path(sys.argv[2]).read_bytes().splitlines()
    uvloop.run(send_all(sys.argv[1], iter(bodies), int(sys.argv[3])))
