"""Orders in every shape that exports were seen to have, through the whole preparation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from backfill.cli import main
from backfill.errors import UsageError
from tests.prepare.preparing import Prepared, csv_text, prepared

HEADER = ("reference_id", "created_at", "profile_name", "item_name", "item_quantity", "item_price")
Cell = str | float | None


def row(
    key: Cell, item: str = "Tea", *, at: Cell = "2021-04-09", price: Cell = "5.00"
) -> list[Cell]:
    return [key, at, "Ann Lee", item, "1", price]


def written(path: Path, *rows: Sequence[Cell], header: Sequence[str] = HEADER) -> Path:
    path.write_bytes(csv_text(header, *rows).encode())
    return path


def workbook(path: Path, **sheets: Sequence[Sequence[Cell]]) -> Path:
    """A text cell for each text, a number cell for each number."""
    with xlsxwriter.Workbook(str(path), {"strings_to_numbers": False}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, cells in enumerate(rows):
                for place, cell in enumerate(cells):
                    if isinstance(cell, str):
                        sheet.write_string(number, place, cell)
                    elif cell is not None:
                        sheet.write_number(number, place, cell)
    return path


# --- where the rows of an order stand -------------------------------------------------------------


def test_an_order_of_1114_lines(tmp_path: Path) -> None:
    """All its lines are in one body, in their sequence, real duplicates among them."""
    long = [row("573585", f"Item {number // 2}", price="0.83") for number in range(1114)]
    found = prepared(written(tmp_path / "a.csv", row("1"), *long, row("2")))
    assert [order["reference_id"] for order in found.orders] == ["1", "573585", "2"]
    assert found.lines("573585") == [(f"Item {number // 2}", 1, 83) for number in range(1114)]
    assert found.bodies["573585"]["total_cents"] == 1114 * 83


def test_an_order_over_more_than_one_batch_of_rows(tmp_path: Path) -> None:
    """Its first row stands 65,536 rows above its last."""
    path = tmp_path / "a.csv"
    between = csv_text(*(row("2", at=None, price=None) for _ in range(1000))) * 70
    path.write_text(
        csv_text(HEADER, row("1", "first")) + between + csv_text(row("1", "last")),
        encoding="utf-8",
        newline="",
    )
    assert prepared(path).lines("1") == [("first", 1, 500), ("last", 1, 500)]


def test_an_order_whose_rows_are_not_next_to_each_other(tmp_path: Path) -> None:
    """They are one order all the same."""
    found = prepared(
        written(tmp_path / "a.csv", row("1"), row("2"), row("1", "Cup"), row("3"), row("2", "Pot"))
    )
    assert [(order["reference_id"], order["source_rows"]) for order in found.orders] == [
        ("1", "2,4"),
        ("2", "3,6"),
        ("3", "5"),
    ]
    assert found.lines("1") == [("Tea", 1, 500), ("Cup", 1, 500)]


def test_two_pieces_of_an_item_as_two_rows_without_a_quantity(tmp_path: Path) -> None:
    """No quantity column means one each; equal rows are not one row."""
    header = ("reference_id", "created_at", "profile_name", "item_name", "item_price")
    cells = ["1", "2021-04-09", "Ann", "Tea", "5.00"]
    found = prepared(written(tmp_path / "a.csv", cells, cells, header=header))
    assert found.lines("1") == [("Tea", 1, 500), ("Tea", 1, 500)]
    assert found.bodies["1"]["total_cents"] == 1000


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_order_keys_that_look_like_numbers(tmp_path: Path, name: str) -> None:
    """Hex ids with an e among digits, zeros in front: each stays the text that it is."""
    keys = ["1e10", "10000000000", "12E5", "1200000", "0012", "12", "5e-3", "1.50", "١٢"]
    rows = [row(key) for key in keys]
    path = tmp_path / name
    _ = workbook(path, Orders=[HEADER, *rows]) if name == "a.xlsx" else written(path, *rows)
    assert list(prepared(path).bodies) == keys


def test_a_key_column_that_mixes_number_cells_and_text_cells(tmp_path: Path) -> None:
    """536365.0 and the text 536365 are one order; C536379 is another; none has a point."""
    rows = [row(536365.0), row("536365", "Cup"), row("C536379"), row(23236548.0)]
    found = prepared(workbook(tmp_path / "a.xlsx", Orders=[HEADER, *rows]))
    assert list(found.bodies) == ["536365", "C536379", "23236548"]
    assert found.lines("536365") == [("Tea", 1, 500), ("Cup", 1, 500)]


def test_number_cells_with_more_digits_than_a_spreadsheet_keeps(tmp_path: Path) -> None:
    """Of two keys of 17 digits the spreadsheet has made one: nothing is sent under it. As text
    each is what it was."""
    keys = ["20000012345678901", "20000012345678902", "200000123456789"]
    as_numbers = [
        row(float(key), item) for key, item in zip(keys, ("Tea", "Cup", "Pot"), strict=True)
    ]
    found = prepared(workbook(tmp_path / "numbers.xlsx", Orders=[HEADER, *as_numbers]))
    assert found.rejected == {"2.00000123456789E+16": "damaged_reference_id"}
    assert list(found.bodies) == ["200000123456789"]
    as_texts = workbook(tmp_path / "texts.xlsx", Orders=[HEADER, *map(row, keys)])
    assert list(prepared(as_texts).bodies) == keys


def test_orders_on_two_sheets_under_the_same_header(tmp_path: Path) -> None:
    """Both are read; the sheet of something else is not."""
    path = workbook(
        tmp_path / "a.xlsx",
        First=[HEADER, row(1), row(2)],
        Notes=[["what", "when"], ["checked", "May"]],
        Second=[HEADER, row(3), row(4)],
    )
    found = prepared(path)
    assert [(order["reference_id"], order["source_file"]) for order in found.orders] == [
        ("1", f"{path} [First]"),
        ("2", f"{path} [First]"),
        ("3", f"{path} [Second]"),
        ("4", f"{path} [Second]"),
    ]


# --- several files --------------------------------------------------------------------------------


def test_two_files_that_overlap(tmp_path: Path) -> None:
    """What both have in the same words is taken once, and that is said."""
    found = prepared(
        written(tmp_path / "a.csv", row("1"), row("2"), row("2", "Cup"), row("3")),
        written(tmp_path / "b.csv", row("2"), row("2", "Cup"), row("3"), row("4")),
    )
    assert list(found.bodies) == ["1", "2", "3", "4"]
    assert found.lines("2") == [("Tea", 1, 500), ("Cup", 1, 500)]
    assert [each["value"] for each in found.problems] == ["2", "3"]
    assert found.rules == {"repeated_order"}


def test_two_files_that_were_cut_in_the_middle_of_an_order(tmp_path: Path) -> None:
    """It is one order with all its lines, from rows of both."""
    found = prepared(
        written(tmp_path / "a.csv", row("1"), row("2"), row("2", "Cup")),
        written(tmp_path / "b.csv", row("2", "Pot"), row("3")),
    )
    assert found.lines("2") == [("Tea", 1, 500), ("Cup", 1, 500), ("Pot", 1, 500)]
    assert found.orders[1]["source_rows"] == "3-4; 2"
    assert found.rules == {"joined_order"}


def test_two_files_that_overlap_in_the_middle_of_an_order(tmp_path: Path) -> None:
    """The row at the seam is in both files: whether that is one line or two, nobody can tell."""
    found = prepared(
        written(tmp_path / "a.csv", row("1"), row("2"), row("2", "Cup")),
        written(tmp_path / "b.csv", row("2", "Cup"), row("2", "Pot"), row("3")),
    )
    assert found.rejected == {"2": "duplicate_order"}


def test_a_cut_order_of_a_platform_that_says_all_on_its_first_row(tmp_path: Path) -> None:
    """The second file begins with a row that holds no date and no total of the order."""
    header = ("Name", "Email", "Created at", "Total", "Lineitem name", "Lineitem price")
    first = ["#1", "a@example.com", "2021-04-09 10:00:00 -0600", "12.00", "Tea", "5.00"]
    found = prepared(
        written(tmp_path / "a.csv", first, header=header),
        written(tmp_path / "b.csv", ["#1", None, None, None, "Cup", "7.00"], header=header),
    )
    assert found.bodies["#1"]["total_cents"] == 1200
    assert found.lines("#1") == [("Tea", 1, 500), ("Cup", 1, 700)]


def test_copies_that_differ_are_refused(tmp_path: Path) -> None:
    """Which of them is right is not for a program to say."""
    found = prepared(
        written(tmp_path / "a.csv", row("1"), row("2"), row("3")),
        written(tmp_path / "b.csv", row("4"), row("2", price="6.00"), row("5")),
    )
    assert found.rejected == {"2": "duplicate_order"}
    assert list(found.bodies) == ["1", "3", "4", "5"]


def test_line_items_in_a_second_file(tmp_path: Path) -> None:
    """Joined on the order key, in any sequence; the order's total is the first file's."""
    orders = written(
        tmp_path / "orders.csv",
        ["1", "2021-04-09", "Ann", "20.00"],
        ["2", "2021-04-10", "Bob", "7.00"],
        ["3", "2021-04-11", "Cid", "9.00"],
        header=("Order ID", "Order Date", "Customer", "Grand Total"),
    )
    items = written(
        tmp_path / "items.csv",
        ["2", "Hat", "1", "7.00"],
        ["1", "Tea", "2", "5.00"],
        ["1", "Cup", "1", "8.00"],
        header=("Order ID", "Product", "Qty", "Unit Price"),
    )
    found = prepared(
        orders,
        items=items,
        map=(
            ("reference_id", "Order ID"),
            ("created_at", "Order Date"),
            ("profile_name", "Customer"),
            ("total", "Grand Total"),
            ("item_name", "Product"),
            ("item_quantity", "Qty"),
            ("item_each_price", "Unit Price"),
        ),
    )
    assert found.lines("1") == [("Tea", 2, 1000), ("Cup", 1, 800)]
    assert found.bodies["1"]["total_cents"] == 2000
    assert found.lines("2") == [("Hat", 1, 700)]
    assert found.rejected == {"3": "no_line_items"}


# --- the order of day and month -------------------------------------------------------------------


def test_day_and_month_that_cannot_be_told_apart_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, with a date as an example and the option that settles it."""
    monkeypatch.chdir(tmp_path)
    written(Path("a.csv"), row("1", at="03/04/2021"), row("2", at="05/05/2021"))
    assert main(["validate", "a.csv", "--connect-id", "A1"]) == 2
    said = capfd.readouterr().err
    assert "column 'created_at'" in said
    assert "'03/04/2021'" in said
    assert "--date-order mdy" in said
    assert "--date-order dmy" in said
    found = prepared(Path("a.csv"), date_order="dmy")
    assert found.bodies["1"]["created_at"] == "2021-04-03"


