"""The event loop that deliveries run on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

_OBJECTS_BETWEEN_LOOKS = 10_000


def on_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Do ``work`` on an event loop of its own: uvloop where it is installed."""
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):  # it does not exist for Windows
        import uvloop

        new_loop = uvloop.new_event_loop
    with _garbage_looked_for_seldom(), asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)


@contextlib.contextmanager
def _garbage_looked_for_seldom() -> Iterator[None]:
    """Requests under way are some thousand objects and make hardly a cycle. To look through them
    for cycles whenever 700 more have come, as Python does by itself, takes a tenth of a delivery's
    processor time.
    """
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
