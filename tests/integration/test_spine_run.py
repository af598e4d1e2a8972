"""One command, from the exchange's candles to a published model; and the commands around it."""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.replay import ReplayServer

STAGES = ("fetching", "preprocessing", "training", "evaluating", "converting", "exporting")


def klines_asked(exchange: ReplayServer) -> list[dict[str, str]]:
    """The queries for candles so far."""
    return [query for path, query in exchange.requests if path.endswith("/klines")]


def test_a_run_publishes_scaler_onnx_card_and_manifest_under_one_version(trained: Any) -> None:
    (version,) = trained.versions("manifest.json")
    for artifact in ("model.onnx", "baseline.onnx", "scaler.pkl", "card.json", "card.md"):
        assert trained.versions(artifact) == [version]
    assert trained.read_json("06_models", "btc_usdt", "champion.json")["promotions"][-1]["version"] == version


def test_the_manifest_tells_what_the_artifacts_are(trained: Any) -> None:
    manifest = trained.champion().manifest
    files = {"onnx_model": "model.onnx", "baseline_onnx": "baseline.onnx", "scaler": "scaler.pkl"}
    assert manifest.checksums == {
        artifact: hashlib.sha256(
            trained.path("06_models", "btc_usdt", file, manifest.version, file).read_bytes()
        ).hexdigest()
        for artifact, file in files.items()
    }
    assert (manifest.pair, manifest.architecture, manifest.horizon) == ("btc_usdt", "baseline", HORIZON)
    assert manifest.levels == QUANTILE_LEVELS
    # The exchange's clock stands at 12:34 on the first of March: the candle of 11:00 is the last closed one.
    assert manifest.data.end == datetime(2025, 3, 1, 11, tzinfo=UTC)
    assert manifest.data.start == datetime(2025, 3, 1, 12, tzinfo=UTC) - timedelta(days=90)
    assert manifest.data.rows == 90 * 24
    assert manifest.verdict.publish


