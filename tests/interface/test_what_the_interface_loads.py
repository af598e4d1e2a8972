"""What a process of the interface has loaded once all pages are there, and what it has not."""

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]

NEVER = {
    "alembic",
    "kedro.framework",
    "kedro.runner",
    "kedro_mlflow",
    "kedro_viz",
    "lightning",
    "mlflow",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "optuna",
    "psycopg2",
    "pytorch_lightning",
    "scipy",
    "serving",
    "sklearn",
    "sqlalchemy",
    "torch",
}

LOAD = """
import sys
import interface.__main__
from interface.app_pages import account, admin, forecast, login, models, welcome
print(*(name for name, module in sys.modules.items() if module is not None))
"""


def test_the_interface_loads_nothing_that_trains_or_speaks_sql(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env={"PYTHONPATH": str(REPO), "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr

    loaded = set(done.stdout.split())
    assert {name for name in NEVER if any(each == name or each.startswith(f"{name}.") for each in loaded)} == set()
    assert "streamlit" in loaded
