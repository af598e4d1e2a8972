"""Production: everything in a bucket of a real S3 server, and a store that fails."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from make_us_rich.catalog import load_champion, open_catalog, open_config
from make_us_rich.domain.errors import StorageError


@pytest.fixture
def production(tmp_path_factory: pytest.TempPathFactory, s3_project: Any) -> Any:
    """A production project with a champion in its bucket; the folder is new, the bucket is shared."""
    return s3_project.copy(tmp_path_factory.mktemp("production") / "project")


@pytest.fixture(scope="module")
def s3_project(
    tmp_path_factory: pytest.TempPathFactory, kedro: Any, steady_exchange: Any, s3_server: Any, make_project: Any
) -> Any:
    """A project whose champion one run has published to a bucket."""
    project = make_project(tmp_path_factory.mktemp("s3_project") / "project", kedro, steady_exchange.url)
    project.env = {
        "AWS_ACCESS_KEY_ID": s3_server.key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret,
        "AWS_ENDPOINT_URL": s3_server.endpoint,
        "MAKE_US_RICH_BUCKET": s3_server.make_bucket(),
        "MLFLOW_TRACKING_URI": f"sqlite:///{project.folder}/mlflow.db",
    }
    project.run("--env=production").ok()
    return project


@contextlib.contextmanager
def environment(project: Any) -> Iterator[None]:
    """The project's variables in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in project.env.items():
            patch.setenv(name, value)
        yield


def pointer(project: Any) -> bytes:
    """The champion pointer's bytes in the bucket."""
    with environment(project):
        dataset = open_catalog("production", project.folder).get("btc_usdt.champion")
        return dataset._fs.cat_file(str(dataset._filepath), max_concurrency=1)


def champion(project: Any) -> Any:
    """The champion in the bucket."""
    with environment(project):
        return load_champion(open_catalog("production", project.folder), "btc_usdt")


def give_up_lease(project: Any) -> None:
    """What a run that lost its store could not do; else the next one would wait until the lease is stale."""
    with environment(project):
        dataset = open_catalog("production", project.folder).get("btc_usdt.champion")
    lease = f"{project.env['MAKE_US_RICH_BUCKET']}/.locks/btc_usdt.json"
    with contextlib.suppress(FileNotFoundError):
        dataset._fs.rm_file(lease)


@pytest.fixture
def untouched(production: Any) -> Iterator[None]:
    """After the test, what was served before it is served still."""
    before, version = pointer(production), champion(production).manifest.version
    healthy = dict(production.env)
    yield
    production.env = healthy
    give_up_lease(production)
    assert pointer(production) == before
    assert champion(production).manifest.version == version


def test_a_run_publishes_to_the_bucket_and_the_catalog_predicts_from_it(s3_project: Any) -> None:
    with environment(s3_project):
        catalog = open_catalog("production", s3_project.folder)
        forecast = load_champion(catalog, "btc_usdt").forecast(catalog.load("btc_usdt.klines"))
        root = open_config("production", s3_project.folder)["globals"]["root"]
    assert forecast.pair == "btc_usdt"
    assert root == f"s3://{s3_project.env['MAKE_US_RICH_BUCKET']}"
    assert not (s3_project.folder / "data").exists(), "nothing but MLflow's store is on this disk"


def test_champions_and_rollback_work_on_a_bucket(production: Any) -> None:
    first = champion(production).manifest.version
    production.run("--env=production", "--tags=exporting").ok()
    second = champion(production).manifest.version
    assert second > first
    assert second in production.start("champions", "--env=production").ok().output
    production.start("rollback", "btc_usdt", "--env=production").ok()
    assert champion(production).manifest.version == first


def test_a_second_run_is_judged_beside_the_champion_in_the_bucket_and_both_verdicts_are_kept(production: Any) -> None:
    before, served = pointer(production), champion(production)
    done = production.run("--env=production").ok()
    assert f"it is being served already; still serving {served.manifest.version}" in done.errors
    assert pointer(production) == before
    with environment(production):
        catalog = open_catalog("production", production.folder)
        verdicts = catalog.load("btc_usdt.stored_verdicts")
        newest = catalog.load("btc_usdt.card_text", version=verdicts["version"].iloc[-1])
    assert verdicts["version"].nunique() == 2
    assert "**Not published.**" in newest
    assert champion(production).widths.version == served.manifest.version


WRONG = [
    ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "the store refuses the access key or its secret; correct the credentials"),
    ({"AWS_ACCESS_KEY_ID": "nobody"}, "the store refuses the access key or its secret; correct the credentials"),
    ({"MAKE_US_RICH_BUCKET": "not-there"}, "the bucket does not exist; create it"),
    ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "the store does not answer; start it or correct its address"),
    ({"AWS_ACCESS_KEY_ID": ""}, "environment variable AWS_ACCESS_KEY_ID is not set"),
]


@pytest.mark.parametrize(("change", "words"), WRONG, ids=["secret", "key", "bucket", "down", "unset"])
@pytest.mark.usefixtures("untouched")
def test_a_store_that_cannot_be_used_is_told_before_any_node_runs(
    production: Any, change: dict[str, str], words: str
) -> None:
    production.env |= change
    command = production.run("--env=production")
    line = command.error()
    assert words in line, line
    assert not command.nodes
    secret = production.env["AWS_SECRET_ACCESS_KEY"]
    assert secret not in command.errors.replace("AWS_SECRET_ACCESS_KEY", "")
    with environment(production), pytest.raises(Exception, match=words.split(";")[0]) as caught:
        load_champion(open_catalog("production", production.folder), "btc_usdt")
    assert "Error" in type(caught.value).__name__


class Way:
    """A way to a server that can be closed for good."""

    def __init__(self, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._target, self._open, self._ends = port, True, list[socket.socket]()
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while self._open:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._ends += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._relay, args=ends, daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65_536):
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """From now on nothing answers."""
        self._open = False
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def way(s3_server: Any) -> Iterator[Way]:
    """A way to the S3 server."""
    opened = Way(int(s3_server.endpoint.rpartition(":")[2]))
    yield opened
    opened.close()


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["fetching", "training", "exporting"])
@pytest.mark.usefixtures("untouched")
def test_a_server_that_stops_half_way_is_told_and_the_champion_stays(production: Any, way: Way, stage: str) -> None:
    production.env["AWS_ENDPOINT_URL"] = way.address
    command = production.run("--env=production")
    while command.running and not any(f".{stage}." in node for node in command.nodes):
        time.sleep(0.005)
    way.close()
    line = command.error()
    assert "the store" in line
    assert production.env["MAKE_US_RICH_BUCKET"] in line


@pytest.mark.slow
@pytest.mark.usefixtures("untouched")
def test_a_request_that_breaks_half_way_is_told_and_the_champion_stays(production: Any, half_way: str) -> None:
    production.env["AWS_ENDPOINT_URL"] = half_way
    line = production.run("--env=production", pipeline="btc_usdt", history_days=120).error()
    assert "the store" in line


def test_a_catalog_of_a_server_that_is_down_says_so(production: Any) -> None:
    production.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    with environment(production), pytest.raises(StorageError, match="does not answer"):
        load_champion(open_catalog("production", production.folder), "btc_usdt")


def test_mlflow_that_cannot_be_reached_is_told_in_one_line(production: Any, tmp_path: Path) -> None:
    production.env |= {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    line = production.run("--env=production").error()
    assert "MLflow" in line
    assert "MLFLOW_TRACKING_URI" in line
