"""How good every architecture is on a folder of kline files: walk-forward, against the baseline, hour by hour.

``make bench-quality DATA=<folder> OUT=<csv>``; ``python benchmarks/quality.py --help`` for the rest. Each pair is
evaluated as ``kedro run`` evaluates it. What is read, what is measured and what the columns mean: docs/research/har.md.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import yaml

from make_us_rich.backtest.backtest import Backtest, Backtests
from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.backtest.folds import BacktestParameters
from make_us_rich.backtest.gate import GateParameters
from make_us_rich.backtest.score_table import ALL, ANY, PREFIXES, score_backtest
from make_us_rich.backtest.scores import skill
from make_us_rich.backtest.selection import (
    BacktestContext,
    as_served,
    evaluate_challenger,
    keep_served,
)
from make_us_rich.domain.errors import DataError, MakeUsRichError
from make_us_rich.domain.forecast import BASELINE, LEVELS
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.pair import Pair
from make_us_rich.features.registry import compute_features
from make_us_rich.features.windows import Windows
from make_us_rich.klines.files import find_files, parse_name, read_candles
from make_us_rich.klines.frame import to_klines
from make_us_rich.klines.quality import check_candles
from make_us_rich.klines.rules import FetchInfo, QualityRules
from make_us_rich.models.backtesting import cut_windows, plan_folds, run_backtest
from make_us_rich.models.base import Architecture, FitSettings
from make_us_rich.models.ensemble import can_combine
from make_us_rich.models.registry import TrainingParameters

CONF = Path(__file__).resolve().parents[1] / "conf" / "base"
SLOW = {"lstm_levels": {"max_epochs": 1}}
"""What takes minutes a fold, and the budget that it gets: each fit goes on from the one before it."""
HORIZONS = {1: 1, 4: 4, 24: 24, ALL: "mean"}
COLUMNS = (
    "pair",
    "architecture",
    "target",
    "horizon",
    "crps",
    "skill_vs_baseline",
    "dm_t",
    "below_025",
    "above_975",
    "coverage_50",
    "coverage_80",
    "coverage_90",
    "rmse_skill_vs_persistence",
    "folds_won",
    "folds",
    "fit_seconds",
)
FIRST_FIT = 3_240
"""Forecast origins left to the first fit, 135 days: so that a year of candles is evaluated on the folds of a run."""
QUARTER, FORTNIGHT, YEAR = 2_160, 336, 8_760


@dataclass(frozen=True)
class Job:
    """Some architectures on the candles of one symbol.

    Attributes:
        symbol: Such as ``BTCUSDT``.
        architectures: Those whose common hours are evaluated.
        tested: Those among them that are.
    """

    symbol: str
    architectures: tuple[str, ...]
    tested: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate every file, print the tables, write the CSV; 1 if a file could not be evaluated."""
    options = _parser().parse_args(arguments)
    if options.symbol or options.data.is_file():
        judge_file(options).to_csv(options.out, index=False)
        return 0
    names = options.architectures.split("+") if options.architectures else TrainingParameters.names()
    faults = judge_files(list(plan_jobs(list(find_files(options.data)), tuple(names))), options)
    for fault in faults:
        print(f"left out: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of kline files, or one")
    parser.add_argument("--symbol", help="of a folder only this one")
    parser.add_argument("out", type=Path, help="CSV to write")
    parser.add_argument("--architectures", help="names joined by a plus; all unless given")
    parser.add_argument("--tested", help="of these only some, at the hours common to all; all unless given")
    parser.add_argument("--slow", action="store_true", help=f"{', '.join(SLOW)} in full: many minutes a fold")
    parser.add_argument("--folds", type=int, help="8 or more; as many as the candles give unless given")
    parser.add_argument("--hours", type=int, help="forecast origins a fold, 336 or more")
    return parser


def _parameters(file: str, group: str) -> dict[str, object]:
    loaded: dict[str, dict[str, object]] = yaml.safe_load((CONF / f"parameters_{file}.yml").read_text("utf-8"))
    return loaded[group]


# One process a file: what breaks one stops no other


