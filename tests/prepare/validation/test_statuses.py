"""What becomes of the values of status columns, through the whole preparation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import backfill
from backfill.checkpoint.decisions import SettledBy
from backfill.errors import MappingError
from tests.prepare.preparing import csv_text, prepared

HEADER = ("reference_id", "created_at", "profile_name", "item_name", "item_price", "total")


def export(folder: Path, *statuses: str, columns: tuple[str, ...] = ("status",)) -> Path:
    """One order for each status; several columns are separated by a slash."""
    path = folder / "orders.csv"
    rows = [
        (number, "2021-04-05T10:00:00Z", "Ann", "Soap", "10.00", "10.00", *status.split("/"))
        for number, status in enumerate(statuses, start=1)
    ]
    path.write_text(csv_text((*HEADER, *columns), *rows), encoding="utf-8")
    return path


def test_words_of_every_kind_keep_an_order_back(tmp_path: Path) -> None:
    """Each kind has a rule of its own, and what is shipped is sent."""
    path = export(
        tmp_path, "Order avbruten", "Zrušeno", "Zahlung fehlgeschlagen", "charge_back",
        "Ikke betalt", "Bozza", "TESTBESTELLUNG", "Shipped", "En cours de traitement",
    )  # fmt: skip
    assert prepared(path).rejected == {
        "1": "cancelled",
        "2": "cancelled",
        "3": "voided",
        "4": "refunded",
        "5": "unpaid",
        "6": "draft",
        "7": "test_order",
    }


def test_a_value_that_nobody_knows_is_asked_for(tmp_path: Path) -> None:
    """With its count, its first row and the line that settles it."""
    path = export(tmp_path, "paid", "RETURNED", "RETURNED", "Stage 4")
    with pytest.raises(MappingError) as asked:
        prepared(path)
    assert asked.value.exit_code == 2
    assert "column 'status': 'RETURNED' (2 rows, first in row 3)" in str(asked.value)
    assert "'Stage 4' (1 row, first in row 5)" in str(asked.value)
    assert '"RETURNED" = "import" (or "reject")' in str(asked.value.hint)


@pytest.mark.parametrize(
    ("statuses", "rejected"),
    [
        ((("returned", "reject"), ("STAGE 4", "import")), {"2": "rejected_status"}),
        ((("RETURNED", "import"), ("Stage 4", "reject")), {"3": "rejected_status"}),
        (
            (("Returned", "import"), ("stage-4", "import"), ("paid", "reject")),
            {"1": "rejected_status"},
        ),
    ],
)
def test_the_settings_settle_it(tmp_path: Path, statuses: Any, rejected: dict[str, str]) -> None:
    """Also against the table of words, and however the value is written."""
    path = export(tmp_path, "paid", "RETURNED", "Stage 4")
    assert prepared(path, statuses=statuses).rejected == rejected


def test_a_mapping_file_settles_it_too(tmp_path: Path) -> None:
    """Its [statuses] may also say why an order is kept back."""
    path = export(tmp_path, "paid", "RETURNED", "Stage 4")
    mapping = tmp_path / "mapping.toml"
    fields = "".join(f'{name} = "{name}"\n' for name in (*HEADER, "status"))
    statuses = '"RETURNED" = "refunded"\n"Stage 4" = "reject"\n'
    mapping.write_text(f"[fields]\n{fields}[statuses]\n{statuses}", encoding="utf-8")
    assert prepared(path, mapping=mapping).rejected == {"2": "refunded", "3": "rejected_status"}
    mapping.write_text(f'[fields]\n{fields}[statuses]\n"x" = "keep"\n', encoding="utf-8")
    with pytest.raises(MappingError, match=r"\[statuses\] says 'keep' of 'x'"):
        prepared(path, mapping=mapping)


def test_all_status_columns_count(tmp_path: Path) -> None:
    """A good payment does not send an order that was cancelled or refunded elsewhere."""
    columns = ("status", "payment_status", "fulfilment_status", "refund_status")
    path = export(
        tmp_path,
        "processing/paid/fulfilled/not refunded",
        "processing/unpaid/pending/",
        "processing/paid/cancelled/",
        "processing/paid//Refunded",
        "processing/paid/left with a neighbour/",
        columns=columns,
    )
    found = prepared(path)
    assert found.rejected == {"2": "unpaid", "3": "cancelled", "4": "refunded"}
    assert [
        (problem["rule"], problem["value"])
        for problem in found.problems
        if problem["severity"] == "warning"
    ] == [("unclear_status", "left with a neighbour")]


def test_refunds_by_their_amount(tmp_path: Path) -> None:
    """In full: rejected, unless the date goes with it. In part: sent, and said with the amount."""
    path = export(
        tmp_path, "10.00/", "-10/", "10.00/2021-05-01", "4.50/", "0.00/", "/",
        columns=("refunded_total", "refunded_at"),
    )  # fmt: skip
    found = prepared(path)
    assert found.rejected == {"1": "refunded", "2": "refunded"}
    assert found.bodies["3"]["refunded_at"] == "2021-05-01"
    (part, full) = (
        [problem for problem in found.problems if problem["rule"] == rule]
        for rule in ("partly_refunded", "refunded")
    )
    assert [problem["value"] for problem in part] == ["4.50"]
    assert "4.50 of 10.00" in part[0]["message"]
    assert "10.00 of 10.00" in full[0]["message"]


PLATFORMS = {
    "shopify": ("Name,Created at,Email,Lineitem name,Lineitem quantity,Lineitem price,Total,"
                "Financial Status", "refunded"),
    "squarespace": ("Order ID,Created at,Email,Lineitem name,Lineitem quantity,Lineitem price,"
                    "Total,Financial Status,Channel Type", "REFUNDED"),
    "woocommerce": ("order_number,order_date,billing_email,product_name,quantity,item_total,"
                    "order_total,status", "refunded"),
    "wix": ("Order number,Date created,Contact email,Item,Qty,Price,Total,Payment status",
            "Fully refunded"),
    "generic": ("reference_id,created_at,profile_email,item_name,item_quantity,item_each_price,"
                "total,status", "Erstattet"),
}  # fmt: skip


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_treats_a_full_refund_alike(tmp_path: Path, platform: str) -> None:
    """It is rejected as refunded."""
    header, word = PLATFORMS[platform]
    path = tmp_path / "orders.csv"
    path.write_text(
        f"{header}\n1,2021-04-05 10:00:00 -0500,a@example.com,Soap,1,10.00,10.00,{word}"
        f"{',' * (header.count(',') - 7)}\n",
        encoding="utf-8",
    )
    found = prepared(path)
    assert found.formats == [platform]
    assert found.rejected == {"1": "refunded"}


def test_each_value_is_a_decision(tmp_path: Path) -> None:
    """With its count, its fate, who said so, and the line that decides otherwise."""
    path = export(tmp_path, "Storniert", "paid", "paid", "Stage 4")
    job = backfill.open_job(tmp_path / "job")
    job.prepare(path, connect_id="A1", timezone="UTC", statuses={"Stage 4": "import"})
    decided = [one for one in job.decisions() if one.what == "status"]
    assert [(one.value, one.evidence.supporting, one.settled_by) for one in decided] == [
        ("paid: imported", 2, SettledBy.DEFAULT),
        ("Storniert: rejected (cancelled)", 1, SettledBy.DEFAULT),
        ("Stage 4: imported", 1, SettledBy.OPTION),
    ]
    assert decided[0].column == "status"
    assert decided[0].override == '"paid" = "import" or "reject" under [statuses]'
