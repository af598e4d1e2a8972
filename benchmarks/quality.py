"""How good every architecture is on a folder of kline files: walk-forward, against the baseline, hour by hour.

``make bench-quality DATA=<folder> OUT=<csv>``; ``python benchmarks/quality.py --help`` for the rest. What is read,
what is measured and what the columns mean: docs/har.md.
"""

import argparse
import re
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from make_us_rich.candles.checks import check_candles
from make_us_rich.candles.verdict import Limits
from make_us_rich.domain.errors import DataError, MakeUsRichError
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.domain.klines import HOUR, KLINE_COLUMNS, KLINE_DTYPES
from make_us_rich.domain.pair import Pair
from make_us_rich.evaluation.folds import WalkForward, fold_parts, walk_forward
from make_us_rich.evaluation.scores import coverage, crps, rmse, skill
from make_us_rich.evaluation.significance import diebold_mariano
from make_us_rich.evaluation.table import INTERVALS
from make_us_rich.features.feature_set import compute_features
from make_us_rich.features.split import Parts
from make_us_rich.features.windows import Rows, Windows, input_rows, make_windows
from make_us_rich.models.interface import FitSettings
from make_us_rich.models.registry import BASELINE, TrainingParameters

CONF = Path(__file__).resolve().parents[1] / "conf" / "base"
SLOW = ("lstm_levels",)
"""Minutes a fold."""
HORIZONS = (1, 4, 24)
MEAN = "mean"
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
ENDINGS = (".csv", ".csv.gz", ".parquet")
QUOTES = ("usdt", "usdc", "fdusd", "busd", "tusd", "usd", "eur", "try", "btc", "eth", "bnb")
EXCHANGE_COLUMNS = (
    "open_time",
    *KLINE_COLUMNS[1:7],
    "quote_asset_volume",
    "number_of_trades",
    "taker_buy_base",
    "taker_buy_quote",
    "ignore",
)
ALIASES = {
    **dict(zip(EXCHANGE_COLUMNS, KLINE_COLUMNS, strict=True)),
    **dict.fromkeys(("time", "date", "datetime", "opentime", "open_date"), "timestamp"),
    "quote_volume": "quote_av",
    "count": "trades",
    "num_trades": "trades",
    "taker_buy_volume": "tb_base_av",
    "taker_buy_quote_volume": "tb_quote_av",
    "taker_buy_base_asset_volume": "tb_base_av",
    "taker_buy_quote_asset_volume": "tb_quote_av",
}
NEEDED = ("open", "high", "low", "close", "volume")
START = pd.Timestamp("2000-01-03", tz="UTC")
"""Where hours without a time are counted from: a Monday, at midnight."""
YEAR, HALF_YEAR, QUARTER, FORTNIGHT = 8_760, 4_380, 2_160, 336
FOLDS = 8


@dataclass(frozen=True)
class Outcome:
    """One architecture on all folds of one pair.

    Attributes:
        forecast: Log returns, ``[window, horizon, level]``, the folds one after the other.
        fit_seconds: Mean seconds of a fit.
    """

    forecast: NDArray[np.float32]
    fit_seconds: float


