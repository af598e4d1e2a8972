"""What a package imports is among the requirements of its extra."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from synthetic import REPO

OURS = {"make_us_rich", "serving", "interface"}


def required(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """The distributions that an installation brings."""
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    yield name
    try:
        lines = requires(name) or []
    except PackageNotFoundError:  # Of another system.
        return
    for requirement in map(Requirement, lines):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": each}) for each in {"", *extras}):
            yield from required(canonicalize_name(requirement.name), frozenset(requirement.extras), seen)


def imported(folder: str) -> set[str]:
    """The top-level packages that the modules of a folder import."""
    names = set()
    for path in (REPO / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names - sys.stdlib_module_names - OURS


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("src", "training cluster"), ("serving", "serving"), ("interface", "interface")],
)
def test_an_extra_brings_what_its_package_imports(folder: str, extras: str) -> None:
    installed = set(required("make-us-rich", frozenset(extras.split()), set()))
    distributions = packages_distributions()
    missing = [
        name for name in imported(folder) if not {canonicalize_name(each) for each in distributions[name]} & installed
    ]
    assert missing == []
