"""Numbers as a person reads them: prices from 1e-8 to 1e6, shares, moments and ages."""

import math
from datetime import datetime, timedelta

THIN = "\u00a0"
"""Between a number and its unit: a space at which no line breaks."""

_SIGNIFICANT = 5
_CENTS = 2
_MOST_DECIMALS = 14
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_TWO_DAYS = timedelta(days=2)


def price(value: float) -> str:
    """A price with thousands separators: five significant digits, and cents at least.

    >>> price(67123.4), price(0.03823), price(1.2e-8)
    ('67,123.40', '0.038230', '0.000000012000')
    """
    return f"{value:,.{decimals(value)}f}"


def decimals(value: float) -> int:
    """Digits after the point of a price of this size, 2 to 14."""
    if not value or not math.isfinite(value):
        return _CENTS
    return min(max(_CENTS, _SIGNIFICANT - 1 - math.floor(math.log10(abs(value)))), _MOST_DECIMALS)


def between(low: float, high: float) -> tuple[str, str]:
    """The ends of a range, as exact as the range is wide: two digits of its width.

    >>> between(67118.2, 67893.9)
    ('67,120', '67,890')
    """
    width = high - low
    if width <= 0 or not math.isfinite(width):
        return price(low), price(high)
    step = math.floor(math.log10(width)) - 1
    digits = min(max(0, -step), _MOST_DECIMALS)
    return f"{round(low, -step):,.{digits}f}", f"{round(high, -step):,.{digits}f}"


def percent(share: float, digits: int = 1, *, signed: bool = False) -> str:
    r"""A share of 1 as per cent, with a real minus sign.

    >>> percent(0.0443), percent(-0.012, signed=True)
    ('4.4\xa0%', '−1.2\xa0%')
    """
    text = f"{100 * share:{'+' if signed else ''}.{digits}f}"
    zero = not any(digit in "123456789" for digit in text)
    return f"{text.lstrip('+-') if zero else text.replace('-', '−')}{THIN}%"


def utc(moment: datetime) -> str:
    """A moment to the minute, such as ``29 May 2025, 10:00 UTC``."""
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def age(span: timedelta) -> str:
    r"""How long ago, in the largest unit that says enough.

    >>> age(timedelta(minutes=3)), age(timedelta(hours=47)), age(timedelta(days=2))
    ('3\xa0min ago', '47\xa0h ago', '2\xa0days ago')
    """
    return f"{lasting(span)} ago" if span >= _MINUTE else "just now"


def lasting(span: timedelta) -> str:
    """How long, in the largest unit that says enough; at least a minute."""
    if span < _HOUR:
        return f"{max(1, span // _MINUTE)}{THIN}min"
    if span < _TWO_DAYS:
        return f"{span // _HOUR}{THIN}h"
    return f"{span // _DAY}{THIN}days"


def hours(number: int) -> str:
    """A number of hours, in words: ``1 hour``, ``24 hours``."""
    return f"{number}{THIN}hour{'' if number == 1 else 's'}"


def quote(pair: str) -> str:
    """The currency that prices are in: ``USDT``."""
    return pair.rpartition("_")[2].upper()


def probability(p: float) -> str:
    """The p of a test: ``p = 0.004``, or below what is worth telling."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
