from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DataCatalog, MemoryDataset, Version
from kedro.runner import SequentialRunner
from sklearn.preprocessing import MinMaxScaler

from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.datasets.files import BytesDataset, JSONDataset, PickleDataset
from make_us_rich.datasets.published import ChampionPointerDataset, PublishedModelDataset, VersionsDataset
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.conformal import ConformalScales
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.manifest import ARTIFACTS, Manifest, sha256
from make_us_rich.inference.past import past_forecasts_of
from make_us_rich.pipelines.exporting.nodes import (
    ExportingParameters,
    promote,
    publish_artifacts,
    select_retained_versions,
    write_manifest,
)
from make_us_rich.pipelines.exporting.pipeline import create_pipeline
from synthetic import PLAN, RUN, STARTED, VERSION, prepared, published_version, walked

CALIBRATION = CalibrationParameters(min_forecasts=40)
MADE = published_version()
OWN: dict[str, bytes] = {name: getattr(MADE, name) for name in ARTIFACTS} | {
    "past_forecasts": past_forecasts_of(walked(), "baseline", CALIBRATION, center=True).to_bytes()
}
"""The artifacts of one run, with the forecasts of its backtest."""
CANDIDATE = MADE.manifest.model_dump(
    mode="json", exclude={"contract", "version", "packages", "git_revision", "checksums"}
) | {"checksums": {name: sha256(content) for name, content in OWN.items()}}
OTHER_SCALER = MinMaxScaler(feature_range=(-1, 1)).fit([[0.0] * 12, [1.0] * 12])
SERVED = ChampionPointer(pair="btc_usdt").promote("v0", STARTED - timedelta(days=1), "data whole")
REFUSED = {"verdict": {"publish": False, "reason": "refused: 3 candles missing"}}
LATER, FUTURE = "2025-01-01T01.05.00.000Z", "2999-01-01T00.00.00.000Z"


def run_exporting(folder: Path, stamp: str, **changes: Any) -> dict[str, Any]:
    """The real pipeline on the real datasets, with changes of the candidate; returns the conformal scales."""
    files = {
        "scaler": (PickleDataset, "scaler.pkl"),
        "onnx_model": (BytesDataset, "model.onnx"),
        "baseline_onnx": (BytesDataset, "baseline.onnx"),
        "past_forecasts": (BytesDataset, "past_forecasts.npz"),
        "scenario_ranks": (BytesDataset, "scenario_ranks.npz"),
        "manifest": (JSONDataset, "manifest.json"),
    }
    version, pointer = Version(None, stamp), ChampionPointerDataset(pair="btc_usdt", filepath=folder / "champion.json")
    catalog = DataCatalog(
        {
            **{name: kind(filepath=str(folder / file), version=version) for name, (kind, file) in files.items()},
            "stored_champion": pointer,
            "champion": pointer,
            "stored_versions": VersionsDataset(filepath=folder),
            "retained_versions": VersionsDataset(filepath=folder),
            "served_model": PublishedModelDataset(pair="btc_usdt", filepath=folder),
            "conformal_scales": MemoryDataset(),
        }
    )
    inputs = {
        "candidate": CANDIDATE | changes,
        **{f"candidate_{name.removesuffix('_model')}": content for name, content in OWN.items()},
        "scalers": prepared().scalers,
        "klines": prepared().klines,
        "params:calibration": CALIBRATION,
        "run": replace(RUN, version=stamp),
        "params:exporting": ExportingParameters(max_versions=2, champion_retention_days=30),
    }
    for name, value in inputs.items():
        catalog[name] = value
    SequentialRunner().run(create_pipeline(), catalog)
    scales: dict[str, Any] = catalog["conformal_scales"].load()
    return scales


def served(folder: Path) -> str | None:
    return ChampionPointerDataset(pair="btc_usdt", filepath=folder / "champion.json").load().version


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scalers": {}}, "btc_usdt: the scaler and the model come from two runs; run the whole pipeline again"),
        ({"scalers": {"baseline": OTHER_SCALER}}, "the scaler and the model come from two runs"),
        ({"onnx_model": b"x"}, "btc_usdt candidate: the ONNX model: its checksum is not the one"),
        ({"past_forecasts": b"x"}, "btc_usdt candidate: its past forecasts: its checksum is not"),
        ({"baseline_onnx": b"x"}, "btc_usdt candidate: the baseline's ONNX model: its checksum is not"),
    ],
)
def test_artifacts_of_two_runs_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        publish_artifacts(CANDIDATE, **OWN | {"scalers": prepared().scalers} | change)


def test_the_pipeline_stores_a_rejected_version_and_serves_the_one_before(tmp_path: Path) -> None:
    published, refused = run_exporting(tmp_path, VERSION), run_exporting(tmp_path, LATER, **REFUSED)

    assert served(tmp_path) == refused["version"] == VERSION
    assert VersionsDataset(filepath=tmp_path).load() == (VERSION, LATER)
    # The fit has seen every candle: only the backtest's forecasts count.
    assert published["forecasts"] == PLAN.calibration_size + PLAN.n_folds * PLAN.test_size