@dataclass(frozen=True)
class Judged:
    """Every architecture on the same origins.

    Attributes:
        windows: The test windows of all folds, in order of time.
        folds: How many.
        outcomes: By architecture, the baseline's among them.
    """

    windows: Windows
    folds: int
    outcomes: dict[str, Outcome]


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge every file, print the table, write the CSV; 1 if a file could not be judged."""
    asked = _parser().parse_args(arguments)
    training = TrainingParameters.model_validate(_parameters("training"))
    names = asked.architectures.split("+") if asked.architectures else fast_names(asked.slow)
    tables, faults = [], []
    for path in kline_files(asked.data):
        try:
            tables.append(judge_file(path, training, names, (asked.folds, asked.hours)))
        except MakeUsRichError as exc:
            faults.append(f"{path.name}: {exc}")
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))
    table.to_csv(asked.out, index=False)
    for fault in faults:
        print(f"left out: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of kline files: .csv, .csv.gz, .parquet")
    parser.add_argument("out", type=Path, help="CSV to write")
    parser.add_argument("--architectures", help="names joined by a plus; all that fit in seconds unless given")
    parser.add_argument("--slow", action="store_true", help=f"also {', '.join(SLOW)}: minutes a fold")
    parser.add_argument("--folds", type=int, help="8 or more; as many as the candles give unless given")
    parser.add_argument("--hours", type=int, help="forecast origins a fold, 336 or more")
    return parser


def _parameters(name: str) -> dict[str, object]:
    loaded: dict[str, dict[str, object]] = yaml.safe_load((CONF / f"parameters_{name}.yml").read_text("utf-8"))
    return loaded[name]


def fast_names(slow: bool) -> list[str]:
    """Every architecture, those that take minutes only if asked for."""
    return [name for name in TrainingParameters.names() if slow or name not in SLOW]


# Files


def kline_files(folder: Path) -> list[Path]:
    """The kline files of a folder, by name.

    Raises:
        DataError: There is none.
    """
    files = sorted(path for path in folder.glob("*") if path.name.endswith(ENDINGS))
    if not files:
        raise DataError(f"{folder} has no kline files; put files named like BTCUSDT-1h.csv.gz there")
    return files


def pair_name(path: Path) -> str:
    """``btc_usdt`` from ``BTCUSDT-1h.csv.gz``; what follows the interval stays, as in ``btc_usdt-2017-2020``."""
    symbol, *rest = re.split(r"[-_.]1h", re.sub(r"\.(csv|csv\.gz|parquet)$", "", path.name))
    base = symbol.lower().replace("_", "").replace("-", "")
    quote = next((quote for quote in QUOTES if base.endswith(quote) and base != quote), "")
    name = f"{base.removesuffix(quote)}_{quote}" if quote else base
    return name + "".join(rest)


def read_klines(path: Path) -> pd.DataFrame:
    """The candles of a file in the kline schema.

    Columns go by our names, by the exchange's, or, in a CSV without a header, by their order. Open, high, low, close
    and volume are needed. A column that is missing is 0, so that features of it say nothing; without any time the
    rows count as contiguous hours from a Monday, midnight.

    Raises:
        DataError: A column that is needed is missing, or holds no numbers.
    """
    raw = pd.read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    if isinstance(raw.index, pd.DatetimeIndex):
        raw = raw.rename_axis("timestamp").reset_index()
    named = raw.rename(columns=lambda name: ALIASES.get(_plain(name), _plain(name)))
    frame = named.loc[:, ~named.columns.duplicated()]
    missing = [name for name in NEEDED if name not in frame]
    if missing:
        raise DataError(f"no column {', '.join(missing)}; give open, high, low, close and volume")
    try:
        return _typed(frame)
    except (TypeError, ValueError) as exc:
        raise DataError(f"a value is of the wrong kind ({exc}); fetch the file again") from exc


def _read_csv(path: Path) -> pd.DataFrame:
    first = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0]
    if not str(first.iloc[-1]).replace(".", "", 1).isdigit():
        return pd.read_csv(path)
    order = NEEDED if len(first) == len(NEEDED) else KLINE_COLUMNS[: len(first)]
    return pd.read_csv(path, header=None, names=list(order))


def _plain(name: object) -> str:
    return str(name).strip().lower().replace(" ", "_")


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    opened = _times(frame["timestamp"]) if "timestamp" in frame else _contiguous(len(frame))
    columns: dict[str, object] = {"timestamp": opened}
    for name in KLINE_COLUMNS[1:]:
        columns[name] = pd.to_numeric(frame[name]).to_numpy() if name in frame and name != "close_time" else 0.0
    columns["close_time"] = opened + HOUR - pd.Timedelta("1ms")
    return pd.DataFrame(columns)[list(KLINE_COLUMNS)].astype(KLINE_DTYPES)


def _contiguous(rows: int) -> pd.DatetimeIndex:
    warnings.warn("no time column: the rows count as contiguous hours", stacklevel=2)
    return pd.date_range(START, periods=rows, freq="h", unit="ms")


def _times(values: "pd.Series[object]") -> pd.DatetimeIndex:
    """Times in s, ms or us since 1970, ISO text, or times already; without a zone they are UTC."""
    if pd.api.types.is_numeric_dtype(values):
        largest = float(values.max())
        unit = "s" if largest < 1e11 else "ms" if largest < 1e14 else "us"
        return pd.DatetimeIndex(pd.to_datetime(values, unit=unit, utc=True)).as_unit("ms")
    return pd.DatetimeIndex(pd.to_datetime(values, utc=True)).as_unit("ms")


# Folds


def judge_file(
    path: Path, training: TrainingParameters, names: Iterable[str], size: tuple[int | None, int | None] = (None, None)
) -> pd.DataFrame:
    """The rows of one file, printed as they are made.

    Raises:
        DataError: The candles are too few.
    """
    klines = clean(read_klines(path))
    judged = judge(klines, training, list(dict.fromkeys([BASELINE, *names])), size)
    table = tabulate(judged)
    table.insert(0, "pair", pair_name(path))
    show(table, judged)
    return table


def clean(klines: pd.DataFrame) -> pd.DataFrame:
    """Only honest candles, as the pipeline `fetching` leaves them; a gap stays one."""
    limits = Limits.model_validate(
        {name: value for name, value in _parameters("fetching").items() if name in Limits.model_fields}
    )
    now: datetime = (klines["timestamp"].max() + HOUR).to_pydatetime()
    candles, _ = check_candles(klines, Pair("any", "any"), now, limits)
    return candles


def judge(
    klines: pd.DataFrame, training: TrainingParameters, names: Sequence[str], size: tuple[int | None, int | None]
) -> Judged:
    """Fit and forecast every fold with every architecture, all on the origins that each of them can forecast."""
    windows = {name: _windows(klines, training, name) for name in names}
    common: Rows = reduce(np.intersect1d, [each.origins for each in windows.values()])
    timestamps = windows[BASELINE].timestamps
    plan = plan_folds(len(common), *size)
    folds = walk_forward(common, timestamps, plan)
    outcomes = {}
    for name, each in windows.items():
        outcomes[name] = run_folds(fold_parts(each, folds), training, name)
    test = np.concatenate([fold.test for fold in folds])
    return Judged(windows[BASELINE].at(test), len(folds), outcomes)


def _windows(klines: pd.DataFrame, training: TrainingParameters, name: str) -> Windows:
    architecture = training.architecture(name)
    return make_windows(compute_features(architecture.feature_set, klines), klines, architecture.lookback, HORIZON)


def plan_folds(windows: int, folds: int | None = None, hours: int | None = None) -> WalkForward:
    """As much as the candles give: half a year to fit on at first, then refits at least each quarter.

    Eight folds of 336 hours or more; where eight quarters are less than what is left after a year, more folds.
    """
    count = folds or max(FOLDS, (windows - YEAR) // QUARTER)
    most = min((windows - HALF_YEAR) // count, QUARTER)
    return WalkForward(folds=count, hours=hours or max(most, FORTNIGHT))


def run_folds(folds: Sequence[Parts], training: TrainingParameters, name: str) -> Outcome:
    """The forecasts of one architecture, fitted anew in each fold."""
    settings = FitSettings(QUANTILE_LEVELS, training.seed, training.accelerator)
    forecasts, seconds = [], 0.0
    for parts in folds:
        scaler = _fit_scaler(parts.fit)
        started = time.perf_counter()
        fitted = training.architecture(name).fit(parts, scaler, settings)
        seconds += time.perf_counter() - started
        forecasts.append(fitted.quantiles(parts.test.inputs()))
    return Outcome(np.concatenate(forecasts), seconds / len(folds))


def _fit_scaler(fit: Windows):
    from sklearn.preprocessing import MinMaxScaler

    return MinMaxScaler(feature_range=(-1, 1)).fit(fit.features[input_rows(fit.origins, fit.lookback)])


# Scores


def tabulate(judged: Judged) -> pd.DataFrame:
    """One row an architecture and horizon, without the pair."""
    rows = [_score(judged, name, horizon) for name in judged.outcomes for horizon in (*HORIZONS, MEAN)]
    return pd.DataFrame(rows, columns=list(COLUMNS[1:]))


def _score(judged: Judged, name: str, horizon: int | str) -> dict[str, object]:
    own, reference = (_losses(judged, which, horizon) for which in (name, BASELINE))
    return {
        "architecture": name,
        "horizon": horizon,
        "crps": own.mean(),
        "skill_vs_baseline": float(skill(own.mean(), reference.mean())),
        "dm_t": diebold_mariano(own, reference, HORIZON if horizon == MEAN else int(horizon)).t,
        **_coverages(judged, name, horizon),
        "rmse_skill_vs_persistence": _point_skill(judged, name, horizon),
        "folds_won": int((fold_skills(judged, name, horizon) > 0).sum()),
        "folds": judged.folds,
        "fit_seconds": judged.outcomes[name].fit_seconds,
    }


def fold_skills(judged: Judged, name: str, horizon: int | str = MEAN) -> NDArray[np.float64]:
    """CRPS skill against the baseline in each fold, ``[fold]``."""
    own, reference = (
        _losses(judged, which, horizon).reshape(judged.folds, -1).mean(axis=1) for which in (name, BASELINE)
    )
    return skill(own, reference)


def _losses(judged: Judged, name: str, horizon: int | str) -> NDArray[np.float64]:
    """CRPS of each origin, ``[window]``, at one horizon or on the mean of all."""
    losses = crps(judged.windows.targets(), judged.outcomes[name].forecast, QUANTILE_LEVELS)
    return losses[:, _which(horizon)].mean(axis=1)


def _coverages(judged: Judged, name: str, horizon: int | str) -> dict[str, float]:
    targets = judged.windows.targets()[:, _which(horizon)]
    forecast = judged.outcomes[name].forecast[:, _which(horizon)]
    return {
        f"coverage_{nominal}": float(
            coverage(targets, *(forecast[..., QUANTILE_LEVELS.index(end)] for end in ends)).mean()
        )
        for nominal, ends in INTERVALS.items()
    }


def _point_skill(judged: Judged, name: str, horizon: int | str) -> float:
    """Of the median as a price; over several horizons, of the mean RMSE."""
    closes = judged.windows.last_closes()[:, None]
    actual = closes * np.exp(judged.windows.targets()[:, _which(horizon)])
    median = judged.outcomes[name].forecast[:, _which(horizon), QUANTILE_LEVELS.index(0.5)].astype(np.float64)
    own, reference = (rmse(actual, points).mean() for points in (closes * np.exp(median), closes))
    return float(skill(own, reference))


def _which(horizon: int | str) -> slice:
    return slice(None) if horizon == MEAN else slice(int(horizon) - 1, int(horizon))


# What is shown


def show(table: pd.DataFrame, judged: Judged) -> None:
    """The rows of a pair, and each fold's skill on the mean of the horizons."""
    for line in report(table, judged):
        print(line, flush=True)


