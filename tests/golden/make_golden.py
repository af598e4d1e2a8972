"""Makes the golden models: run once for a release, its output committed, and never again for that release.

    .venv/bin/python tests/golden/make_golden.py <folder>

For each architecture the folder receives ``<architecture>/manifest.json`` and ``model.onnx``, as exporting stores
them, made on the first 720 hours of the SIMULATED market BTCUSDT with seed 42 (see tests/synthetic.py; nobody traded
these candles), ``candles.csv`` with the newest of them, and ``forecast.json``: what was forecast from those candles.
A later release must read the model and forecast the same.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from make_us_rich.inference.champion import Champion
from synthetic import published, simulated_klines


def make(architecture: str, folder: Path) -> None:
    manifest, graph = published(architecture)
    champion = Champion(manifest, graph)
    klines = simulated_klines().tail(champion.candles)
    forecast = champion.forecast(klines)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(graph)
    (folder / "manifest.json").write_text(json.dumps(manifest.model_dump(mode="json"), indent=1) + "\n")
    klines.to_csv(folder / "candles.csv", index=False, float_format="%.10g")
    record = {"issued_at": forecast.issued_at.isoformat(), "quantiles": forecast.quantiles}
    (folder / "forecast.json").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    for name in ("baseline", "lstm_levels"):
        make(name, Path(sys.argv[1]) / name)
