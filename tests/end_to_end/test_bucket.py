"""Production: everything in a bucket of a real S3 server, and a store that fails."""

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from conftest import S3Server
from end_to_end.project import Project
from make_us_rich.catalog import open_catalog
from make_us_rich.replay import ReplayServer
from make_us_rich.repository import ModelRepository
from network import TcpProxy

PRODUCTION = "--env=production"


@pytest.fixture(scope="module")
def s3_project(tmp_path_factory: pytest.TempPathFactory, steady_exchange: ReplayServer, s3_server: S3Server) -> Project:
    """A project whose champion one run has published to a bucket."""
    project = Project.create(tmp_path_factory.mktemp("s3_project") / "project", steady_exchange.url)
    project.env = {
        "AWS_ACCESS_KEY_ID": s3_server.key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret,
        "AWS_ENDPOINT_URL": s3_server.endpoint,
        "MAKE_US_RICH_BUCKET": s3_server.make_bucket(),
        "MLFLOW_TRACKING_URI": f"sqlite:///{project.folder}/mlflow.db",
    }
    project.run(PRODUCTION).ok()
    return project


@pytest.fixture
def production(tmp_path: Path, s3_project: Project) -> Project:
    """The project in a folder of its own; the bucket is shared."""
    return s3_project.copy(tmp_path / "project")


@contextlib.contextmanager
def environment(project: Project) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in project.env.items():
            patch.setenv(name, value)
        S3FileSystem.clear_instance_cache()  # An instance keeps the keys that it found.
        yield
        S3FileSystem.clear_instance_cache()
        gc.collect()  # Closed here, not in the event loop of a later test.


def served(project: Project) -> tuple[bytes, str]:
    """The champion pointer's bytes in the bucket, and the version of the model that is loaded by it."""
    with environment(project):
        pointer = open_catalog("production", project.folder).get("btc_usdt.champion")
        version = ModelRepository.open("production", project.folder).model("btc_usdt").manifest.version
        return pointer._fs.cat_file(str(pointer._filepath), max_concurrency=1), version


@pytest.fixture
def untouched(production: Project) -> Iterator[None]:
    """After the test, what was served before it is served still."""
    before, healthy = served(production), dict(production.env)
    yield
    production.env = healthy
    # A run that has lost its store cannot give its lease back; the next one would wait until it is stale.
    with environment(production), contextlib.suppress(FileNotFoundError):
        store = open_catalog("production", production.folder).get("btc_usdt.champion")._fs
        store.rm_file(f"{production.env['MAKE_US_RICH_BUCKET']}/.locks/btc_usdt.json")
    assert served(production) == before


def test_a_run_publishes_to_the_bucket_and_the_catalog_predicts_from_it(s3_project: Project) -> None:
    with environment(s3_project):
        repository = ModelRepository.open("production", s3_project.folder)
        forecast = repository.model("btc_usdt").forecast(repository.load("btc_usdt.klines"))
    assert forecast.pair == "btc_usdt"
    assert repository.root == f"s3://{s3_project.env['MAKE_US_RICH_BUCKET']}"
    assert not (s3_project.folder / "data").exists(), "nothing but MLflow's store is on this disk"


@pytest.mark.slow
def test_a_rollback_and_a_second_run_work_on_a_bucket(production: Project) -> None:
    first = served(production)[1]
    production.run(PRODUCTION, "--tags=exporting").ok()
    assert served(production)[1] > first
    production.start("rollback", "btc_usdt", PRODUCTION).ok()
    before = served(production)
    assert before[1] == first
    assert first in production.start("champions", PRODUCTION).ok().output

    done = production.run(PRODUCTION).ok()
    assert f"only a significantly better challenger replaces it; still serving {first}" in done.errors
    assert served(production) == before
    with environment(production):
        catalog = open_catalog("production", production.folder)
        verdicts = catalog.load("btc_usdt.stored_verdicts")
        newest = catalog.load("btc_usdt.card_text", version=verdicts["version"].iloc[-1])
    assert verdicts["version"].nunique() == 2
    assert "**Not published.**" in newest


@pytest.mark.usefixtures("untouched")
def test_a_store_that_cannot_be_used_is_reported_before_any_node_runs(production: Project) -> None:
    healthy = dict(production.env)
    for change, words in (
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "the store refuses the access key or its secret; correct the credentials"),
        ({"AWS_ACCESS_KEY_ID": ""}, "no credentials for the store; set AWS_ACCESS_KEY_ID"),
        ({"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}, "MLFLOW_TRACKING_URI"),
    ):
        production.env = healthy | change
        command = production.run(PRODUCTION)
        assert words in command.error()
        assert not command.nodes
        assert production.env["AWS_SECRET_ACCESS_KEY"] not in command.errors.replace("AWS_SECRET_ACCESS_KEY", "")


@pytest.mark.slow
@pytest.mark.usefixtures("untouched")
def test_a_server_that_stops_half_way_is_reported_and_the_champion_stays(
    production: Project, s3_server: S3Server
) -> None:
    proxy = TcpProxy(int(s3_server.endpoint.rpartition(":")[2]))
    production.env["AWS_ENDPOINT_URL"] = proxy.url
    command = production.run(PRODUCTION)
    command.wait_for_node(".exporting.")
    proxy.stop()
    line = command.error()
    assert "the store" in line
    assert production.env["MAKE_US_RICH_BUCKET"] in line
