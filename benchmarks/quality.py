"""How good every architecture is on a folder of kline files: walk-forward, against the baseline, hour by hour.

``make bench-quality DATA=<folder> OUT=<csv>``; ``python benchmarks/quality.py --help`` for the rest. Each pair is
judged as ``kedro run`` judges it. What is read, what is measured and what the columns mean: docs/har.md.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import yaml
from kline_files import kline_files, pair_name, read_klines

from make_us_rich.candles.checks import check_candles
from make_us_rich.candles.verdict import Limits
from make_us_rich.domain.errors import DataError, MakeUsRichError
from make_us_rich.domain.forecast import BASELINE, QUANTILE_LEVELS
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.manifest import Verdict
from make_us_rich.domain.pair import Pair
from make_us_rich.evaluation.calibration import Calibration
from make_us_rich.evaluation.folds import WalkForward
from make_us_rich.evaluation.gate import GateRules
from make_us_rich.evaluation.judging import Case, judge_one, mean_of, references, serve
from make_us_rich.evaluation.scores import skill
from make_us_rich.evaluation.table import ALL, ANY, score_walk
from make_us_rich.evaluation.walk import Walk
from make_us_rich.features.feature_set import compute_features
from make_us_rich.features.windows import Windows
from make_us_rich.models.combination import combinable
from make_us_rich.models.interface import Architecture, FitSettings
from make_us_rich.models.registry import TrainingParameters
from make_us_rich.models.walking import cut_windows, plan_folds, walk

CONF = Path(__file__).resolve().parents[1] / "conf" / "base"
SLOW = {"lstm_levels": {"max_epochs": 1}}
"""What takes minutes a fold, and the budget that it gets: each fit goes on from the one before it."""
HORIZONS = {1: 1, 4: 4, 24: 24, ALL: "mean"}
COLUMNS = (
    "pair",
    "architecture",
    "horizon",
    "crps",
    "skill_vs_baseline",
    "dm_t",
    "coverage_50",
    "coverage_80",
    "coverage_90",
    "rmse_skill_vs_persistence",
    "folds_won",
    "folds",
    "fit_seconds",
)
FIRST_FIT = 3_240
"""Forecast origins left to the first fit, 135 days: so that a year of candles is judged on the folds of a run."""
QUARTER, FORTNIGHT, YEAR = 2_160, 336, 8_760


@dataclass(frozen=True)
class Job:
    """Some architectures on one file.

    Attributes:
        path: The file.
        architectures: Those whose common hours are judged.
        walked: Those among them that are.
    """

    path: Path
    architectures: tuple[str, ...]
    walked: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge every file, print the tables, write the CSV; 1 if a file could not be judged."""
    asked = _parser().parse_args(arguments)
    if asked.data.is_file():
        judge_file(asked).to_csv(asked.out, index=False)
        return 0
    names = asked.architectures.split("+") if asked.architectures else TrainingParameters.names()
    faults = judge_files(list(plan_jobs(kline_files(asked.data), tuple(names))), asked)
    for fault in faults:
        print(f"left out: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of kline files, or one: .csv, .csv.gz, .parquet")
    parser.add_argument("out", type=Path, help="CSV to write")
    parser.add_argument("--architectures", help="names joined by a plus; all unless given")
    parser.add_argument("--walked", help="of these only some, at the hours common to all; all unless given")
    parser.add_argument("--slow", action="store_true", help=f"{', '.join(SLOW)} in full: many minutes a fold")
    parser.add_argument("--folds", type=int, help="8 or more; as many as the candles give unless given")
    parser.add_argument("--hours", type=int, help="forecast origins a fold, 336 or more")
    return parser


def _parameters(file: str, group: str) -> dict[str, object]:
    loaded: dict[str, dict[str, object]] = yaml.safe_load((CONF / f"parameters_{file}.yml").read_text("utf-8"))
    return loaded[group]


# One process a file: what breaks one stops no other


def plan_jobs(paths: Sequence[Path], names: tuple[str, ...]) -> Iterator[Job]:
    """What is quick on every file, then what takes long: whoever cannot wait has a table of the rest."""
    quick = tuple(name for name in names if name not in SLOW)
    slow = tuple(name for name in names if name in SLOW)
    return (Job(path, names, walked) for walked in (quick, slow) if walked for path in paths)


def judge_files(jobs: Sequence[Job], asked: argparse.Namespace) -> list[str]:
    """Do all jobs, one a core at a time; the CSV is written anew after each. What could not be judged, in words."""
    faults: dict[str, None] = {}
    tables: dict[int, pd.DataFrame] = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        outs = [Path(folder) / str(number) for number in range(len(jobs))]
        running = {pool.submit(_judge, job, out, asked): out for job, out in zip(jobs, outs, strict=True)}
        for done in as_completed(running):
            told, fault = done.result()
            print(told, end="", flush=True)
            if fault:
                faults[fault] = None
            else:
                tables[outs.index(running[done])] = pd.read_csv(running[done])
            merge(tables, jobs).to_csv(asked.out, index=False)
    return list(faults)


