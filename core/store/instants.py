"""Moments as they stand in the database. By itself: what reads little loads little."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """This moment: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