def test_one_date_in_the_last_row_of_many_settles_the_first(tmp_path: Path) -> None:
    """31/12/2021 below 70,000 rows (more than a batch) that could be read either way."""
    path = tmp_path / "a.csv"
    many = csv_text(*(row("2", at="05/06/2021") for _ in range(1000))) * 70
    path.write_text(
        csv_text(HEADER, row("1", at="03/04/2021")) + many + csv_text(row("3", at="31/12/2021")),
        encoding="utf-8",
        newline="",
    )
    found = prepared(path).bodies
    assert [found[key]["created_at"] for key in "123"] == ["2021-04-03", "2021-06-05", "2021-12-31"]


def test_dates_are_settled_by_another_file_of_the_series(tmp_path: Path) -> None:
    """January alone cannot tell; February of the same platform can."""
    found = prepared(
        written(tmp_path / "1.csv", row("1", at="03/01/2021")),
        written(tmp_path / "2.csv", row("2", at="28/02/2021")),
    )
    assert found.bodies["1"]["created_at"] == "2021-01-03"


def test_dates_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """Promise 4. Both orders are proven in one column, and one date could be either."""
    dates = ("13/04/2021", "04/14/2021", "05/06/2021")
    path = written(tmp_path / "a.csv", *(row(str(n), at=at) for n, at in enumerate(dates)))
    with pytest.raises(UsageError, match=r"'05/06/2021' .* other dates prove") as told:
        prepared(path)
    assert told.value.hint is not None
    assert "--date-order" in told.value.hint
    assert prepared(path, date_order="dmy").rejected == {"1": "bad_time"}


