"""The record: forecasts are added once, outcomes filled in once, and every missed hour has its reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.forecast import HORIZON, TARGETS
from make_us_rich.domain.live import MissedForecast
from make_us_rich.domain.run_log import PipelineRun
from make_us_rich.monitoring.live_record import (
    DTYPES,
    QUANTILES,
    append_forecast,
    fill_outcomes,
    forecast_rows,
    quantile_columns,
)
from make_us_rich.monitoring.missed_forecasts import DTYPES as MISSED_DTYPES
from make_us_rich.monitoring.missed_forecasts import UNEXPLAINED, update_missed

EXTREMES = ["high_outcome", "low_outcome"]


@pytest.fixture(scope="module")
def rows(walk: Any) -> pd.DataFrame:
    """A forecast at the start, without outcomes."""
    return forecast_rows(walk.forecast(), "abc")


def test_a_forecast_is_a_row_a_horizon(walk: Any, rows: pd.DataFrame) -> None:
    assert rows["horizon"].tolist() == list(range(1, HORIZON + 1))
    assert rows["closes_at"].iloc[-1] == pd.Timestamp(walk.start) + pd.Timedelta(hours=24)
    assert rows[list(QUANTILES)].to_numpy().tolist() == [list(row) for row in walk.forecast().quantiles]
    assert rows["outcome"].isna().all()
    for target, returns in walk.forecast().returns.items():
        own, baseline = quantile_columns(target)
        np.testing.assert_allclose(rows[list(own)], 100 * np.exp(returns), rtol=1e-6)
        assert rows[list(baseline)].to_numpy().tolist() == rows[list(own)].to_numpy().tolist()
    without = [name for target in TARGETS for name in quantile_columns(target)[1]]
    assert forecast_rows(walk.forecast(baseline=None), "abc")[without].isna().all(axis=None)


def test_a_second_forecast_of_the_same_moment_changes_nothing(walk: Any, rows: pd.DataFrame) -> None:
    first = append_forecast(pd.DataFrame(), rows)

    assert append_forecast(first, forecast_rows(walk.forecast(scale=2), "other")).equals(first)
    assert append_forecast(first, None).equals(first)


def test_an_outcome_is_the_close_of_the_candle_that_closes_then_and_never_changes(
    rows: pd.DataFrame, klines: pd.DataFrame
) -> None:
    record = fill_outcomes(rows, klines.head(6))

    assert record["outcome"].head(5).tolist() == klines["close"].iloc[1:6].tolist()
    assert record["state"].tolist() == ["observed"] * 5 + ["pending"] * 19
    assert fill_outcomes(record, klines.head(6).assign(close=1.0, high=1e9, low=1e-9)).equals(record)


def test_highs_and_lows_are_those_of_every_candle_since_the_origin_and_of_none_before_or_after(
    rows: pd.DataFrame, klines: pd.DataFrame
) -> None:
    wild = klines.copy()
    wild.loc[[0, 6], ["high", "low"]] = 1e9, 1e-9
    record = fill_outcomes(rows, wild.head(6))

    for at in range(5):
        candles = klines.iloc[1 : at + 2]
        expected = [max(100.0, candles["high"].max()), min(100.0, candles["low"].min())]
        assert record.loc[at, EXTREMES].tolist() == pytest.approx(expected, rel=1e-6)
    assert record[EXTREMES].tail(19).isna().all(axis=None)


def test_a_missing_candle_leaves_a_gap_until_the_exchange_sends_it(rows: pd.DataFrame, klines: pd.DataFrame) -> None:
    torn = fill_outcomes(rows, klines.drop(index=[3]))

    assert torn["state"].tolist() == ["observed", "observed", "gap", *["observed"] * 21]
    assert torn["outcome"].isna().tolist() == [state == "gap" for state in torn["state"]]
    assert torn[EXTREMES].notna().all(axis=1).tolist() == [True, True, *[False] * 22]
    mended = fill_outcomes(torn, klines)
    assert mended["state"].tolist() == ["observed"] * 24
    assert mended[EXTREMES].notna().all(axis=None)


def test_a_record_of_closes_alone_is_continued(rows: pd.DataFrame, klines: pd.DataFrame) -> None:
    added = [name for name in DTYPES if name.startswith(("high", "low", "baseline_high", "baseline_low"))]
    old = fill_outcomes(rows, klines.head(3)).drop(columns=added)
    newer = rows.assign(issued_at=(rows["issued_at"] + pd.Timedelta(hours=1)).astype(DTYPES["issued_at"]))
    record = fill_outcomes(append_forecast(old, newer), klines)

    assert {name: str(kind) for name, kind in record.dtypes.items()} == DTYPES
    assert record["outcome"].head(24).tolist() == klines["close"].iloc[1:25].tolist()
    assert record["high_q50"].isna().tolist() == [True] * 24 + [False] * 24


START = datetime(2025, 3, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NONE = pd.DataFrame()
STALE = MissedForecast(hour=START + HOUR, kind="stale", reason="no candle yet")


def run(at: datetime, minutes: float | None = 1, error: str | None = None) -> PipelineRun:
    started = at + 2 * MINUTE
    result = {} if minutes is None else {"ended": started + minutes * MINUTE, "exit_code": 1 if error else 0}
    return PipelineRun(pair="a_b", pipeline="monitor_a_b", started=started, reason=error or "", **result)


PAST = timedelta(days=-300)


@pytest.mark.parametrize(
    ("runs", "ahead", "kind", "words"),
    [
        ([], timedelta(), "no_run", "the machine, its schedule or the store was down"),
        (
            *([run(START + HOUR, error="first"), run(START + HOUR + 9 * MINUTE, error="second")], timedelta()),
            *("failed", "the run failed: second"),
        ),
        ([run(START + HOUR, minutes=None)], timedelta(), "killed", "the run was killed"),
        ([run(START + HOUR, minutes=70)], timedelta(), "slow", "did not finish within the hour"),
        ([run(START + HOUR)], timedelta(), UNEXPLAINED, "neither a forecast nor a reason"),
        # Runs are recorded by the machine's clock.
        ([run(START + HOUR - PAST, error="down")], PAST, "failed", "the run failed: down"),
    ],
    ids=["nothing ran", "failed twice", "killed", "slow", "succeeded", "an exchange that lives in the past"],
)
def test_the_runs_of_the_hour_explain_it(runs: list[PipelineRun], ahead: timedelta, kind: str, words: str) -> None:
    now = START + 2 * HOUR
    # Forecasts were issued at the start and two hours later.
    frame = update_missed(NONE, [START, now], None, runs, now + 2 * MINUTE, ahead)
    (found,) = frame.to_dict("records")

    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == MISSED_DTYPES
    assert (found["hour"], found["kind"]) == (pd.Timestamp(START + HOUR), kind)
    assert words in found["reason"]


def test_only_the_current_run_speaks_for_the_current_hour() -> None:
    now = START + HOUR + 5 * MINUTE

    assert update_missed(NONE, [START], None, (), now).empty
    first = update_missed(NONE, [START], STALE, (), now)
    assert first["kind"].tolist() == ["stale"]
    assert update_missed(first, [START], STALE, (), now + MINUTE).equals(first)
    assert update_missed(first, [START, START + HOUR], None, (), now).empty, "a later run has issued the forecast"


def test_hours_are_counted_from_a_first_run_that_could_not_issue() -> None:
    current = MissedForecast(hour=START, kind="no_model", reason="no model")
    first = update_missed(NONE, [], current, (), START + MINUTE)
    later = update_missed(first, [START + 3 * HOUR], None, (), START + 3 * HOUR)

    assert later["kind"].tolist() == ["no_model", "no_run", "no_run"]
