"""The event loop that deliveries run on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def on_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Do ``work`` on an event loop of its own: uvloop where it is installed."""
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):  # it does not exist for Windows
        import uvloop

        new_loop = uvloop.new_event_loop
    with _garbage_collected_less_often(), asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)


@contextlib.contextmanager
def _garbage_collected_less_often() -> Iterator[None]:
    """A request makes dozens of objects and hardly a cycle; looking for cycles every 700 objects,
    as Python does by itself, takes a tenth of a delivery's processor time.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