def naive_tail(target: str, side: int) -> np.ndarray:
    """Hour after hour: each outcome that has come counts once, at the next midnight, or at the newest candle."""
    backtest = walked()[target]
    ends = side * backtest.quantiles["baseline"][:, :, 2 if side < 0 else -3]
    waiting, logs = [], np.zeros(HORIZON)
    now = backtest.opens[-1] + np.timedelta64(HORIZON, "h")
    for moment in np.arange(backtest.opens[0], now + 1, np.timedelta64(1, "h")):
        if moment in (now, moment.astype("datetime64[D]")):
            come = [each for each in waiting if each[0] + np.timedelta64(HORIZON, "h") <= moment]
            waiting = waiting[len(come) :]
            logs = logs + sum(0.01 * (hit - 0.025) for _, hit in come)
            logs = logs.clip(np.log(0.8), np.log(1.25))
        for row in np.flatnonzero(backtest.opens == moment):
            waiting.append((moment, side * backtest.targets[row] > np.exp(logs) * ends[row]))
    return np.exp(logs)


def test_the_tails_of_the_champion_follow_what_its_recipe_forecast_in_the_backtest(tmp_path: Path) -> None:
    tails = ConformalScales.model_validate(run_exporting(tmp_path, VERSION)).tails

    sides = {"close": (-1, 1), "high": (1,), "low": (-1,)}
    for target, each in sides.items():
        np.testing.assert_allclose(tails[target], [naive_tail(target, side) for side in each], rtol=1e-6)
    assert len(set(tails["close"][0])) > 1


def test_a_run_reads_back_its_own_version_and_not_that_of_a_later_clock(tmp_path: Path) -> None:
    assert run_exporting(tmp_path, FUTURE, **REFUSED) == {}, "where nothing is served there are no scales"
    for name in ("model.onnx", "baseline.onnx"):
        (tmp_path / name / FUTURE / name).write_bytes(b"of another model")

    run_exporting(tmp_path, LATER)

    assert served(tmp_path) == LATER


@pytest.mark.parametrize("damaged", ARTIFACTS)
def test_no_manifest_is_written_when_the_store_gives_back_something_else(damaged: str) -> None:
    torn = OWN | {damaged: OWN[damaged][:-1]}

    with pytest.raises(ArtifactError, match=f"btc_usdt {VERSION}: {ARTIFACTS[damaged]}: its checksum is not the one"):
        write_manifest(CANDIDATE, CANDIDATE["checksums"], **torn, run=RUN)


def test_a_publishable_version_names_the_installed_packages_and_becomes_the_champion_when_it_is_promoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("make_us_rich.pipelines.exporting.nodes.PACKAGES", ("numpy", "no-such-package"))
    moment = STARTED + timedelta(minutes=3)
    manifest = write_manifest(CANDIDATE, CANDIDATE["checksums"], **OWN, run=RUN)
    pointer = promote(manifest, SERVED, replace(RUN, clock=lambda: moment))

    read = Manifest.read(manifest, "btc_usdt")
    assert (read.version, read.git_revision, read.packages) == (VERSION, "0123abc", {"numpy": np.__version__})
    assert (pointer.version, pointer.promotions[-1].at) == (VERSION, moment)
    assert pointer.promotions[-1].reason == CANDIDATE["verdict"]["reason"]
    assert pointer.promotions[:-1] == SERVED.promotions


def retained(stored: str, promoted: dict[str, float], days: int = 30) -> str:
    """Versions are letters; a promotion is given in days before the run."""
    pointer = ChampionPointer(pair="btc_usdt")
    for version, ago in promoted.items():
        pointer = pointer.promote(version, STARTED - timedelta(days=ago), "data whole")
    exporting = ExportingParameters(max_versions=2, champion_retention_days=days)
    return "".join(select_retained_versions(tuple(stored), pointer, exporting, replace(RUN, version="x")))


@pytest.mark.parametrize(
    ("stored", "promoted", "days", "expected"),
    [
        ("abcdef", {}, 30, "ef"),
        ("fadceb", {}, 30, "ef"),
        ("abcdef", {"b": 29, "c": 1}, 30, "bcef"),
        ("abcdef", {"a": 300}, 30, "aef"),
        ("abcdef", {"a": 50, "b": 40, "c": 10}, 30, "bcef"),
        ("abcdef", {"a": 31, "b": 30, "c": 1}, 30, "bcef"),
        ("abcdef", {"a": 33, "b": 31, "c": 1}, 30, "bcef"),
        ("abcdef", {"a": 3, "b": 2, "c": 1}, 0, "cef"),
    ],
    ids=[
        *("the newest, published or not", "in any order", "champions of the last days", "the champion however old"),
        *("served until within the days", "promoted at the boundary", "replaced before the boundary", "no days"),
    ],
)
def test_the_newest_versions_and_the_champions_of_the_last_days_are_retained(
    stored: str, promoted: dict[str, float], days: int, expected: str
) -> None:
    assert retained(stored, promoted, days) == expected


def test_a_version_later_than_the_run_is_set_aside_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert retained("abcdz", {"a": 40, "b": 35}) == "bcdz"
    assert "versions later than this run are set aside (z); check the clock" in caplog.text
