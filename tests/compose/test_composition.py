"""``make test-compose``: images are built, everything comes up, a pair is trained into the store and predicted."""

import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from composition import Composition, up, wheels_served
from engine import install, make_base, started

FOLDER = os.environ.get("MAKE_US_RICH_ENGINE")
REPO = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((REPO / "docker-compose.yml").read_text())
RUNBOOK = (REPO / "docs" / "operations.md").read_text()
STAYING = sorted(
    name for name, each in COMPOSE["services"].items() if each["restart"] == "unless-stopped" and "profiles" not in each
)

pytestmark = [
    pytest.mark.skipif(FOLDER is None, reason="takes 25 minutes and 15 GB of disk: make test-compose"),
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("apt-get") is None, reason="starts an engine: root on Debian"),
    pytest.mark.timeout(7200),
]


@pytest.fixture(scope="module")
def composition() -> Iterator[Composition]:
    """Everything, up."""
    assert FOLDER is not None
    folder = Path(FOLDER)
    engine = install(folder)
    with started(engine), wheels_served(folder) as pip_conf:
        make_base(engine, Path(sys.executable).with_name("weed"))
        with up(Composition(engine, pip_conf)) as running:
            yield running


@pytest.fixture(scope="module")
def token(composition: Composition) -> str:
    """Somebody's API token, once a model is loaded: the trainer has trained the pair into the S3 service by then."""
    composition.wait_for(f"{composition.api}/readyz", seconds=1200)
    account = {"name": "ada", "password": "engine-of-1843"}
    registered = httpx.post(f"{composition.api}/api/v1/register", json=account, timeout=30)
    assert registered.status_code == 201, registered.text
    made: str = registered.json()["api_token"]
    return made


def commands(heading: str, page: str = RUNBOOK) -> list[str]:
    """The lines for compose below a heading of the documentation, without comments."""
    section = page.replace("\\\n", " ").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    assert blocks, heading
    lines = [line.removeprefix("$ ").split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if "docker compose" in line]


def predict(composition: Composition, token: str) -> httpx.Response:
    pair = {"currency": "btc", "compare": "usdt"}
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{composition.api}/api/v1/predict", params=pair, headers=headers, timeout=30)


def test_a_pair_that_was_trained_into_the_store_is_predicted(composition: Composition, token: str) -> None:
    answer = predict(composition, token)

    assert answer.status_code == 200, answer.text
    assert len(answer.json()["forecast"]["quantiles"]) == 24


def test_the_interface_answers_and_reads_the_catalog(composition: Composition, token: str) -> None:
    assert composition.wait_for(f"{composition.interface}/_stcore/health").status_code == 200
    read = "from interface import catalog_reader; print(catalog_reader.champion('btc_usdt').version)"
    version = composition.compose("exec", "-T", "interface", "python", "-c", read).split()[-1]
    assert version == predict(composition, token).json()["forecast"]["version"]


def test_runs_are_recorded_on_the_mlflow_server(composition: Composition, token: str) -> None:
    ask = "import mlflow; print(len(mlflow.search_runs(search_all_experiments=True)))"

    assert int(composition.compose("exec", "-T", "trainer", "python", "-c", ask).split()[-1]) >= 1


def test_runs_that_are_marked_as_deleted_can_be_deleted_for_good(composition: Composition, token: str) -> None:
    mark = (
        "import mlflow;"
        " ended = mlflow.search_runs(search_all_experiments=True, filter_string=\"attributes.status = 'FINISHED'\");"
        " mlflow.delete_run(ended.run_id[0]); print(ended.run_id[0])"
    )
    run = composition.compose("exec", "-T", "trainer", "python", "-c", mark).split()[-1]
    collect = "mlflow gc --backend-store-uri=postgresql+psycopg2://make_us_rich@postgres/mlflow"

    assert f"{run} has been permanently deleted" in composition.compose("exec", "-T", "mlflow-gc", "sh", "-c", collect)
    assert "0 runs older than" in composition.compose("exec", "-T", "trainer", "kedro", "prune")


def test_only_the_api_and_the_interface_are_open(composition: Composition) -> None:
    opened = composition.engine.docker("ps", "--format", "{{.Names}} {{.Ports}}")
    mapped = [line.split()[0] for line in opened.splitlines() if "->" in line]

    assert sorted(name.split("-")[-2] for name in mapped) == ["api", "interface"]


def test_nobody_is_root(composition: Composition) -> None:
    for service in STAYING:
        assert composition.compose("exec", "-T", service, "id", "-u").strip() != "0", service


def forecast(composition: Composition, token: str) -> dict[str, object]:
    answer = predict(composition, token)
    assert answer.status_code == 200, answer.text
    made = answer.json()["forecast"]
    return {name: made[name] for name in ("version", "issued_at", "quantiles")}


def test_an_alert_is_sent_to_the_addresses_of_the_owner(composition: Composition, token: str) -> None:
    composition.compose("stop", "api")
    found = composition.compose("exec", "-T", "trainer", "kedro", "check")
    composition.compose("start", "api")
    composition.wait_for(f"{composition.api}/readyz")

    assert "api_not_ready" in found
    assert "the API at http://api:8000 does not answer" in composition.compose("logs", "sink")


@pytest.mark.parametrize("heading", ["How is it?", "Upgrade"])
def test_the_commands_of_the_runbook_work(composition: Composition, token: str, heading: str, tmp_path: Path) -> None:
    for line in commands(heading):
        composition.type(line, tmp_path)

    composition.wait_for(f"{composition.api}/readyz")
    assert predict(composition, token).status_code == 200


def test_after_backup_wipe_and_restore_forecasts_and_accounts_are_the_same(
    composition: Composition, token: str, tmp_path: Path
) -> None:
    before = forecast(composition, token)
    for line in commands("Back up"):
        composition.type(line, tmp_path)

    composition.compose("down", "--volumes", "--timeout", "20")
    for line in commands("Restore"):
        composition.type(line, tmp_path)

    composition.wait_for(f"{composition.api}/readyz")
    assert forecast(composition, token) == before


def test_secrets_are_rotated(composition: Composition, token: str, tmp_path: Path) -> None:
    rotated = secrets.token_hex(20)
    line = next(line for line in re.findall(r"`(docker compose exec postgres psql.+?)`", RUNBOOK))
    composition.type(line.replace("…", rotated), tmp_path)
    composition.variables |= {"POSTGRES_PASSWORD": rotated, "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20)}

    composition.type("docker compose up --detach --wait", tmp_path)

    composition.wait_for(f"{composition.api}/readyz")
    assert predict(composition, token).status_code == 200


@pytest.mark.parametrize("service", STAYING)
def test_a_container_that_is_killed_comes_back_and_predicting_goes_on(
    composition: Composition, token: str, service: str
) -> None:
    restarts = composition.state(service)["RestartCount"]

    composition.kill(service)
    composition.wait_until_back(service, restarts)

    composition.wait_for(f"{composition.api}/readyz")
    assert predict(composition, token).status_code == 200


def test_pairs_run_on_the_cluster_that_is_documented(composition: Composition, token: str, tmp_path: Path) -> None:
    start, run = commands("On a cluster", (REPO / "docs" / "many-pairs.md").read_text())
    try:
        composition.type(start, tmp_path)
        output = composition.type(run, tmp_path)
    finally:
        composition.compose("--profile", "cluster", "rm", "--stop", "--force", "scheduler", "worker")

    assert re.search(r"^1 pairs, \d published; ", output, re.MULTILINE)
