"""Tables of the published models and their history, for the command line."""

from collections.abc import Sequence
from importlib.util import find_spec

from make_us_rich.catalog import open_config
from make_us_rich.repository import ModelRepository
from make_us_rich.tracking import move_alias, warn_of_errors

HEAD = (
    *("pair", "candles", "from", "to (UTC)", "architecture"),
    *("skill 1 h", "24 h", "mean", "80 % coverage", "published"),
)
METRICS = {
    **dict.fromkeys(("crps_skill_1h", "crps_skill_24h", "crps_skill_mean"), "+.1%"),
    "coverage_80_mean": ".1%",
}
"""Backtest scores of the table and their formats."""


def tabulate(env: str | None = None) -> str:
    """Tabulate the champions of all configured pairs, the latest verdicts, and commands to continue with."""
    repository = ModelRepository.open(env)
    head, *lines = _align([HEAD, *(_champion_row(repository, pair) for pair in repository.pairs)])
    rows = []
    for pair in repository.pairs:
        verdicts = repository.load(f"{pair}.stored_verdicts")
        if len(verdicts):
            latest = verdicts[verdicts["version"] == verdicts["version"].iloc[-1]]
            rows += [(pair, row.architecture, str(row.reason)) for row in latest.itertuples()]
    findings = ["", "The gate's latest verdicts:", *_align(rows)] if rows else []
    option = f" --env={env}" if env else ""
    commands = [
        f"Flow and data of a pair:    kedro viz run{option} --pipeline={repository.pairs[0]}",
        f"Runs and training curves:   kedro mlflow ui{option}",
    ]
    if any(repository.pointer(pair).earlier for pair in repository.pairs):
        commands.append(f"Back to the last champion:  kedro rollback <pair>{option}")
    return "\n".join([head, "-" * len(head), *lines, *findings, "", *commands])


def history(pair: str, env: str | None = None) -> str:
    """Tabulate all promotions of a pair, newest first; UnknownPairError if it is not configured."""
    repository = ModelRepository.open(env)
    repository.require_configured(pair)
    promotions = reversed(repository.pointer(pair).promotions)
    rows = [(f"{each.at:%Y-%m-%d %H:%M}", each.version, each.reason) for each in promotions]
    return "\n".join(_align([("since (UTC)", "version", "reason"), *rows])) if rows else f"{pair}: nothing yet"


def roll_back(pair: str, version: str | None = None, env: str | None = None) -> str:
    """Make an earlier version the champion again, as ``ModelRepository.roll_back`` does, and report it in one line.

    The alias in MLflow's registry moves with it; the next run moves it after a rollback elsewhere.
    """
    repository = ModelRepository.open(env)
    repository.require_configured(pair)
    before = repository.pointer(pair).version
    pointer = repository.roll_back(pair, version)
    if pointer.version == before:
        return f"{pair}: already serving {before}"
    if find_spec("mlflow"):
        from mlflow import MlflowClient

        with warn_of_errors(pair):
            move_alias(MlflowClient(open_config(env)["mlflow"]["server"]["mlflow_tracking_uri"]), pointer)
    return f"{pair}: now serving {pointer.version}, {pointer.promotions[-1].reason}"


def _align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _champion_row(repository: ModelRepository, pair: str) -> tuple[str, ...]:
    version = repository.pointer(pair).version
    if version is None:
        return (pair, *["-"] * (len(HEAD) - 2), "nothing yet")
    manifest = repository.published(pair, version).manifest
    metrics, data = manifest.metrics, manifest.data
    scores = [
        f"{metrics[name]:{spec}}".replace("%", " %") if name in metrics else "-" for name, spec in METRICS.items()
    ]
    candles = (f"{data.rows:,}", f"{data.start:%Y-%m-%d}", f"{data.end:%Y-%m-%d %H:%M}")
    return (pair, *candles, manifest.architecture, *scores, version)
