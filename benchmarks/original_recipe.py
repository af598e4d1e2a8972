"""A retrain of today beside the recipe of 2022, on the same candles.

Both are ``kedro run --pipeline=btc_usdt`` in an empty project, on 540 days of a simulated market. Today's is the whole
of it with ``har``: fetched, fitted, evaluated in eight folds, converted and published. The recipe's ends once its
network is trained (``lstm_levels``; no folds, no publishing), and is cut short: ``--epochs 1``, where it would run
until its validation loss stops falling, some 7 to 17 of at most 100. The last line is one JSON object:

- ``har_s``, ``har_cpu_s``: seconds that pass, and that the process computes, for today's retrain;
- ``recipe_s``, ``recipe_cpu_s``, ``epochs``: for so many epochs of the recipe;
- ``har_over_recipe``: seconds computed by the first, divided by those of the second.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.run import children_cpu, kedro, make_project
from make_us_rich.replay import Clock, ReplayServer, SimulatedMarket

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Took:
    """Seconds of one command: passed, and computed."""

    seconds: float
    cpu_seconds: float


def main() -> None:
    """Measure, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=1, help="of the recipe, at most; 100 for all of it")
    epochs = parser.parse_args().epochs
    with ReplayServer(SimulatedMarket(42), Clock(START, speed=0)) as exchange, tempfile.TemporaryDirectory() as folder:
        har = run(Path(folder) / "har", f"exchange_url={exchange.url},architectures=har")
        recipe = run(
            Path(folder) / "recipe",
            f"exchange_url={exchange.url},architectures=lstm_levels,training.lstm_levels.max_epochs={epochs}",
            "--to-nodes=btc_usdt.training.fit_challengers",
        )
    figures = {
        "har_s": round(har.seconds, 1),
        "har_cpu_s": round(har.cpu_seconds, 1),
        "recipe_s": round(recipe.seconds, 1),
        "recipe_cpu_s": round(recipe.cpu_seconds, 1),
        "epochs": epochs,
        "har_over_recipe": round(har.cpu_seconds / recipe.cpu_seconds, 3),
    }
    print(json.dumps(figures))


def run(folder: Path, parameters: str, *options: str) -> Took:
    """One command in an empty project."""
    folder.mkdir()
    project, before = make_project(folder), children_cpu()
    seconds, _ = kedro(project, ["run", "--pipeline=btc_usdt", f"--params={parameters}", *options])
    return Took(seconds, children_cpu() - before)


if __name__ == "__main__":
    main()
