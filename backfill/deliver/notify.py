"""One message an account by ``send_connect_notification``, each at most once.

Nothing can look a message up. So one that may have been accepted is in doubt for good, and is
never sent again unless a person asks for it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backfill.checkpoint import Checkpoint
from backfill.checkpoint.afterwards import Message, MessageState, advance_messages
from backfill.deliver.api import Answer
from backfill.deliver.outcome import Outcome
from backfill.deliver.pace import Stopped
from backfill.deliver.walk import Shout, described
from backfill.errors import SafetyStop

_DOUBTS_IN_A_ROW = 10


class Notify:
    """The errand: one message, on disk as ``sending`` before it leaves."""

    name = "notifying"
    unit = "accounts"

    def __init__(self, checkpoint: Checkpoint, messages: Sequence[Message]) -> None:
        self._checkpoint = checkpoint
        self._messages = messages
        self._taken = 0
        self._proven = False
        self._doubts = 0
        self.done: Counter[MessageState] = Counter()

    @property
    def alone(self) -> bool:
        """One at a time until one was accepted."""
        return not self._proven

    def advance(self, done: Sequence[Message], room: int) -> Sequence[Message]:
        """Write down what was sent, and that the next ones are about to be."""
        begun = self._messages[self._taken : self._taken + room]
        self._taken += len(begun)
        self.done.update(one.state for one in done)
        if done or begun:
            advance_messages(self._checkpoint, done, begun)
        return begun

    async def see_through(self, item: Message, shout: Shout) -> Message:
        """Send one message."""
        why = "nothing was sent"
        try:
            while True:
                outcome, answer = await shout.wire.change(lambda api: api.notify(_body(item)))
                why = described(answer)
                if outcome is Outcome.CREATED and isinstance(answer, Answer):
                    return self._accepted(item, answer, shout)
                if outcome is Outcome.IN_DOUBT:
                    return self._in_doubt(item, why, shout)
                if outcome is Outcome.REFUSED:
                    shout.refused(answer)
                    return replace(item, state=MessageState.FAILED, reason=why)
                if outcome is Outcome.RUN_REFUSED:
                    shout.run_refused(answer)
                    return replace(item, state=MessageState.FAILED, reason=why)
                await shout.pace.may_retry()
        except Stopped:
            return replace(item, state=MessageState.FAILED, reason=why)

    def _accepted(self, item: Message, answer: Answer, shout: Shout) -> Message:
        message = _message_in(answer.body)
        if message is None:
            return self._in_doubt(item, f"an answer that cannot be read ({answer.status})", shout)
        shout.accepted()
        self._proven, self._doubts = True, 0
        found = message.get("id")
        return replace(
            item,
            state=MessageState.SENT,
            message_id=None if found is None else str(found),
            reason=None,
        )

    def _in_doubt(self, item: Message, why: str, shout: Shout) -> Message:
        self._doubts += 1
        if self._doubts >= _DOUBTS_IN_A_ROW:
            shout.halt(
                SafetyStop(
                    f"{self._doubts} messages in a row are in doubt, the last one with: {why}",
                    hint="see whether Shout is up, then run the same command again",
                )
            )
        return replace(item, state=MessageState.IN_DOUBT, reason=why)

    def counts(self) -> dict[str, int]:
        """How many messages came to which state."""
        return {state.value: n for state, n in self.done.items()}


def _body(message: Message) -> bytes:
    """The request: an account is named by the id that its orders were sent under."""
    if message.account_header == "X-Shout-User-Id":
        number = message.account_id
        whom: dict[str, Any] = {"user_id": int(number) if _is_number(number) else number}
    else:
        whom = {"connect_id": message.account_id}
    return json.dumps({"message": {"body": message.body, **whom}}, ensure_ascii=False).encode()


def _is_number(text: str) -> bool:
    """Shout's example writes user ids as numbers."""
    return text.isascii() and text.isdecimal() and str(int(text)) == text


def _message_in(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    inner = document.get("message")
    return inner if isinstance(inner, dict) else document
