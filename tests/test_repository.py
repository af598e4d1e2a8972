"""The repository of published models, on a folder and on a bucket."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from kedro.io import Version

from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.catalog import open_catalog
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError, MissingArtifactError, StorageError, UnknownPairError
from make_us_rich.domain.manifest import ARTIFACTS, sha256
from make_us_rich.inference.past import PastRecord
from make_us_rich.pipelines.exporting.nodes import calibrate_champion
from make_us_rich.repository import ModelRepository
from synthetic import lay_out, published_version, simulated_klines, write_config

V1, V2 = "2025-01-01T00.00.00.000Z", "2025-01-02T00.00.00.000Z"
MONDAY = datetime(2025, 1, 6, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own."""
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    return lay_out(tmp_path)


@pytest.fixture(params=["folder", "bucket"])
def project_on(request: pytest.FixtureRequest, project: Path) -> Path:
    """The same project on a folder and on a bucket; nothing but globals and credentials differ."""
    if request.param == "bucket":
        credentials = {"storage": request.getfixturevalue("s3_server").credentials()}
        root = f"s3://{request.getfixturevalue('bucket')}"
        write_config(project, "local", globals={"root": root}, credentials=credentials)
    return project


def open_repository(project: Path) -> ModelRepository:
    return ModelRepository.open(project_path=project)


def publish(project: Path, version: str, at: datetime = MONDAY, **changes: bytes) -> None:
    """Publish the baseline as another process does: with a catalog of its own; ``changes`` of its artifacts."""
    catalog, made = open_catalog(project_path=project), published_version()
    artifacts = {name: getattr(made, name) for name in ARTIFACTS} | changes
    checksums = {name: sha256(content) for name, content in artifacts.items()}
    manifest = made.manifest.model_copy(update={"version": version, "checksums": checksums})
    for name, data in {**artifacts, "manifest": manifest.model_dump(mode="json")}.items():
        catalog.get(f"btc_usdt.{name}", version=Version(version, version)).save(data)
    catalog.save("btc_usdt.champion", catalog.load("btc_usdt.champion").promote(version, at, "better"))


def test_the_published_model_is_loaded_with_past_forecasts_and_ranks(project_on: Path) -> None:
    publish(project_on, V1)
    model, made = open_repository(project_on).model("btc_usdt"), published_version()
    assert model.manifest.version == V1
    past = PastRecord.from_bytes(made.past_forecasts, V1)
    np.testing.assert_array_equal(model.past.opens, past.opens)
    np.testing.assert_array_equal(model.past.quantiles, past.quantiles)
    assert model.ranks.to_bytes() == made.scenario_ranks


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("past_forecasts", f"btc_usdt {V1}: its past forecasts are damaged; train the pair again"),
        ("scenario_ranks", f"btc_usdt {V1}: the scenario ranks are damaged .*; run the pair again"),
    ],
)
def test_past_forecasts_and_ranks_of_another_release_are_refused(project: Path, name: str, message: str) -> None:
    publish(project, V1, **{name: b"as the manifest says, and yet no archive"})
    with pytest.raises(ArtifactError, match=message):
        open_repository(project).model("btc_usdt")


def test_a_promotion_by_another_process_is_seen_by_an_open_repository(project_on: Path) -> None:
    repository = open_repository(project_on)
    assert repository.pointer("btc_usdt") == ChampionPointer(pair="btc_usdt")
    with pytest.raises(ArtifactError, match="no model is published; run the pair: kedro run --pipeline=btc_usdt"):
        repository.model("btc_usdt")
    for version in (V2, V1):
        publish(project_on, version)
        assert repository.model("btc_usdt").manifest.version == version, "the pointer decides, not the latest version"


def test_a_champion_pointer_of_an_earlier_release_knows_no_rollback() -> None:
    promotions = [{"version": V1, "at": MONDAY, "reason": f"rolled back from {V2}"}]
    assert ChampionPointer.read({"pair": "btc_usdt", "promotions": promotions}, "btc_usdt").rollback is None


def test_the_champion_of_a_past_moment_is_loaded(project: Path) -> None:
    publish(project, V1, MONDAY)
    publish(project, V2, MONDAY + timedelta(days=2))
    repository = open_repository(project)
    assert repository.model("btc_usdt", as_of=MONDAY + timedelta(days=1)).manifest.version == V1
    with pytest.raises(ArtifactError, match="btc_usdt: no model was published at 2025-01-05 00:00 UTC"):
        repository.model("btc_usdt", as_of=MONDAY - timedelta(days=1))