def test_dates_of_many_forms_in_one_column(tmp_path: Path) -> None:
    """05-13-22 says that 06/07/22 has its month first; a month's name needs no proof."""
    times = {
        "05-oct.-26": "2026-10-05",
        "05-13-22": "2022-05-13",
        "06/07/22": "2022-06-07",
        "2023-09-08T17:33:13+0000": "2023-09-08T17:33:13+00:00",
        "2023-09-08 17:33:13 +0530": "2023-09-08T17:33:13+05:30",
        "2023-09-08 17:33:13 -0500": "2023-09-08T17:33:13-05:00",
        "2023-06-08 17:33:13 -0400": "2023-06-08T17:33:13-04:00",
    }
    found = prepared(written(tmp_path / "a.csv", *(row(at, at=at) for at in times)))
    assert {key: body["created_at"] for key, body in found.bodies.items()} == times


# --- amounts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amounts", "cents", "currency"),
    [
        (["AU $3,000.00", "AU $4.50"], [300000, 450], "AUD"),
        (["1 234,50 €", "0,99 €"], [123450, 99], "EUR"),
        (["EUR 1.234", "EUR 90,00"], [123400, 9000], "EUR"),
        (["1.234,50", "2.000"], [123450, 200000], "USD"),
        (["731.9399999999999", "$7.00"], [73194, 700], "USD"),
    ],
)
def test_amounts_as_exports_write_them(
    tmp_path: Path, amounts: list[str], cents: list[int], currency: str
) -> None:
    """To the cent; what could be read two ways is settled by its neighbours in the column."""
    rows = (row(str(number), price=amount) for number, amount in enumerate(amounts))
    found = prepared(written(tmp_path / "a.csv", *rows), currency=currency)
    assert [body["total_cents"] for body in found.bodies.values()] == cents


