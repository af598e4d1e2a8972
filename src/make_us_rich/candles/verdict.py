"""Whether candles are whole enough to make a model and to forecast from, and if not, why not."""

from collections.abc import Iterator
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from make_us_rich.candles.report import DataReport
from make_us_rich.candles.times import hour_of
from make_us_rich.domain.klines import HOUR

_SHOWN = 3


class Limits(BaseModel):
    """What makes candles whole.

    Attributes:
        recent_days: Days before now without a gap that a forecast needs.
        max_missing_share: The largest share of hours in gaps, 0 to 1.
        frozen_hours: Consecutive hours of identical prices without volume that make a frozen feed.
        enough_candles: Candles that a model needs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recent_days: int = Field(ge=1)
    max_missing_share: float = Field(ge=0, le=1)
    frozen_hours: int = Field(ge=2)
    enough_candles: int = Field(ge=1)


def reasons_against(report: DataReport, limits: Limits) -> tuple[str, ...]:
    """Why the candles are not whole, one sentence each; empty if they are."""
    sentences = (
        *_not_fresh(report),
        *_gaps_of_late(report, limits.recent_days),
        *_too_many_gaps(report, limits.max_missing_share),
        *_too_few(report, limits.enough_candles),
    )
    return tuple(f"{report.pair.upper()}: {sentence}" for sentence in sentences)


def _not_fresh(report: DataReport) -> Iterator[str]:
    if report.last is not None and not report.fresh:
        due = hour_of(report.checked_at) - HOUR
        hours = (due - report.last) // HOUR
        yield (
            f"not fresh: the newest candle opened at {report.last:%Y-%m-%d %H:%M} UTC,"
            f" {hours} h before the last closed one ({due:%Y-%m-%d %H:%M} UTC);"
            " run the fetching pipeline again"
        )


def _gaps_of_late(report: DataReport, recent_days: int) -> Iterator[str]:
    since = hour_of(report.checked_at) - timedelta(days=recent_days)
    late = [gap for gap in report.gaps if gap.end > since]
    for gap in late[-_SHOWN:]:
        remedy = "run the fetching pipeline again, or wait until it has passed"
        yield f"{gap}, within the last {recent_days} days that a forecast needs; {remedy}"
    if len(late) > _SHOWN:
        yield f"{len(late) - _SHOWN} more gaps within the last {recent_days} days; the data report lists them"


def _too_many_gaps(report: DataReport, max_missing_share: float) -> Iterator[str]:
    if report.missing_share > max_missing_share:
        yield (
            f"{report.gap_hours:,} of {report.hours:,} hours ({report.missing_share:.1%}) have"
            f" no usable candle, more than `fetching.max_missing_share` allows ({max_missing_share:.1%})"
        )


def _too_few(report: DataReport, enough_candles: int) -> Iterator[str]:
    if report.rows_out < enough_candles:
        yield (
            f"{report.rows_out:,} usable candles, {enough_candles:,} are needed"
            " (`fetching.enough_candles`); raise `history_days`, or wait until the pair has traded longer"
        )
