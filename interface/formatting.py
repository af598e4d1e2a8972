"""Numbers, moments and scores as plain text for readers without a background in statistics."""

import math
from datetime import datetime, timedelta
from typing import Literal

NBSP = "\u00a0"
"""No-break space between a number and its unit."""

_MAX_DECIMALS = 14

Tone = Literal["good", "fair", "poor"]

MIN_OUTCOMES = 20
"""Below this number of outcomes, a share or a skill says nothing."""


def price(value: float) -> str:
    """A price with five significant digits and at least two decimals: ``67,123.40``, ``0.038230``."""
    digits = 4 - math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 2
    return f"{value:,.{min(max(2, digits), _MAX_DECIMALS)}f}"


def interval_ends(low: float, high: float) -> tuple[str, str]:
    """The ends of an interval, rounded to two digits of its width: ``67,120`` and ``67,890``."""
    width = high - low
    if width <= 0 or not math.isfinite(width):
        return price(low), price(high)
    step = math.floor(math.log10(width)) - 1
    digits = min(max(0, -step), _MAX_DECIMALS)
    return f"{round(low, -step):,.{digits}f}", f"{round(high, -step):,.{digits}f}"


def interval(low: float, high: float) -> str:
    """``67,120 – 67,890``."""
    return " – ".join(interval_ends(low, high))


def amount(value: float) -> str:
    """A volume with three significant digits: ``12.3 M``, ``53.2 k``, ``413``, ``0.0123``."""
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= max(size, 1e4):
            scaled = value / size
            return f"{scaled:.{max(0, 2 - math.floor(math.log10(abs(scaled))))}f}{NBSP}{suffix}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percent(share: float, digits: int = 1, *, signed: bool = False) -> str:
    """A share of 1 in per cent, with a typographic minus and no sign on zero."""
    rounded = round(100 * share, digits) + 0.0
    sign = "+" if signed and rounded else ""
    return f"{rounded:{sign}.{digits}f}{NBSP}%".replace("-", "−")


def chance(probability: float) -> str:
    """A probability; beyond 0.5 and 99.5 % only that is known: ``31 %``, ``less than 0.5 %``."""
    if probability <= 0.005:
        return f"less than {percent(0.005)}"
    if probability >= 0.995:
        return f"more than {percent(0.995)}"
    return percent(probability, 0 if 0.1 <= probability <= 0.9 else 1)


def money(value: float) -> str:
    """An amount with four significant digits or all digits before the point: ``1,309``, ``−12.35``."""
    digits = 3 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{min(max(0, digits), _MAX_DECIMALS)}f}".replace("-", "−")


def in_percent(share: float | None, digits: int = 3) -> float | None:
    """A share of 1 in per cent as a number; one that rounds to zero has no minus sign."""
    return None if share is None else round(100 * share, digits) + 0.0


def utc(moment: datetime) -> str:
    """``29 May 2025, 10:00 UTC``."""
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def duration(span: timedelta) -> str:
    """A duration in the largest fitting unit, at least a minute: ``3 min``, ``47 h``, ``2 days``."""
    if span >= timedelta(days=2):
        return f"{span.days}{NBSP}days"
    minutes = max(1, span // timedelta(minutes=1))
    return f"{minutes // 60}{NBSP}h" if minutes >= 60 else f"{minutes}{NBSP}min"


def age(span: timedelta) -> str:
    """``3 min ago``; ``just now`` below a minute."""
    return f"{duration(span)} ago" if span >= timedelta(minutes=1) else "just now"


def count(number: int, noun: str) -> str:
    """A number with its noun in singular or plural: ``1 call``, ``1,200 users``."""
    return f"{number:,}{NBSP}{noun}{'' if number == 1 else 's'}"


def p_value(p: float) -> str:
    """``p = 0.004``, or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def base(pair: str) -> str:
    """The currency that is priced: ``BTC``."""
    return pair.partition("_")[0].upper()


def quote(pair: str) -> str:
    """The currency of the prices: ``USDT``."""
    return pair.rpartition("_")[2].upper()


def pair_label(pair: str) -> str:
    """``BTC/USDT`` for ``btc_usdt``."""
    return pair.replace("_", "/").upper()


def model_label(architecture: str) -> str:
    """``har + lstm`` for the ensemble ``har+lstm``."""
    return architecture.replace("+", " + ")


def sentence(text: str) -> str:
    """A message as a sentence: a capital first letter and one full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def describe_edge(proven: bool, pair: str) -> str:
    """Whether the median is more than the last price."""
    if proven:
        return (
            "Edge: the middle line is the model's point forecast, which was significantly closer to the outcomes than"
            " the last price in the out-of-sample test."
        )
    return (
        f"No edge: the model does not claim to know whether {base(pair)} will rise or fall, and its middle line is the"
        " last price; it forecasts how far the price may move."
    )


def describe_coverage(share: float | None, outcomes: int, horizon: int) -> tuple[str, Tone]:
    """How often the 80 % interval contained the outcome, and whether that is as intended.

    Forecasts ``horizon`` hours ahead overlap, so that n of them are as informative as n ÷ horizon independent ones.
    """
    if not outcomes:
        return "No forecast has an outcome yet", "fair"
    if share is None:
        return f"{count(outcomes, 'outcome')} so far, a share needs {MIN_OUTCOMES}", "fair"
    allowed = 2 * math.sqrt(0.8 * 0.2 * horizon / outcomes)  # Two standard errors.
    tone: Tone = "good" if abs(share - 0.8) <= allowed else "poor" if share < 0.8 else "fair"
    meaning = {"good": "as intended", "poor": "too narrow lately", "fair": "wider than needed lately"}[tone]
    at = "" if horizon == 1 else f" at {count(horizon, 'hour')}"
    held = f"80{NBSP}% interval{at} contained {percent(share, 0)} of the last {count(outcomes, 'outcome')}"
    return f"{held}, {meaning}", tone
