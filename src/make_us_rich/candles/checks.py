"""The checks: a raw frame and the exchange's clock in, clean candles and a data report out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from make_us_rich.candles import faults
from make_us_rich.candles.gaps import find_gaps
from make_us_rich.candles.report import DataReport, Issue, Issues
from make_us_rich.candles.times import datetimes, hour_of
from make_us_rich.candles.verdict import Limits, reasons_against
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.pair import Pair

EXAMPLES = 5
"""How many open times of a fault the report shows."""

_Sieve = tuple[str, Callable[[pd.DataFrame], faults.Mask]]


@dataclass(frozen=True)
class _Sifted:
    clean: pd.DataFrame
    sent: pd.DataFrame
    issues: dict[str, Issue]


def check_candles(klines: pd.DataFrame, pair: Pair, now: datetime, limits: Limits) -> tuple[pd.DataFrame, DataReport]:
    """Remove what is no honest candle, and report.

    Nothing is invented and no time is shifted: a candle is kept as it is, or removed and leaves a gap.

    Args:
        klines: Candles of an hour, in the kline schema, in any order.
        pair: Named in the report.
        now: The exchange's clock (UTC) when they were fetched.
        limits: What makes candles whole.

    Returns:
        The clean candles, ascending on the hour grid, and the report.
    """
    sifted = _sift(klines, now, limits.frozen_hours)
    return sifted.clean, _report(sifted, len(klines), pair, now, limits)


def _sift(klines: pd.DataFrame, now: datetime, frozen_hours: int) -> _Sifted:
    left = klines.sort_values("timestamp", kind="stable", ignore_index=True)
    sent = left
    issues: dict[str, Issue] = {}
    for name, fault in _sieves(now, frozen_hours):
        caught = fault(left)
        issues[name] = _issue(left, caught)
        left = left[~caught].reset_index(drop=True) if caught.any() else left
        if name == "duplicate":
            sent = left
    issues["odd_close"] = _issue(sent, faults.odd_close(sent))
    issues["no_trade"] = _issue(left, faults.no_trade(left))
    return _Sifted(left, sent, issues)


def _sieves(now: datetime, frozen_hours: int) -> Iterator[_Sieve]:
    # A candle is counted once, under the first fault that applies. What passes the first two was sent for an
    # hour that is over: if it falls later, that hour has no usable candle, but is not missing.
    yield "still_open", lambda klines: np.asarray(klines["timestamp"] + HOUR > now)
    yield "duplicate", lambda klines: klines.duplicated("timestamp", keep="last").to_numpy()
    yield "not_a_number", faults.not_a_number
    yield "off_grid", faults.off_grid
    yield "non_positive", faults.non_positive
    yield "inconsistent", faults.inconsistent
    yield "frozen", lambda klines: faults.frozen(klines, frozen_hours)


def _issue(klines: pd.DataFrame, caught: faults.Mask) -> Issue:
    times = klines["timestamp"][caught]
    return Issue(count=len(times), examples=datetimes(times.dropna().head(EXAMPLES)))


def _report(sifted: _Sifted, rows_in: int, pair: Pair, now: datetime, limits: Limits) -> DataReport:
    clean = sifted.clean
    first, last = datetimes(clean["timestamp"].iloc[[0, -1]]) if len(clean) else (None, None)
    gaps = find_gaps(clean, sifted.sent)
    hours = (last - first) // HOUR + 1 if first and last else 0
    gap_hours = sum(gap.hours for gap in gaps)
    report = DataReport(
        pair=pair.name,
        checked_at=now,
        rows_in=rows_in,
        rows_out=len(clean),
        dropped=rows_in - len(clean),
        first=first,
        last=last,
        hours=hours,
        issues=Issues(**sifted.issues),
        gaps=gaps,
        missing_hours=sum(gap.missing for gap in gaps),
        gap_hours=gap_hours,
        missing_share=gap_hours / hours if hours else 0.0,
        fresh=last == hour_of(now) - HOUR,
        whole=False,
        reasons=(),
    )
    reasons = reasons_against(report, limits)
    return report.model_copy(update={"whole": not reasons, "reasons": reasons})
