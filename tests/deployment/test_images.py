"""The Dockerfiles: what a linter finds, and what it does not look for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
FILES = sorted(path for path in REPO.glob("*/Dockerfile"))
IDS = [path.parent.name for path in FILES]
COPIED = re.compile(r"^COPY (?!--from)(.+)$", re.MULTILINE)


@pytest.fixture(params=FILES, ids=IDS)
def dockerfile(request: pytest.FixtureRequest) -> Path:
    file: Path = request.param
    return file


def test_each_component_has_one() -> None:
    assert IDS == ["interface", "mlflow", "serving", "trainer"]


def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")

    checked = subprocess.run([str(hadolint), str(dockerfile)], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


def test_it_is_built_in_two_stages_from_a_pinned_base(dockerfile: Path) -> None:
    text = dockerfile.read_text()

    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11\.\d+-slim-bookworm$", text, re.MULTILINE)
    assert re.findall(r"^FROM (.+)$", text, re.MULTILINE) == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]


def test_it_installs_the_versions_that_are_tested(dockerfile: Path) -> None:
    assert "/venv/bin/pip install --quiet --constraint constraints.txt" in dockerfile.read_text()


def test_what_it_needs_is_not_installed_again_for_new_sources(dockerfile: Path) -> None:
    build = dockerfile.read_text().partition("COPY src src\n")

    assert "--constraint constraints.txt" in build[0]
    assert "--constraint" not in build[2]


def test_it_runs_as_a_user_without_rights_and_says_how_it_is(dockerfile: Path) -> None:
    text = dockerfile.read_text()

    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["10001:10001"]
    assert len(re.findall(r"^HEALTHCHECK ", text, re.MULTILINE)) == 1


def test_what_it_copies_exists_and_is_let_into_the_context(dockerfile: Path) -> None:
    let_in = {line[1:] for line in (REPO / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in COPIED.findall(dockerfile.read_text()):
        *sources, _target = line.split()
        for source in sources:
            assert (REPO / source).exists(), source
            assert source.split("/")[0] in let_in, source


def test_what_is_let_into_the_context_holds_no_secret() -> None:
    ignored = (REPO / ".dockerignore").read_text().splitlines()

    assert ignored[1] == "*"
    assert "conf/local/*" in ignored
    assert not any(line.startswith("!.env") or line == "!data" for line in ignored)


def test_the_image_that_serves_has_nothing_that_trains() -> None:
    assert '".[serving]"' in (REPO / "serving" / "Dockerfile").read_text()
    assert '".[interface]"' in (REPO / "interface" / "Dockerfile").read_text()
    assert '".[training,cluster]"' in (REPO / "trainer" / "Dockerfile").read_text()