def test_unit_prices_of_less_than_a_cent(tmp_path: Path) -> None:
    """The line is worth what its pieces are together, not what a rounded piece times them is."""
    header = ("reference_id", "created_at", "profile_name", "item_quantity", "item_each_price")
    cells = [
        ["1", "2021-04-09", "Ann", "1000", "0.125"],
        ["1", "2021-04-09", "Ann", "1.5", "0.333333"],
        ["2", "2021-04-09", "Ann", "3", "1.99"],
    ]
    found = prepared(written(tmp_path / "a.csv", *cells, header=header))
    assert found.lines("1") == [(None, 1000, 12500), (None, 1.5, 50)]
    assert [line["each_price_cents"] for line in found.bodies["1"]["line_items"]] == [13, 33]
    assert found.bodies["1"]["total_cents"] == 12550
    assert found.lines("2") == [(None, 3, 597)]
    said = [each["message"] for each in found.problems if each["rule"] == "rounded"]
    assert "sent as 0.13 each, 125.00 for the line" in said[0]


def test_an_amount_that_can_be_read_two_ways_is_refused(tmp_path: Path) -> None:
    """In a column of its own, and inside of packed cells."""
    packed = ("order_number", "order_date", "billing_first_name", "line_item_1")
    for path in (
        written(tmp_path / "a.csv", row("1", price="1,234")),
        written(
            tmp_path / "b.csv",
            ["1", "2021-04-09", "Ann", "name:Tea|quantity:1|total:1.234"],
            header=packed,
        ),
    ):
        with pytest.raises(UsageError, match="can be read two ways"):
            prepared(path)


