"""Confirmation before something that cannot be taken back.

An operation describes what it is about to do as a :class:`Plan`, and asks through a callable that
its caller passes in. The command line shows the plan and waits for a word to be typed; a program
may decide for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from backfill.errors import SafetyStop, UsageError
from backfill.settings import ApiSettings
from backfill.settings.checks import host_of, is_this_machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an operation is about to do; each operation adds fields of its own."""

    confirm_with: str
    """the word that a person types to confirm: the host of Shout, or the name of the job folder"""
    if_declined: ClassVar[str] = "nothing was sent"
    """what is true when the answer is no"""


Confirm = Callable[[Plan], bool]
"""Shows a plan and returns whether to go on."""


def require_for_shout(
    api: ApiSettings, confirm: Confirm | None, plan: Callable[[str], Plan], *, yes: bool
) -> None:
    """:func:`require`, unless ``yes`` or Shout is on this machine.

    :param plan: makes the plan, given Shout's host.
    """
    if not (yes or is_this_machine(api.api_url)):
        require(plan(host_of(api.api_url)), confirm)


def require(plan: Plan, confirm: Confirm | None) -> None:
    """Go on only where ``confirm`` says yes.

    :raises UsageError: nobody can be asked.
    :raises SafetyStop: the answer was no.
    """
    if confirm is None:
        raise UsageError(
            "confirmation required, but no terminal is attached",
            hint="review the dry run first, then add --yes",
        )
    if not confirm(plan):
        raise SafetyStop(
            f"not confirmed, so {plan.if_declined}",
            hint=f"run the same command again and type {plan.confirm_with}, or add --yes",
        )
