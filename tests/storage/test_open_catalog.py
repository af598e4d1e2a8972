"""The catalog without a Kedro session, and the champions in it."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from kedro.io import DatasetError

from make_us_rich.catalog import load_champion, load_pointer, open_catalog, open_config
from make_us_rich.config import CONFIG_LOADER_ARGS, PROJECT_VARIABLE, find_project
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.checksums import sha256
from make_us_rich.domain.errors import ArtifactError, ParameterError, StorageError

REPO = Path(__file__).parents[2]
V1, V2 = "2025-01-01T00.00.00.000Z", "2025-01-02T00.00.00.000Z"
MONDAY = datetime(2025, 1, 6, tzinfo=UTC)

CATALOG = {
    "{pair}.champion": {
        "type": "make_us_rich.datasets.champion.ChampionPointerDataset",
        "pair": "{pair}",
        "filepath": "${globals:root}/{pair}/champion.json",
        "credentials": "storage",
    },
    "{pair}.manifest": {
        "type": "make_us_rich.datasets.atomic.JSONDataset",
        "filepath": "${globals:root}/{pair}/manifest.json",
        "credentials": "storage",
        "versioned": True,
    },
    "{pair}.onnx_model": {
        "type": "make_us_rich.datasets.onnx.OnnxDataset",
        "filepath": "${globals:root}/{pair}/model.onnx",
        "credentials": "storage",
        "versioned": True,
    },
    "{pair}.baseline_onnx": {
        "type": "make_us_rich.datasets.onnx.OnnxDataset",
        "filepath": "${globals:root}/{pair}/baseline.onnx",
        "credentials": "storage",
        "versioned": True,
    },
    "{pair}.widths": {
        "type": "make_us_rich.datasets.stored.StoredJSONDataset",
        "filepath": "${globals:root}/{pair}/widths.json",
        "credentials": "storage",
    },
}
BESIDE = b"the baseline beside it"
PRODUCTION = {
    "MAKE_US_RICH_BUCKET": "models",
    "AWS_ACCESS_KEY_ID": "me",
    "AWS_SECRET_ACCESS_KEY": "hidden",
    "AWS_ENDPOINT_URL": "http://minio:9000",
    "MLFLOW_TRACKING_URI": "http://mlflow:5000",
}


def write(project: Path, env: str, **files: object) -> None:
    (project / "conf" / env).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (project / "conf" / env / f"{name}.yml").write_text(yaml.safe_dump(content))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of its own, with these four entries."""
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    write(tmp_path, "base", catalog=CATALOG, globals={"root": "data"}, credentials={"storage": {}})
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\npackage_name = 'x'\nproject_name = 'x'\n")
    return tmp_path


@pytest.fixture(params=["folder", "bucket"])
def project_on(request, project):
    """The same project on a folder and on a bucket; nothing but globals and credentials differ."""
    if request.param == "bucket":
        credentials = {"storage": request.getfixturevalue("s3_server").credentials()}
        root = f"s3://{request.getfixturevalue('bucket')}"
        write(project, "local", globals={"root": root}, credentials=credentials)
    return project


class StandIn:
    """In place of the ONNX session, which tests/inference has for real."""

    def __init__(self, manifest, onnx_model, widths=None, baseline_onnx=None):
        self.manifest, self.onnx_model, self.widths, self.baseline_onnx = manifest, onnx_model, widths, baseline_onnx


@pytest.fixture(autouse=True)
def no_session(monkeypatch):
    monkeypatch.setattr("make_us_rich.inference.champion.Champion", StandIn)


def record(version: str, onnx_model: bytes) -> dict:
    return {
        "pair": "btc_usdt",
        "version": version,
        "architecture": "baseline",
        "feature_set": "returns",
        "columns": ["return"],
        "lookback": 3,
        "horizon": 24,
        "levels": [0.5],
        "data": {"start": "2024-01-01T00:00:00Z", "end": "2025-01-01T00:00:00Z", "rows": 8784},
        "metrics": {},
        "parity": {},
        "scaler": "",
        "checksums": {"onnx_model": sha256(onnx_model), "baseline_onnx": sha256(BESIDE)},
        "baseline": {"feature_set": "returns", "columns": ["return"], "lookback": 3},
        "verdict": {"publish": True, "reason": "better"},
        "packages": {},
        "git_revision": "unknown",
    }