# --- texts ----------------------------------------------------------------------------------------


def test_cells_that_say_nothing_and_texts_that_were_broken(tmp_path: Path) -> None:
    """A literal NULL is blank, a customer called Null is not; U+FFFD is sent and told of."""
    names = {"1": "NULL", "2": "Null", "3": "J\ufffdrg", "4": "Zoë\r\nMüller"}
    found = prepared(
        written(
            tmp_path / "a.csv",
            *([key, "2021-04-09", name, "Tea", "1", "5.00"] for key, name in names.items()),
            *[[None] * 6] * 200,
        )
    )
    assert [body.get("profile_name") for body in found.bodies.values()] == [
        None,
        "Null",
        "J\ufffdrg",
        "Zoë\r\nMüller",
    ]
    assert [(each["rule"], each["row"]) for each in found.problems] == [
        ("no_customer", 2),
        ("broken_text", 4),
    ]


def test_windows_1252(tmp_path: Path) -> None:
    """Letters and typographic quotes as Excel saves them in Western Europe."""
    path = tmp_path / "a.csv"
    cells = ["1", "2021-04-09", "Jörg – “Ö” €", "Café", "1", "5.00"]
    path.write_bytes(csv_text(HEADER, cells, delimiter=";").encode("cp1252"))
    found = prepared(path)
    assert found.bodies["1"]["profile_name"] == "Jörg – “Ö” €"
    assert found.lines("1") == [("Café", 1, 500)]


def test_a_row_with_a_missing_cell_rejects_its_order_only(tmp_path: Path) -> None:
    """Nothing else is said of it: its cells stand in the wrong columns."""
    short = ["2", "2021-04-09", "Tea", "1", "5.00"]
    found = prepared(written(tmp_path / "a.csv", row("1"), short, row("3")))
    assert found.rejected == {"2": "ragged_row"}
    assert found.rules == {"ragged_row"}
    assert list(found.bodies) == ["1", "3"]


def test_decimal_commas_in_no_quotes_in_every_row(tmp_path: Path) -> None:
    """Each row has a cell more than the header; 12 is not what the order was worth."""
    path = tmp_path / "a.csv"
    rows = "".join(f"{number},2021-04-09,Ann,Tea,12,{number}5\n" for number in range(1, 9))
    path.write_text(f"reference_id,created_at,profile_name,item_name,total\n{rows}")
    assert set(prepared(path).rejected.values()) == {"ragged_row"}


def test_phones_as_people_and_excel_write_them(tmp_path: Path) -> None:
    """What can't be real is left out with a warning, for the order has a name."""
    phones = {
        "+1 801-555-6788": "+18015556788",
        "(801) 555-6788": "+18015556788",
        "8.015556788E9": "+18015556788",
        "'8015556788": "+18015556788",
        "+9 999-999-9999": None,
        "(999) 999-9999": None,
    }
    header = ("reference_id", "created_at", "profile_name", "profile_phone_number", "total")
    rows = ([phone, "2021-04-09", "Ann", phone, "5.00"] for phone in phones)
    found = prepared(written(tmp_path / "a.csv", *rows, header=header))
    sent = [body.get("profile_phone_number") for body in found.bodies.values()]
    assert sent == list(phones.values())
    assert [each["value"] for each in found.problems if each["rule"] == "bad_phone"] == [
        phone for phone, number in phones.items() if number is None
    ]


# --- platforms whose exports are not in the shared folder -----------------------------------------


def platform(path: Path, header: str, *rows: str, **settings: object) -> Prepared:
    """An export whose cells are separated by `` / ``."""
    cells = [line.split(" / ") for line in (header, *rows)]
    path.write_text(csv_text(*cells), encoding="utf-8", newline="")
    return prepared(path, **settings)


