"""Platforms as data: what is recognised, and what each platform's values mean."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.errors import MappingError, UsageError
from backfill.prepare.mapping import fields, formats
from backfill.prepare.mapping.guess import guess
from backfill.prepare.mapping.statuses import STATUS_FIELDS
from backfill.prepare.validation.rules import IGNORED_ROW, RULES
from tests.places import EXPORTS, GOLDEN

Cells = Mapping[str, Sequence[str | None]]


def table_of(cells: Cells) -> pa.Table:
    rows = len(next(iter(cells.values())))
    table = pa.table({name: pa.array(values, pa.string()) for name, values in cells.items()})
    table = table.append_column("_row", pa.array(range(2, rows + 2), pa.int64()))
    return table.append_column("_ragged", pa.array([False] * rows))


def applied(cells: Cells, format: str, *map: tuple[str, str]) -> pa.Table:
    """The cells in fields, after it is sure that their header is recognised as ``format``."""
    found = formats.recognise(list(cells))
    assert found.name == format
    return fields.apply(fields.build_mapping(found, list(cells), map=map), table_of(cells))


def columns_of(format: formats.Format) -> list[str]:
    return [*format.required, *format.telling]


SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    str.upper,
    str.lower,
    lambda name: f" {name} ",
)

platforms = pytest.mark.parametrize("platform", formats.platforms(), ids=lambda each: each.name)


@platforms
@settings(max_examples=25)
@given(data=st.data())
def test_a_platform_is_recognised_whatever_happened_to_its_header(
    platform: formats.Format, data: st.DataObject
) -> None:
    """Columns missing, added, moved, renamed as other versions do, or written in another case."""
    telling = data.draw(st.lists(st.sampled_from(platform.telling), unique=True, min_size=3))
    header = [
        data.draw(st.sampled_from((column, *platform.aliases.get(column, ()))))
        for column in (*platform.required, *telling)
    ]
    header += data.draw(
        st.lists(st.sampled_from(["Gift note", "x", "column 7", "Tags (2)"]), unique=True)
    )
    header = data.draw(st.permutations(header))
    written = data.draw(st.sampled_from(SPELLINGS))
    assert formats.recognise([written(column) for column in header]).name == platform.name


@platforms
def test_a_platform_needs_all_its_required_columns(platform: formats.Format) -> None:
    """However many of its other columns are there, one that is missing is named and decides."""
    for column in platform.required:
        header = [each for each in columns_of(platform) if each != column]
        assert formats.recognise(header).name != platform.name
        assert column in platform.missing(header)


@platforms
def test_a_platform_is_sound(platform: formats.Format) -> None:
    """It maps what an order needs, from columns its own header has, and says why rows are none."""
    header = columns_of(platform)
    mapping = fields.build_mapping(platform, header)
    assert {"reference_id", "created_at"} <= mapping.specs.keys()
    assert {"item_name", "total"} & mapping.specs.keys()
    known_flags = {IGNORED_ROW, None, *(rule.id for rule in RULES)}
    assert {rule.flag for rule in platform.rows} <= known_flags
    assert all(rule.why for rule in platform.rows)
    assert platform.title
    known = {*header, *platform.aliases}
    named = {
        rule_column for rule in platform.rows for when in rule.when if (rule_column := when.column)
    }
    assert named <= known


def test_the_generic_format_is_every_field() -> None:
    """A table with the contract's names needs no mapping, for any of them."""
    header = [field for field in fields.FIELDS if field != fields.ZONE]
    found = formats.recognise(header)
    assert found.name == "generic"
    mapping = fields.build_mapping(found, header)
    assert {field: str(spec) for field, spec in mapping.specs.items()} == {
        each: each for each in header
    }


def test_the_contracts_names_go_before_any_platform() -> None:
    """With reference_id in the header the export was made for backfill."""
    header = ["reference_id", *columns_of(formats.by_name("shopify"))]
    assert formats.recognise(header).name == "generic"


def test_a_format_by_name() -> None:
    """--format takes the name of a platform; a wrong one names the nearest."""
    assert formats.recognise(["x"], "etsy").name == "etsy"
    with pytest.raises(UsageError, match="no format 'shopfy'") as caught:
        formats.recognise(["x"], "shopfy")
    assert "did you mean 'shopify'?" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="no format"):
        formats.recognise(["x"], formats.COMMON)


