"""What a process that serves has loaded, and what it has not."""

from pathlib import Path

from fresh_process import TRAINS, found, loaded_after
from make_us_rich.replay import ReplayServer

NEVER = TRAINS | {"plotly", "pyarrow", "streamlit"}

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
assert app.state.stores.runs.newest(1).problems == []
assert app.openapi()
"""


def test_a_process_that_serves_loads_no_training_framework(project: Path, exchange: ReplayServer) -> None:
    loaded = loaded_after(SERVE, project, exchange.url)

    assert found(NEVER, loaded) == set()
    assert "onnxruntime" in loaded
