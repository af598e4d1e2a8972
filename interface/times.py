"""Times as people say them."""

from datetime import timedelta

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def in_words(span: timedelta) -> str:
    """How long, in the largest unit that fits: ``3 minutes``."""
    seconds = max(0, round(span.total_seconds()))
    for length, unit in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= length:
            return _counted(round(seconds / length), unit)
    return _counted(seconds, "second")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
