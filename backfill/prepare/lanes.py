"""Two lanes for one stream of work: what comes next is made while what is there is used.

The kernels of Arrow, SQLite and the disk leave the interpreter free, so a second core pays.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Generic, TypeVar

#: Items that may wait between two lanes: enough to keep both busy, little to hold in memory.
WAITING = 1

Item = TypeVar("Item")


class _End:
    """The last thing in a line: the stream is over, or it broke off with an error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Line(Generic[Item]):
    """A queue with room for a few items.

    Of two queues that are written in C, one of them for the free places. Ctrl-C can strike inside
    of Python's own bounded queue; then its lock stays locked, or a wake-up is lost, and whoever
    waits waits for good.
    """

    def __init__(self) -> None:
        self._items: SimpleQueue[Item | _End] = SimpleQueue()
        self._places: SimpleQueue[None] = SimpleQueue()
        self.closed = False
        for _ in range(WAITING):
            self._places.put(None)

    def put(self, item: Item | _End) -> None:
        """Wait for a place, and take it; a line that was closed takes nothing more."""
        self._places.get()
        if not self.closed:
            self._items.put(item)

    def get(self) -> Item | _End:
        """Wait for the next item."""
        item = self._items.get()
        self._places.put(None)
        return item

    def end(self) -> None:
        """Put the end there, for which there is always a place."""
        self._items.put(_End())

    def close(self) -> None:
        """Nobody takes anything any more: let whoever waits for a place go on."""
        self.closed = True
        self._places.put(None)


def _start(work: Callable[[], None], name: str) -> threading.Thread:
    """Start a thread.

    :raises KeyboardInterrupt: also where Ctrl-C strikes while Python waits for the thread to begin,
        which it reports as a lock that is not locked.
    """
    thread = threading.Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise
    return thread


def ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The same items, made in a thread of their own a little ahead of whoever takes them.

    An error in the making is raised at its place in the sequence. Closing the iterator ends the
    making too, and waits for its end.
    """
    line: _Line[Item] = _Line()

    def make() -> None:
        source = iter(items)
        try:
            for item in source:
                line.put(item)
                if line.closed:
                    return
            line.put(_End())
        except BaseException as exc:
            line.put(_End(exc))
        finally:
            if isinstance(source, Generator):
                source.close()

    thread = _start(make, "ahead")
    try:
        while not isinstance(item := line.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        line.close()
        thread.join()


@contextmanager
def behind(use: Callable[[Item], None]) -> Iterator[Callable[[Item], None]]:
    """A function that hands items to ``use`` in a thread of its own, in their sequence.

    An error in the using is raised where the next item is handed over, or at the end.
    """
    line: _Line[Item] = _Line()
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

    thread = _start(take, "behind")
    try:
        yield put
    finally:
        line.end()
        thread.join()
    if errors:
        raise errors[0]
