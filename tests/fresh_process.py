"""What a fresh process has loaded after some lines of Python."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]

_TELL = """
import sys
print(*(name for name, module in sys.modules.items() if module is not None))
"""

TRAINS = frozenset(
    {
        "kedro.framework",
        "kedro.runner",
        "kedro_mlflow",
        "kedro_viz",
        "lightning",
        "mlflow",
        "onnx",
        "onnxscript",
        "optuna",
        "pytorch_lightning",
        "scipy",
        "sklearn",
        "torch",
    }
)
"""What trains, or runs pipelines; nothing that answers people needs it."""


def loaded_after(lines: str, folder: Path, *arguments: str) -> set[str]:
    """Names of all modules, packages' parts included."""
    done = subprocess.run(
        [sys.executable, "-c", lines + _TELL, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env={"PYTHONPATH": str(REPO), "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def found(packages: Iterable[str], loaded: set[str]) -> set[str]:
    """Those of the packages of which anything is loaded."""
    return {name for name in packages if any(each == name or each.startswith(f"{name}.") for each in loaded)}
