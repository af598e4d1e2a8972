"""What ``pip install ".[serving]"`` brings, and what a process that serves loads: nothing that trains."""

from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fresh_process import TRAINS, found, loaded_after
from make_us_rich.replay import ReplayServer

NEVER_INSTALLED = {
    *("kedro-mlflow", "kedro-viz", "lightning", "mlflow", "mlflow-skinny", "onnx", "onnxscript", "optuna", "plotly"),
    *("pytorch-lightning", "scikit-learn", "scipy", "streamlit", "torch"),
}
SERVE = """
import sys
import serving.__main__
from serving.main import create_app
from serving.settings import Settings
app = create_app(Settings(env="base", exchange_url=sys.argv[1], database_url="sqlite:///accounts.db"))
app.state.forecasts.refresh_models()
app.state.forecasts.refresh_candles()
assert app.state.forecasts.history.at("btc_usdt", 1).forecasts
assert app.state.forecasts.get("btc_usdt")
assert app.openapi()
"""


def brought_by(extra: str) -> set[str]:
    """Names of all packages that come with an extra, for this machine, by the requirements of installed packages."""
    waiting = [Requirement(f"make-us-rich[{extra}]")]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        for chosen in {"", *wanted.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, chosen))
            try:
                needed = [Requirement(text) for text in requires(name) or []]
            except PackageNotFoundError:
                continue  # Of another platform or version of Python.
            waiting += [each for each in needed if each.marker is None or each.marker.evaluate({"extra": chosen})]
    return {name for name, _ in seen}


def test_serving_installs_nothing_that_trains_and_the_client_httpx_and_pydantic_alone() -> None:
    brought = brought_by("serving")

    assert brought & NEVER_INSTALLED == set()
    assert {"fastapi", "kedro", "onnxruntime", "starlette"} <= brought
    of_httpx = {"anyio", "certifi", "h11", "httpcore", "httpx", "idna"}
    of_pydantic = {"annotated-types", "pydantic", "pydantic-core", "typing-extensions", "typing-inspection"}
    assert brought_by("client") == {"make-us-rich"} | of_httpx | of_pydantic


def test_a_process_that_serves_loads_no_training_framework(project: Path, exchange: ReplayServer) -> None:
    loaded = loaded_after(SERVE, project, exchange.url)

    assert found(TRAINS | {"apprise", "plotly", "pyarrow", "streamlit"}, loaded) == set()
    assert "onnxruntime" in loaded
