"""The workflows parse, name what exists, and may do no more than they need."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

REPO = Path(__file__).resolve().parents[2]
FILES = sorted((REPO / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (REPO / "Makefile").read_text()


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


def steps_of(file: Path) -> list[dict[str, Any]]:
    return [step for job in read(file)["jobs"].values() for step in job["steps"]]


def test_there_is_one_for_tests_one_for_the_docs_and_one_for_the_package() -> None:
    assert [file.stem for file in FILES] == ["docs", "release", "tests"]


def test_each_keeps_to_the_schema_of_workflows() -> None:
    command = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", "vendor.github-workflows"]
    checked = subprocess.run([*command, *map(str, FILES)], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_actions_are_pinned_by_version(file: Path) -> None:
    used = [step["uses"] for step in steps_of(file) if "uses" in step]

    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", action) for action in used), used


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_they_run_exists(file: Path) -> None:
    for line in "\n".join(step["run"] for step in steps_of(file) if "run" in step).splitlines():
        program, *arguments = line.split()
        if program == "make":
            assert re.search(rf"^{arguments[0]}:", MAKEFILE, re.MULTILINE), line
        elif program.startswith("."):
            assert (REPO / program).stat().st_mode & 0o100, line


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_may_be_written_unless_a_job_says_so(file: Path) -> None:
    assert read(file)["permissions"] == {"contents": "read"}


def test_the_package_is_published_without_a_password() -> None:
    file = REPO / ".github" / "workflows" / "release.yml"

    assert read(file)["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert "secrets." not in file.read_text()


def test_the_tests_are_those_of_any_machine() -> None:
    assert ".ci/run" in [step.get("run") for step in steps_of(REPO / ".github" / "workflows" / "tests.yml")]
