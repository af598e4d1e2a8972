"""The quality checks: a raw frame and facts about its fetch in, clean candles and a data report out."""

from datetime import datetime
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from make_us_rich.domain.klines import HOUR, HOUR_MS, PRICE_COLUMNS, from_ms, hour_of
from make_us_rich.domain.pair import Pair
from make_us_rich.klines.frame import datetimes, milliseconds
from make_us_rich.klines.report import DataReport, Gap, Issue, Issues
from make_us_rich.klines.rules import FetchInfo, QualityRules, find_cause, find_reasons

Mask: TypeAlias = NDArray[np.bool_]
"""``[row]``, true where the issue is."""

MAX_EXAMPLES = 5
"""Open times of an issue that the report shows."""

_NUMBERS = [*PRICE_COLUMNS, "volume", "quote_av", "tb_base_av", "tb_quote_av"]


def check_candles(
    klines: pd.DataFrame, pair: Pair, info: FetchInfo, rules: QualityRules
) -> tuple[pd.DataFrame, DataReport]:
    """Remove unusable candles, and report.

    Nothing is invented and no time is shifted: a candle stays as it is, or is removed and leaves a gap.

    Args:
        klines: Candles of an hour, in the kline schema, in any order.
        pair: Named in the report.
        info: The exchange's clock when they were fetched, and what it says of the pair.
        rules: What candles must satisfy.

    Returns:
        The clean candles, ascending on the hour grid, and the report.
    """
    clean, sent, issues = _filter(klines, info.now, rules.frozen_hours)
    first, last = datetimes(clean["timestamp"].iloc[[0, -1]]) if len(clean) else (None, None)
    gaps = _find_gaps(clean, sent)
    hours = (last - first) // HOUR + 1 if first and last else 0
    gap_hours = sum(gap.hours for gap in gaps)
    report = DataReport(
        pair=pair.name,
        simulated=info.simulated,
        checked_at=info.now,
        rows_in=len(klines),
        rows_out=len(clean),
        dropped=len(klines) - len(clean),
        first=first,
        last=last,
        hours=hours,
        issues=Issues(**issues),
        corrected=Issue(count=len(info.corrected), examples=info.corrected[:MAX_EXAMPLES]),
        gaps=gaps,
        missing_hours=sum(gap.missing for gap in gaps),
        gap_hours=gap_hours,
        missing_share=gap_hours / hours if hours else 0.0,
        fresh=last == hour_of(info.now) - HOUR,
        valid=False,
        reasons=(),
    )
    first_sent = sent["timestamp"][0].to_pydatetime() if len(sent) else None
    cause, remedy = find_cause(report, info, first_sent, rules.min_training_candles)
    reasons = tuple(f"{pair.name.upper()}: {reason}" for reason in find_reasons(report, rules, remedy))
    found = {"cause": cause, "remedy": remedy, "valid": not reasons, "reasons": reasons}
    return clean, report.model_copy(update=found)


def _filter(
    klines: pd.DataFrame, now: datetime, frozen_hours: int
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Issue]]:
    """Clean candles, closed candles that were sent, each open time once, and issues by kind."""
    left = klines.sort_values("timestamp", kind="stable", ignore_index=True)
    issues: dict[str, Issue] = {}

    def note(name: str, klines: pd.DataFrame, mask: Mask) -> None:
        times = klines["timestamp"][mask]
        issues[name] = Issue(count=len(times), examples=datetimes(times.dropna().head(MAX_EXAMPLES)))

    def drop(name: str, mask: Mask) -> pd.DataFrame:
        note(name, left, mask)
        return left[~mask].reset_index(drop=True) if mask.any() else left

    left = drop("still_open", np.asarray(left["timestamp"] + HOUR > now))
    # What passes was sent for an hour that is over: where it is removed later, its hour is not missing.
    left = sent = drop("duplicate", left.duplicated("timestamp", keep="last").to_numpy())
    found = np.zeros(len(left), dtype=np.bool_)
    for name, mask in _find_unusable(left).items():
        note(name, left, mask & ~found)
        found |= mask
    left = left[~found].reset_index(drop=True)
    left = drop("frozen", _frozen(left, frozen_hours))
    spans = sent["close_time"] - sent["timestamp"]
    note("odd_close", sent, np.asarray(spans.notna() & (spans != HOUR - pd.Timedelta(milliseconds=1))))
    note("no_trade", left, (left["volume"] == 0).to_numpy())
    return left, sent, issues


def _find_gaps(klines: pd.DataFrame, sent: pd.DataFrame) -> tuple[Gap, ...]:
    """The gaps between clean candles; an hour in which any candle of ``sent`` opens is not missing, though unusable."""
    hours = milliseconds(klines["timestamp"]) // HOUR_MS
    sent_hours = np.unique(milliseconds(sent["timestamp"]) // HOUR_MS)
    gaps = []
    for row in np.flatnonzero(np.diff(hours) > 1):
        start, end = int(hours[row]) + 1, int(hours[row + 1])
        removed = int(np.diff(np.searchsorted(sent_hours, (start, end)))[0])
        edges = {"start": from_ms(start * HOUR_MS), "end": from_ms(end * HOUR_MS)}
        gaps.append(Gap(**edges, hours=end - start, missing=end - start - removed))
    return tuple(gaps)


def unusable(klines: pd.DataFrame) -> Mask:
    """Wrong on its own, whatever its neighbours and the clock say."""
    return np.asarray(np.logical_or.reduce(list(_find_unusable(klines).values())))


def _find_unusable(klines: pd.DataFrame) -> dict[str, Mask]:
    """Issue to its mask, in the order of the checks; docs/fetching.md defines each."""
    prices, high, low = klines[list(PRICE_COLUMNS)], klines["high"], klines["low"]
    infinite = ~np.isfinite(klines[_NUMBERS].to_numpy()).all(axis=1)
    negative = (klines[["volume", "quote_av", "trades"]] < 0).any(axis=1)
    outside = prices.gt(high, axis=0).any(axis=1) | prices.lt(low, axis=0).any(axis=1)
    return {
        "not_a_number": np.asarray(infinite | klines[["timestamp", "close_time"]].isna().any(axis=1)),
        "off_grid": np.asarray(milliseconds(klines["timestamp"]) % HOUR_MS != 0),
        "non_positive": np.asarray((prices <= 0).any(axis=1) | negative),
        "inconsistent": np.asarray(outside),
    }


def _frozen(klines: pd.DataFrame, hours: int) -> Mask:
    """Part of ``hours`` or more consecutive hours with identical prices and without any volume."""
    if klines.empty:
        return np.zeros(0, dtype=np.bool_)
    prices = klines[[*PRICE_COLUMNS, "volume"]]
    repeats = (prices == prices.shift()).all(axis=1) & (klines["volume"] == 0)
    repeats &= klines["timestamp"].diff() == HOUR
    runs = (~repeats).cumsum()
    return np.asarray(runs.groupby(runs).transform("size") >= hours)
