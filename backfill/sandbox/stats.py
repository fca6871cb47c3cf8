"""What the sandbox saw on the wire. Kept in memory: a killed sandbox starts again at zero."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import Any


class WireStats:
    """Counts requests, what became of them, and which faults took effect."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._arrived: Counter[str] = Counter()
        self._outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._per_second: Counter[int] = Counter()
        self._faults: dict[str, dict[str, int]] = {}
        self._in_flight = 0
        self._max_in_flight = 0

    def arrive(self, operation: str) -> None:
        """A request for ``operation`` came in."""
        self._arrived[operation] += 1
        self._per_second[int(time.monotonic() - self._started)] += 1
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)

    def leave(self, operation: str, outcome: str) -> None:
        """The request ended with ``outcome``: a status code, ``dropped``, ``hung`` or ``late``."""
        self._outcomes[operation][outcome] += 1
        self._in_flight -= 1

    def fault(self, name: str) -> None:
        """A fault took effect; the first time, note how many creates had arrived by then."""
        entry = self._faults.setdefault(name, {"count": 0, "first_at": self._arrived["create"]})
        entry["count"] += 1

    def as_json(self) -> dict[str, Any]:
        """The wire's half of ``/sandbox/stats``."""
        return {
            "requests": {
                "total": self._arrived.total(),
                "arrived": dict(self._arrived),
                "by_operation": {name: dict(counts) for name, counts in self._outcomes.items()},
            },
            "in_flight": self._in_flight,
            "max_in_flight": self._max_in_flight,
            "per_second": {str(second): n for second, n in sorted(self._per_second.items())},
            "faults": self._faults,
        }