def _judge(job: Job, out: Path, asked: argparse.Namespace) -> tuple[str, str]:
    """What a process of its own prints of a job, and why it could not do it, or nothing."""
    command = [sys.executable, __file__, str(job.path), str(out)]
    chosen = {
        "architectures": "+".join(job.architectures),
        "walked": "+".join(job.walked),
        "folds": asked.folds,
        "hours": asked.hours,
    }
    options = [f"--{name}={value}" for name, value in chosen.items() if value is not None]
    full = ["--slow"] if asked.slow else []
    # A process has a core: with more threads than cores networks wait for one another.
    alone = {"OMP_NUM_THREADS": "1", **os.environ}
    done = subprocess.run([*command, *options, *full], capture_output=True, text=True, check=False, env=alone)
    if done.returncode == 0:
        sys.stderr.write(done.stderr)
        return done.stdout, ""
    last = done.stderr.strip().splitlines()[-1:] or [f"its process ended with {done.returncode}"]
    return done.stdout, f"{job.path.name}: {last[0]}"


def merge(tables: Mapping[int, pd.DataFrame], jobs: Sequence[Job]) -> pd.DataFrame:
    """One table, the files in order, and of each what is quick first; the baseline once.

    Args:
        tables: By the number of the job.
        jobs: All of them.
    """
    paths = list(dict.fromkeys(job.path for job in jobs))
    parts: list[pd.DataFrame] = []
    for path in paths:
        mine = [tables[number] for number, job in enumerate(jobs) if job.path == path and number in tables]
        parts += mine[:1] + [table[table["architecture"] != BASELINE] for table in mine[1:]]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


# The past, re-lived


def judge_file(asked: argparse.Namespace) -> pd.DataFrame:
    """The rows of one file, printed as they are made.

    Raises:
        DataError: The candles are too few, or no candles.
    """
    training = TrainingParameters.model_validate(_parameters("training", "training"))
    names = asked.architectures.split("+") if asked.architectures else TrainingParameters.names()
    recipes = {name: recipe(training, name, asked.slow) for name in dict.fromkeys([BASELINE, *names])}
    walked = {BASELINE, *(asked.walked.split("+") if asked.walked else names)}
    klines = read_clean(asked.data)
    frames = {name: compute_features(name, klines) for name in {each.feature_set for each in recipes.values()}}
    features = {name: lambda name=name: frames[name] for name in frames}
    windows = cut_windows(recipes, features, klines)
    folds = plan(len(windows[BASELINE]), asked.folds, asked.hours)
    settings = FitSettings(QUANTILE_LEVELS, training.seed, training.accelerator)
    chosen = {name: each for name, each in recipes.items() if name in walked}
    return judge_walk(pair_name(asked.data), *walk_one_by_one(chosen, windows, folds, settings))


def recipe(training: TrainingParameters, name: str, slow: bool) -> Architecture:
    """As configured, or within the budget of what takes long."""
    configured = training.architecture(name)
    return configured if slow else configured.model_copy(update=SLOW.get(name, {}))


def judge_walk(pair: str, walked: Walk, seconds: Mapping[str, float]) -> pd.DataFrame:
    """The rows of a pair, printed as they are made.

    Args:
        pair: Its name.
        walked: Forecasts as they were fitted.
        seconds: Mean of a fit, by architecture.
    """
    gate = GateRules.model_validate(_parameters("evaluating", "gate"))
    calibration = Calibration.model_validate(_parameters("evaluating", "calibration"))
    case = Case(walked, gate, calibration, tried=1, newer_hours=0)
    served = {name: serve(case, quantiles) for name, quantiles in walked.quantiles.items() if name != BASELINE}
    judged = walked.judged()
    as_served = {BASELINE: judged.quantiles[BASELINE], **{name: each.quantiles for name, each in served.items()}}
    scores = score_walk(replace(judged, quantiles=as_served))
    table = tabulate(scores, seconds)
    table.insert(0, "pair", pair)
    against = references(case)
    verdicts = {name: judge_one(case, each, against, ()).verdict for name, each in served.items()}
    for line in (*report(table, scores, judged), *told(verdicts)):
        print(line, flush=True)
    return table


def told(verdicts: Mapping[str, Verdict]) -> Iterable[str]:
    """A line each."""
    return (f"{name}: {'' if each.publish else 'not published, '}{each.reason}" for name, each in verdicts.items())


def read_clean(path: Path) -> pd.DataFrame:
    """Only honest candles, as the pipeline `fetching` leaves them; a gap stays one. Prints what was removed."""
    limits = Limits.model_validate(
        {name: value for name, value in _parameters("fetching", "fetching").items() if name in Limits.model_fields}
    )
    klines = read_klines(path)
    if klines.empty:
        raise DataError("it has no candles; fetch the file again")
    now: datetime = (klines["timestamp"].max() + HOUR).to_pydatetime()
    candles, found = check_candles(klines, Pair("any", "any"), now, limits)
    counted = [f"{issue.count} {name}" for name, issue in found.issues if issue.count]
    print(f"\n{path.name}: {len(candles)} of {len(klines)} candles used, {len(found.gaps)} gaps", *counted, sep=", ")
    return candles


