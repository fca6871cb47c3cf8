"""A value that must never be shown."""

from __future__ import annotations


class Secret:
    """A header's value. Neither ``repr`` nor ``str`` nor a traceback shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"
