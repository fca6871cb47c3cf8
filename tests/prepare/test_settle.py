"""How the columns of an export are read: what their values prove, and what options settle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backfill.errors import UsageError
from tests.prepare.preparing import Prepared, csv_text, prepared

HEADER = (
    "reference_id", "created_at", "profile_name", "item_name",
    "item_quantity", "item_each_price", "total",
)  # fmt: skip


def read(
    folder: Path, *rows: tuple[str, ...], header: tuple[str, ...] = HEADER, **settings: Any
) -> Prepared:
    export = folder / "orders.csv"
    export.write_text(csv_text(header, *rows), encoding="utf-8")
    return prepared(export, **settings)


def order(number: int, quantity: str, each: str, total: str) -> tuple[str, ...]:
    return (str(number), "2021-04-05", "Ada", "Tea", quantity, each, total)


def test_arithmetic_proves_the_decimal_mark_of_a_formatted_column(tmp_path: Path) -> None:
    """$89.500 is 89500, because 2 pieces at 44750.00 are."""
    found = read(tmp_path, order(1, "2", "44750.00", "$89.500"), order(2, "1", "10.50", "$10"))
    assert found.bodies["1"]["total_cents"] == 8950000


def test_an_undecided_amount_asks_for_the_decimal_mark(tmp_path: Path) -> None:
    """Nothing proves what 1.500 is, so the option that settles it is named, and settles it."""
    rows = [order(1, "1", "1.500", "1.500")]
    with pytest.raises(UsageError) as raised:
        read(tmp_path, *rows)
    assert "'1.500' can be read two ways" in str(raised.value)
    assert "--decimal-mark" in (raised.value.hint or "")
    assert read(tmp_path, *rows, decimal_mark="comma").bodies["1"]["total_cents"] == 150000
    assert read(tmp_path, *rows, decimal_mark="point").bodies["1"]["total_cents"] == 150


def test_the_decimal_mark_of_quantities_is_settled_too(tmp_path: Path) -> None:
    """1.000 pieces at 2.50 are a thousand where the total says so."""
    found = read(tmp_path, order(1, "1.000", "2.50", "2500.00"))
    assert found.lines("1") == [("Tea", 1000, 250000)]
    with pytest.raises(UsageError, match="item_quantity"):
        read(tmp_path, order(1, "1.000", "2.50", "2600.00"))


def test_yen_are_read_as_whole_numbers(tmp_path: Path) -> None:
    """A currency without decimals has marks for thousands only, and no hundredths are made."""
    found = read(tmp_path, order(1, "2", "2,800", "6,100"), currency="JPY")
    assert found.lines("1") == [("Tea", 2, 5600)]
    assert found.bodies["1"]["total_cents"] == 6100
    (said,) = (each["message"] for each in found.problems if each["rule"] == "total_differs")
    assert "(by +500)" in said


def test_dinars_have_three_decimals(tmp_path: Path) -> None:
    """And nothing is rounded to two."""
    found = read(tmp_path, order(1, "2", "0.125", "1,000.750"), currency="KWD")
    assert found.lines("1") == [("Tea", 2, 250)]
    assert found.bodies["1"]["total_cents"] == 1000750
    assert "rounded" not in found.rules


def test_a_header_that_says_cents_is_believed(tmp_path: Path) -> None:
    """Its amounts are taken as cents; amounts with decimals contradict it."""
    header = (*HEADER[:5], "price_cents", "total_cents")
    options = {"map": (("item_each_price", "price_cents"), ("total", "total_cents"))}
    found = read(tmp_path, order(1, "2", "350", "700"), header=header, **options)
    assert found.lines("1") == [("Tea", 2, 700)]
    assert found.bodies["1"]["total_cents"] == 700
    with pytest.raises(UsageError, match="says cents"):
        read(tmp_path, order(1, "2", "3.50", "7.00"), header=header, **options)


def test_every_amount_must_be_in_the_currency_of_the_import(tmp_path: Path) -> None:
    """Against a currency column that says otherwise, on a later line, and in a header."""
    header = (*HEADER, "currency")
    found = read(
        tmp_path,
        (*order(1, "1", "£5.00", "£5.00"), "USD"),
        (*order(2, "1", "$5.00", "$9.00"), ""),
        ("2", "2021-04-05", "Ada", "Cup", "1", "£4.00", "", ""),
        (*order(3, "1", "$5.00", "$5.00"), "usd"),
        header=header,
    )
    assert found.rejected == {"1": "other_currency", "2": "other_currency"}
    named = read(
        tmp_path,
        order(1, "1", "5.00", "5.00"),
        header=(*HEADER[:6], "Total (ARS)"),
        map=(("total", "Total (ARS)"),),
    )
    assert named.rejected == {"1": "other_currency"}


TIMED = ("reference_id", "profile_name", "item_name", "item_price")


def dated(number: int, *times: str) -> tuple[str, ...]:
    return (str(number), "Ada", "Tea", "5.00", *times)


def test_two_digit_years_at_either_end_are_asked_about(tmp_path: Path) -> None:
    """20-03-14 is in 2020 or in 2014; a day that can be no year proves which."""
    header = (*TIMED, "created_at")
    with pytest.raises(UsageError, match="20-03-14") as raised:
        read(tmp_path, dated(1, "20-03-14"), header=header)
    assert "--date-order ymd" in (raised.value.hint or "")
    found = read(tmp_path, dated(1, "20-03-14"), dated(2, "20-03-30"), header=header)
    assert found.bodies["1"]["created_at"] == "2020-03-14"
    found = read(tmp_path, dated(1, "20-03-14"), header=header, date_order="dmy")
    assert found.bodies["1"]["created_at"] == "2014-03-20"


def test_the_zone_in_a_header_places_the_times_below_it(tmp_path: Path) -> None:
    """And not the time zone of the import; they need no warning then."""
    found = read(
        tmp_path,
        dated(1, "2021-01-02 03:04:05"),
        header=(*TIMED, "Placed (UTC)"),
        map=(("created_at", "Placed (UTC)"),),
        timezone="Asia/Tokyo",
    )
    assert found.bodies["1"]["created_at"] == "2021-01-02T03:04:05+00:00"
    assert "naive_time" not in found.rules


def test_a_zone_that_is_not_known_is_named(tmp_path: Path) -> None:
    """IST is Indian, Irish or Israeli: the order is rejected; BST is known."""
    found = read(
        tmp_path,
        dated(1, "2021-07-02 03:04:05", "IST"),
        dated(2, "2021-07-02 03:04:05", "BST"),
        header=(*TIMED, "created_at", "Zone"),
        map=(("zone", "Zone"),),
    )
    assert found.rejected == {"1": "unknown_zone"}
    assert "IST" in [each["value"] for each in found.problems]
    assert found.bodies["2"]["created_at"] == "2021-07-02T03:04:05+01:00"


@pytest.mark.parametrize(
    "nothing",
    [
        "0000-00-00",
        "0000-00-00 00:00:00",
        "1900-01-00",
        "0",
        "None",
        "NULL",
        "12/30/1899",
        "-",
        "1970-01-01 00:00:00",
        "01/01/1753",
        "1900-01-01T00:00:00",
    ],
)
def test_a_zero_time_is_a_blank(tmp_path: Path, nothing: str) -> None:
    """It does not cancel the order, nor is it sent."""
    header = (*TIMED, "created_at", "cancelled_at", "paid_at")
    found = read(tmp_path, dated(1, "2021-04-05", nothing, nothing), header=header)
    assert list(found.bodies) == ["1"]
    assert "paid_at" not in found.bodies["1"]


def test_an_error_of_a_spreadsheet_is_no_blank_amount(tmp_path: Path) -> None:
    """#VALUE! is unreadable, a dash is zero, and a blank total beside others is said."""
    found = read(
        tmp_path,
        order(1, "1", "5.00", "#VALUE!"),
        order(2, "1", "5.00", "-"),
        order(3, "1", "5.00", ""),
    )
    assert found.rejected == {"1": "bad_money"}
    assert {key: body["total_cents"] for key, body in found.bodies.items()} == {"2": 0, "3": 500}
    assert found.rules == {"bad_money", "missing_total", "total_differs", "zero_total"}