def plan(windows: int, folds: int | None = None, hours: int | None = None) -> WalkForward:
    """The folds of a run on a year of candles; on more, longer ones up to a quarter, and then more of them.

    Args:
        windows: Forecast origins at which all architectures can forecast.
        folds: Of so many; None: as many as the candles give, 8 or more.
        hours: Of so many hours; None: as many as the candles give, 336 or more.
    """
    base = WalkForward.model_validate(_parameters("evaluating", "walk_forward"))
    count = folds or max(base.folds, (windows - base.lead_in_hours - YEAR) // QUARTER)
    most = min((windows - base.lead_in_hours - FIRST_FIT) // count, QUARTER)
    return base.model_copy(update={"folds": count, "hours": hours or max(most, FORTNIGHT)})


def walk_one_by_one(
    recipes: Mapping[str, Architecture], windows: Mapping[str, Windows], folds: WalkForward, settings: FitSettings
) -> tuple[Walk, dict[str, float]]:
    """All recipes on the same folds, and those that a run would combine; the mean seconds of a fit of each."""
    cut = plan_folds(windows[BASELINE], folds)
    walks, seconds = {}, {}
    for name, recipe in recipes.items():
        started = time.perf_counter()
        walks[name] = walk({name: recipe}, windows, cut, settings)
        seconds[name] = (time.perf_counter() - started) / len(cut)
    quantiles = {name: each.quantiles[name] for name, each in walks.items()}
    for members in _teams(recipes):
        quantiles["+".join(members)] = mean_of([quantiles[name] for name in members])
        seconds["+".join(members)] = sum(seconds[name] for name in members)
    return replace(walks[BASELINE], quantiles=quantiles), seconds


def _teams(recipes: Mapping[str, Architecture]) -> Iterator[tuple[str, ...]]:
    """HAR-V with each that can be combined with it, and all of them together."""
    partners = [
        name
        for name in recipes
        if name != "har" and combinable({each: recipes[each] for each in ("har", name) if each in recipes})
    ]
    yield from (("har", name) for name in partners)
    if len(partners) > 1:
        yield ("har", *partners)


# The table


def tabulate(scores: pd.DataFrame, seconds: Mapping[str, float]) -> pd.DataFrame:
    """One row an architecture and horizon, without the pair.

    Args:
        scores: See `score_walk`.
        seconds: Mean of a fit, by architecture.
    """
    told = scores[(scores["volatility"] == ANY) & scores["horizon"].isin(HORIZONS)]
    folds = told[told["fold"] != ALL]
    won = folds.assign(won=folds["crps_skill"] > 0).groupby(["architecture", "horizon"])["won"].agg(["sum", "size"])
    order = {horizon: position for position, horizon in enumerate(HORIZONS)}
    whole = told[told["fold"] == ALL].sort_values("horizon", key=lambda values: values.map(order), kind="stable")
    ranked = whole.sort_values("architecture", key=lambda names: names.map(list(seconds).index), kind="stable")
    rows = [_row(row, won, seconds) for row in ranked.to_dict("records")]
    return pd.DataFrame(rows, columns=list(COLUMNS[1:]))


def _row(row: Mapping[str, object], won: pd.DataFrame, seconds: Mapping[str, float]) -> dict[str, object]:
    name, horizon = row["architecture"], row["horizon"]
    counted = won.loc[(name, horizon)]
    return {
        "architecture": name,
        "horizon": HORIZONS[horizon],
        "skill_vs_baseline": row["crps_skill"],
        # The baseline's point forecast is the last close.
        "rmse_skill_vs_persistence": float(skill(row["rmse"], row["baseline_rmse"])),
        "folds_won": int(counted["sum"]),
        "folds": int(counted["size"]),
        "fit_seconds": seconds[name],
        **{score: row[score] for score in ("crps", "dm_t", "coverage_50", "coverage_80", "coverage_90")},
    }


def report(table: pd.DataFrame, scores: pd.DataFrame, judged: Walk) -> Iterator[str]:
    """Lines for a reader: skill in per cent, CRPS in basis points, coverage in per cent."""
    first, last = judged.opens[[0, -1]].astype("datetime64[D]")
    count = int(judged.folds.max())
    yield f"\n{table['pair'].iloc[0]}: {count} folds of {len(judged) // count} h, forecasts made {first} to {last}"
    yield f"{'architecture':32}{'h':>5}{'CRPS bp':>9}{'skill %':>9}{'DM t':>7}{'cover 50/80/90 %':>19}" + (
        f"{'RMSE %':>8}{'folds won':>11}{'fit s':>8}"
    )
    for row in table.itertuples():
        covers = "/".join(f"{100 * share:.1f}" for share in (row.coverage_50, row.coverage_80, row.coverage_90))
        yield f"{row.architecture:32}{row.horizon:>5}{1e4 * row.crps:9.2f}{100 * row.skill_vs_baseline:9.2f}" + (
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