def test_a_cold_run_of_the_baseline_imports_neither_torch_nor_lightning(project: Any, exchange: ReplayServer) -> None:
    program = (
        "import sys\n"
        "from kedro.framework.cli import main\n"
        "sys.argv[0] = 'kedro'\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as exc:\n"
        "    assert not exc.code, exc.code\n"
        "print(sorted({'torch', 'pytorch_lightning', 'lightning'} & set(sys.modules)))\n"
    )
    project.exchange = exchange.url
    answer = subprocess.run(
        [sys.executable, "-c", program, *project.run_arguments()],
        cwd=project.folder,
        env=project.cold_env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "[]"
    assert len(project.versions()) == 2


def test_the_forecast_widens_with_the_horizon_and_its_median_is_the_last_close(trained: Any) -> None:
    forecast = trained.champion().forecast(trained.klines())
    widths = [forecast.at(hours, 0.95) - forecast.at(hours, 0.05) for hours in (1, 4, 24)]
    assert widths == sorted(widths)
    assert forecast.at(1, 0.5) == pytest.approx(forecast.last_close, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_runs_alone_by_its_tag(project: Any, stage: str) -> None:
    done = project.run(f"--tags={stage}").ok()
    assert {node.rpartition(".")[0] for node in done.nodes} == {f"btc_usdt.{stage}"}
    assert len(project.versions()) == (2 if stage == "exporting" else 1)


@pytest.mark.parametrize("stage", ["training", "exporting"])
def test_a_stage_runs_alone_by_its_namespace(project: Any, stage: str) -> None:
    done = project.run(f"--namespaces=btc_usdt.{stage}").ok()
    assert {node.rpartition(".")[0] for node in done.nodes} == {f"btc_usdt.{stage}"}


def test_a_pair_runs_by_its_namespace_too(project: Any) -> None:
    project.run("--namespaces=btc_usdt", pipeline=None).ok()
    assert len(project.versions()) == 2


def test_pairs_of_the_local_environment_replace_those_of_base(project: Any, served: Any) -> None:
    project.write_local("pairs: [ltc_usdt, eth_btc]\n")
    project.run(pipeline=None).ok()
    assert len(project.versions(pair="ltc_usdt")) == len(project.versions(pair="eth_btc")) == 1
    assert project.champion("eth_btc").manifest.pair == "eth_btc"
    assert not project.versions(pair="chz_usdt")
    served.check()


def test_a_second_run_asks_for_no_candle_again(project: Any, exchange: ReplayServer) -> None:
    project.exchange = exchange.url
    project.run().ok()
    assert klines_asked(exchange) == []


def test_a_run_three_hours_later_asks_once_and_publishes_a_version_that_knows_them(
    project: Any, exchange: ReplayServer
) -> None:
    project.exchange = exchange.url
    before = project.champion().manifest
    exchange.clock.advance(timedelta(hours=3))
    project.run(gate__refresh_hours=3).ok()
    after = project.champion().manifest
    (asked,) = klines_asked(exchange)
    # The last stored candle once more, to see that it is the same market, and the three new ones.
    assert datetime.fromtimestamp(int(asked["startTime"]) / 1000, UTC) == datetime(2025, 3, 1, 11, tzinfo=UTC)
    assert after.version > before.version
    assert after.data.end - before.data.end == timedelta(hours=3)
    assert len(project.klines()) == 90 * 24 + 3


def test_retention_keeps_the_newest_version_and_the_champion_whole(project: Any) -> None:
    (first,) = project.versions()
    for _ in range(2):
        project.run(exporting__keep_versions=1, exporting__keep_champions_days=0).ok()
    kept = project.versions()
    assert len(kept) == 2
    assert kept[0] == first == project.champion().manifest.version
    for artifact in ("model.onnx", "baseline.onnx", "scaler.pkl", "card.json", "card.md"):
        assert project.versions(artifact) == kept


def test_past_champions_are_kept_beyond_the_newest_versions(project: Any) -> None:
    first = project.versions()
    project.run("--tags=exporting", exporting__keep_versions=1).ok()
    assert project.versions()[:1] == first
    assert len(project.versions()) == 2


def test_champions_shows_what_is_published_and_where_to_look_next(trained: Any) -> None:
    lines = trained.start("champions").ok().output.splitlines()
    row = next(line for line in lines if line.startswith("btc_usdt")).split()
    assert row[1:5] == ["2,160", "2024-12-01", "2025-03-01", "11:00"]
    assert row[-1] == trained.versions()[0]
    assert any(line.startswith("eth_usdt") and line.endswith("nothing yet") for line in lines)
    assert any("kedro viz run" in line for line in lines)


def test_rollback_serves_the_champion_before_and_can_be_undone(project: Any) -> None:
    first = project.champion().manifest.version
    project.run("--tags=exporting").ok()
    second = project.champion().manifest.version
    told = project.start("rollback", "btc_usdt").ok().output
    assert told == f"btc_usdt: now serving {first}, rolled back from {second}\n"
    assert project.champion().manifest.version == first
    project.start("rollback", "btc_usdt", "--to", second).ok()
    assert project.champion().manifest.version == second


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["btc_usdt"], ["btc_usdt", "no earlier champion", "--to"]),
        (["btc_usdt", "--to", "2020-01-01T00.00.00.000Z"], ["2020-01-01", "not stored", "another version"]),
        (["doge_usdt"], ["doge_usdt", "not among the configured pairs", "chz_usdt"]),
        (["BTCUSDT"], ["'BTCUSDT' is not a pair", "btc_usdt"]),
        (["btc_usdt", "--env=nowhere"], ["no environment 'nowhere'", "production"]),
    ],
)
def test_a_rollback_that_is_impossible_says_why_and_changes_nothing(
    project: Any, served: Any, arguments: list[str], words: list[str]
) -> None:
    line = project.start("rollback", *arguments).error()
    assert all(word in line for word in words), line
    served.check()
