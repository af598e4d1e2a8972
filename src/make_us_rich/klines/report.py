"""The data report: what the quality checks have found in a pair's candles, and whether they can be used."""

from datetime import datetime
from enum import StrEnum

from make_us_rich.domain.frozen import FrozenModel


class Cause(StrEnum):
    """Why candles are too few or missing at the end; docs/fetching.md defines each."""

    YOUNG = "young"
    DELISTED = "delisted"
    HALTED = "halted"
    ILLIQUID = "illiquid"
    SHORT_HISTORY = "short_history"


class Issue(FrozenModel):
    """How many candles have one kind of issue, and the open times (UTC) of the first ones."""

    count: int = 0
    examples: tuple[datetime, ...] = ()


class Issues(FrozenModel):
    """What was found, by kind; docs/fetching.md defines each. The last two do not remove a candle."""

    still_open: Issue = Issue()
    duplicate: Issue = Issue()
    not_a_number: Issue = Issue()
    off_grid: Issue = Issue()
    non_positive: Issue = Issue()
    inconsistent: Issue = Issue()
    frozen: Issue = Issue()
    odd_close: Issue = Issue()
    no_trade: Issue = Issue()


class Gap(FrozenModel):
    """Consecutive ``hours`` without a usable candle, from ``start`` to the next usable one at ``end`` (UTC).

    For those that are ``missing`` the exchange has sent no candle; in the others it sent one that was removed.
    """

    start: datetime
    end: datetime
    hours: int
    missing: int

    def __str__(self) -> str:
        """Such as ``3 candles missing between 2025-03-01 04:00 and 07:00 UTC``."""
        end = f"{self.end:%H:%M}" if self.start.date() == self.end.date() else f"{self.end:%Y-%m-%d %H:%M}"
        what = "1 candle missing" if self.hours == 1 else f"{self.hours} candles missing"
        if self.missing < self.hours:
            what = f"{self.hours} h without a usable candle ({self.missing} missing)"
        return f"{what} between {self.start:%Y-%m-%d %H:%M} and {end} UTC"


class DataReport(FrozenModel):
    """Quality of a pair's candles.

    Attributes:
        pair: Name such as ``btc_usdt``.
        simulated: The candles come from a simulated market: nobody traded at these prices.
        checked_at: The exchange's clock at the fetch (UTC).
        rows_in: Candles before the checks, of which ``rows_out`` remain and ``dropped`` do not.
        first: Open time of the first clean candle (UTC), or None without any.
        last: Open time of the last clean candle (UTC), or None without any.
        hours: Hours from the first clean candle to the last, both included.
        corrected: Stored candles that the exchange has sent again with other values, and that were replaced.
        gaps: Hours without a usable candle, ascending.
        missing_hours: Hours within the gaps for which the exchange has sent nothing.
        gap_hours: All hours within the gaps: the missing ones and those of removed candles.
        missing_share: ``gap_hours / hours``, 0 to 1.
        fresh: The newest candle is the one that closed last before ``checked_at``.
        cause: Why candles are too few or not fresh, where that is known.
        remedy: What to do where they are too few or not fresh.
        valid: A model may be trained and a forecast issued from these candles.
        reasons: Why not, one sentence each; empty if valid.
    """

    pair: str
    simulated: bool = False
    checked_at: datetime
    rows_in: int
    rows_out: int
    dropped: int
    first: datetime | None
    last: datetime | None
    hours: int
    issues: Issues
    corrected: Issue = Issue()
    gaps: tuple[Gap, ...]
    missing_hours: int
    gap_hours: int
    missing_share: float
    fresh: bool
    cause: Cause | None = None
    remedy: str = ""
    valid: bool
    reasons: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One line for the log."""
        if self.first is None or self.last is None:
            return f"{self.pair.upper()}: no usable candle of {self.rows_in}"
        return (
            f"{self.pair.upper()}: {self.rows_out:,}{' SIMULATED' if self.simulated else ''} candles from"
            f" {self.first:%Y-%m-%d %H:%M} to {self.last:%Y-%m-%d %H:%M} UTC, {self.dropped:,} removed,"
            f" {len(self.gaps)} gaps of {self.gap_hours:,} h; {'fresh' if self.fresh else 'stale'},"
            f" {'valid' if self.valid else 'not valid'}"
        )