def test_a_header_with_extra_missing_and_unknown_columns(tmp_path: Path) -> None:
    """Recognised by what is there, in any order and spelling."""
    found = platform(
        tmp_path / "a.csv",
        "New column / created at / NAME / Lineitem Name / lineitem price / Email",
        "x / 2021-04-09 10:00:00 -0600 / #1 / Tea / 5.00 / ann@example.com",
    )
    assert found.formats == ["shopify"]
    assert found.bodies["#1"]["created_at"] == "2021-04-09T10:00:00-06:00"
    assert found.lines("#1") == [("Tea", 1, 500)]


EBAY = (
    "Sales Record Number / Order Number / Buyer Username / Buyer Name / Buyer Email / "
    "Ship To Name / Ship To Phone / Item Number / Item Title / Quantity / Sold For / "
    "Shipping And Handling / Total Price / Sale Date / Paid On Date"
)


def test_ebay_us_with_a_row_above_the_items_of_a_combined_order(tmp_path: Path) -> None:
    """The parent row gives the order its buyer and total, and no item of its own."""
    found = platform(
        tmp_path / "a.csv",
        EBAY,
        "9 / 11-1 / bob7 / Bob Ray / b@example.com / B Ray / (801) 555-6788 /  /  / 3 / $20.00 / "
        "$5.00 / $25.00 / Apr-09-21 / Apr-10-21",
        "9 / 11-1 / bob7 /  /  /  /  / 77 / Soap / 1 / $4.00 /  /  / Apr-09-21 / ",
        "9 / 11-1 / bob7 /  /  /  /  / 78 / Hat / 2 / $8.00 /  /  / Apr-09-21 / ",
        " /  /  /  /  /  /  /  /  /  /  /  /  /  / ",
        "3 record(s) downloaded /  /  /  /  /  /  /  /  /  /  /  /  /  / ",
    )
    assert found.formats == ["ebay"]
    assert found.lines("11-1") == [("Soap", 1, 400), ("Hat", 2, 1600)]
    body = found.bodies["11-1"]
    assert (body["profile_name"], body["total_cents"]) == ("Bob Ray", 2500)
    assert (body["profile_phone_number"], body["paid_at"]) == ("+18015556788", "2021-04-10")
    assert found.rules == {"ignored_row", "total_differs"}


def test_ebay_au(tmp_path: Path) -> None:
    """Its own columns, and dollars that are Australia's."""
    found = platform(
        tmp_path / "a.csv",
        "Sales Record Number / Order Number / Buyer Username / Custom Label / Item Number / "
        "Item Title / Quantity / Sold For / Postage And Handling / Total Price / Sale Date",
        "9 / 11-1 / bob7 / L1 / 77 / Bike / 1 / AU $3,000.00 / AU $50.00 / AU $3,050.00 / "
        "09-Apr-21",
        currency="AUD",
    )
    assert found.formats == ["ebay"]
    assert found.bodies["11-1"]["total_cents"] == 305000
    assert found.bodies["11-1"]["profile_name"] == "bob7"


def test_woocommerce_with_all_items_packed_in_cells(tmp_path: Path) -> None:
    """A cell an item, or all in one; a decimal comma inside counts for all of them."""
    found = platform(
        tmp_path / "a.csv",
        "order_id / order_number / order_date / order_total / billing_first_name / line_item_1 / "
        "line_item_2",
        "31 / 1031 / 2021-04-09 10:00:00 / 1.246,00 / Ann / "
        "name:Tea: green|product_id:5|sku:|quantity:1|total:1.234 / "
        "name:Cup|product_id:6|sku:C|quantity:2|total:12,00",
        "32 / 1032 / 2021-04-10 10:00:00 / 8,00 / Bob / "
        "name:|sku:S1|quantity:1|total:5,00;name:Pot|sku:|quantity:1|total:3,00 / ",
    )
    assert found.formats == ["woocommerce_packed"]
    assert found.lines("1031") == [("Tea: green", 1, 123400), ("Cup", 2, 1200)]
    assert found.lines("1032") == [("S1", 1, 500), ("Pot", 1, 300)]