def test_what_is_not_an_export() -> None:
    """A header that nothing fits is unknown; a sheet of something else scores below an order's."""
    assert formats.recognise(["Person", "Region"]).name == formats.UNKNOWN
    assert formats.recognise([]).name == formats.UNKNOWN
    assert formats.header_score(["", " "]) == 0
    assert formats.header_score(["Orders of 2021", ""]) == 0
    assert formats.header_score(["1001", "2021-04-09", "Tea", "3.50"]) == 0
    returns = formats.header_score(["Returned", "Order ID"])
    orders = formats.header_score(columns_of(formats.by_name("superstore")))
    assert returns < 0.9 * orders
    assert 0 < formats.header_score(["Order No", "When", "Customer", "Amount"]) < 0.5


HEADERS = {
    "amazon": "order-id, order-item-id, purchase-date, payments-date, buyer-email, buyer-name, "
    "buyer-phone-number, sku, product-name, quantity-purchased, currency, item-price, item-tax",
    "woocommerce_packed": "order_id, order_number, order_date, status, order_total, "
    "shipping_total, order_currency, customer_email, billing_first_name, billing_phone, "
    "shipping_items, fee_items, paid_date, completed_date, line_item_1, line_item_2",
    "magento": "ID, Purchase Point, Purchase Date, Bill-to Name, Ship-to Name, Grand Total (Base), "
    "Grand Total (Purchased), Status, Billing Address, Shipping Address, Customer Email",
    "online_retail": "Invoice, StockCode, Description, Quantity, InvoiceDate, Price, "
    "Customer ID, Country",
    "ebay": "Numéro de vente; Numéro de commande; Pseudo de l’acheteur; Numéro de l'objet; "
    "Intitulé de l'objet; Quantité; Vendu pour; Livraison et manutention; Date de vente",
    "etsy_orders": "Sale Date, Order ID, Buyer User ID, Full Name, First Name, Last Name, "
    "Number of Items, Payment Method, Date Shipped, Street 1, Currency, Order Value, Order Total",
    "bigcommerce": "Order ID, Customer Name, Customer Email, Customer Phone, Order Date, "
    "Order Status, Order Total (inc tax), Date Shipped, Order Currency Code, Product Details",
    "woocommerce_advanced": "Order Number, Order Status, Order Date, First Name (Billing), "
    "Last Name (Billing), SKU, Item #, Item Name, Quantity (- Refund), Item Cost",
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_headers_as_they_are_written(name: str) -> None:
    """Headers of real exports, other versions and languages among them."""
    text = HEADERS[name]
    header = [column.strip() for column in text.split(";" if ";" in text else ",")]
    assert formats.recognise(header).name == name
    assert formats.header_score(header) == 1


@pytest.mark.parametrize(
    ("path", "name", "rows", "flags"),
    [
        ("shopify/orders_export_1.csv", "shopify", 121, {}),
        ("woocommerce/woocommerce_orders.csv", "woocommerce", 101, {}),
        ("etsy/EtsySoldOrderItems2021.csv", "etsy", 136, {}),
        ("square/item_sales_may.csv", "square", 223, {"refund": 1}),
        ("square/items-2026-07-10-2026-07-15.csv", "square", 322, {"refund": 1}),
        ("amazon/amazon_orders_test_fixture.txt", "amazon", 6, {}),
        ("ebay/ebay_orders_report_EN_test_fixture.csv", "ebay", 4, {"ignored_row": 2}),
        ("superstore/superstore.xls", "superstore", 9994, {}),
        (
            "online_retail/online_retail_70051_rows.xlsx",
            "online_retail",
            70051,
            {"credit_note": 1175},
        ),
    ],
)
def test_real_exports(path: str, name: str, rows: int, flags: dict[str, int]) -> None:
    """Each real export is recognised; its rows have key, date, item and price; the flags fit."""
    file = EXPORTS / path
    if not file.exists():
        pytest.skip("the shared exports are not on this machine")
    out = applied(_read(file), name)
    counts = {each["values"]: each["counts"] for each in out["flag"].value_counts().to_pylist()}
    assert out.num_rows == rows
    assert {flag: count for flag, count in counts.items() if flag} == flags
    taken = out.filter(pc.fill_null(pc.not_equal(out["flag"], "ignored_row"), True))
    for field in ("reference_id", "created_at", "item_name", "item_quantity"):
        assert taken[field].null_count == 0, field
    assert min(taken["item_each_price"].null_count, taken["item_price"].null_count) == 0


def _read(file: Path) -> dict[str, list[str | None]]:
    """The plainest way to a file's cells, apart from the reader under test elsewhere."""
    if file.suffix in (".xls", ".xlsx"):
        sheet = pd.read_excel(file, engine="calamine", dtype=str, na_filter=False)
        return {str(name): list(sheet[name]) for name in sheet.columns}
    text = file.read_text(encoding="utf-8-sig").lstrip("\n")
    header, *rows = csv.reader(text.splitlines(), delimiter="\t" if "\t" in text[:99] else ",")
    return {
        name: [row[place] if place < len(row) else "" for row in rows]
        for place, name in enumerate(header)
    }


def rows_of(*rows: Mapping[str, str | None]) -> Cells:
    """Cells from rows that name only what they fill."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def test_shopify() -> None:
    """The shipping name and address go before the billing ones, the order's phone before both."""
    first = {
        "Name": "#1", "Created at": "2021-01-01", "Lineitem name": "Tea", "Lineitem price": "3.50",
        "Lineitem quantity": "2", "Phone": "", "Shipping Phone": "", "Billing Phone": "'5551",
        "Shipping Name": "", "Billing Name": "Ada", "Shipping Address1": " ",
        "Shipping City": "", "Shipping Zip": "", "Billing Address1": "1 Main St",
        "Billing City": "Provo", "Billing Zip": "'84606", "Billing Country": "US",
        "Financial Status": "partially_refunded", "Fulfilled at": "2021-01-02", "Total": "7.00",
    }  # fmt: skip
    more = {
        "Name": "#1",
        "Created at": "2021-01-01",
        "Lineitem name": "Milk",
        "Lineitem price": "1",
    }
    gone = {**first, "Name": "#3", "Cancelled at": "2021-01-03"}
    out = applied(rows_of(first, more, gone), "shopify").to_pylist()
    assert [row["flag"] for row in out] == [None, None, "cancelled"]
    assert out[0]["profile_name"] == "Ada"
    assert out[0]["profile_phone_number"] == "5551"
    assert out[0]["profile_shipping_address_raw"] == "1 Main St, Provo, 84606, US"
    assert out[0]["shipped_at"] == "2021-01-02"
    assert out[0]["item_each_price"] == "3.50"
    assert out[0]["item_price"] is None
    assert out[1]["profile_shipping_address_raw"] is None


def test_every_platform_with_a_status_column_has_its_own_statuses() -> None:
    """The words that its documentation lists, so that no language decides what they mean."""
    for platform in formats.platforms():
        assert bool(platform.statuses) == bool(set(STATUS_FIELDS) & platform.fields.keys()), (
            platform.name
        )


def test_woocommerce_packed_items() -> None:
    """Each item is a row; names may hold the marks that separate items and parts."""
    one = "name:Tea; green|product_id:31|sku:|quantity:2|total:4.00|sub_total:5.00"
    two = "name:Mug | blue|product_id:32|sku:M-1|quantity:1|total:6.50"
    cells: Cells = {
        "order_number": ["1", "2", "3", "4"],
        "order_date": ["2021-01-01"] * 4,
        "order_total": ["10.50"] * 4,
        "status": ["completed"] * 4,
        "line_item_1": [one, two, "", f"{one};{two}"],
        "line_item_2": [two, None, " ", ""],
        "line_item_10": ["", one, None, None],
    }
    out = applied(cells, "woocommerce_packed")
    items = [
        (r["reference_id"], r["item_name"], r["item_quantity"], r["item_price"])
        for r in out.to_pylist()
    ]
    tea, mug = ("Tea; green", "2", "4.00"), ("Mug | blue", "1", "6.50")
    assert items == [
        ("1", *tea), ("1", *mug), ("2", *mug), ("2", *tea), ("3", None, None, None),
        ("4", *tea), ("4", *mug),
    ]  # fmt: skip
    assert out["_row"].to_pylist() == [2, 2, 3, 3, 4, 5, 5]
    assert out["total"].to_pylist() == ["10.50"] * 7


def test_woocommerce_items_in_one_column() -> None:
    """The other plugin's single column, which begins its items with an id."""
    packed = (
        "id:368|name:Membership|product_id:28|sku:|quantity:1|subtotal:500.00|total:500.00|"
        "refunded:0.00|meta:Name=Chris, Address=24 Way; Morley"
        ";id:369|name:Mug|product_id:29|sku:|quantity:2|total:9.00"
    )
    cells: Cells = {
        "order_number_formatted": ["W-1"],
        "date": ["2021"],
        "line_items": [packed],
        "status": ["completed"],
        "order_total": ["509"],
        "billing_email": ["a@b.c"],
    }
    out = applied(cells, "woocommerce_packed").to_pylist()
    assert [(row["item_name"], row["item_quantity"], row["item_price"]) for row in out] == [
        ("Membership", "1", "500.00"),
        ("Mug", "2", "9.00"),
    ]
    assert out[0]["reference_id"] == "W-1"


def test_a_user_may_say_where_packed_items_stand() -> None:
    """Mapping a line field turns the unpacking off; unmapping one leaves just that one out."""
    cells: Cells = {
        "order_number": ["1"],
        "order_date": ["2021"],
        "line_item_1": ["name:Tea|total:4"],
        "what": ["Milk"],
        "status": ["completed"],
        "order_total": ["4"],
        "billing_phone": [""],
    }
    (row,) = applied(cells, "woocommerce_packed", ("item_name", "what")).to_pylist()
    assert (row["item_name"], row["item_price"]) == ("Milk", None)
    (row,) = applied(cells, "woocommerce_packed", ("item_price", "")).to_pylist()
    assert (row["item_name"], row["item_price"]) == ("Tea", None)


def test_bigcommerce_packed_cells() -> None:
    """Names with commas, pipes and colons stay whole; both prices are read."""
    leggings = (
        "Product ID: 100, Product Qty: 2, Product SKU: W-S, Product Name: Legging, blue | long, "
        "Product Weight: 0.8, Product Variation Details: Size: S (4), Fit: slim, "
        "Product Unit Price: 67.50, Product Total Price: 135.00"
    )
    knife = (
        "Product ID: 166, Product Qty: 1, Product SKU: , Product Name: Knife, "
        "Product Unit Price: 46.99, Product Total Price: 46.99, Peachtree Tax Type: 1"
    )
    cells: Cells = {
        "Order ID": ["186", "187", "188"],
        "Order Date": ["26/04/2014"] * 3,
        "Order Time": ["13:00", "", ""],
        "Order Status": ["Shipped", "Refunded", "Incomplete"],
        "Customer Name": ["Ada", "", ""],
        "Order Total (inc tax)": ["270.50"] * 3,
        "Product Details": [f"{leggings}|{knife}", knife, f"{knife}\n{leggings}"],
    }
    out = applied(cells, "bigcommerce").to_pylist()
    first, second = (
        ("Legging, blue | long", "2", "67.50", "135.00"),
        ("Knife", "1", "46.99", "46.99"),
    )
    line = ("item_name", "item_quantity", "item_each_price", "item_price")
    assert [tuple(row[field] for field in line) for row in out] == [
        first, second, second, second, first
    ]  # fmt: skip
    assert out[0]["created_at"] == "26/04/2014 13:00"


def test_ebay_combined_orders_and_footers() -> None:
    """The row above a combined order's items keeps the order's money and is no line item."""
    order = ("Sales Record Number", "Order Number", "Buyer Name", "Sale Date")
    item = ("Item Number", "Item Title", "Quantity", "Sold For", "Total Price")
    rows = [
        ("119", "11-3", "Ada", "Aug-25-26", "", "", "2", "$28.00", "$29.55"),
        ("119", "11-3", "Ada", "Aug-25-26", "21", "A", "1", "$13.00", ""),
        ("119", "11-3", "Ada", "Aug-25-26", "22", "B", "1", "$15.00", ""),
        ("145", "", "Eve", "Aug-26-26", "23", "C", "1", "$50", "$50"),
        ("45", "record(s) downloaded", "", "", "", "", "", "", ""),
        ("Seller ID : ada", "", "", "", "", "", "", "", ""),
    ]
    cells = dict(zip(order + item, zip(*rows, strict=True), strict=True))
    out = applied(cells, "ebay").to_pylist()
    assert [row["flag"] for row in out] == [None] * 4 + ["ignored_row"] * 2
    assert [row["item_name"] for row in out[:4]] == [None, "A", "B", "C"]
    assert [row["item_each_price"] for row in out[:4]] == [None, "$13.00", "$15.00", "$50"]
    assert (out[0]["item_quantity"], out[0]["total"]) == (None, "$29.55")
    assert out[3]["reference_id"] == "145"


def test_ebay_without_an_item_number_column() -> None:
    """A rule about a column that is not in the export leaves its rows alone."""
    order = {"Order Number": "1", "Sold For": "$1", "Sale Date": "Aug-25-26"}
    cells = rows_of({**order, "Item Title": "A"}, {**order, "Item Title": ""})
    assert applied(cells, "ebay")["item_each_price"].to_pylist() == ["$1", "$1"]


def test_a_guess_by_names_and_contents() -> None:
    """Names are believed if the values look right; e-mail addresses speak for themselves."""
    columns: Cells = {
        "Order No": ["A1", "A2"],
        "Date": ["09.04.2021", "10.04.2021"],
        "Order Total": ["Tea", "Milk"],
        "Grand Total": ["5,00 €", "6,00 €"],
        "Vorname": ["Ada", "Eve"],
        "Nachname": ["Love", "Hill"],
        "Kontakt": ["ada@example.com", "eve@example.com"],
        "Street": ["1 Main", "2 Main"],
        "City": ["Provo", "Orem"],
        "ZIP": ["84606", "84057"],
        "Tel.": ["801 555 6788", None],
        "Menge": ["2", "1,5"],
        "Bezeichnung": ["Tea", "Milk"],
        "Einzelpreis": ["2,50", "4,00"],
    }
    found = {field: each.spec for field, each in guess(list(columns), table_of(columns)).items()}
    assert found == {
        "reference_id": "Order No",
        "created_at": "Date",
        "profile_email": "Kontakt",
        "profile_phone_number": "Tel.",
        "profile_name": "{Vorname} {Nachname}",
        "profile_shipping_address_raw": "{Street}, {City} {ZIP}",
        "total": "Grand Total",
        "item_name": "Bezeichnung",
        "item_quantity": "Menge",
        "item_each_price": "Einzelpreis",
    }
    assert all(each.why for each in guess(list(columns), table_of(columns)).values())


def test_a_guess_is_never_used_by_itself() -> None:
    """An export that only a guess could map is refused."""
    header = ["Order No", "Date", "Product", "Price"]
    assert {"reference_id", "created_at", "item_name"} <= guess(header).keys()
    with pytest.raises(MappingError):
        fields.build_mapping(formats.recognise(header), header)


def test_a_guess_can_be_given_as_a_mapping() -> None:
    """Every guess is a SPEC that --map takes."""
    header = ["Order No", "Date", "Product", "Price", "First name", "Last name", "Street", "City"]
    map = [(field, each.spec) for field, each in guess(header).items()]
    mapping = fields.build_mapping(formats.recognise(header), header, map=map)
    assert mapping.specs.keys() >= {"reference_id", "profile_name", "profile_shipping_address_raw"}


def test_etsy_writes_zeros_where_an_order_has_spoken() -> None:
    """A literal 0 in the total of an order's further rows is a blank; elsewhere it is a zero."""
    header = columns_of(formats.by_name("etsy"))
    assert fields.build_mapping(formats.by_name("etsy"), header).zero_is_blank == {"total"}
    shopify = formats.by_name("shopify")
    assert not fields.build_mapping(shopify, columns_of(shopify)).zero_is_blank


def test_every_platform_has_a_golden_export() -> None:
    """Adding a platform takes a file and a golden test."""
    assert {path.stem for path in GOLDEN.glob("*.expected")} == set(formats.names())
