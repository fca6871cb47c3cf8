"""Text columns to cents, thousandths, times and phones: whole columns, and nothing guessed."""

from backfill.prepare.convert.columns import Converted
from backfill.prepare.convert.currencies import may_be
from backfill.prepare.convert.headers import currency_in_header, holds_cents, zone_in_header
from backfill.prepare.convert.marks import Mark, MarkEvidence, NumberStyle, survey_numbers
from backfill.prepare.convert.money import cents, fine_cents, money_currency, other_currency
from backfill.prepare.convert.phones import phones
from backfill.prepare.convert.products import prove_marks
from backfill.prepare.convert.quantities import quantities
from backfill.prepare.convert.regions import home_countries
from backfill.prepare.convert.times import (
    TimeEvidence,
    Times,
    TimeStyle,
    survey_times,
    times,
)

__all__ = [
    "Converted",
    "Mark",
    "MarkEvidence",
    "NumberStyle",
    "TimeEvidence",
    "TimeStyle",
    "Times",
    "cents",
    "currency_in_header",
    "fine_cents",
    "holds_cents",
    "home_countries",
    "may_be",
    "money_currency",
    "other_currency",
    "phones",
    "prove_marks",
    "quantities",
    "survey_numbers",
    "survey_times",
    "times",
    "zone_in_header",
]