def test_items_as_json(tmp_path: Path) -> None:
    """Read by the names of the platform's parts; what lacks one of them is named."""
    header = (
        "order_number",
        "order_date",
        "status",
        "order_total",
        "billing_first_name",
        "line_items",
    )
    cells = [
        '[{"name": "Tea; name:x|y", "quantity": 2, "total": "4.00"},'
        ' {"name": "Cup", "sku": null, "quantity": 1, "total": 6.50}]',
        '[{"title": "Tea", "quantity": 2, "total": "4.00"}]',
        '[{"name": "Tea", "quantity": 2, "total": "4.00"',
        '{"name": "Pot", "quantity": 1, "total": "9.00"}',
        '[["Tea", 2, "4.00"]]',
        "name:Tea|quantity:2|total:4.00;name:Cup|quantity:1|total:6.50",
    ]
    rows = [
        [str(number), "2021-04-09", "completed", total, "Ann", cell]
        for number, (cell, total) in enumerate(
            zip(cells, ["10.50", "4.00", "4.00", "9.00", "4.00", "10.50"], strict=True), 1
        )
    ]
    found = prepared(written(tmp_path / "a.csv", *rows, header=header))
    assert found.rejected == dict.fromkeys(["2", "3", "5"], "unread_items")
    assert found.lines("1") == [("Tea; name:x|y", 2, 400), ("Cup", 1, 650)]
    assert found.lines("4") == [("Pot", 1, 900)]
    assert found.lines("6") == [("Tea", 2, 400), ("Cup", 1, 650)]


def test_items_as_json_by_a_mapping(tmp_path: Path) -> None:
    """A mapping file names the keys that a shop's own JSON has."""
    mapping = tmp_path / "shop.toml"
    mapping.write_text(
        '[fields]\nreference_id = "Order"\ncreated_at = "Date"\nprofile_name = "Buyer"\n'
        '[packed]\ncolumns = ["Items"]\n'
        '[packed.fields]\nitem_name = "title"\nitem_quantity = "qty"\nitem_each_price = "price"\n'
    )
    items = '[{"title": "Tea", "qty": 3, "price": 1.25}, {"title": "Cup", "qty": 1, "price": 2}]'
    export = written(
        tmp_path / "a.csv",
        ["1", "2021-04-09", "Ann", items],
        header=("Order", "Date", "Buyer", "Items"),
    )
    found = prepared(export, mapping=mapping)
    assert found.lines("1") == [("Tea", 3, 375), ("Cup", 1, 200)]
    assert found.bodies["1"]["total_cents"] == 575


def test_bigcommerce_with_all_items_in_one_cell(tmp_path: Path) -> None:
    """With a name or without, when the stock number stands in."""
    found = platform(
        tmp_path / "a.csv",
        "Order ID / Customer Name / Order Date / Order Time / Order Total (inc tax) / "
        "Product Details",
        "100 / Ann / 19/04/2021 / 10:00:00 / 141.00 / Product ID: 100, Product Qty: 1, "
        "Product SKU: A-1, Product Unit Price: 67.50|Product ID: 101, Product Qty: 2, "
        "Product SKU: , Product Name: Mug, blue, Product Unit Price: 36.75",
    )
    assert found.formats == ["bigcommerce"]
    assert found.lines("100") == [("A-1", 1, 6750), ("Mug, blue", 2, 7350)]
    assert found.bodies["100"]["created_at"] == "2021-04-19T10:00:00+00:00"