def publish(project: Path, version: str, at: datetime = MONDAY) -> None:
    """As another process does: with a catalog of its own."""
    catalog = open_catalog(project_path=project)
    model = f"model {version}".encode()
    catalog.get("btc_usdt.onnx_model", version=_version(version)).save(model)
    catalog.get("btc_usdt.baseline_onnx", version=_version(version)).save(BESIDE)
    catalog.get("btc_usdt.manifest", version=_version(version)).save(record(version, model))
    pointer = catalog.load("btc_usdt.champion")
    catalog.save("btc_usdt.champion", pointer.promote(version, at, "better"))


def _version(name: str):
    from kedro.io import Version

    return Version(name, name)


def test_the_published_model_is_loaded(project_on):
    publish(project_on, V1)
    champion = load_champion(open_catalog(project_path=project_on), "btc_usdt")
    assert (champion.manifest.version, champion.onnx_model) == (V1, f"model {V1}".encode())
    assert champion.baseline_onnx == BESIDE


def test_a_promotion_by_another_process_is_seen_by_an_open_catalog(project_on):
    catalog = open_catalog(project_path=project_on)
    for version in (V1, V2):
        publish(project_on, version)
        assert load_champion(catalog, "btc_usdt").manifest.version == version


def test_the_pointer_decides_and_not_the_latest_version(project_on):
    publish(project_on, V2)
    publish(project_on, V1)
    assert load_champion(open_catalog(project_path=project_on), "btc_usdt").manifest.version == V1


def test_the_champion_of_a_past_moment_is_loaded(project):
    publish(project, V1, MONDAY)
    publish(project, V2, MONDAY + timedelta(days=2))
    catalog = open_catalog(project_path=project)
    past = load_champion(catalog, "btc_usdt", as_of=MONDAY + timedelta(days=1))
    assert past.manifest.version == V1
    with pytest.raises(ArtifactError, match="btc_usdt: no model is published at 2025-01-05 00:00 UTC"):
        load_champion(catalog, "btc_usdt", as_of=MONDAY - timedelta(days=1))


def test_nothing_published_says_what_to_run(project_on):
    catalog = open_catalog(project_path=project_on)
    assert load_pointer(catalog, "btc_usdt") == ChampionPointer(pair="btc_usdt")
    with pytest.raises(
        ArtifactError, match="btc_usdt: no model is published; run the pair: kedro run --pipeline=btc_usdt"
    ):
        load_champion(catalog, "btc_usdt")


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx"])
def test_a_missing_artifact_is_named(project, name):
    publish(project, V1)
    (project / "data" / "btc_usdt" / name / V1 / name).unlink()
    with pytest.raises(
        ArtifactError, match=rf"btc_usdt.* {V1}: it is not stored; roll back to another version, or run"
    ):
        load_champion(open_catalog(project_path=project), "btc_usdt")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("manifest.json", "{", "manifest.json: the file is damaged"),
        ("manifest.json", "{}", f"btc_usdt {V1}: not a valid manifest"),
        ("model.onnx", "", "model.onnx: the file is damaged"),
        (
            "model.onnx",
            "another",
            f"btc_usdt {V1}: the ONNX model: its checksum is not the one in its manifest",
        ),
    ],
)
def test_a_damaged_artifact_is_refused(project, name, content, message):
    publish(project, V1)
    (project / "data" / "btc_usdt" / name / V1 / name).write_text(content)
    with pytest.raises(ArtifactError, match=message):
        load_champion(open_catalog(project_path=project), "btc_usdt")


def test_a_manifest_of_another_version_is_refused(project):
    publish(project, V1)
    publish(project, V2)
    folder = project / "data" / "btc_usdt" / "manifest.json"
    (folder / V2 / "manifest.json").write_bytes((folder / V1 / "manifest.json").read_bytes())
    with pytest.raises(ArtifactError, match=rf"btc_usdt {V2}: the manifest is that of btc_usdt {V1}"):
        load_champion(open_catalog(project_path=project), "btc_usdt")


def test_a_store_that_is_down_is_no_missing_model(project, s3_server):
    down = s3_server.credentials(client_kwargs={"endpoint_url": "http://127.0.0.1:9"})
    write(project, "local", globals={"root": "s3://bucket"}, credentials={"storage": down})
    with pytest.raises(StorageError, match=r"champion.json: the store does not answer"):
        load_champion(open_catalog(project_path=project), "btc_usdt")


def test_relative_paths_are_taken_from_the_project(project, monkeypatch):
    monkeypatch.chdir("/")
    assert str(open_catalog(project_path=project)["btc_usdt.champion"]._filepath).startswith(f"{project}/data")


def test_the_project_is_found_upward(project, monkeypatch):
    (project / "notebooks").mkdir()
    monkeypatch.chdir(project / "notebooks")
    assert find_project() == project.resolve()


