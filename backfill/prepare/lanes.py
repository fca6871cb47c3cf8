"""Two lanes for one stream of work: what comes next is made while what is there is used.

The kernels of Arrow, SQLite and the disk leave the interpreter free, so a second core pays.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

#: Items that may wait between two lanes: enough to keep both busy, little to hold in memory.
WAITING = 1

Item = TypeVar("Item")


class _End:
    """The last thing in a queue: the stream is over, or it broke off with an error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The same items, made in a thread of their own a little ahead of whoever takes them.

    An error in the making is raised at its place in the sequence. Closing the iterator ends the
    making too, and waits for its end.
    """
    line: queue.Queue[Item | _End] = queue.Queue(WAITING)
    stopped = threading.Event()

    def put(item: Item | _End) -> None:
        while not stopped.is_set():
            try:
                return line.put(item, timeout=0.1)
            except queue.Full:
                continue

    def make() -> None:
        source = iter(items)
        try:
            for item in source:
                put(item)
                if stopped.is_set():
                    break
        except BaseException as exc:
            put(_End(exc))
        else:
            put(_End())
        finally:
            if isinstance(source, Generator):
                source.close()

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := line.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()


@contextmanager
def behind(use: Callable[[Item], None]) -> Iterator[Callable[[Item], None]]:
    """A function that hands items to ``use`` in a thread of its own, in their sequence.

    An error in the using is raised where the next item is handed over, or at the end.
    """
    line: queue.Queue[Item | _End] = queue.Queue(WAITING)
    errors: list[BaseException] = []

    def take() -> None:
        while not isinstance(item := line.get(), _End):
            if errors:
                continue  # keep taking, so that the other lane never waits for good
            try:
                use(item)
            except BaseException as exc:
                errors.append(exc)

    def put(item: Item) -> None:
        if errors:
            raise errors[0]
        line.put(item)

    thread = threading.Thread(target=take, name="behind", daemon=True)
    thread.start()
    try:
        yield put
    finally:
        line.put(_End())
        thread.join()
    if errors:
        raise errors[0]
