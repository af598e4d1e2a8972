"""The last runs of all pairs, the newest first."""

from datetime import UTC, datetime, timedelta

from interface.admin.runs import newest
from make_us_rich.hourly.runs import Run

NINE = datetime(2025, 3, 1, 9, tzinfo=UTC)


def run(pair: str, minutes: int) -> Run:
    ended = NINE + timedelta(minutes=minutes)
    return Run(
        pair=pair,
        pipeline=f"monitor_{pair}",
        hour=NINE,
        started=NINE,
        ended=ended,
        ok=True,
        exit_code=0,
        reason="the forecast is recorded",
    )


def test_runs_of_several_pairs_are_told_by_when_they_ended() -> None:
    found = newest([[run("btc_usdt", 1), run("btc_usdt", 3)], [run("eth_usdt", 2)], []])

    assert [(each.pair, each.ended.minute) for each in found] == [("btc_usdt", 3), ("eth_usdt", 2), ("btc_usdt", 1)]


def test_no_more_are_shown_than_can_be_read() -> None:
    assert len(newest([[run("btc_usdt", minutes) for minutes in range(40)]])) == 25
