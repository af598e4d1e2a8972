"""The quality rules: whether candles are good enough for a model and a forecast, and if not, why and what to do."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import ceil

from pydantic import Field

from make_us_rich.domain.frozen import FrozenModel
from make_us_rich.domain.klines import HOUR, hour_of
from make_us_rich.klines.report import Cause, DataReport

TRADING, PRE_TRADING, HALT = "TRADING", "PRE_TRADING", "HALT"
"""Statuses of a pair in Binance's ``exchangeInfo``; any other means that trading has ended or is interrupted."""

DELISTED_AFTER = timedelta(days=7)
"""A pair that is not trading and has had no candle for this time counts as delisted."""


class QualityRules(FrozenModel):
    """What candles must satisfy.

    Attributes:
        recent_days: Days before now without a gap that a forecast needs.
        max_missing_share: The largest share of hours in gaps, 0 to 1.
        frozen_hours: Consecutive hours of identical prices without volume that make a frozen feed.
        min_training_candles: Candles that a model needs.
    """

    recent_days: int = Field(ge=1)
    max_missing_share: float = Field(ge=0, le=1)
    frozen_hours: int = Field(ge=2)
    min_training_candles: int = Field(ge=1)


class FetchInfo(FrozenModel):
    """What is known of a fetch beside its candles.

    Attributes:
        now: The exchange's clock (UTC).
        start: Candles were wanted from here on (UTC).
        simulated: The exchange offers a simulated market.
        status: The pair's status at the exchange, such as ``TRADING``; None where it was not asked for.
        corrected: Open times of stored candles that the exchange has sent again with other values.
    """

    now: datetime
    start: datetime | None = None
    simulated: bool = False
    status: str | None = None
    corrected: tuple[datetime, ...] = ()


def find_cause(
    report: DataReport, info: FetchInfo, first_sent: datetime | None, needed: int
) -> tuple[Cause | None, str]:
    """Why candles are too few or not fresh, and what to do about it; no cause where the next run may bring the rest.

    ``first_sent`` is the open time of the exchange's first candle, usable or not; ``needed`` candles are enough.
    """
    until = f", until {first_sent + needed * HOUR:%Y-%m-%d %H:%M} UTC" if first_sent else ""
    young = Cause.YOUNG, f"wait until the pair has traded for {needed:,} hours{until}"
    if info.status == PRE_TRADING:
        return young
    if info.status not in (None, TRADING):
        idle = report.last is None or hour_of(info.now) - report.last > DELISTED_AFTER
        status = f"(status {info.status})"
        if idle and info.status != HALT:
            return Cause.DELISTED, f"remove it from `pairs`: the exchange has ended its trading {status}"
        return Cause.HALTED, f"wait until the exchange resumes its trading {status}"
    enough = report.rows_out >= needed
    if enough and (report.fresh or not report.issues.frozen.count):
        return None, "run the fetching pipeline again"
    if not enough and (first_sent is None or first_sent + needed * HOUR > info.now):
        if first_sent and info.start and first_sent <= info.start:
            days = round((info.now - info.start) / (24 * HOUR))
            return Cause.SHORT_HISTORY, f"set history_days to {ceil(needed / 24)} or more (it is {days})"
        return young
    return Cause.ILLIQUID, "choose another pair: this one is illiquid, too many hours pass without a trade"


def find_reasons(report: DataReport, rules: QualityRules, remedy: str) -> Iterator[str]:
    """Why candles are not valid, one sentence each; ``remedy`` is that of too few or stale ones."""
    if report.last is not None and not report.fresh:
        due = hour_of(report.checked_at) - HOUR
        yield (
            f"not fresh: the newest candle opened at {report.last:%Y-%m-%d %H:%M} UTC,"
            f" {(due - report.last) // HOUR:,} h before the last closed one ({due:%Y-%m-%d %H:%M} UTC); {remedy}"
        )
    since = hour_of(report.checked_at) - timedelta(days=rules.recent_days)
    recent = [gap for gap in report.gaps if gap.end > since]
    for gap in recent[-3:]:
        again = "run the fetching pipeline again, or wait until it has passed"
        yield f"{gap}, within the last {rules.recent_days} days that a forecast needs; {again}"
    if others := len(recent[:-3]):
        yield f"{others} more gaps within the last {rules.recent_days} days; the data report lists them"
    if report.missing_share > rules.max_missing_share:
        yield (
            f"{report.gap_hours:,} of {report.hours:,} hours ({report.missing_share:.1%}) have"
            f" no usable candle, more than `fetching.max_missing_share` allows ({rules.max_missing_share:.1%})"
        )
    if report.rows_out < rules.min_training_candles:
        needed = f"{rules.min_training_candles:,} are needed (`fetching.min_training_candles`)"
        yield f"{report.rows_out:,} usable candles, {needed}; {remedy}"