def plan_jobs(symbols: Sequence[str], names: tuple[str, ...]) -> Iterator[Job]:
    """What is quick on every symbol, then what takes long: whoever cannot wait has a table of the rest."""
    quick = tuple(name for name in names if name not in SLOW)
    slow = tuple(name for name in names if name in SLOW)
    return (Job(symbol, names, tested) for tested in (quick, slow) if tested for symbol in symbols)


def judge_files(jobs: Sequence[Job], options: argparse.Namespace) -> list[str]:
    """Do all jobs, one a core at a time; the CSV is written anew after each. What could not be evaluated, in words."""
    faults: dict[str, None] = {}
    tables: dict[int, pd.DataFrame] = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        outs = [Path(folder) / str(number) for number in range(len(jobs))]
        running = {pool.submit(_judge, job, out, options): out for job, out in zip(jobs, outs, strict=True)}
        for done in as_completed(running):
            output, fault = done.result()
            print(output, end="", flush=True)
            if fault:
                faults[fault] = None
            else:
                tables[outs.index(running[done])] = pd.read_csv(running[done])
            merge(tables, jobs).to_csv(options.out, index=False)
    return list(faults)


def _judge(job: Job, out: Path, options: argparse.Namespace) -> tuple[str, str]:
    """What a process of its own prints of a job, and why it could not do it, or nothing."""
    command = [sys.executable, __file__, str(options.data), str(out), f"--symbol={job.symbol}"]
    chosen = {
        "architectures": "+".join(job.architectures),
        "tested": "+".join(job.tested),
        "folds": options.folds,
        "hours": options.hours,
    }
    flags = [f"--{name}={value}" for name, value in chosen.items() if value is not None]
    flags += ["--slow"] if options.slow else []
    # A process has a core: with more threads than cores networks wait for one another.
    alone = {"OMP_NUM_THREADS": "1", **os.environ}
    done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False, env=alone)
    if done.returncode == 0:
        sys.stderr.write(done.stderr)
        return done.stdout, ""
    last = done.stderr.strip().splitlines()[-1:] or [f"its process ended with {done.returncode}"]
    return done.stdout, f"{job.symbol}: {last[0]}"


def merge(tables: Mapping[int, pd.DataFrame], jobs: Sequence[Job]) -> pd.DataFrame:
    """One table, the files in order, and of each what is quick first; the baseline once."""
    symbols = list(dict.fromkeys(job.symbol for job in jobs))
    parts: list[pd.DataFrame] = []
    for symbol in symbols:
        mine = [tables[number] for number, job in enumerate(jobs) if job.symbol == symbol and number in tables]
        parts += mine[:1] + [table[table["architecture"] != BASELINE] for table in mine[1:]]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


# The backtest


def judge_file(options: argparse.Namespace) -> pd.DataFrame:
    """The rows of one file, printed as they are made.

    Raises:
        DataError: The candles are too few, or no candles.
    """
    training = TrainingParameters.model_validate(_parameters("training", "training"))
    names = options.architectures.split("+") if options.architectures else TrainingParameters.names()
    recipes = {name: recipe(training, name, options.slow) for name in dict.fromkeys([BASELINE, *names])}
    tested = {BASELINE, *(options.tested.split("+") if options.tested else names)}
    pair, klines = read_clean(options.data, options.symbol)
    frames = {name: compute_features(name, klines) for name in {each.feature_set for each in recipes.values()}}
    features = {name: lambda name=name: frames[name] for name in frames}
    windows = cut_windows(recipes, features, klines)
    folds = plan(len(windows[BASELINE]), options.folds, options.hours)
    settings = FitSettings(LEVELS, training.seed, training.accelerator)
    chosen = {name: each for name, each in recipes.items() if name in tested}
    return score_pair(pair, *backtest_one_by_one(chosen, windows, folds, settings))


def recipe(training: TrainingParameters, name: str, slow: bool) -> Architecture:
    """As configured, or within the budget of what takes long."""
    configured = training.architecture(name)
    return configured if slow else configured.model_copy(update=SLOW.get(name, {}))


