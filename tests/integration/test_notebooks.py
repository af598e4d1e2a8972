"""Every notebook runs from its first cell to its last, and none is committed with what it printed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import free_port
from serving_process import ApiProcess

REPO = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))


def run(notebook: Path, folder: Path, **variables: str) -> None:
    """Execute a notebook in a project's folder; an error shows the cell and its traceback."""
    execute = Path(sys.executable).with_name("jupyter-execute")
    quiet = {"KEDRO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "JUPYTER_PLATFORM_DIRS": "1"}
    environment = {**os.environ, **quiet, "KEDRO_ENV": "base", "HOME": str(folder / "home"), **variables}
    (folder / "home").mkdir(exist_ok=True)
    copy = folder / notebook.name
    copy.write_bytes(notebook.read_bytes())
    command = [str(execute), "--timeout=120", str(copy)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data", "quality"])
def test_a_notebook_about_what_was_trained_runs(project: Any, name: str) -> None:
    run(REPO / "notebooks" / f"{name}.ipynb", project.folder)


@pytest.fixture
def api(project: Any) -> Iterator[ApiProcess]:
    variables = {"DATABASE_URL": f"sqlite:///{project.folder}/accounts.db", "EXCHANGE_URL": project.exchange}
    api = ApiProcess(project.folder, free_port(), variables)
    (project.folder / "conf" / "local" / "parameters.yml").write_text("pairs: [btc_usdt]\n")
    api.start()
    try:
        yield api
    finally:
        api.stop()


@pytest.mark.slow
def test_the_notebook_that_calls_the_api_runs(project: Any, api: ApiProcess) -> None:
    api.wait("/readyz")

    run(REPO / "notebooks" / "api.ipynb", project.folder, MAKE_US_RICH_API_URL=api.url)


def test_every_notebook_is_run() -> None:
    assert [notebook.stem for notebook in NOTEBOOKS] == ["api", "data", "quality"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_is_committed_without_what_it_printed(notebook: Path) -> None:
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]

    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
