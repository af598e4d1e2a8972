"""The pages explain every parameter and every dependency, and conf/base sets every parameter."""

import inspect
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from make_us_rich.project_parameters import ProjectParameters
from synthetic import REPO

SPACES = "tuning.spaces"
"""Has what somebody wants to search, not fields."""
FIXED = {"feature_set", "horizon", "spaces"}
"""Names of fields that base does not set."""


def flatten(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, value in values.items():
        full = f"{path}{name}"
        if isinstance(value, dict):
            yield from flatten(value, f"{full}.")
        else:
            yield full


def field_paths(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        full = f"{path}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from field_paths(field.annotation, f"{full}.")
        elif name not in FIXED:
            yield full


def sections() -> dict[str, type[BaseModel]]:
    kinds = {name: field.annotation for name, field in ProjectParameters.model_fields.items()}
    return {name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, BaseModel)}


def test_every_field_of_the_typed_parameters_is_set_in_base() -> None:
    files = (yaml.safe_load(file.read_text()) for file in (REPO / "conf" / "base").glob("parameters*.yml"))
    configured = {key for file in files for key in flatten(file) if not key.startswith(SPACES)}

    assert set(field_paths(ProjectParameters)) == configured


@pytest.mark.parametrize("kind", [ProjectParameters, *sections().values()], ids=lambda kind: kind.__name__)
def test_every_parameter_has_its_meaning_in_the_docstring_of_its_class(kind: type[BaseModel]) -> None:
    docstrings = "\n".join(inspect.getdoc(base) or "" for base in kind.__mro__ if issubclass(base, BaseModel))
    documented = set(re.findall(r"^ +(\w+): ", docstrings, re.MULTILINE))
    nested = {name for name, field in kind.model_fields.items() if isinstance(field.annotation, type(BaseModel))}
    own = kind.model_fields.keys() - nested

    assert own <= documented | FIXED


def test_the_reference_shows_every_class_of_parameters() -> None:
    page = (REPO / "docs/reference/parameters.md").read_text()
    names = [kind.__name__ for kind in (ProjectParameters, *sections().values())]

    assert [name for name in names if f".{name}\n" not in page] == []


def test_every_dependency_is_explained_under_its_extra() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    extras = {"base": project["dependencies"], **project["optional-dependencies"]}
    declared = {
        name: {re.split(r"[\[<>=;]", line)[0] for line in lines} - {"make-us-rich"} for name, lines in extras.items()
    }
    _, *parts = (REPO / "docs" / "adr" / "0002-dependencies.md").read_text().split("\n## ")
    rows = {part.split()[0].lower(): set(re.findall(r"^\| ([a-z0-9-]+) \|", part, re.MULTILINE)) for part in parts}
    explained = {name: packages - {"package", "---"} for name, packages in rows.items() if packages}

    assert explained == {"development" if name == "dev" else name: packages for name, packages in declared.items()}
