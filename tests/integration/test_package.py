"""The package: what a wheel holds, and that it can be imported from somewhere else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPO / name, folder)
    shutil.copytree(REPO / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    command = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."]
    subprocess.run([sys.executable, "-m", *command], cwd=folder, check=True, capture_output=True)
    (built,) = (folder / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    source = REPO / "src"
    modules = {path.relative_to(source).as_posix() for path in source.glob("make_us_rich/**/*.py")}
    assert modules == {name for name in names if name.endswith(".py")}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_installed_package_imports_and_finds_the_project_it_is_used_in(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = ["pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run([sys.executable, "-m", *install], check=True, capture_output=True)
    project = tmp_path / "project"
    shutil.copytree(REPO / "conf", project / "conf", ignore=shutil.ignore_patterns("local"))
    shutil.copy(REPO / "pyproject.toml", project)
    lines = (
        "import make_us_rich, make_us_rich.pipeline_registry, make_us_rich.cli\n"
        "from make_us_rich.catalog import open_catalog\n"
        "print(make_us_rich.__file__)\n"
        "print(open_catalog('base').get('btc_usdt.champion').load().version)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", lines],
        cwd=project,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(site), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    file, version = answer.stdout.splitlines()
    assert Path(file).is_relative_to(site)
    assert version == "None", "nothing is published there yet"
