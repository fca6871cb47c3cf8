"""What a user can set: each setting declared once, checked once, whatever place it comes from.

declared   every setting with its type, check, default, help and places
checks     what a value must look like
sources    command line, environment, ``backfill.toml`` and Python, in this order
"""

from __future__ import annotations

from backfill.settings.declared import (
    ApiOptions,
    ApiSettings,
    ChoiceOptions,
    DateOrder,
    DecimalMark,
    ImportOptions,
    ImportSettings,
    ProgressKind,
    RunOptions,
    RunSettings,
    SendOptions,
    Severity,
    ShoutOptions,
    StatusFate,
    not_default,
)
from backfill.settings.secret import Secret

__all__ = [
    "ApiOptions",
    "ApiSettings",
    "ChoiceOptions",
    "DateOrder",
    "DecimalMark",
    "ImportOptions",
    "ImportSettings",
    "ProgressKind",
    "RunOptions",
    "RunSettings",
    "Secret",
    "SendOptions",
    "Severity",
    "ShoutOptions",
    "StatusFate",
    "not_default",
]
