"""The list of affiliates: what it says of each order, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from backfill.errors import BackfillError, SourceError, UsageError
from backfill.prepare.mapping.affiliates import CONNECT_HEADER, USER_HEADER, Affiliates
from backfill.settings import ImportSettings

LIST = """\ufeffAffiliate,connect_id,user_id,connected,connect_import_order_history_at
ann, A1 ,,TRUE,2024-01-01
bea,,315,yes,null
cid,,,false,
"""


def read(folder: Path, text: str) -> Affiliates:
    """A list of affiliates from a file of this text."""
    path = folder / "affiliates.csv"
    path.write_text(text, encoding="utf-8")
    return Affiliates.read(path)


def strings(*values: str | None) -> pa.Array:
    return pa.array(values, pa.string())


def test_each_affiliate_has_the_account_of_the_list(tmp_path: Path) -> None:
    """By connect id or by user id; one who has not connected needs neither."""
    none = strings(None, None, None, None)
    found = read(tmp_path, LIST).accounts(
        none, none, strings("ann", "bea", "cid", "zoe"), ImportSettings(only_requested_history=True)
    )
    assert found.header.to_pylist() == [CONNECT_HEADER, USER_HEADER, None, None]
    assert found.id.to_pylist() == ["A1", "315", None, None]
    assert found.unknown.tolist() == [False, False, False, True]
    assert found.not_connected.tolist() == [False, False, True, False]
    assert found.history_not_requested.tolist() == [False, True, True, False]


def test_an_id_in_the_row_itself_goes_before_the_list(tmp_path: Path) -> None:
    """And a connect id beside a user id is one too many."""
    found = read(tmp_path, LIST).accounts(
        strings("X1", None, "X3"),
        strings(None, "99", "99"),
        strings("zoe", None, None),
        ImportSettings(),
    )
    assert found.id.to_pylist() == ["X1", "99", "X3"]
    assert found.two.tolist() == [False, False, True]
    assert not found.unknown.any()


def test_one_account_for_all_goes_before_everything(tmp_path: Path) -> None:
    """--connect-id and --user-id."""
    given = (strings("X1"), strings(None), strings("ann"))
    found = read(tmp_path, LIST).accounts(*given, ImportSettings(user_id="7"))
    assert (found.header.to_pylist(), found.id.to_pylist()) == ([USER_HEADER], ["7"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("affiliate,connect_id\nann,A1\nann,A2\n", "row 3 repeats an affiliate"),
        ("affiliate,connect_id\n,A1\n", "row 2 has no affiliate"),
        ('affiliate,connect_id\nann,"A\nX: 1"\n', "row 2 has an account id with a control char"),
        ("affiliate,user_id\nann,\x1b[2J\n", "row 2 has an account id with a control char"),
        ("affiliate,connect_id\nann,Aé\n", "row 2 has an account id with a control char"),
        ("affiliate,connect_id,user_id\nann,A1,7\n", "row 2 has both"),
        ("affiliate,connect_id\nann,\n", "row 2 is connected, but has neither"),
        ("affiliate,connect_id,connected\nann,A1,perhaps\n", "row 2 has a value for connected"),
        ("name,connect_id\nann,A1\n", "needs the columns affiliate"),
        ("affiliate,connect_id\nann,A1,x\nbea,A2\n", "row 2 has more or fewer cells"),
        ("", "is empty"),
        ("affiliate,connect_id\n", "no rows below the header"),
    ],
)
def test_a_list_that_cannot_be_used_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    """It names the row, or the columns that are missing."""
    with pytest.raises(BackfillError, match=says):
        read(tmp_path, text)


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    """A path typed wrongly is a mistake in usage; a file that is no table is not."""
    with pytest.raises(UsageError, match="no such file"):
        Affiliates.read(tmp_path / "nowhere.csv")
    (tmp_path / "a.csv").write_bytes(b"%PDF-1.4\n")
    with pytest.raises(SourceError, match="is a PDF"):
        Affiliates.read(tmp_path / "a.csv")


def test_a_list_with_semicolons_in_windows_1252(tmp_path: Path) -> None:
    """As a spreadsheet in German saves it."""
    text = "Affiliate;Connect_ID\nGrößer & Söhne;A1\nJörg Weiß;A2\n"
    (tmp_path / "list.csv").write_bytes(text.encode("cp1252"))
    none = strings(None, None)
    found = Affiliates.read(tmp_path / "list.csv").accounts(
        none, none, strings("Jörg Weiß", "Größer & Söhne"), ImportSettings()
    )
    assert found.id.to_pylist() == ["A2", "A1"]


def test_a_list_in_a_workbook(tmp_path: Path) -> None:
    """Typed cells: a number is an id, and FALSE is not connected, also where nobody is."""
    path = tmp_path / "list.xlsx"
    rows = [["affiliate", "user_id", "connected"], ["ann", 315, False], ["bea", 316, False]]
    pd.DataFrame(rows).to_excel(path, header=False, index=False, engine="xlsxwriter")
    none = strings(None, None)
    found = Affiliates.read(path).accounts(none, none, strings("ann", "bea"), ImportSettings())
    assert found.id.to_pylist() == ["315", "316"]
    assert found.not_connected.tolist() == [True, True]
