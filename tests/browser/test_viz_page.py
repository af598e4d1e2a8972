"""``kedro viz run`` in a real browser; screenshots go to .screenshots/, which git ignores."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chromium import chromium

pytestmark = pytest.mark.slow

REPO = Path(__file__).resolve().parents[2]
SCREENSHOTS = REPO / ".screenshots"
STAGES = ("fetching", "preprocessing", "training", "evaluating", "converting", "exporting")
WAIT = 30_000
NO_HINTS = "localStorage.setItem('KedroViz', JSON.stringify({showFeatureHints: false}))"


def environment(home: Path) -> dict[str, str]:
    """As bare as a newcomer's."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "KEDRO_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
    }


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after the demo's run of a pair, on a short history and folds that it does for."""
    folder = tmp_path_factory.mktemp("browser") / "project"
    shutil.copytree(REPO / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    (folder / "src").mkdir()
    shutil.copy(REPO / "pyproject.toml", folder)
    folds = "walk_forward.folds=2,walk_forward.hours=72,walk_forward.lead_in_hours=72,walk_forward.least_windows=200"
    short = f"--params=architectures=har,history_days=90,{folds}"
    command = ["kedro", "run", "--env=demo", "--pipeline=btc_usdt", short]
    subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, check=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def address(demo: Path) -> Iterator[str]:
    """Where ``kedro viz run`` answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = ["kedro", "viz", "run", "--no-browser", "--env=demo", f"--port={port}"]
    with (demo / "viz.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=demo, env=environment(demo), stdout=log, stderr=log, start_new_session=True
        )
    try:
        until_it_answers(f"{url}/api/main", process, demo / "viz.log")
        yield url
    finally:
        # The server runs in a child of its own, which outlives the command.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for a server that takes its time."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"kedro viz run did not answer:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Any]:
    """A page of a real browser."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1800, "height": 1100})
        page.add_init_script(NO_HINTS)
        yield page


@pytest.fixture
def node_ids(address: str) -> dict[str, str]:
    """Kedro-Viz's id of each dataset."""
    with urllib.request.urlopen(f"{address}/api/main", timeout=20) as answer:
        nodes = json.load(answer)["nodes"]
    return {node["name"]: node["id"] for node in nodes if node["type"] == "data"}


def shoot(page: Any, name: str) -> None:
    """Keep what it looks like."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"viz-{name}.png")


def open_dataset(page: Any, address: str, node_ids: dict[str, str], name: str) -> None:
    """Open the panel of a dataset."""
    page.goto(f"{address}/?pid=btc_usdt&sid={node_ids[name]}&sn={name}")
    page.get_by_text("Expand preview").wait_for(timeout=WAIT)


def test_the_pairs_box_opens_into_its_six_stages_under_the_layers(page: Any, address: str) -> None:
    page.goto(f"{address}/?pid=btc_usdt")
    box = page.locator(".pipeline-node").filter(has_text="btc_usdt").and_(page.locator("[data-id=btc_usdt]"))
    box.dblclick(timeout=WAIT)
    page.locator(".pipeline-node__text", has_text="btc_usdt.exporting").wait_for(timeout=WAIT)
    texts = page.locator(".pipeline-node__text").all_text_contents()
    shoot(page, "stages")
    assert {f"btc_usdt.{stage}" for stage in STAGES} <= set(texts)
    layers = page.locator(".pipeline-layer-name").all_text_contents()
    assert [layer for layer in layers if layer][:4] == ["raw", "intermediate", "feature", "model_input"]


def test_the_candles_are_shown_as_a_table(page: Any, address: str, node_ids: dict[str, str]) -> None:
    open_dataset(page, address, node_ids, "btc_usdt.klines")
    page.get_by_role("columnheader", name="timestamp").or_(page.get_by_text("timestamp")).first.wait_for(timeout=WAIT)
    shoot(page, "candles")


def test_the_metrics_are_shown_as_a_record(page: Any, address: str, node_ids: dict[str, str]) -> None:
    open_dataset(page, address, node_ids, "btc_usdt.metrics")
    page.get_by_text("baseline_crps_1h").first.wait_for(timeout=WAIT)
    shoot(page, "metrics")


@pytest.mark.parametrize("figure", ["fan_figure", "coverage_figure", "skill_figure", "error_figure"])
def test_a_figure_of_the_folds_is_drawn(page: Any, address: str, node_ids: dict[str, str], figure: str) -> None:
    open_dataset(page, address, node_ids, f"btc_usdt.{figure}")
    # A line without a height counts as hidden.
    page.locator(".js-plotly-plot .trace").first.wait_for(state="attached", timeout=WAIT)
    shoot(page, figure.replace("_", "-"))


def test_the_training_curve_is_drawn(page: Any, address: str, node_ids: dict[str, str]) -> None:
    open_dataset(page, address, node_ids, "btc_usdt.training_curve")
    page.locator(".js-plotly-plot .scatterlayer .trace").first.wait_for(timeout=WAIT)
    shoot(page, "training-curve")
