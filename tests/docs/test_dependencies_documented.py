"""ADR 0002 has a line for every direct dependency, and no line for another."""

import re
import tomllib
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
GROUPS = {
    "training": "Training",
    "serving": "Serving",
    "cluster": "Cluster",
    "interface": "Interface",
    "dev": "Development",
}


def explained(title: str) -> set[str]:
    page = (REPO / "docs" / "adr" / "0002-dependencies.md").read_text()
    part = next(part for part in page.split("\n## ") if part.startswith(title))
    return set(re.findall(r"^\| ([a-z0-9-]+) \|", part, re.MULTILINE)) - {"package", "---"}


def declared(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=]", requirement)[0] for requirement in requirements}


def test_every_dependency_is_explained_under_its_extra() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert explained("Reading and serving") == declared(project["dependencies"])
    extras = project["optional-dependencies"]
    assert set(extras) == set(GROUPS)
    for extra, title in GROUPS.items():
        assert explained(title) == declared(extras[extra]), extra
