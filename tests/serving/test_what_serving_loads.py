"""What a process that serves has loaded, and what it has not."""

import subprocess
import sys
from pathlib import Path

from make_us_rich.replay import ReplayServer

REPO = Path(__file__).resolve().parents[2]

NEVER = {
    "aiohttp",
    "kedro.framework",
    "kedro.runner",
    "kedro_mlflow",
    "kedro_viz",
    "lightning",
    "mlflow",
    "onnx",
    "onnxscript",
    "optuna",
    "plotly",
    "pyarrow",
    "pytorch_lightning",
    "scipy",
    "sklearn",
    "streamlit",
    "torch",
}

SERVE = """
import sys
import serving.__main__
from serving.app import create_app
from serving.settings import Settings
app = create_app(Settings(env="base", exchange_url=sys.argv[1], database_url="sqlite:///accounts.db"))
app.state.stores.refresh_models()
app.state.stores.refresh_candles()
assert app.state.stores.past.at("btc_usdt", 1).forecasts
assert app.state.stores.forecasts.get("btc_usdt")
assert app.openapi()
print(*(name for name, module in sys.modules.items() if module is not None))
"""


def test_a_process_that_serves_loads_no_training_framework(project: Path, exchange: ReplayServer) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SERVE, exchange.url],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=project,
        env={"PYTHONPATH": str(REPO), "PATH": ""},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr

    loaded = set(ended.stdout.split())
    assert {name for name in NEVER if any(each == name or each.startswith(f"{name}.") for each in loaded)} == set()
    assert "onnxruntime" in loaded
