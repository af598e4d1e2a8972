import logging
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog, MemoryDataset, Version
from kedro.runner import SequentialRunner

from make_us_rich.datasets.atomic import JSONDataset, PickleDataset
from make_us_rich.datasets.champion import ChampionPointerDataset
from make_us_rich.datasets.onnx import OnnxDataset
from make_us_rich.datasets.served_model import ServedModelDataset
from make_us_rich.datasets.versions import VersionsDataset
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.manifest import Manifest
from make_us_rich.domain.widths import Widths
from make_us_rich.evaluation.calibration import Calibration
from make_us_rich.pipelines.converting.nodes import add_baseline, convert_model, describe_candidate, draw_windows
from make_us_rich.pipelines.converting.parameters import ConvertingParameters
from make_us_rich.pipelines.exporting.nodes import (
    choose_kept,
    installed_versions,
    promote,
    publish_artifacts,
    write_manifest,
)
from make_us_rich.pipelines.exporting.parameters import ExportingParameters
from make_us_rich.pipelines.exporting.pipeline import create_pipeline
from synthetic import ROWS, RUN, STARTED, VERSION, baseline_beside, judgement, prepared, trained

CHOICE = {"architecture": "baseline"}
BESIDE, _ = baseline_beside()
SERVED = ChampionPointer(pair="btc_usdt").promote("v0", STARTED - timedelta(days=1), "data whole")
REASON = "BTC_USDT: 3 candles missing between 2025-03-01 04:00 and 07:00 UTC"
PASSED = {"publish": True, "reason": "mean CRPS 3 % below the baseline's"}
LATER = "2025-01-01T01.05.00.000Z"
REFUSED = {"publish": False, "reason": f"refused: {REASON}"}


@pytest.fixture(scope="module")
def graph() -> bytes:
    return convert_model(trained()["baseline"], CHOICE, windows(), RUN)


def windows() -> Any:
    made = prepared()
    converting = ConvertingParameters(parity_windows=4, rtol=1e-3, atol=1e-5)
    return draw_windows(made.features, made.klines, made.split, trained()["baseline"], converting)


@pytest.fixture(scope="module")
def candidate(graph: bytes) -> dict[str, Any]:
    made, parity = prepared(), {"output": 1e-8, "price": 0.00123}
    described = describe_candidate(
        graph,
        parity,
        made.scalers,
        made.klines,
        made.split,
        {"crps_mean": 0.01},
        judgement(),
        trained()["baseline"],
        windows(),
        RUN,
    )
    return add_baseline(described, *baseline_beside())


@pytest.fixture
def manifest(candidate: dict[str, Any], graph: bytes) -> dict[str, Any]:
    return make_manifest(candidate, graph)


def make_manifest(candidate: dict[str, Any], graph: bytes, verdict: dict[str, Any] = PASSED) -> dict[str, Any]:
    *_, checksums = publish_artifacts(candidate, graph, BESIDE, prepared().scalers)
    return write_manifest(candidate | {"verdict": verdict}, checksums, graph, BESIDE, RUN)


def run_exporting(
    folder: Path, candidate: dict[str, Any], graph: bytes, verdict: dict[str, Any] = PASSED, stamp: str = VERSION
) -> Any:
    """The real pipeline on the real datasets."""
    version = Version(None, stamp)
    pointer, versions = ChampionPointerDataset(pair="btc_usdt", filepath=folder / "champion.json"), folder
    catalog = DataCatalog(
        {
            "scaler": PickleDataset(filepath=str(folder / "scaler.pkl"), version=version),
            "onnx_model": OnnxDataset(filepath=folder / "model.onnx", version=version),
            "baseline_onnx": OnnxDataset(filepath=folder / "baseline.onnx", version=version),
            "manifest": JSONDataset(filepath=str(folder / "manifest.json"), version=version),
            "stored_champion": pointer,
            "champion": ChampionPointerDataset(pair="btc_usdt", filepath=folder / "champion.json"),
            "stored_versions": VersionsDataset(filepath=versions),
            "kept_versions": VersionsDataset(filepath=versions),
            "newly_served_model": ServedModelDataset(pair="btc_usdt", filepath=folder),
            "widths": MemoryDataset(),
        }
    )
    inputs = {
        "candidate": candidate | {"verdict": verdict},
        "candidate_onnx": graph,
        "candidate_baseline_onnx": BESIDE,
        "scalers": prepared().scalers,
        "klines": prepared().klines,
        "params:calibration": Calibration(least_windows=40),
        "run": replace(RUN, version=stamp),
        "params:exporting": ExportingParameters(keep_versions=2, keep_champions_days=30),
    }
    for name, value in inputs.items():
        catalog[name] = value
    SequentialRunner().run(create_pipeline(), catalog)
    return catalog["widths"].load()