def score_pair(pair: str, backtests: Backtests, seconds: Mapping[str, float]) -> pd.DataFrame:
    """The rows of a pair, printed as they are made."""
    gate = GateParameters.model_validate(_parameters("evaluating", "gate"))
    calibration = CalibrationParameters.model_validate(_parameters("evaluating", "calibration"))
    context = BacktestContext(backtests, gate, calibration, n_comparisons=1, newer_hours=0)
    served = {name: as_served(context, name) for name in backtests["close"].quantiles if name != BASELINE}
    judged = keep_served(backtests, served)
    scores = score_backtest(judged)
    table = tabulate(scores, seconds)
    table.insert(0, "pair", pair)
    for line in report(table, scores, judged["close"]):
        print(line, flush=True)
    for name, each in served.items():
        verdict = evaluate_challenger(context, name, {}, each).verdict
        print(f"{name}: {'' if verdict.publish else 'not published, '}{verdict.reason}", flush=True)
    return table


def read_clean(data: Path, symbol: str | None) -> tuple[str, pd.DataFrame]:
    """The pair and its clean candles, as fetching leaves them; a gap stays one. Prints what was removed."""
    symbol = symbol or parse_name(data)[0]
    configured = _parameters("fetching", "fetching")
    rules = QualityRules.model_validate({name: configured[name] for name in QualityRules.model_fields})
    interval, rows = read_candles(symbol, [data] if data.is_file() else find_files(data)[symbol])
    if interval != "1h":
        raise DataError(f"{symbol}: candles of {interval}", "give files of hourly candles")
    klines = to_klines(rows, symbol)
    now: datetime = (klines["timestamp"].max() + HOUR).to_pydatetime()
    pair = Pair.from_symbol(symbol) or Pair(symbol.lower(), "")
    candles, found = check_candles(klines, pair, FetchInfo(now=now), rules)
    counted = [f"{issue.count} {name}" for name, issue in found.issues if issue.count]
    print(f"\n{symbol}: {len(candles)} of {len(klines)} candles used, {len(found.gaps)} gaps", *counted, sep=", ")
    return pair.name.strip("_"), candles


