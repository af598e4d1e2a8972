"""Months, in UTC."""

from datetime import UTC, date, datetime


def first_day(now: datetime) -> date:
    """The day that names a month."""
    return now.astimezone(UTC).date().replace(day=1)


def next_month(now: datetime) -> datetime:
    """When the next month begins."""
    first = first_day(now)
    year, month = divmod(first.year * 12 + first.month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)
