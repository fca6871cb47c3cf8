"""Bodies in, outcomes out: the wire's half. No pandas here, and nothing of ``prepare``.

delivery    the loop of a run: results and claims through the checkpoint
send        one order's way: look where it was in doubt, send, read what came of it
settle      lookups: what is in doubt is never sent again unseen
canary      one order alone, then ten, then all
accounts    which accounts take orders
pace, rate  when a request may go: limits, pauses, outages, budget
wire        one request with its turn, its count and what it showed
api, gate   HTTP, and the last look at the bytes that go out
deadlines   the timeout of a request
outcome     what every status and every exception means
compare     whether the order that Shout shows is the one that was sent
interrupt   Ctrl-C and SIGTERM
event_loop  the event loop that all of it runs on

loop        claims, sends and records: one errand after the import (see backfill.operations)
shout       what an errand reaches Shout through, and the limits that hold for all of them
"""

from __future__ import annotations

from backfill.checkpoint import Checkpoint
from backfill.deliver.api import Api, base_url
from backfill.deliver.delivery import Delivered, Delivery
from backfill.deliver.event_loop import on_event_loop
from backfill.deliver.interrupt import Stop
from backfill.progress import Progress
from backfill.settings import ApiSettings

__all__ = ["Api", "Delivered", "Stop", "base_url", "deliver", "run"]


async def deliver(
    checkpoint: Checkpoint,
    api: ApiSettings,
    *,
    limit: int | None = None,
    progress: Progress,
    stop: Stop | None = None,
) -> Delivered:
    """Settle what is in doubt and send what is pending, each order exactly once.

    In the main thread SIGINT and SIGTERM are taken care of while this runs: the first ends it in
    good order, the second leaves the process at once with exit code 130.

    :param limit: orders to take up at most; those in doubt from an earlier run come on top.
    :param stop: lets a program end the run as a signal would.
    :raises UsageError: the address or a header cannot be used.
    :raises SafetyStop: stopped before harm was done, or Shout refuses or is down; resumable.
    :raises Interrupted: by a signal or by ``stop``; resumable.
    :raises StorageError: the checkpoint cannot be written; what is not recorded is not sent.
    """
    async with Api(api) as shout:
        delivery = Delivery(checkpoint, shout, api, limit=limit, progress=progress)
        with (stop or Stop()).listening(delivery.interrupt):
            return await delivery.run()


def run(
    checkpoint: Checkpoint,
    api: ApiSettings,
    *,
    limit: int | None = None,
    progress: Progress,
    stop: Stop | None = None,
) -> Delivered:
    """:func:`deliver` on an event loop of its own: uvloop where it is installed."""
    return on_event_loop(deliver(checkpoint, api, limit=limit, progress=progress, stop=stop))