SHOP = (
    "reference_id", "created_at", "profile_name", "item_name", "item_price",
    "profile_phone_number", "Ship Street", "Ship Country", "Bill Street", "Bill Country",
)  # fmt: skip
ADDRESS = "{Ship Street}, {Ship Country}|{Bill Street}, {Bill Country}"


def shipped(number: int, phone: str, *address: str, item: str = "Tea") -> tuple[str, ...]:
    return (str(number), "2021-04-05", "Ada", item, "5.00", phone, *address)


def test_a_phone_is_at_home_in_the_country_of_its_order(tmp_path: Path) -> None:
    """Shipping, then billing, then --region; a number that is none there is left out."""
    found = read(
        tmp_path,
        shipped(1, "030 123456", "Weg 1", "Deutschland", "High St 1", "US"),
        shipped(2, "020 7946 0018", "", "", "High St 1", "United Kingdom"),
        shipped(3, "(801) 555-6788", "", "", "", ""),
        shipped(4, "12 34", "Weg 1", "DE", "", ""),
        shipped(5, "+1 801 555 6788", "Weg 1", "DE", "", ""),
        header=SHOP,
        map=(("profile_shipping_address_raw", ADDRESS),),
    )
    numbers = {key: body.get("profile_phone_number") for key, body in found.bodies.items()}
    assert numbers == {
        "1": "+4930123456",
        "2": "+442079460018",
        "3": "+18015556788",
        "4": None,
        "5": "+18015556788",
    }
    assert "bad_phone" in found.rules


