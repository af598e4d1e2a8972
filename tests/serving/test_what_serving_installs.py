"""What ``pip install ".[serving]"`` brings: followed through what each installed package says that it needs."""

import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]
NEVER = {
    *("kedro-mlflow", "kedro-viz", "lightning", "mlflow", "mlflow-skinny", "onnx", "onnxscript", "optuna", "plotly"),
    *("pytorch-lightning", "scikit-learn", "scipy", "streamlit", "torch"),
}


def brought_by(extra: str) -> set[str]:
    """Names of all packages that come with an extra, for this machine."""
    waiting = [Requirement(text) for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]]]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        for chosen in {"", *wanted.extras} - {extra for name, extra in seen if name == canonicalize_name(wanted.name)}:
            seen.add((canonicalize_name(wanted.name), chosen))
            waiting += _needed(wanted.name, chosen)
    return {name for name, _ in seen}


def _needed(name: str, extra: str) -> list[Requirement]:
    try:
        told = [Requirement(text) for text in requires(name) or []]
    except PackageNotFoundError:
        return []  # Of another platform or version of Python.
    return [each for each in told if each.marker is None or each.marker.evaluate({"extra": extra})]


def test_serving_installs_nothing_that_trains() -> None:
    brought = brought_by("serving")

    assert brought & NEVER == set()
    assert {"fastapi", "kedro", "onnxruntime", "starlette"} <= brought


def test_the_way_it_is_found_out_does_find_what_training_brings() -> None:
    assert {"mlflow", "scipy", "torch"} <= brought_by("training")
