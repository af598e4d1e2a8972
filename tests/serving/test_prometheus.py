"""A real Prometheus loads the deployed rules, scrapes the API and answers the dashboard's queries."""

import shutil
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import yaml

from live_files import write_live
from network import free_port, wait_until
from processes import NOW, REPO, ApiProcess, ServerProcess, published_api

from .routes.test_observability import QUERIES, RULES

pytestmark = pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed")


class Prometheus(ServerProcess):
    module = "prometheus"
    alive = "/-/ready"

    @property
    def command(self) -> list[str]:
        files = [f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data"]
        return ["prometheus", *files, f"--web.listen-address=127.0.0.1:{self.port}"]

    def get(self, path: str, **query: str) -> dict[str, object]:
        data: dict[str, object] = self.wait(f"/api/v1/{path}?{urlencode(query)}").json()["data"]
        return data


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    folder = tmp_path_factory.mktemp("prometheus") / "project"
    with published_api(folder, prepare=lambda project: write_live(project, NOW)) as api:
        yield api


@pytest.fixture(scope="module")
def prometheus(api: ApiProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It runs the deployed configuration, thirty times as often, on the API of the test."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((REPO / "deploy/prometheus/prometheus.yml").read_text())
    config["global"] = dict.fromkeys(config["global"], "1s")
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [api.url.removeprefix("http://")]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(REPO / "deploy/prometheus/rules.yml", folder)
    server = Prometheus(folder, free_port(), {}).start()
    try:
        wait_until(lambda: server.get("query", query="up == 1")["result"])
        yield server
    finally:
        server.stop()


def test_every_query_of_the_dashboard_has_an_answer(api: ApiProcess, prometheus: Prometheus) -> None:
    api.wait("/api/v1/pairs")

    def unanswered() -> list[str]:
        return [query for query in QUERIES if not prometheus.get("query", query=query)["result"]]

    # The test's model has no conformal scales. A rate takes two scrapes.
    wait_until(lambda: unanswered() == ['make_us_rich_backtest_coverage_80{pair=~".*"}'])


def test_rules_are_evaluated_and_a_stopped_api_raises_its_alert(api: ApiProcess, prometheus: Prometheus) -> None:
    def rules() -> dict[str, dict[str, str]]:
        (group,) = prometheus.get("rules")["groups"]
        return {rule["name"]: rule for rule in group["rules"]}

    wait_until(lambda: {rule["health"] for rule in rules().values()} == {"ok"})
    assert rules().keys() == {rule["alert"] for rule in RULES}
    assert rules()["ApiDown"]["state"] == "inactive"
    api.stop()
    wait_until(lambda: rules()["ApiDown"]["state"] == "pending")
