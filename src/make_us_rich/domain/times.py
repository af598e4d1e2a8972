"""Moments as milliseconds since 1970, always UTC, as exchanges count them."""

from datetime import UTC, datetime, timedelta

from make_us_rich.domain.errors import ParameterError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_FIRST_MICROSECOND = 100_000_000_000_000


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 UTC, exact.

    Raises:
        ParameterError: The moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ParameterError(f"{moment.isoformat()} has no time zone; write it as {moment.isoformat()}+00:00")
    return (moment - _EPOCH) // _MS


def from_ms(number: int) -> datetime:
    """The moment (UTC) that is so many milliseconds after 1970."""
    return _EPOCH + number * _MS


def in_ms(number: int) -> int:
    """A time as Binance writes it, in milliseconds: it uses microseconds as well, in its files since 2025."""
    return number // 1000 if number >= _FIRST_MICROSECOND else number
