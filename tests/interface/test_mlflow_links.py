"""Links to runs, from a server that answers as MLflow's REST API does."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from conftest import free_port
from interface import mlflow_links


class Experiments(BaseHTTPRequestHandler):
    """Knows one experiment, number 7."""

    def do_GET(self) -> None:
        known = self.path.endswith("experiments/get-by-name?experiment_name=make_us_rich")
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"experiment": {"experiment_id": "7"}}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mlflow() -> Iterator[str]:
    """Its address."""
    server = HTTPServer(("127.0.0.1", 0), Experiments)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_run_is_found_by_its_version(mlflow: str) -> None:
    assert mlflow_links.run_link(mlflow, "v1") == (
        f"{mlflow}/#/experiments/7/runs?searchFilter=tags.version%20%3D%20%22v1%22"
    )


def test_where_mlflow_does_not_answer_the_link_is_to_its_front() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert mlflow_links.run_link(url, "v1") == url


@pytest.mark.parametrize(("value", "url"), [("http://here:5000/", "http://here:5000"), ("", None), (None, None)])
def test_the_operator_sets_the_address(monkeypatch: pytest.MonkeyPatch, value: str | None, url: str | None) -> None:
    monkeypatch.delenv(mlflow_links.VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(mlflow_links.VARIABLE, value)
    assert mlflow_links.mlflow_url() == url
