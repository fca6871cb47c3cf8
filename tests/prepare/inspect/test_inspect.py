"""`backfill inspect`: what it says of an export, and the mapping that it writes."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from backfill.checkpoint.decisions import SettledBy
from backfill.errors import MappingError
from backfill.prepare.inspect.findings import Inspection, inspect
from backfill.prepare.inspect.text import mapping_text, render
from backfill.prepare.mapping import fields
from backfill.settings import ImportSettings
from tests.places import EXPORTS

SHOPIFY = """\
Name,Email,Financial Status,Created at,Lineitem name,Lineitem quantity,Lineitem price,Currency,Total
#1,a@example.com,paid,2021-01-01 10:00:00 -0500,Tea,2,3.50,USD,8.00
#1,,,2021-01-01 10:00:00 -0500,Milk,1,1.00,,
#2,e@example.com,voided,2021-01-02 10:00:00 -0500,Tea,1,3.50,USD,3.50
"""
UNKNOWN = """\
Bestell-Nr;Datum;Kunde;E-Mail;Artikel;Menge;Einzelpreis;Notiz
A1;04/05/2021;Ada Löve;ada@example.com;Tee, grün;2;2,50 €;
A2;05/05/2021;王小明;eve@example.de;Milch;1;1.200,00 €;\x1b[31mrot
"""


def inspected(path: Path | Sequence[Path], **settings: Any) -> Inspection:
    paths = [path] if isinstance(path, Path) else list(path)
    return inspect(ImportSettings(exports=tuple(paths), **settings))


def written(tmp_path: Path, text: str, name: str = "orders.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def width_of(line: str) -> int:
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in line)
    return len(line) + wide


def command_in(text: str) -> list[str]:
    """The words of what stands below `Next`, as a shell would take them."""
    _, commands = text.split("Next: ")[1].split("\n", 1)
    return shlex.split(commands.replace("\\\n", ""))


def test_what_a_known_export_is(tmp_path: Path) -> None:
    """Format, rows, orders, items, each field with values, what is left, and the next command."""
    path = written(tmp_path, SHOPIFY)
    found = inspected(path)
    (series,) = found.series
    assert (series.format.name, series.rows, found.orders, series.line_items) == (
        "shopify",
        3,
        2,
        3,
    )
    assert series.statuses == {"payment_status": {"paid": (1, 2), "voided": (1, 4)}}
    assert series.field_samples["item_name"] == ["Tea", "Milk"]
    assert found.complete
    text = render(found)
    assert "shopify (Shopify admin, Orders > Export)" in text
    assert "3 rows, 2 orders, 3 line items" in text
    assert "reference_id                  Name: #1 | #2" in text
    assert "status (Financial Status): rejected (voided) (as the platform writes it)" in text
    assert "give --connect-id ID" in text
    assert "have no time zone" not in text
    assert command_in(text) == ["backfill", "validate", str(path), "--connect-id", "YOUR-ID"]


def test_an_unknown_export_is_guessed_and_not_used(tmp_path: Path) -> None:
    """The guess is shown as one; what cannot be told apart is named; the way on is a mapping."""
    path = written(tmp_path, UNKNOWN)
    found = inspected(path)
    (series,) = found.series
    assert not found.complete
    assert {name: each.spec for name, each in series.guesses.items()} == {
        "reference_id": "Bestell-Nr",
        "created_at": "Datum",
        "profile_name": "Kunde",
        "profile_email": "E-Mail",
        "item_name": "Artikel",
        "item_quantity": "Menge",
        "item_each_price": "Einzelpreis",
    }
    text = render(found)
    assert "? reference_id                  Bestell-Nr: A1 | A2" in text
    assert "'04/05/2021' can be read in more than one order" in text
    assert "Amounts are in EUR" in text
    assert command_in(text)[:4] == ["backfill", "validate", str(path), "--accept-guesses"]
    assert "--write-mapping mapping.toml" in text


def test_what_is_decided_is_shown_with_its_evidence(tmp_path: Path) -> None:
    """Whatever an import would choose stands there, who settles it, and the option against it."""
    text = "key,day,who,thing,pieces,price,sum,freight\n"
    for number, (pieces, price) in enumerate([(2, 300), (3, 250), (4, 125), (5, 120)]):
        total = pieces * price + 495
        text += f"A{number},2022-01-13,Ann,Tea,{pieces},{price}.00,{total}.00,495.00\n"
    fields = {"reference_id": "key", "created_at": "day", "profile_name": "who"}
    fields |= {"item_name": "thing", "item_quantity": "pieces", "item_each_price": "price"}
    found = inspected(written(tmp_path, text), map=tuple(fields.items()))
    shown = " ".join(render(found).split())
    equation = "sum of quantity x price + freight = sum"
    assert (
        f"role of a total (sum): the total of the order (proved; {equation}; all 4 agree)" in shown
    )
    assert f"charge (freight): in the total, added (proved; {equation}; all 4 agree)" in shown
    assert "time zone: UTC (assumed) [--timezone NAME]" in shown
    assert f"field (sum): total (a guess: {equation} holds for 4 of 4)" in shown


def test_a_contradicted_mapping_is_shown(tmp_path: Path) -> None:
    """What an import would refuse is said, with the numbers, and no dry run is suggested."""
    rows = [("A1", 2, "3.00", "6.00"), ("A2", 5, "1.00", "5.00"), ("A2", 3, "2.00", "6.00")]
    lines = "".join(f"{key},2022-01-13,Ann,Tea,{n},{each},{line}\n" for key, n, each, line in rows)
    path = written(tmp_path, f"reference_id,created_at,profile_name,item_name,n,a,b\n{lines}")
    found = inspected(
        path, map=(("item_quantity", "n"), ("item_each_price", "b"), ("item_price", "a"))
    )
    assert not found.complete
    text = " ".join(render(found).split())
    assert "column 'b' is mapped to item_each_price, but it is the price of the whole line" in text
    assert "validate" not in text


def test_the_affiliates_column_is_found(tmp_path: Path) -> None:
    """A column of distributors is offered as the affiliate, and --affiliates is suggested."""
    path = written(
        tmp_path,
        "Auftragsnummer,Datum,Kunde,Artikel,Betrag,Vertriebspartner\n"
        "A1,2022-01-13,Ann,Tee,3.00,Coach Kim\n",
    )
    found = inspected(path)
    assert found.series[0].guesses["affiliate"].spec == "Vertriebspartner"
    assert "--affiliates FILE" in " ".join(command_in(render(found)))


def test_the_next_command_names_the_mapping_that_was_written(tmp_path: Path) -> None:
    """After --write-mapping FILE, the advice is about that file and no other."""
    path = written(tmp_path, UNKNOWN)
    found = inspected(path, connect_id="A1")
    text = render(found, written=Path("erp.toml"))
    command = command_in(text)
    assert command[:5] == ["backfill", "validate", str(path), "--mapping", "erp.toml"]
    assert "--accept-guesses" not in command
    assert "--write-mapping" not in text
    assert "The guesses stand in erp.toml" in text


def test_the_next_command_repeats_every_option_that_was_given(tmp_path: Path) -> None:
    """None is lost on the way from one command to the next."""
    path = written(tmp_path, SHOPIFY)
    given = {
        "map": (("description", "Email"),),
        "encoding": "utf-8",
        "header_row": 1,
        "decimal_mark": "point",
        "region": "DE",
        "reference_prefix": "S-",
        "connect_id": "A1",
    }
    words = (
        "--map description=Email --encoding utf-8 --header-row 1 --decimal-mark point"
        " --region DE --reference-prefix S- --connect-id A1"
    )
    command = " ".join(command_in(render(inspected(path, **given))))
    assert command.startswith(f"backfill validate {path} {words}")


@pytest.mark.parametrize(
    ("numbers", "region", "told"),
    [
        (("089 1629072", "0221 4032085"), "US", "'089 1629072'"),
        (("089 1629072", "0221 4032085"), "DE", None),
        (("089 1629072", "+49 221 4032085", "+1 801 555 6788"), "US", None),
    ],
)
def test_phone_numbers_of_another_country_ask_for_the_region(
    tmp_path: Path, numbers: tuple[str, ...], region: str, told: str | None
) -> None:
    """Where most numbers would be left out, --region is asked for, and in the next command."""
    lines = (f"{n},2022-01-13,Ann,{number},Tea,3.00" for n, number in enumerate(numbers))
    header = "reference_id,created_at,profile_name,profile_phone_number,item_name,item_price"
    path = written(tmp_path, "\n".join((header, *lines)))
    text = render(inspected(path, region=region, connect_id="A1"))
    assert ("--region COUNTRY" in " ".join(command_in(text))) == (told is not None)
    assert told is None or f"Most phone numbers, such as {told}" in text


def test_what_was_given_is_not_called_assumed(tmp_path: Path) -> None:
    """A currency and a region are settled by the option where there is one."""
    path = written(tmp_path, UNKNOWN)
    settled = {
        decision.what: decision.settled_by
        for decision in inspected(path, currency="EUR", region="DE").decisions
    }
    assert settled["currency"] is SettledBy.OPTION
    assumed = {
        decision.what: decision.settled_by
        for decision in inspected(path, map=(("profile_phone_number", "Kunde"),)).decisions
    }
    assert assumed["currency"] is assumed["phone region"] is SettledBy.DEFAULT


def test_a_written_mapping_is_taken_as_it_stands(tmp_path: Path) -> None:
    """The guesses of an unknown export, written down, map it: nothing is missing any more."""
    path = written(tmp_path, UNKNOWN)
    mapping = written(tmp_path, mapping_text(inspected(path)), "erp.toml")
    found = inspected(path, mapping=mapping, date_order="dmy", currency="EUR", connect_id="A1")
    (series,) = found.series
    assert found.complete
    assert not series.guesses
    assert series.mapping.format == "erp"
    text = render(found)
    assert "the mapping file's" in text
    assert "Look at this" not in text.replace(_naive_note(text), "")
    assert "--mapping" in text


def _naive_note(text: str) -> str:
    """The note on times without a zone, which no mapping changes, with its heading."""
    start, end = text.find("Look at this"), text.find("Next:")
    return text[start:end] if text[start:end].count("  - ") == 1 else ""


def test_a_mapping_that_is_wrong_is_refused(tmp_path: Path) -> None:
    """inspect looks at a mapping as the import would."""
    path = written(tmp_path, UNKNOWN)
    with pytest.raises(MappingError, match="no column 'Kunden'"):
        inspected(path, map=(("profile_name", "Kunden"),))


def test_what_a_user_maps_is_no_guess(tmp_path: Path) -> None:
    """--map goes over the guess; a field that is left out on purpose stays out."""
    path = written(tmp_path, UNKNOWN)
    map = (("description", "Kunde"), ("item_quantity", ""), ("reference_id", "Notiz"))
    (series,) = inspected(path, map=map).series
    assert str(series.mapping.specs["description"]) == "Kunde"
    assert str(series.mapping.specs["reference_id"]) == "Notiz"
    assert "item_quantity" not in series.mapping.specs
    assert not {"description", "item_quantity", "reference_id"} & series.guesses.keys()


def test_a_series_of_files_is_shown_once(tmp_path: Path) -> None:
    """Files with the same columns stand together, and an order in two of them counts once."""
    paths = [written(tmp_path, SHOPIFY, f"orders-{number}.csv") for number in range(7)]
    other = written(tmp_path, SHOPIFY.replace("Email", "Mail").replace("#", "X"), "z.csv")
    found = inspected([*paths, other])
    assert [len(series.tables) for series in found.series] == [7, 1]
    assert found.orders == 4
    assert "and 2 more with the same columns" in render(found)


def test_sheets_that_are_no_orders_are_named(tmp_path: Path) -> None:
    """A workbook's other sheets are left, and said to be."""
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Orders")
        for number, line in enumerate(SHOPIFY.splitlines()):
            sheet.write_row(number, 0, line.split(","))
        book.add_worksheet("People").write_row(0, 0, ["Person", "Region"])
        book.get_worksheet_by_name("People").write_row(1, 0, ["Anna", "West"])
    text = render(inspected(path))
    assert "sheet Orders" in text
    assert "left      People (no orders there)" in text


def test_line_items_in_a_second_file(tmp_path: Path) -> None:
    """The second file needs a key and items only, and its keys are no orders of their own."""
    orders = written(tmp_path, "reference_id,created_at,profile_name,total\n1,2021-01-01Z,Ada,7\n")
    items = written(tmp_path, "reference_id,item_name,item_price\n1,Tea,3\n9,Milk,4\n", "items.csv")
    found = inspected(orders, items=items, connect_id="A1")
    assert found.complete
    assert found.orders == 1
    assert [series.line_items for series in found.series] == [0, 2]
    assert "--items" in render(found)


def test_what_the_money_is_made_of_is_said(tmp_path: Path) -> None:
    """Whose price a price is, and that totals without a column are sums without shipping."""
    sums = "each total is the sum of the order's lines"
    text = " ".join(render(inspected(written(tmp_path, SHOPIFY))).split())
    assert sums not in text
    assert "item_price" not in text  # not missing: one of the two is enough
    lines = "order-id,order-item-id,purchase-date,product-name,item-price,item-tax\n"
    lines += "1,7,2021-01-01T10:00:00Z,Tea,3.00,0.30\n"
    text = " ".join(render(inspected(written(tmp_path, lines))).split())
    assert sums in text
    assert "item-price (of the whole line): 3.00" in text


def test_a_column_about_the_customer_is_proposed_where_none_is_mapped(tmp_path: Path) -> None:
    """A customer's number is no name, so it is not taken without being told."""
    lines = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Country,Customer ID\n"
    lines += "1,7,Tea,1,2021-01-01 10:00:00,3.00,France,13085\n"
    found = inspected(written(tmp_path, lines), connect_id="A1")
    assert "profile_name=Customer ID" in command_in(render(found))


def test_an_empty_table(tmp_path: Path) -> None:
    """A header alone is an error of the reader; a table of blanks alone shows no values."""
    path = written(tmp_path, "reference_id,created_at,item_name,item_price\n1,,,\n")
    text = render(inspected(path))
    assert "created_at: (blank)" in text


@pytest.mark.parametrize("width", [80, 100])
def test_it_is_readable_at_its_width(tmp_path: Path, width: int) -> None:
    """No line is wider, however long or wide the names and values are; nothing odd is printed."""
    long = "x" * 300
    header = f"reference_id,created_at,item_name,item_price,{long},{'名' * 60}"
    path = written(tmp_path, f"{header}\n{long},{long},{'名' * 90}\x1b[2J\u202e,{long},1,2\n" * 2)
    settings = {"map": (("profile_name", long), ("description", "名" * 60))}
    text = render(inspected(path, **settings), width)
    *body, _ = text.split("Next:")
    assert max(map(width_of, "".join(body).splitlines()[1:])) <= width
    assert all(char.isprintable() or char == "\n" for char in text)


@pytest.mark.parametrize(
    ("path", "orders"),
    [
        ("shopify/orders_export_1.csv", 51),
        ("woocommerce/woocommerce_orders.csv", 50),
        ("etsy/EtsySoldOrderItems2021.csv", 109),
        ("square", 363),
        ("amazon/amazon_orders_test_fixture.txt", 4),
        ("ebay/ebay_orders_report_EN_test_fixture.csv", 2),
        ("superstore/superstore.xls", 5009),
        ("online_retail/online_retail_70051_rows.xlsx", 3056),
    ],
)
def test_real_exports(path: str, orders: int) -> None:
    """Every real export is complete as it is, and its orders are counted."""
    if not (EXPORTS / path).exists():
        pytest.skip("the shared exports are not on this machine")
    found = inspected(EXPORTS / path)
    text = render(found)
    assert found.complete
    assert found.orders == orders
    assert max(width_of(line) for line in text.splitlines() if str(EXPORTS) not in line) <= 80
    assert all(len(values) <= 3 for one in found.series for values in one.field_samples.values())
    assert set(fields.FIELDS) >= found.series[0].field_samples.keys()


def test_what_other_columns_prove_is_not_asked_for(tmp_path: Path) -> None:
    """Just as the import does not ask; where nothing proves it, the next command says so."""
    header = "reference_id,created_at,paid_at,profile_name,item_name,item_price\n"
    export = tmp_path / "orders.csv"
    export.write_text(f'{header}1,04/05/2021,04/25/2021,Ann,Desk,"1,500"\n', encoding="utf-8")
    shown = render(inspected(export))
    assert "--date-order ORDER" not in shown
    assert "--decimal-mark MARK" in shown
    export.write_text(f"{header}1,04/05/2021,04/06/2021,Ann,Desk,1500\n", encoding="utf-8")
    shown = render(inspected(export))
    assert "--date-order ORDER" in shown
    assert "--decimal-mark MARK" not in shown
