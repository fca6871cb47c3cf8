"""Whose order it is: from a column, from one option for all, or from the list of affiliates.

Shout recommends that an organisation keeps a list of which of its affiliates have connected, and
makes no call for one who has not (documentation page "Enable Connect Orders & Text Alerts").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backfill.errors import SourceError, UsageError
from backfill.job_folder.kept_rows import RAGGED, ROW
from backfill.prepare.reading.sources import open_sources
from backfill.settings import ImportSettings

if TYPE_CHECKING:
    import pandas as pd

CONNECT_HEADER: Final = "X-Shout-Connect-ID"
USER_HEADER: Final = "X-Shout-User-Id"

_TRUE = {"true", "yes", "y", "1", "connected"}
_FALSE = {"false", "no", "n", "0", "", "disconnected"}

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Accounts:
    """The account of each order, and what keeps an order from having one."""

    header: pa.Array
    """string: which of the two account headers; null where there is no account"""
    id: pa.Array
    """string: the account's id; null where there is none"""
    unknown: Flags
    """an affiliate is named, and the list does not have it"""
    two: Flags
    """a connect id and a user id both stand in the order's rows"""
    not_connected: Flags
    history_not_requested: Flags


class Affiliates:
    """The list of affiliates, or an empty one."""

    def __init__(self, table: pd.DataFrame | None = None) -> None:
        self._table = table

    @classmethod
    def read(cls, path: Path | None) -> Affiliates:
        """Read a list with the columns ``affiliate``, and ``connect_id`` or ``user_id``.

        It is read as exports are: delimited text or a workbook, in any encoding.

        :raises UsageError: the file is missing, or a column of it is.
        :raises SourceError: a row of it is not usable.
        """
        if path is None:
            return cls()
        table = _read(path)
        if "affiliate" not in table or not {"connect_id", "user_id"} & set(table.columns):
            raise UsageError(
                f"{path}: needs the columns affiliate, and connect_id or user_id; "
                f"it has {', '.join(name for name in table.columns if name != ROW)}",
                hint="rename the columns in the file's first row",
            )
        return cls(_checked(path, table))

    def by_account(self) -> dict[str, str]:
        """The affiliate of each account id; several of one account are joined with commas."""
        if self._table is None:
            return {}
        known = self._table[self._table["account"].notna()]
        by_account = known.groupby("account", sort=False)["affiliate"]
        return {str(account): ", ".join(names) for account, names in by_account}

    def accounts(
        self, connect: pa.Array, user: pa.Array, named: pa.Array, settings: ImportSettings
    ) -> Accounts:
        """Find the account of each order.

        :param connect: the connect ids in the orders' rows; ``user`` the user ids, ``named`` the
            affiliates; each string, null where there is none.
        """
        count = len(connect)
        none = np.zeros(count, dtype=bool)
        if settings.connect_id or settings.user_id:
            header = CONNECT_HEADER if settings.connect_id else USER_HEADER
            return Accounts(
                pa.repeat(pa.scalar(header), count),
                pa.repeat(pa.scalar(settings.connect_id or settings.user_id), count),
                none,
                none,
                none,
                none,
            )
        two = pc.and_(pc.is_valid(connect), pc.is_valid(user)).to_numpy(zero_copy_only=False)
        header, account = _of_ids(connect, user)
        if named.null_count == count:
            return Accounts(header, account, none, two, none, none)
        if self._table is None:
            return Accounts(header, account, _valid(named) & ~_valid(account), two, none, none)

        table = self._table
        affiliate, *known = (_strings(table[name]) for name in ("affiliate", "header", "account"))
        place = pc.index_in(named, affiliate)
        looked_up = [column.take(place) for column in known]
        return Accounts(
            pc.coalesce(header, looked_up[0]),
            pc.coalesce(account, looked_up[1]),
            _valid(named) & ~_valid(place) & ~_valid(account),
            two,
            _looked_up(~table["connected"].to_numpy(dtype=bool), place),
            _looked_up(~table["asked"].to_numpy(dtype=bool), place)
            if settings.only_requested_history
            else none,
        )


