"""An exchange that refuses, fails or has too little: a clear error, and the champion stays."""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from make_us_rich.replay import ReplayServer

FAULTS = [
    ({"rates": {"451": 1}}, ["HTTP 451", "--params=exchange_url=https://data-api.binance.vision"]),
    ({"rates": {"418": 1}, "retry_after": 3600}, ["HTTP 418", "banned", "try again at"]),
    ({"rates": {"429": 1}, "retry_after": 90}, ["HTTP 429", "too many requests", "in 90 s"]),
    ({"rates": {"5xx": 1}}, ["HTTP 50", "run the fetching pipeline again later"]),
    ({"rates": {"truncate": 1}}, ["connection dropped", "--params=exchange_url="]),
    ({"rates": {"drop": 1}}, ["connection dropped", "--params=exchange_url="]),
]


@pytest.mark.parametrize(("faults", "words"), FAULTS, ids=["451", "418", "429", "5xx", "truncate", "drop"])
def test_a_misbehaving_exchange_is_told_in_one_line(
    project: Any, served: Any, misbehave: Callable[..., None], faults: dict[str, Any], words: list[str]
) -> None:
    stored = project.path("01_raw", "btc_usdt", "klines.parquet").read_bytes()
    misbehave(**faults)
    line = project.run().error()
    assert all(word in line for word in words), line
    assert project.exchange in line
    assert project.path("01_raw", "btc_usdt", "klines.parquet").read_bytes() == stored
    served.check()


@pytest.mark.parametrize("kind", ["429", "5xx", "drop", "truncate"])
def test_a_passing_fault_is_survived(project: Any, misbehave: Callable[..., None], kind: str) -> None:
    before = project.champion().manifest.version
    misbehave(rates={kind: 1}, times=1, retry_after=0)
    project.run("--tags=fetching").ok()
    assert len(project.klines()) == 90 * 24 + 3
    assert project.champion().manifest.version == before


def test_an_unknown_symbol_names_the_pair_and_where_it_stands(project: Any, served: Any) -> None:
    project.write_local("pairs: [nope_usdt]\n")
    line = project.run(pipeline="nope_usdt").error()
    assert "nope_usdt is not traded" in line
    assert "NOPEUSDT" in line
    assert "`pairs` in conf/base/parameters.yml" in line
    served.check()


def test_too_few_candles_for_the_lookback_say_how_many_are_needed(project: Any, served: Any) -> None:
    project.path("01_raw", "btc_usdt", "klines.parquet").unlink()
    line = project.run(history_days=15).error()
    assert line.startswith("btc_usdt: baseline")
    assert "history_days" in line
    served.check()


def test_a_pair_that_was_listed_yesterday_says_how_many_candles_are_needed(
    project: Any, served: Any, exchange: ReplayServer
) -> None:
    project.path("01_raw", "btc_usdt", "klines.parquet").unlink()
    line = project.run(history_days=2).error()
    assert "48 of 48 fetched candles" in line
    assert "`fetching.fewest_candles`" in line
    served.check()


def test_candles_that_are_not_whole_publish_nothing_and_say_why(project: Any, served: Any) -> None:
    done = project.run(fetching__enough_candles=9000).ok()
    assert "not published, refused: BTC_USDT: 2,160 usable candles, 9,000 are needed" in done.errors
    served.check()
    kept = project.versions()
    assert len(kept) == 2, "what was not published is kept to be looked at"
    verdict = project.read_json("06_models", "btc_usdt", "manifest.json", kept[-1], "manifest.json")["verdict"]
    assert not verdict["publish"]


@pytest.mark.slow
def test_without_a_network_one_line_names_both_ways_out(new_project: Any) -> None:
    """Cold, with the configuration as it is, and no way to the address."""
    answer = subprocess.run(
        ["kedro", "run", "--pipeline=btc_usdt", "--params=exchange_url=https://api.binance.invalid"],
        cwd=new_project.folder,
        env=new_project.cold_env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 1
    errors = [line for line in answer.stderr.splitlines() if line.startswith("Error: ")]
    assert errors == [answer.stderr.splitlines()[-1]]
    assert "--env=demo" in errors[0]
    assert "exchange_url" in errors[0]
    assert "Traceback" not in answer.stdout + answer.stderr