def report(table: pd.DataFrame, judged: Judged) -> Iterator[str]:
    """Lines for a reader: skill in per cent, CRPS in basis points, coverage in per cent."""
    opened = judged.windows.timestamps[judged.windows.origins[[0, -1]]].astype("datetime64[D]")
    hours = len(judged.windows) // judged.folds
    yield f"\n{table['pair'].iloc[0]}: {judged.folds} folds of {hours} h, forecasts made {opened[0]} to {opened[1]}"
    yield f"{'architecture':14}{'h':>5}{'CRPS bp':>9}{'skill %':>9}{'DM t':>7}{'cover 50/80/90 %':>19}" + (
        f"{'RMSE %':>8}{'folds won':>11}{'fit s':>8}"
    )
    for row in table.itertuples():
        covers = "/".join(f"{100 * share:.1f}" for share in (row.coverage_50, row.coverage_80, row.coverage_90))
        yield f"{row.architecture:14}{row.horizon:>5}{1e4 * row.crps:9.2f}{100 * row.skill_vs_baseline:9.2f}" + (
            f"{row.dm_t:7.1f}{covers:>19}{100 * row.rmse_skill_vs_persistence:8.2f}"
            f"{f'{row.folds_won}/{row.folds}':>11}{row.fit_seconds:8.2f}"
        )
    for name in judged.outcomes:
        if name != BASELINE:
            yield f"{name}, mean skill % by fold: " + " ".join(f"{100 * s:.1f}" for s in fold_skills(judged, name))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MakeUsRichError as exc:
        sys.exit(str(exc))
