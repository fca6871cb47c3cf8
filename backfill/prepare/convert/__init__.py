"""Text columns to cents, thousandths, times and phones: whole columns, and nothing guessed."""

from backfill.prepare.convert.columns import Converted
from backfill.prepare.convert.money import (
    MoneyEvidence,
    MoneyStyle,
    cents,
    millionths,
    money_currency,
    survey_money,
)
from backfill.prepare.convert.phones import phones
from backfill.prepare.convert.quantities import quantities
from backfill.prepare.convert.times import (
    TimeEvidence,
    Times,
    TimeStyle,
    survey_times,
    times,
)

__all__ = [
    "Converted",
    "MoneyEvidence",
    "MoneyStyle",
    "TimeEvidence",
    "TimeStyle",
    "Times",
    "cents",
    "millionths",
    "money_currency",
    "phones",
    "quantities",
    "survey_money",
    "survey_times",
    "times",
]
