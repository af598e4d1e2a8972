"""Environments differ only in globals, credentials and mlflow; base needs no secret and no server."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

CONF = Path(__file__).resolve().parents[2] / "conf"
ENVIRONMENTS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name not in ("base", "local"))
BASE = sorted((CONF / "base").glob("*.yml"))
SECRET = re.compile(r"(key|secret|password|token)\b\s*:\s*[^\s#]", re.IGNORECASE)


def test_there_are_the_specifications_environments() -> None:
    assert ENVIRONMENTS == ["demo", "production"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_overrides_only_globals_credentials_and_mlflow(environment: str) -> None:
    files = {path.name for path in (CONF / environment).rglob("*") if path.is_file()}

    # The last one is a demo's own, and git ignores it.
    assert files <= {"globals.yml", "credentials.yml", "mlflow.yml", "parameters_pairs.yml"}


@pytest.mark.parametrize("file", BASE, ids=lambda path: path.name)
def test_base_reads_no_variable_of_the_environment(file: Path) -> None:
    assert "oc.env" not in file.read_text()


@pytest.mark.parametrize("file", BASE, ids=lambda path: path.name)
def test_base_holds_no_secret(file: Path) -> None:
    assert not SECRET.search(file.read_text())


def test_bases_credentials_are_empty() -> None:
    assert yaml.safe_load((CONF / "base/credentials.yml").read_text()) == {"storage": {}, "exchange": {}}


def test_base_names_no_server_but_the_public_exchange() -> None:
    addresses = {
        address for file in BASE for address in re.findall(r"(?:https?|s3|postgresql)://[^\s\"']*", file.read_text())
    }

    assert addresses == {"https://api.binance.com"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environments_secrets_come_from_variables(environment: str) -> None:
    for file in (CONF / environment).glob("*.yml"):
        for line in filter(SECRET.search, file.read_text().splitlines()):
            assert "${oc.env:" in line, f"{file.name}: {line}"


def test_a_developers_own_configuration_is_not_committed() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "conf/local"], cwd=CONF.parent, capture_output=True, text=True, check=False
    )

    assert listed.stdout.split() in (["conf/local/.gitkeep"], [])
