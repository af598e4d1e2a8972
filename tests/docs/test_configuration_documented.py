"""docs/configuration.md explains every parameter and every global, with the default that conf/base has."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from make_us_rich.project_parameters import ProjectParameters

REPO = Path(__file__).resolve().parents[2]
BASE = REPO / "conf" / "base"
SPACES = "searching.spaces"
"""Has what somebody wants to search, not fields."""
FIXED = {"feature_set", "horizon", "spaces"}
"""Names of fields that base does not set."""
ROW = re.compile(r"^\| `([\w.]+)` \| (.+?) \| `(.+?)` \| (.+) \|$", re.MULTILINE)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def flatten(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        full = f"{path}{name}"
        if isinstance(value, dict):
            yield from flatten(value, f"{full}.")
        else:
            yield full, value


def section(title: str) -> str:
    text = (REPO / "docs" / "configuration.md").read_text()
    return re.split(r"^## ", text.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def rows(title: str) -> dict[str, str]:
    return {key: default for key, _, default, _ in ROW.findall(section(title))}


def parameters() -> dict[str, Any]:
    return {key: value for file in BASE.glob("parameters*.yml") for key, value in flatten(read(file))}


@pytest.mark.parametrize("key", sorted(parameters()))
def test_parameter_is_explained_with_its_default(key: str) -> None:
    documented = rows("Parameters")
    assert key in documented, f"explain {key} in docs/configuration.md"
    value = parameters()[key]
    if not str(value).startswith("${"):
        assert yaml.safe_load(documented[key]) == value


@pytest.mark.parametrize("key", sorted(dict(flatten(read(BASE / "globals.yml")))))
def test_global_is_explained_with_its_default(key: str) -> None:
    documented = rows("Globals")
    assert key in documented, f"explain {key} in docs/configuration.md"
    assert yaml.safe_load(documented[key]) == read(BASE / "globals.yml")[key]


def test_nothing_is_explained_that_does_not_exist() -> None:
    assert set(rows("Parameters")) <= set(parameters())
    assert set(rows("Globals")) <= set(read(BASE / "globals.yml"))


def test_every_field_of_the_typed_parameters_is_set_in_base() -> None:
    assert set(field_paths(ProjectParameters)) == {key for key in parameters() if not key.startswith(SPACES)}


def field_paths(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        full = f"{path}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from field_paths(field.annotation, f"{full}.")
        elif name not in FIXED:
            yield full