def _read(path: Path) -> pd.DataFrame:
    """The list as text, column names in lower case, with the column ``_row``."""
    import pandas as pd

    if not path.exists():
        raise UsageError(f"{path}: no such file", hint="check --affiliates")
    try:
        readers = open_sources([path], sheet=None, taken={}, knows=_header_score)
    except UsageError as exc:  # its advice is about an export's options
        raise UsageError(exc.message, hint="save the list as UTF-8 or as .xlsx") from exc
    if len(readers) > 1:
        raise UsageError(
            f"{path}: several tables may be the list of affiliates",
            hint="keep only the one with the affiliates",
        )
    table = pd.concat(list(readers[0].batches()), ignore_index=True)
    ragged = table.pop(RAGGED).to_numpy(dtype=bool)
    if ragged.any():
        row = table[ROW].iloc[int(ragged.argmax())]
        raise SourceError(
            path,
            f"row {row} has more or fewer cells than the header",
            hint="fix that row, then run the same command again",
        )
    names = {name: str(name).strip().lower() for name in table.columns if name != ROW}
    texts = {new: table[old].astype(str).fillna("").str.strip() for old, new in names.items()}
    return pd.DataFrame({**texts, ROW: table[ROW]})


def _header_score(cells: Sequence[str]) -> float:
    """How sure it is that a row is the header of a list of affiliates."""
    known = {"affiliate", "connect_id", "user_id", "connected"}
    return len(known & {cell.strip().lower() for cell in cells}) / max(1, len(cells))


def _checked(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """One row per affiliate, with ``header``, ``account``, ``connected`` and ``asked``."""
    import pandas as pd

    blank = pd.Series("", index=table.index)
    connect, user = table.get("connect_id", blank), table.get("user_id", blank)
    connected = table["connected"].str.lower() if "connected" in table else blank + "true"
    asked = table.get("connect_import_order_history_at", blank)
    troubles = {
        "has no affiliate": table["affiliate"] == "",
        "repeats an affiliate": table["affiliate"].duplicated(),
        "has both a connect_id and a user_id: leave one empty": (connect != "") & (user != ""),
        "is connected, but has neither a connect_id nor a user_id": (connect == "")
        & (user == "")
        & connected.isin(_TRUE),
        "has an account id with a control character or a letter that is not ASCII": ~(
            connect + user
        ).str.fullmatch("[ -~]*"),
        "has a value for connected other than true or false": ~connected.isin(_TRUE | _FALSE),
    }
    for trouble, where in troubles.items():
        if where.any():
            row = table[ROW].iloc[int(where.to_numpy().argmax())]
            raise SourceError(
                path, f"row {row} {trouble}", hint="fix that row, then run the same command again"
            )
    account = connect.where(connect != "", user)
    header = (connect != "").map({True: CONNECT_HEADER, False: USER_HEADER})
    return pd.DataFrame(
        {
            "affiliate": table["affiliate"],
            "header": header.where(account != "", None),
            "account": account.where(account != "", None),
            "connected": connected.isin(_TRUE),
            "asked": ~asked.str.lower().isin(["", "null", "none"]),
        }
    )


def _strings(column: pd.Series) -> pa.Array:
    """A column as one array: pandas hands out a chunked one where it keeps strings in Arrow."""
    return pa.array(column.to_numpy(dtype=object), pa.string(), from_pandas=True)


def _of_ids(connect: pa.Array, user: pa.Array) -> tuple[pa.Array, pa.Array]:
    header = pc.if_else(
        pc.is_valid(connect),
        CONNECT_HEADER,
        pc.if_else(pc.is_valid(user), USER_HEADER, pa.scalar(None, pa.string())),
    )
    return header, pc.coalesce(connect, user)


def _valid(values: pa.Array) -> Flags:
    valid: Flags = pc.is_valid(values).to_numpy(zero_copy_only=False)
    return valid


def _looked_up(flags: Flags, place: pa.Array) -> Flags:
    found: Flags = pc.fill_null(pa.array(flags).take(place), False).to_numpy(zero_copy_only=False)
    return found