def test_the_project_is_found_by_the_environment(project, monkeypatch):
    monkeypatch.chdir("/")
    monkeypatch.setenv(PROJECT_VARIABLE, str(project))
    assert find_project() == project.resolve()


def test_no_project_says_what_to_do(monkeypatch):
    monkeypatch.chdir("/")
    monkeypatch.delenv(PROJECT_VARIABLE, raising=False)
    with pytest.raises(ParameterError, match=f"go to its folder, where conf/ is, or set {PROJECT_VARIABLE}"):
        find_project()


def test_an_unknown_environment_names_those_there_are(project):
    with pytest.raises(ParameterError, match=r"no environment 'prod' in .*conf: there are base"):
        open_catalog("prod", project)


@pytest.fixture
def production(monkeypatch):
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)


def test_production_reads_addresses_and_secrets_from_the_environment(production):
    config = open_config("production", REPO)
    assert config["globals"]["root"] == "s3://models"
    assert config["credentials"]["storage"]["secret"] == "hidden"
    assert config["credentials"]["storage"]["client_kwargs"]["endpoint_url"] == "http://minio:9000"
    assert config["mlflow"]["server"]["mlflow_tracking_uri"] == "http://mlflow:5000"
    assert config["mlflow"]["tracking"]["run"]["nested"] is False
    assert config["credentials"]["storage"]["use_listings_cache"] is False


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named(production, monkeypatch, name, value):
    monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    with pytest.raises(ParameterError, match=rf"^environment variable {name} is not set; set it"):
        open_catalog("production", REPO)


def test_base_needs_no_variable(monkeypatch):
    for name in PRODUCTION:
        monkeypatch.delenv(name, raising=False)
    assert open_config("base", REPO)["credentials"]["storage"] == {}


def test_the_documentation_names_every_variable():
    page = (REPO / "docs" / "storage.md").read_text()
    assert [name for name in [*PRODUCTION, PROJECT_VARIABLE] if name not in page] == []


def test_the_project_resolver_gives_the_absolute_path(project):
    write(project, "base", mlflow={"uri": "sqlite:///${project:}/data/mlflow.db"})
    from make_us_rich.config import in_project

    with in_project(project.resolve()):
        assert open_config("base", project)["mlflow"]["uri"] == f"sqlite:///{project.resolve()}/data/mlflow.db"


def test_an_environment_overrides_single_parameters(project):
    write(project, "base", parameters={"training": {"seed": 1, "epochs": 2}})
    write(project, "local", parameters={"training": {"seed": 3}})
    assert open_config(None, project)["parameters"] == {"training": {"seed": 3, "epochs": 2}}
    assert CONFIG_LOADER_ARGS["base_env"] == "base"


def test_an_unknown_dataset_is_an_error(project):
    with pytest.raises(DatasetError, match="not found in the catalog"):
        open_catalog(project_path=project).load("nonsense")


LIGHT = """
import sys, time
begun = time.perf_counter()
from make_us_rich.catalog import load_pointer, open_catalog
catalog = open_catalog("base", sys.argv[1])
print(time.perf_counter() - begun)
load_pointer(catalog, "btc_usdt")
import make_us_rich.inference.champion
heavy = {"torch", "lightning", "pytorch_lightning", "mlflow", "sklearn", "plotly", "onnx", "kedro_viz"}
print(sorted(heavy & set(sys.modules)), "kedro.framework.session" in sys.modules)
"""


def test_opening_is_quick_and_loads_nothing_heavy():
    shown = subprocess.run(
        [sys.executable, "-c", LIGHT, str(REPO)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert shown[1] == "[] False"
    assert float(shown[0]) < 3  # A second on an idle machine.


def test_the_widths_come_with_the_model(project):
    publish(project, V1)
    catalog = open_catalog(project_path=project)
    assert load_champion(catalog, "btc_usdt").widths is None

    widths = {"version": V1, "at": "2025-01-06T00:00:00Z", "forecasts": 900, "factors": [1.1], "coverage_before": []}
    catalog.save("btc_usdt.widths", widths | {"coverage_after": []})

    assert load_champion(catalog, "btc_usdt").widths.factors == (1.1,)


def test_damaged_widths_are_refused_with_the_remedy(project):
    publish(project, V1)
    catalog = open_catalog(project_path=project)
    catalog.save("btc_usdt.widths", {"version": 1})

    with pytest.raises(ArtifactError, match=rf"btc_usdt {V1}: the widths are damaged .* delete widths.json"):
        load_champion(catalog, "btc_usdt")
