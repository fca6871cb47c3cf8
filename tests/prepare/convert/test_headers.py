"""What a column's header says of the values below it."""

from __future__ import annotations

import pytest

from backfill.prepare.convert import currency_in_header, holds_cents, zone_in_header


@pytest.mark.parametrize(
    ("header", "zone"),
    [
        ("Created (UTC)", "UTC"), ("created_at_utc", "UTC"), ("CreatedUTC", "UTC"),
        ("Order Date [Europe/London]", "Europe/London"), ("Paid (GMT+2)", "GMT+2"),
        ("Paid (UTC timezone)", "UTC"),
        ("Order Date EST", "EST"), ("shipped_est", None), ("Ship date (est)", None),
        ("Ship Date (UT)", None), ("Created [PT]", "PT"), ("Paid (ET)", "ET"),
        ("Paid (local)", None), ("Day", None), ("Created", None),
        ("TimeZone", None), ("Paid (USD)", None),
    ],
)  # fmt: skip
def test_the_zone_in_a_header(header: str, zone: str | None) -> None:
    """In brackets or as the last word; an abbreviation that is also a word must be in capitals."""
    assert zone_in_header(header) == zone


@pytest.mark.parametrize(
    ("header", "currency"),
    [
        ("Total (ARS)", "ARS"), ("Total (in EUR)", "EUR"), ("total_eur", "EUR"),
        ("Total USD", "USD"),
        ("Preis in €", "€"), ("Price ($)", "$"), ("Total", None), ("TOTAL ALL", None),
        ("Order Total (incl. VAT)", None), ("Refund try", None), ("totalUsd", "USD"),
    ],
)  # fmt: skip
def test_the_currency_in_a_header(header: str, currency: str | None) -> None:
    """A code or a symbol, but no word that only looks like a code."""
    assert currency_in_header(header) == currency


@pytest.mark.parametrize(
    ("header", "cents"),
    [
        ("unit_price_cents", True), ("Total (cents)", True), ("amountCents", True),
        ("price_pence", True), ("Total (öre)", True), ("amount_minor", True),
        ("Expence", False), ("Minority share", False),
        ("Total", False), ("Accents", False), ("percent", False), ("Recent total", False),
    ],
)  # fmt: skip
def test_cents_in_a_header(header: str, cents: bool) -> None:
    """The word, and not a part of another."""
    assert holds_cents(header) is cents
