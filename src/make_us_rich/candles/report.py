"""The data report: what the checks have found in a pair's candles, and whether they can be trusted."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

_FROZEN = ConfigDict(frozen=True, extra="forbid")


class Issue(BaseModel):
    """Candles with one fault.

    Attributes:
        count: How many.
        examples: Open times (UTC) of the first ones.
    """

    model_config = _FROZEN

    count: int = 0
    examples: tuple[datetime, ...] = ()


class Issues(BaseModel):
    """What was found, by kind; docs/fetching.md defines each.

    The first seven remove a candle, and each removed candle is counted under the first that applies.
    ``odd_close`` and ``no_trade`` candles stay.
    """

    model_config = _FROZEN

    still_open: Issue = Issue()
    duplicate: Issue = Issue()
    not_a_number: Issue = Issue()
    off_grid: Issue = Issue()
    non_positive: Issue = Issue()
    inconsistent: Issue = Issue()
    frozen: Issue = Issue()
    odd_close: Issue = Issue()
    no_trade: Issue = Issue()


class Gap(BaseModel):
    """Consecutive hours without a usable candle, between two that are usable.

    Attributes:
        start: The first such hour (UTC).
        end: The hour (UTC) of the next usable candle.
        hours: Hours from start to end.
        missing: Those of them in which the exchange's candles do not open at all; in the others it sent
            a candle that had to be removed.
    """

    model_config = _FROZEN

    start: datetime
    end: datetime
    hours: int
    missing: int

    def __str__(self) -> str:
        """Such as ``3 candles missing between 2025-03-01 04:00 and 07:00 UTC``."""
        end = f"{self.end:%H:%M}" if self.start.date() == self.end.date() else f"{self.end:%Y-%m-%d %H:%M}"
        return f"{self._what()} between {self.start:%Y-%m-%d %H:%M} and {end} UTC"

    def _what(self) -> str:
        if self.missing < self.hours:
            return f"{self.hours} h without a usable candle ({self.missing} missing)"
        return "1 candle missing" if self.hours == 1 else f"{self.hours} candles missing"


class DataReport(BaseModel):
    """What a pair's candles are worth.

    Attributes:
        pair: Name such as ``btc_usdt``.
        checked_at: The exchange's clock at the fetch (UTC).
        rows_in: Candles before the checks.
        rows_out: Candles after them.
        dropped: ``rows_in - rows_out``.
        first: Open time of the first clean candle (UTC), or None without any.
        last: Open time of the last clean candle (UTC), or None without any.
        hours: Hours from the first clean candle to the last, both included.
        issues: What was found, by kind.
        gaps: Hours without a usable candle, ascending.
        missing_hours: Hours within the gaps for which the exchange has sent nothing.
        gap_hours: All hours within the gaps: the missing ones and those of removed candles.
        missing_share: ``gap_hours / hours``, 0 to 1.
        fresh: The newest candle is the one that closed last before ``checked_at``.
        whole: A model may be made and a forecast issued from these candles.
        reasons: Why not, in words; empty if whole.
    """

    model_config = _FROZEN

    pair: str
    checked_at: datetime
    rows_in: int
    rows_out: int
    dropped: int
    first: datetime | None
    last: datetime | None
    hours: int
    issues: Issues
    gaps: tuple[Gap, ...]
    missing_hours: int
    gap_hours: int
    missing_share: float
    fresh: bool
    whole: bool
    reasons: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One line for the log."""
        if self.first is None or self.last is None:
            return f"{self.pair.upper()}: no usable candle of {self.rows_in}"
        return (
            f"{self.pair.upper()}: {self.rows_out:,} candles from {self.first:%Y-%m-%d %H:%M} to"
            f" {self.last:%Y-%m-%d %H:%M} UTC, {self.dropped:,} removed, {len(self.gaps)} gaps of"
            f" {self.gap_hours:,} h; {'fresh' if self.fresh else 'stale'},"
            f" {'whole' if self.whole else 'not whole'}"
        )