def test_the_magento_grid_has_no_items(tmp_path: Path) -> None:
    """Totals alone are sent, with a warning; a cancelled order is not."""
    found = platform(
        tmp_path / "a.csv",
        "ID / Purchase Point / Purchase Date / Bill-to Name / Ship-to Name / Grand Total (Base) / "
        "Grand Total (Purchased) / Status / Shipping Address / Customer Email / Customer Name",
        "000000012 / Main / Apr 9, 2021, 5:03:14 PM / Ann Lee / Ann Lee / $35.00 / $35.00 / "
        "complete / 1 Main St, Provo / ann@example.com / Ann Lee",
        "000000013 / Main / Apr 9, 2021, 6:03:14 PM / Ann Lee / Ann Lee / $35.00 / $35.00 / "
        "canceled / 1 Main St, Provo / ann@example.com / Ann Lee",
    )
    assert found.formats == ["magento"]
    assert found.rejected == {"000000013": "cancelled"}
    body = found.bodies["000000012"]
    assert (body["total_cents"], body["line_items"]) == (3500, [])
    assert body["created_at"] == "2021-04-09T17:03:14+00:00"
    assert "totals_only" in found.rules


def test_online_retail_ii(tmp_path: Path) -> None:
    """Other names for the same columns as its first edition."""
    found = platform(
        tmp_path / "a.csv",
        "Invoice / StockCode / Description / Quantity / InvoiceDate / Price / Customer ID / "
        "Country",
        "489434 / 85048 / LIGHTS / 12 / 2009-12-01 07:45:00 / 6.95 / 13085 / United Kingdom",
        "C489449 / 22087 / BUNTING / -12 / 2009-12-01 10:33:00 / 2.95 / 16321 / Australia",
        map=(("profile_name", "Customer ID"),),
    )
    assert found.formats == ["online_retail"]
    assert found.lines("489434") == [("LIGHTS", 12, 8340)]
    assert found.rejected == {"C489449": "credit_note"}


def test_exports_of_several_platforms_at_once(tmp_path: Path) -> None:
    """Each is read by its own columns, though one has times that the other has not."""
    items = ("Order ID", "Sale Date", "Date Shipped", "Ship Name", "Item Name", "Item Total")
    etsy = written(
        tmp_path / "etsy.csv", ["7", "12/26/21", "01/02/2022", "Bo", "Hat", "9.00"], header=items
    )
    found = prepared(written(tmp_path / "a.csv", row("1"), row("2")), etsy)
    assert found.formats == ["generic", "etsy"]
    assert list(found.bodies) == ["1", "2", "7"]
    assert "shipped_at" not in found.bodies["1"]
    assert found.bodies["7"]["shipped_at"] == "2022-01-02"


# --- several columns for one field ----------------------------------------------------------------


def test_a_field_from_several_columns_is_settled_for_the_order_as_a_whole(tmp_path: Path) -> None:
    """Where one stands on the first row only and the other on all, the first one counts."""
    header = ("Name", "Created at", "Shipping Name", "Email", "Lineitem name", "Lineitem price")
    at = "2021-04-09 10:00:00 -0600"
    found = prepared(
        written(
            tmp_path / "a.csv",
            ["#1", at, "Ann Lee", "ann@example.com", "Tea", "5.00"],
            ["#1", at, None, "ann@example.com", "Cup", "5.00"],
            ["#2", at, None, "bob@example.com", "Tea", "5.00"],
            ["#3", at, None, "cid@example.com", "Tea", "5.00"],
            ["#3", at, None, "dan@example.com", "Tea", "5.00"],
            ["#4", at, None, "eve@example.com", "Tea", "5.00"],
            ["#4", at, "Eve Fox", None, "Tea", "5.00"],
            header=header,
        ),
        map=(("profile_name", "Shipping Name|Email"), ("profile_email", "")),
    )
    assert {key: body["profile_name"] for key, body in found.bodies.items()} == {
        "#1": "Ann Lee",
        "#2": "bob@example.com",
        "#4": "Eve Fox",
    }
    assert found.rejected == {"#3": "conflicting_fields"}
