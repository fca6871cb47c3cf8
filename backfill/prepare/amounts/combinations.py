"""Charges and discounts that make up what is missing between the lines and the total."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations, product
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

#: The share of the orders (or rows) that an identity must explain to be found.
EXPLAINS: Final = 0.9
#: Orders that all combinations are tried on; the first that explains them is tried on all orders.
_TRIED: Final = 48
#: Choices whose shares of the tried orders differ by less explain them equally well.
_AS_WELL: Final = 0.025


class Charge(NamedTuple):
    """A column that is part of the total beside the lines."""

    column: str
    sign: int
    """-1 for a discount"""


class Combinations:
    """Every choice of a few columns, each added or taken off, the smallest choices first."""

    def __init__(self, measures: Sequence[tuple[str, Floats]], at_once: int) -> None:
        self._names = [name for name, _ in measures]
        self._values = np.array([values for _, values in measures])
        signs = [
            (chosen, signed)
            for size in range(min(at_once, len(measures)) + 1)
            for chosen in combinations(range(len(measures)), size)
            for signed in product((1, -1), repeat=size)
        ]
        self._signs = np.zeros((len(signs), len(measures)))
        for row, (chosen, signed) in enumerate(signs):
            self._signs[row, list(chosen)] = signed

    def explain(
        self, rest: Floats, slack: Floats, places: Indices, but: Collection[str] = ()
    ) -> tuple[tuple[Charge, ...], int] | None:
        """The smallest choice that makes up ``rest`` at about the most of ``places``, and at how
        many.

        :param but: columns that must not be part of it.
        """
        tried = places[:: max(1, len(places) // _TRIED)]
        if not len(self._names):
            sums = np.zeros((1, len(tried)))
        else:
            sums = self._signs @ self._values[:, tried]
        shares = (np.abs(rest[tried] - sums) <= slack[tried]).mean(axis=1)
        excluded = [index for index, name in enumerate(self._names) if name in but]
        if excluded:
            shares[(self._signs[:, excluded] != 0).any(axis=1)] = 0
        best = float(shares.max())
        if best < EXPLAINS:
            return None
        signs = self._signs[int(np.argmax(shares >= max(EXPLAINS, best - _AS_WELL)))]
        made_up = signs @ self._values if len(self._names) else np.zeros(len(rest))
        holds = int((np.abs(rest - made_up) <= slack)[places].sum())
        charges = (Charge(self._names[index], int(signs[index])) for index in np.flatnonzero(signs))
        return tuple(charges), holds