def test_a_scaler_of_another_run_is_refused(candidate: dict[str, Any], graph: bytes) -> None:
    from sklearn.preprocessing import MinMaxScaler

    other: Any = {"baseline": MinMaxScaler(feature_range=(-1, 1)).fit([[0.0] * 12, [1.0] * 12])}

    with pytest.raises(ArtifactError, match="btc_usdt: the scaler and the model come from two runs; run the whole"):
        publish_artifacts(candidate, graph, BESIDE, other)


def test_a_run_without_the_candidates_scaler_is_refused(candidate: dict[str, Any], graph: bytes) -> None:
    with pytest.raises(ArtifactError, match="the scaler and the model come from two runs"):
        publish_artifacts(candidate, graph, BESIDE, {})


def test_a_graph_of_another_run_is_refused(candidate: dict[str, Any], graph: bytes) -> None:
    with pytest.raises(ArtifactError, match="btc_usdt candidate: the ONNX model: its checksum is not the one"):
        publish_artifacts(candidate, graph + b"x", BESIDE, prepared().scalers)


def test_a_baseline_of_another_run_is_refused(candidate: dict[str, Any], graph: bytes) -> None:
    with pytest.raises(ArtifactError, match="btc_usdt candidate: the baseline's ONNX model: its checksum is not"):
        publish_artifacts(candidate, graph, BESIDE + b"x", prepared().scalers)


def test_the_candidates_own_artifacts_are_published(candidate: dict[str, Any], graph: bytes) -> None:
    scaler, onnx_model, baseline_onnx, _ = publish_artifacts(candidate, graph, BESIDE, prepared().scalers)

    assert scaler is prepared().scalers["baseline"]
    assert (onnx_model, baseline_onnx) == (graph, BESIDE)


def test_the_checksums_are_those_of_the_files_that_are_stored(
    tmp_path: Path, candidate: dict[str, Any], graph: bytes
) -> None:
    run_exporting(tmp_path, candidate, graph)

    record = JSONDataset(filepath=str(tmp_path / f"manifest.json/{VERSION}/manifest.json")).load()
    files = {"scaler": "scaler.pkl", "onnx_model": "model.onnx", "baseline_onnx": "baseline.onnx"}
    assert record["checksums"] == {
        artifact: sha256((tmp_path / name / VERSION / name).read_bytes()).hexdigest()
        for artifact, name in files.items()
    }


def test_the_pipeline_promotes_the_version_that_it_has_stored(
    tmp_path: Path, candidate: dict[str, Any], graph: bytes
) -> None:
    run_exporting(tmp_path, candidate, graph)

    assert ChampionPointerDataset(pair="btc_usdt", filepath=tmp_path / "champion.json").load().version == VERSION


def test_the_pipeline_stores_a_rejected_version_and_serves_the_one_before(
    tmp_path: Path, candidate: dict[str, Any], graph: bytes
) -> None:
    run_exporting(tmp_path, candidate, graph)

    widths = run_exporting(tmp_path, candidate, graph, REFUSED, LATER)

    assert ChampionPointerDataset(pair="btc_usdt", filepath=tmp_path / "champion.json").load().version == VERSION
    assert VersionsDataset(filepath=tmp_path).load() == (VERSION, LATER)
    assert widths["version"] == VERSION


def test_the_widths_are_those_of_the_model_that_is_served_now(
    tmp_path: Path, candidate: dict[str, Any], graph: bytes
) -> None:
    widths = Widths.model_validate(run_exporting(tmp_path, candidate, graph))

    assert widths.version == VERSION
    # The test part is the last tenth of the candles; its last 24 origins have no outcome yet.
    assert widths.forecasts == ROWS // 10 - HORIZON + 1
    assert len(widths.factors) == HORIZON


