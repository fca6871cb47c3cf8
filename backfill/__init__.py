"""Moves years of order history into Shout: checked first, each order once, no text message."""

from __future__ import annotations

__version__ = "0.1.0"
