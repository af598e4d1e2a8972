"""docker-compose.yml: no default secret, API and interface open and nothing else, every variable explained."""

import re
from typing import Any

import check_jsonschema
import pytest
import yaml
from click.testing import CliRunner

from synthetic import REPO

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
EXAMPLE = dict(re.findall(r"^(\w+)=(.*)$", (REPO / ".env.example").read_text(), re.MULTILINE))


def test_the_example_has_every_variable_with_its_default_and_no_secret_has_one() -> None:
    production = "".join(file.read_text() for file in (REPO / "conf" / "production").glob("*.yml"))
    assert {name for name, _, _ in USED} | set(re.findall(r"\$\{oc\.env:(\w+)", production)) <= set(EXAMPLE)
    assert {EXAMPLE[name] for name in (*SECRETS, "PGADMIN_PASSWORD")} == {""}
    defaults = {name: value for name, operator, value in USED if operator == ":-"}
    assert defaults == {name: EXAMPLE[name] for name in defaults}
    secret = {(name, operator, text) for name, operator, text in USED if name in SECRETS or "PASS" in name}
    needed = {(name, ":?", "set it in .env") for name in SECRETS}
    # A variable of a profile that is not asked for must not stop the others; pgAdmin refuses an empty one itself.
    assert secret == {*needed, ("PGADMIN_PASSWORD", ":-", "")}


def test_only_the_api_and_the_interface_are_open() -> None:
    opened = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(opened) == {"api", "interface", "grafana", "pgadmin"}
    assert (SERVICES["pgadmin"]["profiles"], SERVICES["grafana"]["profiles"]) == (["pgadmin"], ["observability"])
    assert all(port.startswith("127.0.0.1:") for name in ("grafana", "pgadmin") for port in opened.pop(name))
    assert all(port.startswith("${BIND_ADDRESS:-127.0.0.1}:") for ports in opened.values() for port in ports)

    developers = yaml.safe_load(DEVELOPMENT.read_text())["services"]
    assert set(developers) <= set(SERVICES)
    assert all(port.startswith("127.0.0.1:") for service in developers.values() for port in service["ports"])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_service_can_write_nowhere_and_gain_nothing_and_is_restarted(name: str) -> None:
    service = SERVICES[name]
    if name not in ONCE:
        assert service["restart"] == "unless-stopped"
        assert (
            service.get("healthcheck", {}).get("test")
            or "\nHEALTHCHECK " in (REPO / service["build"]["dockerfile"]).read_text()
        )
    if name != "pgadmin":
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "/tmp" in service["tmpfs"]
        # minio-volume hands a new volume over to a user that is not root; it sees nothing else. pgAdmin's is not root.
        assert name in {*OURS, "minio-volume"} or service["user"] not in ("", "0", "root")


def test_it_keeps_to_the_specification_of_compose() -> None:
    files = [str(REPO / "docker-compose.yml"), str(DEVELOPMENT)]
    checked = CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", "vendor.compose-spec", *files])
    assert checked.exit_code == 0, checked.output
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert mounted == set(COMPOSE["volumes"])
    configs = {each["source"] for service in SERVICES.values() for each in service.get("configs", [])}
    assert configs == set(COMPOSE["configs"])
    assert all((REPO / each["file"]).is_file() for each in COMPOSE["configs"].values() if "file" in each)


def test_images_are_pinned_and_ours_have_the_version_of_the_package() -> None:
    tags = {name: service["image"].rsplit(":", 1)[1] for name, service in SERVICES.items()}
    assert [name for name, tag in tags.items() if not re.search(r"\d+\.\d+|RELEASE\.\d{4}", tag)] == []

    pins = dict(re.findall(r"^(\S+)==(\S+)", (REPO / "requirements.txt").read_text(), re.MULTILINE))
    (version,) = re.findall(r'^version = "(.+)"$', (REPO / "pyproject.toml").read_text(), re.MULTILINE)
    ours = {f"make-us-rich/{name}:{version}" for name in ("api", "interface", "trainer")}
    (release,) = re.findall(r"ReleaseTag=(\S+)", (REPO / "deploy/minio/Dockerfile").read_text())
    others = {f"make-us-rich/mlflow:{pins['mlflow']}", f"make-us-rich/minio:{release}"}
    assert {SERVICES[name]["image"] for name in OURS} == ours | others