CHECKSUM = "its checksum is not the one in its manifest"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("manifest.json", None, "it is not stored; roll back to another version, or run"),
        ("scenario_ranks.npz", None, "it is not stored; roll back to another version, or run"),
        ("manifest.json", "{", "manifest.json: the file is damaged"),
        ("manifest.json", "{}", "not a valid manifest"),
        ("past_forecasts.npz", "another", f"its past forecasts: {CHECKSUM}"),
        ("scenario_ranks.npz", "another", f"the ranks of its scenarios: {CHECKSUM}"),
        ("model.onnx", "another", f"the ONNX model: {CHECKSUM}"),
    ],
)
def test_a_missing_or_damaged_artifact_is_refused_by_name(
    project: Path, name: str, content: str | None, message: str
) -> None:
    publish(project, V1)
    file = project / "data/06_models/btc_usdt" / name / V1 / name
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(ArtifactError, match=rf"btc_usdt.*{V1}.*{message}"):
        open_repository(project).model("btc_usdt")


def test_a_manifest_of_another_version_is_refused(project: Path) -> None:
    publish(project, V1)
    publish(project, V2)
    folder = project / "data/06_models/btc_usdt" / "manifest.json"
    (folder / V2 / "manifest.json").write_bytes((folder / V1 / "manifest.json").read_bytes())
    with pytest.raises(ArtifactError, match=rf"btc_usdt {V2}: the manifest is that of btc_usdt {V1}"):
        open_repository(project).model("btc_usdt")


def test_a_store_that_is_down_is_no_missing_model(project: Path, s3_server) -> None:
    down = s3_server.credentials(client_kwargs={"endpoint_url": "http://127.0.0.1:9"})
    write_config(project, "local", globals={"root": "s3://bucket"}, credentials={"storage": down})
    with pytest.raises(StorageError, match=r"champion.json: the store does not answer"):
        open_repository(project).model("btc_usdt")


def test_the_conformal_scales_come_with_the_model(project: Path) -> None:
    publish(project, V1)
    repository = open_repository(project)
    assert repository.model("btc_usdt").scales is None

    scales = {"version": V1, "at": "2025-01-06T00:00:00Z", "forecasts": 900, "factors": [1.1], "coverage_before": []}
    repository.catalog.save("btc_usdt.conformal_scales", scales | {"coverage_after": []})
    assert repository.model("btc_usdt").scales.factors == (1.1,)

    repository.catalog.save("btc_usdt.conformal_scales", {"version": 1})
    with pytest.raises(ArtifactError, match=r"ConformalScales is damaged .* delete conformal_scales.json"):
        repository.model("btc_usdt")


def test_a_rollback_needs_a_verified_version_of_a_configured_pair(project: Path) -> None:
    for version in (V1, V2):
        publish(project, version)
    repository = open_repository(project)

    reason = f"rolled back from {V2}; not calibrated yet: btc_usdt.klines: it is not stored"
    assert repository.roll_back("btc_usdt", V1).promotions[-1].reason == reason
    assert repository.model("btc_usdt").scales is None
    assert [each.version for each in repository.pointer("btc_usdt").earlier] == [V2]
    assert repository.pointer("btc_usdt").rollback
    assert repository.pointer("btc_usdt").promote(V2, MONDAY, "better").rollback is None
    (project / f"data/06_models/btc_usdt/model.onnx/{V2}/model.onnx").write_bytes(b"another")
    with pytest.raises(ArtifactError, match=CHECKSUM):
        repository.roll_back("btc_usdt", V2)
    with pytest.raises(MissingArtifactError):
        repository.roll_back("btc_usdt", "v9")
    with pytest.raises(UnknownPairError, match="doge_usdt: not among the configured pairs: btc_usdt"):
        repository.roll_back("doge_usdt", V1)
    assert repository.pointer("btc_usdt").version == V1


def test_a_rollback_calibrates_the_version_as_the_next_run_would(project_on: Path) -> None:
    for version in (V1, V2):
        publish(project_on, version)
    repository, klines = open_repository(project_on), simulated_klines(rows=1_800)
    repository.catalog.save("btc_usdt.klines", klines)

    pointer = repository.roll_back("btc_usdt")

    by_run = calibrate_champion(pointer, repository.published("btc_usdt", V1), klines, CalibrationParameters())
    scales = repository.model("btc_usdt").scales
    assert pointer.promotions[-1].reason == f"rolled back from {V2}"
    assert scales.model_dump(mode="json") == by_run
    assert (scales.version, scales.forecasts) == (V1, 1_800 - 720 + 1 - 24)
    assert 1 not in scales.factors


def test_a_rollback_says_that_the_past_forecasts_are_too_few_to_calibrate(project: Path) -> None:
    for version in (V1, V2):
        publish(project, version)
    repository = open_repository(project)
    repository.catalog.save("btc_usdt.klines", simulated_klines(rows=720 + 24 + 50))

    pointer = repository.roll_back("btc_usdt")

    reason = f"rolled back from {V2}; not calibrated yet: 51 past forecasts, 720 are needed"
    assert pointer.promotions[-1].reason == reason
    assert set(repository.model("btc_usdt").scales.factors) == {1.0}