def plan(windows: int, folds: int | None = None, hours: int | None = None) -> BacktestParameters:
    """The folds of a run on a year of candles; on more, longer ones up to a quarter, and then more of them."""
    base = BacktestParameters.model_validate(_parameters("evaluating", "backtest"))
    count = folds or max(base.n_folds, (windows - base.calibration_size - YEAR) // QUARTER)
    most = min((windows - base.calibration_size - FIRST_FIT) // count, QUARTER)
    return base.model_copy(update={"n_folds": count, "test_size": hours or max(most, FORTNIGHT)})


def backtest_one_by_one(
    recipes: Mapping[str, Architecture],
    windows: Mapping[str, Windows],
    folds: BacktestParameters,
    settings: FitSettings,
) -> tuple[Backtests, dict[str, float]]:
    """All recipes on the same folds, and those that a run would combine; the mean seconds of a fit of each."""
    cut = plan_folds(windows[BASELINE], folds)
    backtests, seconds = {}, {}
    for name, recipe in recipes.items():
        started = time.perf_counter()
        backtests[name] = run_backtest({name: recipe}, windows, cut, settings)
        seconds[name] = (time.perf_counter() - started) / len(cut)
    made = {
        target: replace(each, quantiles={name: backtests[name][target].quantiles[name] for name in backtests})
        for target, each in backtests[BASELINE].items()
    }
    for members in _teams(recipes):
        made = {target: each.with_mean(members) for target, each in made.items()}
        seconds["+".join(members)] = sum(seconds[name] for name in members)
    return made, seconds


def _teams(recipes: Mapping[str, Architecture]) -> Iterator[tuple[str, ...]]:
    """HAR-V with each that can be combined with it, and all of them together."""
    partners = [
        name
        for name in recipes
        if name != "har" and can_combine({each: recipes[each] for each in ("har", name) if each in recipes})
    ]
    yield from (("har", name) for name in partners)
    if len(partners) > 1:
        yield ("har", *partners)


# The table


def tabulate(scores: pd.DataFrame, seconds: Mapping[str, float]) -> pd.DataFrame:
    """One row an architecture, horizon and target, without the pair."""
    rows = scores[(scores["volatility"] == ANY) & scores["horizon"].isin(HORIZONS)]
    folds = rows[rows["fold"] != ALL]
    won = folds.assign(won=folds["crps_skill"] > 0).groupby(["architecture", "horizon"])["won"].agg(["sum", "size"])
    order = {horizon: position for position, horizon in enumerate(HORIZONS)}
    whole = rows[rows["fold"] == ALL].sort_values("horizon", key=lambda values: values.map(order), kind="stable")
    ranked = whole.sort_values("architecture", key=lambda names: names.map(list(seconds).index), kind="stable")
    records = [
        record
        for row in ranked.to_dict("records")
        for record in (_row(row, won, seconds), *(_range_row(row, target) for target in ("high", "low")))
    ]
    return pd.DataFrame(records, columns=list(COLUMNS[1:]))


def _row(row: Mapping[str, object], won: pd.DataFrame, seconds: Mapping[str, float]) -> dict[str, object]:
    name, horizon = row["architecture"], row["horizon"]
    counted = won.loc[(name, horizon)]
    return {
        "architecture": name,
        "target": "close",
        "horizon": HORIZONS[horizon],
        "below_025": row["below"],
        "above_975": row["above"],
        "skill_vs_baseline": row["crps_skill"],
        # The baseline's point forecast is the last close.
        "rmse_skill_vs_persistence": float(skill(row["rmse"], row["baseline_rmse"])),
        "folds_won": int(counted["sum"]),
        "folds": int(counted["size"]),
        "fit_seconds": seconds[name],
        **{score: row[score] for score in ("crps", "dm_t", "coverage_50", "coverage_80", "coverage_90")},
    }


def _range_row(row: Mapping[str, object], target: str) -> dict[str, object]:
    prefix = PREFIXES[target]
    return {
        "architecture": row["architecture"],
        "target": target,
        "horizon": HORIZONS[row["horizon"]],
        "crps": row[f"{prefix}crps"],
        "skill_vs_baseline": row[f"{prefix}crps_skill"],
        "below_025": row[f"{prefix}below"],
        "above_975": row[f"{prefix}above"],
    }


def report(table: pd.DataFrame, scores: pd.DataFrame, judged: Backtest) -> Iterator[str]:
    """Lines for a reader: skill in per cent, CRPS in basis points, coverage in per cent."""
    first, last = judged.opens[[0, -1]].astype("datetime64[D]")
    count = int(judged.folds.max())
    yield f"\n{table['pair'].iloc[0]}: {count} folds of {len(judged) // count} h, forecasts made {first} to {last}"
    heads = f"{'architecture':32}{'':6}{'h':>5}{'CRPS bp':>9}{'skill %':>9}{'beyond %':>11}{'DM t':>7}"
    yield heads + f"{'cover 50/80/90 %':>19}{'RMSE %':>8}{'folds won':>11}{'fit s':>8}"
    for row in table.itertuples():
        covers = "/".join(f"{100 * share:.1f}" for share in (row.coverage_50, row.coverage_80, row.coverage_90))
        beyond = f"{100 * row.below_025:.1f}/{100 * row.above_975:.1f}"
        start = f"{row.architecture:32}{row.target:6}{row.horizon:>5}{1e4 * row.crps:9.2f}"
        start += f"{100 * row.skill_vs_baseline:9.2f}{beyond:>11}"
        if row.target != "close":
            yield start
            continue
        yield start + (
            f"{row.dm_t:7.1f}{covers:>19}{100 * row.rmse_skill_vs_persistence:8.2f}"
            f"{f'{row.folds_won}/{row.folds}':>11}{row.fit_seconds:8.2f}"
        )
    means = scores[(scores["fold"] != ALL) & (scores["horizon"] == ALL) & (scores["architecture"] != BASELINE)]
    for name, rows in means.groupby("architecture", sort=False):
        yield f"{name}, mean skill % by fold: " + " ".join(f"{100 * value:.1f}" for value in rows["crps_skill"])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MakeUsRichError as exc:
        sys.exit(str(exc))
