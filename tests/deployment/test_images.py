"""The Dockerfiles: what a linter finds, and what it does not look for; and the lock of what they install."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from synthetic import REPO

WANTED = {
    "serving": "--extra serving",
    "interface": "--extra interface",
    "deploy/trainer": "--extra training --extra cluster",
    "deploy/mlflow": "--group mlflow-server",
}
IGNORED = (REPO / ".dockerignore").read_text().splitlines()


def test_hadolint_finds_nothing() -> None:
    files = [REPO / folder / "Dockerfile" for folder in (*WANTED, "deploy/minio")]
    hadolint = Path(sys.executable).with_name("hadolint")
    checked = subprocess.run([hadolint, *files], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("folder", WANTED)
def test_it_is_built_in_two_stages_with_tested_versions_and_runs_without_rights(folder: str) -> None:
    dockerfile = (REPO / folder / "Dockerfile").read_text()
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11\.\d+-slim-bookworm$", dockerfile, re.MULTILINE)
    assert re.findall(r"^FROM (.+)$", dockerfile, re.MULTILINE) == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]
    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == ["10001:10001"]
    assert len(re.findall(r"^HEALTHCHECK ", dockerfile, re.MULTILINE)) == 1

    # New sources do not install the dependencies again.
    before, _, after = dockerfile.partition("COPY src src\n")
    assert "--require-hashes" in before
    assert "--constraint requirements.txt" in before
    assert "--constraint" not in after
    assert " ".join(re.findall(r"--extra \w+|--group [\w-]+", before)) == WANTED[folder]

    # What reads the catalog has its configuration.
    assert folder == "deploy/mlflow" or {"COPY pyproject.toml ./", "COPY conf conf"} <= set(dockerfile.splitlines())
    assert folder == "deploy/mlflow" or "KEDRO_ENV=production" in dockerfile

    # What it copies exists and is let into the context.
    let_in = {line[1:] for line in IGNORED if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (REPO / source).exists(), source
            assert source.split("/")[0] in let_in, source


def test_what_is_let_into_the_context_holds_no_secret() -> None:
    assert IGNORED[1] == "*"
    assert "conf/local/*" in IGNORED
    assert not any(line.startswith("!.env") or line == "!data" for line in IGNORED)


TEXT = (REPO / "requirements.txt").read_text()
LEFT_OUT = {"torch", "make-us-rich"}
LOCKED = dict(re.findall(r"^([\w.-]+)==(\S+)", TEXT, re.MULTILINE))


def test_every_dependency_is_locked_within_its_range() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["mlflow-server"]]
    asked += [line for extra in project["project"]["optional-dependencies"].values() for line in extra]
    wanted = {
        canonicalize_name(each.name): each.specifier for each in map(Requirement, asked) if each.name not in LEFT_OUT
    }

    assert [name for name in wanted if name not in LOCKED] == [], "call make lock"
    assert [name for name, versions in wanted.items() if LOCKED[name] not in versions] == [], "call make lock"
