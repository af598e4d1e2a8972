"""Nodes of fetching: ask for what is missing, then check."""

import logging
from datetime import datetime, timedelta
from typing import Any, Protocol

import pandas as pd

from make_us_rich.candles.checks import check_candles
from make_us_rich.candles.frame import merge_klines
from make_us_rich.candles.missing import missing_spans, remember_asked
from make_us_rich.candles.report import DataReport
from make_us_rich.candles.same_market import refuse_other_market
from make_us_rich.candles.times import hour_of
from make_us_rich.domain.errors import DataError
from make_us_rich.domain.run import RunContext
from make_us_rich.pipelines.fetching.parameters import FetchingParameters

logger = logging.getLogger(__name__)


class KlineSource(Protocol):
    """Where candles come from."""

    def now(self) -> datetime:
        """The source's clock, UTC."""

    def between(self, start: datetime, end: datetime) -> pd.DataFrame:
        """Closed candles that open in ``[start, end)``."""


def fetch_missing(
    exchange_klines: KlineSource, stored_klines: pd.DataFrame, history_days: int, run: RunContext
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Ask for the candles that are not stored yet, and add them.

    Args:
        exchange_klines: The source.
        stored_klines: What earlier runs have fetched, possibly nothing.
        history_days: How far back candles are wanted.
        run: Names the pair.

    Returns:
        All candles, stored and new, and the source's clock as ``{"now": ISO 8601, UTC}``.

    Raises:
        DataError: The source offers another market than the one that is stored.
    """
    now = exchange_klines.now()
    end = hour_of(now)
    start = end - timedelta(days=history_days)
    fetched = [exchange_klines.between(*span) for span in missing_spans(stored_klines, start, end)]
    refuse_other_market(stored_klines, merge_klines(*fetched), run.pair.name)
    merged = merge_klines(stored_klines, *fetched)
    return remember_asked(merged, stored_klines, start), {"now": now.isoformat()}


def check_klines(
    raw_klines: pd.DataFrame, fetched_at: dict[str, str], run: RunContext, parameters: FetchingParameters
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Remove what is no honest candle, and report what was found.

    Args:
        raw_klines: Candles as the exchange has sent them.
        fetched_at: The exchange's clock at the fetch.
        run: Names the pair.
        parameters: What makes candles whole.

    Returns:
        Clean candles, and the data report as a JSON record.

    Raises:
        DataError: Too few candles are usable.
    """
    now = datetime.fromisoformat(fetched_at["now"])
    klines, report = check_candles(raw_klines, run.pair, now, parameters)
    if len(klines) < parameters.fewest_candles:
        raise DataError(_too_few(report, parameters.fewest_candles))
    _log(report)
    return klines, report.model_dump(mode="json")


def _too_few(report: DataReport, fewest: int) -> str:
    return (
        f"{report.pair.upper()}: {report.rows_out} of {report.rows_in} fetched candles are usable,"
        f" at least {fewest} are needed (`fetching.fewest_candles`);"
        " raise `history_days`, or wait until the pair has traded longer"
    )


def _log(report: DataReport) -> None:
    logger.info(report.summary)
    for reason in report.reasons:
        logger.warning(reason)
