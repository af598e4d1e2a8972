"""``make test-compose``: images are built, everything comes up, a pair is trained into the store and predicted."""

import os
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
COMPOSE = yaml.safe_load((Path(__file__).resolve().parents[2] / "docker-compose.yml").read_text())
STAYING = sorted(
    name for name, each in COMPOSE["services"].items() if each["restart"] == "unless-stopped" and "profiles" not in each
)

pytestmark = [
    pytest.mark.skipif(FOLDER is None, reason="takes half an hour and 15 GB of disk: make test-compose"),
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


def predict(composition: Composition, token: str) -> httpx.Response:
    pair = {"currency": "btc", "compare": "usdt"}
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{composition.api}/api/v1/predict", params=pair, headers=headers, timeout=30)


def test_a_pair_that_was_trained_into_the_store_is_predicted(composition: Composition, token: str) -> None:
    answer = predict(composition, token)

    assert answer.status_code == 200, answer.text
    assert len(answer.json()["forecast"]["quantiles"]) == 24


def test_the_interface_answers(composition: Composition) -> None:
    assert composition.wait_for(f"{composition.interface}/_stcore/health").status_code == 200


def test_runs_are_recorded_on_the_mlflow_server(composition: Composition, token: str) -> None:
    ask = "import mlflow; print(len(mlflow.search_runs(search_all_experiments=True)))"

    assert int(composition.compose("exec", "-T", "trainer", "python", "-c", ask).split()[-1]) >= 1


def test_only_the_api_and_the_interface_are_open(composition: Composition) -> None:
    opened = composition.engine.docker("ps", "--format", "{{.Names}} {{.Ports}}")
    mapped = [line.split()[0] for line in opened.splitlines() if "->" in line]

    assert sorted(name.split("-")[-2] for name in mapped) == ["api", "interface"]


def test_nobody_is_root(composition: Composition) -> None:
    for service in STAYING:
        assert composition.compose("exec", "-T", service, "id", "-u").strip() != "0", service


@pytest.mark.parametrize("service", STAYING)
def test_a_container_that_is_killed_comes_back_and_predicting_goes_on(
    composition: Composition, token: str, service: str
) -> None:
    restarts = composition.state(service)["RestartCount"]

    composition.kill(service)
    composition.wait_until_back(service, restarts)

    composition.wait_for(f"{composition.api}/readyz")
    assert predict(composition, token).status_code == 200