def test_a_phone_is_at_home_in_the_country_that_ends_its_address(tmp_path: Path) -> None:
    """Ten digits of Guadalajara are no number in New Jersey."""
    export = tmp_path / "orders.csv"
    export.write_text(
        "reference_id,created_at,profile_name,profile_phone_number,profile_shipping_address_raw,"
        "total,item_name,item_price\n"
        'N-1,2022-01-13,Ana,3312345678,"Calle Roble 4, 44100 Guadalajara, Mexico",5.00,Taza,5.00\n'
        'N-2,2022-01-13,Bo,(801) 555-6788,"4 Mill Rd, Provo, UT 84606",5.00,Mug,5.00\n',
        encoding="utf-8",
    )
    bodies = prepared(export).bodies
    assert bodies["N-1"]["profile_phone_number"] == "+523312345678"
    assert bodies["N-2"]["profile_phone_number"] == "+18015556788"


def test_a_column_of_countries_is_where_a_phone_is_at_home(tmp_path: Path) -> None:
    """Without a country in the address; Mexico's numbers would be real ones in the US too."""
    found = read(
        tmp_path,
        (*dated(1, "2021-04-05"), "55 1234 5678", "México"),
        (*dated(2, "2021-04-05"), "801-555-6788", ""),
        header=(*TIMED, "created_at", "profile_phone_number", "Country"),
    )
    numbers = {key: body.get("profile_phone_number") for key, body in found.bodies.items()}
    assert numbers == {"1": "+525512345678", "2": "+18015556788"}


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("Calle 5, Ciudad de México, Mexico", "+525512345678"),
        ("Calle 5, Ciudad de México, México.", "+525512345678"),
        ("5 Main St, Atlanta, Georgia", "+15512345678"),
        ("5 Main St, Los Angeles, CA", "+15512345678"),
        ("5 Main St, Provo, UT 84606", "+15512345678"),
    ],
)
def test_the_country_at_the_end_of_an_address_is_where_a_phone_is_at_home(
    tmp_path: Path, address: str, number: str
) -> None:
    """By its name only: CA may be California, and Georgia is a state as well."""
    header = (*TIMED, "created_at", "profile_phone_number", "profile_shipping_address_raw")
    found = read(tmp_path, (*dated(1, "2021-04-05"), "55 1234 5678", address), header=header)
    assert found.bodies["1"]["profile_phone_number"] == number


def test_a_country_alone_does_not_beat_a_whole_address(tmp_path: Path) -> None:
    """The billing address is sent where all that is said of shipping is a country."""
    found = read(
        tmp_path,
        shipped(1, "", "", "US", "High St 1", "US"),
        shipped(2, "", "", "US", "", ""),
        header=SHOP,
        map=(("profile_shipping_address_raw", ADDRESS),),
    )
    addresses = {key: body["profile_shipping_address_raw"] for key, body in found.bodies.items()}
    assert addresses == {"1": "High St 1, US", "2": "US"}


@pytest.mark.parametrize(
    ("beside", "name"),
    [("Milk", "Tea & Milk – 50g"), ("Salt &amp; Pepper", "Tea & Milk – 50g"), ("A&B", None)],
)
def test_html_entities_are_decoded_in_an_escaped_column(
    tmp_path: Path, beside: str, name: str | None
) -> None:
    """A column with an ampersand that is no entity is not escaped, and stays as it is."""
    escaped = "Tea &amp; Milk &#8211; 50g"
    found = read(
        tmp_path,
        (*shipped(1, "", item=escaped)[:5],),
        (*shipped(2, "", item=beside)[:5],),
        header=SHOP[:5],
    )
    assert found.lines("1")[0][0] == (name or escaped)
    assert ("html_entities" in found.rules) is (name is None)
