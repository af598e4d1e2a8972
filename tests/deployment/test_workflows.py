"""The workflows and what else GitHub reads: they parse, name what exists, and may do no more than they need."""

import json
import re
import tomllib
from typing import Any

import check_jsonschema
import pytest
import yaml
from click.testing import CliRunner

from synthetic import REPO

FILES = sorted((REPO / ".github" / "workflows").glob("*.yml"))
WORKFLOWS: dict[str, Any] = {file.stem: yaml.safe_load(file.read_text()) for file in FILES}


def steps_of(name: str) -> list[dict[str, Any]]:
    return [step for job in WORKFLOWS[name]["jobs"].values() for step in job["steps"]]


SCHEMAS = {
    "github-workflows": ".github/workflows/*.yml",
    "dependabot": ".github/dependabot.yml",
    "github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
    "citation-file-format": "CITATION.cff",
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_each_keeps_to_its_schema(schema: str) -> None:
    files = sorted(map(str, REPO.glob(SCHEMAS[schema])))
    # A file of citations is YAML by another ending.
    options = ["--force-filetype", "yaml", "--builtin-schema", f"vendor.{schema}"]
    checked = CliRunner().invoke(check_jsonschema.main, [*options, *files])

    assert files
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_and_may_only_read_and_what_they_run_exists(name: str) -> None:
    used = re.findall(r"uses: (.+)", (REPO / ".github" / "workflows" / f"{name}.yml").read_text())
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    assert used
    # By content, with the version for who reads it.
    pinned = r"[\w-]+/[\w-]+(/\w+)?@[0-9a-f]{40} # v\d+\.\d+\.\d+"
    assert [action for action in used if not re.fullmatch(pinned, action)] == []

    for line in "\n".join(step.get("run", "") for step in steps_of(name)).split("\n"):
        if line.startswith("make "):
            assert re.search(rf"^{line.split()[1]}:", (REPO / "Makefile").read_text(), re.MULTILINE), line
        elif line.startswith("."):
            assert (REPO / line.split()[0]).stat().st_mode & 0o100, line


def test_the_package_is_published_without_a_password_and_the_tests_are_those_of_any_machine() -> None:
    release = WORKFLOWS["release"]["jobs"]
    assert release["publish"]["permissions"] == {"id-token": "write"}
    assert not any("secrets." in file.read_text() for file in FILES)
    assert ".ci/run" in [step.get("run") for step in steps_of("tests")]


def test_versions_and_paths_of_the_other_files_are_those_of_the_project() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((REPO / "CITATION.cff").read_text())
    hooks = yaml.safe_load((REPO / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    container = json.loads((REPO / ".devcontainer" / "devcontainer.json").read_text())
    pythons = WORKFLOWS["tests"]["jobs"]["tests"]["strategy"]["matrix"]["python"]

    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in hooks} == {"ruff", "mypy", "lint-imports"}
    assert (REPO / container["postCreateCommand"].split()[1]).stat().st_mode & 0o100
    assert [version.rpartition(".")[0] for version in pythons] == [
        each.rpartition(" ")[2] for each in project["classifiers"] if "Python ::" in each
    ]
    folders = yaml.safe_load((REPO / ".github" / "dependabot.yml").read_text())["updates"][-1]["directories"]
    assert all(list(REPO.glob(f".{folder}/Dockerfile")) for folder in folders)
