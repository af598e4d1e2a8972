"""docker-compose.yml: no default secret, API and interface open and nothing else, every variable explained."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

REPO = Path(__file__).resolve().parents[2]
TEXT = (REPO / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
DEVELOPMENT = REPO / "docker-compose.development.yml"
ONCE = {name for name, service in SERVICES.items() if service["restart"] == "no"}
"""Services that do something and end."""
OURS = {name for name, service in SERVICES.items() if "build" in service}
# A doubled dollar is the container's own variable.
USED = re.findall(r"(?<!\$)\$\{(\w+)(:?[-?])?([^}]*)\}", TEXT + DEVELOPMENT.read_text())
SECRETS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "POSTGRES_PASSWORD"}


def example() -> dict[str, str]:
    lines = (REPO / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_variable_is_in_the_example() -> None:
    assert {name for name, _, _ in USED} <= set(example())


def test_no_secret_has_a_default() -> None:
    secret = {(name, operator, text) for name, operator, text in USED if name in SECRETS or "PASS" in name}
    needed = {(name, ":?", "set it in .env") for name in SECRETS}
    # A variable of a profile that is not asked for must not stop the others; pgAdmin refuses an empty one itself.
    assert secret == {*needed, ("PGADMIN_PASSWORD", ":-", "")}


def test_the_example_has_no_usable_secret() -> None:
    secrets = {*SECRETS, "PGADMIN_PASSWORD"}
    assert {name: example()[name] for name in secrets} == dict.fromkeys(secrets, "")


def test_every_default_is_the_one_in_the_example() -> None:
    defaults = {name: value for name, operator, value in USED if operator == ":-"}
    assert defaults == {name: example()[name] for name in defaults}


def test_the_example_names_what_production_reads() -> None:
    files = (REPO / "conf" / "production").glob("*.yml")
    needed = {name for file in files for name in re.findall(r"\$\{oc\.env:(\w+)", file.read_text())}
    assert needed
    assert needed <= set(example())


def test_only_the_api_and_the_interface_are_open() -> None:
    opened = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(opened) == {"api", "interface", "pgadmin"}
    assert SERVICES["pgadmin"]["profiles"] == ["pgadmin"]
    assert all(port.startswith("127.0.0.1:") for port in opened.pop("pgadmin"))
    assert all(port.startswith("${BIND_ADDRESS:-127.0.0.1}:") for ports in opened.values() for port in ports)


def test_a_developers_ports_are_open_to_this_machine_only() -> None:
    services = yaml.safe_load(DEVELOPMENT.read_text())["services"]
    assert set(services) <= set(SERVICES)
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service["ports"])


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONCE))
def test_service_is_restarted_and_has_a_health_check(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    if name in OURS:
        text = (REPO / SERVICES[name]["build"]["dockerfile"]).read_text()
        assert re.search(r"^HEALTHCHECK ", text, re.MULTILINE)
    else:
        assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"pgadmin"}))
def test_service_can_write_nowhere_and_gain_nothing(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in service["tmpfs"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - OURS - {"pgadmin", "minio-volume"}))
def test_an_image_of_others_does_not_run_as_root(name: str) -> None:
    # minio-volume hands a new volume over to a user that is not root; it sees nothing else. pgAdmin's is not root.
    assert SERVICES[name]["user"] not in ("", "0", "root")


def test_it_keeps_to_the_specification_of_compose() -> None:
    command = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", "vendor.compose-spec"]
    files = [str(REPO / "docker-compose.yml"), str(DEVELOPMENT)]
    checked = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_image_is_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].rsplit(":", 1)[1]
    assert re.search(r"\d+\.\d+|RELEASE\.\d{4}", tag)


def test_services_wait_for_services_that_exist() -> None:
    for service in SERVICES.values():
        for name, condition in service.get("depends_on", {}).items():
            needs_check = condition["condition"] == "service_healthy"
            assert name in SERVICES
            assert not needs_check or "healthcheck" in SERVICES[name] or name in OURS
            assert (condition["condition"] == "service_completed_successfully") == (name in ONCE)


def test_the_trainer_knows_whom_to_tell_and_where_the_api_is() -> None:
    told = SERVICES["trainer"]["environment"]
    assert told["MAKE_US_RICH_ALERT_URLS"] == "${MAKE_US_RICH_ALERT_URLS:-}"
    assert told["MAKE_US_RICH_API_URL"] == "http://api:8000"


def test_named_volumes_are_declared() -> None:
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert mounted == set(COMPOSE["volumes"])


def test_our_images_have_the_version_of_the_package() -> None:
    pins = dict(line.split("==") for line in (REPO / "constraints.txt").read_text().splitlines() if "==" in line)
    version = re.search(r'^version = "(.+)"$', (REPO / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    tags = {SERVICES[name]["image"] for name in OURS}
    ours = {f"make-us-rich/{name}:{version[1]}" for name in ("api", "interface", "trainer")}
    assert tags == {*ours, f"make-us-rich/mlflow:{pins['mlflow']}"}
