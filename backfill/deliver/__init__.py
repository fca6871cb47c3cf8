"""Bodies in, outcomes out: everything that speaks to Shout. Knows no pandas, and not ``prepare``.

loop        claims, sends and records: the write rules meet the network here, for every errand
create      the errand of a run: create pending orders, settle orders in doubt
send        one order's way: look it up where it was in doubt, send it, read the answer
in_flight   an order on that way
canary      one order alone, then ten, then all
accounts    which accounts take orders
settle      an order in doubt is never sent again before it is certain that it is not in Shout
lookup      asks for one order, patiently
absence     how Shout says that an order is not there
witness     orders that are known to be there, and how much lookups lag
parking     where orders in doubt wait for a witness
learned     what a job has learned of Shout, kept from run to run
shown       what an answer shows: the order that was asked for, that there is none, or neither
shout       what an errand reaches Shout through, and the limits that hold for every errand
pace, rate  when a request may go: limits, pauses, outages, budget
wire        one request with its turn and its count
api, gate   HTTP, and the last check of the bytes that go out
response    what is read of an answer: its own, whole, and not too much
proxy       the proxy of the environment
deadlines   the timeout of a request
outcome     what every status and every exception means
compare     whether the order that Shout shows is the one that was sent
interrupt   Ctrl-C, SIGTERM and a closed terminal
event_loop  the event loop that all requests run on
"""

from __future__ import annotations

import time

from backfill.checkpoint import Checkpoint
from backfill.deliver.api import Api, base_url
from backfill.deliver.create import Create, Delivered
from backfill.deliver.event_loop import on_event_loop
from backfill.deliver.interrupt import Stop
from backfill.deliver.loop import carry_out
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

    In the main thread SIGINT, SIGTERM and SIGHUP are taken care of while this runs: the first ends
    it in good order, the second leaves the process at once with exit code 130.

    :param limit: orders to take up at most; those in doubt from an earlier run come on top.
    :param stop: lets a program end the run as a signal would.
    :raises UsageError: the address or a header cannot be used.
    :raises SafetyStop: stopped before harm was done, or Shout refuses or is down; resumable.
    :raises Interrupted: by a signal or by ``stop``; resumable.
    :raises StorageError: the checkpoint cannot be written; what is not recorded is not sent.
    """
    began = time.monotonic()
    errand = await carry_out(
        lambda shout: Create(shout, checkpoint, limit), checkpoint, api, progress, stop
    )
    delivered = errand.delivered
    delivered.orders = +delivered.orders
    delivered.seconds = time.monotonic() - began
    return delivered


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
