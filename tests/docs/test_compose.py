"""docker-compose.yml: no default secret, nothing open to other machines, every variable explained."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REPO = Path(__file__).resolve().parents[2]
TEXT = (REPO / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
# A doubled dollar is the container's own variable.
USED = re.findall(r"(?<!\$)\$\{(\w+)(:?[-?])?([^}]*)\}", TEXT)
SECRETS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "POSTGRES_PASSWORD"}


def example() -> dict[str, str]:
    lines = (REPO / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_variable_is_in_the_example() -> None:
    assert {name for name, _, _ in USED} <= set(example())


def test_no_secret_has_a_default() -> None:
    secret = {name: operator for name, operator, _ in USED if name in SECRETS or "SECRET" in name or "PASS" in name}
    assert set(secret) == SECRETS
    assert set(secret.values()) == {":?"}


def test_the_example_has_no_usable_secret() -> None:
    assert {name: example()[name] for name in SECRETS} == dict.fromkeys(SECRETS, "")


def test_every_default_is_the_one_in_the_example() -> None:
    defaults = {name: value for name, operator, value in USED if operator == ":-"}
    assert defaults == {name: example()[name] for name in defaults}


def test_the_example_names_what_production_reads() -> None:
    files = (REPO / "conf" / "production").glob("*.yml")
    needed = {name for file in files for name in re.findall(r"\$\{oc\.env:(\w+)", file.read_text())}
    assert needed
    assert needed <= set(example())


def test_ports_are_open_to_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "bucket"])
def test_service_is_restarted_and_has_a_health_check(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_image_is_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].rsplit(":", 1)[1]
    assert re.search(r"\d+\.\d+|RELEASE\.\d{4}", tag)


def test_services_wait_for_services_that_exist() -> None:
    for service in SERVICES.values():
        for name, condition in service.get("depends_on", {}).items():
            needs_check = condition["condition"] == "service_healthy"
            assert name in SERVICES
            assert not needs_check or "healthcheck" in SERVICES[name]


def test_named_volumes_are_declared() -> None:
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert mounted == set(COMPOSE["volumes"])


def test_mlflow_in_the_image_is_the_one_that_is_tested() -> None:
    pins = dict(line.split("==") for line in (REPO / "constraints.txt").read_text().splitlines() if "==" in line)
    built = SERVICES["mlflow"]["build"]["dockerfile_inline"]
    assert f":v{pins['mlflow']}" in built
    assert all(f"{name}=={pins[name]}" in built for name in ("psycopg2-binary", "boto3"))
