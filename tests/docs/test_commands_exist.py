"""What the pages ask a reader to type exists, and what they link is there."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from make_us_rich.models.registry import TrainingParameters
from make_us_rich.pipeline_registry import STAGES

REPO = Path(__file__).resolve().parents[2]
OUTSIDE = [REPO / "README.md", REPO / "CONTRIBUTING.md", REPO / "CHANGELOG.md"]
# The change log names what has been removed, too.
PAGES = [*OUTSIDE[:2], *sorted((REPO / "docs").rglob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)

BASE = REPO / "conf" / "base"

# Prose says "make sure" as well.
CODE = "\n".join(re.findall(r"```.*?\n(.*?)```", TEXT, re.DOTALL) + re.findall(r"`([^`\n]+)`", TEXT))


def told(pattern: str) -> list[str]:
    found = re.findall(pattern, CODE, re.MULTILINE)
    assert found, pattern
    return sorted({name for match in found for name in re.split(r"[,+ ]", match) if name})


def kedro_commands() -> set[str]:
    command = [Path(sys.executable).with_name("kedro"), "--help"]
    quiet = {**os.environ, "KEDRO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    shown = subprocess.run(command, cwd=REPO, env=quiet, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  ([a-z]+) ", shown, re.MULTILINE))


def namespaces() -> set[str]:
    pairs = yaml.safe_load((REPO / "conf" / "base" / "parameters.yml").read_text())["pairs"]
    return {f"{pair}.{stage}" for pair in pairs for stage in STAGES}


def flatten(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{path}{name}"
        if isinstance(value, dict):
            yield from flatten(value, f"{path}{name}.")


PARAMETERS = {key for file in BASE.glob("parameters*.yml") for key in flatten(yaml.safe_load(file.read_text()))}
SECTIONS = {key.partition(".")[0] for key in PARAMETERS if "." in key}


@pytest.mark.parametrize(
    ("pattern", "known"),
    [
        (
            r"^(?:\$ )?make ([a-z -]+?)(?:  | #|$)",
            lambda: re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(), re.MULTILINE),
        ),
        (r"\bkedro ([a-z]+)\b", kedro_commands),
        (r"--tags=([a-z,]+)", lambda: STAGES),
        (r"--namespaces=([a-z_.,]+)", namespaces),
        (r"[=,]architectures=([a-z_+]+)", TrainingParameters.names),
        (rf"(?<![\w./])((?:{'|'.join(SECTIONS)})(?:\.[a-z_]+)+)\b(?![./])", lambda: PARAMETERS),
        (r"\b(parameters_[a-z_]+\.yml)", lambda: [file.name for file in BASE.iterdir()]),
        (r"--env=([a-z]+)", lambda: [folder.name for folder in (REPO / "conf").iterdir()]),
    ],
    ids=["targets", "commands", "tags", "namespaces", "architectures", "parameters", "files", "environments"],
)
def test_what_a_reader_is_to_type_exists(pattern: str, known: Callable[[], Iterable[str]]) -> None:
    assert set(told(pattern)) <= set(known())


def test_the_page_about_configuration_lists_the_files_of_parameters() -> None:
    page = (REPO / "docs" / "configuration.md").read_text()
    (listed,) = re.findall(r"^\| `parameters_<stage>\.yml` \|(.*)", page, re.MULTILINE)
    files = {file.stem.removeprefix("parameters_") for file in BASE.glob("parameters_*.yml")}
    assert set(re.findall(r"`(\w+)`", listed)) == files


# Inside docs/ the strict build looks after links.
def test_links_lead_somewhere() -> None:
    for page in OUTSIDE:
        links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        local = [link for link in links if "://" not in link]
        assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_tree_is_that_of_the_package() -> None:
    listed = re.findall(r"^  ([a-z_]+(?:/|\.py)) ", (REPO / "README.md").read_text(), re.MULTILINE)
    assert listed
    assert [name for name in listed if not (REPO / "src" / "make_us_rich" / name).exists()] == []
