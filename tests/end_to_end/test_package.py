"""What ships: a wheel that can be imported from somewhere else, and notebooks that run."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.project import REPO, Project
from network import free_port
from processes import ApiProcess

NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))


def test_the_wheel_holds_every_module_and_finds_the_project_it_is_used_in(new_project: Project, tmp_path: Path) -> None:
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(REPO / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPO / name, source)
    build = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."]
    subprocess.run([sys.executable, "-m", *build], cwd=source, check=True, capture_output=True)
    (wheel,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    modules = {path.relative_to(REPO / "src").as_posix() for path in (REPO / "src").glob("make_us_rich/**/*.py")}
    assert modules == {name for name in names if name.endswith(".py")}
    assert any(name.endswith("licenses/LICENSE") for name in names)

    lines = (
        "import make_us_rich, make_us_rich.pipeline_registry, make_us_rich.cli\n"
        "from make_us_rich.catalog import open_catalog\n"
        "print(make_us_rich.__file__)\n"
        "print(open_catalog('base').get('btc_usdt.champion').load().version)\n"
    )
    new_project.env = {"PYTHONPATH": str(site)}
    answer = new_project.run_cold(sys.executable, "-W", "error", "-c", lines)
    assert answer.returncode == 0, answer.stderr
    file, version = answer.stdout.splitlines()
    assert Path(file).is_relative_to(site)
    assert version == "None", "nothing is published there yet"


@pytest.mark.slow
def test_the_package_runs_as_kedros_packages_do_and_har_imports_no_torch(project: Project) -> None:
    """``python -m make_us_rich --pipelines=…``, in a folder that has the configuration."""
    run = [sys.executable, "-X", "importtime", "-m", "make_us_rich"]
    answer = project.run_cold(*run, "--pipelines=btc_usdt", *project.run_arguments(pipeline=None))
    assert answer.returncode == 0, answer.stderr
    assert len(project.versions()) == 2
    imported = set(re.findall(r"^import time:.*\| +(\w+)$", answer.stderr, re.MULTILINE))
    assert "onnx" in imported
    assert not imported & {"torch", "pytorch_lightning", "lightning"}


@pytest.fixture(scope="module")
def api(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with a champion whose API is running; its address is in the project's environment."""
    project = trained.copy(tmp_path_factory.mktemp("notebooks") / "project")
    project.write_local("pairs: [btc_usdt]\n")
    variables = {"DATABASE_URL": f"sqlite:///{project.folder}/accounts.db", "EXCHANGE_URL": project.exchange}
    server = ApiProcess(project.folder, free_port(), variables).start()
    project.env = {"KEDRO_ENV": "base", "JUPYTER_PLATFORM_DIRS": "1", "MAKE_US_RICH_API_URL": server.url}
    try:
        server.wait("/readyz")
        yield project
    finally:
        server.stop()


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_runs_and_is_committed_without_what_it_printed(api: Project, notebook: Path) -> None:
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)

    copy = api.folder / notebook.name
    copy.write_bytes(notebook.read_bytes())
    done = api.run_cold("jupyter-execute", "--timeout=120", str(copy))
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.slow
def test_the_kernel_of_kedro_jupyter_has_the_projects_catalog(api: Project) -> None:
    made = api.run_cold("kedro", "jupyter", "setup")
    assert made.returncode == 0, made.stderr
    cell = {"cell_type": "code", "id": "one", "metadata": {}, "outputs": [], "execution_count": None}
    lines = "print(catalog.load('btc_usdt.champion').version, sorted(pipelines)[0])"
    notebook = api.folder / "of_kedro.ipynb"
    notebook.write_text(
        json.dumps({"cells": [{**cell, "source": lines}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    done = api.run_cold("jupyter-execute", "--kernel_name=kedro_make_us_rich", "--inplace", str(notebook))
    assert done.returncode == 0, done.stderr[-4000:]
    outputs = json.loads(notebook.read_text())["cells"][0]["outputs"]
    assert outputs[-1]["text"] == [f"{api.served()[1]} __default__\n"]