def test_where_nothing_is_served_there_are_no_widths(tmp_path: Path, candidate: dict[str, Any], graph: bytes) -> None:
    assert run_exporting(tmp_path, candidate, graph, REFUSED) == {}


def test_the_manifest_is_the_candidate_with_version_verdict_and_revision(
    manifest: dict[str, Any], candidate: dict[str, Any]
) -> None:
    read = Manifest.read(manifest, "btc_usdt")

    assert (read.version, read.git_revision) == (VERSION, "0123abc")
    assert read.verdict.publish
    assert read.packages == installed_versions()
    same = candidate.keys() - {"checksums"}
    assert {name: manifest[name] for name in same} == {name: candidate[name] for name in same}


@pytest.mark.parametrize(("model", "beside", "named"), [(-1, None, "the ONNX"), (None, -1, "the baseline's ONNX")])
def test_no_manifest_is_written_when_the_store_gives_back_another_graph(
    candidate: dict[str, Any], graph: bytes, model: int | None, beside: int | None, named: str
) -> None:
    *_, checksums = publish_artifacts(candidate, graph, BESIDE, prepared().scalers)

    with pytest.raises(ArtifactError, match=f"btc_usdt {VERSION}: {named} model: its checksum is not the one"):
        write_manifest(candidate, checksums, graph[:model], BESIDE[:beside], RUN)


def test_the_packages_that_are_installed_are_named_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from make_us_rich.pipelines.exporting import nodes

    monkeypatch.setattr(nodes, "PACKAGES", ("numpy", "no-such-package"))

    assert list(installed_versions()) == ["numpy"]


def test_a_publishable_version_becomes_the_champion_at_the_moment_of_its_promotion(manifest: dict[str, Any]) -> None:
    moment = STARTED + timedelta(minutes=3)
    pointer = promote(manifest, SERVED, replace(RUN, clock=lambda: moment))

    assert pointer.version == VERSION
    assert pointer.promotions[-1].at == moment
    assert pointer.promotions[-1].reason == PASSED["reason"]
    assert pointer.promotions[:-1] == SERVED.promotions


def test_a_rejected_version_leaves_the_pointer_as_it_is(
    candidate: dict[str, Any], graph: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert promote(make_manifest(candidate, graph, REFUSED), SERVED, RUN) is SERVED
    (message,) = caplog.messages
    assert REASON in message
    assert caplog.records[0].levelno == logging.WARNING


def kept(stored: str, promoted: dict[str, float], newest: int = 2, days: int = 30) -> str:
    """Versions are letters; a promotion is given in days before the run."""
    pointer = ChampionPointer(pair="btc_usdt")
    for version, ago in promoted.items():
        pointer = pointer.promote(version, STARTED - timedelta(days=ago), "data whole")
    exporting = ExportingParameters(keep_versions=newest, keep_champions_days=days)
    return "".join(choose_kept(tuple(stored), pointer, exporting, RUN))


def test_the_newest_versions_are_kept_published_or_not() -> None:
    assert kept("abcdef", {}, newest=3) == "def"


def test_the_order_of_the_stored_versions_does_not_matter() -> None:
    assert kept("fadceb", {}, newest=3) == "def"


def test_the_champions_of_the_last_days_are_kept() -> None:
    assert kept("abcdef", {"b": 29, "c": 1}) == "bcef"


def test_the_current_champion_is_kept_however_old_it_is() -> None:
    assert kept("abcdef", {"a": 300}) == "aef"


def test_the_champion_at_the_boundary_is_kept_since_it_was_served_within_the_days() -> None:
    # b was promoted 40 days ago and served until 10 days ago.
    assert kept("abcdef", {"a": 50, "b": 40, "c": 10}) == "bcef"


def test_a_champion_promoted_at_the_boundary_is_kept() -> None:
    assert kept("abcdef", {"a": 31, "b": 30, "c": 1}) == "bcef"


def test_a_champion_replaced_before_the_boundary_goes() -> None:
    assert kept("abcdef", {"a": 33, "b": 31, "c": 1}) == "bcef"


def test_with_no_days_only_the_current_champion_and_the_newest_stay() -> None:
    assert kept("abcdef", {"a": 3, "b": 2, "c": 1}, days=0) == "cef"
